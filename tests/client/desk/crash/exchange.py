"""A real sandbox behind a real socket, in a process of its own, that begins anew for each trial when it is told to.

python exchange.py      prints one line of JSON: {"url": ..., "key": {...}}
POST /_crash/new        another sandbox, as new, with the same key
GET /_crash/futures     every futures order of FinTrusted, by id, and how it stands
"""

from __future__ import annotations

import json
import socket
import sys
from typing import Any

from tradehook.wire import Request, Response
from tradehook_sandbox import Sandbox
from tradehook_sandbox.clock import Clock
from tradehook_sandbox.faults import Answer
from tradehook_sandbox.server import serve
from tradehook_sandbox.true_markets.keys import fresh_bundle

NEW = "/_crash/new"
FUTURES = "/_crash/futures"
TOKEN_SECONDS = 3_000
"""A FinTrusted token lives for a week; the harness waits for its end, and prices move all the while."""


class Rooms:
    """One sandbox after another, at one address."""

    def __init__(self, key: dict[str, Any]) -> None:
        self.key = key
        self.sandbox = self.fresh()

    def fresh(self) -> Sandbox:
        sandbox = Sandbox(
            clock=Clock(), rate_limit=0, fintrusted_token_seconds=TOKEN_SECONDS, fintrusted_futures_answer="order"
        )
        sandbox.register(self.key)
        return sandbox

    def futures(self) -> dict[str, str]:
        """By the sandbox's own books; its admin shows spot orders only."""
        self.sandbox.catch_up()
        orders = self.sandbox.fintrusted.futures.engine.orders
        return {f"CE{order.created_micros // 1_000}{order.number:06d}": order.status for order in orders}

    def respond(self, request: Request) -> Answer:
        if request.path == NEW:
            self.sandbox = self.fresh()
            return Answer(Response(200, body=b"{}"))
        if request.path == FUTURES:
            return Answer(Response(200, body=json.dumps(self.futures()).encode()))
        return self.sandbox.respond(request)


if __name__ == "__main__":
    bundle = fresh_bundle()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        # asyncio does this only for sockets that name their protocol; without it each answer takes 40 ms.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        sys.stdout.write(json.dumps({"url": url, "key": bundle}) + "\n")
        sys.stdout.flush()
        serve(Rooms(bundle), listener, url=url)  # type: ignore[arg-type] - answers requests as a sandbox does
