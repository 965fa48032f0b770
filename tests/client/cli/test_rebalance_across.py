"""Two exchanges rebalanced as one on a real command line, over sockets, killed between two legs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradehook.desk.journal import Journal
from tradehook.desk.plans import leg_intent_id

BOTH = ("--accounts", "main,fin")
TRADED = [("sell", "fin", "BTC"), ("sell", "main", "BTC"), ("buy", "fin", "ETH"), ("buy", "main", "ETH")]


@pytest.fixture
def sandbox_server(start_sandbox):
    """Accounts that nobody else trades."""
    server = start_sandbox("--rate-limit", "0")
    yield server
    assert server.stop() == 0


@pytest.fixture
def file_of_accounts(sandbox_server, tmp_path, monkeypatch):
    """`main` at one exchange and `fin` at the other, both in one sandbox, and `twin`, which is `main` once more."""
    path = tmp_path / "accounts.toml"
    main = f'exchange = "true_markets"\nurl = "{sandbox_server.url}"\nkey_file = "{sandbox_server.key_file}"\n'
    fin = f'exchange = "fintrusted"\nurl = "{sandbox_server.url}"\n'
    apart = f'{fin}journal_url = "sqlite:///{tmp_path}/apart.db"\n'
    path.write_text(f"[main]\n{main}\n[fin]\n{fin}\n[twin]\n{main}\n[apart]\n{apart}")
    path.chmod(0o600)
    monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(path))
    return path


@pytest.fixture
def ready(command, file_of_accounts, monkeypatch):
    """The command with these accounts and targets called main; what the environment says of one account is unset."""
    for name in ("TRADEHOOK_TRUE_MARKETS_URL", "TRADEHOOK_TRUE_MARKETS_KEY_FILE", "TRADEHOOK_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    words = ("BTC=5", "ETH=85", "cash=10", "--band", "2", "--min-trade", "25")
    code, _, error = command("targets", "set", "main", *words)
    assert code == 0, error
    return command


def placed(server):
    at_fin = server.admin("GET", "fintrusted/orders")["data"]
    return server.orders(), len(at_fin)


def test_a_plan_over_both_shows_what_is_where_and_sends_nothing(ready, sandbox_server):
    code, out, error = ready("rebalance", "plan", *BOTH)
    assert code == 0, error
    assert "main, version 1 · sandbox · fin, main" in out
    table = [line for line in out.splitlines() if "│" in line]
    assert [line.split()[0] for line in table] == ["BTC", "ETH", "USD"]
    assert max(len(line.rstrip()) for line in table) <= 80
    assert "BTC: 1 at fin, 0.5 at main" in out
    assert "USDT at fin" in out
    assert "tradehook rebalance run main --accounts fin,main" in error
    assert placed(sandbox_server) == (0, 0)


def test_run_brings_both_to_the_targets_once(ready, sandbox_server):
    code, out, error = ready("rebalance", "run", *BOTH, "--yes", "--intent-id", "r-1")
    assert code == 0, error
    assert "Done: 2 legs filled, 2 probably: the exchange tells nothing, the wallet does." in out
    assert placed(sandbox_server) == (2, 2)
    # Once more, with the accounts and without: what is stored.
    for words in (BOTH, ("--accounts", "fin, main"), ()):
        code, out, error = ready("rebalance", "run", *words, "--yes", "--intent-id", "r-1", "--json")
        assert code == 0, error
        outcome = json.loads(out)
        assert (outcome["is_stored"], outcome["state"]) == (True, "ACCEPTED")
        assert [(leg["side"], leg["account"], leg["base"]) for leg in outcome["legs"]] == TRADED
        assert all("BTC" in leg["order"]["evidence"] for leg in outcome["legs"][:1])
    code, out, error = ready("rebalance", "run", *BOTH, "--yes", "--intent-id", "r-2")
    assert (code, "Nothing to trade." in out) == (0, True), error
    assert placed(sandbox_server) == (2, 2)


def test_killed_between_two_legs_it_goes_on_where_it_was(ready, sandbox_server, tmp_path):
    assert ready("freeze", "first look at the plan")[0] == 0
    assert ready("rebalance", "run", *BOTH, "--yes", "--intent-id", "r-1")[0] == 3
    assert ready("resume")[0] == 0
    frozen = json.loads(ready("intents", "show", "r-1", "--json")[1])["request"]
    # The first leg is done at fin; the second has to look at main's balances, and is killed while it waits for them.
    sandbox_server.fault("slow", method="GET", path="/balances/unified", delay_seconds=15)
    process = subprocess.Popen(
        [sys.executable, "-m", "tradehook.cli", "rebalance", "run", "--yes", "--intent-id", "r-1"],
        env=dict(os.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
            for _ in range(400):
                first = journal.find_exactly(leg_intent_id("r-1", 1))
                if first is not None and first.is_final and journal.find_exactly(leg_intent_id("r-1", 2)):
                    break
                assert process.poll() is None, "it ended before it was killed"
                time.sleep(0.05)
            else:
                raise AssertionError("the second leg never began")
    finally:
        process.kill()
        process.wait()
    assert placed(sandbox_server) == (0, 1)
    sandbox_server.clear_faults()
    sandbox_server.admin("POST", "prices", {"BTC": "60000", "walk": False})
    code, out, error = ready("rebalance", "run", "--yes", "--intent-id", "r-1", "--json")
    assert code == 0, error
    outcome = json.loads(out)
    assert outcome["plan"] == frozen
    assert [leg["is_stored"] for leg in outcome["legs"]] == [True, False, False, False]
    assert placed(sandbox_server) == (2, 2)


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--accounts", "main"), "write --account main"),
        (("--accounts", ","), "write --account NAME"),
        (("--accounts", "main,fin,main"), "names an account twice"),
        (("--accounts", "main,other"), "No account is called 'other'"),
        (("--accounts", "main,twin"), "main and twin are the same account"),
        ((*BOTH, "--url", "http://127.0.0.1:9"), "--url is for one account"),
        ((*BOTH, "--exchange", "fintrusted"), "--exchange is for one account"),
    ],
)
def test_accounts_that_cannot_be_meant_are_exit_2(ready, words, says):
    for verb in (("plan",), ("run", "--yes")):
        code, _, error = ready("rebalance", *verb, *words)
        assert (code, says in error) == (2, True), error


def test_accounts_with_journals_of_their_own_cannot_be_one(ready, monkeypatch, sandbox_server, tmp_path):
    monkeypatch.delenv("TRADEHOOK_JOURNAL_URL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert ready("targets", "set", "main", "BTC=5", "ETH=85")[0] == 0
    code, _, error = ready("rebalance", "run", "--accounts", "main,apart", "--yes")
    assert (code, "apart and main keep different journals" in error) == (2, True), error
    assert placed(sandbox_server) == (0, 0)


def test_the_same_id_over_other_accounts_is_refused(ready, sandbox_server):
    assert ready("rebalance", "run", *BOTH, "--yes", "--intent-id", "r-1")[0] == 0
    code, _, error = ready("rebalance", "run", "--accounts", "fin,twin", "--yes", "--intent-id", "r-1")
    assert (code, "is over fin and main already" in error) == (2, True), error
    assert ready("--account", "main", "rebalance", "run", "--yes", "--intent-id", "alone")[0] == 0
    code, _, error = ready("rebalance", "run", *BOTH, "--yes", "--intent-id", "alone")
    assert (code, "is over one account already" in error) == (2, True), error
    assert placed(sandbox_server)[1] == 2


def test_the_page_works_as_printed(sandbox_server, tmp_path):
    """The commands of "Two exchanges", typed in; only the question is answered beforehand."""
    page = Path(__file__).parents[3] / "docs" / "how-to" / "rebalance.md"
    script = page.read_text().split("## Two exchanges")[1].split("```bash\n")[1].split("```")[0]
    done = subprocess.run(
        ["bash", "-euc", script.replace("--intent-id tuesday", "--intent-id tuesday --yes")],
        env={
            "HOME": str(tmp_path),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "TRADEHOOK_TRUE_MARKETS_URL": sandbox_server.url,
            "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(sandbox_server.key_file),
            "TRADEHOOK_FINTRUSTED_URL": sandbox_server.url,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "at fin" in done.stdout
    assert "Done: " in done.stdout
    assert placed(sandbox_server)[1] >= 1
