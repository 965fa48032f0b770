"""A person trades from chat: the whole way over two sockets."""

from __future__ import annotations

import pytest


def test_a_market_buy_is_asked_about_confirmed_filled_and_announced(exchange, anna):
    before = exchange.orders()
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Buy 0.0100 BTC at the market price?")
    for fact in ("SANDBOX", "main at True Markets", "BTC/PYUSD", "Price: 67,3", "fee about", "not promised"):
        assert fact in card.text
    for fact in ("Available after: 0.5100 BTC", "Good up to: 67,6", "Open until:"):
        assert fact in card.text
    assert card.buttons[0].text == "Cancel"
    assert card.buttons[1].text.startswith("Buy 0.0100 BTC for 673.")
    assert exchange.orders() == before
    anna.tap("Buy 0.0100 BTC", card)
    edited = anna.wait_for(lambda message: message.id == card.id and "Filled: bought 0.0100 BTC" in message.text)
    assert not edited.buttons
    assert edited.text.startswith("SANDBOX")
    assert exchange.orders() == before + 1
    # Whoever confirmed a moment ago looks at that message: a second one says nothing new.
    anna.say("/help")
    anna.wait_for("What I understand")
    assert not [message for message in anna.messages() if message.id > card.id and "Filled" in message.text]


def test_selling_a_share_says_what_was_typed_and_what_is_sent(exchange, anna):
    anna.say("/sell BTC 50%")
    card = anna.wait_for("Sell 0.2500 BTC at the market price?")
    assert "Typed 50%, sends 0.2500 BTC" in card.text
    assert "Brings:" in card.text
    anna.tap("Sell 0.2500 BTC", card)
    anna.wait_for("Filled: sold 0.2500 BTC")
    held = next(
        row for row in exchange.get("/balances")["default"]["data"] if row["symbol"] == "BTC" and not row["chain"]
    )
    assert held["total"].rstrip("0") == "0.25"


def test_a_buy_for_a_sum_names_the_sum(anna):
    anna.say("/buy $250 BTC")
    card = anna.wait_for("Buy BTC for 250.00 PYUSD at the market price?")
    assert "Gets: about 0.0037" in card.text
    anna.tap(2, card)
    anna.wait_for("Filled: bought 0.0037 BTC")


def test_a_limit_order_rests_and_is_cancelled_in_one_tap(exchange, anna):
    anna.say("/buy BTC 0.01 limit 64000")
    card = anna.wait_for("Buy 0.0100 BTC at 64,000.0 or better?")
    assert "5.22 % above your limit; it waits in the book" in card.text
    assert "Costs at most: 640.00 + fee about 0.26 (not promised) = 640.26 PYUSD" in card.text
    anna.tap("Buy 0.0100 BTC at 64,000.0", card)
    resting = anna.wait_for("Open: buy 0.0100 BTC at 64,000.0")
    assert resting.id == card.id
    link = next(word for word in resting.text.split() if word.startswith("/cancel_"))
    anna.say("/orders")
    listed = anna.wait_for("1 open")
    assert link in listed.text
    anna.say(link)
    done = anna.wait_for("Canceled: buy 0.0100 BTC")
    assert done.id == card.id
    assert done.text.startswith("SANDBOX")
    assert exchange.open_ids() == []


def test_a_limit_order_is_announced_when_the_price_comes_to_it(exchange, anna):
    anna.say("/sell ETH 1 limit 3600")
    card = anna.wait_for("Sell 1.0000 ETH at 3,600.0 or better?")
    anna.tap(2, card)
    anna.wait_for("Open: sell 1.0000 ETH at 3,600.0")
    exchange.price(ETH="3650")
    assert "order " in anna.wait_for("Filled: sold 1.0000 ETH").text


def test_a_limit_order_rests_as_long_as_was_said(exchange, anna, eventually):
    anna.say("/buy BTC 0.01 limit 64000 good 2s")
    card = anna.wait_for("Buy 0.0100 BTC at 64,000.0 or better?")
    assert "cancels what still rests after 2" in card.text
    anna.tap(2, card)
    anna.wait_for("Open: buy 0.0100 BTC at 64,000.0")
    anna.wait_for("Canceled: buy 0.0100 BTC at 64,000.0")
    eventually(lambda: exchange.open_ids() == [])


def test_cancel_on_the_card_sends_nothing(exchange, anna):
    before = exchange.orders()
    anna.say("/buy ETH 1")
    card = anna.wait_for("Buy 1.0000 ETH")
    anna.tap("Cancel", card)
    gone = anna.wait_for("Not sent: Buy 1.0000 ETH")
    assert not gone.buttons
    assert "You said no" in gone.text
    assert exchange.orders() == before


def test_one_order_by_the_beginning_of_its_id(exchange, anna):
    anna.say("/buy BTC 0.01 limit 60000")
    anna.tap(2, anna.wait_for("or better?"))
    anna.wait_for("Open: buy")
    order_id = exchange.open_ids()[0]
    anna.say(f"/order {order_id[:6]}")
    shown = anna.wait_for(order_id)
    assert "Open: buy 0.0100 BTC at 60,000.0" in shown.text
    assert "from chat · intent chat-" in shown.text
    intent_id = shown.text.split("intent ")[1].split()[0]
    anna.say(f"/order {intent_id}")
    anna.wait_for("Open: buy 0.0100 BTC at 60,000.0")
    anna.say(f"/cancel {order_id[:8]}")
    anna.wait_for("Canceled: buy 0.0100 BTC at 60,000.0")
    anna.say("/order ffffffff")
    assert "/orders" in anna.wait_for("There is no order ffffffff").text


@pytest.mark.parametrize(
    ("typed", "answer"),
    [
        ("/buy BTC 1,000", "/buy BTC 1.0000"),
        ("/buy BTC 1,000", "/buy BTC 1000"),
        ("/buy", "like BTC 0.01"),
        ("/buy BTC", "/buy BTC $250"),
        ("/buy 0.01", "Which asset?"),
        ("/buy BTC -1", "is not a"),
        ("/buy BTC 1e9", "is not a"),
        ("/buy BTC 0", "is zero"),
        ("/buy BTC 0.00001", "less than the smallest quantity"),
        ("/buy BTC 101%", "more than everything"),
        ("/sell BTC 3", "/sell BTC max"),
        ("/buy BTC $20000", "10,000.00 PYUSD is available"),
        ("/buy BTC 0.01 limit", "which price?"),
        ("/buy BTC 0.01 limit 64,000", "/buy BTC 0.01 limit 64000"),
        ("/buy BTC 0.01 limit 64000.05", "lies between two prices"),
        ("/buy BTC 0.01 good 3d", "/buy BTC 0.01 limit 64000 good 3d"),
        ("/buy BTC 0.01 limit 64000 good", "/buy BTC 0.01 limit 64000 good 3d"),
        ("/buy BTC 0.01 limit 64000 good soon", "is no length of time"),
        ("/buy BTC 0.01 limit 64000 good 99w", "90 days at most"),
        ("/buy BTC $100 limit 64000", "sized in BTC"),
        ("/buy BTCC 1", "/buy BTC 1"),
        ("/buy bitcoin 1", "Did you mean BTC?"),
        ("/buy DOGE 1", "I can trade"),
        ("/buy <b>BTC</b> 1", "not an asset symbol"),
        ("/buy SOL $50", "SOL is on chain: solana (So11111111111111111111111111111111111111112)"),
        ("/buy SOL on solana", "/buy SOL $50 on solana"),
        ("/sell CBBTC 1,000 on base", "/sell CBBTC 1000 on base"),
        ("/buy USDC 5", "I can trade BTC, ETH"),
        ("/buy PYUSD 5", "the two assets are the same"),
        ("/buy BTC/EUR 1", "BTC/EUR"),
        ("/quote BTC 50%", "/quote BTC 0.05"),
        ("/order", "Which order?"),
        ("/cancel x", "cannot be an order's id"),
        ("/blance", "Did you mean /balance?"),
        ("/nonsensical", "/help"),
        ("buy BTC 0.01", "/buy BTC 0.01"),
        ("how are you?", "/help"),
    ],
)
def test_every_slip_gets_an_answer_with_something_to_type(typed, answer, exchange, typist):
    before = exchange.orders()
    typist.say(typed)
    shown = typist.wait_for(lambda message: message.from_bot)
    assert answer in shown.text
    assert shown.text.startswith("SANDBOX")
    assert exchange.orders() == before


@pytest.fixture(scope="module")
def typist(sandbox, tmp_path_factory):
    """One owner for many slips of the pen: none of them changes anything."""
    sandbox.renew()
    with sandbox.bot(tmp_path_factory.mktemp("typist")).running() as bot:
        yield bot.let_in()
