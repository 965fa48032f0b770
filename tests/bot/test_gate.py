"""Who and what gets through: nothing that is not typed here and now by somebody on the list, where they may."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select
from telegram import Update

from tradehook_bot.app import ALLOWED_UPDATES, GATE_GROUP, build
from tradehook_bot.context import House
from tradehook_bot.gate import Gate
from tradehook_bot.strangers import MOST_NAMED, Strangers
from tradehook_bot.tables import metadata


def from_bot(person):
    return [message for message in person.messages() if message.from_bot]


def test_every_handler_stands_behind_the_gate(make_bot):
    bot = make_bot()
    house = House.open(bot.settings, bot.served, token=bot.token)
    try:
        handlers = build(house).handlers
    finally:
        house.store.close()
        house.journal.close()
        house.accounts[0].client.desk.close()
    first = min(handlers)
    assert first == GATE_GROUP
    (gate,) = handlers[first]
    assert gate.type is Update
    assert isinstance(gate.callback.__self__, Gate)
    assert gate.block
    behind = [handler for group, found in handlers.items() if group > first for handler in found]
    assert len(behind) == 2
    assert set(ALLOWED_UPDATES) == {"message", "callback_query", "my_chat_member"}


def updates_of(user_id, *, first):
    """One update of each kind and place that could come from this person, with numbers from `first` on."""
    moment = int(datetime.now(UTC).timestamp())
    user = {"id": user_id, "is_bot": False, "first_name": "Somebody"}
    private = {"id": user_id, "type": "private", "first_name": "Somebody"}
    group = {"id": -100_777, "type": "supergroup", "title": "Desk", "is_forum": True}
    channel = {"id": -100_888, "type": "channel", "title": "News"}

    def said(text, chat=private, **more):
        command = {"type": "bot_command", "offset": 0, "length": len(text.split()[0])}
        return {
            "message_id": 7,
            "date": moment,
            "chat": chat,
            "from": user,
            "text": text,
            "entities": [command],
            **more,
        }

    def pressed(data, message):
        return {"callback_query": {"id": "1", "from": user, "chat_instance": "1", "data": data, "message": message}}

    in_topic = {"message_thread_id": 5, "is_topic_message": True}
    bot = {"id": 5, "is_bot": True, "first_name": "b"}
    change = {"chat": private, "from": user, "date": moment}
    blocked = {"old_chat_member": {"status": "member", "user": bot},
               "new_chat_member": {"status": "kicked", "user": bot, "until_date": 0}}  # fmt: skip
    contents = [
        *({"message": said(text)} for text in ("/freeze", "/buy BTC 1", "/start " + "A" * 22, "/allow_here", "123456")),
        {"message": said("/freeze", group)},
        {"message": said("/allow_here", group, **in_topic)},
        {"message": said("/freeze", {**group, "type": "group"})},
        {"message": said("/freeze", sender_chat=channel)},
        {"message": {**said("hello"), "text": None, "entities": [], "sticker": None}},
        {"edited_message": said("/freeze", edit_date=moment)},
        {"channel_post": said("/freeze", channel)},
        {"edited_channel_post": said("/freeze", channel, edit_date=moment)},
        {"business_message": said("/freeze", business_connection_id="b")},
        *(pressed(data, said("x")) for data in ("z:freeze", "y:" + "A" * 22, "c:/buy BTC 1", "a:main", "x:1", "?")),
        pressed("z:freeze", said("x", group, **in_topic)),
        pressed("z:freeze", {"chat": private, "message_id": 7, "date": 0}),
        {"callback_query": {"id": "1", "from": user, "chat_instance": "1", "data": "z:freeze"}},
        {"inline_query": {"id": "1", "from": user, "query": "/freeze", "offset": ""}},
        {"my_chat_member": {**change, **blocked}},
        {"chat_member": {**change, **blocked}},
    ]  # fmt: skip
    return [{"update_id": first + number, **content} for number, content in enumerate(contents)]


def test_no_handler_does_anything_for_a_stranger(bot, anna):
    """Not the order of the groups but the effect: each registered callback is counted, and so is every row."""
    called = []

    def counted(handler):
        callback = handler.callback

        async def call(update, context):
            called.append((handler, update.update_id))
            await callback(update, context)

        return call

    behind = [each for number, found in bot.app.handlers.items() if number != GATE_GROUP for each in found]
    for handler in behind:
        handler.callback = counted(handler)
    bot.house.groups.allow(-100_777, 5, title="Desk", shows_holdings=False, allowed_by=anna.chat)

    def rows():
        kept = [table for table in metadata.sorted_tables if table.name != "bot_mark"]
        with bot.house.store.engine.connect() as connection:
            return {table.name: connection.execute(select(func.count()).select_from(table)).scalar() for table in kept}

    def handle(content):
        update = Update.de_json(content, bot.app.bot)
        bot.run(bot.app.process_update(update))
        return update

    before = rows()
    asked = [handle(content) for content in updates_of(4711, first=10_000)]
    assert called == []
    assert rows() == before
    assert bot.house.journal.trading_state()["state"] == "NORMAL"
    # Without the gate, each of these handlers would have taken some of them.
    for handler in behind:
        assert any(handler.check_update(update) not in (None, False) for update in asked)
    # And with somebody who may, each of them is called.
    for content in updates_of(anna.chat, first=20_000):
        handle(content)
    assert {handler for handler, _ in called} == set(behind)
    assert bot.house.journal.trading_state()["state"] == "HALTED"


def test_a_flood_of_strangers_leaves_a_few_lines_and_a_count(caplog):
    strangers = Strangers()
    with caplog.at_level(logging.INFO):
        for number in range(5000):
            strangers.note(number % 700)
    assert len(caplog.records) == MOST_NAMED
    assert strangers.count == 5000


def test_strangers_get_silence(bot, anna):
    stranger = bot.person("Mallory")
    for text in ("/start", "/help", "hello", "/balance", "/buy BTC 1", "/freeze", "/start " + "A" * 22, "/start x"):
        stranger.say(text)
    anna.say("/status")
    assert "Trading: on" in anna.wait_for("Trading:").text
    assert from_bot(stranger) == []


def test_an_empty_list_means_nobody(make_bot):
    bot = make_bot()
    bot.invite()
    with bot.running():
        mallory = bot.person("Mallory")
        mallory.say("/balance")
        mallory.say("/freeze")
        anna = bot.let_in()
        anna.say("/status")
        anna.wait_for("Trading: on")
        assert from_bot(mallory) == []


def test_the_setup_link_works_once_and_for_one_person(bot):
    code = bot.invite()
    anna, mallory = bot.person("Anna"), bot.person("Mallory")
    anna.open(f"https://t.me/{bot.app.bot.username}?start={code}")
    anna.wait_for("You are its owner")
    mallory.say(f"/start {code}")
    anna.say("/help")
    anna.wait_for("What I understand")
    assert from_bot(mallory) == []
    shown = anna.remote.get("/commands", chat=anna.chat, token=bot.token)["commands"]
    assert {"buy", "freeze"} <= {entry["command"] for entry in shown}
    unseen = anna.remote.get("/commands", chat=mallory.chat, token=bot.token)["commands"]
    assert unseen == []


def test_a_forwarded_setup_link_makes_nobody_owner(bot, anna):
    mallory = bot.person("Mallory")
    mallory.say(f"/start {bot.invite()}", forwarded=True)
    anna.say("/help")
    anna.wait_for("What I understand")
    assert from_bot(mallory) == []


def test_what_others_wrote_is_never_obeyed(exchange, bot, anna):
    before = exchange.orders()
    for command in ("/buy BTC 0.01", "/freeze", "/cancel 1234abcd"):
        for circumstances in ({"forwarded": True}, {"via_bot": "some_bot"}):
            anna.say(command, **circumstances)
            anna.wait_for("Type the command yourself")
    assert exchange.orders() == before
    assert bot.house.journal.trading_state()["state"] == "NORMAL"


def test_an_edited_command_never_acts_even_if_telegram_delivers_it(exchange, make_bot):
    # Before a bot's first poll Telegram queues every kind of update.
    bot = make_bot().known()
    anna = bot.person()
    bot.admit(anna)
    said = anna.say("hello")
    anna.say("/freeze", edits=said.id)
    anna.say("/freeze", edited=True)
    with bot.running():
        anna.say("/status")
        anna.wait_for("Trading: on")
    assert all("Frozen" not in message.text for message in from_bot(anna))


def test_a_command_that_moves_money_and_comes_late_is_answered_not_obeyed(exchange, bot, anna):
    before = exchange.orders()
    bot.house.journal.set_trading_state("HALTED", by="a test")
    for command in ("/buy BTC 0.01", "/sell BTC 0.01", "/cancel 1234abcd", "/resume"):
        anna.say(command, ago_seconds=300)
        answer = anna.wait_for("That is 5 min old, so nothing was done with it")
        assert command in answer.text
        assert not answer.buttons
    assert exchange.orders() == before
    assert bot.house.journal.trading_state()["state"] == "HALTED"


def test_a_command_from_the_future_tells_of_the_clock(anna):
    anna.say("/buy BTC 0.01", date=(datetime.now(UTC) + timedelta(minutes=5)).isoformat())
    assert "in the future" in anna.wait_for("Set the clock").text


def test_a_late_freeze_freezes(bot, anna):
    anna.say("/freeze", ago_seconds=600)
    anna.wait_for("Frozen.")
    assert bot.house.journal.trading_state()["state"] == "HALTED"


def test_the_same_update_twice_is_one(bot, anna):
    said = anna.say("/help")
    anna.wait_for("What I understand")
    content = {
        "update_id": 987654,
        "message": {
            "message_id": said.id,
            "date": int(datetime.now(UTC).timestamp()),
            "chat": {"id": anna.chat, "type": "private", "first_name": "Anna"},
            "from": {"id": anna.chat, "is_bot": False, "first_name": "Anna"},
            "text": "/balance",
            "entities": [{"type": "bot_command", "offset": 0, "length": 8}],
        },
    }
    for _ in range(3):
        update = Update.de_json(content, bot.app.bot)
        bot.loop.call_soon_threadsafe(bot.app.update_queue.put_nowait, update)
    anna.wait_for("10,000.00 PYUSD", since=0)
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert len([message for message in from_bot(anna) if "10,000.00 PYUSD" in message.text]) == 1


@pytest.mark.parametrize("chat", [{"id": -100123, "type": "supergroup", "title": "x"}, {"id": 4711, "type": "private"}])
def test_only_ones_own_private_chat_counts(chat, bot, anna):
    content = {
        "update_id": 555,
        "message": {
            "message_id": 1,
            "date": int(datetime.now(UTC).timestamp()),
            "chat": chat,
            "from": {"id": anna.chat, "is_bot": False, "first_name": "Anna"},
            "text": "/freeze",
            "entities": [{"type": "bot_command", "offset": 0, "length": 7}],
        },
    }
    bot.loop.call_soon_threadsafe(bot.app.update_queue.put_nowait, Update.de_json(content, bot.app.bot))
    anna.say("/status")
    anna.wait_for("Trading: on")


def test_a_gate_that_fails_is_shut(bot, anna, monkeypatch, caplog, eventually):
    def broken(_user_id, _update_id):
        raise OSError("the disk is gone")

    before = len(from_bot(anna))
    with monkeypatch.context() as patch:
        patch.setattr(bot.house.access, "look", broken)
        anna.say("/freeze")
        anna.say("/balance")
        eventually(lambda: caplog.text.count("The gate failed") == 2)
    assert caplog.text.count("The gate failed") == 2
    assert len(from_bot(anna)) == before
    assert bot.house.journal.trading_state()["state"] == "NORMAL"
    anna.say("/status")
    anna.wait_for("Trading: on")


def test_a_handler_that_fails_says_what_is_true_and_names_an_id(bot, anna, monkeypatch, caplog):
    async def broken():
        raise RuntimeError("secret words")

    monkeypatch.setattr(bot.house.accounts[0].client, "balances", broken)
    anna.say("/balance")
    told = anna.wait_for("Something went wrong (id ")
    assert "No order was sent" in told.text
    assert "secret words" not in told.text
    error_id = told.text.split("(id ")[1].split(")")[0]
    assert f"Error {error_id}" in caplog.text


def test_a_person_who_blocks_the_bot_is_remembered(bot, anna, eventually):
    anna.remote.post("/block", user=anna.user, token=anna.token)
    user_id = anna.chat

    def is_reachable():
        return bot.house.access.user(user_id).is_reachable

    eventually(lambda: not is_reachable())
    anna.say("/help")
    anna.wait_for("What I understand")
    assert is_reachable()


def test_a_live_account_is_read_only_and_every_message_says_live(make_bot):
    bot = make_bot()
    bot.account = replace(bot.account, environment="live")
    with bot.running():
        anna = bot.let_in()
        anna.say("/balance")
        assert anna.wait_for("10,000.00 PYUSD").text.endswith("LIVE · main")
        anna.say("/buy BTC 0.01")
        refused = anna.wait_for("Live trading is off")
        assert not refused.buttons
        assert "SANDBOX" not in refused.text
