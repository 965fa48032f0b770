"""In which order updates are handled: one after the other inside a chat, side by side between chats.

A freeze waits for nobody. Money never depends on this order: whether a press counts is decided in the database.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from telegram import Update
from telegram.ext import BaseUpdateProcessor

from tradehook_bot.keyboards import FREEZE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

MOST_AT_ONCE = 256


class PerChat(BaseUpdateProcessor):
    """A lock for each chat that has something to do, and none for the others."""

    def __init__(self, most_at_once: int = MOST_AT_ONCE) -> None:
        """Handle at most so many updates at the same time."""
        super().__init__(most_at_once)
        self._turns: dict[int, tuple[asyncio.Lock, int]] = {}

    async def do_process_update(self, update: object, coroutine: Awaitable[Any]) -> None:
        """Handle an update when its chat's turn has come."""
        chat = update.effective_chat if isinstance(update, Update) else None
        if chat is None or is_freeze(update):
            await coroutine
            return
        async with self._turn(chat.id):
            await coroutine

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to let go of."""

    @asynccontextmanager
    async def _turn(self, chat_id: int) -> AsyncIterator[None]:
        lock, waiting = self._turns.get(chat_id, (asyncio.Lock(), 0))
        self._turns[chat_id] = (lock, waiting + 1)
        try:
            async with lock:
                yield
        finally:
            lock, waiting = self._turns[chat_id]
            if waiting == 1:
                del self._turns[chat_id]
            else:
                self._turns[chat_id] = (lock, waiting - 1)


def is_freeze(update: object) -> bool:
    """Whether somebody asks to stop everything."""
    if isinstance(update, Update) and update.callback_query is not None:
        return update.callback_query.data == FREEZE
    message = update.message if isinstance(update, Update) else None
    text = message.text if message is not None else None
    return bool(text) and str(text).split(maxsplit=1)[0].lower().partition("@")[0] == "/freeze"
