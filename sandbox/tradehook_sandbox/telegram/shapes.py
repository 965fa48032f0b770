"""The shapes that travel: JSON objects, and the two ways of saying no.

`ApiError` is Telegram refusing a bot; `PersonError` is the sandbox refusing a request on the person's side. They are
kept apart because a bot's library reads the first and a person reads the second.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, TypeAlias

Json: TypeAlias = dict[str, Any]
Clock: TypeAlias = Callable[[], datetime]

LONGEST_NUMBER = 19  # digits of a 64-bit integer


class ApiError(Exception):
    """A Bot API call was refused, with the code and the words Telegram uses.

    Args:
        code: HTTP status, repeated as `error_code` in the body.
        description: the whole text, prefix included (`Bad Request: chat not found`).
        retry_after: seconds, for 429 only.
        migrate_to: the new id of a group that became a supergroup.
    """

    def __init__(
        self, code: int, description: str, *, retry_after: int | None = None, migrate_to: int | None = None
    ) -> None:
        """The refusal carries everything its HTTP response needs."""
        super().__init__(description)
        self.code = code
        self.description = description
        self.retry_after = retry_after
        self.migrate_to = migrate_to

    def body(self) -> Json:
        """The response body, as Telegram writes it."""
        body: Json = {"ok": False, "error_code": self.code, "description": self.description}
        if self.retry_after is not None:
            body["parameters"] = {"retry_after": self.retry_after}
        if self.migrate_to is not None:
            body["parameters"] = {"migrate_to_chat_id": self.migrate_to}
        return body


def bad_request(reason: str) -> ApiError:
    """A 400 in Telegram's words."""
    return ApiError(400, f"Bad Request: {reason}")


class PersonError(Exception):
    """A request on the person's side cannot be done; the message says what to do about it.

    Args:
        status: 400 for a malformed request, 404 for a thing that is not there, 409 when it cannot be done now.
        message: one sentence for a person.
    """

    def __init__(self, status: int, message: str) -> None:
        """The message becomes the `error` of the response."""
        super().__init__(message)
        self.status = status
        self.message = message


def utc_now() -> datetime:
    """The machine's clock, aware."""
    return datetime.now(UTC)


def read_integer(text: str) -> int | None:
    """A decimal integer of 64 bits, or None."""
    text = text.strip()
    digits = text.removeprefix("-")
    if digits.isascii() and digits.isdigit() and len(digits) <= LONGEST_NUMBER:
        return int(text)
    return None
