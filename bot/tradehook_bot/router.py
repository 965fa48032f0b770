"""From a message to a command, and from what a command raises to an answer. Every text gets one."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook_bot import offers
from tradehook_bot.access import LOOKS_ONLY, only_looks
from tradehook_bot.codes import Codes
from tradehook_bot.commands.table import BY_NAME, meant
from tradehook_bot.context import Ask
from tradehook_bot.failures import words_for
from tradehook_bot.replies import code, text
from tradehook_bot.store import now

if TYPE_CHECKING:
    from telegram import Message, Update

    from tradehook_bot.commands.command import Command
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Where

_TAPPED = re.compile(r"/(order|cancel)_(all|[0-9a-z]{4,36})", re.ASCII | re.IGNORECASE)
"""A link inside a message: Telegram makes one of a slash, letters, digits and underscores."""


class Router:
    """Hands each message to its command."""

    def __init__(self, house: House) -> None:
        """Answer in this house."""
        self._house = house
        self._codes = Codes(house)

    async def on_message(self, update: Update, _context: object) -> None:
        """The message has been answered. The gate has let it through."""
        message = update.message
        if message is None or message.from_user is None:
            return
        if await self._codes.take(message):
            return
        typed = (message.text or "").strip()
        name, words = read(typed)
        command = BY_NAME.get(name)
        topic = message.message_thread_id if message.is_topic_message else None
        if command is None:
            await self._house.voice.say(message.chat.id, _not_understood(typed, name), thread_id=topic)
            return
        choice = await self._house.choice(message.chat.id)
        ask = Ask(
            house=self._house,
            account=choice.account,
            choice_problem=choice.problem,
            user_id=message.from_user.id,
            chat_id=message.chat.id,
            name=message.from_user.full_name,
            words=words,
            text=typed,
            sent_at=message.date,
            thread_id=topic,
            chat_title=message.chat.title or "",
        )
        if command.moves_money and (late := _lateness(message, self._house)):
            await ask.reply(f"{late}\n{code(ask.text[:200])}")
            return
        await carry_out(command, ask)


async def carry_out(command: Command, ask: Ask) -> None:
    """The command has been answered, whatever came of it."""
    if command.moves_money:
        user = await ask.house.store.do(ask.house.access.user, ask.user_id)
        if user is None or only_looks(user.role):
            await ask.reply_of_all(LOOKS_ONLY)
            return
    if not ask.is_private and (kept := await _not_here(command, ask)):
        await ask.reply_of_all(kept)
        return
    try:
        async with asyncio.timeout(command.patience_seconds):
            await command.run(ask)
    except TradehookError as error:
        keyboard = offers.keyboard(error.details.get("offers", ()))
        await ask.reply(words_for(error, example=command.examples[0]), keyboard=keyboard)
    except TimeoutError:
        await ask.reply(f"{text(ask.account.spec.label)} did not answer in time. No order was sent. Try again.")


async def type_for(house: House, typed: str, *, where: Where, name: str) -> None:
    """What a button typed for somebody has been answered as if they had written it now; see `offers.py`."""
    wanted, words = read(typed)
    command = BY_NAME.get(wanted)
    if command is None:
        return
    choice = await house.choice(where.chat_id)
    ask = Ask(
        house=house,
        account=choice.account,
        choice_problem=choice.problem,
        user_id=where.user_id,
        chat_id=where.chat_id,
        name=name,
        words=words,
        text=typed,
        sent_at=now(),
        thread_id=where.thread_id,
    )
    await carry_out(command, ask)


async def _not_here(command: Command, ask: Ask) -> str | None:
    """Why this command is not answered in this group, as HTML; `None` when it is."""
    private = f"Ask me in private: https://t.me/{ask.house.voice.bot.username}"
    if command.only_in_private:
        return f"/{command.name} is for your private chat with me. {private}"
    if command.shows_holdings and not await ask.house.shows_holdings(ask.where):
        return (
            f"/{command.name} shows what is held, and everybody here would see it, so it is off in groups. "
            f"{private}\nSomebody who may trade can turn it on: /allow_here balances"
        )
    return None


def addressed(typed: str) -> str | None:
    """Whose command it is: a bot's name, empty when it names none; `None` for what is no command."""
    words = typed.split(maxsplit=1)
    return words[0].partition("@")[2] if words and words[0].startswith("/") else None


def read(typed: str) -> tuple[str, tuple[str, ...]]:
    """A command's name without slash (empty when it is none) and the words after it."""
    words = typed.split()
    if not words or not words[0].startswith("/"):
        return "", tuple(words)
    tapped = _TAPPED.fullmatch(words[0].partition("@")[0])
    if tapped is not None:
        return tapped[1].lower(), (tapped[2], *words[1:])
    return words[0][1:].lower().partition("@")[0], tuple(words[1:])


def _not_understood(typed: str, name: str) -> str:
    if not typed:
        return "I read text commands only. /help lists them."
    if name:
        other = meant(name)
        hint = f"Did you mean /{other}?" if other else "/help lists what there is."
        return f"There is no command /{text(name[:40])}. {hint}"
    first = typed.split(maxsplit=1)[0].lower()
    if first in BY_NAME:
        return f"Commands begin with a slash: {code('/' + typed[:200])}"
    return "I understand commands, which begin with a slash. /help lists them."


def _lateness(message: Message, house: House) -> str | None:
    """Why this command is too old to be obeyed, as HTML; `None` when it is fresh."""
    age = (now() - message.date).total_seconds()
    limit = float(house.settings.fresh_seconds)
    if abs(age) <= limit:
        return None
    if age < 0:
        return (
            f"By this machine's clock that was sent {_span(-age)} in the future, so I cannot tell how old it is. "
            "Nothing was done. Set the clock, then send it again."
        )
    return (
        f"That is {_span(age)} old, so nothing was done with it. Send it again if you still want it. "
        "(If you sent it just now, this machine's clock is wrong.)"
    )


def _span(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
