"""What happens when something fails: it is logged with an id, and the person hears an honest sentence with that id.

One place for all handlers, jobs and polling. An exception's own text never reaches a chat.
"""

from __future__ import annotations

import logging
import secrets
import time
from typing import TYPE_CHECKING

from telegram import Update
from telegram.error import BadRequest, Conflict, Forbidden, InvalidToken, NetworkError, RetryAfter, TelegramError
from telegram.ext import ApplicationHandlerStop

from tradehook.errors import InvalidInput, TradehookError
from tradehook.render import error_line, in_chat
from tradehook_bot.outbox import Letter
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from telegram.ext import CallbackContext

    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
_QUIET_SECONDS = 60.0

CONFLICT = (
    "Another program asks Telegram for this bot's messages. Only one may: stop the other one. If you do not know it, "
    "somebody has your token: open BotFather, /revoke it, and run `tradehook-bot setup` again."
)


class Failures:
    """The one error handler."""

    def __init__(self, house: House) -> None:
        """Tell of failures in this house."""
        self._house = house
        self._last_lines: dict[str, float] = {}
        self._conflict_key = f"conflict:{secrets.token_hex(8)}"

    async def handle(self, update: object, context: CallbackContext) -> None:  # type: ignore[type-arg]
        """Log what failed and answer whoever waits.

        Raises:
            ApplicationHandlerStop: always for an update, so that no later handler sees one that failed.
        """
        error = context.error
        if not isinstance(update, Update):
            await self._in_background(error, job=context.job)
            return
        error_id = new_error_id()
        _log.error("Error %s in update %s.", error_id, update.update_id, exc_info=error)
        if not isinstance(error, Forbidden) and update.effective_chat is not None:
            # Only what passed the gate comes here: the gate answers for itself.
            try:
                await self._house.voice.say(
                    update.effective_chat.id, _sentence(update, error_id), thread_id=_topic(update)
                )
            except TelegramError as second:
                _log.warning("The person could not be told of error %s: %s", error_id, second)
        raise ApplicationHandlerStop

    async def _in_background(self, error: Exception | None, *, job: object) -> None:
        if isinstance(error, Conflict):
            if self._is_time_for("conflict"):
                _log.error(CONFLICT)
                await self._tell_owners_of_conflict()
        elif isinstance(error, InvalidToken):
            if self._is_time_for("token"):
                _log.error("Telegram does not accept the bot's token any more. Run `tradehook-bot setup`.")
        elif isinstance(error, NetworkError | RetryAfter) and not isinstance(error, BadRequest):
            if self._is_time_for("network"):
                _log.warning("Telegram cannot be reached (%s); I keep trying.", error)
        elif isinstance(error, TradehookError):
            if self._is_time_for(type(error).__name__):
                _log.warning("%s", error_line(error))
        elif self._is_time_for(f"{type(error).__name__}"):
            _log.error("Error %s in %s.", new_error_id(), job or "the background", exc_info=error)

    async def _tell_owners_of_conflict(self) -> None:
        house = self._house
        users = await house.store.do(house.access.users)
        body = f"{bold('Another program uses my token.')}\n{text(CONFLICT)}\nCommands may not reach me until then."
        await house.store.do(house.outbox.put, *(Letter(user.user_id, self._conflict_key, body) for user in users))

    def _is_time_for(self, what: str) -> bool:
        """At most one line a minute for the same trouble."""
        moment = time.monotonic()
        if moment - self._last_lines.get(what, -_QUIET_SECONDS) < _QUIET_SECONDS:
            return False
        self._last_lines[what] = moment
        return True


def new_error_id() -> str:
    """Short enough to be read out, and to be found in the log."""
    return secrets.token_hex(3).upper()


def words_for(error: TradehookError, *, example: str = "") -> str:
    """An error of ours for chat: what happened, what to do next, and for a slip in typing an example."""
    body = text(in_chat(error_line(error)))
    offers = [offer for offer in error.details.get("suggestions", ()) if offer.startswith("/")]
    if offers:
        body += "\n" + "\n".join(code(offer) for offer in offers)
    elif isinstance(error, InvalidInput) and example and error.details.get("needs_example", True):
        body += f"\nFor example: {code(example)}"
    return body


def _topic(update: Update) -> int | None:
    """The topic of a forum in which it was asked."""
    message = update.effective_message
    return message.message_thread_id if message is not None and message.is_topic_message else None


def _sentence(update: Update, error_id: str) -> str:
    """What is true of the update that failed: only Confirm sends an order, and only /cancel cancels one."""
    if update.callback_query is not None:
        truth = "I do not know whether an order was sent. Look at /orders before you try again."
    else:
        command = ((update.message.text or "") if update.message else "").split(maxsplit=1)[:1]
        name = command[0].lower().partition("@")[0].partition("_")[0] if command else ""
        truth = {
            "/cancel": "I do not know whether the cancellation went out. Look at /orders, then try again.",
            "/freeze": "Trading may NOT be frozen. Try again, or run `tradehook freeze` on the machine.",
            "/resume": "Trading may still be frozen. Look at /status.",
        }.get(name, "No order was sent.")
    return f"Something went wrong (id {error_id}). {text(truth)}"
