"""The command line as scripts and people use it: what it prints, and how it ends."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys

import pytest


def test_help_everywhere(command):
    for words in (
        [],
        ["order"],
        ["order", "place"],
        ["orders"],
        ["quote"],
        ["keys"],
        ["keys", "new"],
        ["intents"],
        ["doctor"],
    ):
        code, out, _ = command(*words, "--help")
        assert code == 0
        assert "Usage:" in out


def test_version(command):
    assert command("--version")[1].startswith("tradehook 0.")


def test_doctor_finds_everything_in_order(command):
    code, out, _ = command("doctor")
    assert code == 0
    assert "WRONG" not in out
    code, out, _ = command("doctor", "--json")
    report = json.loads(out)
    assert report["ok"] is True
    assert {check["result"] for check in report["checks"]} == {"ok"}


def test_doctor_says_what_is_wrong_and_what_to_do(command, tmp_path):
    code, out, _ = command("doctor", "--key-file", str(tmp_path / "none.json"))
    assert code == 2
    assert "tradehook keys new" in out
    code, out, _ = command("doctor", "--url", "http://127.0.0.1:1")
    assert code == 5
    assert "could not be reached" in out


def test_looking_prints_tables_and_ndjson(command):
    for words in (["balances"], ["assets"], ["assets", "--venue", "defi"]):
        code, out, _ = command(*words)
        assert code == 0
        assert "USDC" in out
        code, out, _ = command(*words, "--json")
        rows = [json.loads(line) for line in out.splitlines()]
        assert "USDC" in {row["symbol"] for row in rows}


def test_money_in_json_is_text(command):
    _, out, _ = command("balances", "--json")
    for line in out.splitlines():
        row = json.loads(line)
        assert all(isinstance(row[name], str) for name in ("total", "available", "held"))
        assert "E" not in row["total"]


@pytest.mark.parametrize(
    "words", [["BTC", "0.05"], ["0.05", "BTC"], ["BTC", "$250"], ["BTC/USD", "0.05"], ["btc-pyusd", "0.05"]]
)
def test_quotes_both_sides(command, words):
    code, out, _ = command("quote", *words, "--json")
    sides = [json.loads(line)["side"] for line in out.splitlines()]
    assert (code, sides) == (0, ["buy", "sell"])


def test_an_order_from_placing_to_showing(command):
    code, out, error = command(
        "order", "place", "buy", "BTC/PYUSD", "0.001", "--yes", "--wait", "--json", "--intent-id", "a"
    )
    placed = json.loads(out)
    assert code == 0, error
    assert (placed["status"], placed["filled"], placed["intent_id"]) == ("filled", "0.001", "a")
    code, out, _ = command("order", "place", "buy", "BTC/PYUSD", "0.001", "--yes", "--json", "--intent-id", "a")
    assert json.loads(out)["is_stored"] is True
    assert json.loads(out)["order_id"] == placed["order_id"]
    code, out, _ = command("order", "show", placed["order_id"][:8], "--json")
    assert json.loads(out)["order_id"] == placed["order_id"]
    code, out, _ = command("orders", "--json", "--limit", "500")
    assert placed["order_id"] in [json.loads(line)["order_id"] for line in out.splitlines()]
    code, out, _ = command("intents", "show", "a", "--json")
    story = json.loads(out)
    assert [event["what"] for event in story["events"]][:3] == ["prepared", "sending", "accepted"]
    code, out, _ = command("intents", "list")
    assert "buy BTC/PYUSD 0.001" in out


def test_a_limit_order_is_canceled(command):
    code, out, _ = command("order", "place", "sell", "BTC", "0.001", "--limit", "90000", "--yes", "--json")
    order_id = json.loads(out)["order_id"]
    assert code == 0
    code, out, _ = command("order", "cancel", order_id, "--json")
    assert (code, json.loads(out)["status"] in ("canceling", "canceled")) == (0, True)


def test_on_chain(command):
    code, out, error = command(
        "order", "place", "buy", "CBBTC/USDC", "$20", "--chain", "base", "--yes", "--wait", "--json"
    )
    assert code == 0, error
    assert json.loads(out)["status"] == "filled"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["hold", "BTC/PYUSD", "1"], "buy or sell"),
        (["buy", "BTC/PYUSD", "1,000"], "1000 or 1.0000"),
        (["buy", "BTC/PYUSD", "1.000"], "1000 or 1.0000"),
        (["buy", "BTC/PYUSD", "-1"], ""),
        (["buy", "BTC/PYUSD", "abc"], "digits"),
        (["buy", "BTC/", "1"], "like BTC/PYUSD"),
        (["buy", "BTC/PYUSD", "0.001", "--unit", "lots"], "base or quote"),
        (["buy", "BTC/PYUSD", "0.001", "--limit", "1,000"], "1000"),
        (["buy", "BTC/PYUSD", "0.001", "--limit", "0"], "zero"),
        (["buy", "BTC/PYUSD", "0.001", "--limit", "50000.05"], "50000 or 50000.1"),
        (["buy", "BTC/PYUSD", "0.00001"], "smallest quantity"),
        (["sell", "BTC/PYUSD", "0.001", "--unit", "quote"], "0.001 PYUSD is worth less than the smallest"),
        (["buy", "BTC/PYUSD", "0.001", "--max-slippage", "200"], "percent, more than 0 and at most 50"),
        (["buy", "BTC/PYUSD", "50,5"], "Write 505 or 50.5."),
        (["buy", "BTC/PYUSD", "1", "--chain", "Base!"], "chain"),
        (["buy", "CBBTC/USDC", "$5", "--chain", "base", "--limit", "1"], "on chain"),
        (["buy", "BTC/PYUSD", "$5", "--limit", "50000"], "sized in BTC"),
        (["buy", "BTC/PYUSD", "0.001", "--intent-id", "a b"], "intent id"),
        (["buy", "DOGE/PYUSD", "1"], "not traded"),
        (["buy", "CBBTC/PYUSD", "1"], "--chain base"),
        (["buy"], "Missing argument"),
        (["buy", "BTC/PYUSD", "1", "--nonsense"], "No such option"),
    ],
)
def test_wrong_input_is_exit_2_with_what_to_type(command, sandbox_server, words, said):
    before = sandbox_server.orders()
    code, out, error = command("order", "place", *words, "--yes")
    assert code == 2
    assert said in error
    assert "Traceback" not in error
    assert out == ""
    assert sandbox_server.orders() == before


def test_without_a_person_and_without_yes_nothing_is_sent(command, sandbox_server):
    before = sandbox_server.orders()
    code, _, error = command("order", "place", "buy", "BTC/PYUSD", "0.001")
    assert code == 2
    assert "--yes" in error
    assert sandbox_server.orders() == before


def test_exit_codes_3_and_5(command):
    code, out, error = command("order", "place", "sell", "BTC/PYUSD", "9", "--yes", "--json")
    assert code == 3
    assert json.loads(out)["error"] in ("InsufficientFunds", "InvalidOrder")
    assert error
    for words in (["balances"], ["order", "place", "buy", "BTC/PYUSD", "0.001", "--yes"]):
        code, _, error = command(*words, "--url", "http://127.0.0.1:1")
        assert code == 5
        assert "could not be reached" in error


def test_options_stand_before_or_after_the_command_and_win_over_the_environment(command):
    for words in (["--url", "http://127.0.0.1:1", "balances"], ["balances", "--url", "http://127.0.0.1:1"]):
        assert command(*words)[0] == 5
    assert command("balances")[0] == 0


@pytest.mark.parametrize("name", ["TRADEHOOK_ENVIRONMENT", "TRADEHOOK_TRUE_MARKETS_URL", "TRADEHOOK_JOURNAL_URL"])
def test_wrong_settings_are_named(command, monkeypatch, name):
    monkeypatch.setenv(name, "nonsense")
    code, _, error = command("intents", "list")
    assert code == 2
    assert name in error


def test_live_is_read_only(command, sandbox_server):
    before = sandbox_server.orders()
    assert command("balances", "--environment", "live")[0] == 0
    code, _, error = command("order", "place", "buy", "BTC/PYUSD", "0.001", "--yes", "--environment", "live")
    assert code == 3
    assert "Live trading is off" in error
    assert sandbox_server.orders() == before


def test_freeze_and_resume(command):
    assert command("freeze", "testing")[0] == 0
    code, _, error = command("order", "place", "buy", "BTC/PYUSD", "0.001", "--yes")
    assert code == 3
    assert "frozen" in error
    assert "testing" in error
    assert command("resume")[0] == 0
    assert command("order", "place", "buy", "BTC/PYUSD", "0.001", "--yes")[0] == 0


def test_unknown_is_exit_4_and_listed(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRADEHOOK_LOOK_SECONDS", "1")
    server.fault("error_before", status=503)
    code, out, error = command("order", "place", "buy", "BTC/PYUSD", "0.001", "--yes", "--json", "--intent-id", "lost")
    assert code == 4
    assert json.loads(out)["intent_id"] == "lost"
    assert "do not enter it again" in " ".join(error.split())
    assert server.orders() == 0
    _, out, _ = command("intents", "list", "--state", "unknown", "--json")
    assert [json.loads(line)["intent_id"] for line in out.splitlines()] == ["lost"]
    code, out, error = command("intents", "show", "lost")
    assert "UNKNOWN" in out
    assert "tradehook orders" in out


def test_waiting_never_makes_a_placed_order_look_unplaced(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.fault("edge_html", method="GET", path="/orders/{id}", times=None)
    server.fault("edge_html", method="GET", path="/orders/{id}/status", times=None)
    code, out, error = command("order", "place", "buy", "BTC", "0.001", "--yes", "--wait", "--json", "--intent-id", "a")
    assert code == 0, error
    assert json.loads(out)["order_id"]
    assert "The order was sent" in error


def test_a_unit_that_is_refused_is_offered_in_quote_and_not_sent(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0", "--strict-units")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    code, out, error = command("order", "place", "buy", "BTC", "0.001", "--yes", "--json")
    assert code == 3
    (offer,) = json.loads(out)["suggestions"]
    assert offer in error
    assert server.orders() == 0
    assert command("order", "place", "buy", "BTC", offer, "--yes")[0] == 0


@pytest.mark.parametrize(
    "order_id", ["../balances/unified?xxxxxxxxxxxxxxxxx", "a" * 36 + "?a=b", "x" * 200, "a/b" * 12]
)
def test_an_order_id_never_becomes_another_address(command, order_id):
    for verb in ("show", "cancel"):
        assert command("order", verb, order_id)[0] == 2


def test_keys_from_new_to_finish_and_import(command, tmp_path):
    target = tmp_path / "keys" / "mine.json"
    code, out, error = command("keys", "new", "--key-file", str(target))
    assert code == 0
    assert "BEGIN PUBLIC KEY" in out
    assert "PRIVATE" not in out + error
    assert command("keys", "finish", "nonsense", "--key-file", str(target))[0] == 2
    code, _, _ = command("keys", "finish", "11111111-2222-4333-8444-555555555555", "--key-file", str(target))
    assert code == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert [entry.name for entry in target.parent.iterdir()] == ["mine.json"]
    assert command("keys", "new", "--key-file", str(target))[0] == 2
    copy = tmp_path / "copy.json"
    assert command("keys", "import", str(target), "--key-file", str(copy))[0] == 0
    assert json.loads(copy.read_text()) == json.loads(target.read_text())
    assert command("keys", "import", str(tmp_path / "none"), "--key-file", str(tmp_path / "x"))[0] == 2


def test_no_secret_is_printed_anywhere(sandbox_server, tmp_path):
    """The key's secret number, and every token, at DEBUG, in whatever a whole order prints and leaves behind."""
    secret = json.loads(sandbox_server.key_file.read_text())["private_key"]["d"]
    code = "import logging, sys; logging.basicConfig(level=1); from tradehook.cli.app import run_app; run_app(sys.argv[1:])"
    environment = {
        **os.environ,
        **sandbox_server.environment,
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }
    for words in (["doctor"], ["order", "place", "buy", "CBBTC/USDC", "$20", "--chain", "base", "--yes", "--wait"]):
        done = subprocess.run([sys.executable, "-c", code, *words], env=environment, capture_output=True, check=True)
        said = done.stdout + done.stderr
        left = b"".join(path.read_bytes() for path in tmp_path.iterdir())
        for what in (said, left):
            assert secret.encode() not in what
            assert b"eyJ" not in what  # how every token and stamp begins
            assert b"Bearer" not in what


def test_a_closed_pipe_is_not_a_traceback(sandbox_server, tmp_path):
    environment = {
        **os.environ,
        **sandbox_server.environment,
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }
    done = subprocess.run(
        f"{sys.executable} -m tradehook.cli assets --json | head -n 1",
        shell=True,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert len(done.stdout.splitlines()) == 1
    assert "Traceback" not in done.stderr


def test_what_an_exchange_says_cannot_steer_the_terminal(capsys):
    from tradehook.cli.output import say, table

    say("a\x1b[2Jb\x1b]0;title\x07c")
    table("t\x1b[1m", ("one", "two"), [("[red]x[/red]", "\x1b[31my\x9b")])
    out = capsys.readouterr().out
    assert not any(sign in out for sign in "\x1b\x07\x9b")
    assert "[red]x[/red]" in out


def test_a_doubt_is_looked_for_resolved_and_done_again_from_the_command_line(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0", "--token-seconds", "60")
    for name, value in {**server.environment, "TRADEHOOK_LOOK_SECONDS": "0", "TRADEHOOK_HORIZON_SECONDS": "1"}.items():
        monkeypatch.setenv(name, value)
    server.fault("error_before", status=503)
    buy = ("order", "place", "buy", "BTC", "0.001", "--yes", "--json", "--intent-id", "lost")
    assert command(*buy)[0] == 4
    code, out, error = command("intents", "reconcile")
    assert code == 0
    assert "UNKNOWN  lost  in no list, balances unchanged; can appear until" in out
    assert "0 found, 1 still in doubt" in out
    code, _, error = command("intents", "resolve", "lost", "--as", "again", "--yes")
    assert code == 2
    assert "can still arrive until" in " ".join(error.split())
    code, out, _ = command("intents", "show", "lost", "--json")
    assert json.loads(out)["looking_until"]
    assert command("intents", "again", "lost", "--yes")[0] == 2
    assert command("order", "place", "buy", "BTC", "0.002", "--yes", "--intent-id", "done")[0] == 0
    code, out, _ = command("intents", "again", "done", "--yes", "--why", "once more", "--json")
    assert json.loads(out) == {"intent_id": "done", "leads_to": "done~2"}
    assert command("order", "place", "buy", "BTC", "0.002", "--yes", "--intent-id", "done")[0] == 0
    assert server.orders() == 2
