"""What every exchange offers, and what it says it cannot do. The desk and the clients know only this."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol

from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Collection, Mapping, Sequence
    from datetime import datetime
    from decimal import Decimal

    from tradehook.futures import (
        FuturesOrder,
        FuturesOverview,
        FuturesWallet,
        NewFuturesOrder,
        Position,
        SizedFuturesOrder,
    )
    from tradehook.models import Asset, Balance, NewOrder, Order, OrderStatus, Quote, Side, SizedOrder, Unit
    from tradehook.prices import (
        MarketCap,
        PriceGap,
        PriceHistory,
        PricePoint,
        PriceRange,
        PriceUpdate,
        Ticker,
        Topic,
    )
    from tradehook.session import Session
    from tradehook.transfers import (
        Destination,
        NewTransfer,
        Portfolio,
        SizedTransfer,
        Transaction,
        Transfer,
        TransferStatus,
    )
    from tradehook.wire import Write


Ability = Literal["orders", "transfers", "portfolio", "transactions", "base_buys", "quote_buys", "futures"]
"""What an exchange may be unable to do.

`orders`: tell how an order stands, or list orders; `base_buys` and `quote_buys`: market buys sized in that unit.
"""


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an exchange can do, as data: front ends ask here instead of trying."""

    chains: tuple[str, ...] = ()
    """Chains that orders may be sent to; empty where everything stands at the exchange."""
    default_quote: str = ""
    """What `BTC` alone is traded against."""
    chain_quote: str = ""
    """The same on a chain."""
    fee_rate_observed: Decimal | None = None
    """A fee seen in practice, for setting money aside. Not a promise: the exchange publishes none."""
    has_prices: bool = False
    """Whether it publishes prices, see `Prices`."""
    cannot: Mapping[Ability, str] = field(default_factory=dict)
    """What it cannot do, each with the sentence that says so to a person."""

    def can(self, ability: Ability) -> bool:
        """Whether it can do this."""
        return ability not in self.cannot

    def check(self, ability: Ability, *, exchange: str) -> None:
        """Refuse what it cannot do, before anything is sent. Raises `InvalidInput` with the sentence that says so."""
        if ability in self.cannot:
            raise InvalidInput(self.cannot[ability], exchange=exchange)


@dataclass(frozen=True, slots=True)
class Option:
    """A setting of one exchange alone: `TRADEHOOK_{EXCHANGE}_{NAME}`, or `name` in the file of accounts."""

    name: str
    says: str
    """What it decides, in a sentence."""
    default: str = ""
    choices: tuple[str, ...] = ()
    """What it can be; empty where it is free text."""
    is_secret: bool = False
    """Whether nobody may see it: it may stand in the environment or a connection's password, never in a file."""
    is_guess: bool = False
    """Whether its default is a guess that money hangs on: `tradehook doctor` names those that nobody decided."""


@dataclass(frozen=True, slots=True)
class Spec:
    """An exchange's card: its names, its hosts, its request limit."""

    name: str
    label: str
    hosts: Mapping[str, str]
    """Environment to base address."""
    live_domains: tuple[str, ...]
    """Domains where real money moves: an address below one of these is live, whatever it is called."""
    requests_per_minute: int
    capabilities: Capabilities = field(default_factory=Capabilities)
    options: tuple[Option, ...] = ()
    """Settings that only this exchange has."""
    warning: str = ""
    """What whoever trades there should know first; `tradehook doctor` and `tradehook go-live` say it."""
    has_key_file: bool = False
    """Whether one signs in with a key file; else with what `options` say."""


class Prices(Protocol):
    """What an exchange tells everybody about prices. Needs no token."""

    async def ticker(self, symbol: str) -> Ticker:
        """What an asset costs now. Raises `NotFound`."""
        ...

    async def history(self, symbol: str, *, window: str = "24h", resolution: str | None = None) -> PriceHistory:
        """Prices over a window that ends now, oldest first.

        Raises:
            InvalidInput: symbol, window or resolution cannot be; nothing was sent.
            NotFound: nothing is known of the symbol.
        """
        ...

    async def histories(
        self, symbols: Sequence[str], *, window: str = "24h", resolution: str | None = None
    ) -> list[PriceHistory]:
        """The same of several; one that fails has a `problem`, and stops no other."""
        ...

    async def price_at(self, symbol: str, at: datetime) -> PricePoint:
        """The last price at or before a moment, with the moment it is from. Raises `NotFound`."""
        ...

    async def price_range(self, symbol: str, *, window: str = "24h") -> PriceRange:
        """The lowest and the highest price of a window. Raises `NotFound`."""
        ...

    async def market_cap(self, symbol: str) -> MarketCap:
        """What all of an asset is worth. Raises `NotFound`."""
        ...

    async def market_caps(self, *, limit: int = 10) -> list[MarketCap]:
        """The same of the largest, largest first."""
        ...

    def watch(
        self, symbols: Collection[str] = (), *, topics: Collection[Topic | str] = ...
    ) -> AsyncGenerator[PriceUpdate | PriceGap, None]:
        """What changes, as it is pushed; lost connections are told and come back by themselves."""
        ...


class Futures(Protocol):
    """Perpetual futures of one account: what stands, and how an order for them is written."""

    async def overview(self) -> FuturesOverview:
        """What the exchange lists: orders, positions, prices; which of them it lists differs."""
        ...

    async def wallets(self) -> list[FuturesWallet]:
        """The money behind each contract."""
        ...

    async def positions(self) -> list[Position]:
        """Every position, from the list or, where that has none, from the wallets."""
        ...

    async def get_order(self, order_id: str) -> FuturesOrder:
        """One order as it stands now. Raises `NotFound`, also where orders are not listed."""
        ...

    async def size(self, order: NewFuturesOrder) -> SizedFuturesOrder:
        """Settle what would be sent.

        Raises:
            InvalidInput: it cannot be traded as asked, or its user has not said how orders are written.
            GuardRefused: `rule` is `futures`: it is not a sandbox.
        """
        ...

    def write(self, order: SizedFuturesOrder) -> Write[FuturesOrder]:
        """The write that opens or closes. Never repeated: it moves money in one step. Raises as `size` does."""
        ...


class Exchange(Protocol):
    """One account at one exchange. Reads are operations over its line; writes are values for the desk."""

    spec: Spec
    session: Session
    environment: str

    @property
    def prices(self) -> Prices | None:
        """Prices for everybody; `None` where `Capabilities.has_prices` says that there are none."""
        ...

    @property
    def futures(self) -> Futures | None:
        """Perpetual futures; `None` where there are none."""
        ...

    @property
    def host(self) -> str:
        """Host and port that requests go to."""
        ...

    async def account_id(self) -> str:
        """Whose money this is: the exchange's own user id, the same for every key of that person."""
        ...

    async def issued_by_sandbox(self) -> bool:
        """Whether the token in use was made by our sandbox, so that no real money can be behind it."""
        ...

    async def balances(self) -> list[Balance]:
        """Everything held, one entry for each place."""
        ...

    def list_assets(self, *, venue: str | None = None) -> AsyncIterator[Asset]:
        """Everything that can be held or traded."""
        ...

    async def get_quote(self, base: str, *, quote: str, side: Side, quantity: Decimal, unit: Unit) -> Quote:
        """A non-binding price for a market order at the exchange."""
        ...

    async def get_order(self, order_id: str) -> Order:
        """One order as it stands now. Raises `NotFound`, or `InvalidInput` where it cannot tell (`Capabilities`)."""
        ...

    def list_orders(
        self, *, statuses: Collection[OrderStatus] = (), since: datetime | None = None
    ) -> AsyncIterator[Order]:
        """Orders, newest first; pages are read only when they are reached. None where it cannot tell of any."""
        ...

    async def size_order(self, order: NewOrder) -> SizedOrder:
        """Settle what would be sent: amounts to quantities on the exchange's grid, symbols to addresses.

        Raises:
            InvalidInput: it cannot be traded as asked; `suggestions` says what to type instead.
        """
        ...

    def lot_size(self, price: Decimal) -> Decimal:
        """What market orders at the exchange are whole multiples of, in base, at this price. Raises `InvalidInput`."""
        ...

    def bound_order(self, order: SizedOrder, *, at: Decimal) -> SizedOrder:
        """A market order as a limit order at a price, or the next better one on the grid.

        Raises:
            InvalidInput: there it is less than the smallest order.
        """
        ...

    def tag_order(self, order: SizedOrder, *, by: str) -> SizedOrder:
        """The order a few of its smallest steps smaller, so that its quantity is hardly anybody else's.

        How many is decided by the text `by`. The same order comes back where its steps are too coarse for that.
        """
        ...

    def new_order(self, order: SizedOrder) -> Write[Order]:
        """The write that places it. An on-chain order only comes into being by it, see `execute_order`."""
        ...

    def execute_order(self, order: SizedOrder, *, created: Order) -> Write[Order]:
        """The write that sends a created order to market, its payloads signed.

        Raises:
            PayloadMismatch: what we were given to sign is not what was ordered.
        """
        ...

    def cancel_order(self, order_id: str) -> Write[None]:
        """The write that asks for cancellation. May be repeated. The order ends a moment later."""
        ...

    async def get_transfer(self, transfer_id: str) -> Transfer:
        """One transfer as it stands now. Raises `NotFound`."""
        ...

    def list_transfers(
        self, *, status: TransferStatus | None = None, since: datetime | None = None
    ) -> AsyncIterator[Transfer]:
        """Transfers, newest first; pages are read only when they are reached."""
        ...

    async def size_transfer(self, transfer: NewTransfer, *, destination: Destination) -> SizedTransfer:
        """Settle what would be sent: the asset by its id, the amount on what it can be divided into.

        Raises:
            InvalidInput: it cannot be sent as asked; `suggestions` says what to type instead.
        """
        ...

    def new_transfer(self, transfer: SizedTransfer) -> Write[Transfer]:
        """The write that creates it. From the exchange's own holdings that is all; see `execute_transfer`."""
        ...

    def execute_transfer(self, transfer: SizedTransfer, *, created: Transfer) -> Write[Transfer]:
        """The write that sends a created transfer, its payloads signed.

        Raises:
            PayloadMismatch: what we were given to sign is not what was asked for.
        """
        ...

    async def portfolio(self) -> Portfolio:
        """What the account is worth. Raises `NotFound` where the exchange does not tell."""
        ...

    def list_transactions(self, *, since: datetime | None = None) -> AsyncIterator[Transaction]:
        """Everything that changed the account, newest first. Raises `NotFound` where the exchange does not tell."""
        ...
