"""What a person is asked about before something odd is sent: the same again, a large share, many times the usual."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.client.desk.test_limits import ACCOUNT, HOST, NOW, order, sent, transfer

from tradehook.desk.intents import State, iso
from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.desk.questions import ask, questions
from tradehook.desk.schema import writing
from tradehook.desk.tables import INTENT
from tradehook.futures import SizedFuturesOrder
from tradehook.models import Balance, NewOrder
from tradehook.run import run

POSITION = SizedFuturesOrder(contract="BTC/USDT", position_side="long", action="open", contracts=1, currency="USDT")


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def asked(journal, settled, *, balances=(), now=NOW, host=HOST, account_id=ACCOUNT):
    return questions(journal.engine, settled, host=host, account_id=account_id, balances=balances, now=now)


def has(symbol="PYUSD", available="1000", *, chain=None, held="0"):
    total = Decimal(available) + Decimal(held)
    return Balance(symbol=symbol, chain=chain, total=total, available=available, held=held)


def change(journal, name, **values):
    with writing(journal.engine) as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == name).values(values))


def limit(journal, **fields):
    journal.limits.set(HOST, ACCOUNT, Limits(**fields), by="test")


# --- the same again -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("settled", "what"), [(order(), "order"), (transfer(), "transfer")])
def test_the_same_within_a_minute_is_asked_about_with_its_name_and_age(journal, settled, what):
    sent(journal, "older", settled, at=NOW - timedelta(seconds=50))
    sent(journal, "i-1", settled, at=NOW - timedelta(seconds=12.9))
    sent(journal, "other", settled.model_copy(update={"quantity": Decimal(51)}), at=NOW)
    assert asked(journal, settled) == (f"The same {what} was sent 12 s ago (intent i-1). Send it once more?",)
    assert asked(journal, transfer() if what == "order" else order()) == ()


def test_a_futures_order_is_asked_about_in_its_own_words_and_by_nothing_else(journal):
    sent(journal, "f-1", order())
    change(journal, "f-1", kind="futures", request=json.dumps(POSITION.to_dict()))
    said = "The same futures order was sent 0 s ago (intent f-1). Send it once more?"
    assert asked(journal, POSITION, balances=[has("USDT", "1")]) == (said,)


@pytest.mark.parametrize(("ago", "is_asked"), [(60, True), (-5, True), (60.000001, False), (61, False), (3600, False)])
def test_it_is_asked_for_a_minute(journal, ago, is_asked):
    sent(journal, "i-1", order(), at=NOW - timedelta(seconds=ago))
    seconds = max(0, int(ago))
    said = f"The same order was sent {seconds} s ago (intent i-1). Send it once more?"
    assert asked(journal, order()) == ((said,) if is_asked else ())


@pytest.mark.parametrize("state", list(State))
def test_only_what_was_sent_or_is_being_sent_counts(journal, state):
    sent(journal, "i-1", order(), state=state)
    counts = {State.ACCEPTED, State.MATCHED, State.SENDING, State.EXECUTING, State.CREATED}
    assert (asked(journal, order()) != ()) is (state in counts)


@pytest.mark.parametrize(
    "values",
    [{"host": "x"}, {"account_id": "x"}, {"kind": "transfer"}, {"request": None}],
    ids=lambda one: next(iter(one)),
)
def test_what_is_anothers_is_not_the_same(journal, values):
    sent(journal, "i-1", order())
    assert asked(journal, order()) != ()
    change(journal, "i-1", **values)
    assert asked(journal, order()) == ()


def test_without_a_moment_it_is_asked_about_now(journal):
    sent(journal, "i-1", order(), at=datetime.now(UTC))
    assert len(asked(journal, order(), now=None)) == 1
    change(journal, "i-1", sending_at=iso(datetime.now(UTC) - timedelta(minutes=2)))
    assert asked(journal, order(), now=None) == ()


# --- a large share ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settled", "symbol", "amount"),
    [
        (order("50"), "PYUSD", 50),
        (order("2", unit="base", reference_price="100"), "PYUSD", 200),
        (order("2", unit="base", price="90", reference_price="100"), "PYUSD", 180),
        (order("2", unit="base", side="sell"), "BTC", 2),
        (order("50", side="sell", reference_price="100"), "BTC", "0.5"),
        (order("50", side="sell", price="200", reference_price="100"), "BTC", "0.25"),
        (transfer("50", chain=None), "USDC", 50),
    ],
)
def test_a_share_is_one_of_what_leaves(journal, settled, symbol, amount):
    """More than the half of it, here; exactly the half is not."""
    limit(journal, fat_finger_percent=Decimal(50))
    half = [has("BTC", "0.00001"), has("PYUSD", "0.00001"), has("USDC", "0.00001")]
    others = [one for one in half if one.symbol != symbol]
    assert asked(journal, settled, balances=[*others, has(symbol, str(Decimal(amount) * 2))]) == ()
    there = Decimal(amount) * Decimal("1.6")
    assert asked(journal, settled, balances=[*others, has(symbol, str(there), held="9999")]) == (
        f"That is 62.5% of the {there.normalize():f} {symbol} that are available. Is it meant?",
    )


def test_what_is_available_is_added_up_where_it_trades(journal):
    limit(journal, fat_finger_percent=Decimal(50))
    here = [has("USDC", "30", chain="base"), has("USDC", "40", chain="base")]
    settled = transfer("50", chain="base")
    elsewhere = [has("USDC", "999"), has("USDC", "999", chain="solana"), has("BTC", "999", chain="base")]
    said = ("That is 71.4% of the 70 USDC that are available. Is it meant?",)
    assert asked(journal, settled, balances=[*here, *elsewhere]) == said
    assert asked(journal, settled, balances=elsewhere) == ()
    assert asked(journal, settled, balances=[has("USDC", "0", chain="base")]) == ()


def test_the_share_is_the_limits(journal):
    there = [has("PYUSD", "100")]
    default = Limits().fat_finger_percent
    assert asked(journal, order(str(default)), balances=there) == ()
    assert asked(journal, order(str(default + 1)), balances=there) != ()
    limit(journal, fat_finger_percent=None)
    assert asked(journal, order("100"), balances=there) == ()


# --- many times the usual -----------------------------------------------------------------------------------------


def usual(journal, *worths):
    for number, worth in enumerate(worths):
        sent(journal, f"own-{number}", order(worth), at=NOW - timedelta(hours=len(worths) - number))


def test_more_than_five_times_the_middle_of_the_last_orders_is_asked_about(journal):
    usual(journal, "1", "90", "10", "8", "12")
    assert asked(journal, order("50")) == ()
    assert asked(journal, order("51")) == (
        "That is 5.1 times what your last 5 orders were worth (about 10). Is it meant?",
    )
    limit(journal, fat_finger_times=Decimal(2))
    assert asked(journal, order("20")) == ()
    assert asked(journal, order("21")) != ()
    limit(journal, fat_finger_times=None)
    assert asked(journal, order("9999")) == ()


def test_four_orders_have_no_middle(journal):
    usual(journal, "10", "10", "10", "10")
    assert asked(journal, order("9999")) == ()


def test_the_newest_twenty_are_the_last(journal):
    usual(journal, *["1000"] * 20, *["10"] * 20)
    assert asked(journal, order("100")) == (
        "That is 10 times what your last 20 orders were worth (about 10). Is it meant?",
    )
    change(journal, "own-20", sending_at=iso(NOW - timedelta(days=9)))
    assert "20 orders were worth (about 10)" in asked(journal, order("100"))[0]


@pytest.mark.parametrize(
    "values",
    [
        {"host": "x"},
        {"account_id": "x"},
        {"kind": "plan"},
        {"state": "REJECTED"},
        {"notional": None},
        {"notional": "0"},
    ],
    ids=lambda one: next(iter(one)),
)
def test_only_the_accounts_own_orders_that_are_worth_something_are_usual(journal, values):
    usual(journal, *["10"] * 5)
    assert asked(journal, order("100")) != ()
    for number in range(5):
        change(journal, f"own-{number}", **values)
    assert asked(journal, order("100")) == ()


def test_a_transfer_is_not_compared_with_orders(journal):
    usual(journal, *["10"] * 5)
    assert asked(journal, transfer("9999")) == ()


def test_less_than_one_is_usual_as_well_and_times_are_rounded(journal):
    usual(journal, *["0.5"] * 5)
    said = "That is 6.7 times what your last 5 orders were worth (about 0.5). Is it meant?"
    assert asked(journal, order("3.36")) == (said,)


def test_whoever_asks_for_an_account_hears_what_that_account_sent(world):
    desk = world.desk()
    buy = NewOrder.of("BTC/PYUSD", side="buy", amount="$20")
    settled = run(desk.exchange.size_order(buy))
    assert run(ask(desk.exchange, desk.journal.engine, settled)) == ()
    desk.place_order(buy, intent_id="i-1", source="test")
    (said,) = run(ask(desk.exchange, desk.journal.engine, settled))
    assert said.startswith("The same order was sent ")


def test_all_that_is_odd_is_asked_about_in_one_go(journal):
    usual(journal, *["10"] * 5)
    sent(journal, "i-1", order("100"))
    said = asked(journal, order("100"), balances=[has("PYUSD", "101")])
    assert [text.split()[:4] for text in said] == [
        ["The", "same", "order", "was"], ["That", "is", "99%", "of"], ["That", "is", "10", "times"],
    ]  # fmt: skip
