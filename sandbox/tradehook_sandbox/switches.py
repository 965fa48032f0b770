"""A switch: one point on which an emulator can behave in more than one way. Read from a dataclass of annotated fields.

Knows nothing of exchanges, nor of what a switch does.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any, Literal, NamedTuple, get_args, get_origin, get_type_hints


class Says(NamedTuple):
    """What a switch means, and the range of a number."""

    text: str
    low: float | None = None
    high: float | None = None


class Switch(NamedTuple):
    """One field of a dataclass of rules, as a program can look at it."""

    name: str
    kind: Any
    says: Says
    default: object
    prefix: str = ""
    """What stands before its name where switches of several exchanges meet."""

    @property
    def full_name(self) -> str:
        """Its name among the switches of all exchanges."""
        return self.prefix + self.name

    @property
    def choices(self) -> tuple[object, ...]:
        """The words it can be set to; none for a number or a truth value."""
        return get_args(self.kind) if get_origin(self.kind) is Literal else ()

    def check(self, value: object) -> None:
        """Raises `ValueError` unless the switch can be set to this."""
        if self.choices:
            if value not in self.choices:
                raise ValueError(f"{self.full_name} must be one of {', '.join(map(str, self.choices))}, not {value!r}")
        elif self.kind is bool:
            if not isinstance(value, bool):
                raise ValueError(f"{self.full_name} must be True or False, not {value!r}")
        elif (
            isinstance(value, bool)
            or not isinstance(value, (int, float) if self.kind is float else int)
            or not (self.says.low or 0) <= value <= (self.says.high or 0)
        ):
            raise ValueError(
                f"{self.full_name} must be a number from {self.says.low} to {self.says.high}, not {value!r}"
            )


def read_switches(rules: type[Any], *, prefix: str = "") -> tuple[Switch, ...]:
    """The switches that the fields of this dataclass are, in their order."""
    hints = get_type_hints(rules, include_extras=True)
    found = []
    for field in fields(rules):
        kind, says = get_args(hints[field.name])
        found.append(Switch(field.name, kind, says, field.default, prefix))
    return tuple(found)
