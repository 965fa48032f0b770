"""How people write amounts, read in one way everywhere: chat, command line, DAG parameters.

    0.01        base quantity             $250       worth 250 of the quote currency
    50%         of what is available      max        all of what is available

Amounts are strict: ASCII digits, one decimal point, no separators. `1,000` and `1.000` mean
different numbers to different people, so both readings are offered and neither is taken.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Literal

from tradehook.errors import InvalidInput

AmountKind = Literal["base", "quote", "percent", "max"]

_NUMBER = re.compile(r"(?:\d{1,18}(?:\.\d{1,18})?|\.\d{1,18})", re.ASCII)
_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+", re.ASCII)
_OF_GROUP = 3
_LARGEST = Decimal(10) ** 18
_DURATION = re.compile(r"(\d{1,4})([smhdw])", re.ASCII)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_SYMBOL = re.compile(r"[A-Z][A-Z0-9]{0,14}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount as somebody wrote it. `value` is a quantity, a percentage, or 0 for `max`."""

    kind: AmountKind
    value: Decimal

    def __post_init__(self) -> None:
        """Raises `InvalidInput` for what no amount can be, wherever it comes from."""
        is_share = self.kind == "percent"
        if self.kind != "max" and not (self.value.is_finite() and 0 < self.value <= (100 if is_share else _LARGEST)):
            raise InvalidInput(f"{self.value} is not an amount: it must be more than 0{', at most 100' * is_share}.")

    @classmethod
    def base(cls, quantity: Decimal | str) -> Amount:
        """So much of the base asset."""
        return cls("base", Decimal(quantity))

    @classmethod
    def quote(cls, quantity: Decimal | str) -> Amount:
        """So much of the quote asset."""
        return cls("quote", Decimal(quantity))

    @property
    def depends_on_balance(self) -> bool:
        """Whether the quantity is known only once the balance is."""
        return self.kind in ("percent", "max")

    def __str__(self) -> str:
        """The canonical text: reading it again gives the same amount."""
        match self.kind:
            case "base":
                return _certain(self.value)
            case "quote":
                return f"${_certain(self.value)}"
            case "percent":
                return f"{_certain(self.value)}%"
            case "max":
                return "max"


def plain(value: Decimal) -> str:
    """A decimal without exponent and without trailing zeros."""
    text = f"{value:f}"
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text in ("-0", "") else text


def _certain(value: Decimal) -> str:
    """The same, with a fourth decimal place where three could be read as thousands: `290.8010`."""
    text = plain(value)
    return f"{text}0" if "." in text and _GROUPED.fullmatch(text) and not text.startswith("0") else text


def parse_amount(text: str, *, unit: Literal["base", "quote"] = "base") -> Amount:
    """Read one amount; a bare number is in `unit`.

    Raises:
        InvalidInput: it is not an amount, is ambiguous, or is zero. `suggestions` says what to type.
    """
    word = text.strip()
    if word.lower() == "max":
        return Amount("max", Decimal(0))
    if word.endswith("%"):
        value = parse_decimal(word[:-1], what="percentage")
        if value > 100:
            raise InvalidInput(f"{word} is more than everything: a percentage goes up to 100%.", suggestions=("100%",))
        return Amount("percent", value)
    if word.startswith("$"):
        return Amount("quote", parse_decimal(word[1:], what="amount", prefix="$"))
    return Amount(unit, parse_decimal(word, what="amount"))


def parse_decimal(text: str, *, what: str = "number", prefix: str = "") -> Decimal:
    """Read a positive decimal strictly.

    Raises:
        InvalidInput: anything else, `1,000` and `1.000` included (both readings are offered).
    """
    word = text.strip()
    if "," in word or (_GROUPED.fullmatch(word) and not word.startswith("0")):
        raise _ambiguous(word, what=what, prefix=prefix)
    if not _NUMBER.fullmatch(word):
        shown = word[:40] + ("…" if len(word) > 40 else "")
        raise InvalidInput(
            f"{prefix}{shown!s} is not {_a(what)}: write digits with at most one point, like {prefix}0.25.",
            suggestions=(f"{prefix}0.25",),
        )
    value = Decimal(word)
    if value <= 0:
        raise InvalidInput(f"{prefix}{word} is zero: the {what} must be more than 0.")
    return value


def _ambiguous(word: str, *, what: str, prefix: str) -> InvalidInput:
    if not re.fullmatch(r"[\d.,]{1,40}", word, re.ASCII) or not any(mark.isdigit() for mark in word):
        return InvalidInput(f"{prefix}{word[:40]} is not {_a(what)}: write digits with at most one point.")
    readings: list[str] = []
    as_group = re.sub(r"[.,]", "", word)
    head, _, tail = word.rpartition(word[max(word.rfind("."), word.rfind(","))])
    head = re.sub(r"[.,]", "", head)
    has_one_mark = len(word) == len(as_group) + 1
    if _GROUPED.fullmatch(word) or (has_one_mark and head and tail and not as_group.startswith("0")):
        readings.append(as_group)
    if head or tail:
        # A fourth decimal place shows that the point is meant as a point.
        readings.append(f"{head or '0'}.{f'{tail}0' if len(tail) == _OF_GROUP else tail or '0'}")
    offers = tuple(f"{prefix}{reading}" for reading in readings)
    return InvalidInput(
        f"{prefix}{word} can be read in more than one way. Write {' or '.join(offers)}.", suggestions=offers
    )


def parse_duration(text: str) -> timedelta:
    """Read `90s`, `30m`, `12h`, `7d` or `2w`.

    Raises:
        InvalidInput: it is none of these, or nothing at all.
    """
    found = _DURATION.fullmatch(text.strip())
    if found is None or not int(found[1]):
        raise InvalidInput(f"{text.strip()[:40]!r} is no length of time: write 30m, 12h or 7d.", suggestions=("7d",))
    return timedelta(seconds=int(found[1]) * _SECONDS[found[2]])


def parse_symbol(text: str) -> str:
    """Read an asset symbol, upper-cased.

    Raises:
        InvalidInput: it is not letters and digits of ASCII, at most 15.
    """
    word = text.strip().upper()
    if not _SYMBOL.fullmatch(word):
        raise InvalidInput(f"{text.strip()[:40]!r} is not an asset symbol: write one like BTC.")
    return word


def parse_market(text: str, *, default_quote: str | None = None) -> tuple[str, str]:
    """Read `BTC/PYUSD` (or `BTC-PYUSD`) into base and quote; a bare `BTC` takes the default quote.

    Raises:
        InvalidInput: it is not a market name.
    """
    parts = re.split(r"[/\-]", text.strip())
    if len(parts) == 1 and default_quote:
        parts.append(default_quote)
    if len(parts) != 2 or not all(parts):
        raise InvalidInput(
            f"{text.strip()[:40]!r} is not a market: write it like BTC/PYUSD.", suggestions=("BTC/PYUSD",)
        )
    base, quote = parse_symbol(parts[0]), parse_symbol(parts[1])
    if base == quote:
        raise InvalidInput(f"{base}/{quote} is not a market: the two assets are the same.")
    return base, quote


def parse_asset_amount(words: list[str]) -> tuple[str, Amount]:
    """Read `BTC 0.01`, `0.01 BTC`, `BTC $250`, `50% BTC` or `BTC max` into market text and amount.

    Raises:
        InvalidInput: there are not exactly two words, or neither order makes sense.
    """
    if len(words) != 2:
        raise InvalidInput(
            "Write an asset and an amount, like BTC 0.01, BTC $250 or BTC 50%.", suggestions=("BTC 0.01", "BTC $250")
        )
    first, second = words
    if _looks_like_amount(first) and not _looks_like_amount(second):
        first, second = second, first
    if _looks_like_amount(first):
        raise InvalidInput(f"Which asset? Write it like BTC {second[:40]}.", suggestions=(f"BTC {second[:40]}",))
    return first, parse_amount(second)


def _looks_like_amount(word: str) -> bool:
    return word.lower() == "max" or (word[:1] in "$.,-+" or word[:1].isdigit()) or word.endswith("%")


def _a(what: str) -> str:
    return f"{'an' if what[0] in 'aeiou' else 'a'} {what}"
