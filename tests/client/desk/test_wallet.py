"""What a wallet tells of an order is evidence: as much as it shows, and never more."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook.desk.wallet import Move, is_whole, judge, moves
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
