"""FinTrusted's stream over real sockets: packed frames, and connections that are cut, again and again."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import urllib.request
from contextlib import aclosing
from pathlib import Path

import pytest
from websockets.sync.client import connect

from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.prices import Kline, PriceGap
from tradehook.run import run_each

PATIENCE_SECONDS = 20
QUICK = ("--rate-limit", "0", "--fintrusted-stream-seconds", "0.02", "--fintrusted-stream-candles", "200")


def admin(server, path, body):
    request = urllib.request.Request(f"{server.url}/_sandbox{path}", data=json.dumps(body).encode())
    with urllib.request.urlopen(request, timeout=PATIENCE_SECONDS) as response:
        return json.load(response)


def opened(server, line, **options):
    return FinTrusted(line, dialect=Dialect.parse(options), base_url=server.url)


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def candles_of(server):
    """What somebody hears who subscribes now: the candles that are closed."""
    with connect(f"{server.url.replace('http', 'ws')}/ws", proxy=None, open_timeout=PATIENCE_SECONDS) as peer:
        peer.send('{"op":"subscribe","args":["kline.BTC/USDT.1m"]}')
        while "data" not in (frame := json.loads(peer.recv(timeout=PATIENCE_SECONDS), parse_float=str)):
            pass
    return {row["time"]: float(row["close"]) for row in frame["data"] if row["closed"]}


@pytest.mark.parametrize("packing", ["gzip", "deflate"])
def test_packed_frames_are_understood(start_sandbox, packing):
    server = start_sandbox(*QUICK, "--fintrusted-stream-packing", packing)
    line = BlockingLine()
    news = run_each(opened(server, line).prices.watch(("BTC",), topics=("trades", "depth")))
    assert {next(news).topic for _ in range(60)} == {"trades", "depth"}
    news.close()
    line.close()


@pytest.mark.parametrize(
    ("losses", "step"), [(5, 90), pytest.param(200, 18, marks=pytest.mark.prove)], ids=["", "proof"]
)
def test_no_candle_is_missing_after_cut_connections(start_sandbox, losses, step):
    """Each loss is followed by a jump of the sandbox's clock: 200 of 18 seconds are an hour."""
    server = start_sandbox(*QUICK)
    told, sizes, lost = {}, [], 0

    async def listen():
        nonlocal lost
        line = AsyncLine()
        async with (
            asyncio.timeout(600),
            aclosing(opened(server, line).prices.watch(("BTC",), topics=("klines", "trades", "depth"))) as news,
        ):
            is_armed = False
            async for one in news:
                if isinstance(one, PriceGap):
                    assert "missing" not in one.reason
                    lost, is_armed = lost + 1, False
                    await asyncio.to_thread(admin, server, "/clock", {"advance": step})
                    gc.collect()
                    sizes.append(resident_bytes())
                    continue
                if isinstance(one.item, Kline) and one.item.is_closed:
                    opened_at = int(one.item.opened_at.timestamp() * 1_000)
                    assert opened_at not in told, "told twice"
                    told[opened_at] = float(one.item.close)
                if lost == losses and not one.is_reread:
                    break
                if not is_armed and not one.is_reread:
                    is_armed = True
                    fault = {"kind": "drop_websocket", "path": "/ws"}
                    await asyncio.to_thread(admin, server, "/faults", fault)
        await line.close()

    asyncio.run(listen())
    true = candles_of(server)
    assert list(told) == list(range(min(told), max(told) + 1, 60_000))
    assert len(told) >= 199 + losses * step // 60
    assert max(told) >= max(true) - 60_000
    assert {at: close for at, close in told.items() if at >= min(true)}.items() <= true.items()
    print(f"{lost} losses, {len(told)} candles, {sizes[len(sizes) // 3]:,} to {sizes[-1]:,} bytes resident")
    assert sizes[-1] - sizes[len(sizes) // 3] < 20_000_000
