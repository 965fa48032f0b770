"""What the bot says, and how it reaches a chat: the environment's mark, HTML made safe, Telegram's limits obeyed.

Every text goes through here, so no message of the sandbox is without its mark and none is lost for a stray `<`.
"""

from __future__ import annotations

import html
import logging
import re
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from telegram import ReplyParameters
from telegram.error import BadRequest, Forbidden, NetworkError, RetryAfter, TelegramError

from tradehook_bot.pace import ONCE, SPARE

if TYPE_CHECKING:
    from telegram import Bot, InlineKeyboardMarkup

_log = logging.getLogger(__name__)

LONGEST = 4000
"""Characters in a message. Telegram takes 4096; the rest is for the mark."""


class Edited(Enum):
    """What came of an edit."""

    DONE = auto()
    LATER = auto()
    """It is worth another try."""
    NEVER = auto()
    """That message will not change any more: somebody deleted it, or the chat is closed."""
    SHUT_OUT = auto()
    """Nothing can be written there now: the person blocked the bot, or it is out of the group."""


def text(value: object) -> str:
    """Anything, safe inside HTML."""
    return html.escape(str(value), quote=False)


def bold(value: object) -> str:
    """Anything, bold."""
    return f"<b>{text(value)}</b>"


def code(value: object) -> str:
    """Something to copy: a tap on it copies it."""
    return f"<code>{text(value)}</code>"


def plain(body: str) -> str:
    """The same without markup."""
    return html.unescape(re.sub(r"</?[a-z]+>", "", body))


class Voice:
    """How the bot speaks in its environment."""

    def __init__(self, bot: Bot, *, environment: str, account: str, has_several: bool = False) -> None:
        """Speak through this bot.

        Args:
            bot: python-telegram-bot's.
            environment: `sandbox`, `uat` or `live`; stands in every message.
            account: what people call the account, where there is one.
            has_several: whether each message says which account it is about.
        """
        self.bot = bot
        self._environment = environment
        self._account = account
        self._has_several = has_several

    def marked(self, body: str, *, account: str | None = None) -> str:
        """The text with its environment: in front where it is play money, at the end where the fact comes first.

        Where there are several accounts, the one that it is about stands beside it.
        """
        if self._environment == "live":
            named = account if self._has_several else self._account
            return f"{body}\n\nLIVE{f' · {text(named)}' if named else ''}"
        named = f"{text(account)} · " if self._has_several and account else ""
        return f"{self._environment.upper()} · {named}{body}"

    async def say(
        self,
        chat_id: int,
        body: str,
        *,
        account: str | None = None,
        keyboard: InlineKeyboardMarkup | None = None,
        reply_to: int | None = None,
        is_silent: bool = False,
        is_patient: bool = True,
        thread_id: int | None = None,
    ) -> int:
        """Send a new message (several when it is long) and return the number of the last.

        Where Telegram asks this chat to wait, it waits, unless it `is_patient` no more than to be told how long.
        Not to be repeated blindly: Telegram has no key against repetition.

        Raises:
            TelegramError: it did not arrive, or nobody knows.
        """
        pages = paged(body)
        number = 0
        for page in pages:
            number = await self._send(
                chat_id,
                self.marked(page, account=account),
                keyboard=keyboard if page is pages[-1] else None,
                reply_to=reply_to if page is pages[0] else None,
                is_silent=is_silent,
                is_patient=is_patient,
                thread_id=thread_id,
            )
        return number

    async def edit(
        self,
        chat_id: int,
        message_id: int,
        body: str,
        *,
        account: str | None = None,
        keyboard: InlineKeyboardMarkup | None = None,
        is_patient: bool = True,
    ) -> bool:
        """Let a message say this, and show these buttons or none. May be repeated.

        Returns whether there is nothing left to do: `False` means that it is worth another try later.
        """
        pace = _pace(is_patient)
        done = await self._edited(chat_id, message_id, body, account=account, keyboard=keyboard, pace=pace)
        return done is not Edited.LATER

    async def edit_when_quiet(
        self,
        chat_id: int,
        message_id: int,
        body: str,
        *,
        account: str | None = None,
        keyboard: InlineKeyboardMarkup | None = None,
    ) -> Edited:
        """The same for what nobody waits for: it waits for nothing itself, and leaves room for what is new."""
        pace = {"rate_limit_args": SPARE}
        return await self._edited(chat_id, message_id, body, account=account, keyboard=keyboard, pace=pace)

    async def _edited(
        self,
        chat_id: int,
        message_id: int,
        body: str,
        *,
        account: str | None,
        keyboard: InlineKeyboardMarkup | None,
        pace: dict[str, Any],
    ) -> Edited:
        shown = self.marked(paged(body)[0], account=account)
        try:
            await self._edit(chat_id, message_id, shown, keyboard=keyboard, pace=pace)
        except RetryAfter:
            return Edited.LATER
        except (Forbidden, BadRequest) as error:
            if "not modified" in str(error).lower():
                return Edited.DONE
            _log.info("Message %s cannot be edited: %s", message_id, error)
            return Edited.SHUT_OUT if isinstance(error, Forbidden) else Edited.NEVER
        except NetworkError as error:
            _log.info("Message %s could not be edited now: %s", message_id, error)
            return Edited.LATER
        except TelegramError as error:
            _log.warning("Message %s could not be edited: %s", message_id, error)
            return Edited.NEVER
        return Edited.DONE

    async def show(
        self,
        chat_id: int,
        picture: bytes,
        caption: str,
        *,
        account: str | None = None,
        thread_id: int | None = None,
    ) -> int:
        """Send a picture (PNG) with words below it, and return the message's number. Not to be repeated blindly.

        Raises:
            TelegramError: it did not arrive, or nobody knows.
        """
        said = self.marked(caption, account=account)
        message = await self.bot.send_photo(chat_id, picture, caption=said, message_thread_id=thread_id)
        return message.message_id

    async def take_away(self, chat_id: int, message_id: int) -> bool:
        """Whether a message is gone that had better not be seen any longer."""
        try:
            return await self.bot.delete_message(chat_id, message_id)
        except TelegramError as error:
            if isinstance(error, BadRequest) and "not found" in str(error).lower():
                return True  # somebody else deleted it
            _log.info("Message %s could not be deleted: %s", message_id, error)
            return False

    async def strip(self, chat_id: int, message_id: int) -> None:
        """Take a message's buttons away, if that can be done now. May be repeated."""
        try:
            await self.bot.edit_message_reply_markup(chat_id=chat_id, message_id=message_id, reply_markup=None)
        except TelegramError as error:
            _log.info("Buttons of message %s could not be taken away: %s", message_id, error)

    async def _send(
        self,
        chat_id: int,
        body: str,
        *,
        keyboard: InlineKeyboardMarkup | None,
        reply_to: int | None,
        is_silent: bool,
        is_patient: bool,
        thread_id: int | None,
    ) -> int:
        answers = ReplyParameters(reply_to, allow_sending_without_reply=True) if reply_to is not None else None
        try:
            message = await self.bot.send_message(
                chat_id,
                body,
                reply_markup=keyboard,
                reply_parameters=answers,
                disable_notification=is_silent,
                message_thread_id=thread_id,
                **_pace(is_patient),
            )
        except BadRequest as error:
            if not _is_about_markup(error):
                raise
            # Better said plainly than not at all.
            _log.warning("Telegram could not read our markup: %s", error)
            message = await self.bot.send_message(
                chat_id,
                plain(body),
                parse_mode=None,
                reply_markup=keyboard,
                reply_parameters=answers,
                disable_notification=is_silent,
                message_thread_id=thread_id,
                **_pace(is_patient),
            )
        return message.message_id

    async def _edit(
        self,
        chat_id: int,
        message_id: int,
        body: str,
        *,
        keyboard: InlineKeyboardMarkup | None,
        pace: dict[str, Any],
    ) -> None:
        try:
            await self.bot.edit_message_text(
                body, chat_id=chat_id, message_id=message_id, reply_markup=keyboard, **pace
            )
        except BadRequest as error:
            if not _is_about_markup(error):
                raise
            _log.warning("Telegram could not read our markup: %s", error)
            await self.bot.edit_message_text(
                plain(body), chat_id=chat_id, message_id=message_id, parse_mode=None, reply_markup=keyboard, **pace
            )


def paged(body: str) -> list[str]:
    """The text in parts that Telegram takes, cut between lines. Markup never spans lines, so none is cut."""
    pages: list[str] = []
    page = ""
    for line in body.split("\n"):
        # A single line this long is nobody's: it loses its markup and its end.
        short = line if len(line) <= LONGEST else text(plain(line)[: LONGEST // 8]) + "…"
        if page and len(page) + 1 + len(short) > LONGEST:
            pages.append(page)
            page = short
        else:
            page = f"{page}\n{short}" if page else short
    return [*pages, page]


def _pace(is_patient: bool) -> dict[str, Any]:  # noqa: FBT001 - one argument
    """What python-telegram-bot's calls are told beside what they say."""
    return {} if is_patient else {"rate_limit_args": ONCE}


def _is_about_markup(error: BadRequest) -> bool:
    return "can't parse entities" in str(error).lower()
