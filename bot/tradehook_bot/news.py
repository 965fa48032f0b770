"""What there is to tell of an order: pure, from the journal's row to words. Used for edits and for new messages."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import plain
from tradehook.desk.intents import State, error_from_dict
from tradehook.models import OrderStatus
from tradehook_bot.failures import words_for
from tradehook_bot.order_messages import SUBMITTING
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from tradehook.desk.intents import Intent

UNTOLD = (OrderStatus.ACCEPTED, OrderStatus.CANNOT_TELL)
"""How an order stands of which the exchange tells no more: what became of it shows in the wallet, if anywhere."""
_UNDER_WAY = (State.PREPARED, State.SENDING, State.CREATED, State.EXECUTING)


def key(intent: Intent) -> str:
    """What is told, as a key: the same state and filled quantity are the same news."""
    if intent.reads_as in _UNDER_WAY:
        return SUBMITTING
    order = intent.last_order
    if intent.reads_as is not State.ACCEPTED or order is None:
        return str(intent.reads_as)
    return f"{order.status}:{plain(order.filled) if order.filled else 0}"


def version(intent: Intent) -> str:
    """What an order's message says, as a key: the news, and what it was concluded from."""
    evidence = intent.last_order.evidence if intent.last_order is not None else None
    return f"{key(intent)}:{hashlib.sha256(evidence.encode()).hexdigest()[:12]}" if evidence else key(intent)


def is_end(intent: Intent) -> bool:
    """Whether the story is over, or stops here until a person looks."""
    if intent.reads_as is State.ACCEPTED:
        order = intent.last_order
        return intent.is_final or (order is not None and order.status is OrderStatus.CANNOT_TELL)
    return intent.reads_as in (State.REJECTED, State.UNKNOWN)


def is_resting(intent: Intent) -> bool:
    """Whether a limit order lies in the book with nothing done yet: worth telling of one that came from elsewhere."""
    order = intent.last_order
    return (
        intent.reads_as is State.ACCEPTED
        and order is not None
        and order.status in (OrderStatus.OPEN, OrderStatus.ACCEPTED)
        and order.is_limit is True
        and not order.filled
    )


def is_about_to_change(intent: Intent) -> bool:
    """Whether it was accepted or asked to end a moment ago, so that the next word comes soon."""
    order = intent.last_order
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
        intent: of kind `order`.
        exchange: its label.
        is_from_chat: whether the reader placed it here; otherwise it says where it came from.
    """
    deed = render.deed(intent.sized) if intent.sized else "An order"
    origin = "" if is_from_chat else f"from {render.source_words(intent.source)}"
    match intent.reads_as:
        case State.ACCEPTED if intent.last_order is not None:
            order = intent.last_order
            short = render.short_id(order.order_id)
            facts = [f"order {code(short)}", *([text(origin)] if origin else [])]
            if order.status in (OrderStatus.OPEN, *UNTOLD) and order.is_limit:
                facts.append(f"/cancel_{text(short)}")
            return f"{bold(render.order_line(order))}\n{' · '.join(facts)}"
        case State.REJECTED:
            error = error_from_dict(intent.error or {})
            because = f"{words_for(error)}\nNothing was traded."
            return "\n".join([bold(f"Not placed: {deed}"), because, *([text(origin.capitalize())] if origin else [])])
        case State.UNKNOWN:
            fact, *rest = render.unknown_lines(
                deed, exchange=exchange, sent_at=intent.sending_at, intent_id=intent.intent_id
            )
            lines = [bold(fact), *(text(line) for line in rest)]
            return "\n".join([*lines, "/orders · /balance", *([text(origin.capitalize())] if origin else [])])
        case _:
            return f"{bold('Submitting')}: {text(deed)}…"
