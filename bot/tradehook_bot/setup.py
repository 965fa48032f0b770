"""`tradehook-bot setup` takes the token and makes whoever opens a one-time link an owner; `invite` prints other links.

An owner's link is good for ten minutes and one person. Whoever hears of it first takes it: this command, which polls
Telegram until it is opened, or a bot that runs already (or is started within the ten minutes). Both look at the same
row. The link of an invitation is good for a day, and the bot that runs takes it.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from telegram import Bot
from telegram.error import Conflict, NetworkError, TelegramError, TimedOut

from tradehook_bot.access import CODE_FOR, INVITED_FOR, MAY, Access
from tradehook_bot.app import ALLOWED_UPDATES
from tradehook_bot.context import bot_id
from tradehook_bot.replies import Voice
from tradehook_bot.settings import TELEGRAM
from tradehook_bot.store import Store, now

if TYPE_CHECKING:
    from telegram import Update

    from tradehook.desk.journal import Journal
    from tradehook_bot.accounts import Served
    from tradehook_bot.settings import BotSettings

_POLL_SECONDS = 5
_LOOK_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Invitation:
    """A link that lets its bearer in, once."""

    username: str
    code: str

    @property
    def link(self) -> str:
        """What to open on the phone."""
        return f"https://t.me/{self.username}?start={self.code}"

    def qr(self) -> str:
        """The link for a phone's camera, drawn with characters."""
        import segno

        drawn = io.StringIO()
        segno.make(self.link, micro=False).terminal(drawn, compact=True)
        return drawn.getvalue()


def new_bot(settings: BotSettings, token: str) -> Bot:
    """The bot as python-telegram-bot sees it."""
    return Bot(token, base_url=f"{settings.telegram_url}/bot", base_file_url=f"{settings.telegram_url}/file/bot")


async def username_of(settings: BotSettings, token: str) -> str:
    """The name that Telegram knows this token's bot by.

    Raises:
        TelegramError: Telegram does not know the token, or cannot be reached.
    """
    async with new_bot(settings, token) as bot:
        return bot.username


def invite(journal: Journal, *, token: str, username: str) -> Invitation:
    """A fresh invitation; those made before are void."""
    return Invitation(username=username, code=_access(journal, token).make_code())


def invite_as(role: str, journal: Journal, *, token: str, username: str) -> Invitation:
    """A fresh invitation to this role. Others stay good."""
    return Invitation(username=username, code=_access(journal, token).invite(role))


def how_to_open(settings: BotSettings, invitation: Invitation) -> str:
    """What to do with an owner's invitation, in words."""
    minutes = round(CODE_FOR.total_seconds() / 60)
    words = (
        f"Open this on your phone within {minutes} minutes and press Start. "
        f"Whoever does so first owns the bot:\n\n  {invitation.link}\n"
    )
    return words + _elsewhere(settings, invitation)


def how_to_invite(settings: BotSettings, invitation: Invitation, *, role: str) -> str:
    """What to do with somebody else's invitation, in words."""
    hours = round(INVITED_FOR.total_seconds() / 3600)
    words = (
        f"Give this to one person, where nobody else reads it. Whoever opens it first within {hours} hours and presses "
        f"Start may {MAY[role]}:\n\n  {invitation.link}\n\nIt is shown this once and works once. "
        "The bot has to run for it.\n"
    )
    return words + _elsewhere(settings, invitation)


def _elsewhere(settings: BotSettings, invitation: Invitation) -> str:
    if settings.telegram_url == TELEGRAM:
        return ""
    return f"\n(This is not Telegram itself: in `tradehook-sandbox chat`, type /start {invitation.code})\n"


async def wait_for_owner(
    settings: BotSettings, served: Served, journal: Journal, *, token: str, invitation: Invitation
) -> int | None:
    """Who opened the link, or `None` when nobody did in time.

    Args:
        settings: the bot's.
        served: which environment the bot is for.
        journal: where its people are kept.
        token: the bot's.
        invitation: what `invite` made.

    Raises:
        TelegramError: Telegram does not know the token any more.
    """
    access = _access(journal, token)
    until = now() + CODE_FOR
    offset: int | None = None
    async with new_bot(settings, token) as bot:
        while now() < until:
            owner = await asyncio.to_thread(access.claimed_by, invitation.code)
            if owner is not None:
                await _welcome(Voice(bot, environment=served.environment, account=served.settings[0].account), owner)
                return owner
            try:
                updates = await bot.get_updates(
                    offset, timeout=_POLL_SECONDS, allowed_updates=list(ALLOWED_UPDATES), read_timeout=_POLL_SECONDS + 5
                )
            except (Conflict, TimedOut, NetworkError):
                # A bot runs with this token and takes the link itself, or Telegram is away for a moment.
                await asyncio.sleep(_LOOK_SECONDS)
                continue
            for update in updates:
                offset = update.update_id + 1
                await asyncio.to_thread(_try_claim, access, update)
    return None


def _try_claim(access: Access, update: Update) -> None:
    message = update.message
    words = (message.text or "").split() if message is not None else []
    if message is None or message.from_user is None or len(words) != 2 or words[0] != "/start":
        return
    if message.chat.type == "private" and message.chat.id == message.from_user.id and message.forward_origin is None:
        access.claim(words[1], user_id=message.from_user.id, name=message.from_user.full_name)


async def _welcome(voice: Voice, owner: int) -> None:
    # The owner is in the database; that is what counts.
    with contextlib.suppress(TelegramError):
        await voice.say(owner, "This bot is yours now. Start it on the machine: tradehook-bot run")


def _access(journal: Journal, token: str) -> Access:
    return Access(Store(journal.engine, bot_id=bot_id(token)))
