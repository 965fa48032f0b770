"""Waiting for a price: levels, crossings and changes; the stream that all who wait share, and reads where it fails."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import UTC, datetime
from decimal import Decimal

import pytest

pytestmark = pytest.mark.usefixtures("airflow_database")


def trigger(**more):
    from tradehook_provider.triggers.prices import PriceTrigger

    values = {"exchange_conn_id": "true_markets_default", "market": "BTC/PYUSD", "until": time.time() + 30}
    return PriceTrigger(**{**values, "poll_seconds": 0.2, **more})


def sensor(**more):
    from tradehook_provider.sensors.prices import PriceSensor

    return PriceSensor(task_id="s", **{"market": "BTC/PYUSD", "poke_interval": 0.1, "timeout": 20, **more})


def goal(*, reference=None, **more):
    from tradehook_provider.price_goal import GOALS, PriceGoal

    return PriceGoal.of({name: more.get(name) for name in GOALS}, reference=reference)


def costs(account, price, symbol="BTC"):
    account.admin("POST", "prices", {symbol: price, "walk": False})


def first_event(made):
    async def run():
        events = [event async for event in made.run()]
        assert len(events) == 1
        return events[0].payload

    return asyncio.run(run())


def while_following(monkeypatch, deed):
    """Do something once the first trigger has seen a price."""
    from tradehook_provider.price_reader import PriceReader

    latest, done = PriceReader.latest, []

    async def then(self, market, **more):
        seen = await latest(self, market, **more)
        if not done:
            done.append(market)
            await asyncio.to_thread(deed)
        return seen

    monkeypatch.setattr(PriceReader, "latest", then)
    return done


# --- goals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "prices", "reached_at"),
    [
        ({"above": "100"}, ["99.99", "100"], 1),
        ({"below": "100"}, ["100.01", "100"], 1),
        ({"crosses": "100"}, ["101", "150", "99"], 2),
        ({"crosses": "100"}, ["99", "100"], 1),
        ({"crosses": "100"}, ["100", "100", "101", "102"], None),
        ({"crosses": "100", "reference": "90"}, ["101"], 0),
        ({"change_percent": "5"}, ["100", "104.9", "105"], 2),
        ({"change_percent": "5"}, ["100", "95"], 1),
        ({"change_percent": "+5"}, ["100", "95", "105"], 2),
        ({"change_percent": "-5"}, ["100", "105", "95"], 2),
        ({"change_percent": -5}, ["100", "105", "94"], 2),
        ({"change_percent": "5 %", "reference": "200"}, ["190"], 0),
    ],
)
def test_when_a_goal_is_reached(wanted, prices, reached_at):
    made = goal(**wanted)
    seen = [made.sees(Decimal(price)) for price in prices]
    assert seen == [number == reached_at for number in range(len(prices))]


def test_a_goal_goes_on_where_it_was_after_a_journey():
    from tradehook_provider.price_goal import PriceGoal

    made = goal(change_percent="-2.5")
    assert made.sees(Decimal(1000)) is False
    arguments = json.loads(json.dumps(made.to_arguments()))
    assert arguments["reference"] == "1000"
    again = PriceGoal.of(arguments | {"reference": None}, reference=arguments["reference"])
    assert (again, again.sees(Decimal(975))) == (made, True)


def test_goals_that_cannot_be_meant():
    from tradehook.errors import InvalidInput

    for wrong in (
        {},
        {"above": "1", "below": "2"},
        {"above": 0.1},
        {"above": "-5"},
        {"change_percent": "0"},
        {"above": "5", "reference": "4"},
        {"crosses": "5", "reference": "5"},
    ):
        with pytest.raises(InvalidInput):
            goal(**wrong)


# --- the trigger ------------------------------------------------------------------------------------------------------


def test_a_trigger_survives_being_stored():
    from tradehook_provider.waiting import check_travels

    made = trigger(above="0.10000000000000000001")
    check_travels(made)
    assert all(isinstance(value, str | float | None) for value in made.serialize()[1].values())


def test_the_event_says_the_price_as_text(account):
    costs(account, "71000")
    event = first_event(trigger(above="70000"))
    assert {**event, "at": None} == {
        "market": "BTC/PYUSD", "status": "reached", "price": "71000", "at": None, "reference": None,
    }  # fmt: skip
    assert datetime.fromisoformat(event["at"]).tzinfo is not None


def test_a_crossing_is_seen_through_the_stream_alone(account, monkeypatch):
    """The reads come every half hour here: what is seen, the stream said."""
    costs(account, "65000")
    done = while_following(monkeypatch, lambda: costs(account, "75000"))
    event = first_event(trigger(crosses="70000", poll_seconds=1800.0))
    assert (event["status"], event["price"], event["reference"]) == ("reached", "75000", "65000")
    assert done == ["BTC/PYUSD"]


def test_where_the_stream_refuses_prices_are_read(account, monkeypatch):
    from tradehook.lines.asynchronous import AsyncLine

    async def refuse(self, request):
        raise OSError("no stream here")

    monkeypatch.setattr(AsyncLine, "listen", refuse)
    costs(account, "65000")
    while_following(monkeypatch, lambda: costs(account, "50000"))
    assert first_event(trigger(change_percent="-20"))["price"] == "50000"


def test_fifty_triggers_share_one_stream_and_its_first_reads(account, monkeypatch):
    from tradehook.lines.asynchronous import AsyncLine
    from tradehook_provider import readers

    opened, reads, listen, send = [], [], AsyncLine.listen, AsyncLine.send

    async def counted(self, request):
        opened.append(request.path)
        return await listen(self, request)

    async def sent(self, request):
        reads.append(request.path)
        return await send(self, request)

    monkeypatch.setattr(AsyncLine, "listen", counted)
    monkeypatch.setattr(AsyncLine, "send", sent)
    costs(account, "65000")

    async def run():
        until = time.time() + 6
        many = [
            trigger(market=("BTC", "ETH/PYUSD")[n % 2], above="9999999", until=until, poll_seconds=30.0)
            for n in range(50)
        ]
        events = await asyncio.gather(*(anext(made.run()) for made in many))
        assert {event.payload["status"] for event in events} == {"timeout"}
        assert [kept.users for kept in readers._readers[asyncio.get_running_loop()].values()] == [0]
        left = [task for task in asyncio.all_tasks() if "_listen" in repr(task)]
        assert left == []

    asyncio.run(run())
    # Both assets gather before the stream is opened; it reads each once more after it was.
    assert len(opened) == 1
    assert len([path for path in reads if path.endswith("/prices")]) <= 4, reads


def test_one_with_another_asset_joins_and_both_hear(account, monkeypatch):
    costs(account, "65000")
    costs(account, "3000", "ETH")

    async def run():
        first = asyncio.ensure_future(anext(trigger(market="BTC", above="70000", poll_seconds=1800.0).run()))
        await asyncio.sleep(1.0)
        second = asyncio.ensure_future(anext(trigger(market="ETH", below="2500", poll_seconds=1800.0).run()))
        await asyncio.sleep(1.0)
        assert not first.done()
        assert not second.done()
        await asyncio.to_thread(costs, account, "72000")
        await asyncio.to_thread(costs, account, "2000", "ETH")
        return [(await waiting).payload["price"] for waiting in (first, second)]

    assert asyncio.run(run()) == ["72000", "2000"]


def test_fintrusted_streams_prices_as_well(monkeypatch, tmp_path, start_sandbox):
    server = start_sandbox()
    connection = {"conn_type": "fintrusted", "host": server.url, "extra": {"environment": "sandbox"}}
    monkeypatch.setenv("AIRFLOW_CONN_FINTRUSTED_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    costs(server, "65000")
    while_following(monkeypatch, lambda: costs(server, "52000"))
    made = trigger(exchange_conn_id="fintrusted_default", market="BTC/USDT", change_percent="-20", poll_seconds=1800.0)
    event = first_event(made)
    assert (event["status"], event["price"], event["reference"]) == ("reached", "52000", "65000")


def test_its_own_deadline_is_an_event_not_a_failure(account):
    assert first_event(trigger(above="9999999", until=time.time() + 0.5))["status"] == "timeout"
    assert first_event(trigger(above="9999999", until=time.time() - 5))["status"] == "timeout"


def test_a_name_nobody_knows_ends_the_waiting_and_disturbs_no_other(account):
    costs(account, "71000")

    async def run():
        made = (trigger(market="NOSUCH", above="1", poll_seconds=0.02), trigger(above="70000"))
        return [event.payload["status"] for event in await asyncio.gather(*(anext(each.run()) for each in made))]

    assert asyncio.run(run()) == ["error", "reached"]


# --- the sensor -------------------------------------------------------------------------------------------------------


def test_it_returns_what_it_saw_as_text(account):
    costs(account, "65000")
    found = sensor(below="66000").execute({})
    assert {**found, "at": None} == {
        "market": "BTC/PYUSD", "price": "65000", "at": None, "reference": None, "change_percent": None,
    }  # fmt: skip
    assert datetime.fromisoformat(found["at"]) <= datetime.now(UTC).replace(year=9999)


def test_a_change_is_measured_from_the_given_reference(account):
    costs(account, "65000")
    found = sensor(change_percent="+25", reference="50000").execute({})
    assert (found["reference"], found["change_percent"]) == ("50000", "30")


def test_what_it_saw_in_the_worker_goes_along_into_the_triggerer(account):
    from airflow.sdk.exceptions import TaskDeferred

    costs(account, "65000")
    with pytest.raises(TaskDeferred) as deferred:
        sensor(change_percent="5", deferrable=True, inline_wait_seconds=0).execute({})
    assert deferred.value.trigger.reference == "65000"
    assert deferred.value.timeout > deferred.value.kwargs["until"] - time.time()


def test_what_cannot_be_meant_is_said_when_the_dag_is_read():
    for wrong in (
        {},
        {"above": "1", "below": "2"},
        {"crosses": "5", "mode": "reschedule", "deferrable": False},
    ):
        with pytest.raises(ValueError, match=r"give one of|needs a reference"):
            sensor(**wrong)


def test_a_name_nobody_knows_fails_at_once(account):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="NOSUCH"):
        sensor(market="NOSUCH", above="1").execute({})


@pytest.mark.parametrize(
    "event",
    [
        None,
        {"status": "reached"},
        {"status": "reached", "market": "ETH", "price": "71000", "at": "2026-11-21T10:00:00+00:00"},
        {"status": "reached", "market": "BTC/PYUSD", "price": "1000", "at": "2026-11-21T10:00:00+00:00"},
        {"status": "reached", "market": "BTC/PYUSD", "price": "much", "at": "2026-11-21T10:00:00+00:00"},
        {"status": "reached", "market": "BTC/PYUSD", "price": "71000", "at": None},
        {"status": "error", "market": "BTC/PYUSD"},
    ],
)
def test_a_strange_event_is_never_a_success(event):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    with pytest.raises(AirflowException) as caught:
        sensor(above="70000").execute_complete({}, event, until=time.time() + 5)
    assert not isinstance(caught.value, AirflowFailException), "it can be tried again"


# --- in a real Airflow ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dag_id", "reference"), [("sense_price", None), ("sense_crossing", "65000")])
def test_the_deferral_round_trip(run_dag, account, monkeypatch, dag_id, reference):
    costs(account, "65000")
    done = while_following(monkeypatch, lambda: costs(account, "75000"))
    run = run_dag(dag_id)
    assert run.state == "success", run.output
    assert done, "nothing waited in the triggerer"
    found = run.result("sense")
    assert (found["price"], found["reference"]) == ("75000", reference)
