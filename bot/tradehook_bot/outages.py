"""Tells when an exchange cannot be looked at for two minutes while something is open there, and when it can again.

The two come as a pair, also over a restart: that the first was told stands in the database.
"""

from __future__ import annotations

import hashlib
import time
from typing import TYPE_CHECKING

from tradehook.desk.schema import writing
from tradehook.errors import NetworkError, Unavailable
from tradehook.render import clock, error_line, in_chat
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now

if TYPE_CHECKING:
    from tradehook.errors import TradehookError
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House

DOWN_AFTER_SECONDS = 120.0


class Outage:
    """Whether one account's exchange can be looked at."""

    def __init__(self, house: House, account: Account) -> None:
        """Nothing is known yet but what a former run told."""
        self._house = house
        self._account = account
        self._mark = f"down:{hashlib.sha256(account.name.encode()).hexdigest()[:32]}"
        self._failing_since: float | None = None
        self._error: TradehookError | None = None
        self._told_at: int | None = None

    async def is_told(self) -> bool:
        """Whether people were told that it is down, and wait to hear that it is up."""
        if self._told_at is None:
            self._told_at = await self._house.store.do(self._house.store.mark, self._mark) or 0
        return self._told_at > 0

    async def failed(self, error: TradehookError | None, *, since: float) -> None:
        """A look failed, or hangs; `since` is when it began, by the monotonic clock. Told once, when it is time."""
        if self._failing_since is None:
            self._failing_since = since
        self._error = error
        await self.goes_on()

    async def goes_on(self) -> None:
        """Nobody has looked since: what failed before may be two minutes old by now."""
        error = self._error
        if self._failing_since is None:
            return
        if time.monotonic() - self._failing_since < DOWN_AFTER_SECONDS or await self.is_told():
            return
        label = self._account.spec.label
        minutes = max(round((time.monotonic() - self._failing_since) / 60), 1)
        for_so_long = f"for {minutes} minute{'s' if minutes > 1 else ''}"
        if error is None or isinstance(error, NetworkError | Unavailable):
            fact = f"{label} has not answered {for_so_long}, and something is open there."
            why = "I keep trying, and say when it answers again."
        else:
            fact = f"I could not look at {label} {for_so_long}, and something is open there."
            why = in_chat(error_line(error))
        body = f"{bold(fact)}\n{text(why)}\nWhat is open may be filled meanwhile, and you would hear of it late."
        await self._house.store.do(self._tell, body, int(now().timestamp()))

    def forget(self) -> None:
        """Nothing is open, so that nobody looks: what failed before says nothing of later."""
        self._failing_since = None

    async def answered(self) -> None:
        """A look came back."""
        self._failing_since = None
        if not await self.is_told():
            return
        body = f"{bold(f'{self._account.spec.label} answers again.')}\nWhat happened meanwhile is told as it is found."
        await self._house.store.do(self._tell, body, 0)

    def _tell(self, body: str, told_at: int) -> None:
        """Queue it for everybody, and write down that it was told."""
        house, key = self._house, f"{self._mark}:{told_at or f'{self._told_at}:up'}"
        stamped = f"{body}\n{text(clock(now()))}"
        letters = [
            Letter(user.user_id, key, stamped, account=self._account.name, weight=Weight.URGENT)
            for user in house.access.users()
        ]
        with writing(house.store.engine) as connection:
            house.outbox.put_within(connection, letters)
            house.store.put_mark(connection, self._mark, told_at)
        self._told_at = told_at
