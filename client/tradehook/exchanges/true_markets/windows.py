"""How True Markets writes lengths of time: `5s`, `5m`, `1h`, `7d`, `1M`. Checked before anything is sent.

`M` is a month and `m` a minute; nothing longer than 365 days was ever seen answered. See: truemarkets-api 14.
"""

from __future__ import annotations

import re
from typing import Final

from tradehook.errors import InvalidInput

_LENGTH: Final = re.compile(r"([1-9]\d{0,3})([smhdM])", re.ASCII)
_SECONDS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "M": 30 * 86_400}
_LONGEST_SECONDS: Final = 365 * 86_400
MOST_POINTS: Final = 3_000
"""More in one answer was never seen, and nobody looks at more."""
_FEW_POINTS: Final = 300
RESOLUTIONS: Final = ("5s", "1m", "5m", "1h", "1d")
"""Those that were seen answered."""
_EXAMPLES: Final = ("1h", "24h", "7d", "1M")
_WORDS: Final = {
    "min": "m", "mins": "m", "minute": "m", "minutes": "m", "mo": "M", "mon": "M", "month": "M", "months": "M",
    "sec": "s", "second": "s", "seconds": "s", "hr": "h", "hour": "h", "hours": "h", "day": "d", "days": "d",
}  # fmt: skip
_MULTIPLES: Final = {"w": (7, "d"), "week": (7, "d"), "weeks": (7, "d"), "y": (365, "d"), "year": (365, "d")}


def check_window(text: str) -> str:
    """The window as it is sent.

    Raises:
        InvalidInput: it is none, or longer than a year; `suggestions` says what to type.
    """
    word = text.strip()
    if _seconds(word, what="window") > _LONGEST_SECONDS:
        raise InvalidInput(f"{word} is too long: prices go back 365d at most.", suggestions=("365d",))
    return word


def check_resolution(text: str | None, *, window: str) -> str:
    """The resolution as it is sent; without one, the finest of those that were seen which gives a few hundred points.

    Raises:
        InvalidInput: it is none, is longer than the window, or would give thousands of points.
    """
    whole = _seconds(window, what="window")
    if text is None:
        fitting = (step for step in RESOLUTIONS if whole // _seconds(step, what="resolution") <= _FEW_POINTS)
        return next(fitting, RESOLUTIONS[-1])
    word = text.strip()
    seconds = _seconds(word, what="resolution")
    if seconds > whole:
        if window.endswith("m"):
            month = f"{window[:-1]}M"
            raise InvalidInput(
                f"{window} means minutes, which is shorter than {word}. Months are written {month}.",
                suggestions=(month,),
            )
        raise InvalidInput(
            f"A resolution of {word} is longer than the window of {window}.", suggestions=(check_window(window),)
        )
    if whole // seconds > MOST_POINTS:
        coarser = next(step for step in (*RESOLUTIONS, "1d") if whole // _seconds(step, what="") <= MOST_POINTS)
        raise InvalidInput(
            f"{word} is too fine for {window}: that would be {whole // seconds} points.", suggestions=(coarser,)
        )
    return word


def _seconds(word: str, *, what: str) -> int:
    match = _LENGTH.fullmatch(word)
    if match:
        return int(match[1]) * _SECONDS[match[2]]
    raise InvalidInput(
        f"{word[:20]!r} is not a {what}: write it like 5m (minutes), 1h, 7d or 1M (months).", suggestions=_meant(word)
    )


def _meant(word: str) -> tuple[str, ...]:
    """What somebody probably wanted to write."""
    parts = re.fullmatch(r"([1-9]\d{0,3}) ?([A-Za-z]{1,7})", word, re.ASCII)
    if parts is None:
        return _EXAMPLES
    count, unit = int(parts[1]), parts[2].lower()
    if unit in _MULTIPLES:
        times, unit = _MULTIPLES[unit]
        count *= times
    meant = f"{count}{_WORDS.get(unit, unit)}"
    if not _LENGTH.fullmatch(meant):
        return _EXAMPLES
    return (meant if count * _SECONDS[meant[-1]] <= _LONGEST_SECONDS else "365d",)
