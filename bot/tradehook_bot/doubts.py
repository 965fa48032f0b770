"""Doubts as people read them: what was sent, what was seen since, and until when it can still appear. Pure words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook import render
from tradehook.amounts import plain
from tradehook.desk.intents import State
from tradehook.desk.standing import held
from tradehook_bot import words
from tradehook_bot.replies import bold, code, text
from tradehook_bot.zones import clock, day_and_clock

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from tradehook.desk.intents import Intent
    from tradehook.models import Balance

_SHOWN = 12


def is_over(intent: Intent, *, at: datetime) -> bool:
    """Whether nothing that was sent for it can arrive any more, so that a person's word can be believed."""
    return intent.looking_until is None or at > intent.looking_until


def seen(intent: Intent) -> Mapping[str, Any]:
    """What the last look at the exchange showed; empty before the first."""
    found = intent.resolution or {}
    return found if found.get("how") == "looked" else {}


def candidates(intent: Intent) -> tuple[str, ...]:
    """The exchange's ids of what could be it, as the last look found them."""
    return tuple(str(identity) for identity in seen(intent).get("found") or ())


def moves_since(intent: Intent, balances: Sequence[Balance]) -> Mapping[str, str]:
    """Symbol to how much more or less of it the exchange holds than before the send; only those that moved."""
    before: Mapping[str, str] = (intent.baseline or {}).get("balances") or {}
    after = held(balances, [*before])
    moves = {symbol: _total(after.get(symbol, "0")) - _total(was) for symbol, was in before.items()}
    return {symbol: f"{'+' if moved > 0 else ''}{plain(moved)}" for symbol, moved in moves.items() if moved}


def card(
    intent: Intent,
    *,
    exchange: str,
    zone: tzinfo,
    at: datetime,
    moves: Mapping[str, object] | None = None,
    beside: int = 0,
) -> str:
    """A doubt in whole, as HTML: the fact first, what to do last.

    Args:
        intent: in doubt.
        exchange: its label.
        zone: of the chat.
        at: the moment.
        moves: what the balances did since the send until now; `None` tells what the last look saw.
        beside: how many other intents may have moved them.
    """
    when = f" {clock(intent.sending_at, zone)}" if intent.sending_at is not None else ""
    sent = f"Sent{when} from {render.source_words(intent.source)}"
    lines = [
        bold(f"UNKNOWN: {words.deed_of(intent)}"),
        f"{sent}, and no answer came that tells whether {exchange} took it. It may exist or not.",
        "Do not enter it again. It is never sent again by itself.",
        *_seen_lines(intent, zone=zone, moves=moves, beside=beside),
        _until(intent, zone=zone, at=at),
    ]
    return "\n".join([lines[0], *(text(line) for line in lines[1:]), code(intent.intent_id)])


def evidence(intent: Intent, events: Sequence[Mapping[str, Any]], *, zone: tzinfo) -> str:
    """What is known about a doubt and where from, as HTML."""
    looked = seen(intent)
    lines = [bold("Evidence")]
    if intent.sized is not None:
        lines.append(text(render.typed_and_sent(intent.sized)))
    lines += [f"could be it: {code(identity)}" for identity in candidates(intent)]
    if why := looked.get("why_not_absent"):
        lines.append(text(f"not proved absent: {why}"))
    for event in events[-_SHOWN:]:
        said = _event_words(event)
        lines.append(text(f"{day_and_clock(datetime.fromisoformat(str(event['at'])), zone)} {said}"))
    return "\n".join(lines)


def _seen_lines(intent: Intent, *, zone: tzinfo, moves: Mapping[str, object] | None, beside: int) -> list[str]:
    looked = seen(intent)
    lines = [f"Balances since: {words.moved(moves, beside=beside)}."] if moves is not None else []
    if not looked:
        return [*lines, "Not looked for yet; the next look is moments away."]
    at = datetime.fromisoformat(looked["looked_at"])
    found = candidates(intent)
    listed = f"{', '.join(map(render.short_id, found))} could be it" if found else "in no list"
    then = looked.get("balances_changed") if moves is None else None
    # What was seen then may not be so any more, so it is never told as of now.
    balances = f"; balances then: {words.moved(then, beside=_beside(looked))}" if then is not None else ""
    return [*lines, f"Looked {clock(at, zone)}: {listed}{balances}."]


def _beside(looked: Mapping[str, Any]) -> int:
    return int(looked.get("moved_beside") or 0)


def _total(stored: str) -> Decimal:
    """The total of `total/available`."""
    return Decimal(stored.partition("/")[0])


def _until(intent: Intent, *, zone: tzinfo, at: datetime) -> str:
    if not is_over(intent, at=at) and intent.looking_until is not None:
        return f"It can still appear until {day_and_clock(intent.looking_until, zone)}, and is looked for until then."
    if intent.standing is State.PROVED_ABSENT:
        return "Looked for until nothing could come any more, and it is not there. Say so, and it is over."
    if intent.standing is State.NEEDS_HUMAN:
        return "What was found does not tell by itself. Look at the exchange, and say what is so."
    over = f" since {day_and_clock(intent.looking_until, zone)}" if intent.looking_until is not None else ""
    return f"The time in which it could appear is over{over}. If you know what is so, say it."


def _event_words(event: Mapping[str, Any]) -> str:
    match event["what"]:
        case "looked" | "absent":
            found = ", ".join(event.get("found") or ()) or "in no list"
            moved = words.moved(event.get("balances_changed") or {}, beside=_beside(event))
            return f"{event['what']}: {found}; balances {moved}"
        case "sending" | "executing":
            return f"{event['what']}, attempt {event.get('attempt')}"
        case "prepared":
            return f"asked for by {event.get('source', '')}"
        case what:
            error = event.get("error")
            return f"{what}: {error['message']}" if isinstance(error, dict) and error.get("message") else str(what)
