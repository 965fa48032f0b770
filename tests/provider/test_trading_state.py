"""A DAG stops trading for everybody, and lets go on only what is play money."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tradehook_airflow_home import connect

AT = datetime(2026, 6, 1, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    from tradehook.desk.journal import Journal

    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


@pytest.fixture
def live(account, monkeypatch, tmp_path):
    """The connection calls the account live."""
    connect(monkeypatch, tmp_path, account, environment="live")


def test_it_freezes_everything_with_who_and_why_and_lifts_it(run_dag, account, journal):
    run = run_dag("trading_state", {"state": "freeze", "reason": "odd fills"})
    assert run.state == "success", run.output
    told = run.result("set")
    assert (told["scope"], told["state"], told["was"], told["why"]) == ("*", "HALTED", "NORMAL", "odd fills")
    assert told["changed_by"].startswith("airflow:trading_state/")
    refused = run_dag("place")
    assert refused.state == "failed"
    assert "Trading is frozen since" in refused.output
    assert account.orders() == 0
    assert run_dag("trading_state", {"state": "reduce"}).result("set")["state"] == "REDUCING"
    assert run_dag("trading_state", {"state": "resume"}).result("set")["was"] == "REDUCING"
    assert run_dag("place").state == "success"


def test_one_account_alone(run_dag, account, journal):
    told = run_dag("trading_state_of_one", {"state": "freeze"}).result("set")
    assert told["scope"].startswith(account.url.removeprefix("http://"))
    assert journal.trading.get()["state"] == "NORMAL"
    assert run_dag("place").state == "failed"
    assert run_dag("trading_state_of_one", {"state": "resume"}).state == "success"
    assert run_dag("place").state == "success"


def test_a_freeze_of_everything_needs_no_network(run_dag, account, journal):
    account.process.terminate()
    account.process.wait(15)
    assert run_dag("trading_state", {"state": "freeze"}).state == "success"
    assert journal.trading.get()["state"] == "HALTED"


@pytest.mark.parametrize("state", ["resume", "reduce"])
def test_what_is_live_is_never_let_go_on_by_a_dag(run_dag, live, journal, state):
    assert run_dag("trading_state", {"state": "freeze"}).state == "success", "a stop is always let through"
    run = run_dag("trading_state", {"state": state})
    assert (run.state, run.tries("set")) == ("failed", 1)
    assert "tradehook resume" in run.output
    assert journal.trading.get()["state"] == "HALTED"


def test_a_sandbox_does_not_lift_the_freeze_of_a_live_account_in_its_journal(run_dag, account, journal):
    from tradehook.desk.limits import Limits

    journal.limits.set("api.truemarkets.co", "u-1", Limits(live=True), by="a test", why="")
    run_dag("trading_state", {"state": "freeze"})
    run = run_dag("trading_state", {"state": "resume"})
    assert (run.state, run.tries("set")) == ("failed", 1), run.output
    assert "A DAG never lets live trading go on" in run.output
    assert journal.trading.get()["state"] == "HALTED"
    run_dag("trading_state_of_one", {"state": "freeze"})
    assert run_dag("trading_state_of_one", {"state": "resume"}).state == "success", "its own, it may"


@pytest.mark.parametrize("state", ["", "HALTED", "stop", "None"])
def test_what_is_no_state_changes_nothing(run_dag, account, journal, state):
    run = run_dag("trading_state", {"state": state})
    assert (run.state, run.tries("set")) == ("failed", 1)
    assert "write freeze, reduce, resume" in run.output
    assert journal.trading.get()["state"] == "NORMAL"


def test_of_two_who_race_the_stricter_wins(journal):
    """Whoever may not loosen finds out in the transaction that writes, not before it."""
    from tradehook.errors import GuardRefused

    journal.trading.set("HALTED", by="a person", why="odd fills")
    with pytest.raises(GuardRefused, match=r"since .* by a person: odd fills\. Only a person lifts that"):
        journal.trading.set("REDUCING", by="a DAG", may_loosen=False)
    journal.trading.set("HALTED", by="a DAG", may_loosen=False)
    assert journal.trading.get()["changed_by"] == "a DAG"
