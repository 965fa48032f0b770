"""What records were like a while ago, for answers that are behind the times.

A record notes its state whenever that has changed, and forgets what was more than an hour ago. Knows nothing of what
the state means. See: truemarkets-api 10 (an order may surface late).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar, Final, Protocol, TypeVar

from tradehook_sandbox.clock import MICROS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from dataclasses import Field

_MEMORY_MICROS: Final = 3_600 * MICROS

States = list[tuple[int, tuple[Any, ...]]]
"""Since when a record has been in a state; oldest first."""


class Record(Protocol):
    """A dataclass that has a past."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]
    created_micros: int
    past: States


R = TypeVar("R", bound=Record)


def remember(record: Record, names: Sequence[str], at_micros: int) -> None:
    """From this moment on these fields of the record are as they are now."""
    now = tuple([getattr(record, name) for name in names])
    past = record.past
    # What was noted at this very moment, or before the clock was turned back, never was.
    while past and past[-1][0] >= at_micros:
        past.pop()
    if not past or past[-1][1] != now:
        past.append((at_micros, now))
    while len(past) > 1 and past[1][0] <= at_micros - _MEMORY_MICROS:
        del past[0]


def as_of(record: R, names: Sequence[str], at_micros: int) -> R | None:
    """The record as it was at this moment, to be shown only; `None` when it was not there yet."""
    if record.created_micros > at_micros:
        return None
    was = next((state for since, state in reversed(record.past) if since <= at_micros), None)
    return record if was is None else replace(record, **dict(zip(names, was, strict=True)))


def restored(content: Iterable[tuple[int, Sequence[Any]]]) -> States:
    """A past as JSON has kept it."""
    return [(int(since), tuple(state)) for since, state in content]
