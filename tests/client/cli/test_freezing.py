"""`tradehook freeze` and `tradehook resume`, for everything and for one account, against a sandbox."""

from __future__ import annotations

import json

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
