"""`/unknown`: a doubt is shown whole, and ended by a person only when that can be believed, after one question."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from tradehook.client import connect
from tradehook.desk.intents import iso
from tradehook.errors import OutcomeUnknown
from tradehook.models import NewOrder


@pytest.fixture
def bot(make_bot):
    """A bot that calls something a doubt at once, instead of looking for it for seconds first."""
    quick = make_bot()
    quick.account = replace(quick.account, look_seconds=0)
    with quick.running() as running:
        yield running


def doubt_of(bot, anna, exchange, command="/buy BTC 0.0123", *, kind="error_before"):
    """Something sent that got no answer; its intent."""
    anna.say(command)
    card = anna.wait_for("Open until:")
    exchange.fault(kind, times=1)
    anna.tap(2, card)
    told_of(anna, card)
    return bot.house.journal.get(next(iter(bot.house.journal.list(limit=1))).intent_id)


def told_of(anna, card):
    """A new message says that nobody knows, and the order's own does."""
    anna.wait_for(lambda message: message.id != card.id and "UNKNOWN" in message.text)
    anna.wait_for(lambda message: message.id == card.id and "UNKNOWN" in message.text, since=0)


def let_time_pass(bot, intent):
    """The horizon of a doubt is over."""
    with bot.house.store.engine.begin() as connection:
        connection.execute(
            text("UPDATE intent SET looking_until = :at WHERE intent_id = :id"),
            {"at": iso(datetime.now(UTC) - timedelta(minutes=1)), "id": intent.intent_id},
        )


def words_on(message):
    return [button.text for button in message.buttons]


def test_nothing_in_doubt_is_said(anna):
    anna.say("/unknown")
    anna.wait_for("Nothing is in doubt.")


def test_a_doubt_is_told_whole_and_not_to_be_ended_before_its_horizon(exchange, bot, anna):
    intent = doubt_of(bot, anna, exchange)
    bot.house.chats.set_zone(anna.chat, "Asia/Tokyo")
    anna.say("/unknown")
    told = anna.wait_for("UNKNOWN: Buy 0.0123 BTC")
    for words in ("from chat", "It may exist or not", "Do not enter it again", "still appear until", intent.intent_id):
        assert words in told.text
    assert " JST" in told.text
    assert words_on(told) == ["Show evidence", "Freeze"]
    anna.say(f"/unknown {intent.intent_id} not")
    assert "nobody can know" in anna.wait_for("still appear until").text
    anna.say(f"/unknown {intent.intent_id} placed 8c1d9f00-0000-4000-8000-000000000000")
    anna.wait_for("nobody can know")
    anna.tap("Show evidence", told)
    shown = anna.wait_for("Evidence")
    assert shown.id == told.id
    assert "asked for by chat:" in shown.text
    assert "sending, attempt 1" in shown.text
    assert words_on(shown) == ["Freeze"]
    anna.say("/pending")
    assert "1 UNKNOWN: /unknown" in anna.wait_for("No question").text
    assert bot.house.journal.get(intent.intent_id).reads_as == "UNKNOWN"


def test_it_was_not_placed_is_said_after_one_question_and_a_code_and_once(exchange, bot, anna, app_of):
    app = app_of(anna)
    intent = doubt_of(bot, anna, exchange)
    let_time_pass(bot, intent)
    anna.say("/unknown")
    told = anna.wait_for("UNKNOWN: Buy 0.0123 BTC")
    assert words_on(told) == ["Show evidence", "It was placed", "It was not", "Freeze"]
    anna.tap("It was not", told)
    card = anna.wait_for("It was not placed?")
    assert "look at the exchange's own page first" in card.text
    anna.tap("Cancel", card)
    anna.wait_for("You said no.")
    assert bot.house.journal.get(intent.intent_id).reads_as == "UNKNOWN"
    anna.tap("It was not", told)
    card = anna.wait_for("It was not placed?")
    anna.tap("It was not placed", card)
    anna.wait_for("Now type the six digits")
    assert bot.house.journal.get(intent.intent_id).reads_as == "UNKNOWN"
    anna.say(app.code())
    anna.wait_for("Resolved: Buy 0.0123 BTC")
    after = bot.house.journal.get(intent.intent_id)
    assert after.reads_as == "REJECTED"
    assert f"(user {anna.chat})" in after.resolution["by"]
    anna.tap("It was not", told)
    anna.wait_for("not in doubt any more")
    anna.say("/unknown")
    anna.wait_for("Nothing is in doubt.")
    anna.say("/audit")
    assert "resolved as not-placed" in anna.wait_for("The last").text


def test_without_an_app_no_word_ends_a_doubt(exchange, bot, anna):
    intent = doubt_of(bot, anna, exchange)
    let_time_pass(bot, intent)
    anna.say("/unknown")
    anna.tap("It was not", anna.wait_for("UNKNOWN: Buy 0.0123 BTC"))
    assert "/totp" in anna.wait_for("needs a code from your authenticator app").text
    assert bot.house.journal.get(intent.intent_id).reads_as == "UNKNOWN"


def test_what_may_be_it_is_offered_and_bound_to_the_intent(exchange, bot, anna, eventually, *, app_of):
    app = app_of(anna)
    # Somebody else uses the account: what is found may be theirs, so a person is asked.
    (bot.folder / "other").mkdir()
    with connect(exchange.account(bot.folder / "other")) as client:
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.0222"))
    before = exchange.orders()
    anna.say("/buy BTC 0.0123")
    card = anna.wait_for("Open until:")
    exchange.fault("error_after", times=1)
    anna.tap(2, card)
    told_of(anna, card)
    (intent,) = bot.house.journal.list(limit=1)
    eventually(lambda: (bot.house.journal.get(intent.intent_id).resolution or {}).get("found"))
    eventually(lambda: not exchange.open_ids())
    let_time_pass(bot, intent)
    anna.say("/unknown")
    told = anna.wait_for("could be it")
    assert "Balances since: " in told.text
    assert "PYUSD -" in told.text
    button = next(words for words in words_on(told) if words.startswith("It was placed: "))
    anna.tap(button, told)
    card = anna.wait_for("It was placed: order")
    anna.tap("It was placed", card)
    anna.wait_for("Now type the six digits")
    anna.say(app.code())
    anna.wait_for("Resolved: Buy 0.0123 BTC")
    after = bot.house.journal.get(intent.intent_id)
    assert after.reads_as == "ACCEPTED"
    assert after.order_id.startswith(button.rpartition(" ")[2])
    assert exchange.orders() == before + 1


def test_an_order_that_is_not_what_was_sent_is_refused(exchange, bot, anna, app_of):
    app = app_of(anna)
    with connect(bot.account) as client:
        other = client.place_order(NewOrder.of("ETH/PYUSD", side="sell", amount="0.5")).order
    intent = doubt_of(bot, anna, exchange)
    let_time_pass(bot, intent)
    anna.say(f"/unknown {intent.intent_id[5:13]} placed {other.order_id}")
    anna.tap("It was placed", anna.wait_for("It was placed: order"))
    anna.wait_for("Now type the six digits")
    anna.say(app.code())
    told = anna.wait_for("Not resolved")
    assert "The doubt stands as it was." in told.text
    assert bot.house.journal.get(intent.intent_id).reads_as == "UNKNOWN"


@pytest.mark.parametrize("data", ["dn:" + "A" * 22, "dp:" + "A" * 22, "de:" + "A" * 22])
def test_a_made_up_button_names_no_doubt(data, exchange, bot, anna):
    intent = doubt_of(bot, anna, exchange)
    let_time_pass(bot, intent)
    anna.say("/unknown")
    told = anna.wait_for("UNKNOWN: Buy 0.0123 BTC")
    anna.forge(data, told)
    anna.wait_for("not in doubt any more")
    assert bot.house.journal.get(intent.intent_id).reads_as == "UNKNOWN"


def test_freeze_under_a_doubt_freezes_at_one_tap(exchange, bot, anna):
    doubt_of(bot, anna, exchange)
    anna.say("/unknown")
    anna.tap("Freeze", anna.wait_for("UNKNOWN: Buy 0.0123 BTC"))
    anna.wait_for("Frozen.")
    assert bot.house.journal.trading_state()["state"] == "HALTED"
    told = anna.wait_for("1 UNKNOWN: may exist or not. /unknown").text
    assert "No other order is live at the exchange." in told


def test_a_short_id_is_named_in_full(exchange, bot, anna):
    exchange.fault("error_before", times=1)
    with connect(bot.account) as client, pytest.raises(OutcomeUnknown):
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.0123"), intent_id="d2", source="cli")
    anna.say("/unknown d")
    anna.wait_for("No doubt begins with 'd'")
    anna.say("/unknown d2")
    anna.wait_for("UNKNOWN: Buy 0.0123 BTC")


@pytest.mark.parametrize("command", ["/unknown zzzz", "/unknown abc", "/unknown zzzz not"])
def test_a_doubt_that_is_none_is_said(command, anna):
    anna.say(command)
    anna.wait_for("No doubt begins with")


def test_a_transfer_in_doubt_is_ended_the_same_way(exchange, bot, anna, app_of):
    app = app_of(anna)
    house = bot.house
    host = house.accounts[0].client.exchange.host
    house.journal.destinations.add(
        host, "vault", network="bitcoin", address="bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", by="test"
    )
    anna.say("/transfer BTC 0.0777 vault")
    card = anna.wait_for("Open until:")
    exchange.fault("error_before", path="/transfers", times=1)
    anna.tap(2, card)
    anna.wait_for("Now type the six digits")
    anna.say(app.code())
    told_of(anna, card)
    (intent,) = house.journal.list(limit=1)
    let_time_pass(bot, intent)
    anna.say("/unknown")
    told = anna.wait_for("UNKNOWN: Send 0.0777 BTC to vault")
    anna.tap("It was not", told)
    card = anna.wait_for("It was not placed?")
    anna.tap("It was not placed", card)
    anna.wait_for("Now type the six digits")
    anna.say(app.code())
    assert "It is REJECTED." in anna.wait_for("Resolved: Send 0.0777 BTC to vault").text
    after = house.journal.get(intent.intent_id)
    assert (after.reads_as, after.kind) == ("REJECTED", "transfer")
