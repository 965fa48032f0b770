"""Commands about orders: `orders`, `order show`, `order cancel`; `order place` is in `placing.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing, placing
from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.cli.times import read_since
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from tradehook.client import Client
    from tradehook.models import Order, OrderStatus

app = typer.Typer(help="Place, show and cancel one order.", no_args_is_help=True, rich_markup_mode=None)
app.command("place")(placing.place)


@with_settings
def orders(
    settings: Settings,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only these, by comma: created, pending, open, canceling, filled, canceled, failed.",
            autocompletion=completing.several(
                "created", "pending", "open", "canceling", "filled", "canceled", "failed"
            ),
        ),
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="Only since then: 24h, 7d or 2026-11-01 (UTC).", metavar="TIME")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """List orders, newest first. Those asked for as open are shown even where the exchange does not list them.

    `elsewhere` marks those that were not placed through this journal: by hand, or by another program.
    """
    from itertools import islice

    from tradehook.client import connect

    statuses, after = _statuses(status), read_since(since) if since else None
    with connect(settings) as client:
        found = list(islice(_found(client, statuses, after), limit))
        ours = client.desk.journal.doubts.bound(client.exchange.host, [order.order_id for order in found])
        if as_json:
            print_rows({**order.to_dict(), "is_ours": order.order_id in ours} for order in found)
            return
        rows = [_row(order, is_ours=order.order_id in ours) for order in found]
    table(
        f"Orders of {settings.account} ({settings.environment})",
        ("time (UTC)", "order", "what", "quantity", "at", "status"),
        rows,
        numbers=(3, 4),
    )
    if rows:
        hint("The beginning of an id is enough: tradehook order show " + rows[0][1])


@app.command("show")
@with_settings
def show(
    settings: Settings,
    order_id: Annotated[
        str, typer.Argument(help="The order's id, or its beginning.", autocompletion=completing.order_ids)
    ],
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
    order_id: Annotated[
        str, typer.Argument(help="The order's id, or its beginning.", autocompletion=completing.order_ids)
    ],
    as_json: Json = False,
) -> None:
    """Ask the exchange to cancel an open limit order. Works in a freeze, and can be repeated."""
    from tradehook.client import connect
    from tradehook.render import order_line, short_id

    with connect(settings) as client:
        order = client.cancel_order(client.find_order(order_id).order_id)
    if as_json:
        print_json(order.to_dict())
        return
    say(order_line(order))
    if not order.is_final:
        hint(f"It ends in a moment: tradehook order show {short_id(order.order_id)}")


@app.command("expire")
@with_settings
def expire(settings: Settings, as_json: Json = False) -> None:
    """Cancel what has rested for as long as it may (--good-for). The bot does that by itself; this is for cron."""
    from tradehook.client import connect

    with connect(settings) as client:
        asked = client.desk.expire()
    if as_json:
        print_rows(intent.to_dict() for intent in asked)
        return
    for intent in asked:
        say(f"Canceling order {intent.order_id}: its time was up.")
    say(f"{len(asked)} asked to be canceled." if asked else "Nothing has rested for too long.")


def _found(client: Client, statuses: list[OrderStatus], after: datetime | None) -> Iterator[Order]:
    from tradehook.desk.watch import OPEN_STATUSES

    if not statuses or not set(statuses) <= set(OPEN_STATUSES):
        yield from client.list_orders(statuses=statuses, since=after)
        return
    for order in client.desk.open_orders():
        if order.status in statuses and not (after and order.created_at and order.created_at < after):
            yield order


def _statuses(text: str | None) -> list[OrderStatus]:
    from tradehook.errors import InvalidInput
    from tradehook.models import OrderStatus

    known = [status for status in OrderStatus if status is not OrderStatus.UNRECOGNIZED]
    words = [word.strip().lower() for word in (text or "").split(",") if word.strip()]
    for word in words:
        if word not in known:
            raise InvalidInput(f"{word[:40]!r} is not a status: there is {', '.join(known)}.", suggestions=tuple(known))
    return [OrderStatus(word) for word in words]


def _row(order: Order, *, is_ours: bool) -> tuple[str, ...]:
    from tradehook.render import bare_quantity, price, short_id

    in_quote = order.unit == "quote"
    asked = bare_quantity(order.quantity, (order.quote if in_quote else order.base) or "") if order.quantity else ""
    filled = bare_quantity(order.filled, order.base or "") if order.filled else ""
    asked = f"${asked}" if in_quote else asked
    return (
        order.created_at.strftime("%m-%d %H:%M") if order.created_at else "",
        short_id(order.order_id),
        f"{order.side or ''} {order.base or '?'}/{order.quote or '?'}",
        filled if order.status == "filled" else f"{filled} of {asked}" if filled else asked,
        price(order.average_price)
        if order.average_price
        else f"limit {price(order.price)}"
        if order.price
        else "market",
        str(order.status) if is_ours else f"{order.status} (elsewhere)",
    )
