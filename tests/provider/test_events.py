"""Events that start DAGs: every end in at least one event, the same id however often, and nothing ends the telling."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import aclosing
from decimal import Decimal
from types import SimpleNamespace

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")

FAR = {"price": "50000", "good_for": "1h"}
VAULT = "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4"


def orders(**more):
    from tradehook_provider.triggers.events import OrderEventTrigger

    return OrderEventTrigger(**{"exchange_conn_id": "true_markets_default", "poll_seconds": 0.1, **more})


def transfers(**more):
    from tradehook_provider.triggers.events import TransferEventTrigger

    return TransferEventTrigger(**{"exchange_conn_id": "true_markets_default", "poll_seconds": 0.1, **more})


def prices(**more):
    from tradehook_provider.triggers.events import PriceEventTrigger

    values = {"exchange_conn_id": "true_markets_default", "markets": ["BTC"], "change_percent": "5"}
    return PriceEventTrigger(**{**values, "poll_seconds": 0.2, **more})


def place(*, intent_id, cancel=False, **more):
    from tradehook_provider.arguments import new_order
    from tradehook_provider.hooks.exchange import ExchangeHook

    fields = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001", "price": None, "chain": None, **more}
    with ExchangeHook() as hook:
        order_id = hook.desk.place_order(new_order(**fields), intent_id=intent_id, source="test").order.order_id
        if cancel:
            hook.desk.cancel_order(order_id)
    return order_id


def watched(monkeypatch, kind, name):
    """How often it was called to its end, as a list that grows."""
    calls, original = [], getattr(kind, name)

    if asyncio.iscoroutinefunction(original):

        async def counted(self, *args, **more):
            found = await original(self, *args, **more)
            calls.append(args)
            return found
    else:

        def counted(self, *args, **more):
            found = original(self, *args, **more)
            calls.append(args)
            return found

    monkeypatch.setattr(kind, name, counted)
    return calls


async def called(calls, *, times=1):
    async with asyncio.timeout(20):
        while len(calls) < times:  # noqa: ASYNC110 - what grows is no event
            await asyncio.sleep(0.02)


async def told(trigger, *, until, seconds=20.0):
    """All that a trigger tells, until there is enough of it."""
    found = []
    async with asyncio.timeout(seconds), aclosing(trigger.run()) as events:
        async for event in events:
            found += json.loads(json.dumps(event.payload))["completions"]
            if until(found):
                break
    return found


def ids(found):
    return [completion["order_id"] for completion in found]


# --- orders -----------------------------------------------------------------------------------------------------------


def test_what_ends_while_it_listens_is_told_with_ids_and_words(account):
    async def run():
        waiting = asyncio.ensure_future(told(orders(), until=lambda found: len(found) == 1))
        await asyncio.sleep(0.3)
        order_id = await asyncio.to_thread(place, intent_id="i-1")
        return order_id, await waiting

    order_id, (completion,) = asyncio.run(run())
    assert completion.pop("at").endswith("Z")
    assert completion == {
        "event_id": f"true_markets/sandbox/order/{order_id}/filled",
        "kind": "order",
        "order_id": order_id,
        "intent_id": "i-1",
        "status": "filled",
        "market": "BTC/PYUSD",
        "side": "buy",
    }


def test_one_event_tells_of_all_that_ended_between_two_looks(account):
    async def run():
        reached = [await asyncio.to_thread(place, intent_id=f"i-{n}", cancel=True, **FAR) for n in range(3)]
        from tradehook_provider.hooks.exchange import ExchangeHook

        def see():
            with ExchangeHook() as hook:
                while hook.desk.journal.open_orders(hook.desk.exchange.host):
                    hook.desk.sweep()
                    time.sleep(0.3)

        await asyncio.to_thread(see)
        async with asyncio.timeout(20), aclosing(orders().run()) as events:
            payload = (await anext(events)).payload
        return reached, payload["completions"]

    placed, found = asyncio.run(run())
    assert sorted(ids(found)) == sorted(placed)
    assert {completion["status"] for completion in found} == {"canceled"}


def test_a_restart_tells_the_overlap_again_under_the_same_ids_and_nothing_older(account, monkeypatch):
    from tradehook_provider.completion_reader import CompletionReader

    place(intent_id="i-1")
    looks = watched(monkeypatch, CompletionReader, "_after")

    async def run():
        first = await told(orders(), until=bool)
        again = await told(orders(), until=bool)
        before = len(looks)
        waiting = asyncio.ensure_future(told(orders(overlap_seconds=0.0), until=bool))
        await called(looks, times=before + 1)
        fresh = await asyncio.to_thread(place, intent_id="i-2")
        return first, again, fresh, await waiting

    first, again, fresh, later = asyncio.run(run())
    assert [one["event_id"] for one in first] == [one["event_id"] for one in again]
    assert ids(later) == [fresh]


def test_filters(account):
    def end_of_each():
        bought = place(intent_id="i-1")
        sold = place(intent_id="i-2", side="sell")
        canceled = place(intent_id="i-3", cancel=True, **FAR)
        return bought, sold, canceled, place(intent_id="i-4", market="ETH/PYUSD", amount="0.01")

    async def run():
        placed = await asyncio.to_thread(end_of_each)
        await told(orders(), until=lambda found: len(found) == 4)
        first = [{"sides": ["sell"]}, {"statuses": ["canceled"]}, {"markets": ["eth-pyusd"]}]
        return placed, [ids(await told(orders(**wanted), until=bool)) for wanted in first]

    (_, sold, canceled, other), found = asyncio.run(run())
    assert found == [[sold], [canceled], [other]]


def test_an_order_of_another_account_of_this_journal_is_not_told(account, monkeypatch, tmp_path, start_sandbox):
    place(intent_id="i-1")

    async def run():
        stranger = start_sandbox("--rate-limit", "0")
        connect(monkeypatch, tmp_path, stranger)
        theirs = await asyncio.to_thread(place, intent_id="i-2")
        found = await told(orders(), until=bool)
        return theirs, found

    theirs, found = asyncio.run(run())
    assert ids(found) == [theirs]


def test_several_watchers_of_one_account_look_once(account, monkeypatch):
    from tradehook.lines.blocking import BlockingLine

    listed, send = [], BlockingLine.send

    async def counted(self, request):
        if request.method == "GET" and request.path.endswith("/orders"):
            listed.append(request.path)
        return await send(self, request)

    place(intent_id="i-1", **FAR)
    monkeypatch.setattr(BlockingLine, "send", counted)

    async def run():
        many = [asyncio.ensure_future(told(orders(), until=bool, seconds=5.0)) for _ in range(20)]
        ended = await asyncio.gather(*many, return_exceptions=True)
        assert {type(each) for each in ended} == {TimeoutError}

    asyncio.run(run())
    assert 1 <= len(listed) <= 4, "every two seconds, whoever asks"


def test_outages_are_outlived_and_what_happened_meanwhile_is_told(account, monkeypatch):
    from tradehook_provider.completion_reader import CompletionReader

    after, failures = CompletionReader._after, []

    def fail(self, *args):
        if len(failures) < 2:
            failures.append(args)
            raise OSError("the journal's disk is gone")
        return after(self, *args)

    monkeypatch.setattr(CompletionReader, "_after", fail)
    order_id = place(intent_id="i-1")
    assert ids(asyncio.run(told(orders(), until=bool))) == [order_id]
    assert len(failures) == 2


def test_where_the_exchange_fails_the_journal_still_tells(account):
    order_id = place(intent_id="i-1")
    asyncio.run(told(orders(), until=bool))
    account.fault("error_before", method="GET", path="/orders", status=503, times=None)
    assert ids(asyncio.run(told(orders(), until=bool))) == [order_id]


def test_what_cannot_be_meant_is_said_when_the_dag_is_read():
    for wrong in ({"statuses": ["open"]}, {"sides": ["long"]}, {"markets": ["BTC"]}):
        with pytest.raises(ValueError, match=r"can be|not a market"):
            orders(**wrong)
    with pytest.raises(ValueError, match="completed"):
        transfers(statuses=["filled"])
    for wrong in ({"change_percent": "0"}, {"change_percent": 0.5}, {"markets": "BTC"}):
        with pytest.raises(ValueError, match=r"more than 0|is a float|is a list"):
            prices(**wrong)


def test_triggers_survive_being_stored_and_are_told_apart():
    from airflow.triggers.base import BaseEventTrigger

    from tradehook_provider.waiting import check_travels

    made = [orders(), orders(markets=["ETH/PYUSD"]), transfers(assets=["BTC"]), prices()]
    assert len({BaseEventTrigger.hash(*each.serialize()) for each in made}) == 4
    for each in made:
        check_travels(each)


# --- transfers --------------------------------------------------------------------------------------------------------


def test_a_transfer_is_told_when_it_is_completed(account):
    from tradehook.models import Amount
    from tradehook.transfers import NewTransfer
    from tradehook_provider.hooks.exchange import ExchangeHook

    account.admin("POST", "balances", {"symbol": "BTC", "available": "1"})

    def send():
        with ExchangeHook() as hook:
            desk = hook.desk
            desk.journal.destinations.add(desk.exchange.host, "vault", network="bitcoin", address=VAULT, by="test")
            asked = NewTransfer(asset="BTC", amount=Amount("base", Decimal("0.01")), to="vault")
            return desk.create_transfer(asked, intent_id="t-1", source="test").transfer.transfer_id

    async def run():
        transfer_id = await asyncio.to_thread(send)
        waiting = asyncio.ensure_future(told(transfers(assets=["btc"]), until=bool))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        await asyncio.to_thread(account.admin, "POST", "transfers", {"id": transfer_id, "status": "completed"})
        return transfer_id, await waiting

    transfer_id, (completion,) = asyncio.run(run())
    assert (completion["transfer_id"], completion["status"], completion["asset"]) == (transfer_id, "completed", "BTC")
    assert VAULT not in json.dumps(completion)


# --- prices -----------------------------------------------------------------------------------------------------------


def test_the_latest_price_is_told_once_it_has_moved_far_enough(account, monkeypatch):
    from tradehook_provider.price_reader import PriceReader

    looks = watched(monkeypatch, PriceReader, "latest")

    def costs(price):
        account.admin("POST", "prices", {"BTC": price, "walk": False})

    costs("60000")

    async def run():
        found = []
        async with asyncio.timeout(30), aclosing(prices(markets=["BTC", "NOSUCH"]).run()) as events:
            waiting = asyncio.ensure_future(anext(events))
            await called(looks)
            for price in ("61000", "66000"):
                await asyncio.to_thread(costs, price)
                await asyncio.sleep(0.5)
            found += (await waiting).payload["prices"]
            waiting = asyncio.ensure_future(anext(events))
            await asyncio.to_thread(costs, "59400")
            found += (await waiting).payload["prices"]
        return found

    first, second = asyncio.run(run())
    assert (first["market"], first["price"], first["change_percent"]) == ("BTC", "66000", "10")
    assert (second["price"], second["change_percent"]) == ("59400", "-10")


# --- in the DAG -------------------------------------------------------------------------------------------------------


def happened(*payloads):
    return [SimpleNamespace(extra={"from_trigger": True, "payload": payload}) for payload in payloads]


def test_new_completions_gives_each_once_and_in_order():
    from tradehook_provider.completions import new_completions

    one, two, three = ({"event_id": f"e-{n}", "status": "filled"} for n in range(3))
    events = {
        "an asset": happened({"completions": [one, two]}, {"completions": [two, three]}),
        "its alias": happened({"completions": [one]}),
        "by hand": [SimpleNamespace(extra={}), SimpleNamespace(extra=None), *happened(None, {}, {"completions": "x"})],
    }
    assert new_completions(events) == [one, two, three]
    assert new_completions(events, known={"e-0"}) == [two, three]
    assert new_completions(None) == []


def test_the_scheme_of_our_assets_is_known_to_airflow(airflow_database):
    from airflow.providers_manager import ProvidersManager
    from airflow.sdk import Asset

    manager = ProvidersManager()
    assert "tradehook" in manager.asset_uri_handlers
    assert Asset("tradehook://true_markets_default/orders").uri == "tradehook://true_markets_default/orders"
