"""Futures from a real Airflow in a real sandbox: each task run sends one order, whatever happens to the task."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.fixture
def demo(monkeypatch, tmp_path, start_sandbox):
    """FinTrusted's demo account behind `fintrusted_default`, at a price that stands still."""
    server = start_sandbox("--fintrusted-futures-answer", "order")
    connect(monkeypatch, tmp_path, server)
    server.admin("POST", "prices", {"BTC": "74000", "walk": False})
    yield server
    server.stop()


def connect(monkeypatch, folder, server, **extra) -> None:
    extras = {"environment": "sandbox", "futures_profile": "family_default", "timeout_seconds": 1, **extra}
    connection = {"conn_type": "fintrusted", "host": server.url, "extra": extras}
    monkeypatch.setenv("AIRFLOW_CONN_FINTRUSTED_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{folder}/journal.db")


def overview():
    from tradehook.run import run
    from tradehook_provider.hooks.fintrusted import FinTrustedHook

    with FinTrustedHook() as hook:
        return run(hook.get_conn().exchange.futures.overview())


def test_opens_waits_closes_and_returns_plain_values(run_dag, demo):
    run = run_dag("futures_there_and_back")

    assert run.state == "success", run.output
    opened, seen, closed = (run.result(task) for task in ("open", "opened", "close"))
    assert (opened["status"], opened["margin"], opened["sent"]["contracts"]) == ("filled", "74", "10")
    assert (seen["contracts"], seen["entry_price"]) == ("10", "74000")
    assert (closed["status"], closed["position_side"], closed["sent"]["contracts"]) == ("filled", "long", "10")
    assert run.result("closed") is None
    assert json.loads(json.dumps(opened)) == opened
    assert overview().positions == ()


def test_clear_and_rerun_returns_the_stored_result(run_dag, demo):
    first = run_dag("futures_open", at=AT)
    again = run_dag("futures_open", at=AT)

    assert again.result("open") == first.result("open")
    assert "Not sent again" in again.output
    assert [position.contracts for position in overview().positions] == [10]


def test_an_order_whose_answer_was_lost_is_found_and_the_task_goes_on(run_dag, demo):
    demo.fault("timeout_after", path="/tx/uorder/open")

    run = run_dag("futures_open", at=AT)

    assert (run.state, run.tries("open")) == ("success", 1), run.output
    assert [position.contracts for position in overview().positions] == [10]


def test_doubt_fails_the_task_without_retry_and_says_so(run_dag, demo):
    demo.fault("error_before", path="/tx/uorder/open", status=503)

    run = run_dag("futures_open", at=AT)

    assert (run.state, run.tries("open")) == ("failed", 1)
    assert "UNKNOWN: The futures order was sent, and no answer came" in run.output
    assert overview().orders == ()


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"side": "up"}, "cannot be used"),
        ({"contracts": "1.5"}, "Contracts are whole"),
        ({"leverage": "500"}, "no leverage 500"),
        ({"contracts": "9000"}, "InsufficientFunds"),
    ],
)
def test_what_cannot_be_fails_at_once_with_the_reason(run_dag, demo, conf, says):
    run = run_dag("futures_open", conf)

    assert (run.state, run.tries("open")) == ("failed", 1)
    assert says in run.output, run.output
    assert overview().orders == ()


def test_a_limit_that_is_not_reached_in_time_fails_the_task_and_stays(run_dag, demo):
    run = run_dag("futures_wait_for_a_limit")

    assert run.state == "failed"
    assert "It stays at the exchange" in run.output
    assert [order.price for order in overview().orders] == [Decimal(60000)]


def test_without_a_profile_the_task_fails_and_says_how_to_choose(run_dag, demo, monkeypatch, tmp_path):
    connect(monkeypatch, tmp_path, demo, futures_profile="none")

    run = run_dag("futures_open")

    assert (run.state, run.tries("open")) == ("failed", 1)
    assert "FUTURES_PROFILE" in run.output


def test_a_sensor_refuses_a_state_that_there_is_not(airflow_database):
    from tradehook_provider.sensors.futures import PositionSensor

    with pytest.raises(ValueError, match="open or closed"):
        PositionSensor(task_id="t", contract="BTC/USDT", position_side="long", state="gone")
