"""The outbox: messages that must arrive, once, whatever happens in between. Rows first, sending second.

    queued -> sending -> sent | dead
              sending -> queued              it surely did not arrive; later again
              sending -> doubtful            nobody knows; later again, and it says so

A row that is found in `sending` was cut off in the middle: it may have arrived. Like a doubtful one it is sent again
with "(may be a repeat)", because Telegram has no key against repetition.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from tradehook.desk.schema import writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import OUTBOX

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection

    from tradehook_bot.store import Store

FIRST_PAUSE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 300
_UNDELIVERED = ("queued", "sending", "doubtful")


@dataclass(frozen=True, slots=True)
class Letter:
    """A message for one chat. `dedupe_key` names what it tells: the same news is queued once a chat."""

    chat_id: int
    dedupe_key: str
    body: str
    """HTML, without the environment's mark: that is put on when it is sent."""
    reply_to: int | None = None
    account: str | None = None
    """What people call the account that it tells of, where it tells of one."""


@dataclass(frozen=True, slots=True)
class Due:
    """A letter whose time has come."""

    outbox_id: int
    letter: Letter
    attempts: int
    may_repeat: bool
    """Whether an earlier try may have arrived."""


class Outbox:
    """This bot's letters. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = OUTBOX.c.bot_id == store.bot_id

    def put(self, *letters: Letter, at: datetime | None = None) -> None:
        """Queue letters that were not queued before."""
        with writing(self._store.engine) as connection:
            self.put_within(connection, letters, at=at)

    def put_within(self, connection: Connection, letters: Iterable[Letter], *, at: datetime | None = None) -> None:
        """The same inside a transaction, so that the news and the mark that it was seen stand or fall together."""
        moment = stamp(at or now())
        for letter in letters:
            same = (OUTBOX.c.chat_id == letter.chat_id) & (OUTBOX.c.dedupe_key == letter.dedupe_key)
            if connection.execute(select(OUTBOX.c.outbox_id).where(self._mine, same)).first() is not None:
                continue
            connection.execute(
                insert(OUTBOX).values(
                    bot_id=self._store.bot_id,
                    chat_id=letter.chat_id,
                    account=letter.account,
                    dedupe_key=letter.dedupe_key,
                    body=letter.body,
                    reply_to=letter.reply_to,
                    state="queued",
                    attempts=0,
                    next_try_at=moment,
                    made_at=moment,
                )
            )

    def take(self, *, at: datetime | None = None) -> Due | None:
        """The oldest letter whose time has come, marked as being sent before it is handed out.

        Only one process sends for a bot: Telegram lets only one poll.
        """
        moment = stamp(at or now())
        query = (
            select(OUTBOX)
            .where(self._mine, OUTBOX.c.state.in_(_UNDELIVERED), OUTBOX.c.next_try_at <= moment)
            .order_by(OUTBOX.c.outbox_id)
            .limit(1)
        )
        with self._store.engine.connect() as connection:
            # Mostly there is none, and then nothing is written.
            if connection.execute(query).one_or_none() is None:
                return None
        with writing(self._store.engine) as connection:
            row = connection.execute(query).one_or_none()
            if row is None:
                return None
            connection.execute(
                update(OUTBOX)
                .where(OUTBOX.c.outbox_id == row.outbox_id)
                .values(state="sending", attempts=row.attempts + 1)
            )
        return Due(
            outbox_id=row.outbox_id,
            letter=Letter(row.chat_id, row.dedupe_key, row.body, row.reply_to, row.account),
            attempts=row.attempts + 1,
            may_repeat=row.state != "queued",
        )

    def sent(self, due: Due, *, message_id: int) -> None:
        """It arrived."""
        self._set(due, state="sent", sent_at=stamp(now()), message_id=message_id)

    def failed(self, due: Due, *, is_doubtful: bool, after_seconds: float | None = None) -> None:
        """It did not arrive, or nobody knows; it is tried again later, later each time."""
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(due.attempts - 1, 10), LONGEST_PAUSE_SECONDS)
        later = now() + timedelta(seconds=after_seconds if after_seconds is not None else pause)
        state = "doubtful" if is_doubtful or due.may_repeat else "queued"
        self._set(due, state=state, next_try_at=stamp(later))

    def give_up(self, due: Due) -> None:
        """It can never arrive: the person blocked the bot, or the chat is gone."""
        self._set(due, state="dead")

    def waiting(self) -> int:
        """How many letters are not delivered yet."""
        query = select(func.count()).select_from(OUTBOX).where(self._mine, OUTBOX.c.state.in_(_UNDELIVERED))
        with self._store.engine.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def _set(self, due: Due, **values: Any) -> None:
        with writing(self._store.engine) as connection:
            connection.execute(update(OUTBOX).where(self._mine, OUTBOX.c.outbox_id == due.outbox_id).values(values))
