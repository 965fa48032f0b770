"""Buttons: made in one place, read in one place. The data is a verb and a random token, never a meaning.

The one exception moves no money: a button that chooses an account holds its name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LONGEST_DATA = 64
"""Bytes that Telegram takes; python-telegram-bot does not check."""
_CONFIRM, _DECLINE, _ACCOUNT, _ALERT = "y", "n", "a", "x"
LONGEST_NUMBER = 9
FREEZE = "z:freeze"
"""Whoever may use the bot may freeze, so this one needs no token."""
_DATA = re.compile(r"([yn]):([\w-]{22})|([ax]):([\w-]{1,40})", re.ASCII)

Verb = Literal["confirm", "decline", "account", "freeze", "alert"]


class Press(NamedTuple):
    """What a button says."""

    verb: Verb
    token: str
    """Of a question; for `account`, the account's name; for `alert`, its number."""


def question(token: str, *, deed: str, no: str = "Cancel") -> InlineKeyboardMarkup:
    """Cancel on a row of its own, first; below it the button that names the deed."""
    return InlineKeyboardMarkup(
        [
            [_button(no, f"{_DECLINE}:{token}")],
            [_button(deed, f"{_CONFIRM}:{token}", style="primary")],
        ]
    )


def only_no(token: str) -> InlineKeyboardMarkup:
    """Below a question that waits for a code: it can still be left."""
    return InlineKeyboardMarkup([[_button("Cancel", f"{_DECLINE}:{token}")]])


def accounts(titles: Mapping[str, str]) -> InlineKeyboardMarkup:
    """A button for each account, by name, with what it is called and where it is."""
    return InlineKeyboardMarkup([[_button(title, f"{_ACCOUNT}:{name}")] for name, title in titles.items()])


def alerts(titles: Mapping[int, str]) -> InlineKeyboardMarkup:
    """A button for each price alert, by number, that ends it."""
    return InlineKeyboardMarkup([[_button(title, f"{_ALERT}:{number}")] for number, title in titles.items()])


def choices(labels: Sequence[tuple[str, str]]) -> InlineKeyboardMarkup:
    """A button for each answer to a question that has several: its label, and the token of a question of its own."""
    return InlineKeyboardMarkup([[_button(label, f"{_CONFIRM}:{token}")] for label, token in labels])


def not_me() -> InlineKeyboardMarkup:
    """Below what is told of money that moved: one tap stops everything."""
    return InlineKeyboardMarkup([[_button("Not me: freeze", FREEZE, style="danger")]])


def read(data: object) -> Press | None:
    """The press, or `None` when no keyboard of ours can have had this data: clients can send anything."""
    if data == FREEZE:
        return Press("freeze", "")
    found = _DATA.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        return None
    if found[3] is not None:
        if found[3] == _ACCOUNT:
            return Press("account", found[4])
        return Press("alert", found[4]) if found[4].isdigit() and len(found[4]) <= LONGEST_NUMBER else None
    return Press("confirm" if found[1] == _CONFIRM else "decline", found[2])


def _button(text: str, data: str, *, style: str | None = None) -> InlineKeyboardButton:
    if not 0 < len(data.encode()) <= LONGEST_DATA:
        raise ValueError(f"callback data of {len(data.encode())} bytes; Telegram takes 1 to {LONGEST_DATA}")
    return InlineKeyboardButton(text, callback_data=data, style=style)
