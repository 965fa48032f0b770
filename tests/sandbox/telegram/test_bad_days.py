"""What Telegram does to a bot on a bad day, as python-telegram-bot meets it over a real socket."""

from __future__ import annotations

import asyncio

import pytest
from telegram.error import Conflict, NetworkError, RetryAfter, TimedOut
from telegram.ext import MessageHandler, filters

from tradehook_sandbox.telegram.updates import UpdateQueue


def echoing(seen: list[int]) -> MessageHandler:
    """Remembers the ids of what it handled, and answers."""

    async def echo(update, _context):
        seen.append(update.update_id)
        await update.message.reply_text(f"echo: {update.message.text} ({len(seen)})")

    return MessageHandler(filters.TEXT, echo)


def test_an_acknowledgement_that_is_lost_brings_updates_again(run_bot, person, sandbox):
    """The same ids, once more; PTB does not tell them apart."""
    seen: list[int] = []
    run_bot(echoing(seen))
    person.fault("ack_lost", "getUpdates")
    person.say("hello")
    person.wait_for("echo: hello (2)")
    person.say("next")
    person.wait_for("echo: next (3)")
    assert seen[0] == seen[1] < seen[2]
    assert not [fault for fault in sandbox.world.faults.waiting if fault.bot_id == int(person.token)]


def test_replays_come_under_their_own_id_or_a_new_one(run_bot, person):
    """The newest update, or any that is remembered, also when others came after it."""
    seen: list[int] = []
    run_bot(echoing(seen))
    person.say("first")
    person.wait_for("echo: first (1)")
    person.say("second")
    person.wait_for("echo: second (2)")
    assert person.replay(seen[0]) == seen[0]
    person.wait_for("echo: first (3)")
    new = person.replay(is_new=True)
    person.wait_for("echo: second (4)")
    assert seen == [seen[0], seen[1], seen[0], new]
    assert new > seen[1]
    person.say("third")
    person.wait_for("echo: third (5)")
    with pytest.raises(Exception, match="there is no such update"):
        person.replay(1)
    listed = person.remote.get("/updates", token=person.token)["updates"]
    assert [update["update_id"] for update in listed] == [*seen[:2], new, seen[4]]


def test_a_replay_stands_in_the_order_of_ids(clock):
    """Behind a newer update it would make the bot step back and hear the newer one for ever."""
    queue = UpdateQueue(10)
    for number in range(3):
        queue.add("message", {"n": number}, clock())
    queue.acknowledge(12, clock())
    queue.replay(10, clock())
    queue.acknowledge(12, clock())  # of a poll that was on its way already
    assert [update["update_id"] for update in queue.fetch(9)] == [10, 12]
    queue.acknowledge(13, clock())
    assert len(queue) == 0


def test_one_chat_is_rate_limited_and_another_is_not(connected, person, sandbox, token):
    """429 with `retry_after` for the group alone."""
    private = person.say("hello").chat
    group = person.group("Desk")
    person.fault("rate_limited", chat=group, retry_after=7)

    async def send() -> float:
        async with connected(sandbox.url, token) as bot:
            await bot.send_message(private, "x")
            with pytest.raises(RetryAfter) as refusal:
                await bot.send_message(group.id, "x")
            await bot.send_message(group.id, "y")
            return refusal.value.retry_after.total_seconds()

    assert asyncio.run(send()) == 7
    assert [message.text for message in group.messages()] == ["y"]


@pytest.mark.parametrize(
    "case",
    [
        ({"chat_per_second": 1}, "private", 1, 1),
        ({"overall_per_second": 3}, "private", 3, 1),
        ({"group_per_minute": 2}, "group", 2, 60),
        ({"group_per_minute": 2}, "private", 5, None),
    ],
)
def test_telegrams_pace(fresh, connected, clock, person_of, case):
    """What is too fast is refused with the seconds to wait, and after those it is taken."""
    pace, chat, allowed, waits = case
    person = person_of(fresh, clock)
    where = person.say("hello").chat if chat == "private" else person.group("Desk").id
    person.remote.post("/pace", **pace)

    async def send() -> None:
        async with connected(fresh.url, f"7:{'A' * 35}") as bot:
            for _ in range(allowed):
                await bot.send_message(where, "x")
            if waits is None:
                return
            with pytest.raises(RetryAfter) as refusal:
                await bot.send_message(where, "x")
            assert refusal.value.retry_after.total_seconds() == waits
            clock.advance(seconds=waits)
            await bot.send_message(where, "x")

    asyncio.run(send())


@pytest.fixture
def person_of():
    """Somebody in a stand-in whose clock the test moves."""
    from tradehook_sandbox.telegram.driver import Person

    def make(sandbox, clock):
        sandbox.world.now = clock
        return Person(sandbox.url, user="Ann", token=7)

    return make


@pytest.mark.parametrize(
    "case",
    [
        ({"kind": "error_before", "status": 409, "method": "getUpdates"}, Conflict, "only one bot instance is running"),
        ({"kind": "error_before", "status": 502, "method": "getUpdates"}, NetworkError, "Bad Gateway"),
        ({"kind": "timeout_after", "seconds": 600, "method": "sendMessage"}, TimedOut, "Timed out"),
    ],
)
def test_what_a_bot_is_told(connected, person, sandbox, token, case):
    """In Telegram's words; an answer that is lost leaves the message in the chat."""
    fault, error, words = case
    said = person.say("hello")
    person.fault(**fault)

    async def call() -> None:
        async with connected(sandbox.url, token) as bot:
            with pytest.raises(error, match=words):
                if fault["method"] == "getUpdates":
                    await bot.get_updates()
                else:
                    await bot.send_message(said.chat, "are you there?", read_timeout=0.3)

    asyncio.run(call())
    delivered = [message.text for message in person.messages() if message.from_bot]
    assert delivered == (["are you there?"] if error is TimedOut else [])


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("/faults", {"method": "sendMessage", "kind": "ack_lost"}, "ack_lost is for getUpdates"),
        ("/faults", {"method": "sendMessage", "kind": "slow", "chat": "x"}, "chat must be an integer"),
        ("/pace", {"chat_per_second": -1}, "each from 0"),
        ("/replay", {"update_id": 1}, "there is no such update"),
    ],
)
def test_what_is_staged_wrong_is_explained(person, path, body, reason):
    """One sentence."""
    with pytest.raises(Exception, match=reason):
        person.remote.post(path, **{"token": person.token, **body})
