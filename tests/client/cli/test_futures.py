"""`tradehook futures`: what is typed, what is asked, and what is told, against a FinTrusted in a process of its own."""

from __future__ import annotations

import io
import json
from decimal import Decimal

import pytest

from tradehook.cli.app import run_app


@pytest.fixture
def demo(start_sandbox):
    server = start_sandbox("--fintrusted-futures-answer", "order")
    server.admin("POST", "prices", {"BTC": "74000", "walk": False})
    yield server
    server.stop()


@pytest.fixture
def environment(demo, tmp_path):
    return {
        "TRADEHOOK_EXCHANGE": "fintrusted",
        "TRADEHOOK_FINTRUSTED_URL": demo.url,
        "TRADEHOOK_FINTRUSTED_FUTURES_PROFILE": "family_default",
        "TRADEHOOK_LOOK_SECONDS": "0",
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }


@pytest.fixture
def command(environment, monkeypatch, capsys):
    """Run one command in this process: (exit code, what was printed, what was said beside it)."""
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_app(list(arguments))
        out, error = capsys.readouterr()
        code = ended.value.code
        return (0 if code is None else code), out, error

    return run


OPEN = ("futures", "open", "BTC/USDT", "long", "10", "--leverage", "10")


def test_there_and_back(command):
    code, out, _ = command(*OPEN, "--yes", "--json", "--intent-id", "f-1")
    opened = json.loads(out)
    assert (code, opened["status"], opened["margin"], opened["average_price"]) == (0, "filled", "74", "74000")

    _, out, _ = command(*OPEN, "--yes", "--intent-id", "f-1")
    assert "Not sent again" in out

    _, out, _ = command("futures", "positions", "--json")
    position = json.loads(out)
    assert (position["contracts"], position["liquidation_price"]) == ("10", "67007")

    code, out, _ = command("futures", "close", "BTC", "long", "--yes")
    assert (code, "Filled: close long 10 contracts of BTC/USDT at 74,000.0" in out) == (0, True)

    _, out, _ = command("futures", "positions")
    assert out.strip() == "Positions of main (sandbox): none"


def test_the_wallet_tells_what_is_free_and_what_a_contract_is(command):
    command(*OPEN, "--yes")

    _, out, _ = command("futures", "wallet", "--json")

    bitcoin = json.loads(out.splitlines()[0])
    assert (bitcoin["available"], bitcoin["held"], bitcoin["share"]) == ("9925.63", "74", "0.001")
    _, table, _ = command("futures", "wallet")
    assert "0.001 BTC" in table


def test_a_person_is_shown_what_it_sets_aside_and_may_say_no(environment, person):
    typed = person(*OPEN, environment=environment)
    typed.answers("Send it?", "n")

    assert typed.ends() == 3
    assert "Open long 10 contracts of BTC/USDT, 10x" in typed.shown
    assert "Sets 74 USDT aside as margin and costs 0.37 in fees" in typed.shown
    assert "Nothing was sent." in typed.shown


def test_a_person_who_says_yes_opens_what_was_shown(environment, person):
    typed = person(*OPEN, environment=environment)
    typed.answers("Send it?", "y")

    assert typed.ends() == 0
    assert "Filled: open long 10 contracts" in typed.shown


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("futures", "open", "BTC/USDT", "up", "10", "--leverage", "10"), "write long or short"),
        (("futures", "open", "BTC/USDT", "long", "1,000", "--leverage", "10"), "more than one way"),
        (("futures", "open", "BTC/USDT", "long", "0", "--leverage", "10"), "contracts"),
        (("futures", "close", "BTC/USDT", "long"), "no long of BTC/USDT to close"),
    ],
)
def test_what_cannot_be_is_a_sentence_and_exit_code_2(command, arguments, says):
    code, _, error = command(*arguments, "--yes")
    assert (code, says in error) == (2, True), error


def test_without_a_profile_it_says_which_there_are(command, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_FUTURES_PROFILE", "none")
    code, _, error = command(*OPEN, "--yes")
    assert (code, "family_default" in error) == (2, True)


def test_a_doubt_is_exit_code_4_and_the_list_and_the_story_tell_of_it(command, demo):
    demo.fault("error_before", path="/tx/uorder/open", status=503)

    code, _, error = command(*OPEN, "--yes", "--intent-id", "f-1")

    assert (code, "tradehook futures orders" in error) == (4, True)
    _, out, _ = command("intents", "list")
    assert "UNKNOWN" in out
    assert "open long 10 BTC/USDT futures" in out
    _, out, _ = command("intents", "show", "f-1")
    assert out.startswith("UNKNOWN: open long 10 BTC/USDT futures")


def test_orders_are_listed_newest_first(command):
    command(*OPEN, "--yes")
    command("futures", "close", "BTC/USDT", "long", "4", "--yes", "--limit", "74500")

    _, out, _ = command("futures", "orders", "--json")

    newest, oldest = (json.loads(line) for line in out.splitlines())
    assert (newest["action"], newest["status"], newest["price"]) == ("close", "open", "74500")
    assert (oldest["action"], Decimal(oldest["fee"])) == ("open", Decimal("0.37"))


def test_an_exchange_without_futures_says_so(command, demo, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_EXCHANGE", "true_markets")
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_URL", demo.url)
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_KEY_FILE", str(demo.key_file))
    code, _, error = command("futures", "positions")
    assert (code, error.splitlines()[0]) == (2, "True Markets has no futures.")
