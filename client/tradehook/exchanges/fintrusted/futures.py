"""Futures of FinTrusted. Its page has four paths and not one parameter, so how an order is written is a profile.

A profile is data, and none is the default: whoever trades futures says which (`futures_profile`). Whatever they say,
nothing is sent outside a sandbox. See: fintrusted-api 5.8 to 5.12 and 6.1.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from decimal import ROUND_DOWN, Context, Decimal
from typing import TYPE_CHECKING, Final

from tradehook.amounts import plain
from tradehook.errors import GuardRefused, InvalidInput, NotFound
from tradehook.exchanges.fintrusted import envelope, parse_futures
from tradehook.exchanges.fintrusted.sizing import LAST_PLACE
from tradehook.exchanges.fintrusted.spot import money
from tradehook.futures import (
    UNNAMED,
    FuturesAction,
    FuturesOrder,
    PositionSide,
    SizedFuturesOrder,
)
from tradehook.models import OrderStatus
from tradehook.wire import Request, Write

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from typing import Literal

    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.futures import FuturesOverview, FuturesWallet, NewFuturesOrder, Position
    from tradehook.session import Session
    from tradehook.wire import Response

_WIDE: Final = Context(prec=60)
_FEE_RATE: Final = Decimal("0.001")
"""What an opening is taken to cost where the exchange does not tell."""
_FAR_MARKET: Final = "0"
"""The price and the trigger of an order that has none: the look-alikes want the fields all the same."""


@dataclass(frozen=True, slots=True)
class FuturesProfile:
    """What the fields of an order are called, and what they count."""

    contract: str
    contract_by: Literal["id", "symbol"]
    side: str
    kind: str
    price: str
    trigger: str | None
    """`None` where nothing is known to wait for a price."""
    leverage: str
    size: str
    size_counts: Literal["contracts", "base"]
    kinds: Mapping[str, str] = field(default_factory=lambda: {"market": "0", "limit": "1", "plan": "2"})
    """The look-alikes' codes; for futures they are the other way round than the page's for spot orders."""


PROFILES: Final[Mapping[str, FuturesProfile]] = {
    "family_default": FuturesProfile(
        contract="contractCoinId",
        contract_by="id",
        side="direction",
        kind="type",
        price="entrustPrice",
        trigger="triggerPrice",
        leverage="leverage",
        size="volume",
        size_counts="contracts",
    ),
    "seed_like": FuturesProfile(
        contract="symbol",
        contract_by="symbol",
        side="direction",
        kind="type",
        price="price",
        trigger=None,
        leverage="leverage",
        size="amount",
        size_counts="base",
    ),
}
"""As the look-alikes write orders, and as the page's own example of a spot order does."""


class FinTrustedFutures:
    """See `contract.Futures`."""

    def __init__(
        self,
        session: Session,
        *,
        url: str,
        dialect: Dialect,
        is_sandbox: bool,
        price: Callable[[str], Awaitable[Decimal]],
    ) -> None:
        """Make one.

        Args:
            session: of the account.
            url: the exchange's address.
            dialect: how it is spoken to; `futures_profile` says how orders are written.
            is_sandbox: whether it is one, by name and by address; else nothing is ever written.
            price: what a coin costs now.
        """
        self._session = session
        self._url = url
        self._dialect = dialect
        self._is_sandbox = is_sandbox
        self._price = price

    async def overview(self) -> FuturesOverview:
        """What `uorder/list` lists, sorted by what it is."""
        return await self._session.read(
            Request("GET", f"{self._url}/tx/uorder/list"),
            lambda response: parse_futures.overview(envelope.payload(response, self._dialect), self._dialect),
        )

    async def wallets(self) -> list[FuturesWallet]:
        """The futures wallets, one for each contract."""
        return await self._session.read(
            Request("GET", f"{self._url}/uc/asset/futures-wallets"),
            lambda response: parse_futures.wallets(envelope.payload(response, self._dialect)),
        )

    async def positions(self) -> list[Position]:
        """Every position: those of the list, else those that the wallets tell of."""
        listed = (await self.overview()).positions
        return list(listed) or [position for wallet in await self.wallets() for position in wallet.positions]

    async def get_order(self, order_id: str) -> FuturesOrder:
        """One order, from the list: there is no other way to ask. Raises `NotFound`."""
        for order in (await self.overview()).orders:
            if order.order_id == order_id:
                return order
        raise NotFound(
            f"FinTrusted lists no futures order {order_id[:60]} (any more).", status=404, exchange=envelope.EXCHANGE
        )

    async def size(self, order: NewFuturesOrder) -> SizedFuturesOrder:
        """Settle what would be sent, from the wallet's card of the contract and the price now.

        Raises:
            InvalidInput: it cannot be sent as asked, or nobody chose a profile.
            GuardRefused: `rule` is `futures`: it is not a sandbox.
        """
        profile = self._profile()
        wallet = await self._wallet(order.contract)
        price = await self._price(order.contract.partition("/")[0])
        if order.action is FuturesAction.OPEN:
            contracts = order.contracts or Decimal(0)
            _check_leverage(order, wallet)
        else:
            contracts = await self._closable(order)
        if contracts != contracts.to_integral_value():
            raise InvalidInput("Contracts are whole: write a number without a point.", exchange=envelope.EXCHANGE)
        margin, fee = _stake(order, contracts, wallet, price=price)
        sized = SizedFuturesOrder(
            contract=order.contract,
            contract_id=wallet.contract_id,
            position_side=order.position_side,
            action=order.action,
            contracts=contracts,
            leverage=order.leverage,
            price=order.price,
            trigger=order.trigger,
            share=wallet.share,
            currency=wallet.currency,
            margin=margin,
            fee=fee,
            reference_price=price,
        )
        _form(sized, profile, self._dialect)  # what cannot be written is told before anybody is asked
        return sized

    def write(self, order: SizedFuturesOrder) -> Write[FuturesOrder]:
        """The write that opens or closes. See: `POST /tx/uorder/open` and `/close`.

        Raises:
            InvalidInput: nobody chose a profile, or it cannot say this.
            GuardRefused: `rule` is `futures`: it is not a sandbox.
        """
        form = _form(order, self._profile(), self._dialect)

        def read(response: Response) -> FuturesOrder:
            return _accepted(envelope.answer(response, self._dialect), order, self._dialect)

        return Write(money(f"{self._url}/tx/uorder/{order.action}", form), read, "single")

    def _profile(self) -> FuturesProfile:
        if not self._is_sandbox:
            raise GuardRefused(
                "FinTrusted's futures orders are not documented, and a wrong guess about one field loses real money: "
                "they go to the sandbox only. Nothing was sent.",
                rule="futures",
                limit="sandbox",
                actual="live",
                exchange=envelope.EXCHANGE,
            )
        found = PROFILES.get(self._dialect.futures_profile)
        if found is None:
            raise InvalidInput(
                "FinTrusted does not document how a futures order is written, so you choose: set "
                "TRADEHOOK_FINTRUSTED_FUTURES_PROFILE to family_default (as its look-alikes write it; the sandbox "
                "understands it) or to seed_like (as its page writes spot orders). Nothing was sent.",
                exchange=envelope.EXCHANGE,
            )
        return found

    async def _wallet(self, contract: str) -> FuturesWallet:
        wallets = await self.wallets()
        for wallet in wallets:
            if wallet.contract == contract:
                return wallet
        known = tuple(wallet.contract for wallet in wallets)
        there = f"there is {', '.join(known)}" if known else "there is none"
        raise InvalidInput(
            f"FinTrusted has no futures wallet for {contract}; {there}.", suggestions=known, exchange=envelope.EXCHANGE
        )

    async def _closable(self, order: NewFuturesOrder) -> Decimal:
        found = [
            position
            for position in await self.positions()
            if (position.contract, position.position_side) == (order.contract, order.position_side)
        ]
        free = sum((position.available for position in found), Decimal(0))
        if free <= 0:
            busy = " that no order is closing already" if found else ""
            raise InvalidInput(
                f"There is no {order.position_side} of {order.contract} to close{busy}. `tradehook futures positions` "
                "shows what there is.",
                exchange=envelope.EXCHANGE,
            )
        if order.contracts is not None and order.contracts > free:
            raise InvalidInput(
                f"Only {plain(free)} contracts of the {order.position_side} of {order.contract} can be closed.",
                suggestions=(plain(free),),
                exchange=envelope.EXCHANGE,
            )
        return order.contracts or free


def _check_leverage(order: NewFuturesOrder, wallet: FuturesWallet) -> None:
    known, asked = wallet.leverages, order.leverage or 0
    is_range = len(known) == 2
    if known and not (known[0] <= asked <= known[1] if is_range else asked in known):
        there = f"{known[0]} to {known[1]}" if is_range else ", ".join(map(str, known))
        raise InvalidInput(f"{order.contract} has no leverage {asked}: there is {there}.", exchange=envelope.EXCHANGE)


def _stake(
    order: NewFuturesOrder, contracts: Decimal, wallet: FuturesWallet, *, price: Decimal
) -> tuple[Decimal | None, Decimal | None]:
    """Margin and fee of an opening order, at the highest price that it may be filled at."""
    if order.action is FuturesAction.CLOSE or wallet.share is None or order.leverage is None:
        return None, None
    highest = max(each for each in (price, order.price, order.trigger) if each is not None)
    notional = _WIDE.multiply(_WIDE.multiply(contracts, wallet.share), highest)
    rate = wallet.open_fee_rate if wallet.open_fee_rate is not None else _FEE_RATE
    margin = _WIDE.divide(notional, Decimal(order.leverage))
    return (
        margin.quantize(LAST_PLACE, ROUND_DOWN, context=_WIDE),
        _WIDE.multiply(notional, rate).quantize(LAST_PLACE, ROUND_DOWN, context=_WIDE),
    )


def _form(order: SizedFuturesOrder, profile: FuturesProfile, dialect: Dialect) -> list[tuple[str, str]]:
    """The order's fields. The direction is that of the order itself: BUY closes a short, SELL closes a long."""
    is_open = order.action is FuturesAction.OPEN
    is_buy = (order.position_side is PositionSide.LONG) is is_open
    kind = "plan" if order.trigger is not None else "market" if order.price is None else "limit"
    contract = order.contract if profile.contract_by == "symbol" else order.contract_id
    if contract is None:
        raise InvalidInput(
            f"FinTrusted does not tell the number of the contract {order.contract}, which this futures profile needs.",
            exchange=envelope.EXCHANGE,
        )
    if order.trigger is not None and profile.trigger is None:
        raise InvalidInput(
            "This futures profile knows no orders that wait for a price: leave out the trigger, or choose "
            "family_default.",
            exchange=envelope.EXCHANGE,
        )
    form = [
        (profile.contract, contract),
        (profile.side, dialect.direction_codes["buy" if is_buy else "sell"]),
        (profile.kind, profile.kinds[kind]),
        (profile.price, plain(order.price) if order.price is not None else _FAR_MARKET),
    ]
    if profile.trigger is not None:
        form.append((profile.trigger, plain(order.trigger) if order.trigger is not None else _FAR_MARKET))
    if is_open:
        form.append((profile.leverage, str(order.leverage)))
    return [*form, (profile.size, _size(order, profile))]


def _size(order: SizedFuturesOrder, profile: FuturesProfile) -> str:
    if profile.size_counts == "contracts":
        return plain(order.contracts)
    if order.share is None:
        raise InvalidInput(
            f"FinTrusted does not tell what a contract of {order.contract} is, and this futures profile counts the "
            "coin itself.",
            exchange=envelope.EXCHANGE,
        )
    return plain(_WIDE.multiply(order.contracts, order.share))


def _accepted(found: envelope.Answer, order: SizedFuturesOrder, dialect: Dialect) -> FuturesOrder:
    """What the answer says of the order: all of it, or that it was taken and nothing more."""
    told = found.payload if isinstance(found.payload, dict) else {}
    if told and parse_futures.has_id(told):
        seen = parse_futures.order(told, dialect)
        known = {name: value for name, value in seen.to_dict().items() if value is not None}
        return FuturesOrder.model_validate({**_sent(order), **known, "evidence": _contradiction(seen, order)})
    if not found.has_code or found.payload is False:
        raise envelope.unexpected("nothing says whether the futures order was taken")
    identity = f"{UNNAMED}{uuid.uuid4().hex[:12]}"
    return FuturesOrder(order_id=identity, status=OrderStatus.ACCEPTED, exchange_status="accepted", **_sent(order))


def _sent(order: SizedFuturesOrder) -> dict[str, object]:
    names = ("contract", "position_side", "action", "contracts", "leverage", "price", "trigger")
    return {name: getattr(order, name) for name in names}


def _contradiction(seen: FuturesOrder, order: SizedFuturesOrder) -> str | None:
    """What the answer says otherwise than what was sent: then the profile may be the wrong one."""
    pairs = ((seen.contract, order.contract), (seen.position_side, order.position_side), (seen.action, order.action))
    others = [
        f"{there}, not {here}"
        for there, here in (*pairs, (seen.contracts, order.contracts))
        if there not in (None, here)
    ]
    if not others:
        return None
    return (
        f"The exchange calls it {' and '.join(others)}: the futures profile may be wrong. Open nothing more, and look "
        "at `tradehook futures positions`."
    )
