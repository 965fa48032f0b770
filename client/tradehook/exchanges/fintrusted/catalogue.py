"""The markets that there are, read once in a while. Steps, smallest orders and fees are not told.

They stand among the routes that need a login, and at the relatives everybody may read them: a token is sent where
there is one. See: fintrusted-api 5.7.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from tradehook.errors import InvalidInput
from tradehook.exchanges.fintrusted import envelope, parse
from tradehook.models import Asset, instrument
from tradehook.wire import Request

if TYPE_CHECKING:
    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.exchanges.fintrusted.parse import Thumb
    from tradehook.session import Session

_FOR_SECONDS: Final = 600.0
_MOST_NAMED: Final = 12


class Catalogue:
    """The markets of one exchange, kept for ten minutes."""

    def __init__(self, session: Session, *, url: str, dialect: Dialect) -> None:
        self._session = session
        self._url = url
        self._dialect = dialect
        self._kept: tuple[float, list[Thumb]] | None = None

    async def markets(self) -> list[Thumb]:
        """Every market, with its price of that moment."""
        now = self._session.line.monotonic()
        if self._kept is None or self._kept[0] < now - _FOR_SECONDS:
            found = await self._session.read(
                Request("GET", f"{self._url}/tx/spot/symbol-thumb-v2"),
                lambda response: parse.thumbs(envelope.payload(response, self._dialect)),
                is_anonymous=not self._dialect.has_credentials,
            )
            self._kept = (now, found)
        return self._kept[1]

    async def assets(self) -> list[Asset]:
        """Everything that a market trades or is paid in."""
        markets = await self.markets()
        traded = {each.base for each in markets}
        symbols = sorted(traded | {each.quote for each in markets})
        return [
            Asset(
                asset_id=symbol,
                symbol=symbol,
                venue="cefi",
                is_tradeable=symbol in traded,
                is_stable=symbol in parse.STABLE,
            )
            for symbol in symbols
        ]

    async def check_market(self, base: str, quote: str) -> None:
        """Raises `InvalidInput` when there is no such market; says which there are, the likeliest first."""
        name = instrument(base, quote)
        known = sorted(each.market for each in await self.markets())
        if name in known:
            return
        same = [market for market in known if market.startswith(f"{base}/")]
        near = tuple(same or get_close_matches(name, known, n=3))
        there = f"Did you mean {' or '.join(near)}?" if near else f"There is {', '.join(known[:_MOST_NAMED])}."
        raise InvalidInput(
            f"FinTrusted has no market {name}. {there}",
            suggestions=near or tuple(known[:_MOST_NAMED]),
            exchange=envelope.EXCHANGE,
        )
