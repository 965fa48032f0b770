"""What the guard looks at inside the transaction that takes an intent for sending: limits, sums, twins, destinations.

Everything that was sent or may have been counts, until the exchange or a person said that it was not. What is decided
here holds for every process of the journal, since the transaction has the write lock from its first moment. Asks no
exchange: what had to be asked was found out before (`guard.survey`).
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sqlalchemy import select, text

from tradehook.addresses import is_same
from tradehook.amounts import plain
from tradehook.desk import assets, futures_deed, generations, standing, trading, worth
from tradehook.desk.destinations import on_list, smallest_cap
from tradehook.desk.fingerprint import fingerprint, settled_from
from tradehook.desk.intents import State, iso
from tradehook.desk.limits import MONEY, Limits, current
from tradehook.desk.sent import IN_FLIGHT, TRADES, day_of, overtaken_by, overtaken_words, sent_by
from tradehook.desk.tables import DESTINATION, EVENT
from tradehook.desk.worth import WIDE, Ground
from tradehook.errors import GuardRefused
from tradehook.futures import SizedFuturesOrder
from tradehook.models import Side, SizedOrder
from tradehook.render import clock_of
from tradehook.settings import prefix_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from tradehook.desk.deeds import Settled
    from tradehook.desk.intents import Intent
    from tradehook.desk.sent import Sent
    from tradehook.transfers import SizedTransfer

_HOUR = timedelta(hours=1)


def reserve(
    connection: Connection, intent: Intent, *, account_id: str, ground: Ground, now: datetime | None = None
) -> Decimal | None:
    """Let an intent be sent, and return what is set aside for it; `None` where no price for it is known.

    Args:
        connection: a transaction that writes.
        intent: what is to be sent, settled.
        account_id: whose money it is.
        ground: what was found out before; for the second step of a signed one, `ground_of` has it.
        now: the moment that windows end at.

    Raises:
        GuardRefused: one of the rules said no; names the rule, the limit, the figure, and when it frees again.
    """
    now = now or datetime.now(UTC)
    is_live = ground.is_live or intent.environment == "live"
    settled = settled_from(intent.kind, intent.request) if intent.request and intent.kind != "plan" else None
    limits = check_open(
        connection, settled, host=intent.host, account_id=account_id, exchange=intent.exchange, is_live=is_live
    )
    _check_plan(connection, intent, account_id=account_id)
    if settled is None:
        if limits is not None:
            raise GuardRefused("It is not settled what would be sent, so no limit can be looked at.", rule="worth")
        return None
    figure = worth.notional(settled, ground)
    limited = limits or Limits(unknowns=None, collar=None)
    others = sent_by(
        connection,
        host=intent.host,
        account_id=account_id,
        since=_since(limited, settled, now=now),
        now=now,
        but=intent.intent_id,
    )
    _check_twin(others, intent)
    _check_counts(others, limited, kind=intent.kind, now=now)
    if isinstance(settled, SizedOrder):
        if ground.is_blind:
            standing.check_evidence(connection, intent, settled, account_id=account_id)
        assets.check(connection, host=intent.host, order=settled, is_live=is_live)
        _check_collar(settled, intent, limited, ground, is_live=is_live)
        _check_order_money(others, limited, figure, now=now)
    elif isinstance(settled, SizedFuturesOrder):
        futures_deed.check_sandbox(is_live=is_live)
        _check_order_money(others, limited, figure, now=now)
    else:
        _check_transfer_money(others, limited, figure, is_live=is_live, now=now)
        _check_destination(connection, intent.host, settled, others, limited, figure=figure, is_live=is_live, now=now)
    return figure


def check_open(
    connection: Connection, settled: Settled | None, *, host: str, account_id: str, exchange: str, is_live: bool
) -> Limits | None:
    """The account's limits, where it may send this at all now; nobody else reserves for it until the transaction ends.

    Raises:
        GuardRefused: it is live and was not opened, or trading is frozen.
    """
    lock_account(connection, host, account_id)
    limits = current(connection, host, account_id)
    if is_live and (limits is None or not limits.live):
        raise live_is_off(host, exchange=exchange)
    trading.check(connection, host=host, account_id=account_id, reduces=_reduces(settled))
    return limits


def _since(limits: Limits, settled: Settled, *, now: datetime) -> datetime | None:
    """How far back the sums go that are needed; `None` when none is."""
    if not isinstance(settled, SizedOrder | SizedFuturesOrder) or limits.day is not None:
        return day_of(limits.zone, now)[0]
    return None if limits.hour is None and limits.orders_hour is None else now - _HOUR


def ground_of(connection: Connection, intent: Intent) -> Ground:
    """What was found out before the first step of an intent, from its story."""
    query = (
        select(EVENT.c.detail)
        .where(EVENT.c.intent_id == intent.intent_id, EVENT.c.what == "sending")
        .order_by(EVENT.c.event_id.desc())
        .limit(1)
    )
    detail = connection.execute(query).scalar_one_or_none()
    return Ground.from_dict(json.loads(detail).get("ground") or {}) if detail else Ground()


def lock_account(connection: Connection, host: str, account_id: str) -> None:
    """Let nobody else reserve for this account until the transaction ends. SQLite has let nobody in already."""
    if connection.dialect.name == "postgresql":
        key = f"tradehook:{trading.scope_of(host, account_id)}"
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext(:key))"), {"key": key})


def live_is_off(host: str, *, exchange: str) -> GuardRefused:
    """The refusal of whatever would go to a live exchange that nobody opened."""
    return GuardRefused(
        f"Live trading is off for this account: {host} can be read, but nothing is sent to it. `tradehook go-live` "
        "turns it on, step by step. To trade in the sandbox, unset TRADEHOOK_ENVIRONMENT and "
        f"{prefix_of(exchange)}URL, or set them to one.",
        rule="live",
        limit="read only",
        actual=host,
        exchange=exchange,
    )


def _reduces(settled: Settled | None) -> bool:
    if isinstance(settled, SizedFuturesOrder):
        return settled.reduces
    return isinstance(settled, SizedOrder) and settled.side is Side.SELL and settled.quote in MONEY


# --- the rules --------------------------------------------------------------------------------------------------


def _check_plan(connection: Connection, intent: Intent, *, account_id: str) -> None:
    """A plan is for what was there when it was made: a leg of another one since then may have done the same."""
    if intent.parent_id is None:
        return
    if other := overtaken_by(connection, plan_id=intent.parent_id, host=intent.host, account_id=account_id):
        raise GuardRefused(overtaken_words(other), rule="plan", actual=other)


def _check_twin(others: Sequence[Sent], intent: Intent) -> None:
    """One that looks the same and may be there already: what was sent a moment ago must not be sent again by hand."""
    wanted = twin_mark(intent.kind, intent.request or {})
    for other in others:
        is_other = generations.first_id(other.intent_id) != generations.first_id(intent.intent_id)
        if other.is_unknown and is_other and other.kind == intent.kind and other.request:
            if twin_mark(other.kind, other.request) != wanted:
                continue
            raise GuardRefused(
                f"The same {intent.noun} was sent before and may be there: intent {other.intent_id}, in doubt since "
                f"{clock_of(iso(other.at))}. Nothing was sent. Look at it first: `tradehook intents show "
                f"{other.intent_id}`.",
                rule="twin",
                limit="1",
                actual=other.intent_id,
            )


def twin_mark(kind: str, request: Mapping[str, Any]) -> str:
    """One text for everything that a person would call the same: the fingerprint, before anything was taken off."""
    settled = settled_from(kind, request)
    if isinstance(settled, SizedOrder) and settled.tag:
        settled = settled.model_copy(update={"quantity": WIDE.add(settled.quantity, settled.tag), "tag": Decimal(0)})
    return fingerprint(kind, settled.to_dict())


def _check_counts(others: Sequence[Sent], limits: Limits, *, kind: str, now: datetime) -> None:
    unknown = sum(other.is_unknown for other in others)
    if limits.unknowns is not None and unknown >= limits.unknowns:
        raise GuardRefused(
            f"{unknown} of this account's intents are in doubt, and the limit is {limits.unknowns}. Nothing new is "
            "sent until they are resolved: `tradehook intents reconcile`, then `tradehook intents list`.",
            rule="unknowns",
            limit=str(limits.unknowns),
            actual=str(unknown),
        )
    flying = sum(other.state in IN_FLIGHT for other in others)
    if limits.in_flight is not None and flying >= limits.in_flight:
        raise GuardRefused(
            f"{flying} of this account's intents are under way or in doubt, and the limit is {limits.in_flight}. "
            "Nothing was sent. Try again when one has its answer.",
            rule="in_flight",
            limit=str(limits.in_flight),
            actual=str(flying),
        )
    recent = [other for other in others if other.kind in TRADES and other.at > now - _HOUR]
    if kind in TRADES and limits.orders_hour is not None and len(recent) >= limits.orders_hour:
        frees = recent[len(recent) - limits.orders_hour].at + _HOUR if limits.orders_hour else None
        raise GuardRefused(
            f"{len(recent)} orders were sent in the last hour, and the limit is {limits.orders_hour}. Nothing was "
            f"sent.{_again(frees)}",
            rule="orders_hour",
            limit=str(limits.orders_hour),
            actual=str(len(recent)),
            frees_at=iso(frees) if frees else None,
        )


def _check_collar(order: SizedOrder, intent: Intent, limits: Limits, ground: Ground, *, is_live: bool) -> None:
    """A price that is worse for us than the reference by more than the collar is refused; a better one never is."""
    price = _chain_price(order, intent) if order.chain else order.price or order.reference_price
    if limits.collar is None or (order.chain and price is None):
        return  # on a chain the price is only known when the order was created: looked at before it is signed
    reference = ground.reference(order)
    if reference is None or price is None:
        if not is_live:
            return
        raise GuardRefused(
            f"No independent price of {order.base} could be had, so the price collar cannot be looked at. Nothing was "
            "sent. Try again, or take the collar off with `tradehook limits set`.",
            rule="collar",
            limit=f"{plain(limits.collar)}%",
        )
    is_buy = order.side is Side.BUY
    bound = WIDE.multiply(reference, (100 + limits.collar if is_buy else 100 - limits.collar) / 100)
    if (price > bound) if is_buy else (price < bound):
        raise GuardRefused(
            f"The price, {plain(round(price, 8))} {order.quote}, is more than {plain(limits.collar)}% worse than the "
            f"reference, {plain(round(reference, 8))}. Nothing was sent.",
            rule="collar",
            limit=plain(round(bound, 8)),
            actual=plain(round(price, 8)),
        )


def _chain_price(order: SizedOrder, intent: Intent) -> Decimal | None:
    """What a created order on a chain would cost, from what the exchange said it does."""
    quote = intent.last_order.chain_quote if intent.state is State.CREATED and intent.last_order else None
    if quote is None or quote.quantity <= 0 or quote.output <= 0:
        return None
    pair = (quote.quantity, quote.output) if order.side is Side.BUY else (quote.output, quote.quantity)
    return WIDE.divide(*pair)


def _check_order_money(others: Sequence[Sent], limits: Limits, figure: Decimal | None, *, now: datetime) -> None:
    caps = (limits.order, limits.hour, limits.day)
    if all(cap is None for cap in caps):
        return
    amount = _known(figure, what="order")
    if limits.order is not None and amount > limits.order:
        raise _too_much("order", "This order is worth", amount, limits.order)
    orders = [other for other in others if other.kind in TRADES]
    begins, ends = day_of(limits.zone, now)
    _check_day("day", [other for other in orders if other.at >= begins], limits.day, amount, ends=ends)
    if limits.hour is None:
        return
    recent = [other for other in orders if other.at > now - _HOUR]
    used = worth.total([other.worth for other in recent])
    if WIDE.add(used, amount) > limits.hour:
        frees = _frees(recent, over=WIDE.add(used, amount) - limits.hour)
        raise _too_much(
            "hour", "With this, the orders of the last hour are worth", WIDE.add(used, amount), limits.hour, frees
        )


def _check_transfer_money(
    others: Sequence[Sent], limits: Limits, figure: Decimal | None, *, is_live: bool, now: datetime
) -> None:
    if is_live and limits.transfer is None:
        raise GuardRefused(
            "This account sends no transfers. Nothing was sent. `tradehook limits set --transfer` allows them.",
            rule="transfer",
            limit="none",
        )
    if limits.transfer is None and limits.transfer_day is None:
        return
    amount = _known(figure, what="transfer")
    if limits.transfer is not None and amount > limits.transfer:
        raise _too_much("transfer", "This transfer is worth", amount, limits.transfer)
    begins, ends = day_of(limits.zone, now)
    sent = [other for other in others if other.kind == "transfer" and other.at >= begins]
    _check_day("transfer_day", sent, limits.transfer_day, amount, ends=ends)


def _check_destination(
    connection: Connection,
    host: str,
    transfer: SizedTransfer,
    others: Sequence[Sent],
    limits: Limits,
    *,
    figure: Decimal | None,
    is_live: bool,
    now: datetime,
) -> None:
    query = select(DESTINATION).where(
        DESTINATION.c.host == host, DESTINATION.c.label == transfer.to, DESTINATION.c.removed_at.is_(None)
    )
    row = connection.execute(query).one_or_none()
    if row is None or (row.address, row.network) != (transfer.address, transfer.network):
        raise GuardRefused(
            f"Not sent: {transfer.to} is no longer the address this transfer was made for. Look at `tradehook "
            "destinations`, and begin again with a new transfer.",
            rule="destination",
            actual=transfer.to,
        )
    hours = limits.cool_off_hours(is_live=is_live)
    opens = datetime.fromisoformat(row.added_at) + timedelta(hours=hours)
    if now < opens:
        raise GuardRefused(
            f"{transfer.to} was put on the list at {clock_of(row.added_at)}; money goes there {hours} h later. "
            f"Nothing was sent.{_again(opens)}",
            rule="cool_off",
            limit=f"{hours} h",
            actual=row.added_at,
            frees_at=iso(opens),
        )
    capped = smallest_cap(on_list(connection, host), address=row.address, network=row.network)
    if capped is None:
        return
    begins, ends = day_of(limits.zone, now)
    there = [other for other in others if other.kind == "transfer" and other.at >= begins and _goes_to(other, transfer)]
    whose = f", the cap of {capped.label}{'' if capped.label == transfer.to else ', which is the same address'}"
    _check_day("destination_day", there, capped.day_cap, _known(figure, what="transfer"), ends=ends, whose=whose)


def _goes_to(other: Sent, transfer: SizedTransfer) -> bool:
    return other.request is None or is_same(str(other.request.get("address")), transfer.address)


def _check_day(
    rule: str, sent: Sequence[Sent], cap: Decimal | None, amount: Decimal, *, ends: datetime, whose: str = ""
) -> None:
    if cap is None:
        return
    together = WIDE.add(worth.total([other.worth for other in sent]), amount)
    if together > cap:
        what = {"day": "the orders of today are", "transfer_day": "the transfers of today are"}.get(
            rule, "what goes to this destination today is"
        )
        raise _too_much(rule, f"With this, {what} worth", together, cap, ends if amount <= cap else None, whose=whose)


def _known(figure: Decimal | None, *, what: str) -> Decimal:
    if figure is None:
        raise GuardRefused(
            f"No price is known for this {what}, so it cannot be held against the limits of this account. Nothing was "
            "sent. Try again when its price can be had (`tradehook price`).",
            rule="worth",
        )
    return figure


def _frees(recent: Sequence[Sent], *, over: Decimal) -> datetime | None:
    """When so much of the last hour has passed out of it; `None` if that is never enough."""
    for other in sorted(recent, key=lambda each: each.at):
        over = WIDE.subtract(over, other.worth)
        if over <= 0:
            return other.at + _HOUR
    return None


def _too_much(
    rule: str, says: str, actual: Decimal, limit: Decimal, frees: datetime | None = None, *, whose: str = ""
) -> GuardRefused:
    return GuardRefused(
        f"{says} {worth.cents(actual)}, and the limit is {plain(limit)}{whose}. Nothing was sent.{_again(frees)}",
        rule=rule,
        limit=plain(limit),
        actual=plain(actual),
        frees_at=iso(frees) if frees else None,
    )


def _again(frees: datetime | None) -> str:
    return f" It frees again at {frees:%Y-%m-%d %H:%M:%S} UTC." if frees else ""
