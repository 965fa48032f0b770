"""Times as a chat reads them: in its own zone, with the zone's name. UTC until somebody says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from tradehook import render
from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from datetime import tzinfo

_LONGEST = 64
_OFFERED = 3


def read_zone(typed: str) -> str:
    """The zone's name as the database of zones writes it. The last part alone is enough where only one has it.

    Raises:
        InvalidInput: there is none; `suggestions` are commands with what was perhaps meant.
    """
    word = typed.strip()[:_LONGEST].replace(" ", "_")
    by_lower = _zones()
    found = by_lower.get(word.lower(), ())
    if len(found) == 1:
        return found[0]
    meant = found or _close(word.lower(), by_lower)
    hint = "Did you mean one of these?" if meant else "Write one like Europe/Berlin."
    offers = tuple(f"/timezone {name}" for name in meant[:_OFFERED]) or ("/timezone Europe/Berlin", "/timezone UTC")
    raise InvalidInput(f"{typed[:40]!r} is no time zone I know. {hint}", suggestions=offers)


def zone_of(name: str | None) -> tzinfo:
    """The zone of a stored name; UTC where there is none, or where this machine does not know it any more."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def clock(at: datetime, zone: tzinfo) -> str:
    """A time of day as the chat reads it: `15:03:22 CET`."""
    return render.clock(at.astimezone(zone))


def moment(at: datetime, zone: tzinfo, *, today: datetime | None = None) -> str:
    """The same with its date, unless that is today: `11-20 15:03 CET`, `15:03 CET`."""
    local = at.astimezone(zone)
    day = "" if local.date() == (today or datetime.now(UTC)).astimezone(zone).date() else f"{local:%m-%d} "
    return f"{day}{local:%H:%M} {local.tzname() or 'UTC'}"


def day_and_clock(at: datetime, zone: tzinfo) -> str:
    """A whole moment, for what may be long ago or far ahead: `2026-11-21 15:03:22 CET`."""
    local = at.astimezone(zone)
    return f"{local:%Y-%m-%d} {render.clock(local)}"


@lru_cache(maxsize=1)
def _zones() -> dict[str, tuple[str, ...]]:
    """Every way to write a zone, in small letters, to the zones it may mean."""
    names = sorted(
        name for name in available_timezones() if not name.startswith(("posix/", "right/", "Etc/", "SystemV/"))
    )
    found: dict[str, tuple[str, ...]] = {}
    for name in names:
        city = name.rpartition("/")[2].lower()
        found[city] = (*found.get(city, ()), name)
    # A whole name means itself, whatever ends like it.
    return found | {name.lower(): (name,) for name in (*names, "UTC")}


def _close(word: str, by_lower: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    close = get_close_matches(word, by_lower, n=_OFFERED, cutoff=0.7)
    return tuple(dict.fromkeys(name for key in close for name in by_lower[key]))
