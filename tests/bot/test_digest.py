"""The daily digest: at a chat's own hour, once a day, with what rests and what it holds."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tradehook.client import connect
from tradehook.errors import InvalidInput
from tradehook.models import NewOrder, Order, OrderStatus, Side
from tradehook_bot import digest
from tradehook_bot.commands.digest import read_clock
from tradehook_bot.digest import Digests, Wish, age, held_by
from tradehook_bot.outbox import Outbox

BERLIN = ZoneInfo("Europe/Berlin")
MORNING = datetime(2026, 11, 21, 8, 0, tzinfo=BERLIN)


def place(bot, *words, limit):
    side, market, amount = words
    with connect(bot.account) as client:
        client.place_order(NewOrder.of(market, side=side, amount=amount, price=Decimal(limit)))


@pytest.mark.parametrize(
    ("local", "told_on", "is_due"),
    [
        (MORNING, None, True),
        (MORNING - timedelta(seconds=1), None, False),
        (MORNING + timedelta(hours=6), "2026-11-20", True),
        (MORNING + timedelta(hours=6, seconds=1), "2026-11-20", False),
        (MORNING + timedelta(hours=1), "2026-11-21", False),
        (MORNING.replace(tzinfo=UTC), "2026-11-20", True),
    ],
)
def test_when_it_is_due(local, told_on, is_due):
    assert Wish(7, time(8), told_on).is_due(local) is is_due


def test_the_day_the_clock_is_put_forward_has_one(store):
    # 02:30 does not exist in Berlin on 29 March 2026; it comes at half past three, and once.
    wish = Wish(7, time(2, 30), "2026-03-28")
    around = [datetime(2026, 3, 29, 0, 0, tzinfo=UTC) + timedelta(minutes=minutes) for minutes in range(0, 300, 30)]
    due = [moment for moment in around if wish.is_due(moment.astimezone(BERLIN))]
    assert due
    digests, outbox = Digests(store), Outbox(store)
    digests.set(7, time(2, 30), local=around[0].astimezone(BERLIN))
    for moment in due:
        digests.tell(wish, "words", day=moment.astimezone(BERLIN).date().isoformat(), outbox=outbox)
    assert outbox.waiting() == 1


def test_an_hour_that_is_over_today_begins_tomorrow(store):
    digests = Digests(store)
    assert digests.set(7, time(7), local=MORNING).told_on == "2026-11-21"
    assert digests.set(7, time(9), local=MORNING).told_on is None
    assert digests.get(7) == Wish(7, time(9), None)
    digests.end(7)
    digests.end(7)
    assert digests.get(7) is None


def test_what_an_order_holds():
    known = {"order_id": "o", "status": OrderStatus.OPEN, "exchange_status": "active", "base": "BTC", "quote": "PYUSD"}
    buy = Order(**known, side="buy", quantity=Decimal(2), unit="base", filled=Decimal("0.5"), price=Decimal(100))
    assert held_by(buy) == (Decimal(150), "PYUSD")
    assert held_by(buy.model_copy(update={"side": Side.SELL})) == (Decimal("1.5"), "BTC")
    assert held_by(buy.model_copy(update={"price": None})) is None


@pytest.mark.parametrize(
    ("length", "words"),
    [
        ({"seconds": 50}, "0 min"),
        ({"minutes": 59}, "59 min"),
        ({"minutes": 61}, "1 h 1 min"),
        ({"hours": 51}, "2 d 3 h"),
    ],
)
def test_how_old(length, words):
    assert age(timedelta(**length)) == words


@pytest.mark.parametrize(("typed", "meant"), [("on 08:00", time(8)), ("8:30", time(8, 30)), ("23.59", time(23, 59))])
def test_hours_that_can_be_typed(typed, meant):
    assert read_clock(typed.split()) == meant


@pytest.mark.parametrize("typed", ["on", "24:00", "8", "on 8:60", "on 08:00 please", "maybe"])
def test_hours_that_cannot(typed):
    with pytest.raises(InvalidInput):
        read_clock(typed.split())


def test_a_digest_names_what_rests_and_comes_once_a_day(bot, anna, monkeypatch, eventually):
    monkeypatch.setattr(digest, "LATE", timedelta(days=1))  # whatever time it is when this runs
    place(bot, "buy", "BTC/PYUSD", "0.01", limit="60000")
    place(bot, "sell", "ETH/PYUSD", "1", limit="4000")
    anna.wait_for("Open: buy 0.0100 BTC", since=0)
    anna.wait_for("Open: sell 1.0000 ETH", since=0)
    anna.say("/digest now")
    shown = anna.wait_for("Digest of")
    assert "2 orders rest" in shown.text
    assert "Open: buy 0.0100 BTC at 60,000.0\n0 min old, 10.9 % below the market (67,3" in shown.text
    assert "holds 600.00 PYUSD" in shown.text
    assert "Held by them: 1.0000 ETH, 600.00 PYUSD" in shown.text
    anna.say("/digest on 00:00")
    anna.wait_for("A digest each day at 00:00 UTC, from tomorrow on.")
    digests = Digests(bot.house.store)
    with bot.house.store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE bot_digest SET told_on = '2026-01-01'")
    for _ in range(2):
        bot.run(digest.send_due(bot.house))
    eventually(lambda: digests.get(anna.chat).told_on != "2026-01-01")
    anna.wait_for(lambda message: message.id > shown.id + 2 and "Digest of" in message.text)
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert len([message for message in anna.messages() if message.from_bot and "Digest of" in message.text]) == 2
    anna.say("/digest off")
    anna.wait_for("No digest any more.")
    anna.say("/digest")
    anna.wait_for("There is none in this chat.")


def test_a_digest_says_when_the_exchange_does_not_answer(exchange, bot, anna):
    exchange.fault("error_before", method="GET", path="/orders", status=503, times=1000)
    anna.say("/digest now")
    assert "What rests cannot be told" in anna.wait_for("Digest of", timeout_seconds=40).text
