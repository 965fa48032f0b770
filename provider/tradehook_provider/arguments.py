"""What templates leave of an operator's arguments, read strictly: a wrong guess here would be a wrong order."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.models import NewOrder
    from tradehook.transfers import NewTransfer

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9._-]*", re.ASCII)


def new_order(
    *,
    market: object,
    side: object,
    amount: object,
    price: object,
    chain: object,
    good_for: object = None,
    max_slippage: object = None,
    bounded: bool = False,
) -> NewOrder:
    """The order that rendered arguments stand for. Only `None` means "not given", never an empty text.

    Raises:
        InvalidInput: an argument cannot be meant.
    """
    from tradehook.amounts import parse_decimal, parse_duration
    from tradehook.models import NewOrder, typed_in

    limit = None if price is None else parse_decimal(as_text(price, what="price"), what="price")
    with typed_in():
        order = NewOrder.of(
            as_text(market, what="market"),
            side=as_text(side, what="side").lower(),
            amount=as_text(amount, what="amount"),
            price=limit,
            chain=None if chain is None else as_text(chain, what="chain"),
            good_for=None if good_for is None else parse_duration(as_text(good_for, what="good_for")),
            max_slippage=None
            if max_slippage is None
            else parse_decimal(as_text(max_slippage, what="slippage"), what="slippage"),
            bounded=bounded,
        )
    if order.price is not None and order.good_for is None:
        raise InvalidInput(
            "A limit order of a DAG says how long it may rest, so that it never meets the next run's: good_for='12h'.",
            suggestions=("good_for='12h'",),
        )
    return order


def new_transfer(*, asset: object, amount: object, destination: object, chain: object) -> NewTransfer:
    """The transfer that rendered arguments stand for. Only `None` means "not given", never an empty text.

    Raises:
        InvalidInput: an argument cannot be meant.
    """
    from tradehook.amounts import parse_amount
    from tradehook.models import typed_in
    from tradehook.transfers import NewTransfer

    with typed_in():
        return NewTransfer(
            asset=as_text(asset, what="asset"),
            amount=parse_amount(as_text(amount, what="amount")),
            to=as_text(destination, what="destination"),
            chain=None if chain is None else as_text(chain, what="chain").lower(),
        )


def as_text(value: object, *, what: str) -> str:
    """An argument as text. Whole numbers and decimals are taken as they are written.

    Raises:
        InvalidInput: it is a float (0.1 as a float is not 0.1), empty, or something else.
    """
    if isinstance(value, str) and value.strip():
        return value.strip()
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return f"{value:f}" if isinstance(value, Decimal) else str(value)
    if isinstance(value, float):
        raise InvalidInput(f"The {what} is a float; write it as text: '{value}'.", suggestions=(f"'{value}'",))
    raise InvalidInput(f"The {what} is missing, or is no text: {type(value).__name__}.")


def as_targets(value: object) -> Mapping[str, Any]:
    """Targets from a dict, or from JSON as `{{ params.targets | tojson }}` leaves it, decimals kept as written.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value, parse_float=Decimal)
        except (ValueError, RecursionError):
            raise InvalidInput(
                'The targets should be JSON like {"BTC": 60, "ETH": 30}; in a template, add | tojson.'
            ) from None
    if not isinstance(value, dict):
        raise InvalidInput('The targets should be a dict like {"BTC": "60", "ETH": "30"}.')
    return value


def as_name(value: object) -> str | None:
    """The name of a stored set of targets, plain or as `{{ params.targets | tojson }}` leaves it; else `None`."""
    if not isinstance(value, str):
        return None
    word = value.strip()
    if word[:1] == word[-1:] == '"':
        word = word[1:-1]
    return word if _NAME.fullmatch(word) and word != "None" else None


def as_names(value: object, *, what: str) -> list[str]:
    """Names from a list, or from JSON as `{{ params.accounts | tojson }}` leaves it; each once, at least one.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except (ValueError, RecursionError):
            value = None
    names = list(value) if isinstance(value, list | tuple) else []
    if not names or len(set(map(str, names))) < len(names) or not all(isinstance(name, str) and name for name in names):
        raise InvalidInput(
            f'{what} should be a list like ["main", "fin"], each name once; in a template, add | tojson.'
        )
    return names


def as_words(value: object, *, what: str) -> list[str]:
    """Words in small letters, from a list, from its JSON, or with commas between them; nothing at all gives none.

    Raises:
        InvalidInput: it is something else.
    """
    if value is None:
        return []
    if isinstance(value, str) and not value.lstrip().startswith("["):
        value = [word for word in value.split(",") if word.strip()]
    if isinstance(value, str):
        return as_words(as_names(value, what=what), what=what)
    if isinstance(value, list | tuple | set | frozenset):
        return [as_text(word, what=what).lower() for word in value]
    raise InvalidInput(f'The {what} should be words with commas between them, or a list like ["open", "filled"].')


def as_moment(value: object, *, what: str) -> datetime:
    """A moment in UTC: `24h` ago, `2026-11-01`, or a time as templates leave it; without a zone it is in UTC.

    Raises:
        InvalidInput: it is neither a time nor so long ago.
    """
    from tradehook.amounts import parse_duration

    if not isinstance(value, datetime):
        word = as_text(value, what=what)
        try:
            value = datetime.fromisoformat(word)
        except ValueError:
            try:
                return datetime.now(UTC) - parse_duration(word)
            except InvalidInput:
                raise InvalidInput(
                    f"{word[:40]!r} is not a time: write 24h, 7d, 2026-11-01 or 2026-11-01T12:30Z.",
                    suggestions=("24h", "7d"),
                ) from None
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def as_flag(value: object, *, what: str) -> bool:
    """True or False, also as the text a template makes of it; nothing else counts as either.

    Raises:
        InvalidInput: it is neither.
    """
    if isinstance(value, bool):
        return value
    word = value.strip().lower() if isinstance(value, str) else None
    if word in ("true", "false"):
        return word == "true"
    raise InvalidInput(f"{what} is {str(value)[:20]!r}; it can be True or False.")
