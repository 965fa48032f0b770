"""What a message of a stream costs through our client, beside bare `websockets` + `json` in the same run.

Run by `make bench`. The far side sends FinTrusted's frames as the sandbox writes them, as fast as they are taken. Ours
checks each frame and makes plain values of it; bare means `recv` and `json.loads` with `Decimal`, and throws away what
it read. What is counted is this process's own work (CPU time), so that neighbours do not matter. Prints ratios;
absolute figures are of this machine.
"""

from __future__ import annotations

import asyncio
import json
import os
import statistics
import time
from contextlib import aclosing, contextmanager
from decimal import Decimal
from typing import TYPE_CHECKING

from websockets.asyncio.client import connect
from websockets.sync.server import serve

from tradehook.exchanges.fintrusted import stream, stream_frames
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.lines.asynchronous import AsyncLine
from tradehook.prices import PriceGap, Topic
from tradehook_sandbox import Sandbox
from tradehook_sandbox.fintrusted.stream_connection import Connection

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

    from websockets.sync.server import ServerConnection

ROUNDS, MESSAGES, GOAL = 5, 4_000, 1.5
CHANNELS = {
    "tickers": ("price_candles", "ticker.BTC/USDT"),
    "candles": ("klines", "kline.BTC/USDT.1m"),
    "trades": ("trades", "trades.BTC/USDT"),
    "books of 20 levels a side": ("depth", "depth.BTC/USDT"),
}


def frames(channel: str) -> list[str]:
    """What the sandbox says on a channel, frame after frame; numbers follow each other."""
    sandbox = Sandbox(fintrusted_stream_candles=2)
    connection = Connection(sandbox.fintrusted)
    connection.hear(json.dumps({"op": "subscribe", "args": [channel]}))
    found: list[str] = []
    while len(found) < MESSAGES:
        sandbox.clock.advance(0.5)
        found += sandbox.beside(connection.tell)
    return found[:MESSAGES]


@contextmanager
def saying(told: list[str]) -> Iterator[str]:
    """A process that says this to everybody who has subscribed; where it is."""

    def talk(peer: ServerConnection) -> None:
        peer.recv()
        for text in told:
            peer.send(text)

    server = serve(talk, "127.0.0.1", 0, compression=None, ping_interval=None, close_timeout=0.1)
    process = os.fork()
    if process == 0:
        server.serve_forever()
        os._exit(0)
    try:
        yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}/ws"
    finally:
        os.kill(process, 9)
        os.waitpid(process, 0)
        server.socket.close()


async def bare(url: str) -> float:
    """Seconds for all messages with nothing around them."""
    async with connect(url, proxy=None, compression=None) as peer:
        await peer.send('{"op":"subscribe"}')
        await peer.recv()
        began = time.process_time()
        for _ in range(MESSAGES - 1):
            json.loads(await peer.recv(), parse_float=Decimal)
        return time.process_time() - began


async def ours(url: str, topic: str) -> float:
    """Seconds for all messages through `watch`, which tells the end of the connection as a gap."""
    line, dialect = AsyncLine(), Dialect()
    channels = stream_frames.wanted([("BTC", "USDT")], [Topic(topic)], ["1m"], dialect)
    began = 0.0
    async with aclosing(stream.watch(line, channels, url=url, dialect=dialect)) as news:
        async for one in news:
            began = began or time.process_time()
            if isinstance(one, PriceGap):
                break
    taken = time.process_time() - began
    await line.close()
    return taken


def measure(name: str, topic: str, told: list[str]) -> float:
    """Prints what one kind of message costs; returns the ratio."""
    times: dict[str, list[float]] = {"bare": [], "tradehook": []}
    with saying(told) as url:
        runs: dict[str, Callable[[], Coroutine[None, None, float]]] = {
            "bare": lambda: bare(url),
            "tradehook": lambda: ours(url, topic),
        }
        for _ in range(ROUNDS):
            for who, run in runs.items():
                times[who].append(asyncio.run(run()))
    middle = {who: statistics.median(found) for who, found in times.items()}
    ratio = middle["tradehook"] / middle["bare"]
    print(
        f"  {name:28} {MESSAGES / middle['tradehook']:8,.0f} a second; bare {MESSAGES / middle['bare']:8,.0f}; "
        f"{ratio:.2f} times"
    )
    return ratio


if __name__ == "__main__":
    print(f"a stream's messages beside bare websockets + json, {MESSAGES} each, medians of {ROUNDS}")
    found = [measure(name, topic, frames(channel)) for name, (topic, channel) in CHANNELS.items()]
    print(f"  goal: {GOAL} times at most; the largest is {max(found):.2f}")
