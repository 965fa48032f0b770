"""True Markets Gateway: one account over one line.

`SPEC` is what everybody may read without a key; `TrueMarkets` is an `Exchange` (see `contract.py`).
See: docs.truemarkets.co, gateway and auth.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from tradehook.budget import Budget
from tradehook.contract import Capabilities, Spec
from tradehook.errors import InvalidInput, NotFound, Rejected, ResponseError, TradehookError
from tradehook.exchanges.true_markets import orders, pages, parse, parse_transfers, sizing, transfers
from tradehook.exchanges.true_markets.auth import TrueMarketsAuth
from tradehook.exchanges.true_markets.catalogue import Catalogue
from tradehook.exchanges.true_markets.increments import increment_at, round_quantity
from tradehook.exchanges.true_markets.market import MarketData
from tradehook.models import Order, Quote, Side, Unit
from tradehook.session import Session
from tradehook.wire import Request, encode_json

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Collection

    from tradehook.exchanges.true_markets.keys import Signer
    from tradehook.line import Line
    from tradehook.models import Asset, Balance, NewOrder, OrderStatus, SizedOrder
    from tradehook.transfers import (
        Destination,
        NewTransfer,
        Portfolio,
        SizedTransfer,
        Transaction,
        Transfer,
        TransferStatus,
    )
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
    has_key_file=True,
    capabilities=Capabilities(
        chains=("solana", "base"),
        default_quote=sizing.BOOK_CURRENCY,
        chain_quote="USDC",
        fee_rate_observed=Decimal("0.0004"),
        has_prices=True,
        cannot={"futures": "True Markets has no futures."},
    ),
)
SANDBOX_ISSUER = "tradehook-sandbox"
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
        self._has_single_read = True
        self.session = Session(
            line,
            auth=TrueMarketsAuth(signer, base_url=base),
            budget=budget or new_budget(),
            exchange=SPEC.name,
            timeout_seconds=timeout_seconds,
        )
        self._catalogue = Catalogue(self.session, url=self._url)
        self.prices = MarketData(self.session, base_url=base)
        self.futures = None

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
        """Everything held. The same symbol has one entry at the exchange and one for each chain.

        Raises:
            NotFound: the account has no wallet yet.
        """
        try:
            body = await self._read_json("/balances/unified")
        except NotFound:
            # Older deployments have only this one, whose documented shape was never seen live.
            body = await self._read_json("/balances")
        if parse.is_plain_balances(body):
            assets = {asset.asset_id: asset for asset in await self._catalogue.assets()}
            return self.session.judge(lambda: parse.plain_balances(body, assets))
        return self.session.judge(lambda: [parse.balance(row) for row in parse.rows(body)])

    async def _read_json(self, path: str) -> Any:
        return await self.session.read(Request("GET", self._url + path), lambda response: parse.accepted(response, 200))

    async def list_assets(self, *, venue: str | None = None) -> AsyncIterator[Asset]:
        """The catalogue; `venue` is `cefi` (at the exchange) or `defi` (on a chain). Kept for ten minutes."""
        if venue not in (None, "cefi", "defi"):
            raise InvalidInput(f"{venue[:20] if venue else venue!r} is not a venue: write cefi or defi.")
        for asset in await self._catalogue.assets():
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
            price = parse.number(answer, "price")
            if price <= 0:
                raise parse.unexpected("a price is not more than 0")
            return Quote(
                base=base,
                quote=book,
                side=side,
                quantity=quantity,
                unit=unit,
                output=parse.number(answer, "qty"),
                price=price,
                quoted_at=datetime.fromtimestamp(self.session.server_now(), UTC),
            )

        request = Request(
            "POST", f"{self._url}/quotes", headers={"content-type": "application/json"}, body=encode_json(body)
        )
        return await self.session.read(request, read)

    async def get_order(self, order_id: str) -> Order:
        """One order as it stands now, by the single read of newer deployments, else found in the list.

        Too far back in the list, its status alone.

        Raises:
            NotFound: the exchange does not know it.
        """
        request = orders.one(self._url, order_id)
        if self._has_single_read:
            try:
                order = await self.session.read(request, lambda response: _row(response, parse.order))
                return await self._catalogue.name_order(order)
            except ResponseError as error:
                if error.status not in (404, 405):
                    raise
        # A deployment without the single read answers as if it did not know the order; its status tells which.
        known = await self._status_of(order_id)
        self._has_single_read = False
        seen = 0
        async for order in self.list_orders():
            if order.order_id == order_id:
                return order
            seen += 1
            if seen >= _FIND_IN_PAGES * pages.PAGE_SIZE:
                break
        return known

    async def _status_of(self, order_id: str) -> Order:
        def read(response: Response) -> Order:
            word = parse.text(parse.mapping(parse.accepted(response, 200)), "status")
            return Order(order_id=order_id, status=parse.status(word), exchange_status=parse.safe_text(word)[:40])

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
        """Orders, newest first, each once; pages of 100 are read only when they are reached.

        Whether orders that are still open are among them differs by deployment: what is listed is there, what is
        not may be there as well (see `desk/proofs.py`).
        """
        wanted = tuple(sorted(set(statuses)))
        found = pages.each(
            self.session,
            lambda cursor: orders.page(self._url, statuses=wanted, cursor=cursor),
            parse.order,
            key=lambda order: order.order_id,
            created=lambda order: order.created_at,
        )
        async for order in found:
            if since and order.created_at and order.created_at < since:
                return
            yield await self._catalogue.name_order(order)

    async def size_order(self, order: NewOrder) -> SizedOrder:
        """Settle what would be sent. Asks for a price, and for balances and assets where they are needed."""
        order = sizing.settle(order)
        needs_balances = order.amount.depends_on_balance
        if order.chain:
            balances = await self.balances() if needs_balances else []
            return sizing.size_on_chain(order, assets=await self._catalogue.assets(), balances=balances)
        await self._catalogue.check_market(order)
        balances = await self.balances() if needs_balances else []
        return sizing.size_at_exchange(order, price=order.price or await self._price_for(order), balances=balances)

    def lot_size(self, price: Decimal) -> Decimal:
        """From the published table; see `increments.py`."""
        return increment_at(price).lot

    def bound_order(self, order: SizedOrder, *, at: Decimal) -> SizedOrder:
        """A market order as a limit at a price on the grid; see `Exchange.bound_order`."""
        return sizing.bound(order, at=at)

    def tag_order(self, order: SizedOrder, *, by: str) -> SizedOrder:
        """The order a few lots (or cents) smaller, at most a thousandth; see `Exchange.tag_order`."""
        return sizing.tag(order, by=by)

    def new_order(self, order: SizedOrder) -> Write[Order]:
        """The write that places it. See: `POST /orders`."""
        return orders.place(self._url, order)

    def execute_order(self, order: SizedOrder, *, created: Order) -> Write[Order]:
        """The write that signs and sends a created order. See: `POST /orders/{id}/execute`."""
        return orders.execute(self._url, order, created=created, signer=self.signer)

    def cancel_order(self, order_id: str) -> Write[None]:
        """The write that asks for cancellation. See: `DELETE /orders/{id}`."""
        return orders.cancel(self._url, order_id)

    # --- transfers, history, worth ---------------------------------------------------------------------------

    async def get_transfer(self, transfer_id: str) -> Transfer:
        """One transfer as it stands now. Raises `NotFound`."""
        transfer = await self.session.read(
            transfers.one(self._url, transfer_id), lambda response: _row(response, parse_transfers.transfer)
        )
        return await self._catalogue.name_transfer(transfer)

    async def list_transfers(
        self, *, status: TransferStatus | None = None, since: datetime | None = None
    ) -> AsyncIterator[Transfer]:
        """Transfers, newest first, each once. See: `GET /transfers`."""
        found = pages.each(
            self.session,
            lambda cursor: transfers.page(self._url, status=status, cursor=cursor),
            parse_transfers.transfer,
            key=lambda transfer: transfer.transfer_id,
            created=lambda transfer: transfer.created_at,
        )
        async for transfer in found:
            if since and transfer.created_at and transfer.created_at < since:
                return
            yield await self._catalogue.name_transfer(transfer)

    async def size_transfer(self, transfer: NewTransfer, *, destination: Destination) -> SizedTransfer:
        """Settle what would be sent. Asks for balances where a share of them was asked for."""
        balances = await self.balances() if transfer.amount.depends_on_balance else []
        return transfers.settle(
            transfer, destination=destination, assets=await self._catalogue.assets(), balances=balances
        )

    def new_transfer(self, transfer: SizedTransfer) -> Write[Transfer]:
        """The write that creates it. See: `POST /transfers`."""
        return transfers.create(self._url, transfer)

    def execute_transfer(self, transfer: SizedTransfer, *, created: Transfer) -> Write[Transfer]:
        """The write that signs and sends a created transfer. See: `POST /transfers/{id}/execute`."""
        return transfers.execute(self._url, transfer, created=created, signer=self.signer)

    async def portfolio(self) -> Portfolio:
        """What the account is worth. Raises `NotFound` where a deployment does not have it."""

        def read(response: Response) -> Portfolio:
            return parse_transfers.portfolio(parse.accepted(response, 200))

        return await self.session.read(Request("GET", f"{self._url}/portfolio"), read)

    async def list_transactions(self, *, since: datetime | None = None) -> AsyncIterator[Transaction]:
        """Everything that changed the account, newest first. Raises `NotFound` where a deployment does not have it."""

        def page(cursor: str | None) -> Request:
            params = [("limit", str(pages.PAGE_SIZE)), *([("cursor", cursor)] if cursor else [])]
            return Request("GET", f"{self._url}/transactions", params=tuple(params))

        found = pages.each(
            self.session,
            page,
            parse_transfers.transaction,
            key=lambda transaction: transaction.transaction_id,
            created=lambda transaction: transaction.created_at,
        )
        async for transaction in found:
            if since and transaction.created_at and transaction.created_at < since:
                return
            yield transaction

    async def _price_for(self, order: NewOrder) -> Decimal:
        """About what a market order would get now; for a share of a balance, what a small one would get."""
        amount = order.amount
        unit = Unit.BASE if amount.kind == "base" else Unit.QUOTE
        quantity = Decimal(100) if amount.depends_on_balance else amount.value
        try:
            quote = await self.get_quote(order.base, quote=order.quote, side=order.side, quantity=quantity, unit=unit)
        except TradehookError as error:
            if unit is Unit.QUOTE and not isinstance(error, Rejected):
                raise
            # A quantity off the grid is refused; the price of a round sum tells the grid to round it to.
            quote = await self.get_quote(
                order.base, quote=order.quote, side=order.side, quantity=Decimal(100), unit=Unit.QUOTE
            )
            lots = round_quantity(quantity if unit is Unit.BASE else quantity / quote.price, price=quote.price)
            if lots == quantity or (unit is Unit.QUOTE and lots):
                raise
        return quote.price


def _row(response: Response, read: Callable[[dict[str, Any]], Item]) -> Item:
    """A single thing, which some deployments wrap in `data`."""
    body = parse.mapping(parse.accepted(response, 200))
    inner = body.get("data")
    return read(inner if isinstance(inner, dict) else body)
