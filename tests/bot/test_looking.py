"""The commands that look: what was done, what waits, the limits, who did what, and what a chat prefers."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import text

from tradehook.client import connect
from tradehook.desk.limits import Limits
from tradehook.models import NewOrder
from tradehook_bot.chats import Loudness


def answer(person, command, wanted):
    person.say(command)
    return person.wait_for(wanted).text


def placed_elsewhere(exchange, folder, amount, **more):
    """An order of the same account that this bot's journal knows nothing of."""
    (folder / "other").mkdir(exist_ok=True)
    with connect(exchange.account(folder / "other")) as client:
        return client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount=amount, **more)).order


def test_history_tells_what_was_done_and_what_was_placed_elsewhere(exchange, bot, anna, eventually):
    anna.say("/buy BTC 0.0123")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Filled: bought 0.0123 BTC")
    other = placed_elsewhere(exchange, bot.folder, "0.0231")
    eventually(lambda: other.order_id not in exchange.open_ids())
    told = answer(anna, "/history", "The last ")
    mine = next(line for line in told.split("\n") if "bought 0.0123 BTC" in line)
    after = told.split(mine)[1].split("\n")[1]
    assert "from chat" in after
    assert "/order_" in after
    theirs = told.split("bought 0.0231 BTC")[1].split("\n")[1]
    assert "elsewhere" in theirs
    assert other.order_id[:8] in theirs
    newest = answer(anna, "/history 1", "The last 1 ")
    assert "0.0231" in newest
    assert "0.0123" not in newest
    for wrong in ("/history 0", "/history 51", "/history two", "/history 1 2"):
        assert "/history 10" in answer(anna, wrong, "How many?")


def test_history_comes_from_the_journal_where_the_exchange_is_silent(exchange, bot, anna):
    anna.say("/buy BTC 0.0124")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Filled: bought 0.0124 BTC")
    exchange.fault("error_before", method="GET", path="/orders", times=20)
    told = answer(anna, "/history", "This is what the journal knows")
    assert "bought 0.0124 BTC" in told


def test_pending_shows_the_question_until_it_is_answered(anna):
    anna.say("/buy BTC 0.01 limit 60000")
    card = anna.wait_for("Open until:")
    told = answer(anna, "/pending", "Waiting for your answer")
    assert "Buy 0.0100 BTC at 60,000.0, until" in told
    anna.tap(1, card)
    anna.wait_for("You said no.")
    told = answer(anna, "/pending", "No question waits")
    assert "60,000" not in told


def test_pending_shows_what_was_refused_and_may_be_asked_for_again(bot, anna):
    bot.house.journal.limits.set(*whose(bot), Limits(order=Decimal(100)), by="a test")
    with connect(bot.account) as client, pytest.raises(Exception, match="order"):
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.01"), intent_id="dag-7", source="airflow:dca")
    told = answer(anna, "/pending", "Not sent yet")
    assert "Buy 0.0100 BTC: not sent yet." in told
    assert "from Airflow (dca) · dag-7" in told


def whose(bot):
    account = bot.house.accounts[0]
    with connect(bot.account) as client:
        from tradehook.run import run

        return account.client.exchange.host, run(client.exchange.account_id())


def test_limits_show_what_is_used_and_when_it_frees(bot, anna):
    assert "nothing is limited" in answer(anna, "/limits", "Nobody set limits")
    limits = Limits(order=Decimal(1000), day=Decimal(2000), hour=Decimal(1500), zone="Europe/Berlin")
    bot.house.journal.limits.set(*whose(bot), limits, by="root", why="a trial")
    untouched = answer(anna, "/limits", "Limits of main")
    assert "Today: ▱▱▱▱▱▱▱▱ 0.00 of 2,000.00, 2,000.00 left" in untouched
    anna.say("/buy BTC $500")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Filled: bought")
    answer(anna, "/timezone Asia/Tokyo", "Asia/Tokyo")
    used = answer(anna, "/limits", "Limits of main")
    today = next(line for line in used.split("\n") if line.startswith("Today"))
    assert today.startswith("Today: ▰▰▱▱▱▱▱▱ 50")
    assert "left, frees " in today
    assert today.endswith(" JST")
    assert "Last hour: ▰▰" in used
    assert "frees from " in used
    assert "Orders in an hour: 1, not limited" in used
    assert "by root: a trial" in used
    assert "midnight in Europe/Berlin" in used


def test_audit_says_who_did_what_from_where(bot, anna):
    anna.say("/buy BTC 0.01")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Filled: bought 0.0100 BTC")
    with connect(bot.account) as client:
        client.place_order(NewOrder.of("ETH/PYUSD", side="sell", amount="0.1"), source="airflow:dca/run/task")
    anna.say("/freeze lost <b>it</b>")
    anna.wait_for("Frozen.")
    told = answer(anna, "/audit", "The last ")
    bought = told.split("Buy 0.0100 BTC: asked for\n")[1].split("\n")[0]
    assert bought.strip().startswith("Anna")
    assert "in chat" in bought
    sold = told.split("Sell 0.1000 ETH: asked for\n")[1].split("\n")[0]
    assert "Airflow (dca)" in sold
    assert "Trading of everything is HALTED: lost <b>it</b>" in told
    assert told.index("HALTED") < told.index("Sell 0.1000 ETH: asked for") < told.index("Buy 0.0100 BTC: asked for")
    assert "Sell" in answer(anna, "/audit 3", "The last 3 events")


def test_a_time_zone_is_checked_kept_and_used(bot, anna):
    assert "Times here are in UTC" in answer(anna, "/timezone", "Times here")
    wrong = answer(anna, "/timezone Europa/Berlin", "no time zone I know")
    assert "/timezone Europe/Berlin" in wrong
    assert "Times here are in Asia/Tokyo from now on" in answer(anna, "/timezone tokyo", "from now on")
    assert bot.house.chats.zone_name(anna.chat) == "Asia/Tokyo"
    assert " JST; it binds nobody" in answer(anna, "/quote BTC", "BTC/PYUSD")
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    assert " JST (" in card.text
    anna.tap(2, card)
    anna.wait_for("Filled: bought 0.0100 BTC")
    assert " JST · from chat" in answer(anna, "/history", "The last ")
    assert " JST" in answer(anna, "/audit", "The last ")


def test_how_much_one_is_told_is_kept_beside_the_account(bot, anna):
    chats = bot.house.chats
    assert chats.loudness(anna.chat) is Loudness.NORMAL
    assert "You are told quiet" in answer(anna, "/notify quiet", "You are told")
    assert chats.loudness(anna.chat) is Loudness.QUIET
    chats.choose(anna.chat, "main")
    chats.set_zone(anna.chat, "Europe/Berlin")
    assert (chats.loudness(anna.chat), chats.account(anna.chat)) == (Loudness.QUIET, "main")
    assert "/notify all" in answer(anna, "/notify loud", "is not how much")
    assert "/notify quiet" in answer(anna, "/notify qiet", "is not how much")
    with bot.house.store.engine.begin() as connection:
        connection.execute(text("UPDATE bot_chat SET loudness = 'deafening', zone = 'Mars/Base'"))
    assert chats.loudness(anna.chat) is Loudness.NORMAL
    assert "It is" in answer(anna, "/timezone", "Mars/Base")


def test_whoami_names_person_role_chat_and_account(anna):
    told = answer(anna, "/whoami", "Role:")
    for words in (f"id {anna.chat}", "Role: owner", "(private)", "main at True Markets (sandbox)", "Time zone: UTC"):
        assert words in told
