"""Codes from an authenticator app (TOTP, RFC 6238): a second hand on what a stolen chat must not be able to do.

The secrets stand in the database, encrypted with a key that is made from the bot's token: whoever has only one of the
two can make no code. A code works once; after five wrong ones in a row none is looked at any more, until somebody at
the machine says `tradehook-bot totp reset USER`.
"""

from __future__ import annotations

import base64
import hmac
import io
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

import pyotp
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from sqlalchemy import delete, insert, select, update

from tradehook.desk.schema import reading, writing
from tradehook.errors import GuardRefused, InvalidInput
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import TOTP

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_bot.store import Store

STEP_SECONDS = 30
TRIES = 5
ENROL_WITHIN = timedelta(minutes=10)
"""How long the picture may be used; then a new one has to be asked for."""
ALLOWED_MINUTES = 10
_WORD_LETTERS = 12
_STEPS_OFF = (0, -1, 1)
"""A phone's clock may be a step off."""
RESET = "Somebody at the machine can lift that: tradehook-bot totp reset"


class Verdict(StrEnum):
    """What a code was worth."""

    RIGHT = "right"
    FIRST = "first"
    """Right, and the first of all: the app is set up now."""
    WRONG = "wrong"
    USED = "used"
    """It was right once, and has been used."""
    LOCKED = "locked"
    NONE = "none"
    """This person has set up no app, or too long ago and without a first code."""
    UNREADABLE = "unreadable"
    """The bot has another token than when the app was set up."""


@dataclass(frozen=True, slots=True)
class Enrolment:
    """What an authenticator app has to be told, once."""

    secret: str = field(repr=False)
    uri: str = field(repr=False)

    def picture(self) -> bytes:
        """The same as a QR code, a PNG."""
        import segno

        drawn = io.BytesIO()
        segno.make(self.uri, micro=False, error="m").save(drawn, kind="png", scale=8, border=4)
        return drawn.getvalue()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where somebody stands with their app."""

    is_proved: bool
    is_locked: bool
    tries_left: int
    message_id: int | None
    """The message with the picture, while it is to be taken away."""


class Totp:
    """The people's apps of one bot. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store, *, token: str) -> None:
        """Look at this bot's rows, with a key made from its token."""
        self._store = store
        self._mine = TOTP.c.bot_id == store.bot_id
        self._box = Fernet(base64.urlsafe_b64encode(_key(token, b"tradehook-bot totp")))
        self._word_key = _key(token, b"tradehook-bot totp allow")

    def allowing_word(self, user_id: int, *, at: datetime | None = None) -> str:
        """What somebody at the machine gives this person, so that they may set up an app; good for ten minutes."""
        return self._word(user_id, minute=int((at or now()).timestamp()) // 60)

    def is_allowed(self, user_id: int, word: str, *, at: datetime | None = None) -> bool:
        """Whether this is such a word, of this person and not too old."""
        minute = int((at or now()).timestamp()) // 60
        typed = word.strip().lower().encode(errors="replace")
        good = (self._word(user_id, minute=minute - ago) for ago in range(ALLOWED_MINUTES + 1))
        return any(hmac.compare_digest(each.encode(), typed) for each in good)

    def _word(self, user_id: int, *, minute: int) -> str:
        digest = hmac.digest(self._word_key, f"{user_id}:{minute}".encode(), "sha256")
        return base64.b32encode(digest)[:_WORD_LETTERS].decode().lower()

    def enrol(self, user_id: int, *, label: str, at: datetime | None = None) -> Enrolment:
        """A fresh secret for this person's app; it counts once a first code was right.

        Raises:
            InvalidInput: one is set up already.
        """
        secret = pyotp.random_base32()
        here = self._mine & (TOTP.c.user_id == user_id)
        with writing(self._store.engine) as connection:
            row = connection.execute(select(TOTP.c.proved_at).where(here)).one_or_none()
            if row is not None and row.proved_at is not None:
                raise InvalidInput(
                    f"An authenticator app is set up for you already. {RESET} {user_id}", needs_example=False
                )
            connection.execute(delete(TOTP).where(here))
            connection.execute(
                insert(TOTP).values(
                    bot_id=self._store.bot_id,
                    user_id=user_id,
                    secret=self._box.encrypt(secret.encode()).decode(),
                    last_step=0,
                    wrong=0,
                    made_at=stamp(at or now()),
                )
            )
        uri = pyotp.TOTP(secret).provisioning_uri(name=label, issuer_name="tradehook")
        return Enrolment(secret=secret, uri=uri)

    def shown_in(self, user_id: int, message_id: int) -> None:
        """The picture stands in this message, which is to be taken away."""
        with writing(self._store.engine) as connection:
            connection.execute(update(TOTP).where(self._mine, TOTP.c.user_id == user_id).values(message_id=message_id))

    def standing(self, user_id: int, *, at: datetime | None = None) -> Standing | None:
        """Where this person stands; `None` when no app is set up and none is about to be."""
        with reading(self._store.engine) as connection:
            row = connection.execute(select(TOTP).where(self._mine, TOTP.c.user_id == user_id)).one_or_none()
        if row is None or (row.proved_at is None and _is_over(row.made_at, at or now())):
            return None
        return Standing(
            is_proved=row.proved_at is not None,
            is_locked=row.wrong >= TRIES,
            tries_left=max(TRIES - row.wrong, 0),
            message_id=row.message_id,
        )

    def check_ready(self, user_id: int, *, what: str) -> None:
        """Refuse what needs a code from somebody who can give none.

        Raises:
            GuardRefused: `rule` is `code`.
        """
        found = self.standing(user_id)
        if found is None or not found.is_proved:
            raise GuardRefused(
                f"{what} needs a code from your authenticator app, and none is set up. Nothing was asked or sent. "
                "/totp sets one up.",
                rule="code",
                actual="none set up",
            )
        if found.is_locked:
            raise GuardRefused(
                f"{what} needs a code, and codes are locked after {TRIES} wrong ones. {RESET} {user_id}",
                rule="code",
                actual="locked",
            )

    def check(self, user_id: int, code: str, *, at: datetime | None = None) -> Verdict:
        """What this code is worth. A right one is used up by this call; of two at once, one is right."""
        moment = at or now()
        here = self._mine & (TOTP.c.user_id == user_id)
        with writing(self._store.engine) as connection:
            row = connection.execute(select(TOTP).where(here).with_for_update()).one_or_none()
            if row is None or (row.proved_at is None and _is_over(row.made_at, moment)):
                return Verdict.NONE
            if row.wrong >= TRIES:
                return Verdict.LOCKED
            try:
                secret = self._box.decrypt(row.secret.encode()).decode()
            except InvalidToken:
                return Verdict.UNREADABLE
            step = _step_of(secret, code, at=moment)
            if step is None:
                connection.execute(update(TOTP).where(here).values(wrong=TOTP.c.wrong + 1))
                return Verdict.WRONG if row.wrong + 1 < TRIES else Verdict.LOCKED
            if step <= row.last_step:
                return Verdict.USED
            proved_at = row.proved_at or stamp(moment)
            connection.execute(update(TOTP).where(here).values(last_step=step, wrong=0, proved_at=proved_at))
        return Verdict.RIGHT if row.proved_at is not None else Verdict.FIRST

    def over(self, *, at: datetime | None = None) -> list[tuple[int, int]]:
        """People and messages whose picture may not be used any more but stands there still."""
        with reading(self._store.engine) as connection:
            rows = connection.execute(select(TOTP).where(self._mine, TOTP.c.message_id.is_not(None))).all()
        is_done = [row for row in rows if row.proved_at is not None or _is_over(row.made_at, at or now())]
        return [(row.user_id, row.message_id) for row in is_done]

    def taken_away(self, user_id: int) -> None:
        """The picture is gone."""
        with writing(self._store.engine) as connection:
            connection.execute(update(TOTP).where(self._mine, TOTP.c.user_id == user_id).values(message_id=None))

    def reset(self, user_id: int) -> bool:
        """This person's app is forgotten, locked or not; whether there was one."""
        with writing(self._store.engine) as connection:
            done = connection.execute(delete(TOTP).where(self._mine, TOTP.c.user_id == user_id))
        return done.rowcount == 1


def _key(token: str, purpose: bytes) -> bytes:
    """A key of its own for each purpose, made from the bot's token."""
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose).derive(token.encode())


def _step_of(secret: str, code: str, *, at: datetime) -> int | None:
    """The step of time that this is the code of, if it is one of now."""
    current = int(at.timestamp()) // STEP_SECONDS
    maker = pyotp.HOTP(secret)
    found = [current + off for off in _STEPS_OFF if hmac.compare_digest(maker.at(current + off), code)]
    return max(found, default=None)


def _is_over(made_at: str, at: datetime) -> bool:
    return at - read_stamp(made_at) > ENROL_WITHIN
