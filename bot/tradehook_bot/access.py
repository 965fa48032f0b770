"""Who may use the bot: numeric ids in the database. Nobody else, and an empty list means nobody.

The first person comes in by a one-time code that `setup` prints on the machine itself, all others by one that `invite`
prints there. Names are kept only to be shown to people: anybody can take a name. Of groups: `groups.py`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select, update

from tradehook.desk.schema import reading, writing
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import (
    DIGEST,
    FREEZE_END,
    GROUP,
    NOTICE,
    ORDER_MESSAGE,
    OUTBOX,
    PRICE_ALERT,
    PROPOSAL,
    SEEN_UPDATE,
    SETUP_CODE,
    TOTP,
    USER,
)

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection

    from tradehook_bot.store import Store

OWNER, TRADER, VIEWER = "owner", "trader", "viewer"
LOOKS_ONLY = "You may look here, and /freeze, and nothing else. Nothing was done. The bot's owner can change that."
ROLES = {"trade": TRADER, "view": VIEWER}
"""The roles that one can be invited to, as they are typed. An owner may do what a trader may."""
MAY = {
    OWNER: "look, order, cancel, transfer, freeze and resume",
    TRADER: "look, order, cancel, transfer, freeze and resume",
    VIEWER: "look, and freeze",
}
"""What each role may do, in words."""
CODE_FOR = timedelta(minutes=10)
INVITED_FOR = timedelta(hours=24)
_RANKS = (OWNER, TRADER, VIEWER)
_UNANSWERED = ("open", "code")
CODE = re.compile(r"[\w-]{22}", re.ASCII)
UPDATES_KEPT_FOR = timedelta(days=7)
"""Telegram delivers an update again for a day at most."""


def only_looks(role: str | None) -> bool:
    """Whether somebody of this role may look, and freeze, and nothing else."""
    return role is not None and role not in (OWNER, TRADER)


@dataclass(frozen=True, slots=True)
class User:
    """Somebody who may use the bot."""

    user_id: int
    role: str
    name: str
    is_reachable: bool


@dataclass(frozen=True, slots=True)
class Removed:
    """Somebody who may use the bot no more, and what went with them."""

    user: User
    questions: int
    groups: int


class Access:
    """The bot's people, their codes, and updates seen. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = USER.c.bot_id == store.bot_id
        self._my_codes = SETUP_CODE.c.bot_id == store.bot_id

    def user(self, user_id: int) -> User | None:
        """The person of this id, if they may use the bot."""
        with self._store.engine.connect() as connection:
            return self._user(connection, user_id)

    def _user(self, connection: Connection, user_id: int) -> User | None:
        row = connection.execute(select(USER).where(self._mine, USER.c.user_id == user_id)).one_or_none()
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

    def remove(self, user_id: int) -> Removed | None:
        """This person may use the bot no more, and nothing of it reaches them; `None`: they could not anyway.

        Their open questions are closed, the groups that they let the bot into are no longer, and their authenticator
        app is forgotten. Orders that were sent stay as they are.
        """
        user = self.user(user_id)
        if user is None:
            return None
        bot, moment = self._store.bot_id, stamp(now())
        with writing(self._store.engine) as connection:
            connection.execute(delete(USER).where(self._mine, USER.c.user_id == user_id))
            asked = (PROPOSAL.c.bot_id == bot) & (PROPOSAL.c.user_id == user_id) & PROPOSAL.c.state.in_(_UNANSWERED)
            closed = connection.execute(update(PROPOSAL).where(asked).values(state="expired", closed_at=moment))
            theirs = (GROUP.c.bot_id == bot) & (GROUP.c.allowed_by == user_id)
            left = len(set(connection.execute(select(GROUP.c.chat_id).where(theirs)).scalars()))
            connection.execute(delete(GROUP).where(theirs))
            for table in (TOTP, FREEZE_END, PRICE_ALERT):
                connection.execute(delete(table).where(table.c.bot_id == bot, table.c.user_id == user_id))
            for table in (DIGEST, NOTICE, ORDER_MESSAGE):
                connection.execute(delete(table).where(table.c.bot_id == bot, table.c.chat_id == user_id))
            unsent = (OUTBOX.c.bot_id == bot) & (OUTBOX.c.chat_id == user_id) & (OUTBOX.c.state != "sent")
            connection.execute(delete(OUTBOX).where(unsent))
        return Removed(user, questions=closed.rowcount, groups=left)

    # --- one-time codes -------------------------------------------------------------------------------------

    def make_code(self, *, at: datetime | None = None) -> str:
        """A fresh one-time code that makes an owner, valid for ten minutes. Such codes made before are void."""
        owners = (SETUP_CODE.c.role == OWNER) & SETUP_CODE.c.used_by.is_(None)
        with writing(self._store.engine) as connection:
            connection.execute(delete(SETUP_CODE).where(self._my_codes, owners))
        return self._make(OWNER, lasts=CODE_FOR, at=at)

    def invite(self, role: str, *, at: datetime | None = None) -> str:
        """A fresh one-time code that makes somebody a trader or a viewer, valid for a day. Others stay valid."""
        return self._make(role, lasts=INVITED_FOR, at=at)

    def invitations(self, *, at: datetime | None = None) -> list[tuple[str, datetime]]:
        """The roles that somebody could still come to by a code, each with when that ends."""
        query = select(SETUP_CODE.c.role, SETUP_CODE.c.expires_at).where(self._my_codes, _is_open(at))
        with self._store.engine.connect() as connection:
            found = connection.execute(query.order_by(SETUP_CODE.c.expires_at))
            return [(row.role, read_stamp(row.expires_at)) for row in found]

    def take_back_invitations(self) -> int:
        """No code that was made before lets anybody in; returns how many there were."""
        with writing(self._store.engine) as connection:
            found = connection.execute(delete(SETUP_CODE).where(self._my_codes, _is_open(None)))
        return found.rowcount

    def claim(self, code: str, *, user_id: int, name: str, at: datetime | None = None) -> str | None:
        """The role that the code gave its bearer, who has it now; `None` when it gave none.

        Of two who come at once, one has it. Whoever may do as much already leaves the code to others.
        """
        if not CODE.fullmatch(code):
            return None
        good = (SETUP_CODE.c.code_hash == _hash(code)) & _is_open(at)
        moment = stamp(at or now())
        with self._store.engine.connect() as connection:
            # A stranger who guesses must not make us write.
            role = connection.execute(select(SETUP_CODE.c.role).where(self._my_codes, good)).scalar_one_or_none()
        before = self.user(user_id)
        if role is None or (before is not None and _RANKS.index(before.role) <= _RANKS.index(role)):
            return None
        with writing(self._store.engine) as connection:
            used = connection.execute(
                update(SETUP_CODE).where(self._my_codes, good).values(used_by=user_id, used_at=moment)
            )
            if used.rowcount != 1:
                return None
            known = (USER.c.user_id == user_id) & self._mine
            fresh = {"role": role, "name": name[:130], "is_reachable": True}
            if connection.execute(update(USER).where(known).values(fresh)).rowcount == 0:
                connection.execute(
                    insert(USER).values(bot_id=self._store.bot_id, user_id=user_id, added_at=moment, **fresh)
                )
        return str(role)

    def claimed_by(self, code: str) -> int | None:
        """Who used this code, if somebody did."""
        query = select(SETUP_CODE.c.used_by).where(self._my_codes, SETUP_CODE.c.code_hash == _hash(code))
        with self._store.engine.connect() as connection:
            return connection.execute(query).scalar_one_or_none()

    def has_open_code(self, *, at: datetime | None = None) -> bool:
        """Whether somebody could still become owner."""
        return any(role == OWNER for role, _ in self.invitations(at=at))

    def _make(self, role: str, *, lasts: timedelta, at: datetime | None) -> str:
        code = secrets.token_urlsafe(16)
        made = at or now()
        over = SETUP_CODE.c.used_by.is_(None) & (SETUP_CODE.c.expires_at <= stamp(made))
        with writing(self._store.engine) as connection:
            connection.execute(delete(SETUP_CODE).where(self._my_codes, over))
            connection.execute(
                insert(SETUP_CODE).values(
                    code_hash=_hash(code),
                    bot_id=self._store.bot_id,
                    role=role,
                    made_at=stamp(made),
                    expires_at=stamp(made + lasts),
                )
            )
        return code

    # --- updates --------------------------------------------------------------------------------------------

    def first_of(self, update_ids: Collection[int]) -> set[int]:
        """Those of these updates that were not seen before; from now on all were. Of two who ask at once, one is told.

        A table rather than the highest number: Telegram may start its numbers anew after a quiet week.
        """
        same = (SEEN_UPDATE.c.bot_id == self._store.bot_id) & SEEN_UPDATE.c.update_id.in_(update_ids)
        moment = stamp(now())
        # The lock is held from the transaction's first moment, so what is looked up here stays so until the insert.
        with writing(self._store.engine) as connection:
            fresh = {*update_ids} - {*connection.execute(select(SEEN_UPDATE.c.update_id).where(same)).scalars()}
            rows = [{"bot_id": self._store.bot_id, "update_id": each, "seen_at": moment} for each in fresh]
            if rows:
                connection.execute(insert(SEEN_UPDATE), rows)
        return fresh

    def look(self, user_id: int, update_id: int) -> tuple[User | None, bool]:
        """Who this is, as `user` tells it, and whether this update was written down before: what each update asks."""
        same = (SEEN_UPDATE.c.bot_id == self._store.bot_id) & (SEEN_UPDATE.c.update_id == update_id)
        with reading(self._store.engine) as connection:
            known = self._user(connection, user_id)
            return known, connection.execute(select(SEEN_UPDATE.c.update_id).where(same)).first() is not None

    def forget_updates(self, *, at: datetime | None = None) -> None:
        """Updates seen long ago are forgotten; Telegram never repeats them."""
        before = stamp((at or now()) - UPDATES_KEPT_FOR)
        with writing(self._store.engine) as connection:
            connection.execute(
                delete(SEEN_UPDATE).where(SEEN_UPDATE.c.bot_id == self._store.bot_id, SEEN_UPDATE.c.seen_at < before)
            )


def _is_open(at: datetime | None) -> ColumnElement[bool]:
    """Nobody has used the code, and its time is not over."""
    return SETUP_CODE.c.used_by.is_(None) & (SETUP_CODE.c.expires_at > stamp(at or now()))


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
