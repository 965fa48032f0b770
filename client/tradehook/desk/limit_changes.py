"""A change of an account's limits, in words: what was typed for one, what is different then, what allows more."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.desk.limits import Limits

WORDS: Mapping[str, str] = {
    "order": "one order",
    "day": "all orders of a day",
    "hour": "all orders of an hour",
    "orders_hour": "how many orders an hour",
    "in_flight": "how many under way at once",
    "unknowns": "how many in doubt at once",
    "transfer": "one transfer",
    "transfer_day": "all transfers of a day",
    "collar": "percent a price may be worse than the market",
    "fat_finger_percent": "percent of what is available, then it asks",
    "fat_finger_times": "times the usual order, then it asks",
    "destination_cool_off_hours": "hours until money goes to a new destination",
    "halt_after": "rejected or in doubt in a row, then it halts",
    "zone": "a day begins at midnight in",
}
"""Every limit that can be set, in words."""
_COUNTS = frozenset({"orders_hour", "in_flight", "unknowns", "destination_cool_off_hours", "halt_after"})
_MONEY = frozenset({"order", "day", "hour", "transfer", "transfer_day"})
_NONE = ("none", "off")


def made_of(before: Limits, wanted: Mapping[str, Any]) -> Limits:
    """The limits with some of them changed, checked. Raises `InvalidInput`."""
    from pydantic import ValidationError

    from tradehook.desk.limits import Limits  # brings the database, and `--help` needs none

    try:
        return Limits.model_validate({**before.model_dump(), **wanted})
    except ValidationError as error:
        first = error.errors()[0]
        name = str(first["loc"][0])
        raise InvalidInput(f"{option(name)} cannot be {amount(wanted.get(name))}: {first['msg'].lower()}.") from None


def read(name: str, text: str) -> Decimal | int | str | None:
    """What was typed for a limit. Raises `InvalidInput`."""
    from tradehook.amounts import parse_decimal

    word = text.strip()
    if name == "zone":
        return word
    if word.lower() in _NONE:
        return None
    if name in _COUNTS:
        if not word.isascii() or not word.isdigit() or len(word) > 9:
            raise InvalidInput(f"{option(name)} counts: write a whole number, or none.", suggestions=("3", "none"))
        return int(word)
    word = word.removeprefix("$") if name in _MONEY else word.removesuffix("%")
    if word in ("0", "0.0", "0.00"):
        return Decimal(0)
    return parse_decimal(word, what="limit")


def looser(before: Limits | None, after: Limits, *, is_live: bool) -> list[str]:
    """Which of the limits allow more than before. Without any before, a live account allowed nothing."""
    if before is None:
        return []
    return [
        name
        for name in WORDS
        if _room(before, name, is_live=is_live) != _room(after, name, is_live=is_live)
        and (name == "zone" or _room(after, name, is_live=is_live) > _room(before, name, is_live=is_live))
    ]


def _room(limits: Limits, name: str, *, is_live: bool) -> Any:
    """How much a limit allows, as something that can be compared."""
    value = getattr(limits, name)
    if name == "zone":
        return value
    if name == "destination_cool_off_hours":
        return -limits.cool_off_hours(is_live=is_live)
    if value is None:
        return Decimal(-1) if name == "transfer" and is_live else Decimal("Infinity")
    return value


def changes(before: Limits | None, after: Limits) -> list[str]:
    """What is different now, a line for each; without any before, what limits something, and what was taken off."""
    lines: list[str] = []
    for name, words in (("live", "live"), *WORDS.items()):
        new = getattr(after, name)
        if before is None:
            if new not in (None, False, "UTC") or new != type(after).model_fields[name].default:
                lines.append(f"{words}: {amount(new)}")
        elif getattr(before, name) != new:
            lines.append(f"{words}: {amount(getattr(before, name))} -> {amount(new)}")
    return lines


def amount(value: Any) -> str:
    """A limit in words."""
    from tradehook.amounts import plain

    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return plain(value) if isinstance(value, Decimal) else str(value)


def option(name: str) -> str:
    """The option that sets a limit."""
    return "--cool-off-hours" if name == "destination_cool_off_hours" else f"--{name.replace('_', '-')}"
