"""`tradehook order place`: from what was typed to an order, once, and what became of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli import completing
from tradehook.cli.advice import runs_out, told_before
from tradehook.cli.confirming import How, carry_out, confirm, wait_for_end
from tradehook.cli.options import Json, with_settings_of_one
from tradehook.cli.output import INTERRUPTED, REFUSED, hint, print_json, say
from tradehook.errors import GuardRefused, InvalidInput, InvalidOrder
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.client import Client
    from tradehook.desk.submit import Outcome
    from tradehook.models import NewOrder, Order, SizedOrder


@with_settings_of_one
def place(
    settings: Settings,
    side: Annotated[str, typer.Argument(help="buy or sell.", autocompletion=completing.words("buy", "sell"))],
    market: Annotated[str, typer.Argument(help="BTC, BTC/PYUSD, or CBBTC/USDC with --chain base.")],
    amount: Annotated[
        str, typer.Argument(help="0.001, '$250' (in quotes: the shell takes a bare $ away), 50% or max.")
    ],
    unit: Annotated[
        str,
        typer.Option(
            help="What a bare number counts: base or quote.", autocompletion=completing.words("base", "quote")
        ),
    ] = "base",
    limit: Annotated[str | None, typer.Option(help="Limit price; without it, a market order.", metavar="PRICE")] = None,
    chain: Annotated[
        str | None, typer.Option(help="Trade on this chain: solana or base.", autocompletion=completing.chains)
    ] = None,
    good_for: Annotated[
        str | None,
        typer.Option(help="Cancel what still rests of a limit order after 30m, 12h or 7d.", metavar="TIME"),
    ] = None,
    max_slippage: Annotated[
        str | None,
        typer.Option(
            help="Refuse a market order expected to trade this much worse than the market.", metavar="PERCENT"
        ),
    ] = None,
    bounded: Annotated[
        bool, typer.Option("--bounded", help="Send it as a limit at that bound and cancel what does not trade at once.")
    ] = False,
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
    from tradehook.desk.guard import check_address
    from tradehook.render import duration, order_line

    how = How(asks=not yes, is_json=as_json)
    terms: dict[str, Any] = {"good_for": good_for, "max_slippage": max_slippage, "bounded": bounded}
    order = _read_order(settings, side, market, amount, unit=unit, limit=limit, chain=chain, **terms)
    how.check_somebody_is_here(what="place the order")
    what_runs = runs_out(settings)
    with connect(settings) as client:
        check_address(client.exchange, limits=client.desk.journal.limits)
        identity = intent_id or new_intent_id("cli")
        try:
            with told_before(client, identity):
                outcome = _ask_and_send(client, settings, order, intent_id=identity, how=how)
        except InvalidOrder as error:
            if intent_id is not None:  # one id, one order: the other amount is another deed
                raise
            outcome = _ask_in_quote(client, settings, order, error, how=how)
        last, is_interrupted = outcome.order, False
        if wait:
            last, is_interrupted = wait_for_end(
                outcome.order,
                follow=lambda: client.desk.follow(outcome.intent_id),
                line=order_line,
                what="order",
                look="tradehook order show",
                seconds=wait_seconds,
            )
        _tell(outcome, last, as_json=as_json)
        if order.good_for is not None and not last.is_final:
            hint(f"What rests of it after {duration(order.good_for)} is to be canceled. {what_runs}")
    if is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if wait and last.is_final and last.status not in ("filled", "probably_filled"):
        raise typer.Exit(REFUSED)


def _read_order(
    settings: Settings,
    side: str,
    market: str,
    amount: str,
    *,
    unit: str,
    limit: str | None,
    chain: str | None,
    good_for: str | None,
    max_slippage: str | None,
    bounded: bool,
) -> NewOrder:
    from tradehook import registry
    from tradehook.amounts import parse_amount, parse_decimal, parse_duration
    from tradehook.models import NewOrder, typed_in

    if "/" not in market and "-" not in market:
        capabilities = registry.spec(settings.exchange).capabilities
        market = f"{market}/{(chain and capabilities.chain_quote) or capabilities.default_quote}"
    if not amount.strip("0"):
        raise InvalidInput(
            f"{amount or 'Nothing'} is no amount. If you typed one with a $, your shell took it away: write '$50' in "
            "quotes, or --unit quote.",
            suggestions=("$50",),
        )
    if unit not in ("base", "quote"):
        raise InvalidInput(f"{unit!r} is not a unit: write base or quote.", suggestions=("base", "quote"))
    with typed_in():
        return NewOrder.of(
            market,
            side=side.lower(),
            amount=parse_amount(amount, unit="quote" if unit == "quote" else "base"),
            price=parse_decimal(limit, what="price") if limit is not None else None,
            chain=chain.lower() if chain else None,
            good_for=parse_duration(good_for) if good_for is not None else None,
            max_slippage=parse_decimal(max_slippage.removesuffix("%"), what="slippage") if max_slippage else None,
            bounded=bounded,
        )


def _ask_and_send(client: Client, settings: Settings, order: NewOrder, *, intent_id: str, how: How) -> Outcome:
    sized = None
    if how.asks and order.chain is None:
        stored = client.desk.journal.find_exactly(client.desk.journal.doubts.newest_id(intent_id))
        # What was settled before is what will be sent, so that is what is shown.
        sized = (stored.sized if stored else None) or client.size_order(order)
        _show(client, settings, sized, how=how)
        for question in client.desk.questions(sized):
            how.tell(question, style="yellow")
        if not confirm("Send it?"):
            raise GuardRefused("Nothing was sent.", rule="approval")
    return carry_out(
        client,
        lambda approve: client.desk.start_order(order, intent_id=intent_id, source="cli", sized=sized, approve=approve),
        words=_approval,
        how=how,
    )


def _ask_in_quote(client: Client, settings: Settings, order: NewOrder, error: InvalidOrder, *, how: How) -> Outcome:
    """A market buy in base units that the exchange refuses for its unit is offered as a quote amount, never sent so."""
    from decimal import ROUND_UP, Decimal

    from tradehook.amounts import Amount
    from tradehook.client import new_intent_id

    if error.details.get("code") != "unit" or order.price is not None or order.amount.kind != "base":
        raise error
    quote = client.get_quote(order.base, quote=order.quote, side=order.side, quantity=order.amount.value)
    offer = Amount.quote(quote.notional.quantize(Decimal("0.01"), ROUND_UP))
    error.details["suggestions"] = (str(offer),)
    if not how.asks:
        raise error
    how.tell(f"{error.message} It takes an amount of {quote.quote} instead; that would be about {offer}.")
    again = order.model_copy(update={"amount": offer})
    return _ask_and_send(client, settings, again, intent_id=new_intent_id("cli"), how=how)


def _show(client: Client, settings: Settings, sized: SizedOrder, *, how: How) -> None:
    from tradehook.render import deed, kept_words, price, quantity, typed_and_sent

    how.tell(deed(sized), style="bold")
    how.tell(f"{settings.environment} · {settings.account} · {sized.market} · {typed_and_sent(sized)}")
    for words in kept_words(sized):
        how.tell(f"{words[0].upper()}{words[1:]}.")
    if sized.good_for is not None:
        how.tell(runs_out(settings), style="yellow")
    if sized.chain:
        return
    quote = client.get_quote(sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit)
    if sized.price is None:
        how.tell(
            f"Now about {price(quote.price)}, comes to {quantity(quote.notional, quote.quote)} "
            "before the fee, which the exchange does not tell beforehand."
        )
    elif (sized.price >= quote.price) if sized.side == "buy" else (sized.price <= quote.price):
        # There is no post-only here: such a limit does not rest, it trades.
        how.tell(
            f"The limit is through the market, now about {price(quote.price)}: it will trade at once, at the book's "
            "price, and rest only with what is left.",
            style="yellow",
        )


def _approval(settled: SizedOrder, created: Order) -> list[str]:
    from tradehook.amounts import plain
    from tradehook.render import deed

    quote = created.chain_quote
    if quote is None:
        return [deed(settled)]
    gets = settled.base if settled.side == "buy" else settled.quote
    comes = f"Gives {plain(quote.quantity)} {settled.quantity_asset}, gets {plain(quote.output)} {gets} after fees."
    return [deed(settled), comes]


def _tell(outcome: Outcome, last: Order, *, as_json: bool) -> None:
    from tradehook.render import order_line, typed_and_sent

    if as_json:
        seen = last.model_copy(update={"payloads": ()}).to_dict()
        known: dict[str, Any] = {name: value for name, value in seen.items() if value is not None}
        print_json({**outcome.to_dict(), **known})
        return
    if outcome.was_found:
        say("No answer came; it was found at the exchange.")
    if outcome.is_stored:
        say("Not sent again: this intent was carried out before.")
    say(order_line(last), style="green" if last.status == "filled" else None)
    hint(f"order {last.order_id} · intent {outcome.intent_id} · {typed_and_sent(outcome.sized)}")
