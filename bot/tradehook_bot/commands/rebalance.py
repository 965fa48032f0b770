"""`/rebalance [targets]`: shows the plan that leads to named targets, leg by leg, and asks whether to carry it out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_bot.deeds import rebalance as deed

if TYPE_CHECKING:
    from tradehook_bot.context import Ask

_DEFAULT = "main"


async def rebalance(ask: Ask) -> None:
    """The person is asked whether to carry the plan out, or hears that nothing is to be traded."""
    ask.check_chosen()
    if len(ask.words) > 1:
        raise InvalidInput(
            "Name one set of targets.", suggestions=tuple(f"/rebalance {word}" for word in ask.words[:3])
        )
    try:
        await deed.ask(ask.house, ask.account, ask.words[0] if ask.words else _DEFAULT, where=ask.where, typed=ask.text)
    except InvalidInput as error:
        offers = [str(offer) for offer in error.details.get("suggestions", ())]
        if not offers or offers[0].startswith("/"):
            raise
        # What is offered are names of targets.
        raise InvalidInput(error.message, suggestions=tuple(f"/rebalance {offer}" for offer in offers)) from None
