"""Somebody new may use the bot: everybody else who may hears of it, in case it was the wrong one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot.access import MAY
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now

if TYPE_CHECKING:
    from telegram import User

    from tradehook_bot.context import House


async def tell(house: House, user: User, role: str) -> None:
    """All others have been told who came in, and what they may do."""
    everybody = await house.store.do(house.access.users)
    words = (
        f"{bold('Somebody may use me from now on')}: {text(user.full_name)} (user {user.id}), by a one-time link. "
        f"They may {MAY[role]}. If that is wrong, freeze, and at the machine: tradehook-bot remove {user.id}"
    )
    key = f"came in:{user.id}:{now():%Y%m%d%H%M%S}"
    letters = [
        Letter(each.user_id, key, words, weight=Weight.URGENT, has_freeze=True)
        for each in everybody
        if each.user_id != user.id
    ]
    await house.store.do(house.outbox.put, *letters)
