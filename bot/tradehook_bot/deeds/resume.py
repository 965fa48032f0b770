"""Trading goes on after a freeze. Only the freeze that was asked about is lifted, never a later one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.errors import GuardRefused
from tradehook.models import Value
from tradehook_bot.deeds import asking, ending
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from datetime import timedelta

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

_log = logging.getLogger(__name__)
NAME = "resume"
_DEED = "Let trading go on"


class ResumeAsked(Value):
    """What is stored of the question."""

    frozen_at: str
    """When the freeze was written down, as the journal has it: which freeze is meant."""
    who: str
    """Who asks, for the record."""


async def ask(
    house: House, *, where: Where, who: str, frozen: dict[str, str], lifetime: timedelta, lead: str = ""
) -> None:
    """Ask whether this freeze shall be lifted.

    Args:
        house: where.
        where: who may answer, and where.
        who: the same for the record.
        frozen: the journal's word about the freeze.
        lifetime: how long the question stays open.
        lead: HTML to say first.
    """
    why = f": {text(frozen['why'])}" if frozen["why"] else ""
    question = asking.Question(
        kind=NAME,
        parameters=ResumeAsked(frozen_at=frozen["changed_at"], who=who),
        deed=_DEED,
        typed="/resume",
        lifetime=lifetime,
        no="Leave it frozen",
    )
    await asking.ask(
        house,
        question,
        where=where,
        body=asking.until(
            [
                *([lead] if lead else []),
                bold(f"{_DEED}?"),
                f"Frozen since {render.clock_of(frozen['changed_at'])} by {text(frozen['changed_by'])}{why}.",
            ]
        ),
    )


async def carry_out(house: House, _account: Account, proposal: Proposal) -> None:
    """The freeze is lifted, or the message says why not."""
    asked = proposal.read(ResumeAsked)
    now = await house.store.do(house.journal.trading_state)
    if now["state"] == "NORMAL":
        await _end(house, proposal, "Trading is not frozen; nothing to lift.")
        return
    try:
        await lift(house, who=asked.who, frozen_at=asked.frozen_at)
    except GuardRefused:
        now = await house.store.do(house.journal.trading_state)
        await _end(
            house,
            proposal,
            f"{bold('Still frozen.')} It was frozen anew by {text(now['changed_by'])} meanwhile. /resume lifts it.",
        )
        return
    await _end(house, proposal, lifted(now))


async def lift(house: House, *, who: str, frozen_at: str) -> None:
    """Trading goes on.

    Args:
        house: where.
        who: says so.
        frozen_at: when the freeze came that they mean: a later one stays.

    Raises:
        GuardRefused: `rule` is `resume`: it was frozen anew.
    """
    await house.store.do(house.journal.trading.set, "NORMAL", by=who, since=frozen_at)
    _log.warning("The freeze was lifted by %s.", who)


def lifted(frozen: dict[str, str]) -> str:
    """What is said when a freeze was lifted, as HTML."""
    return (
        f"{bold('Trading goes on.')}\nThe freeze by {text(frozen['changed_by'])} is lifted. "
        "What was refused meanwhile is not made up for."
    )


def is_untouched(house: House, proposal: Proposal) -> bool:
    """Whether the freeze that was asked about still holds."""
    return house.journal.trading_state()["changed_at"] == proposal.read(ResumeAsked).frozen_at


async def tell(house: House, proposal: Proposal, why: str) -> None:
    """It changed meanwhile, by this question or otherwise."""
    state = (await house.store.do(house.journal.trading_state))["state"]
    stands = "Trading goes on." if state == "NORMAL" else "Trading is still frozen. /resume asks again."
    await _end(house, proposal, f"{why}\n{bold(stands)}")


async def _end(house: House, proposal: Proposal, words: str) -> None:
    await ending.end(house, proposal, words, has_letter=True)


def needs_code(house: House, _proposal: Proposal) -> bool:
    """Whether it takes a code: where money is real, whoever has the chat shall not be able to go on alone."""
    return house.environment == "live"


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=is_untouched,
    tell=tell,
    needs_code=needs_code,
    is_of_one_account=False,
    not_done="Still frozen",
    nothing="Trading is still frozen.",
)
