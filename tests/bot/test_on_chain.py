"""Orders on a chain from chat: shown by a preview, which a yes signs while it is young, and nothing signs otherwise."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import select, update

from tradehook.desk.intents import State
from tradehook.desk.tables import INTENT, PREVIEW
from tradehook.models import Asset, NewOrder
from tradehook_bot.markets import also_there

CBBTC = "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf"
SOL = "So11111111111111111111111111111111111111112"


def previews(bot):
    """Each preview of this bot's journal: the order that was made, and the intent that signed it."""
    with bot.house.journal.engine.connect() as connection:
        query = select(PREVIEW.c.exchange_id, PREVIEW.c.used_by).order_by(PREVIEW.c.asked_at)
        return [tuple(row) for row in connection.execute(query)]


def intents(bot):
    return bot.house.journal.list()


def later(monkeypatch, line, seconds):
    """So much time has passed by the clock of this line."""
    now = line.now
    monkeypatch.setattr(line, "now", lambda: now() + seconds)


def bots_lines(bot):
    client = bot.house.accounts[0].client
    return client.exchange.session.line, client.desk.exchange.session.line


def settled(person):
    """Whatever was pressed before has been handled: updates of one chat are handled in order."""
    person.say("/help")
    person.wait_for("What I understand")


def is_again(card, text="Open until:"):
    return lambda message: message.id != card.id and text in message.text


def test_a_buy_is_shown_by_a_preview_and_a_yes_signs_it(exchange, bot, anna):
    before = exchange.orders()
    anna.say("/buy CBBTC $50 on base")
    card = anna.wait_for("Buy CBBTC for 50.00 USDC on base at the market price?")
    for fact in ("SANDBOX", "main at True Markets, CBBTC/USDC on base", "Gets: about 0.000740", "Fee: 0.13 USDC"):
        assert fact in card.text
    for fact in ("Price: 67,5", "USDC, with the fee", f"Contract: {CBBTC} on base", "Good up to: 67,", "Open until:"):
        assert fact in card.text
    assert "Prepared at the exchange; nothing is signed yet." in card.text
    assert card.buttons[1].text.startswith("Buy about 0.000740")
    assert card.buttons[1].text.endswith("for 50.00 on base")
    assert exchange.orders() == before
    ((shown, used_by),) = previews(bot)
    assert used_by is None
    anna.say("/orders")
    assert shown[:8] not in anna.wait_for("No open orders").text
    anna.tap("Buy about", card)
    filled = anna.wait_for(lambda message: message.id == card.id and "Filled: bought 0.00074" in message.text)
    assert not filled.buttons
    (intent,) = intents(bot)
    assert intent.order_id == shown
    assert previews(bot) == [(shown, intent.intent_id)]
    assert exchange.orders() == before + 1
    anna.say(f"/order {shown[:8]}")
    assert "from chat · intent chat-" in anna.wait_for(shown).text


def test_what_is_sold_brings_dollars_of_its_chain(exchange, bot, anna):
    before = exchange.orders()
    anna.say("/sell SOL 0.1 solana")
    card = anna.wait_for("Sell 0.1000 SOL on solana at the market price?")
    assert "Brings: about" in card.text
    assert f"Contract: {SOL} on solana" in card.text
    assert "Good down to:" in card.text
    anna.tap(2, card)
    anna.wait_for("Filled: sold 0.1000 SOL")
    assert intents(bot)[0].order_id == previews(bot)[0][0]
    assert exchange.orders() == before + 1


def test_a_share_is_settled_once_and_shown(bot, anna):
    anna.say("/sell cbbtc 1% on base")
    card = anna.wait_for("Typed 1%, sends 0.000")
    assert "on base at the market price?" in card.text


def test_a_name_that_only_chains_have_is_offered_by_buttons(exchange, bot, anna):
    before = exchange.orders()
    anna.say("/buy CBBTC $50")
    told = anna.wait_for(f"CBBTC is on chain: base ({CBBTC})")
    assert [button.text for button in told.buttons] == ["Buy CBBTC on base (0xcbb7…33bf)"]
    assert previews(bot) == []
    anna.tap(1, told)
    card = anna.wait_for("Buy CBBTC for 50.00 USDC on base at the market price?")
    anna.tap("Cancel", card)
    assert "You said no" in anna.wait_for("Not sent: Buy about").text
    assert [used for _, used in previews(bot)] == [None]
    assert intents(bot) == []
    assert exchange.orders() == before


def test_a_namesake_on_a_chain_is_told_on_the_card():
    here = Asset(asset_id="1", symbol="ETH", venue="cefi", is_tradeable=True)
    there = Asset(asset_id="2", symbol="ETH", venue="defi", chain="base", address="0xabc", is_tradeable=True)
    (said,) = also_there([here, there], "ETH", chain_quote="USDC", command="/buy {market} $50")
    assert said == "This is ETH at the exchange. ETH on base (0xabc) is something else: /buy ETH $50 on base"
    assert also_there([here], "ETH", chain_quote="USDC", command="/buy {market} $50") == ()


@pytest.mark.parametrize(
    ("typed", "answer", "offer"),
    [
        ("/buy CBBTC 0.01 on base", "On chain, a buy is sized in USDC", "/buy CBBTC $100 on base"),
        ("/sell CBBTC $10 on base", "On chain, a sell is sized in CBBTC", "/sell CBBTC 0.5 on base"),
        ("/buy CBBTC $99999 on base", "is available on base", "/buy CBBTC max on base"),
        ("/sell CBBTC 0.01 limit 70000 on base", "A limit order cannot go on chain", ""),
        ("/buy CBBTC/PYUSD $50 on base", "On base, CBBTC is paid with USDC, not with PYUSD", ""),
        ("/buy BTC $50 on base", "There is no BTC on base", ""),
        ("/buy CBBTC $0.50 on base", "trade size below minimum", ""),
    ],
)
def test_what_cannot_be_is_said_and_asks_nothing(bot, anna, typed, answer, offer):
    anna.say(typed)
    told = anna.wait_for(answer)
    assert offer in told.text
    assert "Open until:" not in told.text
    assert not told.buttons
    assert intents(bot) == []


def test_a_quote_on_a_chain_leads_to_a_preview(bot, anna):
    anna.say("/quote CBBTC 0.001 on base")
    anna.tap(1, anna.wait_for("CBBTC is on chain: base"))
    anna.wait_for("Sell 0.0010 CBBTC on base at the market price?")
    anna.say("/quote SOL $20")
    anna.tap(1, anna.wait_for("SOL is on chain: solana"))
    anna.wait_for("Buy SOL for 20.00 USDC on solana at the market price?")


def test_an_old_preview_is_prepared_anew_and_asked_again_only_against_the_person(exchange, bot, anna, monkeypatch):
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    exchange.price(BTC="68000")
    for line in bots_lines(bot):
        later(monkeypatch, line, 20.1)
    anna.tap(2, card)
    again = anna.wait_for(is_again(card))
    assert "against you, from 67," in again.text
    assert "Nothing was sent." in again.text
    assert "Price: 68," in again.text
    anna.wait_for(lambda message: message.id == card.id and "Asked again below" in message.text, since=0)
    assert intents(bot) == []
    assert exchange.orders() == before
    # Better for its person: a new preview is made and signed without a question.
    exchange.price(BTC="66000")
    for line in bots_lines(bot):
        later(monkeypatch, line, 20.1)
    anna.tap(2, again)
    anna.wait_for("Filled: bought")
    (intent,) = intents(bot)
    assert [used for _, used in previews(bot)] == [None, None, intent.intent_id]
    assert intent.order_id == previews(bot)[2][0]
    assert exchange.orders() == before + 1


def test_a_preview_that_ages_on_its_way_is_compared_once_more_before_it_is_signed(exchange, bot, anna, monkeypatch):
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    exchange.price(BTC="68000")
    later(monkeypatch, bots_lines(bot)[1], 20.1)  # the desk's: the bot's own look came a moment too early
    anna.tap(2, card)
    anna.wait_for("Not approved; nothing was signed or sent")
    (intent,) = intents(bot)
    assert intent.order_id != previews(bot)[0][0]
    assert [used for _, used in previews(bot)] == [None]
    assert exchange.orders() == before


def test_the_seventh_of_a_minute_is_refused_with_when_it_frees(bot, anna):
    for _ in range(6):
        anna.say("/buy CBBTC $20 on base")
        anna.wait_for("Open until:")
    anna.say("/buy CBBTC $20 on base")
    told = anna.wait_for("6 previews were asked for in the last minute")
    assert "The next is possible at" in told.text
    assert "Nothing was sent" in told.text
    assert len(previews(bot)) == 6


def test_nothing_is_prepared_while_trading_is_frozen(bot, anna):
    anna.say("/freeze")
    anna.wait_for("Nothing new will be sent")
    anna.say("/buy CBBTC $20 on base")
    anna.wait_for("Trading is frozen")
    assert previews(bot) == []


def test_a_freeze_between_question_and_yes_signs_nothing(exchange, bot, anna):
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    bot.house.journal.set_trading_state("HALTED", by="somebody")
    anna.tap(2, card)
    anna.wait_for("Trading is frozen by somebody")
    assert [used for _, used in previews(bot)] == [None]
    assert exchange.orders() == before


def test_a_large_one_takes_a_code(exchange, make_bot, app_of):
    with make_bot(step_up_above=Decimal(15)).running() as bot:
        anna = bot.let_in()
        app = app_of(anna, bot)
        before = exchange.orders()
        anna.say("/buy CBBTC $20 on base")
        card = anna.wait_for("after Confirm I ask for a code")
        anna.tap(2, card)
        anna.wait_for("Now type the six digits")
        assert intents(bot) == []
        anna.say(app.code())
        anna.wait_for("Filled: bought")
        assert intents(bot)[0].order_id == previews(bot)[0][0]
        assert exchange.orders() == before + 1


def test_ten_taps_sign_it_once(exchange, bot, anna):
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    for _ in range(10):
        anna.forge(card.buttons[1].data, card)
    anna.wait_for("Filled: bought")
    settled(anna)
    assert len(intents(bot)) == 1
    assert exchange.orders() == before + 1


def test_a_lost_answer_to_the_signed_one_is_found_by_its_id(exchange, bot, anna):
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    exchange.fault("error_after", path="/orders/{id}/execute", status=503, times=1)
    anna.tap(2, card)
    anna.wait_for("Filled: bought")
    assert intents(bot)[0].order_id == previews(bot)[0][0]
    assert exchange.orders() == before + 1


def test_one_that_the_exchange_does_not_prepare_is_told_and_may_be_asked_for_again(exchange, bot, anna):
    before = exchange.orders()
    exchange.fault("error_before", status=503, times=1)
    anna.say("/buy CBBTC $20 on base")
    anna.wait_for("503")
    assert [made for made, _ in previews(bot)] == [None]
    anna.say("/buy CBBTC $20 on base")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Filled: bought")
    assert exchange.orders() == before + 1


def test_killed_while_it_is_signed_it_is_there_once_and_told(process, exchange, eventually):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    exchange.fault("slow", path="/orders/{id}/execute", delay_seconds=60)
    anna.tap(2, card)
    eventually(lambda: exchange.orders() == before + 1)
    running.kill()
    running.wait(timeout=20)
    exchange.http.delete("/faults")
    process.start()
    # Its id is known, so this is no doubt for long: the next look finds it.
    anna.wait_for(lambda message: message.id == card.id and "Filled: bought" in message.text, since=0)
    assert exchange.orders() == before + 1


def test_a_question_outlives_a_restart_and_its_preview_too(process, exchange):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    anna.say("/help")  # what comes after it in a chat is handled after it
    anna.wait_for("What I understand")
    running.kill()
    running.wait(timeout=20)
    process.start()
    anna.tap(2, card)
    anna.wait_for("Filled: bought")
    assert exchange.orders() == before + 1
    with process.journal() as journal:
        (intent,) = journal.list()
        with journal.engine.connect() as connection:
            used = connection.execute(select(PREVIEW.c.used_by)).scalars().all()
    assert used[-1] == intent.intent_id


@pytest.mark.parametrize("state", ["SENDING", "CREATED", "PREPARED"])
def test_killed_before_it_was_signed_it_is_told_as_not_sent_once_and_is_under_way_no_more(
    process, exchange, eventually, state
):
    anna = process.person()
    process.admit(anna)
    running = process.start()
    before = exchange.orders()
    anna.say("/buy CBBTC $20 on base")
    card = anna.wait_for("Open until:")
    with process.journal() as journal, journal.engine.begin() as connection:
        connection.execute(update(PREVIEW).values(used_by="another"))  # so that one has to be made
    exchange.fault("slow", delay_seconds=60)
    anna.tap(2, card)
    with process.journal() as journal:
        eventually(lambda: [intent.state for intent in journal.list()] == ["SENDING"])
        running.kill()
        running.wait(timeout=20)
        exchange.http.delete("/faults")
        if state == "PREPARED":  # a look was faster than the new process
            journal.move(journal.list()[0], State.PREPARED, what="abandoned")
        with journal.engine.begin() as connection:  # as a process leaves it that is killed a moment later
            connection.execute(update(INTENT).values(state=state))
    running = process.start()
    anna.wait_for(lambda message: message.id > card.id and message.text.startswith("SANDBOX · Not sent: Buy"))
    anna.wait_for(lambda message: message.id == card.id and "Not sent" in message.text, since=0)
    eventually(process.has_read_everything)
    eventually(process.has_sent_everything)
    running.terminate()
    running.wait(timeout=30)
    told = [message.text for message in anna.messages() if message.id >= card.id and message.from_bot]
    assert [text for text in told if "UNKNOWN" in text or "Submitting" in text or "Not placed" in text] == []
    assert sum("Not sent" in text for text in told) == 2  # the order's own message, and one notice
    assert exchange.orders() == before
    with process.journal() as journal:
        # Whoever wakes up late and would sign it finds it changed, and it takes no room of the limits.
        assert [intent.state for intent in journal.list()] == ["PREPARED"]


def test_a_doubt_is_told_though_an_earlier_try_of_it_was_left_unsigned(bot, anna):
    """A task's first process died before it signed, which is no news; its second one died while it did."""
    account, journal = bot.house.accounts[0], bot.house.journal
    exchange = account.client.exchange
    order = NewOrder.of("CBBTC/USDC", side="buy", amount="$20", chain="base")
    names = {"exchange": exchange.spec.name, "host": exchange.host, "environment": "sandbox", "account": "main"}
    intent, _ = journal.prepare("d-1", kind="order", source="airflow:dca/run/buy", asked=order.to_dict(), **names)
    journal.settle(intent, bot.run(account.client.size_order(order)).to_dict(), account_id=bot.run(account.identify()))
    left = {"owner": "another machine:1:1", "sending_at": "2020-01-01T00:00:00.000000Z", "exchange_id": "not there"}
    for attempt, state in enumerate(("SENDING", "EXECUTING"), start=1):
        with journal.engine.begin() as connection:
            connection.execute(update(INTENT).values(state=state, attempt=attempt, **left))
        bot.run(bot.house.look())
    assert "From Airflow (dca)" in anna.wait_for("UNKNOWN: Buy CBBTC for 20.00 USDC on base", since=0).text
