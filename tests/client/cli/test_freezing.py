"""`tradehook freeze` and `tradehook resume`, for everything and for one account, against a sandbox."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from subprocess import DEVNULL

import pytest

from tradehook.desk.journal import Journal

BUY = ("order", "place", "buy", "BTC", "0.001", "--yes", "--json")
SELL = ("order", "place", "sell", "BTC", "0.001", "--yes", "--json")


def rule_of(answer):
    code, out, _ = answer
    return "" if code == 0 else json.loads(out).get("rule")


def test_a_freeze_stops_everything_and_a_resume_lets_it_go_on(command, sandbox_server):
    before = sandbox_server.orders()
    code, out, _ = command("freeze", "going on holiday", "--json")
    row = json.loads(out)
    assert (code, row["scope"], row["state"], row["why"]) == (0, "*", "HALTED", "going on holiday")
    assert rule_of(command(*BUY)) == rule_of(command(*SELL)) == "frozen"
    assert sandbox_server.orders() == before
    assert "goes on" in command("resume")[1]
    assert rule_of(command(*BUY)) == ""


def test_reducing_lets_sells_into_money_through_and_cancels(command):
    _, out, _ = command("order", "place", "buy", "BTC", "0.001", "--limit", "50000", "--yes", "--json")
    resting = json.loads(out)["order_id"]
    code, out, _ = command("freeze", "--reducing")
    assert (code, "Only sells into money" in out) == (0, True)
    assert (rule_of(command(*BUY)), rule_of(command(*SELL))) == ("frozen", "")
    assert command("order", "cancel", resting)[0] == 0


def test_one_account_alone_is_frozen_and_says_so_after_a_resume_of_everything(command):
    code, out, _ = command("freeze", "odd fills", "--account-only", "--json")
    scope = json.loads(out)["scope"]
    assert (code, scope.count("/")) == (0, 1)
    code, out, _ = command("resume")
    assert (code, "Still frozen" in out, scope in out, "odd fills" in out) == (0, True, True, True)
    code, _, error = command(*BUY[:-1])
    assert (code, "--account-only" in error) == (3, True)
    assert "goes on" in command("resume", "--account-only")[1]
    assert rule_of(command(*BUY)) == ""


def test_a_freeze_needs_no_exchange_and_that_of_one_account_says_what_does(command, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_URL", "http://127.0.0.1:1")
    code, _, error = command("freeze", "--account-only")
    assert (code, "`tradehook freeze` stops everything" in error) == (5, True), error
    assert command("freeze")[0] == 0


@pytest.fixture
def three(command, tmp_path, monkeypatch):
    """Three accounts in a file, two of them with one journal."""
    monkeypatch.delenv("TRADEHOOK_JOURNAL_URL")
    path = tmp_path / "accounts.toml"
    path.write_text(
        "".join(
            f'[{name}]\nenvironment = "live"\njournal_url = "sqlite:///{tmp_path}/{journal}.db"\n'
            for name, journal in (("one", "a"), ("two", "a"), ("three", "b"))
        )
    )
    path.chmod(0o600)
    monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(path))

    def states() -> list[str]:
        found = []
        for name in "ab":
            with Journal.open(f"sqlite:///{tmp_path}/{name}.db") as journal:
                found.append(journal.trading_state()["state"])
        return found

    return command, states


def test_without_a_choice_the_journals_of_all_accounts_are_frozen(three):
    command, states = three
    code, out, _ = command("freeze", "--json")
    assert (code, len(out.splitlines())) == (0, 2)
    assert states() == ["HALTED", "HALTED"]
    assert command("resume", "--account", "three")[0] == 0
    assert states() == ["HALTED", "NORMAL"]
    assert command("freeze", "--account", "three")[0] == 0
    assert command("resume")[0] == 0
    assert states() == ["NORMAL", "NORMAL"]


def test_a_journal_that_cannot_be_opened_keeps_no_other_from_being_frozen(three, tmp_path):
    command, _ = three
    (tmp_path / "a.db").write_bytes(b"no database, and long enough to be taken for one" * 40)
    code, _, error = command("freeze")
    assert code != 0, error
    with Journal.open(f"sqlite:///{tmp_path}/b.db") as journal:
        assert journal.trading_state()["state"] == "HALTED"


def test_what_is_told_holds_no_address_of_a_journal(command, tmp_path):
    for words in (("freeze", "--json"), ("resume", "--json")):
        assert str(tmp_path) not in command(*words)[1]


def test_a_resume_says_what_lifts_that_of_one_account_and_typing_that_does(command):
    command("freeze", "--account-only")
    error = command("resume")[2]
    assert "`tradehook resume --account-only`" in error
    assert "for everything" not in error
    assert "goes on" in command("resume", "--account-only")[1]
    command("freeze", "--account-only")
    command("freeze")
    error = command("resume", "--account-only")[2]
    assert "What holds for everything is lifted by `tradehook resume`." in error


def test_a_resume_names_the_account_of_the_file_that_is_still_halted(command, sandbox_server, tmp_path, monkeypatch):
    for name in (*sandbox_server.environment, "TRADEHOOK_JOURNAL_URL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "accounts.toml"
    shared = f'key_file = "{sandbox_server.key_file}"\njournal_url = "sqlite:///{tmp_path}/journal.db"\n'
    path.write_text(f'[one]\nurl = "http://127.0.0.1:1"\n{shared}[two]\nurl = "{sandbox_server.url}"\n{shared}')
    path.chmod(0o600)
    monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(path))
    assert command("freeze", "--account-only", "--account", "two")[0] == 0
    error = command("resume")[2]
    assert "`tradehook resume --account-only --account two`" in error
    assert "goes on" in command("resume", "--account-only", "--account", "two")[1]


def test_a_freeze_names_what_is_on_its_way_and_what_is_in_doubt(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    out = command("freeze")[1]
    assert ("on its way" in out, "in doubt" in out) == (False, False)
    command("resume")
    server.fault("slow", delay_seconds=60)
    sender = subprocess.Popen([sys.executable, "-m", "tradehook.cli", *BUY, "--intent-id", "going"], stdout=DEVNULL)
    try:
        ends = time.monotonic() + 60
        while server.orders() == 0:
            assert time.monotonic() < ends, "the order never came"
        out = command("freeze")[1]
        assert "1 is on its way right now and goes on to the exchange's answer: going." in out
        assert "in doubt" not in out
        row = json.loads(command("freeze", "--account-only", "--json")[1])
        assert (row["on_its_way"], row["in_doubt"]) == (["going"], [])
    finally:
        sender.kill()
        sender.wait()
    out = command("freeze")[1]
    assert "1 is in doubt and may have happened: going." in out
    assert "on its way" not in out


def test_a_freeze_never_lets_more_through_and_keeps_the_reason(command):
    assert command("freeze", "keys are stolen")[0] == 0
    code, out, error = command("freeze", "sells only", "--reducing")
    assert (code, "Frozen." in out) == (3, False), out
    for words in ("Trading is HALTED", "keys are stolen", "`tradehook resume`", "a freeze never lets more through"):
        assert words in error
    code, out, _ = command(*SELL)
    assert (code, "keys are stolen" in json.loads(out)["message"]) == (3, True), out
    assert command("freeze", "still", "--account-only")[0] == 0
    code, _, error = command("freeze", "--reducing", "--account-only")
    assert (code, "`tradehook resume --account-only`" in error) == (3, True), error
    assert (command("resume")[0], command("resume", "--account-only")[0]) == (0, 0)
    assert command("freeze", "--reducing")[0] == 0
    assert rule_of(command(*SELL)) == ""
    assert command("freeze", "all of it")[0] == 0
    assert rule_of(command(*SELL)) == "frozen"


def test_a_journal_that_is_stopped_already_keeps_no_other_from_being_frozen(three):
    command, states = three
    assert command("freeze", "first", "--account", "one")[0] == 0
    code, _, error = command("freeze", "--reducing")
    assert (code, "Trading is HALTED" in error, states()) == (3, True, ["HALTED", "REDUCING"]), error
