"""The outbox: messages that must arrive, once, whatever happens in between. Rows first, sending second.

    queued -> sending -> sent | dead | held
              sending -> queued              it surely did not arrive; later again
              sending -> doubtful            nobody knows; later again, and it says so
    sending -> diverted                      the group does not take it: a letter to whose it is has taken its place
    held -> queued                           the person let the bot back in (held_doubtful -> doubtful)
    queued | held -> folded                  several, told together in one letter

A row that is found in `sending` was cut off in the middle: it may have arrived. Like a doubtful one it is sent again
with "(may be a repeat)", because Telegram has no key against repetition.

Letters of one chat go out in the order in which they were put: where one has to wait, those behind it wait as well.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, insert, select, update

from tradehook.desk.schema import reading, writing
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import NOTICE, OUTBOX

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from tradehook_bot.proposals import Where
    from tradehook_bot.store import Store

FIRST_PAUSE_SECONDS = 1
LONGEST_PAUSE_SECONDS = 300
_UNDELIVERED = ("queued", "sending", "doubtful")
_KEPT = ("held", "held_doubtful")


class Weight(StrEnum):
    """How much a letter matters."""

    URGENT = "urgent"
    """It needs a person: a doubt, a rejection, a freeze, a transfer."""
    NEWS = "news"
    """What somebody waits for."""
    ROUTINE = "routine"
    """Good to know."""


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
    subject: str | None = None
    """The notice that it begins."""
    weight: Weight | None = None
    has_freeze: bool = False
    """Whether "Not me: freeze" stands below it."""
    is_silent: bool = False
    thread_id: int | None = None
    """The topic, in a forum."""
    user_id: int | None = None
    """Whose it is, in a group: there it goes when the group does not take it."""

    def at(self, where: Where | None) -> Letter:
        """The same in this topic, and this person's; as it is where neither is known."""
        return self if where is None else replace(self, thread_id=where.thread_id, user_id=where.user_id)


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

    def put_within(
        self,
        connection: Connection,
        letters: Iterable[Letter],
        *,
        at: datetime | None = None,
        happened_at: datetime | None = None,
        state: str = "queued",
    ) -> None:
        """The same inside a transaction, so that the news and the mark that it was seen stand or fall together.

        `happened_at` is when what they tell of happened: what is old by the time it goes out is told together.
        """
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
                    subject=letter.subject,
                    weight=str(letter.weight) if letter.weight is not None else None,
                    has_freeze=letter.has_freeze,
                    is_silent=letter.is_silent,
                    thread_id=letter.thread_id,
                    user_id=letter.user_id,
                    state=state,
                    attempts=0,
                    next_try_at=moment,
                    made_at=stamp(happened_at) if happened_at is not None else moment,
                )
            )

    def chats_due(self, *, at: datetime | None = None) -> list[int]:
        """The chats that have letters whose time has come."""
        query = (
            select(OUTBOX.c.chat_id)
            .where(self._mine, OUTBOX.c.state.in_(_UNDELIVERED), OUTBOX.c.next_try_at <= stamp(at or now()))
            .distinct()
        )
        with reading(self._store.engine) as connection:
            return list(connection.execute(query).scalars())

    def take(self, *, chat_id: int | None = None, at: datetime | None = None) -> Due | None:
        """The oldest letter whose time has come (of one chat), marked as being sent before it is handed out.

        Only one process sends for a bot: the one that holds its lock.
        """
        moment = stamp(at or now())
        query = (
            select(OUTBOX)
            .where(self._mine, OUTBOX.c.state.in_(_UNDELIVERED), OUTBOX.c.next_try_at <= moment)
            .order_by(OUTBOX.c.outbox_id)
            .limit(1)
        )
        if chat_id is not None:
            query = query.where(OUTBOX.c.chat_id == chat_id)
        with reading(self._store.engine) as connection:
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
            letter=Letter(
                row.chat_id,
                row.dedupe_key,
                row.body,
                row.reply_to,
                row.account,
                row.subject,
                Weight(row.weight) if row.weight else None,
                has_freeze=bool(row.has_freeze),
                is_silent=bool(row.is_silent),
                thread_id=row.thread_id,
                user_id=row.user_id,
            ),
            attempts=row.attempts + 1,
            may_repeat=row.state != "queued",
        )

    def sent(self, due: Due, *, message_id: int, shown: str | None = None) -> None:
        """It arrived. Where it begins a notice, that has a message from now on, which shows `shown`."""
        letter = due.letter
        with writing(self._store.engine) as connection:
            connection.execute(
                update(OUTBOX)
                .where(self._mine, OUTBOX.c.outbox_id == due.outbox_id)
                .values(state="sent", sent_at=stamp(now()), message_id=message_id)
            )
            if letter.subject is not None:
                begun = (NOTICE.c.chat_id == letter.chat_id) & (NOTICE.c.subject == letter.subject)
                connection.execute(
                    update(NOTICE)
                    .where(NOTICE.c.bot_id == self._store.bot_id, begun)
                    .values(message_id=message_id, shown=shown)
                )

    def failed(self, due: Due, *, is_doubtful: bool, after_seconds: float | None = None) -> None:
        """It did not arrive, or nobody knows. It is tried again later, later each time, and what is behind it waits."""
        pause = min(FIRST_PAUSE_SECONDS * 2 ** min(due.attempts - 1, 10), LONGEST_PAUSE_SECONDS)
        later = stamp(now() + timedelta(seconds=after_seconds if after_seconds is not None else pause))
        state = "doubtful" if is_doubtful or due.may_repeat else "queued"
        others = (OUTBOX.c.chat_id == due.letter.chat_id) & OUTBOX.c.state.in_(_UNDELIVERED)
        with writing(self._store.engine) as connection:
            connection.execute(
                update(OUTBOX).where(self._mine, others, OUTBOX.c.next_try_at < later).values(next_try_at=later)
            )
            connection.execute(
                update(OUTBOX)
                .where(self._mine, OUTBOX.c.outbox_id == due.outbox_id)
                .values(state=state, next_try_at=later)
            )

    def give_up(self, due: Due) -> None:
        """It can never arrive: Telegram does not take it."""
        with writing(self._store.engine) as connection:
            self._set_within(connection, due, state="dead")

    def divert(self, due: Due, letter: Letter) -> None:
        """This letter goes out in its place, once; where that may have arrived, this one says that it may repeat it."""
        with writing(self._store.engine) as connection:
            self.put_within(connection, [letter], state="doubtful" if due.may_repeat else "queued")
            self._set_within(connection, due, state="diverted")

    def hold(self, chat_id: int) -> None:
        """Nothing goes to this chat for now: the person blocked the bot. May be repeated."""
        self._turn(chat_id, {"queued": "held", "sending": "held_doubtful", "doubtful": "held_doubtful"})

    def release(self, chat_id: int) -> None:
        """What was held for this chat goes out now. May be repeated."""
        self._turn(chat_id, {"held": "queued", "held_doubtful": "doubtful"}, next_try_at=stamp(now()))

    def waiting(self) -> int:
        """How many letters are not delivered yet."""
        query = select(func.count()).select_from(OUTBOX).where(self._mine, OUTBOX.c.state.in_(_UNDELIVERED))
        with reading(self._store.engine) as connection:
            return int(connection.execute(query).scalar_one())

    def is_waiting(self, chat_id: int) -> bool:
        """Whether a letter for this chat is not delivered yet."""
        theirs = (OUTBOX.c.chat_id == chat_id) & OUTBOX.c.state.in_(_UNDELIVERED)
        with reading(self._store.engine) as connection:
            return connection.execute(select(OUTBOX.c.outbox_id).where(self._mine, theirs).limit(1)).first() is not None

    def kept(self) -> int:
        """How many letters are kept for people who blocked the bot."""
        query = select(func.count()).select_from(OUTBOX).where(self._mine, OUTBOX.c.state.in_(_KEPT))
        with reading(self._store.engine) as connection:
            return int(connection.execute(query).scalar_one())

    def refused(self, *, since: datetime) -> Sequence[str]:
        """What Telegram did not take of what was told since then, as HTML, the newest first."""
        dead = (OUTBOX.c.state == "dead") & (OUTBOX.c.made_at >= stamp(since))
        query = select(OUTBOX.c.body).where(self._mine, dead).order_by(OUTBOX.c.outbox_id.desc())
        with reading(self._store.engine) as connection:
            return [*connection.execute(query).scalars()]

    def _turn(self, chat_id: int, states: Mapping[str, str], **values: Any) -> None:
        with writing(self._store.engine) as connection:
            for before, after in states.items():
                theirs = (OUTBOX.c.chat_id == chat_id) & (OUTBOX.c.state == before)
                connection.execute(update(OUTBOX).where(self._mine, theirs).values(state=after, **values))

    def _set_within(self, connection: Connection, due: Due, **values: Any) -> None:
        connection.execute(update(OUTBOX).where(self._mine, OUTBOX.c.outbox_id == due.outbox_id).values(values))
