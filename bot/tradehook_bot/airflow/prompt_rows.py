"""Which message of which chat shows which of Airflow's questions, and what it should say.

`wanted` is written when something is learned, `shown` after the edit has arrived; where they differ, an edit is due.
A question comes as a letter of the outbox, once a chat; its buttons come with the first edit.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, insert, select, update

from tradehook.desk.schema import reading, writing
from tradehook_bot.airflow.prompts import Prompt
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.proposals import State, Where
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import AIRFLOW_PROMPT, OUTBOX, PROPOSAL

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from sqlalchemy import Connection, Row

    from tradehook_bot.outbox import Outbox
    from tradehook_bot.store import Store

APPROVAL = "approval"
"""The kind of the proposals behind a question's buttons."""
OVER = "over"
_KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class PromptRow:
    """A question's message in a chat."""

    where: Where
    prompt: Prompt
    message_id: int | None
    wanted: str
    shown: str | None
    note: str
    """HTML: what happened to it, while it is open."""
    ending: str | None
    """HTML: what it says for good."""

    @property
    def is_over(self) -> bool:
        """Whether there is nothing left to answer."""
        return self.ending is not None


class PromptRows:
    """This bot's messages of questions. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = AIRFLOW_PROMPT.c.bot_id == store.bot_id

    def take_in(
        self, prompts: Sequence[Prompt], *, chats: Sequence[int], outbox: Outbox, words: Callable[[int, Prompt], str]
    ) -> bool:
        """Each of these chats has a message for each of these questions, or a letter that becomes it.

        Args:
            prompts: all that are open.
            chats: private chats, whose number is their person's.
            outbox: where letters are put.
            words: a question's first words in a chat, as HTML.

        Returns:
            Whether any was new.
        """
        if not prompts:
            return False
        listed = AIRFLOW_PROMPT.c.ti_id.in_([each.ti_id for each in prompts])
        known = {(row.where.chat_id, row.prompt.ti_id): row for row in self._select(listed)}
        fresh = [(chat, each) for chat in chats for each in prompts if (chat, each.ti_id) not in known]
        changed = [
            (row, each)
            for row in known.values()
            for each in prompts
            if row.prompt.ti_id == each.ti_id and not row.is_over and row.prompt.digest != each.digest
        ]
        if not fresh and not changed:
            return False
        with writing(self._store.engine) as connection:
            for chat_id, each in fresh:
                self._insert(connection, Where(chat_id, chat_id), each, message_id=None)
                letter = Letter(chat_id, letter_key(each.ti_id), words(chat_id, each), weight=Weight.URGENT)
                outbox.put_within(connection, [letter])
            for row, each in changed:
                self._set(connection, row, prompt=each.model_dump_json(), wanted=each.digest)
        return True

    def put(self, prompt: Prompt, *, where: Where, message_id: int) -> int | None:
        """This message shows the question from now on. Returns the one that did before, if there was one."""
        with writing(self._store.engine) as connection:
            row = connection.execute(
                select(AIRFLOW_PROMPT).where(self._mine, _here(where.chat_id, prompt.ti_id))
            ).one_or_none()
            before = row.message_id if row is not None else None
            connection.execute(delete(AIRFLOW_PROMPT).where(self._mine, _here(where.chat_id, prompt.ti_id)))
            self._insert(connection, where, prompt, message_id=message_id)
        return before

    def get(self, chat_id: int, ti_id: str) -> PromptRow | None:
        """The message of a question in a chat."""
        return next(iter(self._select(_here(chat_id, ti_id))), None)

    def open(self) -> Sequence[PromptRow]:
        """Those whose question is open as far as is known."""
        return self._select(AIRFLOW_PROMPT.c.ending.is_(None))

    def due(self) -> Sequence[PromptRow]:
        """Those whose message does not say what it should, with the numbers that their letters have got since."""
        self._find_messages()
        return self._select(
            AIRFLOW_PROMPT.c.message_id.is_not(None) & AIRFLOW_PROMPT.c.shown.is_distinct_from(AIRFLOW_PROMPT.c.wanted)
        )

    def note(self, row: PromptRow, note: str) -> None:
        """The message should be as open as before, and say this as well (HTML)."""
        with writing(self._store.engine) as connection:
            self._set(connection, row, note=note, wanted=f"{row.prompt.digest}:{secrets.token_hex(3)}")

    def end(self, rows: Iterable[PromptRow], ending: str) -> None:
        """The messages should say this for good (HTML). What says something for good already goes on saying it."""
        with writing(self._store.engine) as connection:
            for row in rows:
                self._set(connection, row, ending=ending, wanted=OVER)
            connection.execute(
                delete(AIRFLOW_PROMPT).where(
                    self._mine, AIRFLOW_PROMPT.c.shown == OVER, AIRFLOW_PROMPT.c.made_at < stamp(now() - _KEPT)
                )
            )

    def shows(self, row: PromptRow) -> None:
        """The message says what was wanted of it."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(AIRFLOW_PROMPT)
                .where(
                    self._mine,
                    _here(row.where.chat_id, row.prompt.ti_id),
                    AIRFLOW_PROMPT.c.message_id == row.message_id,
                )
                .values(shown=row.wanted)
            )

    def void_buttons(self, chat_id: int, message_id: int) -> None:
        """No button that this message had until now does anything. May be repeated."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL)
                .where(
                    PROPOSAL.c.bot_id == self._store.bot_id,
                    PROPOSAL.c.kind == APPROVAL,
                    PROPOSAL.c.chat_id == chat_id,
                    PROPOSAL.c.message_id == message_id,
                    PROPOSAL.c.state == str(State.OPEN),
                )
                .values(state=str(State.DECLINED), has_buttons=False, closed_at=stamp(now()))
            )

    def _find_messages(self) -> None:
        """Letters that arrived have told in which message a question stands."""
        unknown = self._mine & AIRFLOW_PROMPT.c.message_id.is_(None)
        with reading(self._store.engine) as connection:
            waiting = connection.execute(select(AIRFLOW_PROMPT).where(unknown)).all()
            found = {
                (row.chat_id, row.ti_id): number
                for row in waiting
                if (
                    number := connection.execute(
                        select(OUTBOX.c.message_id).where(
                            OUTBOX.c.bot_id == self._store.bot_id,
                            OUTBOX.c.chat_id == row.chat_id,
                            OUTBOX.c.dedupe_key == letter_key(row.ti_id),
                            OUTBOX.c.state == "sent",
                        )
                    ).scalar_one_or_none()
                )
                is not None
            }
        if not found:
            return
        with writing(self._store.engine) as connection:
            for (chat_id, ti_id), number in found.items():
                connection.execute(
                    update(AIRFLOW_PROMPT).where(unknown, _here(chat_id, ti_id)).values(message_id=number)
                )

    def _insert(self, connection: Connection, where: Where, prompt: Prompt, *, message_id: int | None) -> None:
        connection.execute(
            insert(AIRFLOW_PROMPT).values(
                bot_id=self._store.bot_id,
                chat_id=where.chat_id,
                ti_id=prompt.ti_id,
                user_id=where.user_id,
                thread_id=where.thread_id,
                prompt=prompt.model_dump_json(),
                message_id=message_id,
                wanted=prompt.digest,
                note="",
                made_at=stamp(now()),
            )
        )

    def _set(self, connection: Connection, row: PromptRow, **values: Any) -> None:
        connection.execute(
            update(AIRFLOW_PROMPT)
            .where(self._mine, _here(row.where.chat_id, row.prompt.ti_id), AIRFLOW_PROMPT.c.ending.is_(None))
            .values(values)
        )

    def _select(self, condition: Any) -> Sequence[PromptRow]:
        query = select(AIRFLOW_PROMPT).where(self._mine, condition).order_by(AIRFLOW_PROMPT.c.made_at)
        with reading(self._store.engine) as connection:
            rows = connection.execute(query).all()
        return [_row(row) for row in rows]


def letter_key(ti_id: str) -> str:
    """What the outbox tells once a chat: this question of this try."""
    return f"{APPROVAL}:{ti_id}"


def _here(chat_id: int, ti_id: str) -> Any:
    return (AIRFLOW_PROMPT.c.chat_id == chat_id) & (AIRFLOW_PROMPT.c.ti_id == ti_id)


def _row(row: Row[Any]) -> PromptRow:
    return PromptRow(
        where=Where(row.user_id, row.chat_id, row.thread_id),
        prompt=Prompt.model_validate(json.loads(row.prompt)),
        message_id=row.message_id,
        wanted=row.wanted,
        shown=row.shown,
        note=row.note,
        ending=row.ending,
    )
