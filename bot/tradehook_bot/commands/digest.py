"""`/digest`: a summary each day at an hour of this chat's choice. Moves no money."""

from __future__ import annotations

import re
from datetime import time
from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_bot.digest import Digests, words
from tradehook_bot.replies import bold, code, text
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.context import Ask

_EXAMPLES = ("/digest on 08:00", "/digest off", "/digest now")
_CLOCK = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)


async def digest(ask: Ask) -> None:
    """This chat has its digest when it was asked for."""
    house = ask.house
    digests, zone = Digests(house.store), await ask.zone()
    local = now().astimezone(zone)
    match [word.lower() for word in ask.words]:
        case []:
            wish = await house.store.do(digests.get, ask.chat_id)
            when = f"It comes each day at {wish.at:%H:%M} {local.tzname()}." if wish else "There is none in this chat."
            offers = "\n".join(code(example) for example in _EXAMPLES)
            await ask.reply_of_all(f"{bold(when)}\n{offers}\n/timezone sets the zone.")
        case ["now"]:
            await ask.reply_of_all(await words(house, at=local))
        case ["off"]:
            await house.store.do(digests.end, ask.chat_id)
            await ask.reply_of_all(f"{bold('No digest any more.')} {code(_EXAMPLES[0])} brings it back.")
        case typed:
            at = read_clock(typed)
            wish = await house.store.do(digests.set, ask.chat_id, at, local=local)
            first = "tomorrow" if wish.told_on else "today"
            told = f"A digest each day at {at:%H:%M} {local.tzname()}, from {first} on."
            await ask.reply_of_all(
                f"{bold(told)}\n{text('It names what rests, how far from the market, and what it holds.')}"
            )


def read_clock(typed: Sequence[str]) -> time:
    """The hour that was typed: `on 08:00`, `8:30`.

    Raises:
        InvalidInput: it is no time of day.
    """
    rest = [*typed][1:] if typed[:1] == ["on"] else [*typed]
    found = _CLOCK.fullmatch(rest[0]) if len(rest) == 1 else None
    if found is None:
        raise InvalidInput("At which hour? Write it like 08:00.", suggestions=_EXAMPLES)
    return time(int(found[1]), int(found[2]))
