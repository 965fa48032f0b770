"""A person ends a doubt by their word, after one question: it was placed as this order, or it was not.

The desk has the last word: it reads the order that is named, and believes "it was not" only after the horizon.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.desk.intents import State as IntentState
from tradehook.errors import InvalidInput
from tradehook.made_words import line_of
from tradehook.models import Value
from tradehook_bot import doubts, words
from tradehook_bot.answered_doubts import RESOLVE
from tradehook_bot.deeds import asking, ending
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.replies import bold, code, text
from tradehook_bot.store import now
from tradehook_bot.zones import clock, day_and_clock

if TYPE_CHECKING:
    from tradehook.desk.intents import Intent
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

NAME = RESOLVE
NOT_PLACED = "not-placed"
_LIFETIME = timedelta(minutes=5)


class ResolveAsked(Value):
    """What is stored of the question."""

    intent_id: str
    word: str
    """As the desk takes it: `placed:ID` or `not-placed`."""


async def ask(house: House, account: Account, intent: Intent, word: str, *, where: Where) -> None:
    """Ask whether this shall be said of the doubt.

    Raises:
        InvalidInput: there is no doubt any more, or it is too early to know.
        GuardRefused: its person can give no code.
    """
    zone = await house.store.do(house.chats.zone, where.chat_id)
    if intent.reads_as is not IntentState.UNKNOWN:
        raise InvalidInput(f"{words.deed_of(intent)} is {intent.standing} by now; there is no doubt to end.")
    if not doubts.is_over(intent, at=now()) and intent.looking_until is not None:
        raise InvalidInput(
            f"It can still appear until {day_and_clock(intent.looking_until, zone)}, and is looked for until then. "
            "Before that nobody can know: say it after that.",
            needs_example=False,
        )
    await house.store.do(house.totp.check_ready, where.user_id, what="Ending a doubt by your word")
    deed = words.deed_of(intent)
    _, _, identity = word.partition(":")
    claim = f"It was placed: {intent.noun} {render.short_id(identity)}" if identity else "It was not placed"
    means = (
        "It is read at the exchange, and must be what was sent. From then on it is followed like every other."
        if identity
        else "It counts as not sent from then on, and the same may be ordered again. If it exists after all, you have "
        "it twice: look at the exchange's own page first."
    )
    question = asking.Question(
        kind=NAME,
        parameters=ResolveAsked(intent_id=intent.intent_id, word=word),
        deed=claim,
        typed=f"/unknown {intent.intent_id}",
        lifetime=_LIFETIME,
        account=account.name,
    )
    lines = [bold(f"{claim}?"), f"About the doubt: {text(deed)}", text(means), code(intent.intent_id)]
    await asking.ask(
        house,
        question,
        where=where,
        body=lambda expires_at: "\n".join([*lines, "", f"Open until: {text(clock(expires_at, zone))}"]),
    )


async def carry_out(house: House, account: Account, proposal: Proposal) -> None:
    """The desk was told, and the message says how the intent stands."""
    asked = proposal.read(ResolveAsked)
    user = await house.store.do(house.access.user, proposal.user_id)
    by = words.in_chat(user.name if user else "", proposal.user_id)
    await asyncio.to_thread(account.client.desk.resolve, asked.intent_id, asked.word, by=by, why="")
    await _settle(house, proposal)


def is_untouched(house: House, proposal: Proposal) -> bool:
    """Whether the doubt still stands."""
    return house.journal.get(proposal.read(ResolveAsked).intent_id).reads_as is IntentState.UNKNOWN


async def tell(house: House, proposal: Proposal, _why: str) -> None:
    """The doubt is over, whoever ended it: the journal says how."""
    await _settle(house, proposal)


def needs_code(house: House, proposal: Proposal) -> bool:
    """Whether a code from the person's authenticator app is asked for: the one place that decides it for doubts."""
    del house, proposal
    return True


def _standing(intent: Intent) -> str:
    """How it stands now that the doubt is over."""
    if intent.made is not None:
        return line_of(intent.made)
    return f"It is {intent.standing}."


async def _settle(house: House, proposal: Proposal) -> None:
    intent = await house.store.do(house.journal.get, proposal.read(ResolveAsked).intent_id)
    body = f"{bold(f'Resolved: {words.deed_of(intent)}')}\n{text(_standing(intent))}\n{code(intent.intent_id)}"
    await ending.end(house, proposal, body)


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=is_untouched,
    tell=tell,
    needs_code=needs_code,
    not_done="Not resolved",
    nothing="The doubt stands as it was.",
)
