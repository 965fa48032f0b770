"""The prices of one account's exchange for all triggers of an event loop: one stream, and reads where it is silent."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from tradehook_provider.readers import FRESH

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from decimal import Decimal

    from tradehook.client import AsyncClient
    from tradehook.prices import PriceUpdate, Ticker
    from tradehook.settings import Settings
    from tradehook_provider.hooks.exchange import ExchangeHook

_log = logging.getLogger(__name__)
_GATHER_SECONDS = 0.2
"""For so long the stream waits for more assets before it is opened: triggers start in crowds."""
_OPEN_AGAIN_SECONDS = 60.0
_MOST_WAITING = 1_000
"""So many prices wait for a follower; of one who only asks for the latest, the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A price, and when the exchange told it."""

    price: Decimal
    at: datetime


class PriceReader:
    """Follows the prices of some assets. What the stream does not tell for an interval is read.

    Needs no key where the exchange tells prices to everybody, but keeps to the account's request budget.
    """

    def __init__(self, client: AsyncClient) -> None:
        """Make one over a client, which it closes."""
        self.users = 0
        self._client = client
        self._symbols: dict[str, str] = {}
        self._tickers: dict[str, Ticker] = {}
        self._heard_at: dict[str, float] = {}
        self._failures: dict[str, tuple[Exception, float]] = {}
        self._locks: dict[str, asyncio.Lock] = {}
        self._followers: dict[str, set[asyncio.Queue[Seen]]] = {}
        self._streamed: frozenset[str] = frozenset()
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def opened(cls, hook: ExchangeHook, settings: Settings) -> Self:
        """One for these settings. Reads nothing yet."""
        return cls(await hook.open_async(settings))

    @asynccontextmanager
    async def follow(self, market: str, *, fresh_seconds: float) -> AsyncIterator[Following]:
        """Every price of an asset from now on; of a pair such as `BTC/PYUSD`, the asset's.

        Args:
            market: which asset.
            fresh_seconds: how old what is known of it may be, so that a crowd reads it once.

        Raises:
            TradehookError: it could not be read for the first time, such as a name that nobody knows.
        """
        # Read first: a name that the exchange does not know would end the stream of everybody else.
        symbol = (await self._read(market, fresh_seconds=fresh_seconds)).symbol
        told: asyncio.Queue[Seen] = asyncio.Queue(_MOST_WAITING)
        self._followers.setdefault(symbol, set()).add(told)
        if symbol not in self._streamed:
            self._listen_anew()
        try:
            yield Following(self, market, symbol, told)
        finally:
            self._followers[symbol].discard(told)
            if not self._followers[symbol]:
                del self._followers[symbol]

    async def latest(self, market: str, *, fresh_seconds: float) -> Seen:
        """The price as it was heard or read at most `fresh_seconds` ago.

        Raises:
            TradehookError: it had to be read, and could not be.
        """
        ticker = await self._read(market, fresh_seconds=fresh_seconds)
        return Seen(ticker.price, ticker.told_at)

    async def close(self) -> None:
        """Leave the stream and close sockets, unless somebody came meanwhile."""
        listening, self._listening, self._streamed = self._listening, None, frozenset()
        if listening is not None:
            listening.cancel()
            await asyncio.wait([listening])
        if self.users == 0:
            await self._client.close()

    async def _read(self, market: str, *, fresh_seconds: float) -> Ticker:
        async with self._locks.setdefault(market, asyncio.Lock()):
            symbol = self._symbols.get(market, "")
            now = time.monotonic()
            if now - self._heard_at.get(symbol, -math.inf) < fresh_seconds * FRESH:
                return self._tickers[symbol]
            error, failed_at = self._failures.get(market, (None, -math.inf))
            if error is not None and now - failed_at < fresh_seconds * FRESH:
                raise error
            try:
                ticker = await self._client.price(market)
            except Exception as error:
                self._failures[market] = error, time.monotonic()
                raise
            self._failures.pop(market, None)
            self._symbols[market] = ticker.symbol
            self._tell(ticker)
            return ticker

    # --- the stream ---------------------------------------------------------------------------------------------------

    def _listen_anew(self) -> None:
        """Listen for all who follow something now; an earlier stream is left."""
        before = self._listening
        self._streamed = frozenset(self._followers)
        self._listening = asyncio.get_running_loop().create_task(self._listen(self._streamed, before))

    async def _listen(self, symbols: frozenset[str], before: asyncio.Task[None] | None) -> None:
        from tradehook.prices import PriceUpdate

        if before is not None:
            before.cancel()
            await asyncio.wait([before])
        await asyncio.sleep(_GATHER_SECONDS)
        while True:
            try:
                async with aclosing(self._client.watch_prices(sorted(symbols))) as news:
                    async for said in news:
                        if isinstance(said, PriceUpdate):
                            self._hear(said)
            except Exception as error:  # noqa: BLE001 - without it, prices are read instead
                _log.warning("Prices are read one by one for now; the stream failed: %s.", type(error).__name__)
            await asyncio.sleep(_OPEN_AGAIN_SECONDS)

    def _hear(self, update: PriceUpdate) -> None:
        before = self._tickers.get(update.item.symbol)
        if before is not None and (after := before.after(update)) is not before:
            self._tell(after)

    def _tell(self, ticker: Ticker) -> None:
        before = self._tickers.get(ticker.symbol)
        self._tickers[ticker.symbol] = ticker
        self._heard_at[ticker.symbol] = time.monotonic()
        if before is None or before.price != ticker.price:
            for follower in self._followers.get(ticker.symbol, ()):
                if follower.full():
                    follower.get_nowait()
                follower.put_nowait(Seen(ticker.price, ticker.told_at))


@dataclass(frozen=True, slots=True)
class Following:
    """One trigger's ear for one asset."""

    reader: PriceReader
    market: str
    symbol: str
    told: asyncio.Queue[Seen]

    async def next(self, *, poll_seconds: float) -> Seen:
        """The next price that differs, in the order they were told; after `poll_seconds`, the price as it stands.

        Raises:
            TradehookError: nothing was heard for so long, and it could not be read.
        """
        with suppress(TimeoutError):
            return await asyncio.wait_for(self.told.get(), poll_seconds)
        return await self.reader.latest(self.market, fresh_seconds=poll_seconds)
