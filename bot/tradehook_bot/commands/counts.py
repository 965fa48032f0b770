"""How many of something a person asked to see: `/history 20`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_count(words: Sequence[str], *, command: str, usual: int, most: int) -> int:
    """The number that was typed, or the usual one.

    Raises:
        InvalidInput: it is no number, or more than fits.
    """
    if not words:
        return usual
    word = words[0]
    if len(words) > 1 or not (word.isascii() and word.isdigit() and 0 < int(word[:6]) <= most):
        raise InvalidInput(f"How many? Write a number from 1 to {most}.", suggestions=(f"/{command} {usual}",))
    return int(word)
