"""Who may do what and where, in words, and taking it away again: `tradehook-bot people`, `check` and `remove`.

A running bot looks at the same rows for each message, so what is done here holds for it at once.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from telegram import BotCommandScopeChat
from telegram.error import TelegramError

from tradehook import render
from tradehook_bot.access import MAY, Access
from tradehook_bot.context import bot_id
from tradehook_bot.groups import Groups
from tradehook_bot.setup import new_bot
from tradehook_bot.store import Store
from tradehook_bot.totp import Totp

if TYPE_CHECKING:
    from tradehook.desk.journal import Journal
    from tradehook_bot.access import User
    from tradehook_bot.groups import Group
    from tradehook_bot.settings import BotSettings


class Done(NamedTuple):
    """What came of it, in words."""

    words: str
    is_done: bool = True


@dataclass(frozen=True, slots=True)
class People:
    """Everybody who may use the bot, and every place in which it may be used. Blocking."""

    access: Access
    groups: Groups
    totp: Totp

    @classmethod
    def open(cls, journal: Journal, *, token: str) -> People:
        """Those of this token's bot."""
        store = Store(journal.engine, bot_id=bot_id(token))
        return cls(Access(store), Groups(store), Totp(store, token=token))

    @property
    def nobody(self) -> bool:
        """Whether nobody may use the bot, so that it does not start."""
        return not self.access.users()

    def lines(self) -> list[str]:
        """Who may do what, where, and who could come in yet."""
        people = [self._person(user) for user in self.access.users()]
        people = people or ["user      nobody: run `tradehook-bot setup`"]
        groups = [self._group(group) for group in self.groups.every()]
        open_codes = [
            f"invited   somebody, as {role}; the link is good until {render.clock_of(until.isoformat())}"
            for role, until in self.access.invitations()
        ]
        return [*people, *groups, *open_codes]

    def remove(self, user_id: int) -> Done:
        """This person may use the bot no more."""
        gone = self.access.remove(user_id)
        if gone is None:
            return Done(f"User {user_id} may not use this bot. `tradehook-bot people` lists who may.", is_done=False)
        also = [
            f"{number} {what}{'s' if number > 1 else ''}"
            for number, what in ((gone.questions, "open question"), (gone.groups, "group"))
            if number
        ]
        words = f"User {user_id} {gone.user.name} may use the bot no more."
        if also:
            words += f" With them went: {' and '.join(also)}."
        words += " What they ordered stays as it is: tradehook orders."
        if self.nobody:
            words += " Nobody may use the bot now: run `tradehook-bot setup`."
        return Done(words)

    def remove_group(self, chat_id: int) -> Done:
        """The bot is used in this chat no more, in none of its topics."""
        places = self.groups.forget(chat_id)
        if not places:
            words = f"The bot may not be used in chat {chat_id}. `tradehook-bot people` lists where it may."
            return Done(words, is_done=False)
        return Done(f"The bot does nothing in chat {chat_id} any more.")

    def take_back(self) -> Done:
        """No link that was printed before lets anybody in."""
        count = self.access.take_back_invitations()
        return Done(f"{count} invitation{'' if count == 1 else 's'} taken back.")

    def _person(self, user: User) -> str:
        app = self.totp.standing(user.user_id)
        has_app = "has an authenticator app" if app is not None and app.is_proved else "no authenticator app"
        silent = "" if user.is_reachable else "; has blocked the bot"
        return f"user      {user.user_id} {user.name} ({user.role}): may {MAY[user.role]}; {has_app}{silent}"

    def _group(self, group: Group) -> str:
        topic = f" topic {group.thread_id}" if group.thread_id is not None else ""
        held = "shows" if group.shows_holdings else "does not show"
        return (
            f"group     {group.chat_id}{topic} {group.title}: those above, each as far as their role goes; "
            f"{held} what is held; let in by user {group.allowed_by}"
        )


async def forget_menu(settings: BotSettings, token: str, chat_id: int) -> None:
    """The chat has no menu of commands any more, if Telegram can be reached."""
    with contextlib.suppress(TelegramError):
        async with new_bot(settings, token) as bot:
            await bot.delete_my_commands(scope=BotCommandScopeChat(chat_id))
