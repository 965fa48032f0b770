"""Who may use the bot: numeric ids in the database. Nobody else, and an empty list means nobody.

The first person comes in by a one-time code that `setup` prints on the machine itself. Names are kept only to be
shown to the owner: anybody can take a name.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from tradehook.desk.schema import writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import SEEN_UPDATE, SETUP_CODE, USER

if TYPE_CHECKING:
    from datetime import datetime

    from tradehook_bot.store import Store

OWNER = "owner"
CODE_FOR = timedelta(minutes=10)
CODE = re.compile(r"[\w-]{22}", re.ASCII)
UPDATES_KEPT_FOR = timedelta(days=7)
"""Telegram delivers an update again for a day at most."""


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the bot."""

    user_id: int
    role: str
    name: str
    is_reachable: bool


class Access:
    """The bot's people, setup codes and updates seen. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = USER.c.bot_id == store.bot_id
        self._my_codes = SETUP_CODE.c.bot_id == store.bot_id

    def user(self, user_id: int) -> User | None:
        """The person of this id, if they may use the bot."""
        query = select(USER).where(self._mine, USER.c.user_id == user_id)
        with self._store.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return User(row.user_id, row.role, row.name, row.is_reachable) if row is not None else None

    def users(self) -> list[User]:
        """Everybody who may use the bot, oldest first."""
        query = select(USER).where(self._mine).order_by(USER.c.added_at)
        with self._store.engine.connect() as connection:
            return [User(row.user_id, row.role, row.name, row.is_reachable) for row in connection.execute(query)]

    def set_reachable(self, user_id: int, *, is_reachable: bool) -> None:
        """Whether messages to this person arrive: they blocked the bot, or let it back in."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(USER).where(self._mine, USER.c.user_id == user_id).values(is_reachable=is_reachable)
            )

    # --- setup codes ----------------------------------------------------------------------------------------

    def make_code(self, *, at: datetime | None = None) -> str:
        """A fresh one-time code, valid for ten minutes. Codes made before are void."""
        code = secrets.token_urlsafe(16)
        made = at or now()
        with writing(self._store.engine) as connection:
            connection.execute(delete(SETUP_CODE).where(self._my_codes, SETUP_CODE.c.used_by.is_(None)))
            connection.execute(
                insert(SETUP_CODE).values(
                    code_hash=_hash(code),
                    bot_id=self._store.bot_id,
                    made_at=stamp(made),
                    expires_at=stamp(made + CODE_FOR),
                )
            )
        return code

    def claim(self, code: str, *, user_id: int, name: str, at: datetime | None = None) -> bool:
        """Whether the code was good, and its bearer is an owner now. Of two who come at once, one is."""
        if not CODE.fullmatch(code):
            return False
        good = (SETUP_CODE.c.code_hash == _hash(code)) & SETUP_CODE.c.used_by.is_(None)
        moment = stamp(at or now())
        with self._store.engine.connect() as connection:
            # A stranger who guesses must not make us write.
            if connection.execute(select(SETUP_CODE.c.bot_id).where(self._my_codes, good)).one_or_none() is None:
                return False
        with writing(self._store.engine) as connection:
            used = connection.execute(
                update(SETUP_CODE)
                .where(self._my_codes, good, SETUP_CODE.c.expires_at > moment)
                .values(used_by=user_id, used_at=moment)
            )
            if used.rowcount != 1:
                return False
            known = (USER.c.user_id == user_id) & self._mine
            fresh = {"role": OWNER, "name": name[:130], "is_reachable": True}
            if connection.execute(update(USER).where(known).values(fresh)).rowcount == 0:
                connection.execute(
                    insert(USER).values(bot_id=self._store.bot_id, user_id=user_id, added_at=moment, **fresh)
                )
        return True

    def claimed_by(self, code: str) -> int | None:
        """Who used this code, if somebody did."""
        query = select(SETUP_CODE.c.used_by).where(self._my_codes, SETUP_CODE.c.code_hash == _hash(code))
        with self._store.engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def has_open_code(self, *, at: datetime | None = None) -> bool:
        """Whether somebody could still become owner."""
        query = select(SETUP_CODE.c.code_hash).where(
            self._my_codes, SETUP_CODE.c.used_by.is_(None), SETUP_CODE.c.expires_at > stamp(at or now())
        )
        with self._store.engine.connect() as connection:
            return connection.execute(query).first() is not None

    # --- updates --------------------------------------------------------------------------------------------

    def is_first_time(self, update_id: int) -> bool:
        """Whether this update was not seen before; from now on it was. The second of two is told no.

        A table rather than the highest number: Telegram may start its numbers anew after a quiet week.
        """
        same = (SEEN_UPDATE.c.bot_id == self._store.bot_id) & (SEEN_UPDATE.c.update_id == update_id)
        # The lock is held from the transaction's first moment, so what is looked up here stays so until the insert.
        with writing(self._store.engine) as connection:
            if connection.execute(select(SEEN_UPDATE.c.seen_at).where(same)).one_or_none() is not None:
                return False
            connection.execute(
                insert(SEEN_UPDATE).values(bot_id=self._store.bot_id, update_id=update_id, seen_at=stamp(now()))
            )
        return True

    def forget_updates(self, *, at: datetime | None = None) -> None:
        """Updates seen long ago are forgotten; Telegram never repeats them."""
        before = stamp((at or now()) - UPDATES_KEPT_FOR)
        with writing(self._store.engine) as connection:
            connection.execute(
                delete(SEEN_UPDATE).where(SEEN_UPDATE.c.bot_id == self._store.bot_id, SEEN_UPDATE.c.seen_at < before)
            )


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
