"""Commands about orders: `orders`, `order place`, `order show`, `order cancel`."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import REFUSED, console, hint, print_json, print_rows, say, short, table
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.client import Client
    from tradehook.desk.submit import Outcome
    from tradehook.models import NewOrder, Order, SizedOrder

app = typer.Typer(help="Place, show and cancel one order.", no_args_is_help=True, rich_markup_mode=None)

_POLL_SECONDS = 1.0


@with_settings
def orders(
    settings: Settings,
    status: Annotated[
        str | None,
        typer.Option(help="Only these, by comma: created, pending, open, canceling, filled, canceled, failed."),
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List orders, newest first."""
    from itertools import islice

    from tradehook.client import connect

    statuses = _statuses(status)
    with connect(settings) as client:
        found = islice(client.list_orders(statuses=statuses), limit)
        if as_json:
            print_rows(order.to_dict() for order in found)
            return
        rows = [_row(order) for order in found]
    table(
        f"Orders of {settings.account} ({settings.environment})",
        ("time (UTC)", "order", "what", "quantity", "at", "status"),
        rows,
        numbers=(3, 4),
    )
    if rows:
        hint("The beginning of an id is enough: tradehook order show " + rows[0][1])


@app.command("place")
@with_settings
def place(
    settings: Settings,
    side: Annotated[str, typer.Argument(help="buy or sell.")],
    market: Annotated[str, typer.Argument(help="BTC, BTC/PYUSD, or CBBTC/USDC with --chain base.")],
    amount: Annotated[str, typer.Argument(help="0.001, '$250', 50% or max.")],
    unit: Annotated[str, typer.Option(help="What a bare number counts: base or quote.")] = "base",
    limit: Annotated[str | None, typer.Option(help="Limit price; without it, a market order.", metavar="PRICE")] = None,
    chain: Annotated[str | None, typer.Option(help="Trade on this chain: solana or base.")] = None,
    intent_id: Annotated[
        str | None, typer.Option(help="Names the deed: the same id never places a second order.", metavar="ID")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the order has ended.")] = False,
    wait_seconds: Annotated[float, typer.Option(min=0, help="How long --wait stays at most.")] = 300.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Place an order, once.

    When no answer comes, the outcome is unknown (exit code 4): the order is never sent again by itself.
    """
    from tradehook.client import connect, new_intent_id
    from tradehook.errors import InvalidInput

    order = _read_order(settings, side, market, amount, unit=unit, limit=limit, chain=chain)
    if not yes and not sys.stdin.isatty():
        raise InvalidInput(
            "Nobody is here to confirm: add --yes to place the order without asking.", suggestions=("--yes",)
        )
    with connect(settings) as client:
        from tradehook.desk.guard import check_address

        check_address(client.exchange)
        sized = None
        if not yes and order.chain is None:
            sized = client.size_order(order)
            _show(client, settings, sized)
            if not typer.confirm("Send it?", err=True):
                say("Nothing was sent.")
                raise typer.Exit(REFUSED)
        identity = intent_id or new_intent_id("cli")
        outcome = _carry_out(client, order, sized=sized, intent_id=identity, asks=not yes)
        last = _wait(client, outcome, seconds=wait_seconds) if wait else outcome.order
        _tell(outcome, last, as_json=as_json)
    if wait and last.is_final and last.status != "filled":
        raise typer.Exit(REFUSED)


@app.command("show")
@with_settings
def show(
    settings: Settings,
    order_id: Annotated[str, typer.Argument(help="The order's id, or its beginning.")],
    as_json: Json = False,
) -> None:
    """Show one order as it stands now."""
    from tradehook.client import connect
    from tradehook.render import order_line

    with connect(settings) as client:
        order = client.find_order(order_id)
    if as_json:
        print_json(order.to_dict())
        return
    say(order_line(order))
    hint(f"order {order.order_id}")


@app.command("cancel")
@with_settings
def cancel(
    settings: Settings,
    order_id: Annotated[str, typer.Argument(help="The order's id, or its beginning.")],
    as_json: Json = False,
) -> None:
    """Ask the exchange to cancel an open limit order. Works in a freeze, and can be repeated."""
    from tradehook.client import connect
    from tradehook.render import order_line

    with connect(settings) as client:
        order = client.cancel_order(client.find_order(order_id).order_id)
    if as_json:
        print_json(order.to_dict())
        return
    say(order_line(order))
    if not order.is_final:
        hint(f"It ends in a moment: tradehook order show {short(order.order_id)}")


def _read_order(
    settings: Settings, side: str, market: str, amount: str, *, unit: str, limit: str | None, chain: str | None
) -> NewOrder:
    from pydantic import ValidationError

    from tradehook import registry
    from tradehook.amounts import parse_amount, parse_decimal
    from tradehook.errors import InvalidInput
    from tradehook.models import NewOrder

    if "/" not in market and "-" not in market and not chain:
        market = f"{market}/{registry.spec(settings.exchange).capabilities.default_quote}"
    if unit not in ("base", "quote"):
        raise InvalidInput(f"{unit!r} is not a unit: write base or quote.", suggestions=("base", "quote"))
    try:
        return NewOrder.of(
            market,
            side=side.lower(),
            amount=parse_amount(amount, unit="quote" if unit == "quote" else "base"),
            price=parse_decimal(limit, what="price") if limit is not None else None,
            chain=chain.lower() if chain else None,
        )
    except ValidationError as error:
        first = error.errors()[0]
        raise InvalidInput(f"{'.'.join(str(part) for part in first['loc'])}: {first['msg']}.") from None


def _show(client: Client, settings: Settings, sized: SizedOrder) -> None:
    from tradehook.render import deed, price, quantity, typed_and_sent

    say(deed(sized), style="bold")
    say(f"{settings.environment} · {settings.account} · {sized.market} · {typed_and_sent(sized)}")
    if sized.price is None:
        quote = client.get_quote(
            sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit
        )
        say(
            f"Now about {price(quote.price)}, comes to {quantity(quote.notional, quote.quote)} "
            "before the fee, which the exchange does not tell beforehand."
        )


def _carry_out(client: Client, order: NewOrder, *, sized: SizedOrder | None, intent_id: str, asks: bool) -> Outcome:
    """Place it. An interrupt stops what has not been sent, and waits for what has."""
    future = client.desk.start_order(
        order, intent_id=intent_id, source="cli", sized=sized, approve=_approve if asks else None
    )
    with console(is_error=True).status("Placing the order…"):
        try:
            return future.result()
        except KeyboardInterrupt:
            client.desk.stop()
            hint("Stopping. Waiting for the answer to what is on its way…")
            return future.result()


def _approve(sized: SizedOrder, created: Order) -> bool:
    from tradehook.amounts import plain
    from tradehook.render import deed

    quote = created.chain_quote
    say(deed(sized), style="bold")
    if quote is not None:
        gets = sized.base if sized.side == "buy" else sized.quote
        say(f"Gives {plain(quote.quantity)} {sized.quantity_asset}, gets {plain(quote.output)} {gets} after fees.")
    return typer.confirm("Sign and send it?", err=True)


def _wait(client: Client, outcome: Outcome, *, seconds: float) -> Order:
    import time

    from tradehook.errors import TradehookError
    from tradehook.render import order_line

    order = outcome.order
    deadline = time.monotonic() + seconds
    with console(is_error=True).status(order_line(order)) as status:
        while not order.is_final and time.monotonic() < deadline:
            time.sleep(_POLL_SECONDS)
            try:
                order = client.desk.follow(outcome.intent_id)
            except TradehookError as error:
                if not error.retryable:
                    raise
            status.update(order_line(order))
    return order


def _tell(outcome: Outcome, last: Order, *, as_json: bool) -> None:
    from tradehook.render import order_line, typed_and_sent

    if as_json:
        result: dict[str, Any] = {**outcome.to_dict(), **last.model_copy(update={"payloads": ()}).to_dict()}
        print_json(result)
        return
    if outcome.is_stored:
        say("Not sent again: this intent was carried out before.")
    say(order_line(last), style="green" if last.status == "filled" else None)
    hint(f"order {last.order_id} · intent {outcome.intent_id} · {typed_and_sent(outcome.sized)}")


def _statuses(text: str | None) -> list[Any]:
    from tradehook.errors import InvalidInput
    from tradehook.models import OrderStatus

    known = [status for status in OrderStatus if status is not OrderStatus.UNRECOGNIZED]
    words = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise InvalidInput(f"{word[:40]!r} is not a status: there is {', '.join(known)}.", suggestions=tuple(known))
    return [OrderStatus(word) for word in words]


def _row(order: Order) -> tuple[str, ...]:
    from tradehook.render import bare_quantity, price

    in_quote = order.unit == "quote"
    asked = bare_quantity(order.quantity, (order.quote if in_quote else order.base) or "") if order.quantity else ""
    filled = bare_quantity(order.filled, order.base or "") if order.filled else ""
    asked = f"${asked}" if in_quote else asked
    return (
        order.created_at.strftime("%m-%d %H:%M") if order.created_at else "",
        short(order.order_id),
        f"{order.side or ''} {order.base or '?'}/{order.quote or '?'}",
        filled if order.status == "filled" else f"{filled} of {asked}" if filled else asked,
        price(order.average_price)
        if order.average_price
        else f"limit {price(order.price)}"
        if order.price
        else "market",
        str(order.status),
    )
