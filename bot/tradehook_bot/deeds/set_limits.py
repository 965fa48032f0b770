"""The limits of an account are changed. What allows less takes a yes; what allows more takes a code as well.

What was asked about is a change of one version of the limits: if somebody sets others meanwhile, nothing is changed.
Whether orders are sent to a live exchange at all is not decided here: only `tradehook go-live` does that.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tradehook.desk import guard
from tradehook.desk.limit_changes import WORDS, changes, looser, made_of
from tradehook.desk.limits import Limits
from tradehook.errors import InvalidInput
from tradehook.models import Value
from tradehook_bot import words
from tradehook_bot.arrivals import tell_others
from tradehook_bot.deeds import asking, ending
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.desk.limits import SetLimits
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

_log = logging.getLogger(__name__)
NAME = "limits"


class LimitsAsked(Value):
    """What is stored of the question."""

    host: str
    account_id: str
    after: int
    """The version that was looked at; 0 when nobody ever set limits."""
    limits: Limits
    """What shall hold, whole."""
    allows_more: bool
    lines: tuple[str, ...]
    """What is different then, in words."""


async def ask(house: House, account: Account, wanted: Mapping[str, Any], *, where: Where, typed: str) -> None:
    """Ask whether these limits of the account shall be changed.

    Raises:
        InvalidInput: a limit cannot be so, or nothing would change.
        GuardRefused: it allows more, and its person can give no code, or not here.
        TradehookError: whose account it is could not be asked.
    """
    host, account_id = account.client.exchange.host, await account.identify()
    newest = await house.store.do(house.journal.limits.newest, host, account_id)
    before = newest.limits if newest is not None else None
    after = made_of(before or Limits(), wanted)
    lines = tuple(changes(before, after))
    if before == after or not lines:
        raise InvalidInput("The limits are so already; nothing would change.", suggestions=("/limits",))
    is_live = guard.is_live(account.client.exchange)
    # What is set before a live account is opened is what `tradehook go-live` begins with: nobody sets that by a yes.
    more = [*wanted] if before is None and is_live else looser(before, after, is_live=is_live)
    if more:
        await asking.check_code(house, where, what="To allow more")
    asked = LimitsAsked(
        host=host,
        account_id=account_id,
        after=newest.version if newest is not None else 0,
        limits=after,
        allows_more=bool(more),
        lines=lines,
    )
    question = asking.Question(
        kind=NAME,
        parameters=asked,
        deed=f"Set the limits of {account.title}",
        typed=typed,
        lifetime=house.settings.limit_lasts(),
        account=account.name,
    )
    body = [bold(f"Set the limits of {account.title}?"), *(text(line) for line in lines)]
    if before is None:
        body.append("Until now nobody set any. What is not named here stands as tradehook begins with it.")
    if more:
        body.append(text(f"This allows more: {', '.join(WORDS[name] for name in more)}."))
        body.append("After Confirm I ask for a code from your authenticator app.")
    else:
        body.append("This allows no more than now.")
    await asking.ask(house, question, where=where, body=asking.until(body))


async def carry_out(house: House, _account: Account, proposal: Proposal) -> None:
    """The limits hold. Raises when somebody set others meanwhile."""
    asked = proposal.read(LimitsAsked)
    user = await house.store.do(house.access.user, proposal.user_id)
    by = words.in_chat(user.name if user is not None else "", proposal.user_id)
    made = await house.store.do(
        house.journal.limits.set,
        asked.host,
        asked.account_id,
        asked.limits,
        by=by,
        why=_why(proposal),
        after=asked.after,
    )
    _log.warning("Version %s of the limits of %s was set by %s.", made.version, proposal.account, by)
    await _end(house, proposal, made)


def is_untouched(house: House, proposal: Proposal) -> bool:
    """Whether no version of the limits is this question's."""
    return _made(house, proposal) is None


async def tell(house: House, proposal: Proposal, _why: str) -> None:
    """They were set: the book of limits says so."""
    made = await house.store.do(_made, house, proposal)
    assert made is not None  # noqa: S101 - otherwise nothing was done, and `is_untouched` has said so
    await _end(house, proposal, made)


def needs_code(_house: House, proposal: Proposal) -> bool:
    """Whether it allows more: whoever has the chat, but not the app, cannot."""
    return proposal.read(LimitsAsked).allows_more


async def _end(house: House, proposal: Proposal, made: SetLimits) -> None:
    """The message says it, and everybody else hears of it, in case it was not who it seems."""
    asked = proposal.read(LimitsAsked)
    told = [bold(f"Version {made.version} of the limits holds from now on."), *(text(line) for line in asked.lines)]
    body = "\n".join([*told, text(f"Set by {made.set_by}.")])
    key = f"{proposal.proposal_id}:limits"
    await tell_others(house, body, but=proposal.user_id, key=key, account=proposal.account)
    await ending.end(house, proposal, body)


def _made(house: House, proposal: Proposal) -> SetLimits | None:
    """The version that this question made."""
    asked = proposal.read(LimitsAsked)
    history = house.journal.limits.history(asked.host, asked.account_id)
    return next((version for version in history if version.why == _why(proposal)), None)


def _why(proposal: Proposal) -> str:
    return f"question {proposal.proposal_id}"


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=is_untouched,
    tell=tell,
    needs_code=needs_code,
    details=lambda proposal: [text(line) for line in proposal.read(LimitsAsked).lines],
    not_done="Not set",
    nothing="The limits stand as they were.",
)
