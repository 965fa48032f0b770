"""An intent's events as sentences for a person: equal looks folded, times to the second, nothing of the machine's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tradehook.render import moved

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_WORDS = {
    "prepared": "asked for",
    "preview": "the order of its preview is taken",
    "sending": "being sent",
    "executing": "being signed and sent",
    "created": "made at the exchange, waits for a signature",
    "accepted": "accepted",
    "rejected": "rejected",
    "unknown": "no answer that tells whether it was taken",
    "interrupted": "its sender was gone without an answer",
    "overdue": "its sender stood still for too long",
    "abandoned": "left unsigned; nothing was moved",
    "not carried out": "certainly not carried out; may be tried again",
    "not sent": "not sent",
    "looked": "looked for",
    "matched": "found in the list",
    "found": "found by its id",
    "absent": "proved not to be there",
    "sent again": "to be sent again",
    "resolved": "resolved",
    "again": "to happen once more",
    "cancel": "asked to cancel",
    "expired": "its time was up",
}


def lines(events: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each event, oldest first; looks that saw the same are one line."""
    folded: list[tuple[Mapping[str, Any], int]] = []
    for event in events:
        if folded and event["what"] == "looked" and _same_look(folded[-1][0], event):
            folded[-1] = (event, folded[-1][1] + 1)
        else:
            folded.append((event, 1))
    for event, times in folded:
        at = str(event["at"])[:19].replace("T", " ")
        what = _WORDS.get(event["what"], event["what"])
        often = f" ({times} times)" if times > 1 else ""
        said = _said(event)
        yield f"{at}  {what}{often}{f': {said}' if said else ''}"


def _same_look(before: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    return before["what"] == "looked" and all(
        before.get(name) == event.get(name) for name in ("found", "balances_changed")
    )


def _said(event: Mapping[str, Any]) -> str:
    """What is worth knowing of an event besides what it is called."""
    error = event.get("error")
    parts = []
    match event["what"]:
        case "prepared":
            parts.append(f"by {event.get('source', '')}")
        case "sending" | "executing":
            parts.append(f"attempt {event.get('attempt')}")
        case "looked" | "absent" | "matched":
            parts.append(_seen(event))
        case "resolved" | "again":
            said = event.get("said") or event.get("as")
            parts += [str(said), f"by {event.get('by')}", *([str(event["why"])] if event.get("why") else [])]
        case _:
            shown = ("order_id", "transfer_id", "status", "filled", "accepted", "leg", "note", "why")
            parts += [f"{name.replace('_', ' ')} {event[name]}" for name in shown if event.get(name) not in (None, "")]
    if isinstance(error, dict) and error.get("message"):
        parts.append(str(error["message"]))
    return ", ".join(part for part in parts if part)


def _seen(event: Mapping[str, Any]) -> str:
    found = event.get("found") or []
    changed = moved(event.get("balances_changed") or {}, beside=event.get("moved_beside"))
    listed = f"{', '.join(found)} could be it" if found and event["what"] != "matched" else ""
    listed = listed or (f"order {event['order_id']}" if event.get("order_id") else "in no list")
    return f"{listed}, balances {f'changed by {changed}' if changed else 'as before'}"
