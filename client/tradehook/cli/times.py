"""How people write a moment in the past: `24h`, `7d`, `2026-11-01`, `2026-11-01T12:30Z`."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from tradehook.errors import InvalidInput

_AGO = re.compile(r"(\d{1,4})([smhdw])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def read_since(text: str, *, now: datetime | None = None) -> datetime:
    """The moment, aware UTC; a date or time without a zone is in UTC.

    Raises:
        InvalidInput: it is neither a time nor so long ago.
    """
    word = text.strip()
    now = now or datetime.now(UTC)
    if ago := _AGO.fullmatch(word):
        return now - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        at = datetime.fromisoformat(word)
        at = at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{word[:40]!r} is not a time: write 24h, 7d, 2026-11-01 or 2026-11-01T12:30Z.", suggestions=("24h", "7d")
        ) from None
    if at > now:
        raise InvalidInput(f"{word[:40]} has not come yet: write a time in the past, like 24h.", suggestions=("24h",))
    return at
