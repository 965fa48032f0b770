"""What the guard says no with: the rule, the limit, the figure, when it frees again, and what to type next, word for word."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.client.desk.test_limits import ADDRESS, HOST, NOW, decide, limit, order, put, refused, send, sent, transfer

from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.reserve import ground_of, live_is_off
from tradehook.desk.schema import reading
from tradehook.desk.tables import DESTINATION
from tradehook.desk.worth import Ground
from tradehook.errors import GuardRefused
from tradehook.models import ChainQuote, Order, OrderStatus
from tradehook.render import clock_of

MIDNIGHT = "2030-11-22T00:00:00.000000Z"
HUNDRED = Ground(price=Decimal(100))


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def said(error):
    found = error.details
    return error.message, error.rule, error.limit, error.actual, found.get("frees_at")


def cold(journal, **more):
    return journal.destinations.add(HOST, "cold", network="base", address=ADDRESS, by="a", **more)


# --- what was found out before the first step -------------------------------------------------------------------


def test_the_second_step_knows_what_the_newest_first_step_of_its_own_found_out(journal):
    first, second = Ground(price=Decimal(7), quote_price=Decimal(3)), Ground(is_live=False, price=Decimal(8))
    send(journal, "other", order("2"), ground=Ground(price=Decimal(1)))
    prepared = journal.move(send(journal, "i-1", order("1"), ground=first), State.PREPARED)
    with reading(journal.engine) as connection:
        assert ground_of(connection, prepared) == first
    again = journal.start(prepared, to=State.SENDING, owner="o:1:1", account_id="user-1", ground=second)
    journal.note("i-1", "something else", {"ground": {"price": "9"}})
    send(journal, "later", order("3"), ground=Ground(price=Decimal(2)))
    with reading(journal.engine) as connection:
        assert ground_of(connection, again) == second
        assert ground_of(connection, put(journal, "never sent", order("4"))) == Ground()


def test_a_story_without_what_was_found_out_tells_nothing(journal):
    intent = put(journal, "i-1", order("1"))
    journal.note("i-1", "sending", {"ground": None})
    with reading(journal.engine) as connection:
        assert ground_of(connection, intent) == Ground()


# --- live -------------------------------------------------------------------------------------------------------


def test_live_is_off_says_how_it_is_turned_on():
    error = live_is_off("api.example", exchange="true_markets")
    assert (error.rule, error.limit, error.actual, error.exchange) == (
        "live", "read only", "api.example", "true_markets",
    )  # fmt: skip
    assert error.message == (
        "Live trading is off for this account: api.example can be read, but nothing is sent to it. `tradehook go-live` "
        "turns it on, step by step. To trade in the sandbox, unset TRADEHOOK_ENVIRONMENT and "
        "TRADEHOOK_TRUE_MARKETS_URL, or set them to one."
    )


# --- the price of what was created on a chain ---------------------------------------------------------------------


def created(journal, name, side, *gets):
    """An order on a chain that was created: what goes in and what comes out, as the exchange says; or it does not."""
    unit = "quote" if side == "buy" else "base"
    settled = order("100" if side == "buy" else "1", unit=unit, side=side, chain="base", reference_price=None)
    quote = None
    if gets:
        quote = ChainQuote(base="BTC", quote="PYUSD", quantity=gets[0], output=gets[1], fee=None, fee_asset=None)
    made = Order(order_id=name, status=OrderStatus.CREATED, exchange_status="x", chain_quote=quote)
    return journal.move(send(journal, name, settled, ground=HUNDRED), State.CREATED, made=made)


def sign(journal, intent):
    return journal.start(intent, to=State.EXECUTING, owner="o:1:1", account_id="user-1")


@pytest.mark.parametrize(
    ("side", "gets", "passes"),
    [
        ("buy", ("102", "1"), True), ("buy", ("102.01", "1"), False), ("buy", ("0.51", "0.005"), True),
        ("buy", ("0.52", "0.005"), False), ("buy", ("500", "1"), False),
        ("sell", ("1", "98"), True), ("sell", ("1", "97.99"), False), ("sell", ("0.005", "0.48"), False),
        ("sell", ("0.005", "0.5"), True), ("sell", ("1", "500"), True),
        # What is not said, or cannot be, is no price: nothing to compare with.
        ("buy", (), True), ("buy", ("0", "1"), True), ("buy", ("500", "0"), True), ("sell", ("0", "1"), True),
    ],
)  # fmt: skip
def test_what_was_created_on_a_chain_is_held_against_the_collar(journal, side, gets, passes):
    limit(journal, collar=2)
    intent = created(journal, "i-1", side, *gets)
    if passes:
        assert sign(journal, intent).state is State.EXECUTING
    else:
        with pytest.raises(GuardRefused) as caught:
            sign(journal, intent)
        assert (caught.value.rule, caught.value.limit) == ("collar", "102" if side == "buy" else "98")


def test_a_doubt_about_an_execute_is_not_held_against_the_collar_again(journal):
    """It was approved, and may be there already: the very same bytes go once more, or nobody hears of it."""
    intent = journal.move(sign(journal, created(journal, "i-1", "buy", "500", "1")), State.UNKNOWN)
    limit(journal, collar=2)
    assert intent.last_order.chain_quote.quantity == 500
    assert sign(journal, intent).state is State.EXECUTING


def test_before_it_is_created_there_is_no_price_to_hold_against_the_collar(journal):
    limit(journal, collar=0)
    assert (
        send(journal, "i-1", order("100", chain="base", reference_price="500"), ground=HUNDRED).state is State.SENDING
    )


# --- word for word ----------------------------------------------------------------------------------------------


def test_what_an_order_that_is_too_much_is_told(journal):
    limit(journal, order=50)
    assert said(refused(journal, "i-1", order("50.01"))) == (
        "This order is worth 50.01, and the limit is 50. Nothing was sent.", "order", "50", "50.01", None,
    )  # fmt: skip
    # Cents for a person, and never as if it were within the limit.
    assert said(refused(journal, "i-0", order("50.00014")))[:4] == (
        "This order is worth 50.01, and the limit is 50. Nothing was sent.", "order", "50", "50.00014",
    )  # fmt: skip
    limit(journal, hour=100, collar=None)
    sent(journal, "a", order("60"), at=NOW - timedelta(minutes=20))
    assert said(refused(journal, "i-2", order("41"))) == (
        ("With this, the orders of the last hour are worth 101, and the limit is 100. Nothing was sent. It frees again "
        "at 2030-11-21 12:40:00 UTC."), "hour", "100", "101", "2030-11-21T12:40:00.000000Z",
    )  # fmt: skip
    limit(journal, day=100, collar=None)
    assert said(refused(journal, "i-3", order("41"))) == (
        ("With this, the orders of today are worth 101, and the limit is 100. Nothing was sent. It frees again at "
        "2030-11-22 00:00:00 UTC."), "day", "100", "101", MIDNIGHT,
    )  # fmt: skip
    assert refused(journal, "i-4", order("100")).details["frees_at"] == MIDNIGHT
    limit(journal, orders_hour=0)
    assert said(refused(journal, "i-5", order("1"))) == (
        "1 orders were sent in the last hour, and the limit is 0. Nothing was sent.", "orders_hour", "0", "1", None,
    )  # fmt: skip
    limit(journal, orders_hour=1)
    assert said(refused(journal, "i-6", order("1"))) == (
        ("1 orders were sent in the last hour, and the limit is 1. Nothing was sent. It frees again at 2030-11-21 "
        "12:40:00 UTC."), "orders_hour", "1", "1", "2030-11-21T12:40:00.000000Z",
    )  # fmt: skip


def test_what_is_too_many_is_told(journal):
    limit(journal, unknowns=2, in_flight=3)
    for name in ("a", "b"):
        sent(journal, name, order("1", base=f"X{name}".upper()), state=State.UNKNOWN)
    assert said(refused(journal, "i-1", order("3"))) == (
        ("2 of this account's intents are in doubt, and the limit is 2. Nothing new is sent until they are resolved: "
        "`tradehook intents reconcile`, then `tradehook intents list`."), "unknowns", "2", "2", None,
    )  # fmt: skip
    limit(journal, unknowns=None, in_flight=2)
    assert said(refused(journal, "i-1", order("3"))) == (
        ("2 of this account's intents are under way or in doubt, and the limit is 2. Nothing was sent. Try again when "
        "one has its answer."), "in_flight", "2", "2", None,
    )  # fmt: skip


def test_what_a_twin_is_told(journal):
    sent(journal, "a", order("3"), state=State.UNKNOWN)
    assert said(refused(journal, "i-1", order("3"))) == (
        ("The same order was sent before and may be there: intent a, in doubt since 2030-11-21 12:00:00 UTC. Nothing "
        "was sent. Look at it first: `tradehook intents show a`."), "twin", "1", "a", None,
    )  # fmt: skip
    assert decide(journal, "i-2", order("3.01")) == Decimal("3.01")


def test_what_is_worse_than_the_collar_or_cannot_be_compared_is_told(journal):
    limit(journal, collar=2, live=True)
    dear = order("1", unit="base", price="102.123456789", reference_price="100")
    assert said(refused(journal, "i-1", dear)) == (
        "The price, 102.12345679 PYUSD, is more than 2% worse than the reference, 100. Nothing was sent.", "collar",
        "102", "102.12345679", None,
    )  # fmt: skip
    journal.assets.allow(HOST, "BTC", by="a")
    assert said(refused(journal, "i-2", order("5"), ground=Ground(is_live=True))) == (
        ("No independent price of BTC could be had, so the price collar cannot be looked at. Nothing was sent. Try "
        "again, or take the collar off with `tradehook limits set`."), "collar", "2%", None, None,
    )  # fmt: skip


def test_what_cannot_be_priced_or_is_not_settled_is_told(journal):
    limit(journal, order=5)
    odd = order("3", unit="base", side="sell", base="ODD", reference_price=None)
    assert refused(journal, "i-1", odd, ground=Ground()).message == (
        "No price is known for this order, so it cannot be held against the limits of this account. Nothing was sent. "
        "Try again when its price can be had (`tradehook price`)."
    )
    cold(journal)
    limit(journal, transfer=5)
    assert "for this transfer, so" in refused(journal, "t-1", transfer("1", asset="BTC"), ground=Ground()).message
    cold_cap = journal.destinations
    cold_cap.remove(HOST, "cold", by="a")
    cold(journal, day_cap=Decimal(5))
    limit(journal)
    assert "for this transfer, so" in refused(journal, "t-2", transfer("1", asset="BTC"), ground=Ground()).message


def test_what_a_transfer_that_is_too_much_is_told(journal):
    cold(journal, day_cap=Decimal(70))
    limit(journal, live=True)
    assert said(refused(journal, "t-1", transfer("1"), environment="live")) == (
        "This account sends no transfers. Nothing was sent. `tradehook limits set --transfer` allows them.", "transfer",
        "none", None, None,
    )  # fmt: skip
    limit(journal, transfer=50)
    assert said(refused(journal, "t-2", transfer("50.01"))) == (
        "This transfer is worth 50.01, and the limit is 50. Nothing was sent.", "transfer", "50", "50.01", None,
    )  # fmt: skip
    sent(journal, "a", transfer("60"), at=NOW)
    limit(journal, transfer_day=60)
    assert said(refused(journal, "t-3", transfer("1"))) == (
        ("With this, the transfers of today are worth 61, and the limit is 60. Nothing was sent. It frees again at "
        "2030-11-22 00:00:00 UTC."), "transfer_day", "60", "61", MIDNIGHT,
    )  # fmt: skip
    limit(journal)
    assert said(refused(journal, "t-4", transfer("11"))) == (
        ("With this, what goes to this destination today is worth 71, and the limit is 70, the cap of cold. Nothing was "
        "sent. It frees again at 2030-11-22 00:00:00 UTC."), "destination_day", "70", "71", MIDNIGHT,
    )  # fmt: skip
    assert decide(journal, "t-5", transfer("10")) == 10


@pytest.mark.parametrize("capped", [{"transfer_day": 60}, {"transfer": 60, "transfer_day": 60}])
def test_a_days_transfers_are_those_of_the_day(journal, capped):
    cold(journal)
    limit(journal, **capped)
    sent(journal, "yesterday", transfer("50"), at=NOW - timedelta(hours=12, microseconds=1))
    sent(journal, "first", transfer("20"), at=NOW - timedelta(hours=12))
    sent(journal, "order", order("60"), at=NOW)
    assert decide(journal, "t-1", transfer("40")) == 40
    assert refused(journal, "t-2", transfer("40.01")).actual == "60.01"


def test_what_goes_to_a_destination_counts_for_its_address_whatever_it_was_called(journal):
    cold(journal, day_cap=Decimal(60))
    sent(journal, "yesterday", transfer("50"), at=NOW - timedelta(hours=12, microseconds=1))
    sent(journal, "first", transfer("20", to="of another name"), at=NOW - timedelta(hours=12))
    sent(journal, "order", order("60"), at=NOW)
    assert decide(journal, "t-1", transfer("40")) == 40
    assert refused(journal, "t-2", transfer("40.01")).actual == "60.01"


@pytest.mark.parametrize("cap", [None, Decimal(60), Decimal(100)])
def test_a_cap_holds_for_an_address_whatever_label_it_is_sent_to(journal, cap):
    cold(journal, day_cap=Decimal(60))
    journal.destinations.add(HOST, "cold2", network="base", address=ADDRESS.lower(), by="a", day_cap=cap)
    journal.destinations.add(HOST, "chain", network="ethereum", address=ADDRESS, by="a")
    sent(journal, "first", transfer("50"), at=NOW)
    assert refused(journal, "t-1", transfer("11", to="cold2")).message.startswith(
        "With this, what goes to this destination today is worth 61, and the limit is 60, the cap of cold, which is the "
        "same address. Nothing was sent."
    )
    assert decide(journal, "t-2", transfer("11", to="chain", network="ethereum")) == 11
    journal.destinations.remove(HOST, "cold", by="a")
    if cap != 60:
        assert decide(journal, "t-3", transfer("11", to="cold2")) == 11
    else:
        assert refused(journal, "t-3", transfer("11", to="cold2")).limit == "60"


def test_the_case_of_an_address_makes_no_other_one_of_it(journal):
    cold(journal, day_cap=Decimal(60))
    sent(journal, "first", transfer("50", address=ADDRESS.lower()), at=NOW)
    assert refused(journal, "t-1", transfer("11")).actual == "61"
    with journal.engine.begin() as connection:
        connection.execute(update(DESTINATION).values(address=ADDRESS.lower()))
    journal.destinations.add(HOST, "cold2", network="base", address=ADDRESS, by="a")
    assert refused(journal, "t-2", transfer("11", to="cold2")).limit == "60"


@pytest.mark.parametrize("other", [{"address": "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"}, {"network": "solana"}])
def test_a_transfer_for_what_a_label_no_longer_means_is_told(journal, other):
    cold(journal)
    elsewhere = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
    journal.destinations.add("elsewhere", "cold", network="base", address=elsewhere, by="a")
    assert decide(journal, "t-1", transfer("1")) == 1
    assert said(refused(journal, "t-2", transfer("1", **other))) == (
        ("Not sent: cold is no longer the address this transfer was made for. Look at `tradehook destinations`, and begin "
        "again with a new transfer."), "destination", None, "cold", None,
    )  # fmt: skip
    journal.destinations.remove(HOST, "cold", by="a")
    assert refused(journal, "t-3", transfer("1")).rule == "destination"


def test_a_destination_that_cools_off_says_until_when(journal):
    added = cold(journal).added_at
    limit(journal, destination_cool_off_hours=2)
    opens = added + timedelta(hours=2)
    message, rule, hours, actual, frees = said(refused(journal, "t-1", transfer("1"), now=opens - timedelta(seconds=1)))
    assert message == (
        f"cold was put on the list at {clock_of(actual)}; money goes there 2 h later. Nothing was sent. It frees again at "
        f"{opens:%Y-%m-%d %H:%M:%S} UTC."
    )
    assert (rule, hours, datetime.fromisoformat(actual), datetime.fromisoformat(frees)) == (
        "cool_off",
        "2 h",
        added,
        opens,
    )
    live = decide(journal, "t-2", transfer("1"), now=datetime.now(UTC) + timedelta(days=2))
    assert live == 1


def test_an_hour_frees_at_the_moment_that_makes_exactly_enough_room(journal):
    limit(journal, hour=100, collar=None)
    sent(journal, "a", order("40"), at=NOW - timedelta(minutes=50))
    sent(journal, "b", order("60"), at=NOW - timedelta(minutes=20))
    assert refused(journal, "i-1", order("40")).details["frees_at"] == "2030-11-21T12:10:00.000000Z"
    assert refused(journal, "i-2", order("40.01")).details["frees_at"] == "2030-11-21T12:40:00.000000Z"
    assert refused(journal, "i-3", order("100")).details["frees_at"] == "2030-11-21T12:40:00.000000Z"


def test_a_live_account_waits_a_day_before_money_goes_to_a_new_destination(journal):
    opens = cold(journal).added_at + timedelta(hours=24)
    limit(journal, live=True, transfer=5)
    early = opens - timedelta(microseconds=1)
    assert refused(journal, "t-1", transfer("1"), environment="live", now=early).limit == "24 h"
    assert decide(journal, "t-2", transfer("1"), environment="live", now=opens) == 1


def test_the_figures_of_the_collar_are_told_to_the_eighth_place(journal):
    limit(journal, collar=2)
    dear = order("1", unit="base", price="200", reference_price="200")
    error = refused(journal, "i-1", dear, ground=Ground(price=Decimal("100.1234567891")))
    assert "than the reference, 100.12345679. Nothing was sent." in error.message
    assert error.limit == "102.12592592"


def test_a_day_begins_with_its_midnight_and_an_hour_ends_with_its_last_moment(journal):
    sent(journal, "midnight", order("60"), at=NOW - timedelta(hours=12))
    sent(journal, "an hour ago", order("30"), at=NOW - timedelta(hours=1))
    limit(journal, day=100)
    assert decide(journal, "i-1", order("10")) == 10
    assert refused(journal, "i-2", order("10.01")).actual == "100.01"
    limit(journal, hour=100)
    assert decide(journal, "i-3", order("100")) == 100
    assert refused(journal, "i-4", order("100.01")).actual == "100.01"


# --- what is reserved at all --------------------------------------------------------------------------------------


def test_what_is_not_settled_is_refused_where_there_are_limits_and_so_is_a_plan(journal):
    plan, _ = journal.prepare(
        "p-1", kind="plan", exchange="true_markets", host=HOST, environment="sandbox", account="main", source="test",
        asked={},
    )  # fmt: skip
    plan = journal.settle(plan, order("1").to_dict())
    limit(journal)
    with pytest.raises(GuardRefused) as caught:
        journal.start(plan, to=State.SENDING, owner="o:1:1", account_id="user-1")
    assert caught.value.rule == "worth"
    assert caught.value.message == "It is not settled what would be sent, so no limit can be looked at."


def test_a_live_account_that_nobody_opened_is_named(journal):
    error = refused(journal, "i-1", order("1"), environment="live")
    assert (error.rule, error.actual, error.exchange) == ("live", HOST, "true_markets")
    limit(journal, live=False)
    assert refused(journal, "i-2", order("1"), environment="live").rule == "live"


def test_without_limits_no_number_of_doubts_stops_anything(journal):
    for number in range(1, 6):
        sent(journal, f"d-{number}", order(str(number)), state=State.UNKNOWN)
    assert decide(journal, "i-1", order("9")) == 9


def test_the_second_step_does_not_count_its_own_first(journal):
    limit(journal, day=100, hour=100, in_flight=1, orders_hour=1, collar=None)
    intent = journal.move(send(journal, "i-1", order("100"), ground=HUNDRED), State.CREATED)
    assert sign(journal, intent).state is State.EXECUTING
