"""`name=value` as people type it, to the values that a DAG's parameters take."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from tradehook.errors import InvalidInput
from tradehook.wire import decode_json
from tradehook_bot.airflow import exact_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook_bot.airflow.dags import Dag, Param

_LONGEST = 1000
_INTEGER = re.compile(r"[+-]?\d{1,18}", re.ASCII)
_YES, _NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_STRAIGHT = str.maketrans(dict.fromkeys("“”„", '"'))
"""What phones make of quotes."""


def read_conf(dag: Dag, words: Sequence[str]) -> Mapping[str, Any]:
    """What was typed after a DAG's name, typed as its parameters are. A value may hold spaces.

    Raises:
        InvalidInput: a name is not one of its parameters, or a value cannot be one of its.
    """
    params = {param.name: param for param in dag.params}
    typed: dict[str, str] = {}
    current = ""
    for word in words:
        name, sign, value = word.partition("=")
        if sign and name in params:
            if name in typed:
                raise InvalidInput(f"{name} is there twice.", needs_example=False)
            current, typed[name] = name, value
        elif current and not (sign and name.isidentifier() and not _is_inside(typed[current])):
            typed[current] += f" {word}"
        else:
            raise _unknown(dag, name if sign else word)
    return {name: _value(params[name], value.strip()) for name, value in typed.items()}


def shown(value: object) -> str:
    """A value as it is said: text as it is, the rest as JSON."""
    if isinstance(value, str):
        return value
    try:
        return exact_json.write(value)
    except ValueError:
        return str(value)


def _is_inside(value: str) -> bool:
    """Whether a value is JSON that has not come to its end."""
    straight = value.translate(_STRAIGHT)
    return straight.lstrip()[:1] in ("{", "[") and straight.count("{") + straight.count("[") > straight.count(
        "}"
    ) + straight.count("]")


def _unknown(dag: Dag, name: str) -> InvalidInput:
    names = [param.name for param in dag.params]
    if not names:
        return InvalidInput(f"{dag.dag_id} takes no parameters.", suggestions=(f"/run {dag.dag_id}",))
    close = get_close_matches(name, names, n=1, cutoff=0.6)
    hint = f"Did you mean {close[0]}?" if close else f"It takes {', '.join(names[:20])}."
    return InvalidInput(f"{name[:40]!r} is no parameter of {dag.dag_id}. {hint} Write name=value.", needs_example=False)


def _value(param: Param, typed: str) -> Any:
    if len(typed) > _LONGEST:
        raise _no(param, f"has more than {_LONGEST} characters")
    if param.choices:
        return _chosen(param, typed)
    if typed.lower() in ("null", "none", "") and "null" in param.kinds:
        return None
    if "string" in param.kinds:
        return typed
    tries = {"boolean": _boolean, "integer": _integer, "number": _number, "array": _array, "object": _object}
    for kind, read in tries.items():
        if kind in param.kinds:
            found = read(param, typed)
            if found is not None:
                return found
    kinds = " or ".join(kind for kind in param.kinds if kind != "null") or "something else"
    raise _no(param, f"should be {kinds}, not {typed[:60]!r}")


def _chosen(param: Param, typed: str) -> Any:
    for choice in param.choices:
        if shown(choice).lower() == typed.lower():
            return choice
    raise _no(param, f"should be one of {', '.join(shown(each) for each in param.choices[:20])}")


def _boolean(_param: Param, typed: str) -> bool | None:
    word = typed.lower()
    return True if word in _YES else False if word in _NO else None


def _integer(_param: Param, typed: str) -> int | None:
    return int(typed) if _INTEGER.fullmatch(typed) else None


def _number(param: Param, typed: str) -> int | Decimal | None:
    if _INTEGER.fullmatch(typed):
        return int(typed)
    try:
        value = Decimal(typed)
    except InvalidOperation:
        return None
    _check_sendable(value, param)
    return value


def _array(param: Param, typed: str) -> list[Any] | None:
    found = (
        _json(param, typed) if typed.startswith("[") else [each.strip() for each in typed.split(",") if each.strip()]
    )
    return found if isinstance(found, list) else None


def _object(param: Param, typed: str) -> dict[str, Any] | None:
    found = _json(param, typed)
    return found if isinstance(found, dict) else None


def _json(param: Param, typed: str) -> Any:
    try:
        found = decode_json(typed.translate(_STRAIGHT).encode())
    except (ValueError, ArithmeticError):
        raise _no(param, f"is no JSON: {typed[:60]}") from None
    _check_sendable(found, param)
    return found


def _check_sendable(value: Any, param: Param) -> None:
    """Refuse what cannot be sent as it was typed."""
    try:
        exact_json.write(value)
    except ValueError:
        raise _no(param, "has a number that I cannot send") from None


def _no(param: Param, why: str) -> InvalidInput:
    return InvalidInput(f"{param.name} {why}.", needs_example=False)
