"""Commands about money going out and what the account did: `transfer`, `transfers`, `transactions`, `portfolio`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli import completing
from tradehook.cli.advice import told_before
from tradehook.cli.confirming import How, carry_out, confirm, wait_for_end
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import INTERRUPTED, REFUSED, hint, print_json, print_rows, say, table
from tradehook.cli.times import read_since
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.client import Client
    from tradehook.desk.submit import TransferOutcome
    from tradehook.transfers import NewTransfer, Transfer, TransferStatus

Since = Annotated[str | None, typer.Option(help="Only since then: 24h, 7d or 2026-11-01 (UTC).", metavar="TIME")]
Limit = Annotated[int, typer.Option(min=1, max=10_000, help="How many at most, newest first.")]


@with_settings_of_one
def transfer(
    settings: Settings,
    asset: Annotated[str, typer.Argument(help="What to send: USDC, BTC.")],
    amount: Annotated[str, typer.Argument(help="How much of it: 5, 50% or max.")],
    to: Annotated[
        str,
        typer.Option(
            help="Where to: a label of `tradehook destinations`.", metavar="LABEL", autocompletion=completing.labels
        ),
    ],
    chain: Annotated[
        str | None,
        typer.Option(
            help="Send from the wallet on this chain; without it, from the exchange.", autocompletion=completing.chains
        ),
    ] = None,
    intent_id: Annotated[
        str | None, typer.Option(help="Names the deed: the same id never sends a second transfer.", metavar="ID")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Stay until the transfer has ended.")] = False,
    wait_seconds: Annotated[float, typer.Option(min=0, help="How long --wait stays at most.")] = 300.0,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Send coins to a destination on your list, once.

    When no answer comes, the outcome is unknown (exit code 4): the transfer is never sent again by itself.
    """
    from tradehook.client import connect, new_intent_id
    from tradehook.desk.guard import check_address
    from tradehook.render import transfer_line

    how = How(asks=not yes, is_json=as_json)
    wanted = _read(asset, amount, to=to, chain=chain)
    how.check_somebody_is_here(what="send the transfer")
    with connect(settings) as client:
        check_address(client.exchange, limits=client.desk.journal.limits)
        identity = intent_id or new_intent_id("cli")
        with told_before(client, identity):
            outcome = _ask_and_send(client, settings, wanted, intent_id=identity, how=how)
        last, is_interrupted = outcome.transfer, False
        if wait:
            last, is_interrupted = wait_for_end(
                outcome.transfer,
                follow=lambda: client.desk.follow_transfer(outcome.intent_id),
                line=transfer_line,
                what="transfer",
                look="tradehook transfers",
                seconds=wait_seconds,
            )
        _tell(outcome, last, as_json=as_json, has_waited=wait)
    if is_interrupted:
        raise typer.Exit(INTERRUPTED)
    if wait and last.is_final and last.status != "completed":
        raise typer.Exit(REFUSED)


def _read(asset: str, amount: str, *, to: str, chain: str | None) -> NewTransfer:
    from tradehook.amounts import parse_amount
    from tradehook.models import typed_in
    from tradehook.transfers import NewTransfer

    if not amount.strip("0"):
        raise InvalidInput(f"{amount or 'Nothing'} is no amount: write how much, like 5.", suggestions=("5",))
    with typed_in():
        return NewTransfer(asset=asset, amount=parse_amount(amount), to=to, chain=chain.lower() if chain else None)


def _ask_and_send(
    client: Client, settings: Settings, wanted: NewTransfer, *, intent_id: str, how: How
) -> TransferOutcome:
    from tradehook.render import transfer_words, typed_and_sent
    from tradehook.run import run
    from tradehook.transfers import SizedTransfer

    sized = None
    if how.asks:
        stored = client.desk.journal.find_exactly(client.desk.journal.doubts.newest_id(intent_id))
        # What was settled before is what will be sent, so that is what is shown.
        settled = stored.request if stored is not None and stored.kind == "transfer" else None
        sized = SizedTransfer.model_validate(settled) if settled else run(client.desk.size_transfer(wanted))
        how.tell(transfer_words(sized), style="bold")
        how.tell(f"{settings.environment} · {settings.account} · {sized.address} · {typed_and_sent(sized)}")
        how.tell("The network's fee comes off it and is not told beforehand. It cannot be called back.")
        for question in client.desk.questions(sized):
            how.tell(question, style="yellow")
        if not confirm("Send it?"):
            raise GuardRefused("Nothing was sent.", rule="approval")
    return carry_out(
        client,
        # The one question was asked above, with the address; what is signed is compared with that by the desk.
        lambda _approve: client.desk.start_transfer(wanted, intent_id=intent_id, source="cli", sized=sized),
        words=lambda settled, _created: [transfer_words(settled)],
        how=how,
    )


def _tell(outcome: TransferOutcome, last: Transfer, *, as_json: bool, has_waited: bool) -> None:
    from tradehook.render import short_id, transfer_line, typed_and_sent

    if as_json:
        seen = last.model_copy(update={"payloads": ()}).to_dict()
        known: dict[str, Any] = {name: value for name, value in seen.items() if value is not None}
        print_json({**outcome.to_dict(), **known})
        return
    if outcome.was_found:
        say("No answer came; it was found at the exchange.")
    if outcome.is_stored:
        say("Not sent again: this intent was carried out before.")
    say(transfer_line(last), style="green" if last.status == "completed" else None)
    hint(f"transfer {last.transfer_id} · intent {outcome.intent_id} · {typed_and_sent(outcome.sized)}")
    if not last.is_final and not has_waited:
        hint(f"How it goes on: tradehook transfers {short_id(last.transfer_id)}")


@with_settings
def transfers(
    settings: Settings,
    transfer_id: Annotated[str | None, typer.Argument(help="Show this one alone: its id, or its beginning.")] = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Only created, pending, completed or failed.",
            autocompletion=completing.words("created", "pending", "completed", "failed"),
        ),
    ] = None,
    since: Since = None,
    limit: Limit = 20,
    as_json: Json = False,
) -> None:
    """List transfers, newest first, or show one as it stands now."""
    from itertools import islice

    from tradehook.client import connect
    from tradehook.render import bare_quantity, short_address, short_id, transfer_line

    wanted, after = _status(status), read_since(since) if since else None
    with connect(settings) as client:
        if transfer_id is not None:
            one = client.find_transfer(transfer_id)
            if as_json:
                print_json(one.to_dict())
                return
            say(transfer_line(one))
            hint(
                f"transfer {one.transfer_id} · to {one.to or 'an address not told'} · hash {one.tx_hash or 'none yet'}"
            )
            return
        labels = {entry.address: entry.label for entry in client.desk.journal.destinations.list(client.exchange.host)}
        found = list(islice(client.list_transfers(status=wanted, since=after), limit))
    if as_json:
        print_rows(entry.to_dict() for entry in found)
        return
    table(
        f"Transfers of {settings.account} ({settings.environment})",
        ("time (UTC)", "transfer", "what", "quantity", "to", "status"),
        [
            (
                entry.created_at.strftime("%m-%d %H:%M") if entry.created_at else "",
                short_id(entry.transfer_id),
                f"{entry.asset or '?'} {'on ' + entry.chain if entry.chain else 'from the exchange'}",
                bare_quantity(entry.quantity, entry.asset or "") if entry.quantity is not None else "",
                labels.get(entry.to or "") or short_address(entry.to or ""),
                str(entry.status),
            )
            for entry in found
        ],
        numbers=(3,),
    )


def _status(text: str | None) -> TransferStatus | None:
    from tradehook.transfers import TransferStatus

    if text is None:
        return None
    known = [status for status in TransferStatus if status is not TransferStatus.UNRECOGNIZED]
    if text.strip().lower() not in known:
        raise InvalidInput(f"{text[:40]!r} is not a status: there is {', '.join(known)}.", suggestions=tuple(known))
    return TransferStatus(text.strip().lower())


@with_settings
def transactions(settings: Settings, since: Since = None, limit: Limit = 20, as_json: Json = False) -> None:
    """Everything that changed the account, newest first: orders, transfers, money in. Deposits are only here."""
    from itertools import islice

    from tradehook.client import connect
    from tradehook.render import bare_quantity

    after = read_since(since) if since else None
    with connect(settings) as client:
        found = list(islice(client.list_transactions(since=after), limit))
    if as_json:
        print_rows(entry.to_dict() for entry in found)
        return
    table(
        f"Transactions of {settings.account} ({settings.environment})",
        ("time (UTC)", "what", "way", "asset", "quantity", "status"),
        [
            (
                entry.created_at.strftime("%m-%d %H:%M") if entry.created_at else "",
                entry.kind,
                entry.direction or "",
                entry.asset or "?",
                bare_quantity(entry.quantity, entry.asset or "") if entry.quantity is not None else "",
                entry.status,
            )
            for entry in found
        ],
        numbers=(4,),
    )


@with_settings
def portfolio(settings: Settings, as_json: Json = False) -> None:
    """What the account is worth in US dollars, as the exchange reckons."""
    from tradehook.client import connect
    from tradehook.render import bare_quantity, percent, price

    with connect(settings) as client:
        found = client.portfolio()
    if as_json:
        print_json(found.to_dict())
        return
    table(
        f"{settings.account} ({settings.environment})",
        ("asset", "where", "quantity", "price", "worth (USD)"),
        [
            (
                part.symbol,
                part.chain or "exchange",
                bare_quantity(part.quantity, part.symbol),
                price(part.price) if part.price is not None else "",
                bare_quantity(part.value, "USD") if part.value is not None else "",
            )
            for part in found.parts
        ],
        numbers=(2, 3, 4),
    )
    change = f", {percent(found.change_24h_percent)} in 24 h" if found.change_24h_percent is not None else ""
    say(f"Worth {bare_quantity(found.total, 'USD')} USD{change}.", style="bold")
