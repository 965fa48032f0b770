"""One admin request, and how its body is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from tradehook_sandbox.true_markets.calls import Refusal, require, shown

if TYPE_CHECKING:
    from collections.abc import Mapping
    from decimal import Decimal

    from tradehook_sandbox.sandbox import Sandbox
    from tradehook_sandbox.true_markets.calls import Call


class Errand(NamedTuple):
    """One admin request."""

    sandbox: Sandbox
    call: Call
    rest: str
    """What follows the endpoint's name in the path."""

    def content(self, *known: str) -> dict[str, Any]:
        """The body, with nothing in it but these fields: a misspelt one must not pass in silence.

        Raises:
            Refusal: 400.
        """
        content = self.call.content()
        if unknown := [name for name in content if name not in known]:
            raise Refusal(400, f"unknown field {shown(unknown[0])}: expected some of {', '.join(known)}")
        return content


def truth_field(content: Mapping[str, Any], name: str) -> bool:
    """A field that must be true or false.

    Raises:
        Refusal: 400.
    """
    value = content[name]
    if not isinstance(value, bool):
        raise Refusal(400, f"{name} must be true or false")
    return value


def whole_field(content: Mapping[str, Any], name: str, low: int, high: int) -> int:
    """A field that must be a whole number in this range.

    Raises:
        Refusal: 400.
    """
    require(content, name)
    value = content[name]
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise Refusal(400, f"{name} must be a whole number from {low} to {high}")
    return value


def probability_field(content: Mapping[str, Any], name: str) -> float:
    """A field that must be a number from 0 to 1.

    Raises:
        Refusal: 400.
    """
    value: int | float | Decimal = content[name]
    is_number = not isinstance(value, bool | str | list | dict) and value is not None
    if not is_number or not 0 <= value <= 1:
        raise Refusal(400, f"{name} must be a number from 0 to 1")
    return float(value)


def seconds_field(content: Mapping[str, Any], name: str, low: float, high: float) -> float:
    """A field that must be a number of seconds in this range.

    Raises:
        Refusal: 400.
    """
    value: int | float | Decimal = content[name]
    is_number = not isinstance(value, bool | str | list | dict) and value is not None
    if not is_number or not low <= value <= high:
        raise Refusal(400, f"{name} must be a number of seconds from {low:g} to {high:g}")
    return float(value)
