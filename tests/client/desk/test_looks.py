"""Looks that are cut short, that find nothing, or whose answer is no use: what was known stays, and nothing is lost."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_reconcile import FAR, place_by_hand
from tests.client.desk.test_second_looks import another

from tradehook.desk import plans, team, watch
from tradehook.desk.journal import Journal
from tradehook.desk.watch import Watcher
from tradehook.errors import IntentConflict, Unavailable
from tradehook.models import Asset, Balance, NewOrder, OrderStatus
from tradehook.rebalance import Goal
from tradehook.run import run

GOAL = Goal.of({"BTC": "40", "ETH": "40"}, quote="PYUSD", band="2")


def far(number):
    return NewOrder.of("BTC/PYUSD", side="buy", amount="0.0001", price=Decimal(40000 + number))


@pytest.fixture
def watcher():
    """Makes watchers, each with a line and a journal of its own, as processes have them."""
    opened = []

    def make(world) -> Watcher:
        opened.append(Journal.open(world.journal_url))
        return Watcher(world.exchange(), opened[-1])

    yield make
    for journal in opened:
        journal.close()


def rest(world, count):
    desk = world.desk()
    for number in range(count):
        desk.place_order(far(number), intent_id=f"i-{number}", source="test")
    world.sandbox.clock.advance(5)
    return desk


def after(watcher, end, happens):
    """Let something happen once, between a request of the watcher and the use of its answer."""
    line = watcher._exchange.session.line
    respond = line.respond

    def between(request):
        answer = respond(request)
        if request.method == "GET" and end(request.path):
            line.respond = respond
            happens()
        return answer

    line.respond = between


def test_what_another_account_waits_for_costs_this_one_nothing(make_world, watcher):
    first = make_world()
    rest(first, 1)
    one = watcher(another(first, make_world()))
    assert run(one.look()) == []
    assert not [request for request in one._exchange.session.line.sent if "/orders" in request.path]


def test_who_loses_the_sweep_in_the_middle_of_a_list_records_nothing(world, watcher):
    desk = rest(world, 101)
    slow, quick = watcher(world), watcher(world)

    def taken_over():
        world.sandbox.clock.advance(3600)
        run(quick.look())

    after(slow, lambda path: path.endswith("/orders"), taken_over)
    run(slow.look())
    assert (slow.is_sweeper, quick.is_sweeper) == (False, True)
    assert desk.journal.get("i-0").last_order.status is OrderStatus.OPEN


def test_who_loses_the_sweep_between_two_single_reads_reads_no_more(make_world, watcher):
    world = make_world(list_terminal_only=True)
    rest(world, 3)
    slow, quick = watcher(world), watcher(world)

    def taken_over():
        world.sandbox.clock.advance(3600)
        run(quick.look())

    after(slow, lambda path: "/orders/" in path, taken_over)
    run(slow.look())
    assert not slow.is_sweeper
    assert len([request for request in slow._exchange.session.line.sent if "/orders/" in request.path]) == 1


def test_one_that_cannot_be_read_holds_up_no_other(make_world, watcher, caplog):
    world = make_world(list_terminal_only=True)
    desk = rest(world, 2)
    world.fault("edge_html", method="GET", path="/orders/{id}")
    run(watcher(world).look())
    seen = [desk.journal.get(name).last_order.status for name in ("i-0", "i-1")]
    assert sorted(seen) == [OrderStatus.OPEN, OrderStatus.PENDING]
    assert "could not be read" in caplog.text


def test_news_are_told_whole_however_many_there_are_at_once(world, watcher, monkeypatch):
    monkeypatch.setattr(watch, "_BATCH", 2)
    one = watcher(world)
    run(one.look())
    rest(world, 5)
    assert sorted(change.intent.intent_id for change in run(one.look())) == [f"i-{number}" for number in range(5)]
    assert run(one.look()) == []


def test_news_of_what_is_not_in_the_journal_any_more_are_passed_over(world, watcher):
    one, two = watcher(world), watcher(world)
    run(two.look())
    desk = rest(world, 2)
    run(one.look())
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intent SET seen = NULL WHERE intent_id = 'i-0'")
    assert [change.intent.intent_id for change in run(two.look())] == ["i-1"]


def test_open_orders_are_told_once_listed_or_not(make_world):
    for shown in (False, True):
        world = make_world(list_terminal_only=shown)
        desk = rest(world, 2)
        assert sorted(order.price for order in desk.open_orders()) == [40000, 40001]


def test_of_open_orders_that_no_list_shows_what_ended_is_left_out_and_what_cannot_be_read_is_not(make_world, caplog):
    world = make_world(list_terminal_only=True)
    desk = rest(world, 2)
    ended, kept = (desk.journal.get(name).order_id for name in ("i-0", "i-1"))
    run(_cancel(world.exchange(), ended))
    world.sandbox.clock.advance(5)
    assert [order.order_id for order in desk.open_orders()] == [kept]
    assert desk.journal.get("i-0").is_final
    world.fault("edge_html", method="GET", path="/orders/{id}")
    (told,) = desk.open_orders()
    assert (told.order_id, told.status) == (kept, OrderStatus.OPEN)
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intent SET seen = NULL")
    world.fault("edge_html", method="GET", path="/orders/{id}")
    (told,) = desk.open_orders()
    assert (told.order_id, told.status, told.exchange_status) == (kept, OrderStatus.UNRECOGNIZED, "unread")
    assert "could not be read" in caplog.text


async def _cancel(exchange, order_id):
    """Past the desk, as a person does it on the exchange's page."""
    write = exchange.cancel_order(order_id)
    await exchange.session.read(write.request, write.read, kind="cancel")


def test_what_a_person_placed_is_an_open_order_too(world):
    order_id = place_by_hand(world, FAR)
    world.sandbox.clock.advance(5)
    assert [order.order_id for order in world.desk().open_orders()] == [order_id]


def test_a_bounded_order_whose_cancel_takes_long_is_left_to_the_sweep(world, monkeypatch):
    desk = world.desk()
    bound = desk.exchange.bound_order
    monkeypatch.setattr(desk.exchange, "bound_order", lambda sized, *, at: bound(sized, at=at * 4 / 5))
    read = desk.exchange.get_order

    async def still_open(order_id):
        return (await read(order_id)).model_copy(update={"status": OrderStatus.CANCELING})

    monkeypatch.setattr(desk.exchange, "get_order", still_open)
    order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", max_slippage=1, bounded=True)
    assert desk.place_order(order, intent_id="i-1", source="test").order.status is OrderStatus.CANCELING
    monkeypatch.undo()
    desk.sweep()
    assert desk.journal.get("i-1").last_order.status is OrderStatus.CANCELED


# --- plans --------------------------------------------------------------------------------------------------------


def test_an_exchange_that_has_no_such_market_is_asked_for_its_own(world, monkeypatch):
    exchange = world.exchange()
    quote = exchange.get_quote

    async def only_its_own(symbol, **more):
        if more["quote"] != "PYUSD":
            raise Unavailable("There is no such market.")
        return await quote(symbol, **more)

    monkeypatch.setattr(exchange, "get_quote", only_its_own)
    settled, prices = run(team._prices(exchange, GOAL, quote="USDT"))
    assert (settled, set(prices)) == ("PYUSD", {"BTC", "ETH"})

    async def down(symbol, **more):
        raise Unavailable("It is down.")

    monkeypatch.setattr(exchange, "get_quote", down)
    with pytest.raises(Unavailable, match="It is down"):
        run(team._prices(exchange, GOAL, quote="USDT"))


def test_where_nothing_of_a_goal_is_traded_there_are_no_prices(world):
    goal = Goal.of({"NOSUCH": "40"}, quote="PYUSD", band="2")
    assert run(team._prices(world.exchange(), goal, quote="")) == ("PYUSD", {})


def test_an_unknown_coin_on_a_chain_is_passed_over_and_said_only_where_there_is_some():
    def held(symbol, total, **more):
        return Balance(symbol=symbol, total=total, available=total, held="0", **more)

    known = Asset(asset_id="a", symbol="CBBTC", venue="defi", chain="base", address="0xAB")
    here, there = held("BTC", "1"), held("CBBTC", "1", chain="base", address="0xab")
    rows = [
        here,
        there,
        held("FAKE", "0", chain="base", address="0xcd"),
        held("FAKE", "3", chain="base", address="0xcd"),
    ]
    sure, skips = plans._sure(rows, {("CBBTC", "base"): [known]})
    assert sure == [here, there]
    assert [skip.symbol for skip in skips] == ["FAKE"]


def test_a_plan_and_its_legs_are_told_as_plain_values(world):
    desk = world.desk()
    told = plans.carry_out(desk, GOAL, intent_id="plan-1", source="test").to_dict()
    assert (told["intent_id"], told["state"], told["is_stored"]) == ("plan-1", "ACCEPTED", False)
    assert [(leg["intent_id"], leg["state"]) for leg in told["legs"]] == [
        (plans.leg_intent_id("plan-1", number), "filled") for number in (1, 2)
    ]


def test_a_leg_that_is_somebody_elses_intent_is_not_traded(world, monkeypatch):
    desk = world.desk()

    def conflict(*_args, **_more):
        raise IntentConflict("It is somebody else's.")

    monkeypatch.setattr(desk, "place_order", conflict)
    with pytest.raises(IntentConflict, match="somebody else's"):
        plans.carry_out(desk, GOAL, intent_id="plan-1", source="test")
    assert world.sends("POST", "/orders") == 0


def test_named_targets_are_told_as_plain_values(world):
    desk = world.desk()
    made = desk.journal.targets.set("main", GOAL, by="ann")
    told = made.to_dict()
    assert (told["name"], told["version"], told["goal"]) == ("main", 1, GOAL.to_dict())
