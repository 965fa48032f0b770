"""The front door: one object with every verb, asynchronous or blocking.

    client = connect()                                  settings from TRADEHOOK_*
    client.balances()                                   or: await connect_async().balances()
    client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="$50"))

Reads run where they are called. Writes go through the desk (`desk/submit.py`) on its own threads.
"""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING, Self, TypeVar

from tradehook import run
from tradehook.desk.permits import share_budget
from tradehook.errors import InvalidInput, NotFound
from tradehook.models import NewOrder, OrderStatus, Side, Unit
from tradehook.registry import open_exchange
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
    from concurrent.futures import Future
    from datetime import datetime
    from decimal import Decimal

    from tradehook.contract import Exchange, Prices
    from tradehook.desk.standing import Orders
    from tradehook.desk.submit import Desk, Outcome, TransferOutcome
    from tradehook.models import Asset, Balance, Order, Quote, SizedOrder
    from tradehook.prices import MarketCap, PriceGap, PriceHistory, PricePoint, PriceRange, PriceUpdate, Ticker, Topic
    from tradehook.transfers import NewTransfer, Portfolio, Transaction, Transfer, TransferStatus

MadeT = TypeVar("MadeT", "Order", "Transfer")
DoneT = TypeVar("DoneT")

_WHOLE_ID = 32
_SHORTEST_BEGINNING = 4
_FIND_AMONG = 1000


class AsyncClient:
    """One account, for asyncio programs. Belongs to one event loop."""

    def __init__(self, exchange: Exchange, *, desk: Callable[[], Desk]) -> None:
        """Make one; usually `connect_async()` does.

        Args:
            exchange: the account over an asyncio line.
            desk: opens the account's desk when the first write comes.
        """
        self.exchange = exchange
        self._open_desk = desk
        self._desk: Desk | None = None
        self._lock = threading.Lock()

    @property
    def desk(self) -> Desk:
        """The door for this account's money."""
        with self._lock:
            if self._desk is None:
                self._desk = self._open_desk()
            return self._desk

    async def balances(self) -> list[Balance]:
        """Everything held, one entry for each place. Quantities in whole units."""
        return await self.exchange.balances()

    async def get_quote(
        self, base: str, *, quote: str = "", side: Side | str, quantity: Decimal, unit: Unit | str = Unit.BASE
    ) -> Quote:
        """A non-binding price for a market order, without fee.

        Raises:
            InvalidInput: side or unit is none.
            Rejected: the exchange does not quote that.
        """
        quote = quote or self.exchange.spec.capabilities.default_quote
        try:
            return await self.exchange.get_quote(base, quote=quote, side=Side(side), quantity=quantity, unit=Unit(unit))
        except ValueError as error:
            raise InvalidInput(f"{error}.") from None

    async def size_order(self, order: NewOrder) -> SizedOrder:
        """What would be sent for this order, on the exchange's grid. Sends nothing.

        Raises:
            InvalidInput: it cannot be traded as asked; `suggestions` says what to type instead.
        """
        return await self.exchange.size_order(order)

    async def get_order(self, order_id: str) -> Order:
        """One order as it stands now; where the exchange tells of none, by what the wallet shows. Raises `NotFound`."""
        if self.exchange.spec.capabilities.can("orders"):
            return await self.exchange.get_order(order_id)
        return await self._standing().get(order_id)

    async def find_order(self, beginning: str) -> Order:
        """The one order whose id is this or begins so, among the thousand newest.

        Raises:
            InvalidInput: several begin so, or too little was given to tell.
            NotFound: there is none.
        """
        if len(beginning) >= _WHOLE_ID:
            return await self.get_order(beginning)
        found = await _find(beginning, self._every_order(), what="order")
        return found if self.exchange.spec.capabilities.can("orders") else await self.get_order(found.order_id)

    async def _every_order(self) -> AsyncIterator[Order]:
        """Those that rest and were placed from here, listed by the exchange or not, and then all that it lists."""
        seen: set[str] = set()
        for intent in self.desk.journal.open_orders(self.exchange.host, account_id=await self.exchange.account_id()):
            if intent.order_id and intent.last_order is not None:
                seen.add(intent.order_id)
                yield intent.last_order
        async for order in self.list_orders():
            if order.order_id not in seen:
                yield order

    def list_orders(
        self, *, statuses: Collection[OrderStatus] = (), since: datetime | None = None
    ) -> AsyncIterator[Order]:
        """Orders, newest first; pages are read only when they are reached. Where none are told of, those from here."""
        if self.exchange.spec.capabilities.can("orders"):
            return self.exchange.list_orders(statuses=statuses, since=since)
        return self._standing().placed(statuses=statuses, since=since)

    def _standing(self) -> Orders:
        from tradehook.desk.standing import Orders

        return Orders(self.exchange, self.desk.journal)

    def list_assets(self, *, venue: str | None = None) -> AsyncIterator[Asset]:
        """Everything that can be held or traded."""
        return self.exchange.list_assets(venue=venue)

    async def price(self, symbol: str) -> Ticker:
        """What an asset costs now, in US dollars. Raises `NotFound`."""
        return await self._prices().ticker(symbol)

    async def price_history(self, symbol: str, *, window: str = "24h", resolution: str | None = None) -> PriceHistory:
        """Prices over a window that ends now, such as `1h`, `7d` or `1M`; the resolution is chosen when left out.

        Raises:
            InvalidInput: one of them cannot be; `suggestions` says what to type instead. Nothing was sent.
            NotFound: nothing is known of the symbol.
        """
        return await self._prices().history(symbol, window=window, resolution=resolution)

    async def price_histories(
        self, symbols: Sequence[str], *, window: str = "24h", resolution: str | None = None
    ) -> list[PriceHistory]:
        """The same of several assets; one that fails has a `problem`, and stops no other."""
        return await self._prices().histories(symbols, window=window, resolution=resolution)

    async def price_at(self, symbol: str, at: datetime) -> PricePoint:
        """The last price at or before a moment, with the moment it is from. Raises `NotFound`."""
        return await self._prices().price_at(symbol, at)

    async def price_range(self, symbol: str, *, window: str = "24h") -> PriceRange:
        """The lowest and the highest price of a window. Raises `NotFound`."""
        return await self._prices().price_range(symbol, window=window)

    async def market_cap(self, symbol: str) -> MarketCap:
        """What all of an asset is worth, in US dollars. Raises `NotFound`."""
        return await self._prices().market_cap(symbol)

    async def market_caps(self, *, limit: int = 10) -> list[MarketCap]:
        """The same of the largest, largest first."""
        return await self._prices().market_caps(limit=limit)

    def watch_prices(
        self, symbols: Collection[str] = (), *, topics: Collection[Topic | str] = ("price_candles",)
    ) -> AsyncGenerator[PriceUpdate | PriceGap, None]:
        """Prices as they change, until nobody asks for more; a lost connection is told as a `PriceGap` and comes back.

        Raises:
            NotFound: nothing is known of a symbol.
            TradehookError: the stream refuses us, or could not be opened at all.
        """
        return self._prices().watch(symbols, topics=topics)

    def _prices(self) -> Prices:
        if self.exchange.prices is None:
            raise InvalidInput(f"{self.exchange.spec.label} publishes no prices.")
        return self.exchange.prices

    async def place_order(self, order: NewOrder, *, intent_id: str | None = None, source: str = "python") -> Outcome:
        """Place an order at most once for this intent id; see `Desk.place_order` for what it raises.

        Cancelling the waiting does not cancel the order. May be repeated with the same `intent_id`.
        """
        future = self.desk.start_order(order, intent_id=intent_id or new_intent_id("py"), source=source)
        return await _shielded(future)

    async def cancel_order(self, order_id: str) -> Order:
        """Ask for cancellation; returns the order right after. May be repeated. Raises `WrongState`."""
        import asyncio

        return await asyncio.to_thread(self.desk.cancel_order, order_id)

    async def get_transfer(self, transfer_id: str) -> Transfer:
        """One transfer as it stands now. Raises `NotFound`."""
        return await self.exchange.get_transfer(transfer_id)

    async def find_transfer(self, beginning: str) -> Transfer:
        """The one transfer whose id is this or begins so; see `find_order`."""
        if len(beginning) >= _WHOLE_ID:
            return await self.exchange.get_transfer(beginning)
        return await _find(beginning, self.exchange.list_transfers(), what="transfer")

    def list_transfers(
        self, *, status: TransferStatus | None = None, since: datetime | None = None
    ) -> AsyncIterator[Transfer]:
        """Transfers, newest first; pages are read only when they are reached."""
        return self.exchange.list_transfers(status=status, since=since)

    async def create_transfer(
        self, transfer: NewTransfer, *, intent_id: str | None = None, source: str = "python"
    ) -> TransferOutcome:
        """Send a transfer at most once for this intent id; see `Desk.create_transfer` for what it raises.

        Cancelling the waiting does not cancel the transfer. May be repeated with the same `intent_id`.
        """
        future = self.desk.start_transfer(transfer, intent_id=intent_id or new_intent_id("py"), source=source)
        return await _shielded(future)

    async def portfolio(self) -> Portfolio:
        """What the account is worth in US dollars. Raises `NotFound` where the exchange does not tell."""
        return await self.exchange.portfolio()

    def list_transactions(self, *, since: datetime | None = None) -> AsyncIterator[Transaction]:
        """Everything that changed the account, newest first. Raises `NotFound` where the exchange does not tell."""
        return self.exchange.list_transactions(since=since)

    async def close(self) -> None:
        """Wait for what is being sent, and close connections."""
        if self._desk is not None:
            import asyncio

            await asyncio.to_thread(self._desk.close)
        self.exchange.session.rest()
        close = getattr(self.exchange.session.line, "close", None)
        if close is not None:
            await close()


async def _shielded(future: Future[DoneT]) -> DoneT:
    from tradehook.lines.asynchronous import shielded  # takes longer to load than a blocking client

    return await shielded(future)


async def _find(beginning: str, items: AsyncIterator[MadeT], *, what: str) -> MadeT:
    if len(beginning) < _SHORTEST_BEGINNING:
        raise InvalidInput(f"Write at least {_SHORTEST_BEGINNING} characters of the {what}'s id.")
    found: list[MadeT] = []
    seen = 0
    async for item in items:
        seen += 1
        if item.exchange_id.lower().startswith(beginning.lower()):
            found.append(item)
        if seen >= _FIND_AMONG:
            break
    if len(found) > 1:
        raise InvalidInput(f"{len(found)} {what}s begin with {beginning}: write more of the id.")
    if not found:
        raise NotFound(
            f"There is no {what} that begins with {beginning[:40]} among the newest {_FIND_AMONG}.", status=404
        )
    return found[0]


class Client:
    """The same account, for programs without an event loop. Safe for threads."""

    def __init__(self, operations: AsyncClient) -> None:
        """Make one over a client whose line is blocking; usually `connect()` does."""
        self.operations = operations

    @property
    def desk(self) -> Desk:
        """The door for this account's money."""
        return self.operations.desk

    @property
    def exchange(self) -> Exchange:
        """The account at the exchange."""
        return self.operations.exchange

    balances = run.blocking(AsyncClient.balances)
    get_quote = run.blocking(AsyncClient.get_quote)
    size_order = run.blocking(AsyncClient.size_order)
    get_order = run.blocking(AsyncClient.get_order)
    find_order = run.blocking(AsyncClient.find_order)
    list_orders = run.blocking_each(AsyncClient.list_orders)
    list_assets = run.blocking_each(AsyncClient.list_assets)
    get_transfer = run.blocking(AsyncClient.get_transfer)
    find_transfer = run.blocking(AsyncClient.find_transfer)
    list_transfers = run.blocking_each(AsyncClient.list_transfers)
    portfolio = run.blocking(AsyncClient.portfolio)
    list_transactions = run.blocking_each(AsyncClient.list_transactions)
    price = run.blocking(AsyncClient.price)
    price_history = run.blocking(AsyncClient.price_history)
    price_histories = run.blocking(AsyncClient.price_histories)
    price_at = run.blocking(AsyncClient.price_at)
    price_range = run.blocking(AsyncClient.price_range)
    market_cap = run.blocking(AsyncClient.market_cap)
    market_caps = run.blocking(AsyncClient.market_caps)
    watch_prices = run.blocking_each(AsyncClient.watch_prices)

    def place_order(self, order: NewOrder, *, intent_id: str | None = None, source: str = "python") -> Outcome:
        """Place an order at most once for this intent id; see `Desk.place_order` for what it raises."""
        return self.desk.place_order(order, intent_id=intent_id or new_intent_id("py"), source=source)

    def cancel_order(self, order_id: str) -> Order:
        """Ask for cancellation; returns the order right after. May be repeated. Raises `WrongState`."""
        return self.desk.cancel_order(order_id)

    def create_transfer(
        self, transfer: NewTransfer, *, intent_id: str | None = None, source: str = "python"
    ) -> TransferOutcome:
        """Send a transfer at most once for this intent id; see `Desk.create_transfer` for what it raises."""
        return self.desk.create_transfer(transfer, intent_id=intent_id or new_intent_id("py"), source=source)

    def close(self) -> None:
        """Wait for what is being sent, and close connections."""
        if self.operations._desk is not None:  # noqa: SLF001 - its twin
            self.desk.close()
        self.exchange.session.rest()
        close = getattr(self.exchange.session.line, "close", None)
        if close is not None:
            close()

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def connect(settings: Settings | str | None = None) -> Client:
    """A blocking client for an account: one of the file of accounts by its name, or what the settings name.

    Without either, the settings of the environment. Reads the key file; sends nothing yet.

    Raises:
        ConfigurationError: the settings or the key cannot be used.
        InvalidInput: the file of accounts has none of that name.
    """
    from tradehook.lines.blocking import BlockingLine

    settings = settings if isinstance(settings, Settings) else Settings.from_environment(account=settings)
    exchange = share_budget(open_exchange(settings, line=BlockingLine()), settings.journal_url)
    return Client(AsyncClient(exchange, desk=lambda: open_desk(settings, exchange=exchange)))


def connect_async(settings: Settings | str | None = None) -> AsyncClient:
    """An asyncio client for an account, by name or settings; see `connect`."""
    from tradehook.lines.asynchronous import AsyncLine

    settings = settings if isinstance(settings, Settings) else Settings.from_environment(account=settings)
    exchange = share_budget(open_exchange(settings, line=AsyncLine()), settings.journal_url)
    return AsyncClient(exchange, desk=lambda: open_desk(settings))


def open_desk(settings: Settings, *, exchange: Exchange | None = None) -> Desk:
    """The desk of the account that the settings name, with its journal.

    Args:
        settings: which account, which journal.
        exchange: the account over a blocking line, if it is open already.

    Raises:
        ConfigurationError: settings, key or journal cannot be used.
    """
    from tradehook.desk.journal import Journal
    from tradehook.desk.reconcile import Patience
    from tradehook.desk.submit import Desk
    from tradehook.lines.blocking import BlockingLine

    exchange = exchange or share_budget(open_exchange(settings, line=BlockingLine()), settings.journal_url)
    patience = Patience(horizon_seconds=settings.horizon_seconds, look_seconds=settings.look_seconds)
    return Desk(
        exchange,
        journal=Journal.open(settings.journal_url, may_upgrade=settings.may_upgrade),
        account=settings.account,
        patience=patience,
        check_chosen=settings.check_chosen,
    )


def new_intent_id(prefix: str) -> str:
    """A fresh intent id, for somebody who is there to see the outcome. A scheduler derives one instead."""
    return f"{prefix}-{uuid.uuid4()}"
