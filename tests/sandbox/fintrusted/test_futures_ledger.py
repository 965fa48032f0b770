"""Whatever is done to the futures engine, no unit of money appears or vanishes, and no wallet owes anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.sandbox.fintrusted.test_futures import Member

from tradehook_sandbox import Sandbox
from tradehook_sandbox.clock import Clock
from tradehook_sandbox.fintrusted.futures_engine import OPENING

if TYPE_CHECKING:
    from pathlib import Path

_PRICES = st.integers(min_value=30_000, max_value=140_000)


class Trading(RuleBasedStateMachine):
    """Opens, closes, waits, and moves the price about."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = Clock.frozen()
        self.member = Member(self.clock, futures_answer="order", futures_spread_millionths=37)

    @rule(
        direction=st.sampled_from("01"),
        leverage=st.sampled_from(["1", "7", "10", "100"]),
        volume=st.integers(min_value=1, max_value=2_000),
        pattern=st.sampled_from(["0", "1"]),
        offset=st.one_of(st.none(), st.integers(min_value=-15, max_value=15)),
    )
    def open(self, direction: str, leverage: str, volume: int, pattern: str, offset: int | None) -> None:
        self.ask("open", direction, volume, offset, leverage=leverage, pattern=pattern)

    @rule(
        direction=st.sampled_from("01"),
        volume=st.integers(min_value=1, max_value=2_000),
        offset=st.one_of(st.none(), st.integers(min_value=-2, max_value=2)),
    )
    def close(self, direction: str, volume: int, offset: int | None) -> None:
        self.ask("close", direction, volume, offset)

    @rule(direction=st.sampled_from("01"), volume=st.integers(min_value=1, max_value=500), trigger=_PRICES)
    def plan(self, direction: str, volume: int, trigger: int) -> None:
        self.ask("open", direction, volume, None, leverage="10", type="2", triggerPrice=str(trigger))

    @rule(price=_PRICES)
    def move_price(self, price: int) -> None:
        self.member.set_price(str(price))

    @rule(seconds=st.sampled_from([0.3, 5.0, 4_000.0]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.member.list()

    @precondition(lambda self: self.waiting())
    @rule()
    def take_back(self) -> None:
        engine = self.member.futures.engine
        engine.cancel(self.waiting()[0])

    def ask(self, what: str, direction: str, volume: int, offset: int | None, **more: str) -> None:
        price = self.member.sandbox.fintrusted.floor.price("BTC") // 10**10
        limit = {} if offset is None else {"type": "1", "entrustPrice": str(price + price * offset // 100)}
        fields = {"contractCoinId": "1", "type": "0", "direction": direction, "volume": str(volume), **limit, **more}
        assert self.member.answer("POST", f"/tx/uorder/{what}", **fields)["code"] in (0, 500)

    def waiting(self) -> list[Any]:
        engine = self.member.futures.engine
        return [order for order in engine.orders if order.status == "waiting"]

    @invariant()
    def nothing_appears_or_vanishes(self) -> None:
        self.member.check_books()

    @invariant()
    def every_position_is_whole(self) -> None:
        engine = self.member.futures.engine
        for held in engine.positions.values():
            assert 0 <= held.frozen_volume <= held.volume > 0
            assert 0 <= held.frozen_margin <= held.margin
            assert 0 <= held.frozen_cost <= held.cost
            closing = [order for order in self.waiting() if not order.is_open and order.key == held.key]
            assert held.frozen_volume == sum(order.volume for order in closing)
            assert held.frozen_margin == sum(order.margin for order in closing)
            assert held.frozen_cost == sum(order.frozen_cost for order in closing)

    @invariant()
    def what_came_in_is_where_it_went(self) -> None:
        """The opening money is what the wallet holds, what fees took, and what the house won or lost."""
        floor = self.member.sandbox.fintrusted.floor
        rows = [row for row in floor.ledger.balances() if row[0].startswith("fintrusted:1001:futures")]
        engine = self.member.futures.engine
        purses = engine.purses.values()
        orders = engine.orders
        won = sum(purse.profit - purse.loss for purse in purses)
        assert sum(units for _, _, units in rows) == OPENING * len(purses) + won - sum(order.fee for order in orders)


TestTrading = Trading.TestCase
TestTrading.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_everything_is_there_again_after_a_restart(tmp_path: Path) -> None:
    clock = Clock.frozen()
    member = Member(clock, state=tmp_path / "state.db", futures_answer="order")
    member.open(0)
    member.open(0, type="1", entrustPrice="73000")
    member.open(1, volume="3")
    member.close(0, "3")
    before = (member.list(), member.wallet())
    member.sandbox.close()

    member.sandbox = Sandbox(clock=clock, state=tmp_path / "state.db", fintrusted_futures_answer="order")

    assert (member.list(), member.wallet()) == before
    member.set_price("72000")
    assert member.list()["positions"][0]["position"] == 20
    member.sandbox.close()
