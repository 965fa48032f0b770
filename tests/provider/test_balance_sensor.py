"""Waiting for a balance: in a worker, in the triggerer, and what all who wait cost together."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from decimal import Decimal

import pytest

pytestmark = pytest.mark.usefixtures("airflow_database")


def trigger(**more):
    from tradehook_provider.triggers.balances import BalanceTrigger

    values = {"exchange_conn_id": "true_markets_default", "asset": "BTC", "until": time.time() + 20}
    return BalanceTrigger(**{**values, "at_least": "1", "poll_seconds": 0.1, **more})


def sensor(**more):
    from tradehook_provider.sensors.balances import BalanceSensor

    return BalanceSensor(task_id="s", **{"asset": "BTC", "poke_interval": 0.1, "timeout": 20, **more})


def first_event(made):
    async def run():
        events = [event async for event in made.run()]
        assert len(events) == 1
        return events[0].payload

    return asyncio.run(run())


def hold(account, quantity, symbol="BTC"):
    account.admin("POST", "balances", {"symbol": symbol, "available": quantity})


@contextmanager
def soon(deed, seconds=0.7):
    """Something that happens while a task waits."""
    thread = threading.Timer(seconds, deed)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)
        assert not thread.is_alive()


# --- the sensor in a worker -------------------------------------------------------------------------------------------


def test_it_returns_the_balance_as_text(account):
    hold(account, "1.5")
    found = sensor(at_least="1.5").execute({})
    assert (found["symbol"], found["chain"]) == ("BTC", None)
    assert isinstance(found["available"], str)
    assert Decimal(found["available"]) == Decimal("1.5")


def test_it_waits_until_there_is_enough(account):
    hold(account, "0.2")
    with soon(lambda: hold(account, "2")):
        began = time.monotonic()
        assert Decimal(sensor(at_least="1").execute({})["available"]) == 2
        assert time.monotonic() - began > 0.3


def test_it_waits_until_there_is_little_enough(account):
    hold(account, "5")
    with soon(lambda: hold(account, "0.5")):
        assert Decimal(sensor(at_most="1").execute({})["available"]) == Decimal("0.5")


def test_between_two_amounts_is_both(account):
    hold(account, "5")
    from airflow.sdk.exceptions import AirflowSensorTimeout

    assert Decimal(sensor(at_least="4", at_most="6").execute({})["available"]) == 5
    with pytest.raises(AirflowSensorTimeout):
        sensor(at_least="1", at_most="2", timeout=0.3).execute({})


def test_what_open_orders_hold_counts_only_in_total(account):
    from tradehook_provider.arguments import new_order
    from tradehook_provider.hooks.exchange import ExchangeHook

    hold(account, "1")
    order = new_order(market="BTC/PYUSD", side="sell", amount="0.4", price="500000", chain=None, good_for="1h")
    with ExchangeHook() as hook:
        hook.desk.place_order(order, intent_id="i-1", source="test")
    found = sensor(at_least="1", counts="total").execute({})
    assert (Decimal(found["total"]), Decimal(found["available"])) == (1, Decimal("0.6"))
    assert Decimal(sensor(at_most="0.9").execute({})["available"]) == Decimal("0.6")


def test_a_misspelt_asset_does_not_count_as_none(account):
    from airflow.sdk.exceptions import AirflowFailException

    for deferrable in (True, False):
        with pytest.raises(AirflowFailException, match="lists no asset BTCC"):
            sensor(asset="BTCC", at_most="0", deferrable=deferrable).execute({})


def test_an_asset_that_is_known_and_not_held_is_zero(account):
    from tradehook_provider.hooks.exchange import ExchangeHook

    with ExchangeHook() as hook:
        held = {(balance.symbol, balance.chain) for balance in hook.get_conn().balances()}
        other = next(asset.symbol for asset in hook.get_conn().list_assets() if (asset.symbol, None) not in held)
    assert sensor(asset=other, at_most="0").execute({})["total"] == "0"


def test_a_failure_that_passes_is_forgiven(account):
    hold(account, "3")
    account.fault("error_before", method="GET", path="/balances/unified", status=503, times=4)
    assert Decimal(sensor(at_least="1").execute({})["available"]) == 3


def test_amounts_are_never_floats(account):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="is a float"):
        sensor(at_least=0.1).execute({})


def test_what_cannot_be_meant_is_said_when_the_dag_is_read():
    for wrong in ({}, {"at_least": "1", "counts": "held"}):
        with pytest.raises(ValueError, match=r"give at_least|counts can be"):
            sensor(**wrong)


# --- the trigger ------------------------------------------------------------------------------------------------------


def test_a_trigger_survives_being_stored():
    from tradehook_provider.waiting import check_travels

    made = trigger(at_least="0.10000000000000000001", at_most="2")
    check_travels(made)
    assert all(isinstance(value, str | float | None) for value in made.serialize()[1].values())


def test_the_event_is_a_word_without_amounts(account):
    hold(account, "2")
    assert first_event(trigger()) == {"asset": "BTC", "status": "reached"}


def test_its_own_deadline_is_an_event_not_a_failure(account):
    hold(account, "0")
    assert first_event(trigger(until=time.time() + 0.5))["status"] == "timeout"
    assert first_event(trigger(until=time.time() - 5))["status"] == "timeout"


def test_a_long_outage_ends_the_waiting(account):
    hold(account, "2")
    account.fault("error_before", method="GET", path="/balances/unified", status=400, times=None)
    assert first_event(trigger(poll_seconds=0.02))["status"] == "error"
    account.clear_faults()
    account.fault("error_before", method="GET", path="/balances/unified", status=400, times=5)
    assert first_event(trigger(poll_seconds=0.02))["status"] == "reached"


def test_fifty_triggers_cost_what_one_costs(account, monkeypatch):
    from tradehook.lines.asynchronous import AsyncLine
    from tradehook_provider import readers

    hold(account, "0")
    paths, send = [], AsyncLine.send

    async def counted(self, request):
        paths.append(request.path)
        return await send(self, request)

    monkeypatch.setattr(AsyncLine, "send", counted)

    async def run():
        until = time.time() + 1.4
        many = [
            trigger(poll_seconds=0.5, until=until, asset=("BTC", "ETH")[n % 2], at_least="999999") for n in range(50)
        ]
        events = await asyncio.gather(*(anext(made.run()) for made in many))
        assert {event.payload["status"] for event in events} == {"timeout"}
        assert [kept.users for kept in readers._readers[asyncio.get_running_loop()].values()] == [0]

    asyncio.run(run())
    reads = [path for path in paths if "balances" in path]
    assert 1 <= len(reads) <= 4, reads


# --- in a real Airflow ------------------------------------------------------------------------------------------------


def test_the_deferral_round_trip(run_dag, account, monkeypatch):
    from tradehook_provider.readers import BalanceReader

    hold(account, "0.1")
    look, looks = BalanceReader.look, []

    async def then_more(self, **more):
        balances = await look(self, **more)
        looks.append(balances)
        hold(account, "7")  # once the triggerer has seen that there is not enough
        return balances

    monkeypatch.setattr(BalanceReader, "look", then_more)
    run = run_dag("sense_balance")
    assert len(looks) >= 2
    assert run.state == "success", run.output
    assert "Waiting for it in the triggerer" in run.output
    assert Decimal(run.result("sense")["available"]) == 7


def test_out_of_time_is_said_and_not_tried_again(run_dag, account):
    run = run_dag("sense_balance_briefly")
    assert (run.state, run.tries("sense")) == ("failed", 1)
    assert "not reached within 1 s" in run.output


def test_what_moved_back_meanwhile_is_waited_for_again(account):
    from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred

    hold(account, "0.1")
    made = sensor(at_least="1", deferrable=True, inline_wait_seconds=0)
    event = {"asset": "BTC", "status": "reached"}
    until = time.time() + 20
    with pytest.raises(TaskDeferred) as deferred:
        made.execute_complete({}, event, until=until)
    assert deferred.value.kwargs == {"until": until}
    assert deferred.value.trigger.until == until
    with pytest.raises(AirflowSensorTimeout):
        made.execute_complete({}, event, until=time.time() - 1)


@pytest.mark.parametrize("event", [None, {}, "reached", {"status": "reached"}, {"status": "fine", "asset": "BTC"}])
def test_a_strange_event_is_never_a_success(account, event):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    hold(account, "5")
    with pytest.raises(AirflowException, match="does not belong to") as caught:
        sensor(at_least="1").execute_complete({}, event, until=time.time() + 5)
    assert not isinstance(caught.value, AirflowFailException), "it can be tried again"
