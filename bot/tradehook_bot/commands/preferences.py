"""`/timezone`, `/notify` and `/whoami`: how this chat wants to be spoken to, and who it is to the bot."""

from __future__ import annotations

import asyncio
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_bot.chats import Loudness
from tradehook_bot.replies import bold, code, text
from tradehook_bot.store import now
from tradehook_bot.zones import clock, read_zone, zone_of

if TYPE_CHECKING:
    from tradehook_bot.access import User
    from tradehook_bot.context import Ask

_TOLD = {
    Loudness.QUIET: "only what needs you: doubts, rejections, freezes, approvals, transfers",
    Loudness.NORMAL: "that, and what is filled or canceled",
    Loudness.ALL: "everything, each partial fill and each resting order too",
}
_OTHER_WORDS = {
    "silent": Loudness.QUIET, "off": Loudness.QUIET, "less": Loudness.QUIET, "on": Loudness.NORMAL,
    "default": Loudness.NORMAL, "loud": Loudness.ALL, "more": Loudness.ALL, "everything": Loudness.ALL,
}  # fmt: skip


async def timezone(ask: Ask) -> None:
    """Times in this chat are shown in the zone that was named."""
    house = ask.house
    if ask.words:
        # The first time, every zone of this machine is looked through.
        name = await asyncio.to_thread(read_zone, " ".join(ask.words))
        await house.store.do(house.chats.set_zone, ask.chat_id, name)
        told = f"{bold(f'Times here are in {name} from now on.')}\nIt is {text(clock(now(), zone_of(name)))} there."
        await ask.reply_of_all(told)
        return
    found = await house.store.do(house.chats.zone_name, ask.chat_id)
    chosen = bold(f"Times here are in {found or 'UTC'}.")
    other = f"To change that: {code('/timezone Europe/Berlin')}"
    await ask.reply_of_all(f"{chosen} It is {text(clock(now(), zone_of(found)))}.\n{other}")


async def notify(ask: Ask) -> None:
    """This chat is told as much as was asked for."""
    house = ask.house
    if ask.words:
        await house.store.do(house.chats.set_loudness, ask.chat_id, _read_loudness(ask.words))
    chosen = await house.store.do(house.chats.loudness, ask.chat_id)
    lines = [bold(f"You are told {chosen}: {_TOLD[chosen]}.")]
    lines += [f"{code(f'/notify {each}')} {text(_TOLD[each])}" for each in Loudness if each is not chosen]
    await ask.reply_of_all("\n".join(lines))


async def whoami(ask: Ask) -> None:
    """The person knows as whom the bot knows them, and what this chat is about."""
    house = ask.house
    user, (zone, loudness) = await house.store.do(_known, ask)
    lines = [
        f"{bold(ask.name)}, id {code(ask.user_id)}",
        f"Role: {text(user.role if user is not None else 'none')}",
        f"Chat: {code(ask.chat_id)}{' (private)' if ask.chat_id == ask.user_id else ''}",
        f"Account: {text(ask.account.title)} ({text(house.environment)}){' /account' if house.has_several else ''}",
        f"Time zone: {text(zone or 'UTC')} /timezone",
        f"Told: {loudness} /notify",
    ]
    await ask.reply_of_all("\n".join(lines))


def _known(ask: Ask) -> tuple[User | None, tuple[str | None, Loudness]]:
    """Who somebody is, and what their chat chose. Blocking."""
    return ask.house.access.user(ask.user_id), ask.house.chats.wishes(ask.chat_id)


def _read_loudness(words: tuple[str, ...]) -> Loudness:
    word = " ".join(words).lower()
    if word in [*Loudness]:
        return Loudness(word)
    close = get_close_matches(word, [*Loudness], n=1, cutoff=0.5)
    meant = _OTHER_WORDS.get(word) or (Loudness(close[0]) if close else None)
    offers = (f"/notify {meant}",) if meant else tuple(f"/notify {each}" for each in Loudness)
    raise InvalidInput(f"{word[:40]!r} is not how much one can be told.", suggestions=offers)
