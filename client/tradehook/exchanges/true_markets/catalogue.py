"""What can be held and traded, read once in a while, and what follows from it: markets, addresses, names.

See: truemarkets-api 7.1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook.exchanges.true_markets import pages, parse, sizing
from tradehook.models import instrument
from tradehook.wire import Request

if TYPE_CHECKING:
    from tradehook.models import Asset, NewOrder, Order
    from tradehook.session import Session
    from tradehook.transfers import Transfer

_FOR_SECONDS = 600.0
_LONGEST_SYMBOL = 15
_MOST_PAGES = 90
"""Some thousand assets, and no more than a minute's requests; there are about forty."""


class Catalogue:
    """The assets of one exchange, kept for ten minutes."""

    def __init__(self, session: Session, *, url: str) -> None:
        self._session = session
        self._url = url
        self._kept: tuple[float, list[Asset]] | None = None

    async def assets(self) -> list[Asset]:
        """Everything that can be held or traded."""
        now = self._session.line.monotonic()
        if self._kept is None or self._kept[0] < now - _FOR_SECONDS:
            found = pages.each(
                self._session, self._page, parse.asset, key=lambda asset: asset.asset_id, most_pages=_MOST_PAGES
            )
            self._kept = (now, [asset async for asset in found])
        return self._kept[1]

    def _page(self, cursor: str | None) -> Request:
        return Request("GET", f"{self._url}/assets", params=(("cursor", cursor),) if cursor else ())

    async def check_market(self, order: NewOrder) -> None:
        """Raises `InvalidInput` when the exchange's own book does not trade that; says what does."""
        assets = await self.assets()
        here = [asset for asset in assets if asset.venue == "cefi"]
        traded = sorted(asset.symbol for asset in here if asset.is_tradeable)
        if order.quote not in {asset.symbol for asset in here}:
            raise InvalidInput(
                f"There is no market {order.market}: the exchange's book is in {sizing.BOOK_CURRENCY}.",
                suggestions=(instrument(order.base, sizing.BOOK_CURRENCY),),
            )
        if order.base in traded:
            return
        chains = sorted(asset.chain for asset in assets if asset.symbol == order.base and asset.chain)
        if chains:
            raise InvalidInput(
                f"{order.base} is not traded on the exchange's book. It is on chain: add --chain {chains[0]}."
            )
        raise InvalidInput(
            f"{order.base} is not traded on the exchange's book; it trades {', '.join(traded)}.",
            suggestions=tuple(traded),
        )

    async def name_order(self, order: Order) -> Order:
        """The order with symbols in place of contract addresses, where the catalogue knows them."""
        if not any(name and len(name) > _LONGEST_SYMBOL for name in (order.base, order.quote)):
            return order
        names = {asset.address: asset for asset in await self.assets() if asset.address}
        base, quote = (names.get(name or "") for name in (order.base, order.quote))
        return order.model_copy(
            update={
                "base": base.symbol if base else order.base,
                "quote": quote.symbol if quote else order.quote,
                "chain": order.chain or (base.chain if base else None),
            }
        )

    async def name_transfer(self, transfer: Transfer) -> Transfer:
        """The transfer with its asset's symbol, where only the id was told and the catalogue knows it."""
        if transfer.asset or not transfer.asset_id:
            return transfer
        symbols = {asset.asset_id: asset.symbol for asset in await self.assets()}
        return transfer.model_copy(update={"asset": symbols.get(transfer.asset_id)})
