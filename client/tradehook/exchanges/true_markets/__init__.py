"""True Markets Gateway: one account over one line.

`SPEC` is what everybody may read without a key; `TrueMarkets` is an `Exchange` (see `contract.py`).
See: docs.truemarkets.co, gateway and auth.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

from tradehook.budget import Budget
from tradehook.contract import Capabilities, Spec
from tradehook.errors import InvalidInput, NotFound, TradehookError
from tradehook.exchanges.true_markets import orders, parse, sizing
from tradehook.exchanges.true_markets.auth import TrueMarketsAuth
from tradehook.exchanges.true_markets.increments import round_quantity
from tradehook.models import Order, Quote, Side, Unit, instrument
from tradehook.session import Session
from tradehook.wire import Request, encode_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from tradehook.exchanges.true_markets.keys import Signer
    from tradehook.line import Line
    from tradehook.models import Asset, Balance, NewOrder, OrderStatus, SizedOrder
    from tradehook.wire import Response, Write

Item = TypeVar("Item")

SPEC = Spec(
    name=parse.EXCHANGE,
    label="True Markets",
    hosts={
        "sandbox": "http://127.0.0.1:8787",
        "uat": "https://api.uat.truemarkets.co",
        "live": "https://api.truemarkets.co",
    },
    live_domains=("truemarkets.co", "truex.co"),
    requests_per_minute=100,
    capabilities=Capabilities(
        chains=("solana", "base"),
        default_quote=sizing.BOOK_CURRENCY,
        chain_quote="USDC",
        fee_rate_observed=Decimal("0.0004"),
    ),
)
SANDBOX_ISSUER = "tradehook-sandbox"
_ASSETS_FOR_SECONDS = 600.0
_FIND_IN_PAGES = 10


def new_budget() -> Budget:
    """A little under the limit: the exchange counts on its own clock."""
    return Budget(requests=SPEC.requests_per_minute - 5)


class TrueMarkets:
    """One account at True Markets. Reads are operations over its line; writes are values for the desk."""

    spec = SPEC

    def __init__(
        self,
        line: Line,
        *,
        signer: Signer,
        environment: str = "sandbox",
        base_url: str | None = None,
        prefix: str = "/v1/conductor",
        budget: Budget | None = None,
        timeout_seconds: float = 30.0,
    ) -> None:
        """Make one.

        Args:
            line: how it reaches the exchange.
            signer: holds the key, for signing in and for stamps.
            environment: `sandbox`, `uat` or `live`.
            base_url: host by address, when it is not the environment's own.
            prefix: `/v1/conductor`, or the newer `/v1/gateway`.
            budget: shared by everything in this process that uses the same key.
            timeout_seconds: how long one request may take.
        """
        base = (base_url or SPEC.hosts[environment]).rstrip("/")
        self.environment = environment
        self.signer = signer
        self._host = urlsplit(base).netloc
        self._url = base + prefix
        self._assets: tuple[float, list[Asset]] | None = None
        self.session = Session(
            line,
            auth=TrueMarketsAuth(signer, base_url=base),
            budget=budget or new_budget(),
            exchange=SPEC.name,
            timeout_seconds=timeout_seconds,
        )

    @property
    def host(self) -> str:
        """Host and port that requests go to."""
        return self._host

    async def account_id(self) -> str:
        """The user id in the token, the same for every key of that person.

        Raises:
            UnexpectedResponse: the token does not say whose it is; two keys could then not be told to share.
        """
        uid = (await self.session.token()).claims.get("uid")
        if not isinstance(uid, str) or not uid:
            raise parse.unexpected("the token does not say whose account it is")
        return uid

    async def issued_by_sandbox(self) -> bool:
        """Whether our sandbox made the token in use."""
        return (await self.session.token()).claims.get("iss") == SANDBOX_ISSUER

    async def balances(self) -> list[Balance]:
        """Everything held. The same symbol has one entry at the exchange and one for each chain."""

        def read(response: Response) -> list[Balance]:
            return [parse.balance(row) for row in parse.rows(parse.accepted(response, 200))]

        return await self.session.read(Request("GET", f"{self._url}/balances/unified"), read)

    async def list_assets(self, *, venue: str | None = None) -> AsyncIterator[Asset]:
        """The catalogue; `venue` is `cefi` (at the exchange) or `defi` (on a chain). Kept for ten minutes."""
        if venue not in (None, "cefi", "defi"):
            raise InvalidInput(f"{venue[:20] if venue else venue!r} is not a venue: write cefi or defi.")
        for asset in await self._catalogue():
            if venue in (None, asset.venue):
                yield asset

    async def get_quote(self, base: str, *, quote: str, side: Side, quantity: Decimal, unit: Unit) -> Quote:
        """A non-binding price at the exchange, without fee. See: `POST /quotes`."""
        book = sizing.BOOK_CURRENCY if quote in sizing.DOLLARS else quote
        body = {
            "base_asset": base,
            "quote_asset": book,
            "qty": f"{quantity:f}",
            "qty_unit": str(unit),
            "side": str(side),
        }

        def read(response: Response) -> Quote:
            answer = parse.mapping(parse.accepted(response, 200))
            return Quote(
                base=base,
                quote=book,
                side=side,
                quantity=quantity,
                unit=unit,
                output=parse.number(answer, "qty"),
                price=parse.number(answer, "price"),
                quoted_at=datetime.fromtimestamp(self.session.server_now(), UTC),
            )

        request = Request(
            "POST", f"{self._url}/quotes", headers={"content-type": "application/json"}, body=encode_json(body)
        )
        return await self.session.read(request, read)

    async def get_order(self, order_id: str) -> Order:
        """One order, found in the list; when it is too far back, its status alone.

        Raises:
            NotFound: the exchange does not know it.
        """
        orders.check_id(order_id)
        pages = self._pages(lambda cursor: orders.page(self._url, statuses=(), cursor=cursor), parse.order)
        seen = 0
        async for order in pages:
            if order.order_id == order_id:
                return await self._named(order)
            seen += 1
            if seen >= _FIND_IN_PAGES * orders.PAGE_SIZE:
                break

        def read(response: Response) -> Order:
            word = parse.text(parse.mapping(parse.accepted(response, 200)), "status")
            return Order(order_id=order_id, status=parse.status(word), exchange_status=word[:40])

        try:
            return await self.session.read(Request("GET", f"{self._url}/orders/{order_id}/status"), read)
        except NotFound:
            raise NotFound(
                f"True Markets has no order {order_id[:60]}. See `tradehook orders`.",
                status=404,
                exchange=parse.EXCHANGE,
            ) from None

    async def list_orders(
        self, *, statuses: Collection[OrderStatus] = (), since: datetime | None = None
    ) -> AsyncIterator[Order]:
        """Orders, newest first, each once; pages of 100 are read only when they are reached."""
        wanted = tuple(sorted(set(statuses)))
        async for order in self._pages(
            lambda cursor: orders.page(self._url, statuses=wanted, cursor=cursor), parse.order
        ):
            if since and order.created_at and order.created_at < since:
                return
            yield await self._named(order)

    async def size_order(self, order: NewOrder) -> SizedOrder:
        """Settle what would be sent. Asks for a price, and for balances and assets where they are needed."""
        order = sizing.settle(order)
        needs_balances = order.amount.depends_on_balance
        if order.chain:
            balances = await self.balances() if needs_balances else []
            return sizing.size_on_chain(order, assets=await self._catalogue(), balances=balances)
        await self._check_market(order)
        balances = await self.balances() if needs_balances else []
        return sizing.size_at_exchange(order, price=order.price or await self._price_for(order), balances=balances)

    def new_order(self, order: SizedOrder) -> Write[Order]:
        """The write that places it. See: `POST /orders`."""
        return orders.place(self._url, order)

    def execute_order(self, order: SizedOrder, *, created: Order) -> Write[Order]:
        """The write that signs and sends a created order. See: `POST /orders/{id}/execute`."""
        return orders.execute(self._url, order, created=created, signer=self.signer)

    def cancel_order(self, order_id: str) -> Write[None]:
        """The write that asks for cancellation. See: `DELETE /orders/{id}`."""
        return orders.cancel(self._url, order_id)

    async def _price_for(self, order: NewOrder) -> Decimal:
        """About what a market order would get now; for a share of a balance, what a small one would get."""
        amount = order.amount
        unit = Unit.BASE if amount.kind == "base" else Unit.QUOTE
        quantity = Decimal(100) if amount.depends_on_balance else amount.value
        try:
            quote = await self.get_quote(order.base, quote=order.quote, side=order.side, quantity=quantity, unit=unit)
        except TradehookError:
            if unit is Unit.QUOTE:
                raise
            # A quantity off the grid is refused; the price of a round sum tells the grid to round it to.
            quote = await self.get_quote(
                order.base, quote=order.quote, side=order.side, quantity=Decimal(100), unit=Unit.QUOTE
            )
            if round_quantity(quantity, price=quote.price) == quantity:
                raise
        return quote.price

    async def _check_market(self, order: NewOrder) -> None:
        here = [asset for asset in await self._catalogue() if asset.venue == "cefi"]
        traded = sorted(asset.symbol for asset in here if asset.is_tradeable)
        if order.quote not in {asset.symbol for asset in here}:
            raise InvalidInput(
                f"There is no market {order.market}: the exchange's book is in {sizing.BOOK_CURRENCY}.",
                suggestions=(instrument(order.base, sizing.BOOK_CURRENCY),),
            )
        if order.base in traded:
            return
        chains = sorted(asset.chain for asset in await self._catalogue() if asset.symbol == order.base and asset.chain)
        if chains:
            raise InvalidInput(
                f"{order.base} is not traded on the exchange's book. It is on chain: add --chain {chains[0]}."
            )
        raise InvalidInput(
            f"{order.base} is not traded on the exchange's book; it trades {', '.join(traded)}.",
            suggestions=tuple(traded),
        )

    async def _catalogue(self) -> list[Asset]:
        now = self.session.line.monotonic()
        if self._assets is None or self._assets[0] < now - _ASSETS_FOR_SECONDS:
            pages = self._pages(self._assets_page, parse.asset, key=lambda asset: asset.asset_id)
            self._assets = (now, [asset async for asset in pages])
        return self._assets[1]

    def _assets_page(self, cursor: str | None) -> Request:
        return Request("GET", f"{self._url}/assets", params=(("cursor", cursor),) if cursor else ())

    async def _pages(
        self,
        page: Callable[[str | None], Request],
        item: Callable[[dict[str, object]], Item],
        *,
        key: Callable[[Item], str] = lambda order: order.order_id,  # type: ignore[attr-defined]
    ) -> AsyncIterator[Item]:
        """Every item of every page, once: pages overlap where cursors have only whole seconds."""
        cursor: str | None = None
        seen: set[str] = set()
        while True:
            body = await self.session.read(page(cursor), lambda response: parse.accepted(response, 200))
            found = [item(row) for row in parse.rows(body)]
            fresh = [entry for entry in found if key(entry) not in seen]
            seen.update(key(entry) for entry in fresh)
            for entry in fresh:
                yield entry
            following = parse.next_cursor(body)
            if following is None or following == cursor or not fresh:
                return
            cursor = following

    async def _named(self, order: Order) -> Order:
        """The order with symbols in place of contract addresses, where the catalogue knows them."""
        if not any(name and len(name) > 15 for name in (order.base, order.quote)):
            return order
        names = {asset.address: asset for asset in await self._catalogue() if asset.address}
        base, quote = (names.get(name or "") for name in (order.base, order.quote))
        return order.model_copy(
            update={
                "base": base.symbol if base else order.base,
                "quote": quote.symbol if quote else order.quote,
                "chain": order.chain or (base.chain if base else None),
            }
        )
