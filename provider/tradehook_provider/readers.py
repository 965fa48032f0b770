"""One reader of an account for all triggers of an event loop: its balances, its prices, its completions.

Whoever comes first opens it, whoever leaves last closes its sockets. What one asks for, all others hear, so that a
hundred triggers cost what one costs.
"""

from __future__ import annotations

import asyncio
import math
import time
from abc import abstractmethod
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Generic, Protocol, Self, TypeVar, cast
from weakref import WeakKeyDictionary

from tradehook_provider.hooks.exchange import ExchangeHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from tradehook.client import AsyncClient
    from tradehook.futures import Position
    from tradehook.models import Balance
    from tradehook.settings import Settings

FRESH = 0.9
"""How much of an interval may have passed for what was read to count as of this interval."""


class Reader(Protocol):
    """What triggers of one account share. Belongs to one event loop; usable again after it was closed."""

    users: int

    @classmethod
    async def opened(cls, hook: ExchangeHook, settings: Settings) -> Self:
        """One for these settings. Reads nothing yet."""
        ...

    async def close(self) -> None:
        """Let go of everything that is open, unless somebody came meanwhile."""
        ...


ReaderT = TypeVar("ReaderT", bound=Reader)
ReadT = TypeVar("ReadT")

_readers: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[tuple[type, Settings], Reader]] = WeakKeyDictionary()


@asynccontextmanager
async def shared(kind: type[ReaderT], exchange_conn_id: str) -> AsyncIterator[ReaderT]:
    """The reader of the account that the connection stands for now.

    Reads the connection each time, so that an edited one is another account from the next trigger on.
    """
    hook = ExchangeHook(exchange_conn_id)
    settings = await hook.aread_settings()
    here = _readers.setdefault(asyncio.get_running_loop(), {})
    key = (kind, settings)
    if key not in here:
        made = await kind.opened(hook, settings)
        here.setdefault(key, made)  # somebody else may have been faster; ours has opened no socket yet
    reader = here[key]
    assert isinstance(reader, kind)  # noqa: S101 - the key says so; for the type checker
    reader.users += 1
    try:
        yield reader
    finally:
        reader.users -= 1
        if reader.users == 0:
            await reader.close()


class OnceRead(Generic[ReadT]):
    """Something of one account, read once for all who ask within an interval. A subclass says what (`read`)."""

    def __init__(self, client: AsyncClient) -> None:
        """Make one over a client, which it closes."""
        self.users = 0
        self.client = client
        self._lock = asyncio.Lock()
        self._found: ReadT | None = None
        self._failure: Exception | None = None
        self._read_at = -math.inf

    @classmethod
    async def opened(cls, hook: ExchangeHook, settings: Settings) -> Self:
        """One for these settings. Reads nothing yet."""
        return cls(await hook.open_async(settings))

    @abstractmethod
    async def read(self) -> ReadT:
        """What stands at the exchange now. Raises `TradehookError`."""

    async def look(self, *, fresh_seconds: float) -> ReadT:
        """The same as it was at most `fresh_seconds` ago.

        Raises:
            TradehookError: the read failed; whoever asks within the interval hears of the same failure.
        """
        async with self._lock:
            if time.monotonic() - self._read_at >= fresh_seconds * FRESH:
                self._failure = None
                try:
                    self._found = await self.read()
                except Exception as error:  # noqa: BLE001 - kept for everybody who waits for this look
                    self._failure = error
                self._read_at = time.monotonic()
            if self._failure is not None:
                raise self._failure
            return cast("ReadT", self._found)

    async def close(self) -> None:
        """Close sockets; the token stays for the next user."""
        await self.client.close()


class BalanceReader(OnceRead["list[Balance]"]):
    """Everything that one account holds."""

    async def read(self) -> list[Balance]:
        """See `OnceRead`."""
        return await self.client.balances()


class PositionReader(OnceRead["Sequence[Position]"]):
    """The futures positions of one account."""

    async def read(self) -> Sequence[Position]:
        """See `OnceRead`. Raises `InvalidInput` where there are no futures."""
        from tradehook.desk.futures_deed import futures_of

        return await futures_of(self.client.exchange).positions()
