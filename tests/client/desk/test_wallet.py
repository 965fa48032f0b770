"""What a wallet tells of an order is evidence: as much as it shows, and never more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook.desk.wallet import Move, commitment, covers, is_whole, judge, moves
from tradehook.models import OrderStatus, Side, SizedOrder, Unit

NOTHING = Move(Decimal(0), Decimal(0))


def order(side="buy", quantity="0.01", unit=Unit.BASE, price="70000", **more):
    return SizedOrder(
        base="BTC",
        quote="USDT",
        side=Side(side),
        quantity=Decimal(quantity),
        unit=unit,
        price=Decimal(price) if price else None,
        typed=quantity,
        **more,
    )


def move(total="0", held="0"):
    return Move(Decimal(total), Decimal(held))


def status(wanted, base=NOTHING, quote=NOTHING, *, seconds=100.0, **more):
    return judge(wanted, base=base, quote=quote, seconds=seconds, **more).status


CASES = [
    ("bought, fee in base", order(), move("0.00999"), move("-700"), "probably_filled"),
    ("bought cheaper than the limit", order(), move("0.00999"), move("-670"), "probably_filled"),
    ("bought, no fee", order(), move("0.01"), move("-700"), "probably_filled"),
    ("sold, fee in quote", order("sell"), move("-0.01"), move("699.3"), "probably_filled"),
    ("sold, rounded down to a step", order("sell", "0.0100096"), move("-0.01"), move("699.3"), "probably_filled"),
    (
        "spent a sum",
        order(quantity="500", unit=Unit.QUOTE, price=None),
        move("0.00713"),
        move("-499.99"),
        "probably_filled",
    ),
    ("rests", order(), NOTHING, move("0", "700"), "accepted"),
    ("a sale rests", order("sell"), move("0", "0.01"), NOTHING, "accepted"),
    ("a part, the rest is held", order(), move("0.004"), move("-280", "420"), "accepted"),
    ("nearly all of it, the last is held", order(), move("0.009945"), move("-696.5", "3.5"), "accepted"),
    ("a part, nothing is held", order(), move("0.004"), move("-280"), "cannot_tell"),
    ("no trace", order(), NOTHING, NOTHING, "cannot_tell"),
    ("paid more than the limit", order(), move("0.00999"), move("-710"), "cannot_tell"),
    ("more came in than was ordered", order(), move("0.0101"), move("-707"), "cannot_tell"),
    ("came in, and nothing was paid: a deposit", order(), move("0.01"), NOTHING, "cannot_tell"),
    ("sold, and nothing came in: a withdrawal", order("sell"), move("-0.01"), NOTHING, "cannot_tell"),
    ("sold for too little", order("sell"), move("-0.01"), move("600"), "cannot_tell"),
    ("the other way", order(), move("-0.01"), move("700"), "cannot_tell"),
]


@pytest.mark.parametrize(
    ("wanted", "base", "quote", "says"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_what_is_concluded(wanted, base, quote, says):
    assert status(wanted, base, quote) == says


def test_a_fresh_order_may_have_left_no_trace_yet():
    assert status(order(), seconds=1) is OrderStatus.ACCEPTED


def test_what_another_order_may_have_done_proves_nothing():
    found = judge(order(), base=move("0.00999"), quote=move("-700"), seconds=100, others=1)
    assert found.status is OrderStatus.CANNOT_TELL
    assert "1 other order may have done that" in found.evidence


@pytest.mark.parametrize(
    ("base", "quote", "says"),
    [
        (NOTHING, NOTHING, "canceled"),
        (move("0.004"), move("-280"), "canceled"),
        (NOTHING, move("0", "700"), "canceling"),
        (move("0.004"), move("-300"), "canceling"),
        (move("0.00999"), move("-700"), "probably_filled"),
        (move("-0.5"), NOTHING, "canceling"),
    ],
)
def test_after_a_cancel_was_accepted(base, quote, says):
    assert status(order(), base, quote, is_canceled=True) == says


def test_a_market_order_is_held_against_the_price_that_was_looked_at():
    wanted = order(price=None, reference_price=Decimal(70_000))
    assert status(wanted, move("0.00999"), move("-703")) is OrderStatus.PROBABLY_FILLED
    assert status(wanted, move("0.00999"), move("-900")) is OrderStatus.CANNOT_TELL


def test_the_evidence_is_said_in_the_wallets_own_words():
    found = judge(order(), base=move("0.00999"), quote=move("-700.5"), seconds=100)
    assert found.evidence == "since it was sent: BTC +0.00999, USDT -700.5"
    assert "700 USDT more held for orders" in judge(order(), base=NOTHING, quote=move("0", "700"), seconds=1).evidence


def test_moves_are_read_from_what_the_baseline_keeps():
    before, after = {"USDT": "1000/1000", "BTC": "1/0.5"}, {"USDT": "1000/300"}
    assert moves(before, after, "USDT") == move("0", "700")
    assert moves(before, after, "BTC") == move("-1", "-0.5")
    assert moves(before, after, "ETH") == NOTHING


# --- at the boundaries ------------------------------------------------------------------------------------------

SUM = order(quantity="500", unit=Unit.QUOTE, price=None, reference_price=Decimal(70_000))
SALE_FOR = order("sell", "500", Unit.QUOTE, price=None, reference_price=Decimal(70_000))
MARKET = order(price=None, reference_price=Decimal(70_000))
FREE = order(quantity="500", unit=Unit.QUOTE, price=None)


@pytest.mark.parametrize(
    ("wanted", "base", "quote", "says"),
    [
        # What is still held: up to a hundredth may be the last of this order, more belongs to another.
        (order(), move("0.00995"), move("-696.5", "0.5"), "accepted"),
        (order(), move("0.01"), move("-699.5", "0.5"), "accepted"),
        (order(), move("0.0099"), move("-693", "7"), "accepted"),
        (order(), move("0.0099"), move("-693", "7.01"), "probably_filled"),
        (order("sell"), move("-0.004", "0.006"), move("280"), "accepted"),
        # A buy of a sum costs at most that sum; a sale for a sum may bring a hundredth more.
        (SUM, move("0.00713"), move("-503"), "cannot_tell"),
        (SALE_FOR, move("-0.00718"), move("503"), "probably_filled"),
        (SALE_FOR, move("-0.00722"), move("505.1"), "cannot_tell"),
        (SUM, move("0.0043"), move("-300"), "cannot_tell"),
        (FREE, move("0.0043"), move("-300"), "cannot_tell"),
        (FREE, NOTHING, move("-500"), "cannot_tell"),
        # A market order may trade six hundredths from the price that was looked at, fee and all.
        (SUM, move("0.00672"), move("-500"), "probably_filled"),
        (SUM, move("0.00671"), move("-500"), "cannot_tell"),
        (SUM, move("0.00757"), move("-500"), "probably_filled"),
        (SUM, move("0.00758"), move("-500"), "cannot_tell"),
        (MARKET, move("0.01"), move("-742"), "probably_filled"),
        (MARKET, move("0.01"), move("-742.01"), "cannot_tell"),
        # A limit order does not, but for its fee.
        (order(), move("0.01"), move("-707"), "probably_filled"),
        (order(), move("0.01"), move("-707.01"), "cannot_tell"),
        (order("sell"), move("-0.0101"), move("707"), "cannot_tell"),
    ],
)
def test_what_is_concluded_at_the_boundaries(wanted, base, quote, says):
    assert status(wanted, base, quote) == says


@pytest.mark.parametrize(
    ("wanted", "base", "quote", "explains"),
    [
        (order(), move("0.005"), NOTHING, False),
        (FREE, move("-0.001"), NOTHING, False),
        (FREE, NOTHING, move("0.5"), False),
        (order("sell"), move("-0.005"), move("300"), False),
        (order("sell"), move("-0.005"), move("346.5"), True),
        (SUM, move("0.00713"), move("-505"), True),
        (SUM, move("0.00713"), move("-505.01"), False),
    ],
)
def test_a_move_that_no_part_of_the_order_makes_is_seen_at_once(wanted, base, quote, explains):
    found = judge(wanted, base=base, quote=quote, seconds=1)
    assert found.status == ("accepted" if explains else "cannot_tell")
    assert found.evidence.endswith("which this order does not explain") is not explains


def test_an_order_has_a_minute_to_leave_a_trace():
    assert status(order(), seconds=59.9) is OrderStatus.ACCEPTED
    assert status(order(), seconds=60) is OrderStatus.CANNOT_TELL


def test_a_canceled_order_is_canceling_while_anything_is_held_for_it():
    assert status(order(), NOTHING, move("0", "0.5"), is_canceled=True) is OrderStatus.CANCELING


@pytest.mark.parametrize(
    ("wanted", "base", "quote", "says"),
    [
        # Found by the machine, seed 101000004: sized at one price, sent an hour later at another, filled, canceled.
        (SUM, move("0.0098"), move("-499.9"), "cannot_tell"),
        (MARKET, move("0.01"), move("-800"), "cannot_tell"),
        (SUM, move("0.0043"), move("-300"), "canceled"),
        (MARKET, move("0.004"), move("-280"), "canceled"),
    ],
)
def test_what_moved_as_much_as_the_whole_order_was_not_canceled_before_it_was_whole(wanted, base, quote, says):
    assert status(wanted, base, quote, is_canceled=True) == says


@pytest.mark.parametrize(("canceled", "says"), [(False, "accepted"), (True, "canceling")])
def test_what_must_still_rest_is_said_with_what_is_held_for_it(canceled, says):
    found = judge(order(), base=NOTHING, quote=NOTHING, seconds=100, rests=True, is_canceled=canceled)
    assert (found.status, found.evidence) == (says, "700 USDT are held for it")


@pytest.mark.parametrize(
    ("base", "quote", "more", "evidence"),
    [
        (move("0.004"), move("-280"), {"others": 2}, "since it was sent: BTC +0.004, USDT -280, and 2 other orders may have done that"),
        (NOTHING, NOTHING, {"is_canceled": True}, "nothing in the wallet has moved since it was sent; nothing is held for it any more"),
        (NOTHING, move("0", "700"), {"is_canceled": True}, "since it was sent: 700 USDT more held for orders"),
        (move("0.01"), NOTHING, {}, "since it was sent: BTC +0.01, which this order does not explain"),
        (NOTHING, move("0", "-5"), {}, "since it was sent: 5 USDT less held for orders, and nothing is held for it"),
        (NOTHING, move("0", "0.5"), {}, "since it was sent: 0.5 USDT more held for orders"),
    ],
)  # fmt: skip
def test_every_verdict_says_what_it_was_concluded_from(base, quote, more, evidence):
    assert judge(order(), base=base, quote=quote, seconds=100, **more).evidence == evidence


@pytest.mark.parametrize(
    ("wanted", "takes"),
    [
        (order("sell"), ("BTC", Decimal("0.01"))),
        (order(), ("USDT", Decimal(700))),
        (MARKET, ("USDT", Decimal(700))),
        (order(quantity="500", unit=Unit.QUOTE), ("USDT", Decimal(500))),
        (order(price=None), ("USDT", Decimal(0))),
    ],
)
def test_what_an_order_takes_out_of_the_wallet(wanted, takes):
    assert commitment(wanted) == takes


@pytest.mark.parametrize(
    ("now", "orders", "rest"),
    [
        ({"USDT": "1000/300"}, [order()], True),
        ({"USDT": "1000/300.01"}, [order()], False),
        ({"USDT": "1000/300"}, [order(), order("sell")], True),  # a sale holds another coin
        ({"USDT": "1000/300"}, [order(), order(quantity="0.0001")], False),
        ({"USDT": "1000/0"}, [order(price=None)], False),  # nobody knows how much it would hold
        ({"USDT": "1000/999"}, [order(quantity="0.00001")], True),
        ({}, [order()], False),
    ],
)
def test_only_what_holds_all_of_them_says_that_they_rest(now, orders, rest):
    assert covers(now, orders, orders[0]) is rest


amounts = st.decimals("-10000", "10000", places=6)


@given(side=st.sampled_from(["buy", "sell"]), base=amounts, quote=amounts, held=amounts, canceled=st.booleans())
def test_nothing_is_called_filled_that_did_not_move_both_coins_the_right_way(side, base, quote, held, canceled):
    wanted = order(side)
    found = judge(wanted, base=Move(base, held), quote=Move(quote, held), seconds=100, is_canceled=canceled)
    assert found.status is not OrderStatus.FILLED
    if found.status is OrderStatus.PROBABLY_FILLED:
        into, out = (base, quote) if side == "buy" else (quote, base)
        assert into > 0 > out
        assert abs(base) <= wanted.quantity


@given(
    side=st.sampled_from(["buy", "sell"]),
    quantity=st.decimals("0.0001", "100", places=4),
    price=st.decimals("1", "100000", places=2),
    fee=st.decimals("0", "0.01", places=4),
)
def test_a_fill_at_the_limit_with_a_fee_up_to_a_hundredth_is_seen(side, quantity, price, fee):
    wanted = order(side, str(quantity), price=str(price))
    cost = quantity * price
    base = quantity * (1 - fee) if side == "buy" else -quantity
    quote = -cost if side == "buy" else cost * (1 - fee)
    assert is_whole(wanted, base=Move(base, Decimal(0)), quote=Move(quote, Decimal(0)))
