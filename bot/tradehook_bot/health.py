"""A small HTTP answer for whoever watches the process: is it asking Telegram, looking at the exchange, the only one?

On this machine only (127.0.0.1). Says nothing of money, people or keys.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import math
import time
from typing import TYPE_CHECKING, Any

from telegram.request import HTTPXRequest

from tradehook import __version__
from tradehook.errors import ConfigurationError, TradehookError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_bot.context import House
    from tradehook_bot.instance import Instance
    from tradehook_bot.sweeping import Sweeper

_log = logging.getLogger(__name__)
STALE_POLL_SECONDS = 60.0
STALE_SWEEP_SECONDS = 180.0
_HOST = "127.0.0.1"
_LONGEST_REQUEST = 4096
_PATIENCE_SECONDS = 5.0
_OK = 200


class Polls(HTTPXRequest):
    """How the bot asks Telegram for updates, and when that last went well."""

    def __init__(self) -> None:
        """Ask over one connection, as python-telegram-bot does by itself."""
        super().__init__(connection_pool_size=1)
        self._good_at = -math.inf

    @property
    def age_seconds(self) -> float:
        """How long ago Telegram last answered."""
        return time.monotonic() - self._good_at

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """See `BaseRequest.do_request`."""
        status, body = await super().do_request(*args, **kwargs)
        if status == _OK:
            self._good_at = time.monotonic()
        return status, body


class Health:
    """Answers how this process is."""

    def __init__(self, house: House, *, polls: Polls, sweepers: Mapping[str, Sweeper], instance: Instance) -> None:
        """Watch these."""
        self._house = house
        self._polls = polls
        self._sweepers = sweepers
        self._instance = instance
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int | None:
        """Where it listens, if it does."""
        return self._server.sockets[0].getsockname()[1] if self._server is not None else None

    async def start(self, port: int) -> None:
        """It answers on this port; 0 is any that is free.

        Raises:
            ConfigurationError: the port is taken.
        """
        try:
            self._server = await asyncio.start_server(self._answer, _HOST, port, limit=_LONGEST_REQUEST)
        except OSError as error:
            raise ConfigurationError(
                f"TRADEHOOK_BOT_HEALTH_PORT: {_HOST}:{port} cannot be listened on ({error.strerror})."
            ) from None
        _log.info("Health is told at http://%s:%s/health.", _HOST, self.port)

    async def stop(self) -> None:
        """It answers no more. May be repeated."""
        server, self._server = self._server, None
        if server is not None:
            server.close()
            await server.wait_closed()

    async def state(self) -> dict[str, Any]:
        """How this process is; `problems` is empty when all is well."""
        house = self._house
        problems = []
        if self._polls.age_seconds > STALE_POLL_SECONDS:
            problems.append("Telegram has not answered for a minute")
        if not self._instance.is_ours:
            problems.append("another process may speak for this bot")
        sweeps = {name: sweeper.age_seconds for name, sweeper in self._sweepers.items()}
        problems += [
            f"what is open at {name} has not been looked at for three minutes"
            for name, age in sweeps.items()
            if age > STALE_SWEEP_SECONDS
        ]
        waiting: int | None = None
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                waiting = await house.store.do(house.outbox.waiting)
        except (TradehookError, TimeoutError):
            problems.append("the journal's database does not answer")
        return {
            "ok": not problems,
            "problems": problems,
            "polling_age_seconds": _rounded(self._polls.age_seconds),
            "sweep_age_seconds": {name: _rounded(age) for name, age in sweeps.items()},
            "outbox_waiting": waiting,
            "lock": {"is_ours": self._instance.is_ours, "age_seconds": _rounded(self._instance.age_seconds)},
            "version": __version__,
        }

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.LimitOverrunError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(2 * _PATIENCE_SECONDS):
                head = await reader.readuntil(b"\r\n\r\n")
                method, _, rest = head.partition(b" ")
                if method not in (b"GET", b"HEAD"):
                    status, content = "405 Method Not Allowed", {"problems": ["only GET"]}
                elif rest.split(b" ", 1)[0] not in (b"/", b"/health"):
                    status, content = "404 Not Found", {"problems": ["look at /health"]}
                else:
                    content = await self.state()
                    status = "200 OK" if content["ok"] else "503 Service Unavailable"
                body = json.dumps(content).encode()
                lines = (
                    f"HTTP/1.1 {status}",
                    "Content-Type: application/json",
                    f"Content-Length: {len(body)}",
                    "Cache-Control: no-store",
                    "Connection: close",
                )
                writer.write("\r\n".join([*lines, "", ""]).encode() + (b"" if method == b"HEAD" else body))
                await writer.drain()
        writer.close()


def _rounded(seconds: float) -> float | None:
    return round(seconds, 1) if math.isfinite(seconds) else None
