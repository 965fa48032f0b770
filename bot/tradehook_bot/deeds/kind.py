"""What a kind of deed is: how it is carried out, and what is said of one that was not, or not to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal


def _never(_house: House, _proposal: Proposal) -> bool:
    return False


def _none(_proposal: Proposal) -> Sequence[str]:
    return ()


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of deed."""

    name: str
    """As it stands in a question's row."""
    carry_out: Callable[[House, Account, Proposal], Awaitable[None]]
    """Do what was confirmed, tell of it, and close the question. May raise: then `is_untouched` decides."""
    is_untouched: Callable[[House, Proposal], bool]
    """Whether certainly nothing was done yet, by what is written down. Blocking."""
    tell: Callable[[House, Proposal, str], Awaitable[None]]
    """Something was done, or may have been, and it did not come to its end, for this reason (HTML): tell how it stands
    and close the question. Never says that nothing was done. May be repeated."""
    needs_code: Callable[[House, Proposal], bool] = _never
    """Whether Confirm is followed by a code from the person's authenticator app."""
    details: Callable[[Proposal], Sequence[str]] = _none
    """What a person should see once more while they type the code, in lines of HTML."""
    is_of_one_account: bool = True
    """Whether it is about one account; otherwise it looks up its accounts by itself."""
    not_done: str = "Not sent"
    """How a message begins when nothing was done."""
    nothing: str = "Nothing was sent."
    """The same as a sentence."""
    over: Callable[[Proposal], str] | None = None
    """What a question's message says when it is over and nothing was done (HTML); by default, what it was about."""
