"""Puts a question to a person, whatever it is about.

The row comes first, then the message, then the two are bound; a question whose message was never heard of can never be
answered with yes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.errors import GuardRefused
from tradehook_bot import keyboards
from tradehook_bot.proposals import State
from tradehook_bot.replies import bold

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime, timedelta

    from tradehook.models import Value
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

_LONGEST_TYPED = 200


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked."""

    kind: str
    parameters: Value
    deed: str
    """What will be done: the button."""
    typed: str
    """The command, to be shown when it has to be given again."""
    lifetime: timedelta
    account: str | None = None
    """What people call the account that it is about; none where it is about all."""
    no: str = "Cancel"
    """The other button."""


def until(lines: Sequence[str]) -> Callable[[datetime], str]:
    """A question's message, as HTML lines: the last says until when it can be answered."""
    return lambda expires_at: "\n".join([*lines, f"Open until: {render.clock(expires_at)}"])


async def check_code(house: House, where: Where, *, what: str, limit: str | None = None) -> None:
    """Refuse what takes a code from somebody who can give none, or where others would read it.

    Args:
        house: where.
        where: who is to be asked, and where.
        what: the beginning of the sentence that says so.
        limit: from which on it takes one, if there is such a limit.

    Raises:
        GuardRefused: `rule` is `private` or `code`.
    """
    if where.chat_id != where.user_id:
        raise GuardRefused(
            f"{what} takes a code, and everybody here would read it. Ask me in private.", rule="private", limit=limit
        )
    await house.store.do(house.totp.check_ready, where.user_id, what=what)


async def asked_again(house: House, proposal: Proposal, *, note: str) -> None:
    """The question is closed, since another took its place, and its message says why it was not sent.

    Args:
        house: where.
        proposal: confirmed.
        note: HTML.
    """
    await house.store.do(house.proposals.close, proposal.proposal_id, State.ASKED_AGAIN)
    words = f"{bold(f'Not sent: {proposal.deed}')}\n{note}"
    if proposal.message_id is None or await house.voice.edit(
        proposal.chat_id, proposal.message_id, words, account=proposal.account
    ):
        await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)


async def ask(
    house: House,
    question: Question,
    *,
    where: Where,
    body: Callable[[datetime], str],
    instead_of: int | None = None,
) -> Proposal:
    """The question stands in the chat and can be answered.

    Args:
        house: where.
        question: what is asked.
        where: who may answer, and where.
        body: the message as HTML, given when its time is over, in the chat's zone.
        instead_of: a message of ours that becomes the question; otherwise it is a new one.
    """
    proposal, token = await house.store.do(
        house.proposals.make,
        question.kind,
        question.parameters,
        where=where,
        account=question.account,
        typed=" ".join(question.typed.split())[:_LONGEST_TYPED],
        deed=question.deed,
        lifetime=question.lifetime,
    )
    keyboard = keyboards.question(token, deed=question.deed, no=question.no)
    zone = await house.store.do(house.chats.zone, where.chat_id)
    said = body(proposal.expires_at.astimezone(zone))
    message_id = instead_of
    if message_id is None or not await house.voice.edit(
        where.chat_id, message_id, said, account=question.account, keyboard=keyboard
    ):
        message_id = await house.voice.say(
            where.chat_id, said, account=question.account, keyboard=keyboard, thread_id=where.thread_id
        )
    await house.store.do(house.proposals.bind, proposal.proposal_id, message_id=message_id)
    return proposal
