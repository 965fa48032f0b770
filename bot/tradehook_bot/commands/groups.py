"""`/allow_here` and `/forbid_here`: in which groups and topics the bot may be used, said in that very place."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from telegram import BotCommandScopeChat
from telegram.error import TelegramError

from tradehook.errors import InvalidInput
from tradehook_bot import reach
from tradehook_bot.replies import bold

if TYPE_CHECKING:
    from tradehook_bot.context import Ask

ALLOW = "allow_here"
_BALANCES = ("balances", "balance")


async def allow_here(ask: Ask) -> None:
    """Those on the list may use the bot in this group and topic; with `balances`, what is held may be shown there."""
    house = ask.house
    _check_in_group(ask)
    if [word.lower() for word in ask.words] not in ([], *([each] for each in _BALANCES)):
        raise InvalidInput(
            f"I do not understand {' '.join(ask.words)[:40]!r}.", suggestions=("/allow_here", "/allow_here balances")
        )
    await house.store.do(
        house.groups.allow,
        ask.chat_id,
        ask.thread_id,
        title=ask.chat_title,
        shows_holdings=bool(ask.words),
        allowed_by=ask.user_id,
    )
    await house.store.do(house.chats.set_title, ask.chat_id, ask.chat_title)
    place = "topic" if ask.thread_id is not None else "group"
    shown = (
        "What is held is shown here, to everybody in the group."
        if ask.words
        else "What is held is not shown here; /allow_here balances changes that."
    )
    await ask.reply_of_all(
        f"{bold(f'From now on I may be used in this {place}')} by those on my list, each as far as their role goes. "
        f"Everybody here sees the answers. Only whoever asked for an order can confirm it.\n{shown}\n"
        "What needs a code is confirmed in private. /forbid_here ends it."
    )
    # What waited while the bot was out of the group.
    await reach.is_back(house, ask.chat_id)
    await house.show_menu()


async def forbid_here(ask: Ask) -> None:
    """The bot does nothing more in this group and topic."""
    house = ask.house
    _check_in_group(ask)
    await house.store.do(house.groups.forbid, ask.chat_id, ask.thread_id)
    await ask.reply_of_all(
        f"{bold('I do nothing here any more.')} Orders that were sent stay as they are. /allow_here undoes it."
    )
    if not await house.store.do(house.groups.knows, ask.chat_id):
        with contextlib.suppress(TelegramError):
            await house.voice.bot.delete_my_commands(scope=BotCommandScopeChat(ask.chat_id))


def _check_in_group(ask: Ask) -> None:
    if ask.is_private:
        raise InvalidInput(
            "Type that in the group that it is for; with topics, in the topic. Add me there first.",
            needs_example=False,
        )
