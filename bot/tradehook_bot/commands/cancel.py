"""`/cancel`: one order at once, or all of them after one question with their count."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot.commands import orders
from tradehook_bot.deeds import cancel_all

if TYPE_CHECKING:
    from tradehook_bot.context import Ask


async def cancel(ask: Ask) -> None:
    """The order was asked to be canceled; of `all`, the person is asked. Works in a freeze."""
    if [word.lower() for word in ask.words] != ["all"]:
        await orders.cancel(ask)
    elif not await cancel_all.ask(ask.house, ask.account, where=ask.where, typed=ask.text):
        await ask.reply("No order is open that could be canceled. /orders shows what there is.")
