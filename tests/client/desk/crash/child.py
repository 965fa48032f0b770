"""What runs in a forked child: one deed, at a desk with a real journal and a real socket, perhaps not to its end."""

from __future__ import annotations

import http.client
import json
import os
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar
from urllib.parse import urlsplit

import child_fintrusted
import naive
from child_names import BLIND
from points import Point, Tracer

from tradehook.amounts import parse_amount
from tradehook.desk import plans
from tradehook.desk.deeds import OrderDeed, TransferDeed
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.desk.proofs import LISTS_OPEN_ORDERS
from tradehook.desk.submit import Desk
from tradehook.errors import TradehookError
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.blocking import BlockingLine
from tradehook.models import NewOrder
from tradehook.portfolio_goal import Goal
from tradehook.run import run
from tradehook.transfers import NewTransfer

INTENT = "crash-1"
TIMEOUT_SECONDS = 0.4
"""How long an answer is waited for: faults that never answer cost this much real time."""
_ENDS_WITHIN = 5.0
"""Seconds after which the sandbox has canceled what was to be canceled."""
BASE, BITCOIN = "0x52908400098527886E0F7030069857D2E4169EE7", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"

ORDERS = {
    "market order": NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", max_slippage=5),
    "limit order": NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000)),
    "order after a doubt": NewOrder.of("BTC/PYUSD", side="sell", amount="0.001"),
    "bounded order": NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", max_slippage="0.001", bounded=True),
    "order on a chain": NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base", max_slippage=20),
    "previewed order on a chain": NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base"),
    "resting order": NewOrder.of(
        "BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000), good_for=timedelta(seconds=60)
    ),
}
TRANSFERS = {
    "payout": NewTransfer(asset="BTC", amount=parse_amount("0.01"), to="vault", chain=None),
    "transfer on a chain": NewTransfer(asset="USDC", amount=parse_amount("5"), to="cold", chain="base"),
}
GOAL_OF_TWO = Goal.of({"BTC": 60, "ETH": 2, "PYUSD": 38}, quote="PYUSD")
GOAL = Goal.of({"BTC": 50, "ETH": 20, "PYUSD": 30}, quote="PYUSD")


def admin(url: str, method: str, path: str, body: Any = None) -> Any:
    """Ask the sandbox's own side; every answer but 200 is a fault of the harness."""
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=20)
    try:
        text = None if body is None else json.dumps(body)
        connection.request(method, path, text, {"content-type": "application/json"})
        answer = connection.getresponse()
        content = answer.read()
        assert answer.status == 200, (method, path, answer.status, content)
        return json.loads(content)
    finally:
        connection.close()


class ShiftedLine(BlockingLine):
    """A blocking line in the sandbox's time: a pause lets the sandbox's clock go on instead of waiting."""

    offset: ClassVar[float] = 0.0
    """How far the sandbox's clock is from the real one; the same for all lines of this process."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = url

    async def pause(self, seconds: float) -> None:
        admin(self._url, "POST", "/_sandbox/clock", {"advance": max(seconds, 0.0)})
        ShiftedLine.offset += max(seconds, 0.0)

    def now(self) -> float:
        return super().now() + ShiftedLine.offset

    def monotonic(self) -> float:
        return super().monotonic() + ShiftedLine.offset


@dataclass(frozen=True)
class Place:
    """Where a child works."""

    url: str
    key: dict[str, Any]
    journal: str
    offset: float = 0.0

    def exchange(self) -> TrueMarkets:
        signer = keys.parse(json.dumps(self.key).encode(), where="the harness")
        line = ShiftedLine(self.url)
        return TrueMarkets(
            line, signer=signer, environment="sandbox", base_url=self.url, timeout_seconds=TIMEOUT_SECONDS
        )

    def desk(self) -> Desk:
        return Desk(self.exchange(), journal=Journal.open(self.journal), account="main")

    def fintrusted(self) -> FinTrusted:
        line = ShiftedLine(self.url)
        return child_fintrusted.exchange(line, url=self.url, timeout_seconds=TIMEOUT_SECONDS)

    def blind_desk(self) -> Desk:
        return Desk(self.fintrusted(), journal=Journal.open(self.journal), account="fintrusted")


def prepare_journal(place: Place) -> None:
    """A journal as an operator has it before the first deed: tables, destinations, and what a place-test proved."""
    desk = place.desk()
    host = desk.exchange.host
    desk.journal.destinations.add(host, "cold", network="base", address=BASE, by="harness")
    desk.journal.destinations.add(host, "vault", network="bitcoin", address=BITCOIN, by="harness")
    account_id = run(desk.exchange.account_id())
    desk.journal.proofs.record(host, account_id, LISTS_OPEN_ORDERS, is_true=True, detail="the sandbox lists them")
    limits = Limits(order=Decimal(50_000), day=Decimal(200_000), transfer=Decimal(5_000), fat_finger_percent=None)
    desk.journal.limits.set(host, account_id, limits, by="harness")
    desk.close()


def warm(place: Place) -> None:
    """What Python and the libraries make at first use is made here, and not by each child again. Leaves no threads."""
    desk = place.desk()
    for number, deed in enumerate(("market order", "order on a chain")):
        desk.place_order(ORDERS[deed], intent_id=f"warm-{number}", source="harness")
    desk.create_transfer(TRANSFERS["payout"], intent_id="warm-payout", source="harness")
    desk.sweep()
    desk.close()
    blind = place.blind_desk()
    blind.place_order(child_fintrusted.ORDERS["fintrusted market"], intent_id="warm-blind", source="harness")
    blind.sweep()
    blind.close()


def carry_out(place: Place, deed: str, policy: str, intent_id: str = INTENT) -> dict[str, Any]:
    """Do the deed as a scheduler's task would, and say what its caller hears."""
    if policy == "naive":
        return _without_memory(place, deed)
    if deed == "fintrusted rebalance":
        return _rebalance(place.desk(), others=[place.blind_desk()], goal=GOAL_OF_TWO)
    if deed.startswith("fintrusted"):
        return child_fintrusted.carry_out(place.blind_desk(), place.url, deed, intent_id, ask=admin)
    desk = place.desk()
    if deed == "cancel":
        desk.cancel_order(desk.journal.get(INTENT).exchange_id or "")
        return {"placed": desk.follow(INTENT).order_id}
    if deed == "expiry":
        return _expire(desk)
    if deed == "rebalance":
        return _rebalance(desk)
    if deed in TRANSFERS:
        transfer = desk.create_transfer(TRANSFERS[deed], intent_id=intent_id, source="harness")
        return {"placed": transfer.transfer.transfer_id}
    # As a person would: each try begins with a look at the price, and signs what was shown.
    is_shown = deed == "previewed order on a chain"
    preview = desk.preview_order(ORDERS[deed], source="harness").preview_id if is_shown else None
    order = desk.place_order(
        ORDERS[deed],
        intent_id=intent_id,
        source="harness",
        is_unattended=policy == "resend",
        resends=policy == "resend",
        preview=preview,
    )
    return {"placed": order.order.order_id}


def _without_memory(place: Place, deed: str) -> dict[str, Any]:
    if deed in BLIND:
        return {"placed": run(naive.do(place.fintrusted(), OrderDeed(child_fintrusted.ORDERS[deed]))).exchange_id}
    journal = Journal.open(place.journal)
    wanted = OrderDeed(ORDERS[deed]) if deed in ORDERS else TransferDeed(TRANSFERS[deed], journal.destinations)
    return {"placed": run(naive.do(place.exchange(), wanted)).exchange_id}


def _expire(desk: Desk) -> dict[str, Any]:
    desk.sweep()
    run(desk.exchange.session.line.pause(_ENDS_WITHIN))  # now no list shows it any more, and it is read by itself
    desk.open_orders()
    placed = desk.journal.get(INTENT).exchange_id
    desk.close()
    return {"placed": placed}


def _rebalance(desk: Desk, *, others: Sequence[Desk] = (), goal: Goal = GOAL) -> dict[str, Any]:
    done = plans.carry_out(desk, goal, intent_id=INTENT, source="harness", others=others)
    return {"placed": INTENT} if done.state is State.ACCEPTED else {"error": str(done.state), "message": ""}


def main(place: Place, work: dict[str, Any], points: list[Point], tell: int) -> None:
    """Run one piece of work and tell through the pipe which places were passed and what came of it."""
    ShiftedLine.offset = place.offset
    kill = (work["kill"][0], work["kill"][1]) if work.get("kill") else None
    if work["do"] == "deed" or kill:
        Tracer(points, tell=tell, kill=kill).begin()
    try:
        if work["do"] == "journal":
            prepare_journal(place)
            result: dict[str, Any] = {"placed": None}
        else:
            result = carry_out(place, work["deed"], work.get("policy", "hold"), work.get("intent_id", INTENT))
    except TradehookError as error:
        result = {"error": type(error).__name__, "message": error.message}
    except BaseException:  # noqa: BLE001 - whatever it is, the harness reports it
        result = {"crash": traceback.format_exc()[-2000:]}
    os.write(tell, f"end {json.dumps(result)}\n".encode())
