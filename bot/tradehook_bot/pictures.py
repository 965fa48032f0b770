"""A picture with words below it; the words alone where there can be no picture, and why."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.error import TelegramError

from tradehook import charts
from tradehook_bot.replies import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_bot.context import Ask

_log = logging.getLogger(__name__)
_LONGEST_CAPTION = 900
"""Characters below a picture. Telegram takes 1024; the rest is for the mark."""
MISSING = "(No picture: on the machine, pip install 'tradehook[charts]'.)"


async def show(ask: Ask, draw: Callable[[], bytes], words: str) -> None:
    """The person has seen the picture and the words, or the words.

    Args:
        ask: who is answered.
        draw: makes the PNG; runs on a thread.
        words: HTML; said below the picture, or after it where they are too long for that.
    """
    if not charts.is_available():
        await ask.reply(f"{words}\n{MISSING}")
        return
    picture = await asyncio.to_thread(draw)
    fits = len(plain(words)) <= _LONGEST_CAPTION
    caption = words if fits else words.partition("\n")[0]
    try:
        await ask.house.voice.show(ask.chat_id, picture, caption, account=ask.account.name, thread_id=ask.thread_id)
    except TelegramError as error:
        # Perhaps it arrived after all; the words are worth saying twice.
        _log.info("A picture could not be sent: %s", error)
        fits = False
    if not fits:
        await ask.reply(words)
