"""An update acts once: what changes something waits for its own line in the database, what only asks does not."""

from __future__ import annotations

import asyncio

import pytest

from tradehook.errors import JournalUnavailable
from tradehook_bot import first_times
from tradehook_bot.access import Access
from tradehook_bot.first_times import FirstTimes


@pytest.fixture
def access(store):
    return Access(store)


def was_seen(access, update_id):
    return access.look(1, update_id)[1]


def test_of_many_that_come_at_once_each_number_is_first_once(access, store):
    async def ask():
        times = FirstTimes(access, store)
        return await asyncio.gather(*(times.is_first(number % 10) for number in range(40)))

    assert asyncio.run(ask()).count(True) == 10


def test_what_only_asks_is_told_at_once_and_written_down_soon(access, store, monkeypatch):
    began, wait = asyncio.Event(), asyncio.Event()
    first_of = access.first_of

    async def ask():
        times = FirstTimes(access, store)
        do = store.do

        async def held(function, *args, **more):
            if function == first_of:
                began.set()
                await wait.wait()
            return await do(function, *args, **more)

        monkeypatch.setattr(store, "do", held)
        assert times.is_first_look(7)
        assert not times.is_first_look(7), "nor while it is not written down yet"
        await began.wait()
        assert not was_seen(access, 7)
        wait.set()
        await times._writing
        assert was_seen(access, 7)
        assert not times.is_first_look(7)
        assert not await times.is_first(7)

    asyncio.run(ask())


def test_after_a_restart_what_was_written_down_is_known(access, store):
    assert asyncio.run(FirstTimes(access, store).is_first(7))
    assert was_seen(access, 7)
    assert not was_seen(access, 8)


def test_what_cannot_be_written_down_soon_is_said_in_the_log_and_harms_nobody(access, store, monkeypatch, caplog):
    began, wait = asyncio.Event(), asyncio.Event()

    async def gone(_function, *_args):
        began.set()
        await wait.wait()
        raise JournalUnavailable("The journal cannot be used now.")

    async def ask():
        times = FirstTimes(access, store)
        monkeypatch.setattr(store, "do", gone)
        assert times.is_first_look(7)
        await began.wait()
        wait.set()
        await times._writing
        assert not times.is_first_look(7), "this process knows it all the same"

    caplog.set_level("INFO")
    asyncio.run(ask())
    assert "Update 7, which changed nothing, was not written down: JournalUnavailable" in caplog.text


def test_only_the_latest_are_kept_in_mind(access, store, monkeypatch):
    monkeypatch.setattr(first_times, "_MOST_REMEMBERED", 3)

    async def ask():
        times = FirstTimes(access, store)
        assert all(times.is_first_look(number) for number in range(5))
        assert not times.is_first_look(2), "of five, the last three"
        return list(times._lately)

    assert asyncio.run(ask()) == [2, 3, 4]
