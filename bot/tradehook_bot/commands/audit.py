"""`/audit`: what happened last, by whom and from where: the journal's events, and who stopped trading or set limits."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from tradehook import render
from tradehook.desk.events import events_after, newest_event
from tradehook_bot import words
from tradehook_bot.commands.counts import read_count
from tradehook_bot.replies import bold, code, text
from tradehook_bot.zones import moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.desk.events import Event
    from tradehook.desk.intents import Intent
    from tradehook_bot.context import Ask, House

_USUAL, _MOST = 12, 50
_LOOKED_AT = 20
"""How many events are looked at for each that is shown: most are steps on the way."""
_TOLD: Mapping[str, str] = {
    "prepared": "asked for",
    "accepted": "accepted",
    "rejected": "rejected",
    "not sent": "not sent",
    "unknown": "sent, and no answer came",
    "interrupted": "its sender was gone without an answer",
    "overdue": "its sender stood still for too long",
    "abandoned": "left unsigned; nothing was moved",
    "matched": "found in the exchange's list",
    "found": "found by its id",
    "absent": "proved not to be there",
    "resolved": "resolved",
    "again": "to happen once more",
    "cancel": "asked to cancel",
    "expired": "its time was up",
    "mismatch": "ended otherwise than asked",
    "halted": "halted the account",
    "order": "now",
    "transfer": "now",
    "futures": "now",
}
"""The events that somebody would ask about; sending, looking and the like are steps on the way."""


class Entry(NamedTuple):
    """Something that happened, as HTML."""

    at: datetime
    line: str


async def audit(ask: Ask) -> None:
    """The person has seen the newest events of the accounts that the bot serves."""
    count = read_count(ask.words, command="audit", usual=_USUAL, most=_MOST)
    house = ask.house
    zone = await ask.zone()
    entries = await house.store.do(_entries, house, count)
    lines = [bold(f"The last {len(entries)} events" if entries else "Nothing happened yet.")]
    lines += [f"{text(moment(entry.at, zone))} · {entry.line}" for entry in entries]
    lines.append("One story whole, on the machine: tradehook intents show ID")
    await ask.reply_of_all("\n".join(lines))


def _entries(house: House, count: int) -> Sequence[Entry]:
    names = {user.user_id: user.name for user in house.access.users()}
    intents: dict[str, Intent] = {}
    newest = newest_event(house.journal.engine)
    limit = count * _LOOKED_AT
    found = events_after(house.journal.engine, max(newest - limit, 0), kinds=[*_TOLD], limit=limit)
    told: list[Entry] = []
    for event in reversed(found):
        intent = intents.get(event.intent_id) or intents.setdefault(event.intent_id, house.journal.get(event.intent_id))
        if house.is_served(intent):
            told.append(Entry(event.at, _line(event, intent, names, has_several=house.has_several)))
        if len(told) >= count:
            break
    return sorted([*told, *_about_all(house)], key=lambda entry: entry.at, reverse=True)[:count]


def _line(event: Event, intent: Intent, names: Mapping[int, str], *, has_several: bool) -> str:
    # A person's word about an order that the exchange tells no more of stands one level deeper.
    detail = {**event.detail, **(event.detail.get("resolution") or {})}
    by = str(detail.get("by") or "")
    person = words.who(by, names) if ":" in by else by or words.who(intent.source, names)
    named = f" · {text(intent.account)}" if has_several else ""
    head = f"{text(words.deed_of(intent))}: {text(_said(event.what, detail))}"
    return f"{head}\n   {text(person)}{named} · {code(_short(intent.intent_id))}"


def _said(what: str, detail: Mapping[str, Any]) -> str:
    error = detail.get("error")
    reason = str(error.get("message", "")) if isinstance(error, dict) else str(detail.get("why") or "")
    match what:
        case "order" | "transfer" | "futures":
            filled = f", {detail['filled']} filled" if detail.get("filled") else ""
            said = f"{str(detail.get('status', 'seen')).replace('_', ' ')}{filled}"
        case "resolved":
            said = f"resolved as {detail.get('said') or '?'}"
        case _:
            said = _TOLD[what]
    return f"{said}. {render.in_chat(reason)}" if reason else said


def _about_all(house: House) -> list[Entry]:
    """Who froze or resumed trading last, and who set limits."""
    entries = []
    for trading in house.journal.trading.list():
        if trading["changed_at"]:
            where = "everything" if "/" not in trading["scope"] else "one account"
            why = f": {trading['why']}" if trading["why"] else ""
            line = f"Trading of {where} is {trading['state']}{why}\n   {trading['changed_by']}"
            entries.append(Entry(datetime.fromisoformat(trading["changed_at"]), text(line)))
    for account in house.accounts:
        if account.account_id is None:
            continue
        for made in house.journal.limits.history(account.client.exchange.host, account.account_id):
            why = f": {made.why}" if made.why else ""
            line = f"Limits of {account.name}, version {made.version}{why}\n   {made.set_by}"
            entries.append(Entry(made.set_at, text(line)))
    return entries


def _short(intent_id: str) -> str:
    return intent_id if len(intent_id) <= 16 else f"{intent_id[:15]}…"
