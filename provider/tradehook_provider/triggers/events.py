"""Events that start DAGs: orders and transfers that ended, prices that moved. For `AssetWatcher`.

Each trigger keeps its own place in the journal and all share one look at the exchange. Airflow's own way to share
(`shared_stream_key`) is not used: a trigger that joins a running stream is told nothing of the overlap that it began
with, and one failure ends all.
"""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

from tradehook_provider.completion_reader import FINAL, CompletionReader
from tradehook_provider.price_reader import PriceReader
from tradehook_provider.readers import shared

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tradehook_provider.price_reader import Seen

_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 1.0, 60.0
_MOST_DOUBLINGS = 10
_SIDES = ("buy", "sell")


class CompletionTrigger(BaseEventTrigger):
    """Tells of everything that has ended in an account, in one event for each look: `{"completions": [...]}`.

    Each completion has an `event_id` that is the same however often it is told. It never ends and never raises: a
    failure is logged, and what happened meanwhile is told after it.
    """

    kind: ClassVar[str]

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        statuses: Sequence[str] = (),
        poll_seconds: float = 5.0,
        overlap_seconds: float = 900.0,
        **filters: Sequence[str],
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            statuses: only these ends; all of them when left out.
            poll_seconds: how long to wait between two looks at the journal.
            overlap_seconds: how far back it begins, after a restart of the triggerer as well; what ended in this time
                is told again.
            **filters: what a completion must be, by its field.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        if wrong := sorted(set(statuses) - set(FINAL[self.kind])):
            raise ValueError(f"statuses can be {', '.join(FINAL[self.kind])}, not {wrong[0]!r}.")
        self.exchange_conn_id = exchange_conn_id
        self.statuses = tuple(statuses)
        self.poll_seconds = poll_seconds
        self.overlap_seconds = overlap_seconds
        self.filters = {name: tuple(wanted) for name, wanted in filters.items()}

    def wants(self, completion: dict[str, Any]) -> bool:
        """Whether a completion is of the kind and passes every filter."""
        return (
            completion["kind"] == self.kind
            and (not self.statuses or completion["status"] in self.statuses)
            and all(not wanted or completion.get(name) in wanted for name, wanted in self.filters.items())
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Tell of what has ended, for as long as somebody listens."""
        cursor: int | None = None
        last: CompletionReader | None = None
        failed = 0
        while True:
            try:
                async with shared(CompletionReader, self.exchange_conn_id) as reader:
                    if reader is not last:  # another account, or another journal: its events have other numbers
                        cursor, last = None, reader
                    while True:
                        told, following = await reader.after(cursor, overlap_seconds=self.overlap_seconds)
                        failed = 0
                        if wanted := [completion for completion in told if self.wants(completion)]:
                            yield TriggerEvent({"completions": wanted})  # type: ignore[no-untyped-call]
                        cursor = following
                        await asyncio.sleep(self.poll_seconds)
            except Exception as error:  # noqa: BLE001 - a raise would silence the watcher for good
                failed += 1
                self.log.warning("Look %d at %s failed: %s", failed, self.exchange_conn_id, type(error).__name__)
            await asyncio.sleep(_pause_seconds(failed))


class OrderEventTrigger(CompletionTrigger):
    """Tells of orders that have ended; see `CompletionTrigger`.

    A completion is `{"event_id", "kind": "order", "order_id", "intent_id", "status", "at", "market", "side"}`.
    """

    kind = "order"

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        markets: Sequence[str] = (),
        sides: Sequence[str] = (),
        statuses: Sequence[str] = (),
        poll_seconds: float = 5.0,
        overlap_seconds: float = 900.0,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            markets: only these, as `BTC/PYUSD`; all of them when left out.
            sides: only `buy` or only `sell`; both when left out.
            statuses: only these ends: `filled`, `canceled`, `failed`, `probably_filled`; all of them when left out.
            poll_seconds: how long to wait between two looks at the journal.
            overlap_seconds: how far back it begins; what ended in this time is told again after a restart.
        """
        if wrong := sorted(set(sides) - set(_SIDES)):
            raise ValueError(f"sides can be {' or '.join(_SIDES)}, not {wrong[0]!r}.")
        self.markets = tuple(market.upper().replace("-", "/") for market in markets)
        self.sides = tuple(sides)
        if wrong := [market for market in self.markets if market.count("/") != 1]:
            raise ValueError(f"{wrong[0]!r} is not a market: write it like BTC/PYUSD.")
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            statuses=statuses,
            poll_seconds=poll_seconds,
            overlap_seconds=overlap_seconds,
            market=self.markets,
            side=self.sides,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.events.OrderEventTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "markets": list(self.markets),
                "sides": list(self.sides),
                "statuses": list(self.statuses),
                "poll_seconds": self.poll_seconds,
                "overlap_seconds": self.overlap_seconds,
            },
        )


class TransferEventTrigger(CompletionTrigger):
    """Tells of transfers that have ended; see `CompletionTrigger`.

    A completion is `{"event_id", "kind": "transfer", "transfer_id", "intent_id", "status", "at", "asset"}`.
    """

    kind = "transfer"

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        assets: Sequence[str] = (),
        statuses: Sequence[str] = (),
        poll_seconds: float = 5.0,
        overlap_seconds: float = 900.0,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            assets: only these, as `BTC`; all of them when left out.
            statuses: only these ends: `completed`, `failed`; both when left out.
            poll_seconds: how long to wait between two looks at the journal.
            overlap_seconds: how far back it begins; what ended in this time is told again after a restart.
        """
        self.assets = tuple(asset.upper() for asset in assets)
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            statuses=statuses,
            poll_seconds=poll_seconds,
            overlap_seconds=overlap_seconds,
            asset=self.assets,
        )

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.events.TransferEventTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "assets": list(self.assets),
                "statuses": list(self.statuses),
                "poll_seconds": self.poll_seconds,
                "overlap_seconds": self.overlap_seconds,
            },
        )


class PriceEventTrigger(BaseEventTrigger):
    """Tells of prices that have moved, in one event for each look: `{"prices": [{"market", "price", ...}]}`.

    Each is the latest price, as text, with when it was told (`at`) and how far it moved since it was told last
    (`change_percent`). The first price is where it is measured from, and is not told. What moves and comes back between
    two looks is not told. It never ends and never raises.
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        markets: Sequence[str],
        change_percent: str,
        poll_seconds: float = 10.0,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account; its exchange tells the prices.
            markets: `BTC`; of a pair, the asset's price.
            change_percent: how far a price must have moved, either way, as text: `0.5`.
            poll_seconds: how long to wait between two events at least.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        from tradehook.amounts import parse_decimal
        from tradehook.errors import InvalidInput
        from tradehook_provider.arguments import as_text

        try:
            self._least = parse_decimal(as_text(change_percent, what="change in percent"), what="change in percent")
        except InvalidInput as error:
            raise ValueError(error.message) from None
        if isinstance(markets, str) or not markets:
            raise ValueError("markets is a list of at least one, like ['BTC', 'ETH'].")
        self.exchange_conn_id = exchange_conn_id
        self.markets = tuple(markets)
        self.change_percent = str(change_percent)
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.events.PriceEventTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "markets": list(self.markets),
                "change_percent": self.change_percent,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Tell of what has moved, for as long as somebody listens."""
        told: dict[str, Decimal] = {}
        failed = 0
        while True:
            try:
                async with shared(PriceReader, self.exchange_conn_id) as reader, AsyncExitStack() as followed:
                    followed_now: set[str] = set()
                    while True:
                        moved: list[dict[str, Any]] = []
                        failure: Exception | None = None
                        seen: Seen | None = None
                        for market in self.markets:
                            try:
                                if market not in followed_now:
                                    await followed.enter_async_context(
                                        reader.follow(market, fresh_seconds=self.poll_seconds)
                                    )
                                    followed_now.add(market)
                                seen = await reader.latest(market, fresh_seconds=self.poll_seconds)
                            except Exception as error:  # noqa: BLE001 - one that cannot be read hides no other
                                self.log.warning("%s could not be looked at: %s", market, type(error).__name__)
                                failure = error
                            else:
                                moved += self._moved(market, seen, told)
                        if seen is None and failure is not None:
                            raise failure  # the connection is read anew: somebody may have mended it
                        failed = 0
                        if moved:
                            yield TriggerEvent({"prices": moved})  # type: ignore[no-untyped-call]
                        await asyncio.sleep(self.poll_seconds)
            except Exception as error:  # noqa: BLE001 - a raise would silence the watcher for good
                failed += 1
                self.log.warning("Look %d at prices failed: %s", failed, type(error).__name__)
            await asyncio.sleep(_pause_seconds(failed))

    def _moved(self, market: str, seen: Seen, told: dict[str, Decimal]) -> list[dict[str, Any]]:
        """The one price, if it has moved far enough since it was told last."""
        from tradehook.amounts import plain
        from tradehook.prices import change_percent

        change = change_percent(told.setdefault(market, seen.price), seen.price) or Decimal(0)
        if abs(change) < self._least:
            return []
        told[market] = seen.price
        at = seen.at.isoformat().replace("+00:00", "Z")
        return [{"market": market, "price": plain(seen.price), "at": at, "change_percent": plain(round(change, 4))}]


def _pause_seconds(failed: int) -> float:
    return min(_SHORTEST_PAUSE_SECONDS * 2.0 ** min(failed - 1, _MOST_DOUBLINGS), _LONGEST_PAUSE_SECONDS)
