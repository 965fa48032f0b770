"""The buttons under a doubt. They name it by a token that only this bot can make, and end nothing by themselves.

"It was placed" and "It was not" lead to a question, see `deeds/resolve.py`.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from typing import TYPE_CHECKING, NamedTuple

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from tradehook import render
from tradehook_bot import doubts
from tradehook_bot.keyboards import FREEZE

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook.desk.intents import Intent

EVIDENCE, PLACED, NOT_PLACED = "e", "p", "n"
_DATA = re.compile(r"d([epn]):([\w-]{22})", re.ASCII)
_MOST_CANDIDATES = 4


class DoubtPress(NamedTuple):
    """What such a button says."""

    verb: str
    token: str


def keyboard(intent: Intent, *, secret: str, at: datetime, shows_evidence: bool = False) -> InlineKeyboardMarkup:
    """The buttons of a doubt. What a person can say of it is offered only once that can be believed."""
    rows = []
    if not shows_evidence:
        rows.append([_button("Show evidence", EVIDENCE, intent, secret)])
    if doubts.is_over(intent, at=at):
        found = doubts.candidates(intent)[:_MOST_CANDIDATES]
        rows += [
            [_button(f"It was placed: {render.short_id(identity)}", PLACED, intent, secret, identity)]
            for identity in found
        ] or [[_button("It was placed", PLACED, intent, secret)]]
        rows.append([_button("It was not", NOT_PLACED, intent, secret)])
    rows.append([InlineKeyboardButton("Freeze", callback_data=FREEZE, style="danger")])
    return InlineKeyboardMarkup(rows)


def read(data: object) -> DoubtPress | None:
    """The press, or `None` for data that no such button has: clients can send anything."""
    found = _DATA.fullmatch(data) if isinstance(data, str) else None
    return DoubtPress(found[1], found[2]) if found is not None else None


def meant(press: DoubtPress, intent: Intent, *, secret: str) -> str | None:
    """The exchange's id that a press names for this doubt, empty when it names none; `None`: it is about another."""
    for identity in ("", *doubts.candidates(intent)):
        if hmac.compare_digest(press.token, _token(intent.intent_id, identity, secret=secret)):
            return identity
    return None


def _button(words: str, verb: str, intent: Intent, secret: str, identity: str = "") -> InlineKeyboardButton:
    data = f"d{verb}:{_token(intent.intent_id, identity, secret=secret)}"
    return InlineKeyboardButton(words, callback_data=data)


def _token(intent_id: str, identity: str, *, secret: str) -> str:
    """128 bits that nobody makes who does not have the bot's own token; the same after a restart."""
    digest = hmac.digest(secret.encode(), f"doubt\0{intent_id}\0{identity}".encode(), hashlib.sha256)
    return urlsafe_b64encode(digest[:16]).rstrip(b"=").decode()
