"""How fast the bot speaks: what Telegram allows in all and in a group, and silence in a chat that it asked to wait for.

python-telegram-bot's own limiter holds every chat when one is told to slow down; here the others go on.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any

from aiolimiter import AsyncLimiter
from telegram.error import RetryAfter
from telegram.ext import BaseRateLimiter

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

ONCE = "once"
"""The `rate_limit_args` of a call that is told to wait rather than made to: whoever called has other things to do."""
SPARE = "spare"
"""The same of a call that can wait better than others: it leaves room for a few of them in its group's minute."""
_TRIES = 3
_MOST_CHATS = 512
_PER_SECOND, _PER_GROUP_MINUTE = 30, 20
_GROUP_PAUSE_SECONDS = 3
_ROOM = 5
"""So many messages of a group's minute are left to what is new, however much there is to edit."""


class PerChatPace(BaseRateLimiter[str]):
    """Keeps to Telegram's limits. A call with `rate_limit_args` does not wait for its chat."""

    def __init__(self, *, per_second: float = _PER_SECOND) -> None:
        """Send at most so many messages a second in all."""
        self._overall = AsyncLimiter(per_second, 1)
        self._groups: dict[int | str, AsyncLimiter] = {}
        self._quiet_until: dict[int | str, float] = {}

    async def initialize(self) -> None:
        """Nothing to prepare."""

    async def shutdown(self) -> None:
        """Nothing to let go of."""

    async def process_request(  # noqa: PLR0917 - the signature is python-telegram-bot's
        self,
        callback: Callable[..., Coroutine[Any, Any, Any]],
        args: Any,
        kwargs: dict[str, Any],
        endpoint: str,  # noqa: ARG002
        data: dict[str, Any],
        rate_limit_args: str | None,
    ) -> Any:
        """Make the call when it may be made.

        Raises:
            RetryAfter: Telegram asks to wait, and it is not to be tried again here.
        """
        chat_id = data.get("chat_id")
        if chat_id is None:
            return await callback(*args, **kwargs)
        is_patient = rate_limit_args is None
        room = 1 + (_ROOM if rate_limit_args == SPARE else 0)
        left = _TRIES if is_patient else 0
        while True:
            await self._wait(chat_id, is_patient=left > 0)
            group = self._group(chat_id)
            if group is not None and not is_patient and not group.has_capacity(room):
                raise RetryAfter(_GROUP_PAUSE_SECONDS)  # by our own count; one busy group holds up nobody else
            try:
                async with AsyncExitStack() as turns:
                    if group is not None:
                        await turns.enter_async_context(group)
                    await turns.enter_async_context(self._overall)
                    return await callback(*args, **kwargs)
            except RetryAfter as error:
                self._quiet(chat_id, seconds_of(error))
                if left <= 0:
                    raise
                left -= 1

    async def _wait(self, chat_id: int | str, *, is_patient: bool) -> None:
        while (seconds := self._quiet_until.get(chat_id, 0) - time.monotonic()) > 0:
            if not is_patient:
                raise RetryAfter(max(int(seconds + 1), 1))
            await asyncio.sleep(seconds)

    def _quiet(self, chat_id: int | str, seconds: float) -> None:
        if len(self._quiet_until) >= _MOST_CHATS:
            moment = time.monotonic()
            self._quiet_until = {chat: until for chat, until in self._quiet_until.items() if until > moment}
        self._quiet_until[chat_id] = time.monotonic() + seconds

    def _group(self, chat_id: int | str) -> AsyncLimiter | None:
        if isinstance(chat_id, int) and chat_id > 0:
            return None
        if len(self._groups) >= _MOST_CHATS:
            self._groups = {chat: rate for chat, rate in self._groups.items() if not rate.has_capacity(rate.max_rate)}
        return self._groups.setdefault(chat_id, AsyncLimiter(_PER_GROUP_MINUTE, 60))


def seconds_of(error: RetryAfter) -> float:
    """How long Telegram asks to wait: a number of seconds or a timedelta, as python-telegram-bot is set up."""
    wait = error.retry_after
    return float(wait if isinstance(wait, int) else wait.total_seconds())
