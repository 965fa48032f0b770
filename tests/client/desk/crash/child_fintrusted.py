"""The deeds at FinTrusted, which tells nothing of its spot orders: only the wallet shows what became of one.

A lost answer can therefore never be found. A person looks at the exchange's own page, and says what is there; here that
person is the harness, and the page is the sandbox's admin.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

from tradehook.client import AsyncClient, Client
from tradehook.desk.intents import State
from tradehook.desk.submit import Desk
from tradehook.errors import InvalidInput, OutcomeUnknown
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.futures import NewFuturesOrder
from tradehook.line import Line
from tradehook.models import NewOrder
from tradehook.run import run, run_each

INTENT = "crash-1"
LOGIN = {"email": "demo@example.com", "password": "demo", "futures_profile": "family_default"}
ORDERS = {
    "fintrusted market": NewOrder.of("BTC/USDT", side="buy", amount="$100"),
    "fintrusted limit": NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(50000)),
    "fintrusted sale": NewOrder.of("BTC/USDT", side="sell", amount="0.002"),
    "fintrusted person": NewOrder.of("BTC/USDT", side="sell", amount="0.001"),
}
_OPEN = {"contract": "BTC/USDT", "position_side": "long", "action": "open", "contracts": 10, "leverage": 10}
AT_ONCE = NewFuturesOrder.model_validate(_OPEN)
WAITS = NewFuturesOrder.model_validate({**_OPEN, "price": Decimal(66000)})
_SETTLES = 5.0
_LATER = 450.0
"""When the latest of the late ones has come."""
Ask = Callable[..., Any]


def exchange(line: Line, *, url: str, timeout_seconds: float) -> FinTrusted:
    """The demo account of the sandbox."""
    dialect = Dialect.parse(LOGIN, is_sandbox=True)
    return FinTrusted(line, dialect=dialect, base_url=url, timeout_seconds=timeout_seconds)


def carry_out(desk: Desk, url: str, deed: str, intent_id: str, *, ask: Ask) -> dict[str, Any]:
    """Do the deed, and say what its caller hears."""
    match deed:
        case "fintrusted cancel":
            desk.cancel_order(desk.journal.get(INTENT).exchange_id or "")
            run(desk.exchange.session.line.pause(_SETTLES))
            return {"placed": desk.follow(INTENT).order_id}
        case "fintrusted sweep":
            return {"placed": [str(change.status) for change in desk.sweep()]}
        case "fintrusted reads":
            return _read_everything(desk)
        case "fintrusted person":
            return _with_a_person(desk, url, deed, ask=ask)
        case "fintrusted word":
            return _ended_by_a_word(desk, url, ask=ask)
        case "fintrusted futures":
            return _futures(desk)
        case "fintrusted futures person":
            return _futures_with_a_person(desk, url, ask=ask)
    return _place(desk, deed, intent_id)


def _place(desk: Desk, deed: str, intent_id: str = INTENT) -> dict[str, Any]:
    order = desk.place_order(ORDERS[deed], intent_id=intent_id, source="harness", is_unattended=True)
    return {"placed": order.order.order_id}


def _read_everything(desk: Desk) -> dict[str, Any]:
    """Every way in which one may ask how an order stands. None of them says more than the wallet shows."""
    desk.sweep()
    run(desk.exchange.session.line.pause(_SETTLES))
    desk.open_orders()
    client = AsyncClient(desk.exchange, desk=lambda: desk)
    found = {order.order_id for order in run_each(client.list_orders())}
    assert found == {intent.exchange_id for intent in desk.journal.list()}, found
    Client(client).get_order(desk.journal.get("crash-2").exchange_id or "")
    return {"placed": desk.follow(INTENT).order_id}


def _with_a_person(desk: Desk, url: str, deed: str, *, ask: Ask) -> dict[str, Any]:
    """What got no answer is held past the horizon; then somebody who looked says what is there."""
    try:
        _place(desk, deed)
    except OutcomeUnknown:
        _past_the_horizon(desk)
        rows = ask(url, "GET", "/_sandbox/fintrusted/orders")["data"]
        word = f"placed:{rows[0]['order_id']}" if rows else "not-placed"
        if desk.journal.get(INTENT).reads_as is State.UNKNOWN:
            desk.resolve(INTENT, word, by="a person", why="looked at the exchange's page")
    return _place(desk, deed)


def _past_the_horizon(desk: Desk) -> None:
    line = desk.exchange.session.line
    until = desk.journal.get(INTENT).looking_until
    assert until is not None
    run(line.pause(max(until.timestamp() - line.now(), 0.0) + 1.0))
    desk.reconcile()
    found = desk.journal.get(INTENT)
    assert found.state is State.NEEDS_HUMAN or found.kind == "futures", f"{found.state} after the horizon"


def _ended_by_a_word(desk: Desk, url: str, *, ask: Ask) -> dict[str, Any]:
    """Somebody cancels an order on the exchange's page, pays coins in so that the wallet tells nothing, and says so."""
    order_id = desk.journal.get(INTENT).exchange_id or ""
    rows = ask(url, "GET", "/_sandbox/fintrusted/orders")["data"]
    if rows[0]["status"] == "TRADING":
        ask(url, "POST", "/_sandbox/fintrusted/deposit", {"coin": "BTC", "add": "0.5"})
        write = desk.exchange.cancel_order(order_id)
        run(desk.exchange.session.read(write.request, write.read, kind="cancel"))
        run(desk.exchange.session.line.pause(_SETTLES))
    if not desk.journal.get(INTENT).is_final:
        desk.follow(INTENT)
        desk.resolve(INTENT, "canceled", by="a person", why="canceled it on the exchange's page")
    return {"placed": order_id}


def _futures(desk: Desk) -> dict[str, Any]:
    opened = _open(desk, WAITS)
    desk.sweep()
    desk.follow_futures(INTENT)
    return opened


def _futures_with_a_person(desk: Desk, url: str, *, ask: Ask) -> dict[str, Any]:
    """What came later than anybody looked is named by a person, mistyped first; what never came is said not to be."""
    try:
        return _open(desk, AT_ONCE)
    except OutcomeUnknown:
        run(desk.exchange.session.line.pause(_LATER))
        there = [*ask(url, "GET", "/_crash/futures")]
        if not there:
            _past_the_horizon(desk)
        elif desk.journal.get(INTENT).reads_as is State.UNKNOWN:
            with suppress(InvalidInput):
                desk.resolve(INTENT, "placed:CE1", by="a person")
        if desk.journal.get(INTENT).reads_as is State.UNKNOWN:
            word = f"placed:{there[0]}" if there else "not-placed"
            desk.resolve(INTENT, word, by="a person", why="looked at the exchange's page")
    return _open(desk, AT_ONCE)


def _open(desk: Desk, order: NewFuturesOrder) -> dict[str, Any]:
    return {"placed": desk.place_futures(order, intent_id=INTENT, source="harness").order.order_id}
