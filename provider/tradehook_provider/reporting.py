"""What the reports of an account are made of, and their lines. No Airflow."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tradehook.errors import TradehookError
from tradehook_provider.failures import may_be_tried_again

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from tradehook.desk.intents import Intent
    from tradehook.desk.submit import Desk

MOST = 8
"""So many of a kind are written out; a message holds no more."""
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Stuck:
    """An order or transfer that is open for too long."""

    kind: str
    exchange_id: str
    intent_id: str | None
    """`None` of an order that was not placed from here."""
    says: str
    since: datetime
    step: str
    """What to type."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """What of an account needs a person."""

    unknown: Sequence[Intent]
    stuck: Sequence[Stuck]
    problem: str = ""
    """Why the exchange could not be looked at."""

    @property
    def key(self) -> str:
        """One text for the same trouble, however long it lasts; empty where there is none."""
        parts = [f"{intent.intent_id}:{intent.standing}" for intent in self.unknown]
        parts += [f"{each.kind}:{each.exchange_id}" for each in self.stuck]
        parts += ["out of reach"] if self.problem else []
        return hashlib.sha256("\n".join(sorted(parts)).encode()).hexdigest()[:32] if parts else ""

    def to_dict(self) -> dict[str, Any]:
        """It as a plain dict."""
        from tradehook.desk.reconcile import unknown

        return {
            "unknown": [
                {
                    "intent_id": intent.intent_id,
                    "kind": intent.kind,
                    "standing": str(intent.standing),
                    "source": intent.source,
                    "next_step": unknown(intent).next_step,
                }
                for intent in self.unknown
            ],
            "stuck": [
                {
                    "kind": each.kind,
                    "exchange_id": each.exchange_id,
                    "intent_id": each.intent_id,
                    "since": each.since.isoformat(timespec="seconds"),
                    "next_step": each.step,
                }
                for each in self.stuck
            ],
            "problem": self.problem,
        }


def find_trouble(desk: Desk, *, before: datetime) -> Trouble:
    """What got no answer, and what was opened before then and is open still, after one look at the exchange.

    When the exchange cannot be looked at for now, the journal alone tells, of all accounts there.

    Raises:
        TradehookError: the account or its journal cannot be used.
    """
    from tradehook.render import error_line
    from tradehook.run import run

    account_id: str | None = None
    problem = ""
    try:
        account_id = run(desk.exchange.account_id())
        desk.sweep()
        stuck = _stuck_orders(desk, before=before)
    except TradehookError as error:
        if not may_be_tried_again(error):
            raise
        problem = error_line(error)
        stuck = _stuck_intents(desk, "order", account_id=account_id, before=before)
    stuck += _stuck_intents(desk, "transfer", account_id=account_id, before=before)
    unknown = desk.journal.doubts.list(desk.exchange.host, account_id=account_id)
    return Trouble(unknown, sorted(stuck, key=lambda each: each.since), problem)


def _stuck_orders(desk: Desk, *, before: datetime) -> list[Stuck]:
    """Also those that were not placed from here, where the exchange lists them."""
    from tradehook.models import OrderStatus
    from tradehook.render import order_line

    found = []
    for order in desk.open_orders():
        intent = desk.journal.by_order(desk.exchange.host, order.order_id)
        since = order.created_at or (intent.created_at if intent else None)
        if since is not None and since < before:
            verb = "show" if order.status is OrderStatus.CANCELING else "cancel"
            step = f"tradehook order {verb} {order.order_id}"
            intent_id = intent.intent_id if intent else None
            found.append(Stuck("order", order.order_id, intent_id, order_line(order), since, step))
    return found


def _stuck_intents(desk: Desk, kind: str, *, account_id: str | None, before: datetime) -> list[Stuck]:
    """Those of the journal, as they were last seen."""
    from tradehook.made_words import line_of

    found = []
    for intent in desk.journal.open_orders(desk.exchange.host, account_id=account_id, kind=kind):
        if intent.created_at >= before or intent.exchange_id is None:
            continue
        says = line_of(intent.made) if intent.made is not None else f"Open: {kind} {intent.exchange_id}"
        is_order = intent.last_order is not None
        step = f"order cancel {intent.exchange_id}" if is_order else f"intents show {intent.intent_id}"
        found.append(Stuck(kind, intent.exchange_id, intent.intent_id, says, intent.created_at, f"tradehook {step}"))
    return found


def trouble_lines(trouble: Trouble, *, account: str, now: datetime) -> list[str]:
    """The message; nothing at all where there is no trouble."""
    from tradehook.desk.reconcile import unknown
    from tradehook.render import source_words

    parts: list[str] = []
    if trouble.problem:
        parts.append(f"The exchange could not be looked at: {trouble.problem} What follows is what the journal knows.")
    parts += [
        f"UNKNOWN, from {source_words(intent.source)}: {unknown(intent).message}" for intent in trouble.unknown[:MOST]
    ]
    if len(trouble.unknown) > MOST:
        parts.append(f"and {len(trouble.unknown) - MOST} more in doubt: `tradehook intents list`")
    parts += [f"{each.says}, for {age(now - each.since)}. `{each.step}`" for each in trouble.stuck[:MOST]]
    if len(trouble.stuck) > MOST:
        parts.append(f"and {len(trouble.stuck) - MOST} more that are open: `tradehook orders`, `tradehook transfers`")
    return [account, *(f"• {part}" for part in parts)] if parts else []


def completion_line(completion: Mapping[str, Any], intent: Intent | None) -> str:
    """What ended, in one line with who asked for it; from the event alone where that is all."""
    from tradehook.made_words import line_of
    from tradehook.render import source_words

    source = f" ({source_words(intent.source)})" if intent else ""
    if intent is not None and intent.made is not None:
        return f"{line_of(intent.made)}{source}"
    kind = str(completion.get("kind", "order"))
    return f"{kind.capitalize()} {completion.get(f'{kind}_id')}: {completion.get('status')}{source}"


def age(length: timedelta) -> str:
    """About how long: `40 min`, `26 h`, `3 d`."""
    if length < 2 * _HOUR:
        return f"{length // _MINUTE} min"
    return f"{length // _HOUR} h" if length < 3 * _DAY else f"{length // _DAY} d"
