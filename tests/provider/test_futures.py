"""Futures from a real Airflow in a real sandbox: each task run sends one order, whatever happens to the task."""

from __future__ import annotations

import asyncio
import json
import threading
import time
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


# --- in the triggerer -------------------------------------------------------------------------------------------------

SOON = 30.0


def first_event(trigger):
    """What it says first; nobody uses the shared looks any more then."""
    from tradehook_provider import readers

    async def run():
        event = await anext(trigger.run())
        kept = readers._readers.get(asyncio.get_running_loop(), {})
        assert {one.users for one in kept.values()} <= {0}
        return event.payload

    return asyncio.run(run())


def placed(**more):
    """The id of a futures order that this journal knows."""
    from tradehook.futures import NewFuturesOrder
    from tradehook_provider.hooks.fintrusted import FinTrustedHook

    wanted = {
        "contract": "BTC/USDT",
        "position_side": "long",
        "action": "open",
        "contracts": 10,
        "leverage": 10,
        **more,
    }
    with FinTrustedHook() as hook:
        order = NewFuturesOrder.model_validate(wanted)
        return hook.desk.place_futures(order, intent_id="i-1", source="test").order.order_id


def order_trigger(order_id, *, until=SOON, **more):
    from tradehook_provider.triggers.futures import FuturesOrderTrigger

    return FuturesOrderTrigger(
        exchange_conn_id="fintrusted_default", order_id=order_id, until=time.time() + until, poll_seconds=0.05, **more
    )


def position_trigger(*, until=SOON, poll_seconds=0.05, **more):
    from tradehook_provider.triggers.futures import PositionTrigger

    wanted = {"contract": "BTC/USDT", "position_side": "long", **more}
    return PositionTrigger(
        exchange_conn_id="fintrusted_default", until=time.time() + until, poll_seconds=poll_seconds, **wanted
    )


def fall(demo) -> None:
    """A limit at 73,000 is met."""
    demo.admin("POST", "prices", {"BTC": "72900", "walk": False})


def test_a_limit_is_waited_for_in_the_triggerer(run_dag, demo):
    def fall_when_it_rests():
        while not overview().orders:
            time.sleep(0.05)
        time.sleep(0.5)
        fall(demo)

    market = threading.Thread(target=fall_when_it_rests)
    market.start()
    run = run_dag("futures_deferred")
    market.join(20)

    assert run.state == "success", run.output
    assert "Waiting for it in the triggerer" in run.output
    assert (run.result("open")["status"], run.result("opened")["contracts"]) == ("filled", "10")
    assert [position.contracts for position in overview().positions] == [10]


def test_an_order_is_followed_to_its_end_whether_or_not_the_journal_knows_it(demo, monkeypatch, tmp_path):
    order_id = placed(price=73000)
    assert first_event(order_trigger(order_id, until=0.4))["status"] == "timeout"
    assert first_event(order_trigger(order_id, until=-5))["status"] == "timeout"
    fall(demo)
    assert first_event(order_trigger(order_id, intent_id="i-1")) == {
        "order_id": order_id,
        "intent_id": "i-1",
        "status": "filled",
    }
    (tmp_path / "other").mkdir()
    connect(monkeypatch, tmp_path / "other", demo)
    assert first_event(order_trigger(order_id))["status"] == "filled"
    assert first_event(order_trigger("nobody-knows"))["status"] == "error"


def test_a_position_is_waited_for_by_many_in_one_read(demo, monkeypatch):
    from tradehook_provider.readers import PositionReader

    reads, read = [], PositionReader.read

    async def counted(self):
        reads.append(1)
        return await read(self)

    monkeypatch.setattr(PositionReader, "read", counted)
    assert first_event(position_trigger(state="closed"))["status"] == "reached"
    assert first_event(position_trigger(until=0.4))["status"] == "timeout"
    placed()
    reads.clear()

    async def all_of_them():
        many = [position_trigger(contracts=str(number), poll_seconds=30) for number in range(1, 11)]
        return [event.payload["status"] for event in await asyncio.gather(*(anext(one.run()) for one in many))]

    assert asyncio.run(all_of_them()) == ["reached"] * 10
    assert len(reads) == 1


def test_what_is_stored_of_a_trigger_makes_the_same_one():
    from tradehook_provider.waiting import check_travels

    check_travels(order_trigger("o-1", intent_id="i-1"))
    check_travels(position_trigger(contracts="10", state="open"))


def test_an_event_that_lies_is_not_believed(demo):
    from airflow.sdk.exceptions import AirflowException, AirflowSensorTimeout

    from tradehook_provider.sensors.futures import PositionSensor

    sensor = PositionSensor(task_id="t", contract="BTC/USDT", position_side="long", deferrable=True)
    about = {"contract": "BTC/USDT", "position_side": "long"}
    with pytest.raises(AirflowSensorTimeout):
        sensor.execute_complete({}, {**about, "status": "reached"})
    for event in (None, {"status": "reached"}, {**about, "position_side": "short", "status": "reached"}, about):
        with pytest.raises(AirflowException, match="does not belong"):
            sensor.execute_complete({}, event)
