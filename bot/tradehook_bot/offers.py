"""Buttons that type a command for whoever presses them: what was perhaps meant, where a name did not tell.

The data is the command itself, since none of these does more than look, or ask before it does anything. What does not
fit into a button has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARK = "c:"
_LONGEST_DATA = 64
TYPED = ("quote", "price", "buy", "sell", "portfolio", "history")
"""The commands that a button may type: they look, or they ask. A press that somebody makes up can do no more."""


class Offer(NamedTuple):
    """One of them."""

    label: str
    command: str


def keyboard(offers: Sequence[Offer]) -> InlineKeyboardMarkup | None:
    """A button on a row of its own for each; none where there is nothing to offer."""
    rows = [
        [InlineKeyboardButton(offer.label, callback_data=f"{_MARK}{offer.command}")]
        for offer in offers
        if len(f"{_MARK}{offer.command}".encode()) <= _LONGEST_DATA
    ]
    return InlineKeyboardMarkup(rows) if rows else None


def read(data: object) -> str | None:
    """The command that a press types; `None` for data that no such button has."""
    if not isinstance(data, str) or not data.startswith(f"{_MARK}/"):
        return None
    command = data.removeprefix(_MARK)
    name = command[1:].partition(" ")[0]
    return command if name in TYPED else None
