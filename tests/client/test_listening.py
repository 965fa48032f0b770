"""A stream is kept: silence and every kind of loss lead back to it, and the gap is read anew."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import aclosing

import pytest

from tradehook import errors
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.listening import Heard, Lost, Profile, listen
from tradehook.run import run, run_each
from tradehook.testing import MemoryLine, Said
from tradehook.wire import Response

CUT = Said(None)


class Clock:
    def __init__(self):
        self.at = 1_000_000.0

    def now(self):
        return self.at

    def advance(self, seconds):
        self.at += seconds


class Script:
    """The far side of one stream: says these, then is silent."""

    def __init__(self, *saids):
        self.saids = list(saids)
        self.heard = []

    def hear(self, text):
        self.heard.append(text)

    def say(self):
        return self.saids.pop(0) if self.saids else None


class World:
    """Opens one script or answer after the other, and notes when."""

    def __init__(self, *openings):
        self.openings = list(openings)
        self.opened_at = []
        self.clock = Clock()
        self.line = MemoryLine(lambda _: None, clock=self.clock, open_feed=self._open)

    def _open(self, _request):
        self.opened_at.append(self.clock.now())
        opening = self.openings.pop(0) if len(self.openings) > 1 else self.openings[0]
        if isinstance(opening, Exception):
            raise opening
        return opening


def number(value, after=0.0):
    return Said(json.dumps({"n": value}), after)


def read(message):
    if not isinstance(message, dict):
        raise TypeError("not an object")
    if "no" in message:
        raise errors.Rejected("no", status=400)
    if "down" in message:
        raise errors.Unavailable("down", status=500)
    return message.get("n")


def profile(**options):
    return Profile(
        exchange="x",
        url="ws://127.0.0.1:1/x",
        subscriptions=("subscribe",),
        read=read,
        refusal=lambda response: (
            errors.Unavailable("busy", status=response.status)
            if response.status >= 500
            else errors.Forbidden("no", status=response.status)
        ),
        **options,
    )


def take(world, count, **options):
    found = []
    items = run_each(listen(world.line, profile(**options.pop("profile", {})), **options))
    for item in items:
        found.append(item)
        if len(found) == count:
            break
    items.close()
    return found


def heard(items):
    return [item.item for item in items if isinstance(item, Heard)]


def test_messages_come_in_order_and_what_says_nothing_is_left_out():
    script = Script(Said('{"ack": true}'), number(1), number(2))
    assert take(World(script), 2) == [Heard(1), Heard(2)]
    assert script.heard == ["subscribe"]


def test_a_cut_connection_comes_back_subscribed():
    first, second = Script(number(1), CUT), Script(number(2))
    found = take(World(first, second), 3)
    assert heard(found) == [1, 2]
    assert isinstance(found[1].reason, errors.Disconnected)
    assert (first.heard, second.heard) == (["subscribe"], ["subscribe"])


def test_silence_is_a_loss():
    world = World(Script(number(1, after=29.0), number(2, after=31.0)), Script(number(3)))
    start = world.clock.now()
    found = take(world, 3)
    assert heard(found) == [1, 3]
    assert isinstance(found[1].reason, errors.TimedOut)
    assert world.opened_at[1] == pytest.approx(start + 29 + 30 + found[1].again_in_seconds)


def test_pauses_double_with_jitter_up_to_half_a_minute_and_begin_anew_after_something_was_heard():
    world = World(Script(number(0), CUT), *[Script(CUT) for _ in range(9)], Script(number(1), CUT), Script(CUT))
    found = take(world, 13)
    pauses = [item.again_in_seconds for item in found if isinstance(item, Lost)]
    longest = [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30, 0.5]
    assert all(most / 2 <= pause <= most for pause, most in zip(pauses, longest, strict=True)), pauses


def test_a_reread_follows_each_connection_and_does_not_count_as_heard():
    reads = iter(range(100, 200))

    async def reread():
        return next(reads)

    found = take(World(Script(number(1), CUT), Script(CUT), Script(number(2))), 7, reread=reread)
    assert [item for item in found if isinstance(item, Heard)] == [
        Heard(100, is_reread=True),
        Heard(1),
        Heard(101, is_reread=True),
        Heard(102, is_reread=True),
        Heard(2),
    ]
    pauses = [item.again_in_seconds for item in found if isinstance(item, Lost)]
    assert pauses[0] <= 0.5 <= pauses[1]


def test_a_reread_that_fails_leads_to_another_connection():
    answers = iter([errors.Unavailable("down", status=503), None])

    async def reread():
        if error := next(answers):
            raise error

    found = take(World(Script(number(1))), 2, reread=reread)
    assert isinstance(found[0].reason, errors.Unavailable)
    assert found[1] == Heard(1)


@pytest.mark.parametrize(
    "text",
    ["", "not json", "[1", "[]", '"x"', "NaN", "[" * 100_000, '{"n": "\ud800"}', '{"down": 1}'],
    ids=["empty", "words", "half", "list", "text", "nan", "deep", "surrogate", "down"],
)
def test_garbage_leads_to_another_connection(text):
    found = take(World(Script(number(1), Said(text)), Script(number(2))), 3)
    assert heard(found) == [1, 2]
    assert found[1].reason.exchange in ("x", None)


def test_a_refusal_that_cannot_be_tried_again_ends_it():
    with pytest.raises(errors.Rejected):
        take(World(Script(number(1), Said('{"no": 1}'))), 2)
    with pytest.raises(errors.Forbidden):
        take(World(Response(403)), 1)


def test_a_busy_handshake_is_tried_again():
    found = take(World(Response(503), Script(number(1))), 2)
    assert isinstance(found[0].reason, errors.Unavailable)
    assert found[1] == Heard(1)


def test_a_stream_that_was_never_open_is_given_up():
    world = World(errors.NotSent("nobody"))
    with pytest.raises(errors.NotSent):
        take(world, 100)
    assert len(world.opened_at) == 4


def test_a_stream_that_was_open_is_never_given_up():
    world = World(Script(number(1), CUT), *[errors.NotSent("nobody") for _ in range(50)], Script(number(2)))
    found = take(world, 53)
    assert heard(found) == [1, 2]


def test_a_rate_limit_is_waited_for():
    limited = errors.RateLimited("slow", retry_after_seconds=17.0, status=429)
    found = take(World(limited, Script(number(1))), 2)
    assert found[0].again_in_seconds == 17.0


def test_heartbeats_are_sent_whether_or_not_anything_is_heard():
    quiet = Script()
    busy = Script(*[number(n, after=4.0) for n in range(12)], CUT)
    beating = {"heartbeat": "ping", "heartbeat_seconds": 10.0, "silence_seconds": 25.0}
    take(World(busy, quiet, Script(number(99))), 15, profile=beating)
    assert busy.heard == ["subscribe", "ping", "ping", "ping", "ping"]
    assert quiet.heard == ["subscribe", "ping", "ping"]


class Real:
    """The same over a real server, on one of the real lines; takes so many items, then leaves."""

    def blocking(self, url, count):
        line = BlockingLine()
        items = run_each(listen(line, self.profile(url)))
        try:
            return [next(items) for _ in range(count)]
        finally:
            items.close()

    def asyncio(self, url, count):
        async def main():
            found = []
            async with aclosing(listen(AsyncLine(), self.profile(url))) as items:
                async for item in items:
                    found.append(item)
                    if len(found) == count:
                        break
            return found

        return asyncio.run(main())

    def profile(self, url):
        return Profile(
            exchange="x",
            url=url,
            subscriptions=("subscribe",),
            read=read,
            refusal=lambda response: errors.Unavailable("busy", status=response.status),
            silence_seconds=0.3,
        )


@pytest.mark.parametrize("way", ["blocking", "asyncio"])
def test_over_sockets(way, stream_peers):
    peer = stream_peers.open(
        stream_peers.says('{"n": 1}', then=stream_peers.cut),
        stream_peers.says('{"n": 2}', "garbage"),
        stream_peers.says('{"n": 3}', then=stream_peers.silence),
        stream_peers.says('{"n": 4}'),
    )
    found = getattr(Real(), way)(peer.url, 7)
    assert heard(found) == [1, 2, 3, 4]
    kinds = [type(item.reason) for item in found if isinstance(item, Lost)]
    assert kinds == [errors.Disconnected, errors.UnexpectedResponse, errors.TimedOut]


def test_cancelling_closes_the_stream(stream_peers):
    """The peer sees us leave although we were waiting for a message."""
    left, gone = [], threading.Event()

    def wait_for_goodbye(_peer, connection):
        connection.recv(timeout=10)
        connection.send('{"n": 1}')
        try:
            connection.recv(timeout=10)
        finally:
            left.append(connection.protocol.close_rcvd.code)
            gone.set()

    peer = stream_peers.open(wait_for_goodbye)

    async def main():
        came = asyncio.Event()

        async def consume():
            async with aclosing(listen(AsyncLine(), Real().profile(peer.url))) as items:
                async for _ in items:
                    came.set()

        task = asyncio.create_task(consume())
        await came.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert gone.wait(5)
    assert left == [1000]


def test_stopping_at_any_wait_leaves_no_stream_open():
    """As a program that is killed: wherever it stops, what was opened is closed."""
    from tradehook.testing import Stopped

    for stop_at in range(1, 7):
        world = World(Script(number(1), CUT), Script(number(2)))
        opened = []
        listening = world.line.listen

        async def noting(request, listening=listening, opened=opened):
            opened.append(await listening(request))
            return opened[-1]

        world.line.listen = noting
        world.line.stop_at = stop_at
        with pytest.raises(Stopped):
            take(world, 100)
        assert not any(stream.is_open for stream in opened)


def test_operations_still_run_in_one_step():
    """Over a blocking line the generator never suspends, also when it is left early."""

    async def first():
        async with aclosing(listen(World(Script(number(1))).line, profile())) as items:
            return await anext(items)

    assert run(first()) == Heard(1)


def test_a_message_that_wants_an_answer_gets_it_at_once_and_may_still_be_news():
    script = Script(Said('{"ping": 7}'), number(1), Said('{"ping": 8, "n": 2}'))
    answers = {"profile": {"answer": lambda message: f"pong {message['ping']}" if "ping" in message else None}}
    assert heard(take(World(script), 2, **answers)) == [1, 2]
    assert script.heard == ["subscribe", "pong 7", "pong 8"]
