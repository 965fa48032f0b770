"""What a typed code does: it sets up an app, or it is the last word on a question that waits for one.

The message with the code is deleted whatever the code is worth: one that nobody used yet must not stand in a chat.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook_bot import arrivals
from tradehook_bot.confirm import Buttons
from tradehook_bot.proposals import Where
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now
from tradehook_bot.totp import RESET, TRIES, Verdict

if TYPE_CHECKING:
    from telegram import Message

    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
_CODE = re.compile(r"(\d{3})\s?(\d{3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Codes:
    """Takes codes that people type."""

    house: House

    async def take(self, message: Message) -> bool:
        """Whether the message was a code; if so, it has been deleted, checked and answered."""
        found = _CODE.fullmatch((message.text or "").strip())
        user = message.from_user
        if found is None or user is None:
            return False
        house = self.house
        # Beside what follows: where Telegram asks this chat to wait, a code would be too old by then.
        house.in_background(self._take_away(message))
        where = Where(user.id, message.chat.id, message.message_thread_id if message.is_topic_message else None)
        waiting = await house.store.do(house.proposals.waiting_for_code, where)
        standing = await house.store.do(house.totp.standing, user.id)
        if waiting is None and (standing is None or standing.is_proved):
            await self._say(where, "Nothing waits for a code. I deleted your message, so that nobody uses it.")
            return True
        verdict = await house.store.do(house.totp.check, user.id, found[1] + found[2])
        if verdict is Verdict.FIRST:
            await self._welcome(where, user.full_name)
        elif verdict is not Verdict.RIGHT:
            await self._say(where, await self._why_not(verdict, user.id))
        if verdict is Verdict.LOCKED and standing is not None and not standing.is_locked:
            _log.warning("Codes of user %s are locked after %s wrong ones.", user.id, TRIES)
            await arrivals.tell_others(
                house,
                f"{bold('Codes are locked')} for {text(user.full_name)} (user {user.id}) after {TRIES} wrong ones. "
                "If they did not type them, somebody has their chat: /freeze.",
                but=where.user_id,
                key=f"codes locked:{user.id}:{message.message_id}",
            )
        if verdict in (Verdict.RIGHT, Verdict.FIRST) and waiting is not None:
            confirmed = await house.store.do(house.proposals.code_given, waiting.proposal_id)
            if confirmed is None:
                await self._say(where, "The code was right, but the question's time was over. Nothing was done.")
            else:
                await Buttons(house).carry_out(confirmed)
        return True

    async def _take_away(self, message: Message) -> None:
        await self.house.voice.take_away(message.chat.id, message.message_id)

    async def put_away_pictures(self) -> None:
        """No picture of a secret stands in a chat longer than it is needed."""
        house = self.house
        for user_id, message_id in await house.store.do(house.totp.over):
            # The picture is sent in private chats only, where the chat's number is the person's.
            if await house.voice.take_away(user_id, message_id):
                await house.store.do(house.totp.taken_away, user_id)

    async def _welcome(self, where: Where, name: str) -> None:
        """The app is set up: the picture goes, and everybody hears of it, in case it was somebody else."""
        await self.put_away_pictures()
        standing = await self.house.store.do(self.house.totp.standing, where.user_id)
        is_gone = standing is not None and standing.message_id is None
        picture = "I deleted the picture and your code." if is_gone else "Delete the picture: I could not, for now."
        await self._say(
            where,
            f"{bold('Your authenticator app is set up.')}\n{picture} From now on I ask for "
            "a code where one is needed: transfers, large orders, letting live trading go on, ending a doubt.",
        )
        _log.warning("User %s set up an authenticator app.", where.user_id)
        words = (
            f"{bold('An authenticator app was set up')} for {text(name)} (user {where.user_id}). "
            "If that was not them: /freeze."
        )
        key = f"app set up:{where.user_id}:{now():%Y%m%d%H%M%S}"
        await arrivals.tell_others(self.house, words, but=where.user_id, key=key)

    async def _why_not(self, verdict: Verdict, user_id: int) -> str:
        house = self.house
        match verdict:
            case Verdict.WRONG:
                standing = await house.store.do(house.totp.standing, user_id)
                left = standing.tries_left if standing is not None else 0
                return (
                    f"That code is wrong. {left} {'try is' if left == 1 else 'tries are'} left; type the one that the "
                    "app shows now. I deleted your message."
                )
            case Verdict.USED:
                return "That code was used before, and each works once. Wait for the next one in the app, then type it."
            case Verdict.LOCKED:
                return (
                    f"{bold('Codes are locked')} after {TRIES} wrong ones. Nothing was done. {text(RESET)} {user_id}. "
                    "If that was not you: /freeze."
                )
            case Verdict.UNREADABLE:
                return (
                    "The bot's token was changed since your app was set up, so its codes cannot be checked. "
                    f"{text(RESET)} {user_id}; then /totp sets it up anew."
                )
            case _:
                return "No authenticator app is set up for you. /totp sets one up."

    async def _say(self, where: Where, body: str) -> None:
        await self.house.voice.say(where.chat_id, body, thread_id=where.thread_id)
