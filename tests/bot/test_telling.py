"""Who is told what, and how loudly: one message for each order or DAG run, a new one only where it matters."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from telegram.error import RetryAfter

from tradehook.amounts import Amount
from tradehook.client import connect
from tradehook.models import NewOrder
from tradehook.transfers import NewTransfer
from tradehook_bot import news, reach
from tradehook_bot.app import build
from tradehook_bot.chats import Chats, Loudness
from tradehook_bot.context import House
from tradehook_bot.folding import fold_old
from tradehook_bot.notices import Notices, Part
from tradehook_bot.outbox import Letter, Outbox, Weight
from tradehook_bot.pace import ONCE, PerChatPace
from tradehook_bot.sending import Sending

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
VAULT = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def from_bot(person, text):
    return [message for message in person.messages() if message.from_bot and text in message.text]


def place(bot, *words, limit=None, source="cli"):
    side, market, amount = words
    order = NewOrder.of(market, side=side, amount=amount, price=Decimal(limit) if limit else None)
    with connect(bot.account) as client:
        return client.place_order(order, source=source)


def bought(person, command="/buy BTC 0.01"):
    person.say(command)
    card = person.wait_for("Open until:")
    person.tap(2, card)
    return card


def settled(bot, eventually):
    eventually(bot.has_read_everything)
    eventually(lambda: bot.house.outbox.waiting() == 0)


# --- one message for each order or run -----------------------------------------------------------------------------


def test_an_order_from_elsewhere_is_one_message_with_a_button_that_freezes(bot, anna, eventually):
    place(bot, "sell", "ETH/PYUSD", "1", limit="4000")
    resting = anna.wait_for("Open: sell 1.0000 ETH at 4,000.0", since=0)
    assert [button.text for button in resting.buttons] == ["Not me: freeze"]
    anna.tap(1, resting)
    anna.wait_for("Frozen. Nothing new will be sent")
    anna.wait_for("STILL LIVE")
    assert bot.house.journal.trading_state()["state"] == "HALTED"
    order = resting.text.split("/cancel_")[1].split()[0]
    anna.say(f"/cancel_{order}")
    edited = anna.wait_for(lambda message: message.id == resting.id and "Canceled: sell 1.0000 ETH" in message.text)
    assert [button.text for button in edited.buttons] == ["Not me: freeze"]
    settled(bot, eventually)
    assert len(from_bot(anna, "from the command line")) == 1


def test_a_dag_run_is_one_message_that_names_its_orders(bot, anna, eventually):
    place(bot, "sell", "ETH/PYUSD", "1", limit="4000", source="airflow:rebalance/manual__1/sell[0]")
    anna.wait_for("Open: sell 1.0000 ETH at 4,000.0", since=0)
    place(bot, "buy", "BTC/PYUSD", "0.01", source="airflow:rebalance/manual__1/buy[1]")
    told = anna.wait_for("rebalance in Airflow, run manual__1: 2 orders", since=0)
    told = anna.wait_for(lambda message: message.id == told.id and "Filled: bought 0.0100 BTC" in message.text, since=0)
    assert "Open: sell 1.0000 ETH at 4,000.0 /cancel_" in told.text
    settled(bot, eventually)
    place(bot, "buy", "BTC/PYUSD", "0.01", source="airflow:rebalance/manual__2/buy[1]")
    other = anna.wait_for(lambda message: message.id != told.id and "Filled: bought" in message.text, since=0)
    assert "from Airflow (rebalance)" in other.text
    settled(bot, eventually)
    assert len(from_bot(anna, "0.0100 BTC")) == 2


# --- how loudly ------------------------------------------------------------------------------------------------------


def test_what_is_filled_while_the_person_looks_is_an_edit(bot, anna, eventually):
    card = bought(anna)
    anna.wait_for(lambda message: message.id == card.id and "Filled: bought 0.0100 BTC" in message.text)
    settled(bot, eventually)
    assert [message.id for message in from_bot(anna, "Filled: bought")] == [card.id]


@pytest.fixture
def ten_seconds_later(monkeypatch):
    """What is filled in this test is filled when nobody looks at the message any more."""
    monkeypatch.setattr(news, "QUICK", timedelta(0))


@pytest.mark.usefixtures("ten_seconds_later")
@pytest.mark.parametrize(("wish", "is_told"), [("quiet", False), ("normal", True)])
def test_what_is_filled_later_is_a_new_message_unless_the_chat_is_quiet(wish, is_told, bot, anna, eventually):
    bot.house.chats.set_loudness(anna.chat, Loudness(wish))
    card = bought(anna, "/buy BTC 0.01 limit 64000")
    anna.wait_for("Open: buy 0.0100 BTC")
    bot.exchange.price(BTC="63900")
    anna.wait_for(lambda message: message.id == card.id and "Filled: bought" in message.text)
    settled(bot, eventually)
    assert len(from_bot(anna, "Filled: bought")) == (2 if is_told else 1)


def test_what_needs_a_person_is_told_in_a_quiet_chat(bot, anna, exchange):
    bot.house.chats.set_loudness(anna.chat, Loudness.QUIET)
    exchange.fault("error_after")
    card = bought(anna)
    told = anna.wait_for(lambda message: message.id != card.id and "UNKNOWN: Buy 0.0100 BTC" in message.text)
    assert [button.text for button in told.buttons] == ["Not me: freeze"]


def test_a_transfer_from_elsewhere_is_told_when_it_leaves_and_when_it_is_over(bot, anna, exchange, eventually):
    with connect(bot.account) as client:
        desk = client.desk
        desk.journal.destinations.add(desk.exchange.host, "vault", network="bitcoin", address=VAULT, by="test")
        asked = NewTransfer(asset="BTC", amount=Amount("base", Decimal("0.01")), to="vault")
        made = desk.create_transfer(asked, intent_id="t-1", source="cli").transfer
    told = anna.wait_for("Transfer", since=0)
    assert "0.0100 BTC to bc1qar…5mdq" in told.text
    assert "from the command line" in told.text
    exchange.post("/transfers", id=made.transfer_id, status="completed")
    anna.wait_for("Transfer completed: 0.0100 BTC", since=0)
    settled(bot, eventually)


def test_a_freeze_from_elsewhere_is_told_and_ones_own_is_not(bot, anna, eventually):
    bot.house.journal.set_trading_state("HALTED", by="the command line", why="lunch")
    told = anna.wait_for("Frozen: trading. Nothing new will be sent", since=0)
    assert "By the command line: lunch." in told.text
    anna.say("/freeze")
    anna.wait_for("Frozen. Nothing new will be sent")
    told_until = bot.house.store.mark("trading state")
    anna.say("/resume")
    anna.wait_for("Trading goes on.")
    eventually(lambda: bot.house.store.mark("trading state") > told_until)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert len(from_bot(anna, "Frozen: trading")) == 1
    assert len(from_bot(anna, "Trading goes on.")) == 1


# --- what Telegram does ----------------------------------------------------------------------------------------------


def test_who_blocked_the_bot_is_left_alone_and_told_when_they_come_back(exchange, bot, anna, eventually):
    bot.loud(anna)
    anna.remote.post("/block", user=anna.user, token=anna.token)
    place(bot, "buy", "BTC/PYUSD", "0.01")
    eventually(lambda: not bot.house.access.user(anna.chat).is_reachable)
    settled(bot, eventually)
    place(bot, "buy", "ETH/PYUSD", "1")
    settled(bot, eventually)
    assert not from_bot(anna, "Filled")
    anna.say("/status")
    anna.wait_for("Filled: bought 0.0100 BTC", since=0)
    anna.wait_for("Filled: bought 1.0000 ETH", since=0)
    assert bot.house.access.user(anna.chat).is_reachable
    assert not from_bot(anna, "may be a repeat")


def test_a_group_that_becomes_a_supergroup_takes_its_letters_along(make_bot):
    bot = make_bot().known()
    anna = bot.person()
    anna.say("hello")
    group = anna.group("Desk")
    house = House.open(bot.settings, bot.served, token=bot.token)
    old = group.id
    house.outbox.put(Letter(old, "k:1", "first"), Letter(old, "k:2", "second"))
    new = group.migrate()

    async def send():
        async with speaking(house):
            sending = Sending(house)
            await sending.send_due()
            await sending.settle()
            assert house.outbox.chats_due() == [new]
            await sending.send_due()
            await sending.settle()

    asyncio.run(send())
    assert [message.text.split(" · ")[1] for message in group.messages() if message.from_bot] == ["first", "second"]
    asyncio.run(house.close())


@asynccontextmanager
async def speaking(house):
    """A bot that can send, and fetches nothing."""
    application = build(house)
    await application.initialize()
    try:
        yield
    finally:
        await application.shutdown()


def test_only_the_chat_that_is_told_to_wait_waits(monkeypatch):
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    pace, calls = PerChatPace(), []

    async def call(chat_id):
        calls.append(chat_id)
        if calls == [7]:
            raise RetryAfter(30)
        return True

    async def ask(chat_id, **more):
        return await pace.process_request(call, (chat_id,), {}, "sendMessage", {"chat_id": chat_id}, **more)

    async def run():
        for _ in range(2):
            with pytest.raises(RetryAfter) as told:
                await ask(7, rate_limit_args=ONCE)
            assert 29 <= told.value._retry_after.total_seconds() <= 30
        assert await ask(8, rate_limit_args=ONCE)

    asyncio.run(run())
    assert calls == [7, 8]  # the second for 7 was not even sent


def test_who_is_patient_gets_through_after_the_wait(monkeypatch):
    monkeypatch.setenv("PTB_TIMEDELTA", "true")
    pace, calls = PerChatPace(), []

    async def call():
        calls.append(1)
        if len(calls) == 1:
            raise RetryAfter(1)
        return "sent"

    told = pace.process_request(call, (), {}, "sendMessage", {"chat_id": 7}, rate_limit_args=None)
    assert asyncio.run(told) == "sent"
    assert len(calls) == 2


# --- rows ------------------------------------------------------------------------------------------------------------


def test_old_news_is_told_together_and_what_needs_a_person_by_itself(store):
    outbox = Outbox(store)
    for number in range(6):
        letter = Letter(7, f"k:{number}", f"<b>Filled: number {number}</b>\nmore", weight=Weight.NEWS)
        with store.engine.begin() as connection:
            outbox.put_within(connection, [letter], at=NOON, happened_at=NOON - timedelta(hours=5))
    outbox.put(Letter(7, "k:u", "UNKNOWN", weight=Weight.URGENT), at=NOON - timedelta(hours=5))
    outbox.put(Letter(7, "k:new", "Filled: just now", weight=Weight.NEWS), at=NOON)
    outbox.put(Letter(8, "k:0", "Filled: another chat", weight=Weight.NEWS), at=NOON - timedelta(hours=5))
    fold_old(store, at=NOON)
    fold_old(store, at=NOON)
    told = []
    while (due := outbox.take(at=NOON)) is not None:
        told.append((due.letter.chat_id, due.letter.body))
        outbox.sent(due, message_id=1)
    assert [chat for chat, _ in told] == [7, 7, 8, 7]
    assert [body for _, body in told[:3]] == ["UNKNOWN", "Filled: just now", "Filled: another chat"]
    assert "6 things happened" in told[3][1]
    assert all(f"Filled: number {number}" in told[3][1] for number in range(6))
    assert "more" not in told[3][1]


def test_letters_of_one_chat_wait_for_one_another(store):
    outbox = Outbox(store)
    outbox.put(Letter(7, "a", "one"), Letter(7, "b", "two"), Letter(8, "a", "three"))
    outbox.failed(outbox.take(), is_doubtful=False, after_seconds=3600)
    assert outbox.take().letter.body == "three"
    assert outbox.take() is not None  # the third again: it was cut off
    later = datetime.now(UTC) + timedelta(hours=2)
    assert outbox.take(chat_id=7, at=later).letter.body == "one"


def test_what_was_held_says_that_it_may_be_a_repeat_only_where_it_may(store):
    outbox = Outbox(store)
    outbox.put(Letter(7, "a", "one"), Letter(7, "b", "two"))
    outbox.failed(outbox.take(), is_doubtful=True, after_seconds=0)
    outbox.hold(7)
    assert outbox.take() is None
    outbox.release(7)
    first = outbox.take()
    assert (first.letter.body, first.may_repeat) == ("one", True)
    outbox.sent(first, message_id=1)
    second = outbox.take()
    assert (second.letter.body, second.may_repeat) == ("two", False)


def test_every_row_of_a_chat_moves_with_it(store):
    outbox, notices, chats = Outbox(store), Notices(store), Chats(store)
    chats.set_loudness(-7, Loudness.ALL)
    outbox.put(Letter(-7, "a", "old one"), Letter(-7, "b", "old two"), Letter(-1007, "a", "new one"))
    with store.engine.begin() as connection:
        notices.begin_within(connection, -7, "order:1", account=None, head="", key="1", part=Part("w", "l"))
    reach.move_rows(store, -7, -1007)
    reach.move_rows(store, -7, -1007)
    assert chats.loudness(-1007) is Loudness.ALL
    assert notices.get(-1007, "order:1").body == "w"
    bodies = []
    while (due := outbox.take()) is not None:
        assert due.letter.chat_id == -1007
        bodies.append(due.letter.body)
        outbox.sent(due, message_id=1)
    assert bodies == ["old two", "new one"]


def test_what_happened_long_ago_while_the_bot_was_down_comes_as_one(make_bot, eventually):
    bot = make_bot()
    with bot.running():
        anna = bot.let_in()
    for _ in range(4):
        placed = place(bot, "buy", "BTC/PYUSD", "0.01")
        with connect(bot.account) as client:
            eventually(lambda client=client, placed=placed: client.desk.follow(placed.intent_id).is_final)
    journal = bot.journal()
    with journal.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE intent_event SET at = '2026-01-01T00:00:00.000000Z'")
    journal.close()
    with bot.running():
        told = anna.wait_for("While I could not reach you", since=0)
        settled(bot, eventually)
    assert "4 things happened" in told.text
    assert len(from_bot(anna, "0.0100 BTC")) == 1
