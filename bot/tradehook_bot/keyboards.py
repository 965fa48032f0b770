"""Buttons: made in one place, read in one place. The data is a verb and a random token, never a meaning.

The one exception moves no money: a button that chooses an account holds its name.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST_DATA = 64
"""Bytes that Telegram takes; python-telegram-bot does not check."""
_CONFIRM, _DECLINE, _ACCOUNT = "y", "n", "a"
_DATA = re.compile(r"([yn]):([\w-]{22})|(a):([\w-]{1,40})", re.ASCII)

Verb = Literal["confirm", "decline", "account"]


class Press(NamedTuple):
    """What a button says."""

    verb: Verb
    token: str
    """Of a question; for `account`, the account's name."""


def question(token: str, *, deed: str) -> InlineKeyboardMarkup:
    """Cancel on a row of its own, first; below it the button that names the deed."""
    return InlineKeyboardMarkup(
        [
            [_button("Cancel", f"{_DECLINE}:{token}")],
            [_button(deed, f"{_CONFIRM}:{token}", style="primary")],
        ]
    )


def accounts(titles: Mapping[str, str]) -> InlineKeyboardMarkup:
    """A button for each account, by name, with what it is called and where it is."""
    return InlineKeyboardMarkup([[_button(title, f"{_ACCOUNT}:{name}")] for name, title in titles.items()])


def read(data: object) -> Press | None:
    """The press, or `None` when no keyboard of ours can have had this data: clients can send anything."""
    found = _DATA.fullmatch(data) if isinstance(data, str) else None
    if found is None:
        return None
    if found[3] is not None:
        return Press("account", found[4])
    return Press("confirm" if found[1] == _CONFIRM else "decline", found[2])


def _button(text: str, data: str, *, style: str | None = None) -> InlineKeyboardButton:
    if not 0 < len(data.encode()) <= LONGEST_DATA:
        raise ValueError(f"callback data of {len(data.encode())} bytes; Telegram takes 1 to {LONGEST_DATA}")
    return InlineKeyboardButton(text, callback_data=data, style=style)
