"""What a person's request says, field by field, each with its own sentence when it says it wrong."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tradehook_sandbox.telegram.people import LARGEST_ID, User, id_of
from tradehook_sandbox.telegram.shapes import PersonError, read_integer

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.shapes import Clock, Json

LONGEST_NAME = 64
YEARS = range(1971, 2100)  # what the date of a message can sensibly be
LONGEST_BACKDATE = 10 * 366 * 24 * 3600.0


def text_in(body: Json, name: str, *, longest: int = 64 * 1024) -> str | None:
    """The field as text, or None where it is absent.

    Raises:
        PersonError: not a string, or longer.
    """
    value = body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > longest:
        raise PersonError(400, f"{name} must be a string of at most {longest} characters")
    return value


def integer_in(body: Json, name: str) -> int | None:
    """The field as an integer (digits in a string count), or None where it is absent.

    Raises:
        PersonError: something else.
    """
    value = body.get(name)
    if value is None:
        return None
    number = read_integer(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) > LARGEST_ID:
        raise PersonError(400, f"{name} must be an integer")
    return number


def number_in(body: Json, name: str, *, default: float, largest: float) -> float:
    """The field as seconds from 0 to `largest`.

    Raises:
        PersonError: something else.
    """
    value = body.get(name, default)
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            value = None
    good = isinstance(value, int | float) and not isinstance(value, bool)
    if not good or not math.isfinite(value) or not 0 <= value <= largest:
        raise PersonError(400, f"{name} must be a number from 0 to {largest:g}")
    return float(value)


def truth_in(body: Json, name: str, *, default: bool = False) -> bool:
    """The field as a claim.

    Raises:
        PersonError: neither true nor false.
    """
    value = body.get(name, default)
    if not isinstance(value, bool):
        raise PersonError(400, f"{name} must be true or false")
    return value


def person_in(value: Any, known: Bot | None = None) -> User:
    """The person: a name, an id, or an object with `id`, `name` (or `first_name`), `last_name`, `username`,
    `language_code`.

    A name always means the same id. An id alone is the person the bot knows by it.

    Raises:
        PersonError: none of these.
    """  # noqa: D205
    if isinstance(value, str) and (number := read_integer(value)) is not None:
        value = number
    if isinstance(value, str):
        return User(id_of(value), _name(value))
    if isinstance(value, int) and not isinstance(value, bool):
        user_id = _user_id(value)
        if known is not None and user_id in known.chats:
            return known.chats[user_id]
        return User(user_id, f"User {user_id}")
    if not isinstance(value, dict):
        raise PersonError(400, "user must be a name, an id, or an object with id and name")
    name = text_in(value, "first_name", longest=LONGEST_NAME) or text_in(value, "name", longest=LONGEST_NAME)
    user_id_ = integer_in(value, "id")
    if name is None and user_id_ is None:
        raise PersonError(400, "user must have an id or a name")
    return User(
        _user_id(user_id_) if user_id_ is not None else id_of(_name(name or "")),
        _name(name or f"User {user_id_}"),
        last_name=text_in(value, "last_name", longest=LONGEST_NAME),
        username=text_in(value, "username", longest=LONGEST_NAME),
        language_code=text_in(value, "language_code", longest=LONGEST_NAME),
    )


def _name(name: str) -> str:
    name = name.strip()
    if not 1 <= len(name) <= LONGEST_NAME or not name.isprintable():
        raise PersonError(400, f"a user's name has 1 to {LONGEST_NAME} printable characters")
    return name


def _user_id(number: int) -> int:
    if not 1 <= number <= LARGEST_ID:
        raise PersonError(400, f"a user's id is a number from 1 to {LARGEST_ID}")
    return number


def moment_in(body: Json, now: Clock) -> datetime | None:
    """When it was sent: `ago_seconds`, or `date` as Unix seconds or ISO 8601 with a zone; None where neither is given.

    Raises:
        PersonError: something else, or both.
    """
    if body.get("ago_seconds") is not None:
        if body.get("date") is not None:
            raise PersonError(400, "give ago_seconds or date, not both")
        return now() - timedelta(seconds=number_in(body, "ago_seconds", default=0, largest=LONGEST_BACKDATE))
    value = body.get("date")
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.fromisoformat(value)
            if moment.tzinfo is None:
                raise PersonError(400, "date must say its zone, as in 2026-11-21T10:00:00Z")
            moment = moment.astimezone(UTC)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            moment = datetime.fromtimestamp(value, UTC)
        else:
            raise PersonError(400, "date must be Unix seconds or ISO 8601")
    except (ValueError, OverflowError, OSError):
        raise PersonError(400, "date must be Unix seconds or ISO 8601") from None
    if moment.year not in YEARS:
        raise PersonError(400, "date must lie between 1971 and 2099")
    return moment
