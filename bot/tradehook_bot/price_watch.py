"""Follows the prices that somebody waits for at one account's exchange: its stream, and reads where that is silent."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from contextlib import aclosing
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook.prices import PriceUpdate
from tradehook.render import error_line
from tradehook_bot.price_alerts import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.prices import Ticker
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.price_alerts import PriceAlert

_log = logging.getLogger(__name__)
POLL_SECONDS = 30.0
"""After so long without a word of an asset its price is read. The account's request budget counts each read."""
_OPEN_AGAIN_SECONDS = 60.0
_READ_SECONDS = 10.0


class PriceWatch:
    """One account's price alerts. `tick` often; it does nothing where nobody waits for anything."""

    def __init__(self, house: House, account: Account) -> None:
        """Follow nothing yet."""
        self._house = house
        self._account = account
        self._tickers: dict[str, Ticker] = {}
        self._heard_at: dict[str, float] = {}
        self._streamed: frozenset[str] = frozenset()
        self._listening: asyncio.Task[None] | None = None
        self._waited: Sequence[PriceAlert] = ()
        self._turn = asyncio.Lock()

    async def tick(self) -> None:
        """The stream is that of the assets which somebody waits for, and what it does not tell is read."""
        house = self._house
        self._waited = await house.store.do(house.price_alerts.of_account, self._account.name)
        symbols = frozenset(alert.symbol for alert in self._waited)
        for gone in self._tickers.keys() - symbols:
            self._tickers.pop(gone)
            self._heard_at.pop(gone, None)
        for symbol in sorted(symbols):
            if time.monotonic() - self._heard_at.get(symbol, -math.inf) >= POLL_SECONDS:
                await self._read(symbol)
            await self._judge(symbol)
        known = symbols & self._tickers.keys()  # one that the exchange does not know would end the stream of all
        if known != self._streamed:
            await self.stop()
            self._streamed = known
            if known:
                self._listening = asyncio.create_task(self._listen(known))

    async def stop(self) -> None:
        """Leave the stream. May be repeated."""
        listening, self._listening, self._streamed = self._listening, None, frozenset()
        if listening is not None:
            listening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await listening

    async def _read(self, symbol: str) -> None:
        self._heard_at[symbol] = time.monotonic()  # a read that fails is not repeated at once either
        try:
            async with asyncio.timeout(_READ_SECONDS):
                ticker = await self._account.client.price(symbol)
        except (TradehookError, TimeoutError) as error:
            said = error_line(error) if isinstance(error, TradehookError) else "no answer in time"
            _log.info("The price of %s could not be read: %s", symbol, said)
            return
        await self._hear(symbol, ticker)

    async def _listen(self, symbols: frozenset[str]) -> None:
        while True:
            try:
                async with aclosing(self._account.client.watch_prices(sorted(symbols))) as news:
                    async for said in news:
                        if isinstance(said, PriceUpdate):
                            await self._take(said)
            except TradehookError as error:
                _log.info("Prices are read one by one for now; the stream failed: %s", error_line(error))
            except Exception:  # noqa: BLE001 - without it, prices are read instead
                _log.warning("Prices are read one by one for now; the stream failed.", exc_info=True)
            await asyncio.sleep(_OPEN_AGAIN_SECONDS)

    async def _take(self, update: PriceUpdate) -> None:
        symbol = update.item.symbol
        before = self._tickers.get(symbol)
        if before is not None and (after := before.after(update)) is not before:
            await self._hear(symbol, after)

    async def _hear(self, symbol: str, ticker: Ticker) -> None:
        """The price is this now: who waits for it is told."""
        self._tickers[symbol] = ticker
        self._heard_at[symbol] = time.monotonic()
        await self._judge(symbol)

    async def _judge(self, symbol: str) -> None:
        """Tell what the newest price means. What is known of the alerts may be a tick old: the rows decide."""
        house, ticker = self._house, self._tickers.get(symbol)
        if ticker is None:
            return
        async with self._turn:
            before = self._waited
            for alert in before:
                verdict = alert.judge(ticker.price) if alert.symbol == symbol else Verdict.NOTHING
                if verdict is Verdict.TELL:
                    await house.store.do(house.price_alerts.tell, alert, ticker.price, outbox=house.outbox)
                elif verdict is Verdict.ARM:
                    await house.store.do(house.price_alerts.arm, alert)
                if verdict is not Verdict.NOTHING:
                    self._waited = await house.store.do(house.price_alerts.of_account, self._account.name)
