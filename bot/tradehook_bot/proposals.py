"""Proposals: the bot's question "shall I?", bound to one person, chat, message and deed for a short time.

    open -> confirmed -> sent | not_sent | asked_again
    open -> declined | expired | cut_off

The button carries a random token and nothing else; the row it leads to holds everything that will be done, so a button
that was forged, copied, replayed or pressed twice does nothing. Whether a press counts is decided by one UPDATE.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from tradehook.desk.intents import is_alive, this_owner
from tradehook.desk.schema import writing
from tradehook.models import SizedOrder
from tradehook_bot.store import now, read_stamp, stamp
from tradehook_bot.tables import PROPOSAL

if TYPE_CHECKING:
    from datetime import datetime, timedelta

    from sqlalchemy import ColumnElement, Row

    from tradehook_bot.store import Store


class State(StrEnum):
    """Where a question stands."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    """Its person pressed Confirm; what follows is under way, or its process is dead."""
    SENT = "sent"
    """The desk took it; the journal tells the rest."""
    NOT_SENT = "not_sent"
    ASKED_AGAIN = "asked_again"
    DECLINED = "declined"
    EXPIRED = "expired"
    CUT_OFF = "cut_off"
    """Its process died before it knew in which message the question stands."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One question. Its id is the intent's id: one question is one deed."""

    proposal_id: str
    user_id: int
    chat_id: int
    account: str | None
    """What people call the account it was asked for; `None` in rows of a version that knew only one."""
    message_id: int | None
    typed: str
    """The command, to be shown when it has to be given again."""
    sized: SizedOrder
    """What will be sent, exactly."""
    shown_price: Decimal | None
    good_until_price: Decimal | None
    """The worst price at Confirm that needs no new question; `None` for a limit order, which has its own."""
    deed: str
    state: State
    expires_at: datetime


class Proposals:
    """This bot's questions. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = PROPOSAL.c.bot_id == store.bot_id

    def make(
        self,
        sized: SizedOrder,
        *,
        user_id: int,
        chat_id: int,
        account: str,
        typed: str,
        shown_price: Decimal | None,
        good_until_price: Decimal | None,
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
                    user_id=user_id,
                    chat_id=chat_id,
                    account=account,
                    token_hash=_hash(token),
                    typed=typed,
                    sized=sized.model_dump_json(),
                    shown_price=_text(shown_price),
                    good_until_price=_text(good_until_price),
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

    def confirm(
        self, token: str, *, user_id: int, chat_id: int, message_id: int, at: datetime | None = None
    ) -> Proposal | None:
        """The question, if this press answers it with yes; `None` for every other press."""
        return self._answer(token, State.CONFIRMED, user_id=user_id, chat_id=chat_id, message_id=message_id, at=at)

    def decline(
        self, token: str, *, user_id: int, chat_id: int, message_id: int, at: datetime | None = None
    ) -> Proposal | None:
        """The question, if this press answers it with no; `None` for every other press."""
        return self._answer(token, State.DECLINED, user_id=user_id, chat_id=chat_id, message_id=message_id, at=at)

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
        overdue = (PROPOSAL.c.state == str(State.OPEN)) & (PROPOSAL.c.expires_at <= moment)
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

    def cut_off(self, token: str, *, user_id: int, chat_id: int, message_id: int) -> None:
        """A press shows where a question stands that was never bound: it is closed, and its message is known now."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL)
                .where(
                    self._mine,
                    PROPOSAL.c.token_hash == _hash(token),
                    PROPOSAL.c.user_id == user_id,
                    PROPOSAL.c.chat_id == chat_id,
                    PROPOSAL.c.message_id.is_(None),
                    PROPOSAL.c.state.in_([str(State.OPEN), str(State.EXPIRED)]),
                )
                .values(state=str(State.CUT_OFF), message_id=message_id)
            )

    def with_dead_buttons(self) -> list[Proposal]:
        """Questions that are over but whose message may still show buttons."""
        return self._select(
            PROPOSAL.c.has_buttons
            & PROPOSAL.c.message_id.is_not(None)
            & PROPOSAL.c.state.not_in([str(State.OPEN), str(State.CONFIRMED)])
        )

    def buttons_are_gone(self, proposal_id: str) -> None:
        """The question's message shows no buttons any more."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PROPOSAL).where(self._mine, PROPOSAL.c.proposal_id == proposal_id).values(has_buttons=False)
            )

    def orphans(self) -> list[Proposal]:
        """Confirmed questions whose process died before it could tell what became of them."""
        query = select(PROPOSAL).where(self._mine, PROPOSAL.c.state == str(State.CONFIRMED))
        with self._store.engine.connect() as connection:
            rows = connection.execute(query).all()
        return [_proposal(row) for row in rows if not is_alive(row.owner or "", sending_at=_time(row.closed_at))]

    def _answer(
        self, token: str, state: State, *, user_id: int, chat_id: int, message_id: int, at: datetime | None
    ) -> Proposal | None:
        moment = stamp(at or now())
        digest = _hash(token)
        with writing(self._store.engine) as connection:
            done = connection.execute(
                update(PROPOSAL)
                .where(
                    self._mine,
                    PROPOSAL.c.token_hash == digest,
                    PROPOSAL.c.user_id == user_id,
                    PROPOSAL.c.chat_id == chat_id,
                    PROPOSAL.c.message_id == message_id,
                    PROPOSAL.c.state == str(State.OPEN),
                    PROPOSAL.c.expires_at > moment,
                )
                .values(state=str(state), closed_at=moment, owner=this_owner())
            )
        return self._select(PROPOSAL.c.token_hash == digest)[0] if done.rowcount == 1 else None

    def _select(self, condition: ColumnElement[bool]) -> list[Proposal]:
        query = select(PROPOSAL).where(self._mine, condition).order_by(PROPOSAL.c.made_at)
        with self._store.engine.connect() as connection:
            return [_proposal(row) for row in connection.execute(query)]


def _proposal(row: Row[Any]) -> Proposal:
    return Proposal(
        proposal_id=row.proposal_id,
        user_id=row.user_id,
        chat_id=row.chat_id,
        account=row.account,
        message_id=row.message_id,
        typed=row.typed,
        sized=SizedOrder.model_validate_json(row.sized),
        shown_price=_decimal(row.shown_price),
        good_until_price=_decimal(row.good_until_price),
        deed=row.deed,
        state=State(row.state),
        expires_at=read_stamp(row.expires_at),
    )


def _hash(token: str) -> str:
    # Whoever reads the database must not be able to press a button.
    return hashlib.sha256(token.encode()).hexdigest()


def _text(value: Decimal | None) -> str | None:
    return None if value is None else f"{value:f}"


def _decimal(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)


def _time(text: str | None) -> datetime | None:
    return read_stamp(text) if text else None
