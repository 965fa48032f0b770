"""An exchange that takes orders and tells no more of them: the wallet shows, a person decides, and nothing is guessed."""

from __future__ import annotations

import json
from datetime import timedelta
from decimal import Decimal

import pytest

from tradehook.client import AsyncClient, Client
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.desk.reconcile import Patience
from tradehook.desk.standing import Orders
from tradehook.desk.submit import Desk
from tradehook.errors import GuardRefused, InvalidInput, NotFound, OutcomeUnknown, Rejected
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run, run_each
from tradehook.testing import MemoryLine
from tradehook.wire import Request, encode_json
from tradehook_sandbox import Sandbox

URL = "http://127.0.0.1:8787"
BUY = NewOrder.of("BTC/USDT", side="buy", amount="$500")
SELL = NewOrder.of("BTC/USDT", side="sell", amount="0.01")
RESTS = NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(40_000))
LOGIN = {"email": "demo@example.com", "password": "demo"}


class Place:
    """A sandbox, a journal, and desks over them."""

    def __init__(self, folder):
        self.folder = folder
        self.sandbox = Sandbox()
        self.desks = []

    def exchange(self, email=LOGIN["email"]):
        line = MemoryLine(self.sandbox.respond, clock=self.sandbox.clock)
        return FinTrusted(line, dialect=Dialect.parse({**LOGIN, "email": email}, is_sandbox=True), base_url=URL)

    def desk(self, **login):
        journal = Journal.open(f"sqlite:///{self.folder}/journal.db")
        patience = Patience(look_seconds=2, horizon_seconds=60)
        self.desks.append(Desk(self.exchange(**login), journal=journal, account="fin", patience=patience))
        return self.desks[-1]

    def admin(self, method, path, body=None):
        content = encode_json(body) if body is not None else b""
        response = self.sandbox.handle(Request(method, f"{URL}/_sandbox/{path}", body=content))
        assert response.status < 300, response.body
        return json.loads(response.body)

    def fault(self, kind, path="/tx/spot/add", **more):
        self.admin("POST", "faults", {"method": "POST", "path": path, "kind": kind, "times": 1, **more})

    def placed(self):
        """The orders that are really there, once everything that comes late has come."""
        self.sandbox.clock.advance(60)
        assert self.admin("GET", "ledger")["balanced"] is True
        return self.admin("GET", "fintrusted/orders")["data"]

    def pass_time(self, seconds=5):
        self.sandbox.clock.advance(seconds)


@pytest.fixture
def place(tmp_path):
    made = Place(tmp_path)
    yield made
    for desk in made.desks:
        desk.close()


@pytest.fixture
def desk(place):
    return place.desk()


def send(desk, order, intent_id="i-1"):
    return desk.place_order(order, intent_id=intent_id, source="test").order


def lose(place, desk, order=BUY, intent_id="i-1", kind="timeout_after"):
    place.fault(kind)
    with pytest.raises(OutcomeUnknown) as caught:
        send(desk, order, intent_id)
    return caught.value


# --- what the wallet shows ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [BUY, SELL], ids=["buy", "sell"])
def test_a_market_order_is_probably_filled_and_never_filled(place, desk, order):
    assert send(desk, order).status is OrderStatus.ACCEPTED
    place.pass_time()
    seen = desk.follow("i-1")
    assert seen.status is OrderStatus.PROBABLY_FILLED
    assert "BTC" in seen.evidence
    assert "USDT" in seen.evidence
    assert desk.journal.get("i-1").is_final
    assert [one["status"] for one in place.placed()] == ["COMPLETED"]


def test_an_order_that_rests_is_accepted_as_long_as_its_money_is_held(place, desk):
    send(desk, RESTS)
    place.pass_time(3600)
    seen = desk.follow("i-1")
    assert (seen.status, seen.evidence) == (OrderStatus.ACCEPTED, "40 USDT are held for it")
    assert seen.created_at is not None


def test_what_trades_beside_an_order_that_rests_is_still_told_from_it(place, desk):
    send(desk, RESTS, "rests")
    place.pass_time()
    send(desk, SELL, "sells")
    place.pass_time()
    assert desk.follow("sells").status is OrderStatus.PROBABLY_FILLED
    assert desk.follow("rests").status is OrderStatus.ACCEPTED


def test_what_a_person_trades_by_hand_meanwhile_leaves_it_open(place, desk):
    send(desk, RESTS)
    place.pass_time()
    by_hand = place.exchange()
    write = by_hand.new_order(run(by_hand.size_order(SELL)))
    run(by_hand.session.send_once(run(by_hand.session.prepare(write.request))[0]))
    place.pass_time()
    place.admin("POST", "prices", {"BTC": "39000"})
    place.pass_time(30)
    seen = desk.follow("i-1")
    assert seen.status is OrderStatus.CANNOT_TELL
    assert "does not explain" in seen.evidence


def test_a_cancel_ends_it_once_the_wallet_shows_that_nothing_is_held(place, desk):
    order_id = send(desk, RESTS).order_id
    place.pass_time()
    assert desk.cancel_order(order_id).status in (OrderStatus.CANCELING, OrderStatus.CANCELED)
    place.pass_time()
    seen = desk.follow("i-1")
    assert seen.status is OrderStatus.CANCELED
    assert seen.filled is None
    assert [one["status"] for one in place.placed()] == ["CANCELED"]


def test_a_sweep_reads_the_wallet_once_for_all_orders(place, desk):
    desk.sweep()
    for number, order in enumerate((RESTS, SELL)):
        send(desk, order, f"i-{number}")
    place.pass_time()
    before = len(desk.exchange.session.line.sent)
    changes = desk.sweep()
    asked = [request.path for request in desk.exchange.session.line.sent[before:]]
    assert asked.count("/uc/asset/spot-wallets") == 1
    assert {change.intent.intent_id: change.status for change in changes}["i-1"] == "probably_filled"
    assert desk.sweep() == []


def test_the_orders_that_are_listed_are_those_from_here(place, desk):
    client = Client(AsyncClient(desk.exchange, desk=lambda: desk))
    send(desk, RESTS, "rests")
    place.pass_time()
    send(desk, SELL, "sells")
    place.pass_time()
    listed = list(client.list_orders())
    assert [order.status for order in listed] == [OrderStatus.PROBABLY_FILLED, OrderStatus.ACCEPTED]
    assert client.find_order(listed[0].order_id[:-2] + listed[0].order_id[-2:]).order_id == listed[0].order_id
    assert list(client.list_orders(statuses=[OrderStatus.ACCEPTED])) == listed[1:]
    with pytest.raises(NotFound, match="was not placed from here"):
        client.get_order("E1" + "0" * 31)
    assert list(run_each(desk.exchange.list_orders())) == []


# --- one at a time ------------------------------------------------------------------------------------------------


def test_a_second_order_that_could_not_be_told_from_the_first_is_refused(place, desk):
    send(desk, RESTS)
    with pytest.raises(GuardRefused) as caught:
        send(desk, BUY, "i-2")
    assert caught.value.rule == "evidence"
    assert "i-1" in caught.value.message
    assert len(place.placed()) == 1


def test_the_other_side_and_other_coins_may_go(place, desk):
    send(desk, RESTS)
    place.pass_time()
    send(desk, SELL, "i-2")
    send(desk, NewOrder.of("ETH/USDT", side="buy", amount="$100"), "i-3")
    assert len(place.placed()) == 3


def test_another_account_may_send_the_same(place, desk):
    """The wallet that shows what became of it is another one."""
    place.admin("POST", "fintrusted/members", {"email": "other@example.com", "password": "demo"})
    place.admin("POST", "fintrusted/deposit", {"email": "other@example.com", "coin": "USDT", "add": "9000"})
    send(desk, RESTS)
    send(place.desk(email="other@example.com"), BUY, "i-2")
    assert len(place.placed()) == 2


def test_once_it_has_ended_the_next_one_may_go(place, desk):
    send(desk, BUY)
    place.pass_time()
    desk.follow("i-1")
    send(desk, BUY, "i-2")
    assert len(place.placed()) == 2


# --- doubt --------------------------------------------------------------------------------------------------------


def test_a_lost_answer_is_held_for_a_person_and_never_sent_again(place, desk):
    lose(place, desk)
    with pytest.raises(OutcomeUnknown):
        send(desk, BUY)
    place.pass_time(8 * 24 * 3600)  # as long as a token may live
    assert desk.reconcile() == []
    intent = desk.journal.get("i-1")
    assert intent.state is State.NEEDS_HUMAN
    with pytest.raises(OutcomeUnknown, match="tells of no orders") as caught:
        send(desk, BUY)
    assert "USDT" in caught.value.message
    assert len(place.placed()) == 1


@pytest.mark.parametrize(("word", "state"), [("placed:E17", State.MATCHED), ("not-placed", State.REJECTED)])
def test_a_persons_word_ends_it(place, desk, word, state):
    lose(place, desk)
    place.pass_time(8 * 24 * 3600)
    desk.resolve("i-1", word, by="me", why="I looked")
    assert desk.journal.get("i-1").state is state
    assert len(place.placed()) == 1


@pytest.mark.parametrize(("word", "status"), [("filled", "probably_filled"), ("canceled", "canceled")])
def test_a_person_may_say_how_an_order_ended_that_the_wallet_cannot_tell(place, desk, word, status):
    send(desk, RESTS)
    seen = desk.resolve("i-1", word, by="me", why="their page says so").last_order
    assert (str(seen.status), seen.evidence) == (status, f"me looked and said that it was {word}: their page says so")
    assert desk.journal.get("i-1").is_final
    assert desk.journal.events("i-1")[-2]["resolution"]["by"] == "me"
    with pytest.raises(InvalidInput, match="none of those"):
        desk.resolve("i-1", word, by="me")


def test_where_the_exchange_tells_a_persons_word_is_not_wanted(world):
    desk = world.desk()
    order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(40_000))
    desk.place_order(order, intent_id="i-1", source="test")
    with pytest.raises(InvalidInput, match="none of those"):
        desk.resolve("i-1", "filled", by="me")


def test_a_definite_no_is_a_no(place, desk):
    place.fault("rate_limited")
    send(desk, SELL)  # was not taken, so it was sent once more
    with pytest.raises(Rejected):
        send(desk, NewOrder.of("BTC/USDT", side="buy", amount="$0.01"), "i-2")
    assert desk.journal.get("i-2").state is State.REJECTED
    assert len(place.placed()) == 1


# --- limits -------------------------------------------------------------------------------------------------------


def test_limits_hold_in_its_currency_as_well(place, desk):
    account_id = run(desk.exchange.account_id())
    desk.journal.limits.set(desk.exchange.host, account_id, Limits(order=Decimal(100), day=Decimal(150)), by="test")
    with pytest.raises(GuardRefused) as caught:
        send(desk, BUY)
    assert (caught.value.rule, caught.value.actual) == ("order", "500")
    send(desk, NewOrder.of("BTC/USDT", side="buy", amount="$90"), "i-2")
    place.pass_time()
    desk.follow("i-2")
    with pytest.raises(GuardRefused) as caught:
        send(desk, NewOrder.of("BTC/USDT", side="buy", amount="$90"), "i-3")
    assert caught.value.rule == "day"
    desk.journal.set_trading_state("REDUCING", by="test")
    send(desk, NewOrder.of("BTC/USDT", side="sell", amount="0.0005"), "i-4")
    with pytest.raises(GuardRefused, match="Only sells"):
        send(desk, NewOrder.of("BTC/USDT", side="buy", amount="$10"), "i-5")


def test_of_an_order_that_was_not_placed_from_here_nothing_is_known(desk):
    with pytest.raises(NotFound, match="was not placed from here"):
        run(Orders(desk.exchange, desk.journal).get("no-such-order"))


def test_the_orders_that_were_placed_from_here_since_a_moment(place, desk):
    send(desk, RESTS, "i-1")
    made = desk.journal.get("i-1").created_at
    orders = Orders(desk.exchange, desk.journal)
    assert len([*run_each(orders.placed(since=made))]) == 1
    assert [*run_each(orders.placed(since=made + timedelta(microseconds=1)))] == []
    assert [*run_each(orders.placed(statuses=[OrderStatus.CANCELED]))] == []


def test_of_an_order_whose_wallet_was_not_noted_nothing_new_is_said(place, desk):
    sent = send(desk, RESTS)
    with desk.journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intent SET baseline = NULL")
    place.pass_time(3600)
    assert desk.follow("i-1") == desk.journal.get("i-1").last_order
    assert desk.follow("i-1").order_id == sent.order_id
