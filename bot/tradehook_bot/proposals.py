"""Proposals: the bot's question "shall I?", bound to one person, chat, topic, message and deed for a short time.

    open -> confirmed -> sent | not_sent | asked_again
    open -> code -> confirmed            where a code from the person's authenticator app is needed as well
    open | code -> declined | expired
    open -> cut_off

What the deed is stands in the row: a kind (`deeds/table.py`) and its parameters as JSON. The button carries a random
token and nothing else, so one that was forged, copied, replayed or pressed twice does nothing. Whether a press counts
is decided by one UPDATE.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from sqlalchemy import insert, select, update

from tradehook.desk.intents import is_alive, this_owner
from tradehook.desk.schema import writing
from tradehook.models import Value
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import PROPOSAL

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import ColumnElement, Row

    from tradehook_bot.store import Store

BEGINS_WITHIN = timedelta(minutes=1)
"""So long after its answer a question is being carried out by whoever took the answer."""
ParametersT = TypeVar("ParametersT", bound=Value)


class State(StrEnum):
    """Where a question stands."""

    OPEN = "open"
    CODE = "code"
    """Its person pressed Confirm, and is to type a code."""
    CONFIRMED = "confirmed"
    """Its person pressed Confirm; what follows is under way, or its process is dead."""
    SENT = "sent"
    """It was carried out, or the desk took it and the journal tells the rest."""
    NOT_SENT = "not_sent"
    ASKED_AGAIN = "asked_again"
    DECLINED = "declined"
    EXPIRED = "expired"
    CUT_OFF = "cut_off"
    """Its process died before it knew in which message the question stands."""


_UNANSWERED = (State.OPEN, State.CODE)


@dataclass(frozen=True, slots=True)
class Where:
    """Who is asked, and where the answer counts."""

    user_id: int
    chat_id: int
    thread_id: int | None = None
    """The topic, in a forum."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One question. Its id is the intent's id: one question is one deed."""

    proposal_id: str
    kind: str
    """What kind of deed it is: a name in `deeds/table.py`."""
    parameters: str
    """What will be done, exactly, as JSON; see `read`."""
    where: Where
    account: str | None
    """What people call the account it was asked for; `None` where it is about all, or of a time that knew only one."""
    message_id: int | None
    typed: str
    """The command, to be shown when it has to be given again."""
    deed: str
    """What will be done, in words: the button."""
    state: State
    made_at: datetime
    expires_at: datetime

    @property
    def user_id(self) -> int:
        """Who may answer."""
        return self.where.user_id

    @property
    def chat_id(self) -> int:
        """The chat it stands in."""
        return self.where.chat_id

    def read(self, model: type[ParametersT]) -> ParametersT:
        """The parameters, as the kind knows them."""
        return model.model_validate_json(self.parameters)


class Proposals:
    """This bot's questions. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = PROPOSAL.c.bot_id == store.bot_id

    def make(
        self,
        kind: str,
        parameters: Value,
        *,
        where: Where,
        account: str | None,
        typed: str,
        deed: str,
        lifetime: timedelta,
        at: datetime | None = None,
    ) -> tuple[Proposal, str]:
        """A new open question, and the token for its buttons. It can be confirmed once `bind` was called."""
        token = secrets.token_urlsafe(16)
        made = at or now()
        proposal_id = f"chat-{secrets.token_hex(8)}"
        with writing(self._store.engine) as connection:
            connection.execute(
                insert(PROPOSAL).values(
                    proposal_id=proposal_id,
                    bot_id=self._store.bot_id,
                    user_id=where.user_id,
                    chat_id=where.chat_id,
                    thread_id=where.thread_id,
                    account=account,
                    token_hash=_hash(token),
                    typed=typed,
                    kind=kind,
                    parameters=parameters.model_dump_json(),
                    deed=deed,
                    state=str(State.OPEN),
                    has_buttons=True,
                    made_at=stamp(made),
                    expires_at=stamp(made + lifetime),
                )
            )
        return self.get(proposal_id), token

    def bind(self, proposal_id: str, *, message_id: int) -> None:
        """The question stands in this message, and only there can it be answered."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL)
                .where(self._mine, PROPOSAL.c.proposal_id == proposal_id, PROPOSAL.c.message_id.is_(None))
                .values(message_id=message_id)
            )

    def get(self, proposal_id: str) -> Proposal:
        """The question of this id. Raises `LookupError`."""
        found = self._select(PROPOSAL.c.proposal_id == proposal_id)
        if not found:
            raise LookupError(proposal_id)
        return found[0]

    def where_of(self, proposal_id: str) -> Where | None:
        """Who was asked and where, if there was such a question."""
        found = self._select(PROPOSAL.c.proposal_id == proposal_id)
        return found[0].where if found else None

    def of_token(self, token: str) -> Proposal | None:
        """The question that a button leads to, whoever pressed it: to look at, not to act on."""
        found = self._select(PROPOSAL.c.token_hash == _hash(token))
        return found[0] if found else None

    def confirm(
        self,
        token: str,
        *,
        where: Where,
        message_id: int,
        code_within: timedelta | None = None,
        at: datetime | None = None,
    ) -> Proposal | None:
        """The question, if this press answers it with yes; `None` for every other press.

        With `code_within` it is not confirmed yet: it waits so long for a code.
        """
        moment = at or now()
        values: dict[str, Any] = {"state": str(State.CONFIRMED), "closed_at": stamp(moment), "owner": this_owner()}
        if code_within is not None:
            values = {"state": str(State.CODE), "expires_at": stamp(moment + code_within)}
        confirmed = self._answer(token, values, of=(State.OPEN,), where=where, message_id=message_id, at=moment)
        if confirmed is not None and code_within is not None:
            self._let_go_of_others(confirmed, where=where, at=moment)
        return confirmed

    def awaits_code(self, token: str, *, where: Where, message_id: int, at: datetime | None = None) -> Proposal | None:
        """The question of this button, if it was answered with yes and waits for a code still."""
        here = (PROPOSAL.c.token_hash == _hash(token)) & _stands(where) & (PROPOSAL.c.message_id == message_id)
        waiting = (PROPOSAL.c.state == str(State.CODE)) & (PROPOSAL.c.expires_at > stamp(at or now()))
        found = self._select(here & waiting)
        return found[0] if found else None

    def _let_go_of_others(self, confirmed: Proposal, *, where: Where, at: datetime) -> None:
        """A code is for the question that was answered last, and for no other: those that waited for one are over."""
        others = _stands(where) & (PROPOSAL.c.state == str(State.CODE))
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL)
                .where(self._mine, others, PROPOSAL.c.proposal_id != confirmed.proposal_id)
                .values(state=str(State.EXPIRED), closed_at=stamp(at))
            )

    def decline(self, token: str, *, where: Where, message_id: int, at: datetime | None = None) -> Proposal | None:
        """The question, if this press answers it with no; `None` for every other press."""
        moment = at or now()
        values = {"state": str(State.DECLINED), "closed_at": stamp(moment), "owner": this_owner()}
        return self._answer(token, values, of=_UNANSWERED, where=where, message_id=message_id, at=moment)

    def waiting_for_code(self, where: Where, *, at: datetime | None = None) -> Proposal | None:
        """The question that a code from this person is for, typed here: the one that was answered with yes last."""
        waiting = (PROPOSAL.c.state == str(State.CODE)) & (PROPOSAL.c.expires_at > stamp(at or now()))
        # Of two that were answered in the same moment nobody knows which is meant, so the code is for neither.
        found = self._select(_stands(where) & waiting)
        return found[0] if len(found) == 1 else None

    def code_given(self, proposal_id: str, *, at: datetime | None = None) -> Proposal | None:
        """The question, confirmed now that its code was right; `None` when it does not wait for one any more."""
        moment = stamp(at or now())
        with writing(self._store.engine) as connection:
            done = connection.execute(
                update(PROPOSAL)
                .where(
                    self._mine,
                    PROPOSAL.c.proposal_id == proposal_id,
                    PROPOSAL.c.state == str(State.CODE),
                    PROPOSAL.c.expires_at > moment,
                )
                .values(state=str(State.CONFIRMED), closed_at=moment, owner=this_owner())
            )
        return self.get(proposal_id) if done.rowcount == 1 else None

    def close(self, proposal_id: str, state: State) -> bool:
        """A confirmed question has come to this end; whether nobody else had closed it."""
        with writing(self._store.engine) as connection:
            done = connection.execute(
                update(PROPOSAL)
                .where(self._mine, PROPOSAL.c.proposal_id == proposal_id, PROPOSAL.c.state == str(State.CONFIRMED))
                .values(state=str(state))
            )
        return done.rowcount == 1

    def expire(self, *, at: datetime | None = None) -> list[Proposal]:
        """Questions whose time is over are closed; those closed by this call are returned."""
        moment = stamp(at or now())
        overdue = PROPOSAL.c.state.in_(_words(_UNANSWERED)) & (PROPOSAL.c.expires_at <= moment)
        with self._store.engine.connect() as connection:
            # Mostly there is none, and then nothing is written.
            if connection.execute(select(PROPOSAL.c.proposal_id).where(self._mine, overdue)).first() is None:
                return []
        with writing(self._store.engine) as connection:
            ids = list(connection.execute(select(PROPOSAL.c.proposal_id).where(self._mine, overdue)).scalars())
            chosen = PROPOSAL.c.proposal_id.in_(ids)
            connection.execute(
                update(PROPOSAL).where(self._mine, chosen).values(state=str(State.EXPIRED), closed_at=moment)
            )
        return self._select(chosen)

    def cut_off(self, token: str, *, where: Where, message_id: int) -> None:
        """A press shows where a question stands that was never bound: it is closed, and its message is known now."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL)
                .where(
                    self._mine,
                    PROPOSAL.c.token_hash == _hash(token),
                    _stands(where),
                    PROPOSAL.c.message_id.is_(None),
                    PROPOSAL.c.state.in_(_words((State.OPEN, State.EXPIRED))),
                )
                .values(state=str(State.CUT_OFF), message_id=message_id)
            )

    def with_dead_buttons(self) -> list[Proposal]:
        """Questions that are over but whose message may still show buttons."""
        return self._select(
            PROPOSAL.c.has_buttons
            & PROPOSAL.c.message_id.is_not(None)
            & PROPOSAL.c.state.not_in(_words((*_UNANSWERED, State.CONFIRMED)))
        )

    def buttons_are_gone(self, proposal_id: str) -> None:
        """The question's message shows no buttons any more."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL).where(self._mine, PROPOSAL.c.proposal_id == proposal_id).values(has_buttons=False)
            )

    def orphans(self, *, under_way: Collection[str] = (), at: datetime | None = None) -> list[Proposal]:
        """Confirmed questions whose process died before it could tell what became of them, or could not tell it.

        Args:
            under_way: those that this process is carrying out.
            at: the moment.
        """
        query = select(PROPOSAL).where(self._mine, PROPOSAL.c.state == str(State.CONFIRMED))
        with self._store.engine.connect() as connection:
            rows = connection.execute(query).all()
        me, before = this_owner(), stamp((at or now()) - BEGINS_WITHIN)
        return [
            _proposal(row)
            for row in rows
            if (row.owner == me and row.proposal_id not in under_way and row.closed_at < before)
            or not is_alive(row.owner or "", sending_at=_time(row.closed_at))
        ]

    def _answer(
        self,
        token: str,
        values: dict[str, Any],
        *,
        of: tuple[State, ...],
        where: Where,
        message_id: int,
        at: datetime,
    ) -> Proposal | None:
        digest = _hash(token)
        with writing(self._store.engine) as connection:
            done = connection.execute(
                update(PROPOSAL)
                .where(
                    self._mine,
                    PROPOSAL.c.token_hash == digest,
                    _stands(where),
                    PROPOSAL.c.message_id == message_id,
                    PROPOSAL.c.state.in_(_words(of)),
                    PROPOSAL.c.expires_at > stamp(at),
                )
                .values(values)
            )
        return self._select(PROPOSAL.c.token_hash == digest)[0] if done.rowcount == 1 else None

    def _select(self, condition: ColumnElement[bool]) -> list[Proposal]:
        query = select(PROPOSAL).where(self._mine, condition).order_by(PROPOSAL.c.made_at)
        with self._store.engine.connect() as connection:
            return [_proposal(row) for row in connection.execute(query)]


def _stands(where: Where) -> ColumnElement[bool]:
    """Whether a question is for this person, in this chat and topic."""
    return (
        (PROPOSAL.c.user_id == where.user_id)
        & (PROPOSAL.c.chat_id == where.chat_id)
        & (PROPOSAL.c.thread_id.is_not_distinct_from(where.thread_id))
    )


def _words(states: tuple[State, ...]) -> list[str]:
    return [str(state) for state in states]


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        proposal_id=row.proposal_id,
        kind=row.kind,
        parameters=row.parameters,
        where=Where(row.user_id, row.chat_id, row.thread_id),
        account=row.account,
        message_id=row.message_id,
        typed=row.typed,
        deed=row.deed,
        state=State(row.state),
        made_at=read_stamp(row.made_at),
        expires_at=read_stamp(row.expires_at),
    )


def _hash(token: str) -> str:
    # Whoever reads the database must not be able to press a button.
    return hashlib.sha256(token.encode()).hexdigest()


def _time(text: str | None) -> datetime | None:
    return read_stamp(text) if text else None
