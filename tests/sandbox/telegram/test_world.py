"""The core, without I/O: queues, presses, chats, faults, on a clock that the test moves."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tradehook_sandbox.telegram import persons
from tradehook_sandbox.telegram.bots import Bot
from tradehook_sandbox.telegram.content.keyboards import Markup
from tradehook_sandbox.telegram.content.texts import FormattedText
from tradehook_sandbox.telegram.events import EventLog
from tradehook_sandbox.telegram.faults import Fault, FaultKind, FaultTable
from tradehook_sandbox.telegram.messages import Message
from tradehook_sandbox.telegram.people import User, id_of
from tradehook_sandbox.telegram.shapes import ApiError, PersonError
from tradehook_sandbox.telegram.updates import UpdateQueue
from tradehook_sandbox.telegram.world import World

SECRET = "B" * 35
NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
ANN = User(42, "Ann")
KEYBOARD = [[{"text": "Buy 1 BTC", "callback_data": "c:1"}, {"text": "Docs", "url": "https://e.org/"}],
            [{"text": "Cancel", "callback_data": "c:2"}]]  # fmt: skip


@pytest.fixture
def world(clock) -> World:
    """A world on the test's clock."""
    return World(now=clock, answer_within_seconds=15)


@pytest.fixture
def bot(world: World) -> Bot:
    """A connected bot that Ann has written to."""
    bot = world.connect(f"7:{SECRET}")
    persons.say(world, bot, ANN, persons.Saying("/start"))
    return bot


def ask(world: World, bot: Bot, text: str = "Shall I?") -> Message:
    """The bot's message with buttons."""
    return world.post(bot, ANN.id, FormattedText(text, []), markup=Markup(KEYBOARD))


def ids(queue: UpdateQueue) -> list[int]:
    """The ids of what waits."""
    return [update["update_id"] for update in queue.fetch(100)]


def test_updates_stay_until_a_higher_offset_is_asked_for(clock) -> None:
    """Fetching does not acknowledge; the next offset does."""
    queue = UpdateQueue(10)
    for number in range(3):
        queue.add("message", {"n": number}, clock())
    assert ids(queue) == ids(queue) == [10, 11, 12]
    queue.acknowledge(11, clock())
    assert ids(queue) == [11, 12]
    queue.acknowledge(0, clock())
    queue.acknowledge(5, clock())
    assert ids(queue) == [11, 12]
    queue.acknowledge(13, clock())
    assert ids(queue) == []
    assert [update["update_id"] for update in queue.fetch(1)] == []


def test_a_negative_offset_keeps_the_last_ones(clock) -> None:
    """`offset=-1` is how a bot forgets everything but the newest update."""
    queue = UpdateQueue(10)
    for _ in range(3):
        queue.add("message", {}, clock())
    queue.acknowledge(-1, clock())
    assert ids(queue) == [12]


def test_an_offset_from_another_life_loses_nothing(clock) -> None:
    """A bot that remembers an offset beyond everything is answered from the head of the queue, as at Telegram."""
    queue = UpdateQueue(10)
    queue.add("message", {}, clock())
    queue.acknowledge(99_999, clock())
    assert ids(queue) == [10]


def test_only_allowed_kinds_are_queued_and_old_ones_expire(clock) -> None:
    """`allowed_updates` works on what comes after it; an empty list lets everything in; a day is the end."""
    queue = UpdateQueue(1)
    queue.add("edited_message", {}, clock())
    queue.allow(["message"])
    assert queue.add("callback_query", {}, clock()) is None
    assert len(queue) == 1
    queue.allow([])
    clock.advance(hours=25)
    queue.add("callback_query", {}, clock())
    queue.acknowledge(0, clock())
    assert [list(update)[1] for update in queue.fetch(5)] == ["callback_query"]


def test_ids_grow_from_one_run_to_the_next(clock) -> None:
    """A bot that outlives the sandbox neither skips new updates nor edits somebody else's message."""
    first = World(now=clock).connect(f"7:{SECRET}")
    clock.advance(seconds=60)
    second = World(now=clock).connect(f"7:{SECRET}")
    assert second.next_message_id == first.next_message_id + 60


@pytest.mark.parametrize(
    ("token", "code"),
    [("nonsense", 404), ("7:short", 401), (f"7:{SECRET}!", 401), (f"0:{SECRET}", 401), (f"{9 * 10**15}:{SECRET}", 401)],
)
def test_what_is_no_token_is_refused(world: World, token: str, code: int) -> None:
    """404 for a path that holds no token, 401 for a token that cannot be right."""
    with pytest.raises(ApiError) as refusal:
        world.connect(token)
    assert refusal.value.code == code


def test_another_secret_for_a_known_bot_is_unauthorized(world: World, bot: Bot) -> None:
    """The first token a bot connects with is its token."""
    assert world.connect(f"7:{SECRET}") is bot
    with pytest.raises(ApiError) as refusal:
        world.connect(f"7:{'C' * 35}")
    assert refusal.value.code == 401


def test_a_bot_writes_only_to_those_who_wrote_to_it(world: World, bot: Bot) -> None:
    """An unknown chat is not found; a person who blocked the bot is 403; who writes again has unblocked it."""
    with pytest.raises(ApiError, match="chat not found"):
        world.post(bot, 43, FormattedText("hello", []), markup=Markup())
    persons.set_blocked(world, bot, ANN, blocked=True)
    with pytest.raises(ApiError, match="Forbidden: bot was blocked by the user"):
        ask(world, bot)
    persons.say(world, bot, ANN, persons.Saying("hello again"))
    assert ask(world, bot).id
    kinds = [list(update)[1] for update in bot.updates.fetch(10)]
    assert kinds == ["message", "my_chat_member", "my_chat_member", "message"]


@pytest.mark.parametrize("wanted", ["Buy 1 BTC", "c:1", "Buy", 1, "1"])
def test_a_button_is_found_by_text_data_beginning_or_number(world: World, bot: Bot, wanted: str | int) -> None:
    """All of them are the same press."""
    press = persons.press(world, bot, ask(world, bot).id, wanted)
    assert (press.data, press.button) == ("c:1", "Buy 1 BTC")


def test_numbers_skip_buttons_that_tell_the_bot_nothing(world: World, bot: Bot) -> None:
    """A link between two buttons has no number."""
    message = ask(world, bot)
    assert persons.press(world, bot, message.id, 2).data == "c:2"
    with pytest.raises(PersonError, match="opens or copies"):
        persons.press(world, bot, message.id, "Docs")
    with pytest.raises(PersonError, match="its buttons: 1 'Buy 1 BTC', 2 'Cancel'"):
        persons.press(world, bot, message.id, 3)


def test_a_press_is_answered_once_and_in_time(world: World, bot: Bot, clock) -> None:
    """Late, twice and unknown are one error at Telegram."""
    message = ask(world, bot)
    first, late = (persons.press(world, bot, message.id, 1) for _ in range(2))
    answer = {"text": "Working", "show_alert": False}
    with pytest.raises(ApiError, match="MESSAGE_TOO_LONG"):
        world.answer(bot, first.id, {"text": "x" * 201})
    world.answer(bot, first.id, answer)
    assert first.answer == answer
    clock.advance(seconds=16)
    for callback_query_id in (first.id, late.id, "unknown"):
        with pytest.raises(ApiError, match="query is too old and response timeout expired or query ID is invalid"):
            world.answer(bot, callback_query_id, answer)


def test_an_edit_that_changes_nothing_is_refused(world: World, bot: Bot) -> None:
    """Text, entities and keyboard together decide; leaving the keyboard out takes it away."""
    message = ask(world, bot)
    same = FormattedText("Shall I?", [])
    with pytest.raises(ApiError, match="message is not modified"):
        world.edit(bot, message, content=same, keyboard=KEYBOARD)
    world.edit(bot, message, content=same)
    assert (message.keyboard, message.edits) == ([], 1)
    with pytest.raises(PersonError, match="its buttons: none"):
        persons.press(world, bot, message.id, 1)


def test_what_is_deleted_is_gone_but_can_still_be_forged(world: World, bot: Bot, clock) -> None:
    """A bot has to stand a press on a message it deleted; after 48 hours it cannot delete any more."""
    message, old = ask(world, bot), ask(world, bot)
    world.delete(bot, message)
    with pytest.raises(ApiError, match="message to edit not found"):
        world.own_message(bot, ANN.id, message.id)
    with pytest.raises(PersonError, match="was deleted"):
        persons.press(world, bot, message.id, 1)
    assert persons.forge(world, bot, message.id, "c:9").as_api()["message"]["date"] == 0
    clock.advance(hours=49)
    with pytest.raises(ApiError, match="message can't be deleted for everyone"):
        world.delete(bot, old)


def test_circumstances_of_a_saying_reach_the_bot(world: World, bot: Bot, clock) -> None:
    """Edited, forwarded, via another bot, old: as Telegram describes them."""
    sent_at = clock.at.replace(year=2025)
    said = persons.say(
        world, bot, ANN, persons.Saying("/buy 1", at=sent_at, forwarded_from=User(5, "Eve"), via_bot="helper_bot")
    )
    persons.say(world, bot, ANN, persons.Saying("/buy 2", edits=said.id))
    fresh, edited = bot.updates.fetch(10)[-2:]
    assert fresh["message"]["date"] == int(sent_at.timestamp())
    assert fresh["message"]["forward_origin"]["sender_user"]["first_name"] == "Eve"
    assert fresh["message"]["via_bot"]["username"] == "helper_bot"
    assert fresh["message"]["entities"] == [{"type": "bot_command", "offset": 0, "length": 4}]
    assert (edited["edited_message"]["message_id"], edited["edited_message"]["text"]) == (said.id, "/buy 2")


def test_a_name_is_always_the_same_person() -> None:
    """Allow-lists hold ids, so a demo that restarts must meet the same person; case and space do not matter."""
    assert id_of("you") == id_of(" You ") == 981_948_824
    assert id_of("Ann") != id_of("Bob")


def test_events_are_read_from_where_one_left_off() -> None:
    """Each holds the message as it was; a position from before a restart reads as the beginning."""
    log = EventLog()
    for number in range(3):
        log.add("message", bot_id=1, chat_id=number % 2, at=NOON, details={"n": number})
    assert [event["n"] for event in log.after(1)] == [1, 2]
    assert [event["n"] for event in log.after(0, chats={0})] == [0, 2]
    assert log.after(3) == []
    assert [event["n"] for event in log.after(99)] == [0, 1, 2]


def test_watchers_are_called_until_they_leave(world: World, bot: Bot) -> None:
    """Every change and the end reach them."""
    calls: list[int] = []
    leave = world.watch(lambda: calls.append(1))
    ask(world, bot)
    heard = len(calls)
    assert heard > 0
    leave()
    world.stop()
    assert (len(calls), world.stopped) == (heard, True)


def test_faults_strike_as_often_as_asked_and_only_where() -> None:
    """The star leaves polls alone: they would use it up before the call that was meant."""

    def fault(method: str, times: int, bot_id: int | None = None) -> Fault:
        return Fault(method, FaultKind.ERROR_BEFORE, times, 502, "Bad Gateway", 1, 1.0, bot_id)

    table = FaultTable()
    table.waiting += [fault("sendmessage", 2, bot_id=1), fault("*", 1)]
    assert table.take(1, "getupdates") is None
    assert table.take(1, "sendmessage").method == "sendmessage"
    assert table.take(2, "sendmessage").method == "*"
    assert table.take(1, "sendmessage").method == "sendmessage"
    assert table.take(1, "sendmessage") is None
