"""An update acts once: what changes something waits for its own line in the database, what only asks does not."""

from __future__ import annotations

import asyncio

import pytest

from tradehook.errors import JournalUnavailable
from tradehook_bot.access import Access
from tradehook_bot.first_times import FirstTimes


@pytest.fixture
def access(store):
    return Access(store)


def test_of_many_that_come_at_once_each_number_is_first_once(access, store):
    async def ask():
        times = FirstTimes(access, store)
        return await asyncio.gather(*(times.is_first(number % 10) for number in range(40)))

    assert asyncio.run(ask()).count(True) == 10


def test_what_only_asks_is_told_at_once_and_written_down_soon(access, store, monkeypatch):
    wait = asyncio.Event()
    first_of = access.first_of

    async def ask():
        times = FirstTimes(access, store)
        do = store.do

        async def held(function, *args, **more):
            if function == first_of:
                await wait.wait()
            return await do(function, *args, **more)

        monkeypatch.setattr(store, "do", held)
        assert await times.is_first_look(7)
        assert not await times.is_first_look(7), "nor while it is not written down yet"
        assert not access.was_seen(7)
        wait.set()
        await times._writing
        assert access.was_seen(7)
        assert not await times.is_first_look(7)
        assert not await times.is_first(7)

    asyncio.run(ask())


def test_after_a_restart_what_was_written_down_is_known(access, store):
    assert asyncio.run(FirstTimes(access, store).is_first(7))
    assert not asyncio.run(FirstTimes(access, store).is_first_look(7))


def test_what_cannot_be_looked_up_is_not_let_through_and_can_come_again(access, store, monkeypatch):
    def gone(_update_id):
        raise JournalUnavailable("The journal cannot be used now.")

    async def ask():
        times = FirstTimes(access, store)
        with monkeypatch.context() as broken:
            broken.setattr(access, "was_seen", gone)
            with pytest.raises(JournalUnavailable):
                await times.is_first_look(7)
        return await times.is_first_look(7)

    assert asyncio.run(ask())
