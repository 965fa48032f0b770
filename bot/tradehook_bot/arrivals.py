"""Somebody new may use the bot, or somebody did what weighs: all others hear of it, in case it was the wrong one."""

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
    words = (
        f"{bold('Somebody may use me from now on')}: {text(user.full_name)} (user {user.id}), by a one-time link. "
        f"They may {MAY[role]}. If that is wrong, freeze, and at the machine: tradehook-bot remove {user.id}"
    )
    await tell_others(house, words, but=user.id, key=f"came in:{user.id}:{now():%Y%m%d%H%M%S}")


async def tell_others(house: House, words: str, *, but: int, key: str, account: str | None = None) -> None:
    """Everybody who may use the bot will be told at once, with a button to freeze; not the one who did it.

    Args:
        house: where.
        words: HTML.
        but: who did it.
        key: names what is told: it is told once.
        account: which account it is about, if it is about one.
    """
    everybody = await house.store.do(house.access.users)
    letters = [
        Letter(user.user_id, key, words, weight=Weight.URGENT, has_freeze=True, account=account)
        for user in everybody
        if user.user_id != but
    ]
    await house.store.do(house.outbox.put, *letters)
