"""Waiting in the triggerer: what travels, what comes back, and that no event is taken for a result."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")

FAR = {"price": "50000", "good_for": "1h"}
CONTEXT = {
    "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
    "dag_run": SimpleNamespace(run_type="manual"),
}


def trigger(**more):
    from tradehook_provider.triggers.orders import OrderTrigger

    values = {"exchange_conn_id": "true_markets_default", "order_id": "o-1", "until": time.time() + 20}
    return OrderTrigger(**{**values, "intent_id": "i-1", "poll_seconds": 0.1, **more})


def operator(**more):
    from tradehook_provider.operators.orders import PlaceOrderOperator

    order = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001"}
    return PlaceOrderOperator(task_id="t", deferrable=True, inline_wait_seconds=0, **{**order, **more})


def first_event(made):
    async def run():
        events = [event async for event in made.run()]
        assert len(events) == 1
        return events[0].payload

    return asyncio.run(run())


@contextmanager
def meanwhile(deed):
    """Something that happens at the exchange while a task waits."""
    thread = threading.Thread(target=deed)
    thread.start()
    try:
        yield
    finally:
        thread.join(20)
        assert not thread.is_alive()


def when_placed(account, deed):
    def wait():
        while not (orders := account.admin("GET", "orders")["data"]):
            time.sleep(0.05)
        time.sleep(0.5)
        deed(orders[0]["order_id"])

    return wait


def cancel(order_id):
    from tradehook_provider.hooks.exchange import ExchangeHook

    with ExchangeHook() as hook:
        hook.desk.cancel_order(order_id)


# --- the trigger ------------------------------------------------------------------------------------------------------


def test_a_trigger_survives_being_stored():
    from airflow.sdk.serde import deserialize, serialize

    from tradehook_provider.waiting import check_travels

    made = trigger()
    path, arguments = made.serialize()
    assert path == "tradehook_provider.triggers.orders.OrderTrigger"
    assert all(isinstance(value, str | float | None) for value in arguments.values())
    again = type(made)(**deserialize(serialize(arguments)))
    assert again.serialize() == made.serialize()
    check_travels(made)


def test_an_argument_that_does_not_travel_is_found_out():
    from decimal import Decimal

    from tradehook_provider.waiting import check_travels

    for value in (Decimal("0.10000000000000000001"), object()):
        with pytest.raises((TypeError, ValueError)):
            check_travels(trigger(poll_seconds=value))


def test_events_carry_ids_and_a_word_only(account):
    order_id = place(account)
    event = first_event(trigger(order_id=order_id))
    assert event == {"order_id": order_id, "intent_id": "i-1", "status": "filled"}


def test_its_own_deadline_is_an_event_not_a_failure(account):
    order_id = place(account, **FAR)
    assert first_event(trigger(order_id=order_id, until=time.time() + 0.5))["status"] == "timeout"
    assert first_event(trigger(order_id=order_id, until=time.time() - 5))["status"] == "timeout"


def test_a_short_outage_costs_nothing_a_long_one_ends_the_waiting(account, monkeypatch):
    from tradehook_provider.triggers import watching

    order_id = place(account)
    failures = []

    async def fail(self, *_args, **_more):
        failures.append(self)
        if len(failures) < limit:
            raise OSError("down")
        return await look(self, *_args, **_more)

    look = watching.OrderWatch.look
    monkeypatch.setattr(watching.OrderWatch, "look", fail)
    limit = 5
    assert first_event(trigger(order_id=order_id, poll_seconds=0.01))["status"] == "filled"
    limit = 10**6
    failures.clear()
    assert first_event(trigger(order_id=order_id, poll_seconds=0.01))["status"] == "error"
    assert len(failures) == 10


def count_reads(monkeypatch, *, but=None):
    """The paths of everything that is read from now on, over any line but this one."""
    from tradehook.lines.asynchronous import AsyncLine
    from tradehook.lines.blocking import BlockingLine

    reads = []
    for line in (AsyncLine, BlockingLine):

        async def counted(self, request, *, send=line.send):
            if request.method == "GET" and self is not but:
                reads.append(request.path)
            return await send(self, request)

        monkeypatch.setattr(line, "send", counted)
    return reads


def wait_for_all(triggers):
    """What each says; nobody uses the shared look any more then."""
    from tradehook_provider import readers

    async def run():
        events = await asyncio.gather(*(anext(made.run()) for made in triggers))
        assert [kept.users for kept in readers._readers[asyncio.get_running_loop()].values()] == [0]
        return [event.payload["status"] for event in events]

    return asyncio.run(run())


def test_many_triggers_look_together(account, monkeypatch):
    """Fifty waits for five orders cost one list an interval; not fifty polls."""
    order_ids = [place(account, intent_id=f"i-{number}", **FAR) for number in range(5)]
    reads = count_reads(monkeypatch)
    triggers = [trigger(order_id=order_ids[number % 5], until=time.time() + 1.2) for number in range(50)]
    assert set(wait_for_all(triggers)) == {"timeout"}
    lists = [path for path in reads if path.endswith("/orders")]
    singles = [path for path in reads if "/orders/" in path]
    # The interval is 2 s; an order that is so new that the list does not show it yet is read by itself.
    assert 1 <= len(lists) <= 2
    assert len(singles) <= 5 * len(lists)


def test_where_somebody_else_looks_triggers_look_at_nothing(account, monkeypatch):
    """The bot, another triggerer or a waiting task sweeps already: the triggers read what it wrote down."""
    from tradehook_provider.hooks.exchange import ExchangeHook

    order_ids = [place(account, intent_id=f"i-{number}", **FAR) for number in range(3)]
    with ExchangeHook() as hook:
        desk = hook.desk
        reads = count_reads(monkeypatch, but=desk.exchange.session.line)

        def cancel_and_look():
            for order_id in order_ids:
                desk.cancel_order(order_id)
            while desk.journal.open_orders(desk.exchange.host):
                time.sleep(0.1)
                desk.sweep()
                assert desk.watcher.is_sweeper

        desk.sweep()
        with meanwhile(cancel_and_look):
            triggers = [trigger(order_id=order_id, until=time.time() + 20) for order_id in order_ids]
            assert wait_for_all(triggers) == ["canceled"] * 3
    assert reads == []


def test_orders_that_the_journal_does_not_know_share_one_list(account, monkeypatch, tmp_path):
    order_ids = [place(account, intent_id=f"i-{number}", **FAR) for number in range(3)]
    (tmp_path / "other").mkdir()
    connect(monkeypatch, tmp_path / "other", account)
    reads = count_reads(monkeypatch)
    triggers = [
        trigger(order_id=order_ids[number % 3], until=time.time() + 1.2, poll_seconds=0.5) for number in range(30)
    ]
    assert set(wait_for_all(triggers)) == {"timeout"}
    assert len([path for path in reads if path.endswith("/orders")]) <= 5


def test_without_a_usable_journal_triggers_wait_all_the_same(account, monkeypatch):
    order_id = place(account)
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", "sqlite:////proc/nowhere/journal.db")
    assert first_event(trigger(order_id=order_id))["status"] == "filled"


def test_a_mended_connection_is_taken_up(account, monkeypatch, tmp_path, start_sandbox):
    """Whoever puts the right key into a connection does not have to restart the triggerer."""
    order_id = place(account)
    stranger = start_sandbox("--rate-limit", "0")
    url, stranger.url = stranger.url, account.url
    connect(monkeypatch, tmp_path, stranger)

    async def run():
        waiting = asyncio.ensure_future(anext(trigger(order_id=order_id, poll_seconds=0.3).run()))
        await asyncio.sleep(0.5)
        assert not waiting.done()
        connect(monkeypatch, tmp_path, account)
        return await waiting

    assert asyncio.run(run()).payload["status"] == "filled"
    stranger.url = url


def place(account, *, intent_id="i-1", **more):
    from tradehook.models import NewOrder
    from tradehook_provider.arguments import new_order
    from tradehook_provider.hooks.exchange import ExchangeHook

    fields = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001", "price": None, "chain": None, **more}
    order: NewOrder = new_order(**fields)
    with ExchangeHook() as hook:
        return hook.desk.place_order(order, intent_id=intent_id, source="test").order.order_id


# --- the operator -----------------------------------------------------------------------------------------------------


def test_it_defers_with_ids_only_and_has_placed_one_order(account):
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as deferred:
        operator(**FAR).execute(CONTEXT)
    assert deferred.value.method_name == "execute_complete"
    _, arguments = deferred.value.trigger.serialize()
    assert set(arguments) == {"exchange_conn_id", "order_id", "intent_id", "until", "poll_seconds"}
    assert deferred.value.timeout > arguments["until"] - time.time()
    assert account.orders() == 1


def test_what_cannot_be_stored_is_found_before_the_order_is_sent(account):
    with pytest.raises((TypeError, ValueError)):
        operator(deferred_poll_seconds=object(), **FAR).execute(CONTEXT)
    assert account.orders() == 0


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "filled",
        {"status": "filled"},
        {"status": "filled", "order_id": "another"},
        {"status": "fine", "order_id": "OURS"},
    ],
)
def test_a_strange_event_is_never_a_success(account, event):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

    made = operator(**FAR)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(CONTEXT)
    if isinstance(event, dict) and event.get("order_id") == "OURS":
        event["order_id"] = deferred.value.trigger.order_id
    with pytest.raises(AirflowException) as caught:
        made.execute_complete(CONTEXT, event)
    assert not isinstance(caught.value, AirflowFailException), "it can be tried again"


def test_an_event_that_lies_about_an_open_order_is_not_believed(account):
    from airflow.sdk.exceptions import AirflowException, TaskDeferred

    made = operator(**FAR)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(CONTEXT)
    order_id = deferred.value.trigger.order_id
    with pytest.raises(AirflowException, match="could not be watched"):
        made.execute_complete(CONTEXT, {"status": "filled", "order_id": order_id})


def test_an_event_without_an_order_is_not_a_result(account):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="There is no intent"):
        operator().execute_complete(CONTEXT, {"status": "filled", "order_id": "o-1"})


def test_a_kill_before_sending_sends_nothing(account, monkeypatch):
    from airflow.sdk.exceptions import AirflowException

    from tradehook.desk.submit import Desk
    from tradehook.errors import Interrupted

    made, start = operator(), Desk.start_order

    def killed(self, *args, **kwargs):
        made.on_kill()
        return start(self, *args, **kwargs)

    monkeypatch.setattr(Desk, "start_order", killed)
    with pytest.raises((Interrupted, AirflowException)):
        made.execute(CONTEXT)
    assert account.orders() == 0


# --- in a real Airflow ------------------------------------------------------------------------------------------------


def test_the_deferral_round_trip(run_dag, account):
    run = run_dag("place_deferred")
    assert run.state == "success", run.output
    assert run.result("place")["status"] == "filled"
    assert "Waiting for it in the triggerer" in run.output
    assert account.orders() == 1


def test_a_resting_order_is_waited_for_until_the_market_comes(run_dag, account):
    with meanwhile(when_placed(account, lambda _: account.admin("POST", "prices", {"BTC": "49000", "walk": False}))):
        run = run_dag("place_limit")
    assert run.state == "success", run.output
    result = run.result("place")
    assert (result["status"], result["price"]) == ("filled", "50000")


def test_an_order_that_is_canceled_fails_the_task_at_once(run_dag, account):
    with meanwhile(when_placed(account, cancel)):
        run = run_dag("place_limit")
    assert (run.state, run.tries("place")) == ("failed", 1)
    assert "ended as canceled" in run.output
    assert account.orders() == 1


def test_out_of_time_fails_the_task_and_leaves_the_order(run_dag, account):
    run = run_dag("place_limit_briefly")
    assert (run.state, run.tries("place")) == ("failed", 1)
    assert "It stays at the exchange" in run.output
    assert account.admin("GET", "orders")["data"][0]["status"] == "active"


def test_sensors_wait_by_order_and_by_intent(run_dag, account):
    run = run_dag("place_and_sense")
    assert run.state == "success", run.output
    by_order, by_intent = run.result("by_order"), run.result("by_intent")
    assert by_order["status"] == by_intent["status"] == "filled"
    assert by_order["order_id"] == run.result("place")["order_id"]
    assert isinstance(by_order["average_price"], str)
    assert account.orders() == 1


def test_a_sensor_waits_in_the_triggerer(run_dag, account):
    order_id = place(account, **FAR)
    with meanwhile(when_placed(account, lambda _: account.admin("POST", "prices", {"BTC": "49000", "walk": False}))):
        run = run_dag("sense", {"order_id": order_id})
    assert run.state == "success", run.output
    assert run.result("sense")["status"] == "filled"


def test_a_sensor_fails_on_a_canceled_order_unless_told(run_dag, account):
    order_id = place(account, **FAR)
    cancel(order_id)
    run = run_dag("sense", {"order_id": order_id})
    assert (run.state, run.tries("sense")) == ("failed", 1)
    from tradehook_provider.sensors.orders import OrderSensor

    told = OrderSensor(task_id="s", order_id=order_id, accept_statuses=["filled", "canceled"])
    assert told.execute(CONTEXT)["status"] == "canceled"


def test_a_sensor_for_a_doubtful_intent_fails_and_says_so(account):
    from airflow.sdk.exceptions import AirflowFailException

    from tradehook.errors import OutcomeUnknown
    from tradehook_provider.sensors.orders import OrderSensor

    account.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        place(account, intent_id="lost")
    for deferrable in (True, False):
        with pytest.raises(AirflowFailException, match="UNKNOWN"):
            OrderSensor(task_id="s", intent_id="lost", deferrable=deferrable).execute(CONTEXT)


def test_a_sensor_forgives_a_failure_that_passes(account):
    from tradehook_provider.sensors.orders import OrderSensor

    order_id = place(account)
    account.fault("error_before", method="GET", path="/orders", status=503, times=4)
    sensor = OrderSensor(task_id="s", order_id=order_id, poke_interval=0.1)
    assert sensor.execute(CONTEXT)["status"] == "filled"


def test_a_sensor_wants_one_order():
    from tradehook_provider.sensors.orders import OrderSensor

    for wrong in ({}, {"order_id": "a", "intent_id": "b"}, {"order_id": "a", "accept_statuses": ["open"]}):
        with pytest.raises(ValueError, match=r"either order_id or intent_id|can be filled"):
            OrderSensor(task_id="s", **wrong)
