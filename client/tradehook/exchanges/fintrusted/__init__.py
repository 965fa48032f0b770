"""FinTrusted: one account over one line.

The exchange publishes one page, and nobody has vouched for it: the sandbox is the default, and everything the page
leaves open is a setting (`options.py`). `SPEC` is what everybody may read; `FinTrusted` is an `Exchange` (see
`contract.py`). What the exchange cannot do is refused with the sentence of its `Capabilities`.
See: fintrusted-api 1, 13 and 14.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn
from urllib.parse import urlsplit

from tradehook.budget import Budget
from tradehook.contract import Capabilities, Spec
from tradehook.errors import InvalidInput
from tradehook.exchanges.fintrusted import envelope, parse, sizing, spot
from tradehook.exchanges.fintrusted.auth import MEMBER, FinTrustedAuth
from tradehook.exchanges.fintrusted.catalogue import Catalogue
from tradehook.exchanges.fintrusted.futures import FinTrustedFutures
from tradehook.exchanges.fintrusted.market import MarketData
from tradehook.exchanges.fintrusted.options import OPTIONS, WARNING
from tradehook.exchanges.fintrusted.signing import FORM
from tradehook.models import Quote, Side, Unit
from tradehook.session import Session
from tradehook.wire import Request

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping
    from datetime import datetime
    from decimal import Decimal

    from tradehook.contract import Ability
    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.line import Line
    from tradehook.models import Asset, Balance, NewOrder, Order, OrderStatus, SizedOrder
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

_NO_TRANSFERS: Final = (
    "FinTrusted has no documented way to send coins, so nothing is transferred from here. Use its site."
)
_CANNOT: Final[Mapping[Ability, str]] = {
    "orders": "FinTrusted has no way to ask how an order stands, or which there are. Look on its site.",
    "transfers": _NO_TRANSFERS,
    "portfolio": "FinTrusted does not tell what an account is worth. Look at its balances and prices.",
    "transactions": "FinTrusted does not tell what changed an account. Look on its site.",
}
SPEC: Final = Spec(
    name=envelope.EXCHANGE,
    label="FinTrusted",
    hosts={"sandbox": "http://127.0.0.1:8787", "live": "https://fintrusted.com"},
    live_domains=("fintrusted.com",),
    requests_per_minute=1_200,
    capabilities=Capabilities(default_quote=parse.QUOTE, has_prices=True, cannot=_CANNOT),
    options=OPTIONS,
    warning=WARNING,
)
SANDBOX_ISSUER: Final = "tradehook-sandbox"
_ID_CLAIMS: Final = (MEMBER, "memberId", "id", "uid")


def new_budget(dialect: Dialect) -> Budget:
    """A little under the limit of the page, or what the user says."""
    return Budget(requests=dialect.requests_per_minute)


def capabilities(dialect: Dialect) -> Capabilities:
    """What one account can do: what the exchange can, less what its user has not decided."""
    cannot = dict(_CANNOT)
    if dialect.market_buy_unit != "base":
        cannot["base_buys"] = sizing.NO_BASE_BUYS if dialect.market_buy_unit == "quote" else sizing.NO_MARKET_BUYS
    if dialect.market_buy_unit != "quote":
        cannot["quote_buys"] = sizing.NO_QUOTE_BUYS if dialect.market_buy_unit == "base" else sizing.NO_MARKET_BUYS
    return replace(SPEC.capabilities, cannot=cannot)


class FinTrusted:
    """One account at FinTrusted. Reads are operations over its line; writes are values for the desk."""

    def __init__(
        self,
        line: Line,
        *,
        dialect: Dialect,
        environment: str = "sandbox",
        base_url: str | None = None,
        budget: Budget | None = None,
        timeout_seconds: float = 30.0,
    ) -> None:
        """Make one.

        Args:
            line: how it reaches the exchange.
            dialect: how the exchange is spoken to; holds the secrets.
            environment: `sandbox` or `live`.
            base_url: host by address, when it is not the environment's own.
            budget: shared by everything in this process that uses the same account.
            timeout_seconds: how long one request may take.
        """
        base = (base_url or SPEC.hosts[environment]).rstrip("/")
        self.spec = replace(SPEC, capabilities=capabilities(dialect))
        self.environment = environment
        self.dialect = dialect
        self.url = base
        self._host = urlsplit(base).netloc
        auth = FinTrustedAuth(dialect, base_url=base, now=self._now)
        self.session = Session(
            line,
            auth=auth,
            budget=budget or new_budget(dialect),
            exchange=SPEC.name,
            timeout_seconds=timeout_seconds,
        )
        given = auth.given(now=line.now(), monotonic=line.monotonic())
        if given is not None:
            self.session.hold(given)
        self._catalogue = Catalogue(self.session, url=base, dialect=dialect)
        self.prices = MarketData(self.session, base_url=base, dialect=dialect)
        self.futures = FinTrustedFutures(
            self.session,
            url=base,
            dialect=dialect,
            is_sandbox=environment == "sandbox" and not is_live_address(base),
            price=self._coin_price,
        )

    def _now(self) -> float:
        return self.session.server_now()

    @property
    def host(self) -> str:
        """Host and port that requests go to."""
        return self._host

    @property
    def is_live(self) -> bool:
        """Whether real money may be behind it, by name or by address."""
        return self.environment == "live" or is_live_address(self.url)

    async def account_id(self) -> str:
        """The member's id: told by the login, by the token, or by the exchange when it is asked.

        Raises:
            UnexpectedResponse: nothing says whose account it is; two logins could then not be told to share.
        """
        claims = (await self.session.token()).claims
        told = parse.member(claims, _ID_CLAIMS)
        if told is None and str(claims.get("sub")).isdecimal():
            told = parse.member(claims, ("sub",))
        told = told or parse.member(await self.user_info()) or parse.member(claims, ("sub",))
        if told is None:
            raise envelope.unexpected("nothing says whose account it is")
        return f"member-{told}"

    async def issued_by_sandbox(self) -> bool:
        """Whether our sandbox made the token in use, or says so itself where requests are signed."""
        claims: Mapping[str, Any] = (await self.session.token()).claims
        if self.dialect.hmac_style != "none":
            claims = await self.user_info()
        return claims.get("iss") == SANDBOX_ISSUER

    async def user_info(self) -> dict[str, Any]:
        """What the exchange tells of the user, as it came: personal data, never logged."""
        found = await self._post("/uc/user-info")
        return found if isinstance(found, dict) else {}

    async def referral_count(self) -> Any:
        """How many people the user brought, as it came."""
        return await self._post("/uc/referral/count")

    async def _post(self, path: str) -> Any:
        """A form without fields that only reads."""
        request = Request("POST", self.url + path, headers={"content-type": FORM})
        return await self.session.read(request, lambda response: envelope.payload(response, self.dialect))

    async def balances(self) -> list[Balance]:
        """Everything held for spot trading."""
        return await self.session.read(
            Request("GET", f"{self.url}/uc/asset/spot-wallets"),
            lambda response: parse.balances(envelope.payload(response, self.dialect)),
        )

    async def list_assets(self, *, venue: str | None = None) -> AsyncIterator[Asset]:
        """What the markets trade and are paid in. There is nothing on chains (`defi`). Kept for ten minutes."""
        if venue not in (None, "cefi", "defi"):
            raise InvalidInput(f"{venue[:20] if venue else venue!r} is not a venue: write cefi or defi.")
        if venue != "defi":
            for asset in await self._catalogue.assets():
                yield asset

    async def get_quote(self, base: str, *, quote: str, side: Side, quantity: Decimal, unit: Unit) -> Quote:
        """An estimate, by the ticker's last price alone: neither the book's depth nor the fee is in it."""
        price = (await self._thumb(base, quote)).last
        output = quantity
        if side is Side.SELL and unit is Unit.BASE:
            output = sizing.WIDE.multiply(quantity, price)
        if side is Side.BUY and unit is Unit.QUOTE:
            output = sizing.WIDE.divide(quantity, price)
        return Quote(
            base=base,
            quote=quote,
            side=side,
            quantity=quantity,
            unit=unit,
            output=self.session.judge(lambda: sizing.WIDE.quantize(output, sizing.LAST_PLACE)),
            price=price,
            quoted_at=self.prices.now(),
        )

    async def get_order(self, order_id: str) -> Order:
        """Nothing: there is no such question here. Raises `InvalidInput`."""
        spot.check_id(order_id)
        self._cannot("orders")

    async def list_orders(
        self,
        *,
        statuses: Collection[OrderStatus] = (),  # noqa: ARG002 - there are none of any
        since: datetime | None = None,  # noqa: ARG002
    ) -> AsyncIterator[Order]:
        """None: the exchange lists no orders."""
        nothing: tuple[Order, ...] = ()
        for order in nothing:
            yield order

    async def size_order(self, order: NewOrder) -> SizedOrder:
        """Settle what would be sent. Asks for the markets and a price, and for balances where they are needed.

        Raises:
            InvalidInput: it cannot be sent as asked, or two prices of the exchange contradict each other.
            GuardRefused: it is live, and nobody has confirmed the order codes.
        """
        if order.chain:
            raise InvalidInput("FinTrusted trades on no chain: leave out --chain.", exchange=SPEC.name)
        await self._catalogue.check_market(order.base, order.quote)
        price = order.price or await self._checked_price(order.base, order.quote)
        balances = await self.balances() if order.amount.depends_on_balance else []
        sized = self.session.judge(lambda: sizing.size(order, price=price, balances=balances, dialect=self.dialect))
        if self.is_live:
            now = await self._checked_price(order.base, order.quote) if order.price else price
            sizing.check_codes(sized, price=now, dialect=self.dialect)
        return sized

    def lot_size(self, price: Decimal) -> Decimal:  # noqa: ARG002 - no steps are published, so none go by price
        """The coarsest step that the user tells, else the eighth place."""
        return sizing.lot(self.dialect)

    def bound_order(self, order: SizedOrder, *, at: Decimal) -> SizedOrder:
        """A market order as a limit at a price, or the next better one; see `Exchange.bound_order`."""
        return sizing.bound(order, at=at, dialect=self.dialect)

    def tag_order(self, order: SizedOrder, *, by: str) -> SizedOrder:
        """The order a few steps smaller, at most a thousandth, where the user tells what its steps are."""
        return sizing.tag(order, by=by, dialect=self.dialect)

    def new_order(self, order: SizedOrder) -> Write[Order]:
        """The write that places it. See: `POST /tx/spot/add`.

        Raises:
            GuardRefused: it is live, and nobody has confirmed the order codes.
            InvalidInput: it is a market buy in a unit that this account sends none in.
        """
        if self.is_live:
            sizing.check_codes(order, price=None, dialect=self.dialect)
        if order.price is None and order.side is Side.BUY:
            ability: Ability = "base_buys" if order.unit is Unit.BASE else "quote_buys"
            self.spec.capabilities.check(ability, exchange=SPEC.name)
        elif order.unit is Unit.QUOTE:
            raise InvalidInput("FinTrusted sizes this order in what is traded, not in what it costs.")
        return spot.place(self.url, order, dialect=self.dialect)

    def execute_order(self, order: SizedOrder, *, created: Order) -> Write[Order]:  # noqa: ARG002 - never anything
        """Nothing: orders here are placed in one step. Raises `InvalidInput`."""
        raise InvalidInput("FinTrusted trades on no chain: there is nothing to sign.", exchange=SPEC.name)

    def cancel_order(self, order_id: str) -> Write[None]:
        """The write that asks for cancellation. See: `POST /tx/spot/cancel`."""
        return spot.cancel(self.url, order_id, dialect=self.dialect)

    # --- what cannot be done -------------------------------------------------------------------------------------

    async def get_transfer(self, transfer_id: str) -> Transfer:  # noqa: ARG002 - there are none
        """Nothing. Raises `InvalidInput`."""
        self._cannot("transfers")

    async def list_transfers(
        self,
        *,
        status: TransferStatus | None = None,  # noqa: ARG002 - there are none
        since: datetime | None = None,  # noqa: ARG002
    ) -> AsyncIterator[Transfer]:
        """Nothing. Raises `InvalidInput`."""
        self._cannot("transfers")
        yield

    async def size_transfer(self, transfer: NewTransfer, *, destination: Destination) -> SizedTransfer:  # noqa: ARG002
        """Nothing. Raises `InvalidInput`."""
        self._cannot("transfers")

    def new_transfer(self, transfer: SizedTransfer) -> Write[Transfer]:  # noqa: ARG002
        """Nothing. Raises `InvalidInput`."""
        self._cannot("transfers")

    def execute_transfer(self, transfer: SizedTransfer, *, created: Transfer) -> Write[Transfer]:  # noqa: ARG002
        """Nothing. Raises `InvalidInput`."""
        self._cannot("transfers")

    async def portfolio(self) -> Portfolio:
        """Nothing. Raises `InvalidInput`."""
        self._cannot("portfolio")

    async def list_transactions(self, *, since: datetime | None = None) -> AsyncIterator[Transaction]:  # noqa: ARG002
        """Nothing. Raises `InvalidInput`."""
        self._cannot("transactions")
        yield

    def _cannot(self, ability: Ability) -> NoReturn:
        raise InvalidInput(self.spec.capabilities.cannot[ability], exchange=SPEC.name)

    async def _thumb(self, base: str, quote: str) -> parse.Thumb:
        """A market's ticker: the coin's own where that is in the same currency, else from the list of markets."""
        if quote == parse.QUOTE:
            found = await self.prices.thumb(base)
            if found.quote == quote:
                return found
        await self._catalogue.check_market(base, quote)
        return next(each for each in await self._catalogue.markets() if (each.base, each.quote) == (base, quote))

    async def _coin_price(self, base: str) -> Decimal:
        """What a coin costs now, as `_checked_price`."""
        return await self._checked_price(base, parse.QUOTE)

    async def _checked_price(self, base: str, quote: str) -> Decimal:
        """What a market costs now, where the exchange does not tell it otherwise elsewhere. Raises `InvalidInput`."""
        price = (await self._thumb(base, quote)).last
        converted = await self.prices.convert(base, quote)
        sizing.check_prices(f"{base}/{quote}", ticker=price, converted=converted)
        return price


def is_live_address(url: str) -> bool:
    """Whether real money moves there, whatever it is called."""
    host = (urlsplit(url).hostname or "").rstrip(".")
    return any(host == own or host.endswith(f".{own}") for own in SPEC.live_domains)
