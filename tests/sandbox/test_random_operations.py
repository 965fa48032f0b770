"""Whatever people do in whatever order, the books balance to the last unit."""

from __future__ import annotations

import contextlib
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradehook_sandbox import Sandbox

QTY = st.sampled_from(["0.0001", "0.01", "0.1", "0.5", "3", "40"])
PRICE = st.sampled_from(["60000.0", "67000.0", "67340.2", "67350.0", "70000.0"])
SIDE = st.sampled_from(["buy", "sell"])
OPERATION = st.one_of(
    st.tuples(st.just("market"), SIDE, QTY),
    st.tuples(st.just("dollars"), SIDE, st.sampled_from(["10", "99.5", "5000", "10500", "11900.123456789"])),
    st.tuples(st.just("limit"), SIDE, QTY, PRICE),
    st.tuples(st.just("swap"), SIDE, st.sampled_from(["1", "5", "700"]), st.sampled_from(["solana", "base"])),
    st.tuples(st.just("execute")),
    st.tuples(st.just("cancel"), st.integers(0, 5)),
    st.tuples(st.just("advance"), st.sampled_from([0.1, 0.5, 3, 70, 4_000, -200])),
    st.tuples(st.just("price"), st.sampled_from(["59000", "66990.5", "67340.2", "70001", "90000"])),
    st.tuples(st.just("depth"), st.sampled_from([0, 1, 100, 5_000])),
    st.tuples(st.just("fault"), st.sampled_from(["error_after", "timeout_after", "late_accept", "garbled"])),
)


class Story:
    """Two people at one sandbox, doing what they are told."""

    def __init__(self, trader_class):
        self.sandbox = Sandbox(rate_limit=0)
        self.people = [trader_class(self.sandbox, account=name) for name in ("default", "other")]
        self.unsigned = []
        self.ids = []

    def do(self, person, operation):
        trader = self.people[person].mint()
        match operation:
            case ("market", side, qty):
                self.note(trader, trader.answer("POST", "/v1/gateway/orders", self.body(side, qty)))
            case ("dollars", side, qty):
                self.note(trader, trader.answer("POST", "/v1/gateway/orders", self.body(side, qty, qty_unit="quote")))
            case ("limit", side, qty, price):
                body = self.body(side, qty, type="limit", price=price)
                self.note(trader, trader.answer("POST", "/v1/gateway/orders", body))
            case ("swap", side, qty, chain):
                if not self.sandbox.faults.waiting:
                    self.keep(trader, trader.swap(side, qty, chain=chain)[1])
            case ("execute",) if self.unsigned:
                trader, created = self.unsigned.pop()
                body = {
                    "signatures": [trader.stamp(item["payload"]) for item in created["payloads"]],
                    "auth_type": "api_key",
                }
                trader.mint().answer("POST", f"/v1/conductor/orders/{created['order_id']}/execute", body)
            case ("cancel", which) if self.ids:
                trader.answer("DELETE", f"/v1/conductor/orders/{self.ids[which % len(self.ids)]}")
            case ("advance", seconds):
                self.sandbox.clock.advance(seconds)
            case ("price", price):
                trader.admin("POST", "/prices", {"BTC": price})
            case ("depth", percent):
                trader.admin("POST", "/book", {"symbol": "BTC", "depth_percent": percent})
            case ("fault", kind):
                trader.admin("POST", "/faults", {"kind": kind, "method": "POST", "path": "/orders"})

    @staticmethod
    def body(side, qty, **fields):
        body = {
            "base_asset": "BTC",
            "quote_asset": "USD",
            "qty": qty,
            "qty_unit": "base",
            "type": "market",
            "side": side,
        }
        return {**body, **fields}

    def note(self, trader, answer):
        if answer.response is not None and answer.response.status == 201:
            with contextlib.suppress(ValueError):  # A fault has garbled it.
                self.keep(trader, answer.response.json())

    def keep(self, trader, created):
        if created.get("order_id"):
            self.ids.append(created["order_id"])
            if created.get("payloads"):
                self.unsigned.append((trader, created))


def check(story):
    """Nothing appeared or vanished, nobody is overdrawn, and every row of the balances agrees with itself."""
    body = story.people[0].ledger()
    assert body["balanced"]
    totals = {}
    for account, assets in body["accounts"].items():
        for asset, amount in assets.items():
            totals[asset] = totals.get(asset, 0) + Decimal(amount)
            assert Decimal(amount) >= 0 or not account.startswith("user:"), (account, asset, amount)
    assert set(totals.values()) == {Decimal(0)}
    for trader in story.people:
        for row in trader.mint().call("GET", "/balances")[1]["data"]:
            assert Decimal(row["total"]) == Decimal(row["available"]) + Decimal(row["held"])


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1), OPERATION), min_size=3, max_size=60))
def test_the_ledgers_error_is_zero_after_every_step(trader_class, operations):
    story = Story(trader_class)
    for person, operation in operations:
        story.do(person, operation)
        assert not any(story.sandbox.exchange.house.ledger.audit().values())
        assert story.sandbox.exchange.house.audit()
    story.sandbox.faults.remove()
    check(story)
    story.sandbox.clock.advance(100)
    check(story)
    for order in story.sandbox.exchange.house.orders:
        assert order.status not in ("pending", "cancel_pending"), "nothing stays on its way for ever"
        assert order.executed <= max(order.expected, order.executed)
        if order.is_final:
            assert (order.hold, order.fee_reserve) == (0, 0)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_story_balances_too(trader_class, seed):
    import random

    chance = random.Random(seed)
    story = Story(trader_class)
    for _ in range(400):
        side = chance.choice(["buy", "sell"])
        operation = chance.choice(
            [
                ("market", side, chance.choice(["0.0001", "0.0137", "0.2"])),
                ("dollars", side, f"{chance.randint(7, 9_000)}.{chance.randint(0, 999_999_999):09d}"),
                ("limit", side, "0.0457", f"{chance.randint(66_900, 67_700)}.{chance.randint(0, 9)}"),
                ("cancel", chance.randint(0, 400)),
                ("advance", chance.choice([0.05, 0.4, 2, 30])),
            ]
        )
        story.do(chance.randint(0, 1), operation)
    story.sandbox.clock.advance(5)
    check(story)
    statuses = {order.status for order in story.sandbox.exchange.house.orders}
    assert {"complete", "canceled", "active"} <= statuses, "the story was not empty"
