"""A person's word ends a doubt: it was placed as so and so, it was not placed, or let it be sent again.

Where the exchange took an order and tells no more of it, a person's word also ends that: it was filled, or canceled.

Every word is an event with who said it and why. Before the horizon only `placed` is believed, since what was sent can
still arrive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradehook.desk import futures_deed, reconcile
from tradehook.desk.fingerprint import Likeness, likeness, settled_from
from tradehook.desk.intents import SENDERS, State
from tradehook.errors import IntentConflict, InvalidInput, NotFound, Rejected
from tradehook.models import Order, OrderStatus, SizedOrder

if TYPE_CHECKING:
    from tradehook.desk.attempts import Attempts
    from tradehook.desk.deeds import Made
    from tradehook.desk.intents import Intent

_WORDS = "placed:ID, not-placed or again"
_ENDS = {"filled": OrderStatus.PROBABLY_FILLED, "canceled": OrderStatus.CANCELED}
"""What a person may say of an order that the exchange took and tells no more of."""


async def resolve_as(attempts: Attempts, intent: Intent, word: str, *, by: str, why: str) -> Intent:
    """End an intent's doubt by a word; see `Desk.resolve`."""
    check_word(intent, word, now=attempts.exchange.session.line.now())
    name, _, identity = word.partition(":")
    if name == "placed":
        return await _placed(attempts, intent, identity, by=by, why=why)
    said = {"how": "person", "by": by, "why": why, "said": name}
    if name in _ENDS:
        return _ended(attempts, intent, name, said)
    if name == "again":
        done = attempts.record(_stopped(attempts, intent), State.PREPARED, what="resolved", resolution=said)
    else:
        because = f": {why}" if why else "."
        error = Rejected(f"{by} looked and said that it was not placed{because}", exchange=intent.exchange)
        done = attempts.record(
            _stopped(attempts, intent), State.REJECTED, error=error, what="resolved", resolution=said
        )
    return _checked(done, intent)


def check_word(intent: Intent, word: str, *, now: float) -> None:
    """Raises `InvalidInput` for a word that says nothing, a doubt that is none, or what nobody can know yet."""
    name, _, identity = word.partition(":")
    if word in _ENDS:
        if not is_untold(intent):
            raise InvalidInput(
                f"`--as {word}` is for orders that the exchange took and tells no more of; intent {intent.intent_id} "
                f"is none of those.{_next(intent) if intent.reads_as is not State.UNKNOWN else ''}"
            )
        return
    if name not in ("placed", "not-placed", "again") or (name == "placed") != bool(identity):
        raise InvalidInput(f"{word[:80]!r} is none of {_WORDS}.", suggestions=("placed:ID", "not-placed", "again"))
    # A sender that still lives but has stood still since then sends nothing any more: its token is dead.
    is_stuck = intent.state in SENDERS and reconcile.is_over(intent, now=now)
    if intent.reads_as is not State.UNKNOWN and not is_stuck:
        raise InvalidInput(f"Intent {intent.intent_id} is {intent.standing}; there is no doubt to end.{_next(intent)}")
    if name != "placed" and intent.looking_until is not None and not reconcile.is_over(intent, now=now):
        raise InvalidInput(
            f"What was sent for intent {intent.intent_id} can still arrive until {intent.looking_until:%H:%M:%S} UTC. "
            f"Before that nobody can know that it is not placed: say `--as {name}` after it, or `--as placed:ID` now."
        )


def is_untold(intent: Intent) -> bool:
    """Whether its order is at an exchange that tells nothing of it, and has not come to its end as far as is known."""
    order = intent.last_order
    untold = (OrderStatus.ACCEPTED, OrderStatus.CANNOT_TELL, OrderStatus.CANCELING)
    return intent.reads_as is State.ACCEPTED and not intent.is_final and order is not None and order.status in untold


def _ended(attempts: Attempts, intent: Intent, name: str, said: dict[str, Any]) -> Intent:
    """The order has come to its end, because a person who saw it elsewhere says so."""
    if attempts.exchange.spec.capabilities.can("orders") or intent.last_order is None:
        raise InvalidInput(
            f"{attempts.exchange.spec.label} tells how its orders stand: `tradehook order show` asks it."
        )
    why = f": {said['why']}" if said["why"] else ""
    evidence = f"{said['by']} looked and said that it was {name}{why}"
    order = intent.last_order.model_copy(update={"status": _ENDS[name], "evidence": evidence})
    attempts.journal.note(intent.intent_id, "resolved", {"resolution": said})
    attempts.journal.see(intent.intent_id, order)
    return attempts.journal.get(intent.intent_id)


async def _placed(attempts: Attempts, intent: Intent, identity: str, *, by: str, why: str) -> Intent:
    exchange = attempts.exchange
    bound = attempts.journal.by_order(exchange.host, identity)
    if bound is not None and bound.intent_id != intent.intent_id:
        raise IntentConflict(f"{intent.noun.capitalize()} {identity} belongs to intent {bound.intent_id} already.")
    made = await _read(attempts, intent, identity)
    if likeness(settled_from(intent.kind, intent.request or {}), made) is Likeness.OTHER:
        raise InvalidInput(
            f"{intent.noun.capitalize()} {identity} is not what was sent for intent {intent.intent_id}: compare "
            f"`{_show(intent, identity)}` with `tradehook intents show {intent.intent_id}`."
        )
    said = {"how": "person", "by": by, "why": why, "said": f"placed:{identity}"}
    stopped = _stopped(attempts, intent)
    return _checked(attempts.record(stopped, State.MATCHED, made=made, what="resolved", resolution=said), intent)


async def _read(attempts: Attempts, intent: Intent, identity: str) -> Made:
    exchange = attempts.exchange
    try:
        if intent.kind == "transfer":
            return await exchange.get_transfer(identity)
        if intent.kind == futures_deed.KIND:
            return await futures_deed.named_by_a_person(exchange, intent, identity)
        if not exchange.spec.capabilities.can("orders"):
            # Nobody can look: a person's word is all there is.
            return _told(intent, identity)
        return await exchange.get_order(identity)
    except NotFound:
        raise InvalidInput(
            f"{exchange.spec.label} has no {intent.noun} {identity[:60]}. `tradehook {intent.noun}s` shows them."
        ) from None


def _told(intent: Intent, identity: str) -> Order:
    """An order as the person who saw it elsewhere tells it: it is there, and it is what was sent."""
    sent = SizedOrder.model_validate(intent.request or {})
    return Order(
        order_id=identity,
        status=OrderStatus.ACCEPTED,
        exchange_status="told by a person",
        base=sent.base,
        quote=sent.quote,
        side=sent.side,
        quantity=sent.quantity,
        unit=sent.unit,
        price=sent.price,
    )


def _show(intent: Intent, identity: str) -> str:
    is_futures = intent.kind == futures_deed.KIND
    return "tradehook futures orders" if is_futures else f"tradehook {intent.kind} show {identity}"


def _stopped(attempts: Attempts, intent: Intent) -> Intent:
    """The intent as a doubt in the journal, where its sender died without leaving one."""
    if intent.state in SENDERS:
        attempts.record(intent, State.UNKNOWN, what="interrupted")
        return attempts.journal.get(intent.intent_id)
    return intent


def _checked(done: Intent | None, intent: Intent) -> Intent:
    if done is None:
        raise IntentConflict(f"Intent {intent.intent_id} changed meanwhile. Look at it again, then say it again.")
    return done


def _next(intent: Intent) -> str:
    match intent.reads_as:
        case State.PREPARED:
            return " Nothing was sent for it; whoever asked may simply ask again."
        case State.ACCEPTED | State.REJECTED:
            return f" To let the same happen once more: tradehook intents again {intent.intent_id} --why WHY"
        case _:
            return " It is being sent right now."


def check_again(intent: Intent) -> None:
    """Raises `InvalidInput` unless the intent has come to an end, so that "once more" means something."""
    if intent.state not in (State.ACCEPTED, State.MATCHED, State.REJECTED):
        doubt = f" End the doubt first: tradehook intents resolve {intent.intent_id} --as placed:ID"
        raise InvalidInput(
            f"Intent {intent.intent_id} is {intent.standing}; only what has come to an end can happen once more."
            f"{doubt if intent.reads_as is State.UNKNOWN else _next(intent)}"
        )
