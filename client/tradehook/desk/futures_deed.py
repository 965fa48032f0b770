"""The third kind of deed: a futures position is opened or closed. And what the desk reads of futures to end a doubt.

It is one step at an exchange that knows no keys, like any order there. What got no answer is looked for in the
exchange's list of futures orders, where it has one; where it has none, a person decides. See `deeds.py`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradehook.amounts import plain
from tradehook.desk.fingerprint import moved_by
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, InvalidInput, NotFound, UnexpectedResponse
from tradehook.futures import FuturesOrder, SizedFuturesOrder
from tradehook.futures_words import futures_words
from tradehook.models import OrderStatus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from datetime import datetime

    from tradehook.contract import Exchange, Futures
    from tradehook.desk.intents import Intent
    from tradehook.futures import NewFuturesOrder
    from tradehook.wire import Write

KIND = "futures"


@dataclass(frozen=True, slots=True)
class FuturesOutcome:
    """What became of a futures order that was carried out."""

    intent_id: str
    order: FuturesOrder
    """The order as last seen."""
    sized: SizedFuturesOrder
    """What was sent."""
    is_stored: bool
    """Whether nothing was sent this time, because it had been sent before."""
    was_found: bool = False
    """Whether the exchange's answer was lost, and it was found by looking."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json` and XCom."""
        order = {name: value for name, value in self.order.to_dict().items() if name != "payloads"}
        how = {"is_stored": self.is_stored, "was_found": self.was_found}
        return {"intent_id": self.intent_id, **how, **order, "sent": self.sized.to_dict()}


@dataclass(frozen=True, slots=True)
class FuturesDeed:
    """A position is to be opened or closed."""

    order: NewFuturesOrder
    kind: str = KIND

    def asked(self) -> dict[str, Any]:
        """See `Deed`."""
        return self.order.to_dict()

    async def settle(self, exchange: Exchange) -> SizedFuturesOrder:
        """See `Deed`."""
        return await futures_of(exchange).size(self.order)

    def tagged(self, exchange: Exchange, settled: SizedFuturesOrder, *, by: str) -> SizedFuturesOrder:  # noqa: ARG002
        """See `Deed`. Contracts are whole and few, so there is nothing to take off."""
        return settled

    def restore(self, request: Mapping[str, Any]) -> SizedFuturesOrder:
        """See `Deed`."""
        return SizedFuturesOrder.model_validate(dict(request))

    async def check(self, exchange: Exchange, settled: SizedFuturesOrder) -> None:
        """See `Deed`. There is no quote for a futures order to compare with."""

    async def check_created(self, exchange: Exchange, settled: SizedFuturesOrder, created: FuturesOrder) -> None:
        """See `Deed`. It is one step."""

    def write(self, exchange: Exchange, settled: SizedFuturesOrder) -> Write[FuturesOrder]:
        """See `Deed`."""
        return futures_of(exchange).write(settled)

    def execute(
        self,
        exchange: Exchange,
        settled: SizedFuturesOrder,  # noqa: ARG002
        created: FuturesOrder,  # noqa: ARG002
    ) -> Write[FuturesOrder]:
        """See `Deed`. Raises `InvalidInput`: nothing of futures is signed."""
        raise InvalidInput(
            "Futures orders are sent in one step: there is nothing to sign.", exchange=exchange.spec.name
        )

    def outcome(self, intent: Intent, *, is_stored: bool) -> FuturesOutcome:
        """See `Deed`."""
        if intent.last_futures is None or intent.request is None:
            raise UnexpectedResponse(
                f"Intent {intent.intent_id} was accepted, but what came of it is not in the journal.",
                exchange=intent.exchange,
            )
        sized = self.restore(intent.request)
        was_found = intent.state is State.MATCHED
        return FuturesOutcome(intent.intent_id, intent.last_futures, sized, is_stored=is_stored, was_found=was_found)

    def words(self, settled: SizedFuturesOrder) -> str:
        """See `Deed`."""
        return futures_words(settled)

    def terms(self, settled: SizedFuturesOrder) -> tuple[object, ...]:
        """See `Deed`."""
        names = ("contract", "position_side", "action", "contracts", "leverage", "price", "trigger")
        return tuple(getattr(settled, name) for name in names)


def futures_of(exchange: Exchange) -> Futures:
    """The exchange's futures. Raises `InvalidInput` where there are none."""
    exchange.spec.capabilities.check("futures", exchange=exchange.spec.name)
    if exchange.futures is None:
        raise InvalidInput(f"{exchange.spec.label} has no futures.", exchange=exchange.spec.name)
    return exchange.futures


def check_sandbox(*, is_live: bool) -> None:
    """Refuse a futures order where real money is: it goes to sandboxes only, whatever the limits say.

    Raises:
        GuardRefused: `rule` is `futures`.
    """
    if is_live:
        raise GuardRefused(
            "Futures are traded in the sandbox only: how their orders are written is not documented anywhere. Nothing "
            "was sent.",
            rule="futures",
            limit="sandbox",
            actual="live",
        )


async def listed(exchange: Exchange, *, since: datetime | None) -> AsyncIterator[FuturesOrder]:
    """The futures orders that the exchange lists, newest first; none where it lists only positions."""
    for order in (await futures_of(exchange).overview()).orders:
        if since is None or order.created_at is None or order.created_at >= since:
            yield order


async def held(exchange: Exchange, order: SizedFuturesOrder) -> dict[str, str]:
    """The money and the position that the order moves, each as total and available."""
    futures = futures_of(exchange)
    money, name = moved_by(order)
    found = {}
    for wallet in await futures.wallets():
        if wallet.contract == order.contract:
            found[money] = f"{plain(wallet.total)}/{plain(wallet.available)}"
    found[name] = "0/0"
    for position in await futures.positions():
        if (position.contract, position.position_side) == (order.contract, order.position_side):
            found[name] = f"{plain(position.contracts)}/{plain(position.available)}"
    return found


async def standing(exchange: Exchange, order_id: str) -> FuturesOrder:
    """How a futures order stands now. Raises `NotFound`."""
    return await futures_of(exchange).get_order(order_id)


async def named_by_a_person(exchange: Exchange, intent: Intent, order_id: str) -> FuturesOrder:
    """An order that a person says is the intent's: as it is listed, or where none are listed, as it was sent.

    Raises:
        NotFound: orders are listed, and it is not among them.
    """
    try:
        return await standing(exchange, order_id)
    except NotFound:
        if (await futures_of(exchange).overview()).orders:
            raise
    sent = SizedFuturesOrder.model_validate(dict(intent.request or {}))
    return FuturesOrder(
        order_id=order_id,
        status=OrderStatus.ACCEPTED,
        exchange_status="told by a person",
        contract=sent.contract,
        position_side=sent.position_side,
        action=sent.action,
        contracts=sent.contracts,
        leverage=sent.leverage,
        price=sent.price,
        trigger=sent.trigger,
    )
