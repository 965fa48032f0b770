"""Presses of inline buttons, and the answers bots give to them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from tradehook_sandbox.telegram.messages import Message
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json

TOO_OLD = "query is too old and response timeout expired or query ID is invalid"
LONGEST_ANSWER = 200


@dataclass(slots=True)
class Press:
    """One press of one button; `answer` is None until the bot answers it."""

    id: str
    message: Message
    data: str
    button: str | None
    at: datetime
    by: User
    answer: Json | None = None

    def as_api(self) -> Json:
        """The Bot API's `CallbackQuery`."""
        return {
            "id": self.id,
            "from": self.by.as_user(),
            "message": self.message.as_api(),
            "chat_instance": str(self.message.chat.id * 31 + 7),
            "data": self.data,
        }

    def as_transcript(self) -> Json:
        """The press as the person's side reads it."""
        return {
            "callback_query_id": self.id,
            "message_id": self.message.id,
            "chat": self.message.chat.id,
            "button": self.button,
            "data": self.data,
            "user": self.by.id,
            "name": self.by.first_name,
            "at": self.at.isoformat(),
            "answer": self.answer,
        }


def answer(press: Press | None, answer_: Json, *, now: datetime, within: timedelta) -> Press:
    """The press has its answer.

    Raises:
        ApiError: the press is unknown, older than `within`, or answered already. Telegram gives all three one text.
    """
    if press is None or press.answer is not None or now - press.at > within:
        raise bad_request(TOO_OLD)
    if len(answer_["text"]) > LONGEST_ANSWER:
        raise bad_request("MESSAGE_TOO_LONG")
    press.answer = answer_
    return press
