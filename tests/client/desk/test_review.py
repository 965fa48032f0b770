"""After the trade: what ended is held against what was asked, and failing in a row halts, once and with a reason."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.client.desk.test_limits import ACCOUNT, HOST, NOW, sent, transfer
from tests.client.desk.test_limits import order as settled

from tradehook.desk import review
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.desk.review import mismatches
from tradehook.desk.schema import writing
from tradehook.desk.tables import INTENT, INTENT_BY_ID, LIMITS
from tradehook.desk.trading import scope_of
from tradehook.errors import GuardRefused, OutcomeUnknown, Rejected
from tradehook.models import NewOrder, Order, OrderStatus, SizedOrder
from tradehook.run import run

BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")
DEAR = NewOrder.of("BTC/PYUSD", side="buy", amount="500", price=Decimal(50000))


def asked(**fields) -> SizedOrder:
    given = {"base": "BTC", "quote": "PYUSD", "side": "buy", "quantity": "2", "unit": "base", "price": "100"}
    return SizedOrder(**{**given, "typed": "2", **fields})


def made(**fields) -> Order:
    given = {"base": "BTC", "quote": "PYUSD", "side": "buy", "quantity": "2", "unit": "base", "price": "100"}
    return Order(
        order_id="o-1", status=OrderStatus.FILLED, exchange_status="x", **{**given, "filled": "2", "average_price": "100", **fields}
    )  # fmt: skip


IN_QUOTE = {"quantity": "200", "unit": "quote", "price": None}
SELL = {"side": "sell"}


@pytest.mark.parametrize(
    ("sent", "seen", "says"),
    [
        ({}, {}, None),
        ({}, {"base": "ETH"}, "trades ETH"),
        ({}, {"quote": "USDC"}, None),  # the exchange's names for its one book currency
        ({}, {"quote": "BTC"}, "against BTC"),
        ({"chain": "base"}, {"quote": "USDC"}, "against USDC"),
        ({"chain": "base"}, {}, None),
        ({"quote": "BTC", "base": "ETH"}, {"quote": "BTC", "base": "ETH"}, None),
        ({"quote": "USDC"}, {"quote": "BTC"}, "against BTC"),
        ({}, {"fee": "0"}, None),
        ({}, {"average_price": None}, None),
        ({}, {"side": "sell"}, "is a sell"),
        ({}, {"quantity": "2.00000001"}, "quantity is 2.00000001"),
        ({}, {"quantity": "1"}, None),
        ({}, {"quantity": "200", "unit": "quote"}, None),  # counted otherwise: not comparable
        ({}, {"filled": "2.00000001"}, "were filled"),
        ({}, {"average_price": "100.0001"}, None),
        ({}, {"average_price": "100.00011"}, "worse than the limit 100"),
        ({}, {"average_price": "1"}, None),
        (SELL, {**SELL, "average_price": "99.9999"}, None),
        (SELL, {**SELL, "average_price": "99.99989"}, "worse than the limit 100"),
        (SELL, {**SELL, "average_price": "1000"}, None),
        ({"price": None}, {"average_price": "1000"}, None),
        (IN_QUOTE, {**IN_QUOTE, "filled": "2.002"}, None),
        (IN_QUOTE, {**IN_QUOTE, "filled": "2.00201"}, "changed hands"),
        ({}, {"fee": "10"}, None),
        ({}, {"fee": "10.01"}, "fee is 10.01"),
        ({}, {"fee": "-0.01"}, "fee is -0.01"),
        ({}, {"filled": "0.01", "fee": "1"}, None),
        ({}, {"filled": "0.01", "fee": "1.01"}, "fee is 1.01"),
        ({}, {"filled": None, "average_price": None, "fee": "500"}, None),
    ],
)
def test_what_does_not_fit(sent, seen, says):
    found = mismatches(asked(**sent), made(**seen))
    assert (says in found[0]) if says else (found == ()), found


def test_what_is_not_told_is_not_judged():
    bare = Order(order_id="o-1", status=OrderStatus.FILLED, exchange_status="x")
    assert mismatches(asked(), bare) == ()


# --- in the journal ---------------------------------------------------------------------------------------------


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def conclude(journal, name):
    with writing(journal.engine) as connection:
        return review.conclude(connection, connection.execute(INTENT_BY_ID, {"its_id": name}).one())


def whats(journal, name):
    return [event["what"] for event in journal.events(name)]


def test_what_does_not_fit_is_told_once_for_each_intent_however_often_it_is_looked_at(journal):
    for name in ("i-1", "i-2"):
        sent(journal, name, settled("1", unit="base"), order_status=OrderStatus.FILLED, base="ETH")
        conclude(journal, name)
        assert whats(journal, name).count("mismatch") == 1
    first = next(event for event in journal.events("i-1") if event["what"] == "halted")
    told = next(event for event in journal.events("i-1") if event["what"] == "mismatch")
    assert told["found"] == ["it trades ETH, not BTC"]
    assert first["why"].endswith("is not what intent i-1 asked for: it trades ETH, not BTC")
    assert journal.trading.get(scope_of(HOST, ACCOUNT))["why"] == first["why"]
    assert "halted" not in whats(journal, "i-2")  # it was already


def change(journal, name, **columns):
    with writing(journal.engine) as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == name).values(**columns))


def test_what_ended_counts_for_what_was_filled_and_nothing_else_changes(journal):
    ends = {"order_status": OrderStatus.CANCELED, "filled": "0.2", "average_price": "100"}
    sent(journal, "other", settled("1", unit="base"))
    sent(journal, "i-1", settled("1", unit="base"), **ends)
    assert (journal.get("i-1").notional, journal.get("other").notional) == (20, 100)
    # The row that it returns is the one that stands then.
    change(journal, "i-1", notional="7")
    assert conclude(journal, "i-1").notional == "20"
    change(journal, "i-1", notional=None)
    assert conclude(journal, "i-1").notional is None
    assert journal.get("i-1").notional is None


def test_what_has_not_ended_or_is_no_order_is_not_held_against_anything(journal):
    sent(journal, "open", settled("1", unit="base"), order_status=OrderStatus.OPEN, base="ETH")
    sent(journal, "bare", settled("1", unit="base"))
    change(journal, "bare", is_final=True)
    sent(journal, "paid", transfer("1"))
    change(journal, "paid", is_final=True, seen='{"transfer_id": "t-1", "status": "completed", "exchange_status": "x"}')
    for name in ("open", "bare", "paid"):
        conclude(journal, name)
        assert "mismatch" not in whats(journal, name)
    assert not is_halted(journal)


def test_a_plan_and_what_has_no_account_yet_halt_nothing(journal):
    fail(journal, "failed", at=NOW)
    fail(journal, "plan", at=NOW, kind="plan")
    fail(journal, "unsent", at=NOW, account_id=None)
    journal.limits.set(HOST, ACCOUNT, Limits(halt_after=1), by="test")
    for name in ("plan", "unsent"):
        conclude(journal, name)
        assert not is_halted(journal)
    conclude(journal, "failed")
    assert is_halted(journal)


def fail(journal, name, *, at, **columns):
    sent(journal, name, settled("1"), at=at, state=State.REJECTED)
    if columns:
        change(journal, name, **columns)


def is_halted(journal):
    return journal.trading.get(scope_of(HOST, ACCOUNT))["state"] == "HALTED"


@pytest.mark.parametrize(
    "columns",
    [
        {"kind": "plan"}, {"state": "PREPARED"}, {"state": "CREATED"}, {"sending_at": None}, {"host": "elsewhere"},
        {"account_id": "user-2"}, {"error": '{"type": "GuardRefused"}'},
    ],
)  # fmt: skip
def test_only_what_failed_of_this_account_counts(journal, columns):
    journal.limits.set(HOST, ACCOUNT, Limits(halt_after=2, unknowns=None), by="test")
    journal.trading.set("HALTED", by="test", scope=scope_of(HOST, ACCOUNT))
    fail(journal, "other", at=NOW, **columns)
    journal.trading.set("NORMAL", by="test", scope=scope_of(HOST, ACCOUNT))
    fail(journal, "i-1", at=NOW + timedelta(seconds=1))
    assert not is_halted(journal)
    fail(journal, "i-2", at=NOW + timedelta(seconds=2))
    assert is_halted(journal)


def test_what_is_our_own_no_is_not_looked_past_for_ever(journal):
    journal.limits.set(HOST, ACCOUNT, Limits(halt_after=2), by="test")
    fail(journal, "i-1", at=NOW, error=None)
    for number in range(3):
        fail(journal, f"n-{number}", at=NOW + timedelta(seconds=1 + number), error='{"type": "GuardRefused"}')
    journal.trading.set("NORMAL", by="test", scope=scope_of(HOST, ACCOUNT))
    conclude(journal, "n-2")
    assert not is_halted(journal)
    fail(journal, "i-2", at=NOW + timedelta(seconds=9))
    assert is_halted(journal)


# --- at the desk ------------------------------------------------------------------------------------------------


def halted(desk) -> dict[str, str]:
    return desk.journal.trading.get(scope_of(desk.exchange.host, run(desk.exchange.account_id())))


def place(desk, name, order=BUY):
    return desk.place_order(order, intent_id=name, source="test").order


def story(desk, name) -> list[str]:
    return [event["what"] for event in desk.journal.events(name)]


def test_an_order_that_ended_as_asked_halts_nothing(world):
    desk = world.desk()
    for number, order in enumerate((BUY, NewOrder.of("BTC/PYUSD", side="sell", amount="$100"))):
        place(desk, f"i-{number}", order)
        world.sandbox.clock.advance(2)
        assert desk.follow(f"i-{number}").status is OrderStatus.FILLED
    assert halted(desk)["state"] == "NORMAL"


def test_an_order_that_ended_otherwise_halts_its_account_with_the_reason_once(world):
    desk = world.desk()
    order = place(desk, "i-1")
    world.sandbox.clock.advance(2)
    read = desk.exchange.get_order

    async def more_than_asked(order_id):
        return (await read(order_id)).model_copy(update={"filled": Decimal("0.0011")})

    desk.exchange.get_order = more_than_asked
    desk.sweep()
    state = halted(desk)
    assert (state["state"], state["changed_by"]) == ("HALTED", "tradehook")
    assert order.order_id in state["why"]
    assert "more than 0.001" in state["why"]
    assert story(desk, "i-1")[-2:] == ["mismatch", "halted"]
    with pytest.raises(GuardRefused) as caught:
        place(desk, "i-2")
    assert caught.value.rule == "frozen"
    assert "more than 0.001" in caught.value.message
    desk.sweep()
    desk.follow("i-1")
    assert story(desk, "i-1").count("mismatch") == 1
    desk.journal.trading.set("NORMAL", scope=scope_of(desk.exchange.host, run(desk.exchange.account_id())), by="ann")
    assert place(desk, "i-2").order_id


def test_an_end_that_came_with_the_answer_is_looked_at_as_well(world):
    desk = world.desk()
    place(desk, "i-1")
    sending = desk.journal.get("i-1")
    with_end = sending.last_order.model_copy(update={"status": OrderStatus.FILLED, "base": "ETH"})
    desk.journal.move(sending, State.ACCEPTED, made=with_end)
    assert "trades ETH" in halted(desk)["why"]


def reject(desk, name):
    with pytest.raises(Rejected):
        place(desk, name, DEAR)
    assert desk.journal.get(name).state is State.REJECTED  # by the exchange, when it was sent


def limit(desk, **fields):
    desk.journal.limits.set(desk.exchange.host, run(desk.exchange.account_id()), Limits(**fields), by="test")


def test_so_many_rejected_in_a_row_halt_and_a_good_one_begins_anew(world):
    desk = world.desk()
    limit(desk, halt_after=3)
    reject(desk, "r-1")
    reject(desk, "r-2")
    place(desk, "i-1")
    reject(desk, "r-3")
    reject(desk, "r-4")
    assert halted(desk)["state"] == "NORMAL"
    reject(desk, "r-5")
    state = halted(desk)
    assert (state["state"], state["changed_by"]) == ("HALTED", "tradehook")
    assert "3 in a row" in state["why"]
    with pytest.raises(GuardRefused):
        place(desk, "i-2")


def test_what_failed_before_a_person_resumed_does_not_count_again(world):
    desk = world.desk()
    limit(desk, halt_after=2)
    reject(desk, "r-1")
    reject(desk, "r-2")
    desk.journal.trading.set("NORMAL", scope=scope_of(desk.exchange.host, run(desk.exchange.account_id())), by="ann")
    reject(desk, "r-3")
    assert halted(desk)["state"] == "NORMAL"
    reject(desk, "r-4")
    assert halted(desk)["state"] == "HALTED"


def test_doubts_in_a_row_halt_and_our_own_no_does_not_count(world):
    desk = world.desk()
    limit(desk, halt_after=2, unknowns=None)
    chained = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")
    for number in range(3):
        with pytest.raises(GuardRefused, match="Not approved"):
            desk.place_order(chained, intent_id=f"n-{number}", source="test", approve=lambda *_: False)
    assert halted(desk)["state"] == "NORMAL"
    for number in range(2):
        assert halted(desk)["state"] == "NORMAL"
        world.fault("error_before", status=503)
        with pytest.raises(OutcomeUnknown):
            place(desk, f"u-{number}", NewOrder.of("BTC/PYUSD", side="buy", amount=f"0.00{number + 1}"))
    assert halted(desk)["state"] == "HALTED"
    assert story(desk, "u-1")[-1] != "mismatch"


def test_without_limits_failing_in_a_row_halts_nothing(world):
    desk = world.desk()
    for number in range(8):
        reject(desk, f"r-{number}")
    assert halted(desk)["state"] == "NORMAL"


def test_what_a_halted_account_failed_at_later_does_not_hide_the_first_reason(world):
    desk = world.desk()
    place(desk, "i-1")
    scope = scope_of(desk.exchange.host, run(desk.exchange.account_id()))
    desk.journal.trading.set("HALTED", scope=scope, by="ann", why="lunch")
    sent = desk.journal.get("i-1")
    desk.journal.see("i-1", sent.last_order.model_copy(update={"status": OrderStatus.FILLED, "base": "ETH"}))
    assert story(desk, "i-1")[-1] == "mismatch"
    assert (halted(desk)["why"], halted(desk)["changed_by"]) == ("lunch", "ann")


def test_limits_that_cannot_be_read_do_not_keep_an_end_from_being_recorded(world):
    desk = world.desk()
    place(desk, "i-1")
    limit(desk, halt_after=1)
    with writing(desk.journal.engine) as connection:
        connection.execute(update(LIMITS).values(limits="{"))
    assert desk.journal.move(desk.journal.get("i-1"), State.REJECTED).state is State.REJECTED
    assert halted(desk)["state"] == "NORMAL"
    with pytest.raises(GuardRefused, match="cannot be read"):
        place(desk, "i-2")
