"""What counts towards a limit and what does not: transfers, what is an hour old, and the order itself when it is signed."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.client.desk.test_attempts import ON_CHAIN
from tests.client.desk.test_limits import NOW, decide, journal, limit, order, refused, sent, transfer

from tradehook.desk.limits import Limits
from tradehook.errors import GuardRefused
from tradehook.run import run

__all__ = ["journal"]  # a fixture


def test_transfers_do_not_count_as_orders_of_the_last_hour(journal):
    limit(journal, orders_hour=1, transfer=100, transfer_day=1000)
    for name in ("t-1", "t-2"):
        sent(journal, name, transfer("1"), at=NOW - timedelta(minutes=1))
    assert decide(journal, "i-1", order("5")) == 5
    sent(journal, "i-2", order("6"), at=NOW - timedelta(minutes=1))
    assert refused(journal, "i-3", order("7")).rule == "orders_hour"


@pytest.mark.parametrize(("seconds", "counts"), [(3599, True), (3600, False), (3601, False)])
def test_an_order_counts_for_less_than_an_hour(journal, seconds, counts):
    limit(journal, orders_hour=1)
    sent(journal, "i-1", order("5"), at=NOW - timedelta(seconds=seconds))
    if counts:
        assert refused(journal, "i-2", order("6")).rule == "orders_hour"
    else:
        assert decide(journal, "i-2", order("6")) == 6


def test_an_order_does_not_count_against_itself_when_it_is_signed(world):
    """It passes the limits twice, before it is made and before it is signed: the second time it stands there already."""
    desk = world.desk()
    account = run(desk.exchange.account_id())
    caps = Limits(order=Decimal(100), day=Decimal(100), in_flight=1, orders_hour=1, unknowns=1)
    desk.journal.limits.set(desk.exchange.host, account, caps, by="test")
    assert desk.place_order(ON_CHAIN, intent_id="i-1", source="test").order.order_id
    with pytest.raises(GuardRefused):
        desk.place_order(ON_CHAIN, intent_id="i-2", source="test")
    assert world.orders_placed() == 1
