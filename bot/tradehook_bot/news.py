"""What there is to tell of an order: pure, from the journal's row to words. Used for edits and for new messages."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import plain
from tradehook.desk.intents import State, error_from_dict
from tradehook.futures import UNNAMED
from tradehook.made_words import line_of, settled_words
from tradehook.models import Order, OrderStatus
from tradehook_bot.failures import words_for
from tradehook_bot.order_messages import SUBMITTING
from tradehook_bot.outbox import Weight
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook.desk.intents import Intent
    from tradehook.futures import FuturesOrder

TOLD = ("order", "transfer", "futures")
"""The kinds of intent that there is something to tell of; a plan is told by its legs."""
QUICK = timedelta(seconds=10)
"""Whoever confirmed still looks at the message, which says it: what is filled by then needs no new one."""

UNTOLD = (OrderStatus.ACCEPTED, OrderStatus.CANNOT_TELL)
"""How an order stands of which the exchange tells no more: what became of it shows in the wallet, if anywhere."""
_LOOK = "/unknown · /orders · /balance"
_WHERE_TO_LOOK = {"futures": "/unknown · /balance"}
UNSIGNED = "unsigned"
_UNDER_WAY = (State.PREPARED, State.SENDING, State.CREATED, State.EXECUTING)


def order_of(intent: Intent) -> Order | FuturesOrder | None:
    """The order that came of it as last seen, spot or futures: both rest, are filled and end in the same words."""
    return intent.last_order or intent.last_futures


def key(intent: Intent) -> str:
    """What is told, as a key: the same state and filled quantity are the same news."""
    if intent.is_left_unsigned:
        return UNSIGNED
    if intent.reads_as in _UNDER_WAY:
        return SUBMITTING
    order, transfer = order_of(intent), intent.last_transfer
    if intent.reads_as is State.ACCEPTED and transfer is not None:
        return str(transfer.status)
    if intent.reads_as is not State.ACCEPTED or order is None:
        return str(intent.reads_as)
    return f"{order.status}:{plain(order.filled) if order.filled else 0}"


def version(intent: Intent) -> str:
    """What an order's message says, as a key: the news, and what it was concluded from."""
    order = order_of(intent)
    evidence = order.evidence if order is not None else None
    return f"{key(intent)}:{hashlib.sha256(evidence.encode()).hexdigest()[:12]}" if evidence else key(intent)


def is_end(intent: Intent) -> bool:
    """Whether the story is over, or stops here until a person looks."""
    if intent.is_left_unsigned:
        return True
    if intent.reads_as is State.ACCEPTED:
        order = order_of(intent)
        return intent.is_final or (order is not None and order.status is OrderStatus.CANNOT_TELL)
    return intent.reads_as in (State.REJECTED, State.UNKNOWN)


def weight(intent: Intent, *, at: datetime) -> Weight:
    """How much the news of it matters at this moment."""
    order = order_of(intent)
    if intent.kind == "transfer" or intent.is_left_unsigned or intent.reads_as in (State.REJECTED, State.UNKNOWN):
        return Weight.URGENT
    if order is None or intent.reads_as is not State.ACCEPTED:
        return Weight.ROUTINE
    if order.status in (OrderStatus.FAILED, OrderStatus.CANNOT_TELL, OrderStatus.UNRECOGNIZED):
        return Weight.URGENT
    if not intent.is_final:
        return Weight.ROUTINE
    if order.status is OrderStatus.CANCELED:
        return Weight.NEWS if order.filled else Weight.ROUTINE
    return Weight.NEWS if at - intent.created_at > QUICK else Weight.ROUTINE


def is_worth_a_notice(intent: Intent) -> bool:
    """Whether one that came from elsewhere is told of from now on: it lies in the book, or is over."""
    if intent.is_left_unsigned:
        return False  # whoever asked for it asks again, or was told why not
    is_on_its_way = intent.kind == "transfer" and intent.reads_as is State.ACCEPTED
    return is_end(intent) or is_resting(intent) or is_on_its_way


def is_a_step(intent: Intent) -> bool:
    """Whether something was done of it since it rested, for those who want to hear everything."""
    order = order_of(intent)
    return is_end(intent) or (intent.reads_as is State.ACCEPTED and order is not None and bool(order.filled))


def is_resting(intent: Intent) -> bool:
    """Whether a limit order lies in the book with nothing done yet: worth telling of one that came from elsewhere."""
    order = order_of(intent)
    return (
        intent.reads_as is State.ACCEPTED
        and order is not None
        and order.status in (OrderStatus.OPEN, OrderStatus.ACCEPTED)
        and _rests(order)
        and not order.filled
    )


def _rests(order: Order | FuturesOrder) -> bool:
    """Whether it was to wait for a price."""
    if isinstance(order, Order):
        return order.is_limit is True
    return order.price is not None or order.trigger is not None


def is_about_to_change(intent: Intent) -> bool:
    """Whether it was accepted or asked to end a moment ago, so that the next word comes soon."""
    order = order_of(intent)
    if intent.reads_as is not State.ACCEPTED or order is None:
        return False
    return order.status in (OrderStatus.PENDING, OrderStatus.CANCELING, OrderStatus.ACCEPTED)


def is_asked_again(intent: Intent) -> bool:
    """Whether it was refused for its unit: the bot puts a new question, which says so."""
    details = (intent.error or {}).get("details", {})
    return intent.reads_as is State.REJECTED and details.get("code") == "unit"


def words(intent: Intent, *, exchange: str, is_from_chat: bool) -> str:
    """How an order stands, as HTML. The fact comes first.

    Args:
        intent: of a kind in `TOLD`.
        exchange: its label.
        is_from_chat: whether the reader placed it here; otherwise it says where it came from.
    """
    deed = _deed(intent)
    origin = "" if is_from_chat else f"from {render.source_words(intent.source)}"
    whence = [text(f"F{origin[1:]}")] if origin else []
    match intent.reads_as:
        case _ if intent.is_left_unsigned:
            verb = "sent" if intent.kind == "transfer" else "placed"
            because = "It was prepared and never signed, because what asked for it was stopped. Nothing was moved."
            return "\n".join([bold(f"Not {verb}: {deed}"), because, *whence])
        case State.ACCEPTED if intent.last_transfer is not None:
            transfer = intent.last_transfer
            facts = [f"transfer {code(render.short_id(transfer.transfer_id))}", *([text(origin)] if origin else [])]
            hash_ = [f"transaction {code(transfer.tx_hash)}"] if transfer.tx_hash else []
            return "\n".join([bold(f"Transfer {_small(render.transfer_line(transfer))}"), " · ".join(facts), *hash_])
        case State.ACCEPTED if intent.last_futures is not None:
            futures = intent.last_futures
            named = [] if futures.order_id.startswith(UNNAMED) else [f"futures order {code(futures.order_id[:40])}"]
            below = " · ".join([*named, *([text(origin)] if origin else [])])
            return "\n".join([bold(line_of(futures)), *([below] if below else [])])
        case State.ACCEPTED if intent.last_order is not None:
            order = intent.last_order
            short = render.short_id(order.order_id)
            facts = [f"order {code(short)}", *([text(origin)] if origin else [])]
            if order.status in (OrderStatus.OPEN, *UNTOLD) and order.is_limit:
                facts.append(f"/cancel_{text(short)}")
            return f"{bold(render.order_line(order))}\n{' · '.join(facts)}"
        case State.REJECTED:
            error = error_from_dict(intent.error or {})
            verb, done = ("sent", "sent") if intent.kind == "transfer" else ("placed", "traded")
            because = f"{words_for(error)}\nNothing was {done}."
            return "\n".join([bold(f"Not {verb}: {deed}"), because, *whence])
        case State.UNKNOWN:
            fact, *rest = render.unknown_lines(
                deed, exchange=exchange, sent_at=intent.sending_at, intent_id=intent.intent_id
            )
            lines = [bold(fact), *(text(line) for line in rest), _WHERE_TO_LOOK.get(intent.kind, _LOOK)]
            return "\n".join([*lines, *whence])
        case _:
            return f"{bold('Submitting')}: {text(deed)}…"


def line(intent: Intent) -> str:
    """The same in one line, as HTML, for a message that tells of several."""
    order, transfer = intent.last_order, intent.last_transfer
    match intent.reads_as:
        case _ if intent.is_left_unsigned:
            return text(f"Not placed: {_deed(intent)}")
        case State.ACCEPTED if transfer is not None:
            return text(f"Transfer {_small(render.transfer_line(transfer))}")
        case State.ACCEPTED if order is not None:
            short = text(render.short_id(order.order_id))
            is_live = order.status in (OrderStatus.OPEN, *UNTOLD) and order.is_limit
            return f"{text(render.order_line(order))}{f' /cancel_{short}' if is_live else ''}"
        case State.ACCEPTED if intent.last_futures is not None:
            return text(line_of(intent.last_futures))
        case State.REJECTED:
            return text(f"Not placed: {_deed(intent)}")
        case State.UNKNOWN:
            return bold(f"UNKNOWN: {_deed(intent)}")
        case _:
            return text(f"Submitting: {_deed(intent)}…")


def _deed(intent: Intent) -> str:
    settled = settled_words(intent.kind, intent.request)
    return settled or f"A{'n' if intent.kind == 'order' else ''} {intent.noun}"


def _small(words: str) -> str:
    return words[:1].lower() + words[1:]
