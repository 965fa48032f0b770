"""Commands about perpetual futures: `futures open`, `close`, `positions`, `wallet`, `orders`. In the sandbox only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli import completing
from tradehook.cli.advice import told_before
from tradehook.cli.confirming import How, carry_out, confirm
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from decimal import Decimal

    from tradehook.client import Client
    from tradehook.desk.submit import FuturesOutcome
    from tradehook.futures import NewFuturesOrder, Position, SizedFuturesOrder

app = typer.Typer(
    help="Perpetual futures: open, close, and what stands. Orders go to sandboxes only.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Contract = Annotated[str, typer.Argument(help="The contract: BTC/USDT, or BTC.")]
PositionSide = Annotated[
    str,
    typer.Argument(
        help="Which position: long or short.", metavar="SIDE", autocompletion=completing.words("long", "short")
    ),
]
Limit = Annotated[str | None, typer.Option(help="Limit price; without it, at the market.", metavar="PRICE")]
Trigger = Annotated[
    str | None, typer.Option(help="Send it to market only once the price has reached this.", metavar="PRICE")
]
IntentId = Annotated[
    str | None, typer.Option(help="Names the deed: the same id never sends a second order.", metavar="ID")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


@app.command("open")
@with_settings_of_one
def open_position(
    settings: Settings,
    contract: Contract,
    side: PositionSide,
    contracts: Annotated[str, typer.Argument(help="How many contracts.")],
    leverage: Annotated[int, typer.Option(help="How many times the margin the position stands for.", min=1, max=1000)],
    limit: Limit = None,
    trigger: Trigger = None,
    intent_id: IntentId = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Open a position, or make one larger, once.

    When no answer comes, the outcome is unknown (exit code 4): the order is never sent again by itself.
    """
    wanted = read_order("open", contract, side, contracts, leverage=leverage, limit=limit, trigger=trigger)
    _place(settings, wanted, intent_id=intent_id, how=How(asks=not yes, is_json=as_json), as_json=as_json)


@app.command("close")
@with_settings_of_one
def close_position(
    settings: Settings,
    contract: Contract,
    side: PositionSide,
    contracts: Annotated[str, typer.Argument(help="How many contracts, or all.")] = "all",
    limit: Limit = None,
    trigger: Trigger = None,
    intent_id: IntentId = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Close a position, or a part of it, once. Say which position: which way the order goes follows from that."""
    wanted = read_order("close", contract, side, contracts, leverage=None, limit=limit, trigger=trigger)
    _place(settings, wanted, intent_id=intent_id, how=How(asks=not yes, is_json=as_json), as_json=as_json)


@app.command("positions")
@with_settings
def positions(settings: Settings, as_json: Json = False) -> None:
    """What is open, with where the exchange would take it away."""
    from tradehook.client import connect
    from tradehook.desk.futures_deed import futures_of
    from tradehook.run import run

    with connect(settings) as client:
        found = run(futures_of(client.exchange).positions())
    if as_json:
        print_rows(position.to_dict() for position in found)
        return
    table(
        f"Positions of {settings.account} ({settings.environment})",
        ("contract", "side", "contracts", "entry", "liquidation", "margin", "leverage", "profit"),
        [_position_row(position) for position in found],
        numbers=(2, 3, 4, 5, 6, 7),
    )


@app.command("wallet")
@with_settings
def wallet(settings: Settings, as_json: Json = False) -> None:
    """The money behind each contract."""
    from tradehook.client import connect
    from tradehook.desk.futures_deed import futures_of
    from tradehook.run import run

    with connect(settings) as client:
        found = run(futures_of(client.exchange).wallets())
    if as_json:
        print_rows(each.to_dict() for each in found)
        return
    table(
        f"Futures wallets of {settings.account} ({settings.environment})",
        ("contract", "currency", "available", "held", "worth", "one contract is"),
        [
            (
                each.contract,
                each.currency,
                _shown(each.available),
                _shown(each.held),
                _shown(each.equity),
                f"{_shown(each.share)} {each.contract.partition('/')[0]}" if each.share is not None else "not told",
            )
            for each in found
        ],
        numbers=(2, 3, 4, 5),
    )


@app.command("orders")
@with_settings
def orders(
    settings: Settings,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="How many at most, newest first.")] = 20,
    as_json: Json = False,
) -> None:
    """Futures orders, newest first, where the exchange lists any."""
    from tradehook.client import connect
    from tradehook.desk.futures_deed import futures_of
    from tradehook.futures_words import futures_line
    from tradehook.run import run

    with connect(settings) as client:
        found = run(futures_of(client.exchange).overview())
    shown = found.orders[:limit]
    if as_json:
        print_rows(order.to_dict() for order in shown)
        return
    table(
        f"Futures orders of {settings.account} ({settings.environment})",
        ("time (UTC)", "order", "what"),
        [
            (f"{order.created_at:%m-%d %H:%M}" if order.created_at else "", order.order_id, futures_line(order))
            for order in shown
        ],
    )
    if found.unknown:
        hint(f"The exchange lists {len(found.unknown)} more that are neither orders nor positions.")


def read_order(
    action: str,
    contract: str,
    side: str,
    contracts: str,
    *,
    leverage: int | None,
    limit: str | None,
    trigger: str | None,
) -> NewFuturesOrder:
    """What was typed, as a value. Raises `InvalidInput`."""
    from tradehook.amounts import parse_decimal
    from tradehook.futures import NewFuturesOrder
    from tradehook.models import typed_in

    if side.lower() not in ("long", "short"):
        raise InvalidInput(
            f"{side[:20]!r} is no side of a position: write long or short.", suggestions=("long", "short")
        )
    is_all = action == "close" and contracts.lower() == "all"
    with typed_in():
        return NewFuturesOrder.model_validate(
            {
                "contract": contract,
                "position_side": side,
                "action": action,
                "contracts": None if is_all else parse_decimal(contracts, what="number of contracts"),
                "leverage": leverage,
                "price": parse_decimal(limit, what="price") if limit is not None else None,
                "trigger": parse_decimal(trigger, what="trigger") if trigger is not None else None,
            }
        )


def _place(settings: Settings, wanted: NewFuturesOrder, *, intent_id: str | None, how: How, as_json: bool) -> None:
    from tradehook.client import connect, new_intent_id
    from tradehook.desk.guard import check_address

    how.check_somebody_is_here(what="send the order")
    with connect(settings) as client:
        check_address(client.exchange, limits=client.desk.journal.limits)
        identity = intent_id or new_intent_id("cli")
        with told_before(client, identity):
            outcome = _ask_and_send(client, settings, wanted, intent_id=identity, how=how)
    _tell(outcome, as_json=as_json)


def _ask_and_send(
    client: Client, settings: Settings, wanted: NewFuturesOrder, *, intent_id: str, how: How
) -> FuturesOutcome:
    from tradehook.desk.futures_deed import FuturesDeed, futures_of
    from tradehook.run import run

    sized = None
    if how.asks:
        stored = client.desk.journal.find_exactly(client.desk.journal.doubts.newest_id(intent_id))
        # What was settled before is what will be sent, so that is what is shown.
        settled = stored.request if stored is not None and stored.kind == "futures" else None
        deed = FuturesDeed(wanted)
        sized = deed.restore(settled) if settled else run(futures_of(client.exchange).size(wanted))
        _show(settings, sized, how=how)
        for question in client.desk.questions(sized):
            how.tell(question, style="yellow")
        if not confirm("Send it?"):
            raise GuardRefused("Nothing was sent.", rule="approval")

    def words(settled: Any, _created: Any) -> list[str]:
        from tradehook.futures_words import futures_words

        return [futures_words(settled)]

    return carry_out(
        client,
        lambda _approve: client.desk.start_futures(wanted, intent_id=intent_id, source="cli", sized=sized),
        words=words,
        how=how,
    )


def _show(settings: Settings, sized: SizedFuturesOrder, *, how: How) -> None:
    from tradehook.futures_words import futures_words
    from tradehook.render import price

    how.tell(futures_words(sized), style="bold")
    how.tell(f"{settings.environment} · {settings.account} · {sized.contract}")
    now = f"The price is now about {price(sized.reference_price)}. " if sized.reference_price is not None else ""
    if sized.reduces:
        how.tell(f"{now}It makes the position smaller.")
    elif sized.stake is None:
        how.tell(f"{now}What it puts at risk cannot be told: the exchange does not say what a contract is.")
    else:
        how.tell(
            f"{now}Sets {_shown(sized.margin)} {sized.currency} aside as margin and costs {_shown(sized.fee)} in fees; "
            "a position can lose all of its margin."
        )


def _tell(outcome: FuturesOutcome, *, as_json: bool) -> None:
    from tradehook.futures_words import futures_line

    if as_json:
        print_json(outcome.to_dict())
        return
    if outcome.was_found:
        say("No answer came; it was found at the exchange.")
    if outcome.is_stored:
        say("Not sent again: this intent was carried out before.")
    say(futures_line(outcome.order), style="green" if outcome.order.status == "filled" else None)
    hint(f"futures order {outcome.order.order_id} · intent {outcome.intent_id} · tradehook futures positions")


def _position_row(position: Position) -> tuple[str, ...]:
    from tradehook.render import price

    leverage = f"{position.leverage}x" if position.leverage is not None else ""
    return (
        position.contract,
        str(position.position_side),
        _shown(position.contracts),
        price(position.entry_price) if position.entry_price is not None else "",
        price(position.liquidation_price) if position.liquidation_price is not None else "",
        _shown(position.margin),
        f"{leverage} cross" if position.is_cross else leverage,
        _shown(position.profit),
    )


def _shown(value: Decimal | None) -> str:
    from tradehook.amounts import plain

    return plain(value) if value is not None else ""
