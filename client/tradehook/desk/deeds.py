"""The kinds of things that are carried out once: an order, a transfer. What differs between them stands here.

A futures order is the third, see `futures_deed.py`.

Everything else (attempts, states, doubt, signing, the journal) is the same for both and is written once, over `Deed`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tradehook.desk import slippage
from tradehook.desk.intents import State
from tradehook.errors import UnexpectedResponse
from tradehook.futures import FuturesOrder, SizedFuturesOrder
from tradehook.models import NewOrder, Order, SizedOrder
from tradehook.render import deed as order_words
from tradehook.render import transfer_words
from tradehook.transfers import NewTransfer, SizedTransfer, Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.contract import Exchange
    from tradehook.desk.destinations import Destinations
    from tradehook.desk.intents import Intent
    from tradehook.wire import Write

SettledT = TypeVar("SettledT", SizedOrder, SizedTransfer, SizedFuturesOrder)
MadeT = TypeVar("MadeT", Order, Transfer, FuturesOrder)
Made = Order | Transfer | FuturesOrder
Settled = SizedOrder | SizedTransfer | SizedFuturesOrder


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an order that was carried out."""

    intent_id: str
    order: Order
    """The order as last seen."""
    sized: SizedOrder
    """What was sent."""
    is_stored: bool
    """Whether nothing was sent this time, because it had been sent before."""
    was_found: bool = False
    """Whether the exchange's answer was lost, and it was found by looking."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json` and XCom."""
        order = self.order.model_copy(update={"payloads": ()}).to_dict()
        how = {"is_stored": self.is_stored, "was_found": self.was_found}
        return {"intent_id": self.intent_id, **how, **order, "sent": self.sized.to_dict()}


@dataclass(frozen=True, slots=True)
class TransferOutcome:
    """What became of a transfer that was carried out."""

    intent_id: str
    transfer: Transfer
    """The transfer as last seen."""
    sized: SizedTransfer
    """What was sent."""
    is_stored: bool
    """Whether nothing was sent this time, because it had been sent before."""
    was_found: bool = False
    """Whether the exchange's answer was lost, and it was found by looking."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json` and XCom."""
        transfer = self.transfer.model_copy(update={"payloads": ()}).to_dict()
        how = {"is_stored": self.is_stored, "was_found": self.was_found}
        return {"intent_id": self.intent_id, **how, **transfer, "sent": self.sized.to_dict()}


class Deed(Protocol[SettledT, MadeT]):
    """One thing that somebody wants done, and how its exchange is asked for each step."""

    @property
    def kind(self) -> str:
        """`order`, `transfer` or `futures`, as the journal and people call it."""
        ...

    def asked(self) -> dict[str, Any]:
        """What was asked, for the journal and its hash."""
        ...

    async def settle(self, exchange: Exchange) -> SettledT:
        """What will be sent. Raises `InvalidInput` when it cannot be done as asked."""
        ...

    def tagged(self, exchange: Exchange, settled: SettledT, *, by: str) -> SettledT:
        """The same, told apart from what a person would ask for, where its amount may be a trifle smaller."""
        ...

    def restore(self, request: Mapping[str, Any]) -> SettledT:
        """What was settled before, from the journal."""
        ...

    async def check(self, exchange: Exchange, settled: SettledT) -> None:
        """Raises `GuardRefused` when the market is not as whoever asked wants it, right before it is sent."""
        ...

    async def check_created(self, exchange: Exchange, settled: SettledT, created: MadeT) -> None:
        """The same, right before what was made is signed."""
        ...

    def write(self, exchange: Exchange, settled: SettledT) -> Write[MadeT]:
        """The write that makes it."""
        ...

    def execute(self, exchange: Exchange, settled: SettledT, created: MadeT) -> Write[MadeT]:
        """The write that signs and sends what was made. Raises `PayloadMismatch`."""
        ...

    def outcome(self, intent: Intent, *, is_stored: bool) -> Any:
        """What its caller gets."""
        ...

    def words(self, settled: SettledT) -> str:
        """What it does, in words for a person."""
        ...

    def terms(self, settled: SettledT) -> tuple[object, ...]:
        """What a person approves of it."""
        ...


@dataclass(frozen=True, slots=True)
class OrderDeed:
    """An order is to be placed."""

    order: NewOrder
    kind: str = "order"

    def asked(self) -> dict[str, Any]:
        """See `Deed`."""
        return self.order.to_dict()

    async def settle(self, exchange: Exchange) -> SizedOrder:
        """See `Deed`."""
        sized = await exchange.size_order(self.order)
        return await slippage.bound(exchange, self.order, sized)

    async def check(self, exchange: Exchange, settled: SizedOrder) -> None:
        """See `Deed`."""
        await slippage.check(exchange, settled)

    async def check_created(self, exchange: Exchange, settled: SizedOrder, created: Order) -> None:
        """See `Deed`."""
        await slippage.check_created(exchange, settled, created)

    def tagged(self, exchange: Exchange, settled: SizedOrder, *, by: str) -> SizedOrder:
        """See `Deed`."""
        return exchange.tag_order(settled, by=by)

    def restore(self, request: Mapping[str, Any]) -> SizedOrder:
        """See `Deed`."""
        return SizedOrder.model_validate(dict(request))

    def write(self, exchange: Exchange, settled: SizedOrder) -> Write[Order]:
        """See `Deed`."""
        return exchange.new_order(settled)

    def execute(self, exchange: Exchange, settled: SizedOrder, created: Order) -> Write[Order]:
        """See `Deed`."""
        return exchange.execute_order(settled, created=created)

    def outcome(self, intent: Intent, *, is_stored: bool) -> Outcome:
        """See `Deed`."""
        order, sized = intent.last_order, intent.sized
        if order is None or sized is None:
            raise _is_missing(intent)
        was_found = intent.state is State.MATCHED
        return Outcome(intent.intent_id, order, sized, is_stored=is_stored, was_found=was_found)

    def words(self, settled: SizedOrder) -> str:
        """See `Deed`."""
        return order_words(settled)

    def terms(self, settled: SizedOrder) -> tuple[object, ...]:
        """See `Deed`."""
        names = ("base", "quote", "side", "quantity", "unit", "price", "chain", "base_address", "good_for")
        return tuple(getattr(settled, name) for name in names)


@dataclass(frozen=True, slots=True)
class TransferDeed:
    """A transfer is to be sent to a destination on the list."""

    transfer: NewTransfer
    destinations: Destinations
    kind: str = "transfer"

    def asked(self) -> dict[str, Any]:
        """See `Deed`."""
        return self.transfer.to_dict()

    async def settle(self, exchange: Exchange) -> SizedTransfer:
        """See `Deed`."""
        destination = self.destinations.get(exchange.host, self.transfer.to)
        return await exchange.size_transfer(self.transfer, destination=destination)

    async def check(self, exchange: Exchange, settled: SizedTransfer) -> None:
        """See `Deed`. A transfer has no price."""

    async def check_created(self, exchange: Exchange, settled: SizedTransfer, created: Transfer) -> None:
        """See `Deed`. A transfer has no price."""

    def tagged(self, exchange: Exchange, settled: SizedTransfer, *, by: str) -> SizedTransfer:  # noqa: ARG002
        """See `Deed`. Whoever is paid is paid what was asked: a transfer is never tagged."""
        return settled

    def restore(self, request: Mapping[str, Any]) -> SizedTransfer:
        """See `Deed`."""
        return SizedTransfer.model_validate(dict(request))

    def write(self, exchange: Exchange, settled: SizedTransfer) -> Write[Transfer]:
        """See `Deed`. Refuses an address that was taken off the list, or changed, since it was settled."""
        self.destinations.check(exchange.host, settled)
        return exchange.new_transfer(settled)

    def execute(self, exchange: Exchange, settled: SizedTransfer, created: Transfer) -> Write[Transfer]:
        """See `Deed`."""
        return exchange.execute_transfer(settled, created=created)

    def outcome(self, intent: Intent, *, is_stored: bool) -> TransferOutcome:
        """See `Deed`."""
        transfer = intent.last_transfer
        if transfer is None or intent.request is None:
            raise _is_missing(intent)
        sized = self.restore(intent.request)
        was_found = intent.state is State.MATCHED
        return TransferOutcome(intent.intent_id, transfer, sized, is_stored=is_stored, was_found=was_found)

    def words(self, settled: SizedTransfer) -> str:
        """See `Deed`."""
        return transfer_words(settled)

    def terms(self, settled: SizedTransfer) -> tuple[object, ...]:
        """See `Deed`."""
        return (settled.asset_id, settled.quantity, settled.address, settled.network, settled.chain)


def _is_missing(intent: Intent) -> UnexpectedResponse:
    return UnexpectedResponse(
        f"Intent {intent.intent_id} was accepted, but what came of it is not in the journal.",
        exchange=intent.exchange,
    )
