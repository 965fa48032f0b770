"""One bot over several accounts: two at True Markets, which share a host, and one at FinTrusted."""

from __future__ import annotations

import secrets
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal

import pytest
from sqlalchemy import text

from tradehook.client import connect
from tradehook.models import NewOrder
from tradehook_bot.accounts import Served

SERVE = """
import json, socket, sys
from pathlib import Path
from tradehook_sandbox.clock import Clock
from tradehook_sandbox.sandbox import Sandbox
from tradehook_sandbox.server import serve

sandbox = Sandbox(clock=Clock(), rate_limit=0, fintrusted_rate_limit=0)
for account, path in (("default", sys.argv[1]), ("second", sys.argv[2])):
    Path(path).write_text(json.dumps(sandbox.key_file(account)))
    Path(path).chmod(0o600)
listener = socket.create_server(("127.0.0.1", 0))
serve(sandbox, listener, url=f"http://127.0.0.1:{listener.getsockname()[1]}")
"""
SECOND_KEY = "second.json"


@pytest.fixture(scope="module")
def world(sandbox, tmp_path_factory):
    """A sandbox in which two people have accounts at True Markets."""
    folder = tmp_path_factory.mktemp("world")
    files = [folder / "key.json", folder / SECOND_KEY]
    process = subprocess.Popen(
        [sys.executable, "-c", SERVE, *map(str, files)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        line = process.stdout.readline()
        assert line.startswith("ready "), line
        world = type(sandbox)(line.split()[1], files[0])
        yield world
        world.http.close()
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


@pytest.fixture
def many(world, make_bot):
    """A bot over three accounts that does not run yet."""
    world.renew()
    bot = make_bot(world)
    email = f"ann{secrets.token_hex(4)}@example.com"
    world.post("/fintrusted/members", email=email, password="play")
    bot.email = email
    trusted = replace(
        bot.account, exchange="fintrusted", account="trusted", options={"email": email, "password": "play"}
    )
    bot.others = (replace(bot.account, account="second", key_file=world.key_file.with_name(SECOND_KEY)), trusted)
    return bot


@pytest.fixture
def running(many):
    with many.running():
        yield many


@pytest.fixture
def ann(running):
    return running.let_in("Ann")


def is_new(card, words):
    return lambda message: message.id != card.id and words in message.text


def by_program(settings, side, market, amount, *, limit=None):
    """What the command line or a DAG does with one of these accounts."""
    order = NewOrder.of(market, side=side, amount=amount, price=Decimal(limit) if limit else None)
    with connect(settings) as client:
        return client.place_order(order, source="cli")


def told(person, words):
    return [message for message in person.messages() if message.from_bot and words in message.text]


# --- choosing -----------------------------------------------------------------------------------------------


def test_a_chat_is_about_one_account_and_every_answer_says_which(ann):
    ann.say("/account")
    listed = ann.wait_for("This chat is about main at True Markets")
    for line in ("▸ main at True Markets (sandbox)", "· second at True Markets", "· trusted at FinTrusted"):
        assert line in listed.text
    assert [button.text for button in listed.buttons] == ["second at True Markets", "trusted at FinTrusted"]
    ann.say("/balance")
    assert ann.wait_for("10,000.00 PYUSD").text.startswith("SANDBOX · main · ")
    ann.tap("trusted", listed)
    switched = ann.wait_for("This chat is about trusted at FinTrusted")
    assert switched.id == listed.id
    assert [button.text for button in switched.buttons] == ["main at True Markets", "second at True Markets"]
    ann.say("/balance")
    assert ann.wait_for("100,000.00 USDT").text.startswith("SANDBOX · trusted · trusted at FinTrusted")
    ann.say("/account SECOND")
    ann.wait_for("This chat is about second at True Markets")
    ann.say("/account nobody")
    refused = ann.wait_for("No account that I serve is called 'nobody'")
    assert "/account trusted" in refused.text
    ann.forge("a:nobody", switched)
    ann.say("/balance")
    assert ann.wait_for("PYUSD").text.startswith("SANDBOX · second · ")


def test_the_choice_outlives_a_restart_and_is_the_chats_own(many):
    with many.running():
        ann = many.let_in("Ann")
        bob = many.let_in("Bob")
        ann.say("/account trusted")
        ann.wait_for("This chat is about trusted")
    with many.running():
        ann.say("/quote BTC $250")
        assert ann.wait_for("BTC/USDT, 250.00 USDT").text.startswith("SANDBOX · trusted")
        bob.say("/quote BTC $250")
        assert bob.wait_for("BTC/PYUSD, 250.00 PYUSD").text.startswith("SANDBOX · main")


def test_the_menu_and_help_have_the_command_only_where_there_is_a_choice(ann, bot, anna):
    ann.say("/help")
    assert "/account - " in ann.wait_for("What I understand").text
    anna.say("/help")
    assert "/account" not in anna.wait_for("What I understand").text
    anna.say("/account")
    assert "There is one account: main at True Markets" in anna.wait_for("one account").text
    for person, has_it in ((ann, True), (anna, False)):
        menu = person.remote.get("/commands", chat=person.chat, token=person.token)
        assert any(entry["command"] == "account" for entry in menu["commands"]) is has_it


def test_an_account_that_is_gone_orders_nothing_until_another_is_chosen(many, world):
    with many.running():
        ann = many.let_in("Ann")
        ann.say("/account trusted")
        ann.wait_for("This chat is about trusted")
        ann.say("/buy BTC $100")
        card = ann.wait_for("Open until:")
    many.others = many.others[:1]
    before = world.get("/fintrusted/orders")["data"]
    with many.running():
        ann.tap(2, card)
        assert "The account trusted is not served any more" in ann.wait_for("Not sent").text
        ann.say("/buy BTC 0.01")
        refused = ann.wait_for("This chat was about trusted, which is not served any more")
        assert "Choose one with /account" in refused.text
        ann.say("/account main")
        ann.wait_for("This chat is about main")
        ann.say("/buy BTC 0.01")
        ann.wait_for("Open until:")
    assert world.get("/fintrusted/orders")["data"] == before


def test_of_several_live_accounts_one_is_chosen_before_anything_is_asked(many, monkeypatch):
    settings = (many.account, *many.others)
    served = Served(settings, must_choose=tuple(each.account for each in settings))
    monkeypatch.setattr(type(many), "served", served)
    with many.running():
        ann = many.let_in("Ann")
        ann.say("/buy BTC 0.01")
        ann.wait_for("There are several live accounts (main, second, trusted), and none was chosen in this chat")
        ann.say("/account")
        listed = ann.wait_for("Orders wait until you choose one")
        ann.tap("main at", listed)
        ann.wait_for(lambda message: message.id == listed.id and "Orders wait" not in message.text)
        ann.say("/buy BTC 0.01")
        ann.wait_for("Open until:")


# --- whose order ----------------------------------------------------------------------------------------------


def test_a_question_stays_about_its_account_whatever_the_chat_is_about(ann, world):
    before, others = world.orders(), world.get("/fintrusted/orders")["data"]
    ann.say("/buy BTC 0.01")
    card = ann.wait_for("main at True Markets, BTC/PYUSD")
    assert card.text.startswith("SANDBOX · main · ")
    ann.say("/account trusted")
    ann.wait_for("This chat is about trusted")
    ann.tap(2, card)
    done = ann.wait_for("Filled: bought 0.0100 BTC")
    assert done.text.startswith("SANDBOX · main · ")
    edited = ann.wait_for(lambda message: message.id == card.id and "Filled: bought" in message.text, since=0)
    assert edited.text.startswith("SANDBOX · main · ")
    assert world.orders() == before + 1
    assert world.get("/fintrusted/orders")["data"] == others


def test_accounts_that_share_a_host_are_told_apart(ann, running, eventually):
    second = running.others[0]
    eventually(lambda: all(account.account_id for account in running.house.accounts))
    # Under a name that the bot does not know: whose it is is decided by the exchange's own id.
    placed = by_program(replace(second, account="airflow_conn"), "sell", "ETH/PYUSD", "1", limit="9000")
    resting = ann.wait_for("Open: sell 1.0000 ETH at 9,000.0")
    assert resting.text.startswith("SANDBOX · second · ")
    link = next(word for word in resting.text.split() if word.startswith("/cancel_"))
    ann.say("/orders")
    assert ann.wait_for("No open orders").text.startswith("SANDBOX · main")
    ann.say(link)
    ann.wait_for("There is no order")
    assert running.exchange.open_ids() == [placed.order.order_id]
    ann.say("/account second")
    ann.wait_for("This chat is about second")
    ann.say("/orders")
    assert link in ann.wait_for("1 open").text
    ann.say(link)
    canceled = ann.wait_for("anceled: sell 1.0000 ETH")
    assert canceled.text.startswith("SANDBOX · second")
    eventually(lambda: running.exchange.open_ids() == [])


def test_a_freeze_is_for_all_accounts_and_shows_what_is_live_in_each(ann, running):
    by_program(running.account, "buy", "BTC/PYUSD", "0.01", limit="50000")
    by_program(running.others[1], "buy", "BTC/USDT", "0.01", limit="40000")
    ann.say("/freeze")
    live = ann.wait_for("STILL LIVE")
    assert live.text.startswith("SANDBOX · Frozen")
    main, second, trusted = (live.text.index(f"{name} at") for name in ("main", "second", "trusted"))
    assert "buy 0.0100 BTC at 50,000.0" in live.text[main:second]
    assert "No order is live" in live.text[second:trusted]
    assert "buy 0.0100 BTC at 40,000.0" in live.text[trusted:]
    assert [button.text for button in live.buttons] == ["Leave them", "Cancel all 2 orders"]
    for name in ("main", "trusted"):
        ann.say(f"/account {name}")
        ann.wait_for(f"This chat is about {name}")
        ann.say("/buy BTC $100")
        ann.wait_for("Trading is frozen")
    ann.say("/status")
    status = ann.wait_for("FROZEN")
    assert status.text.count("Open orders: 1") == 2
    assert status.text.count("Open orders: 0") == 1
    ann.say("/resume")
    ann.wait_for("Trading goes on")


def test_after_a_freeze_orders_of_every_account_are_canceled_at_one_answer(ann, running, eventually):
    by_program(running.account, "buy", "BTC/PYUSD", "0.01", limit="50000")
    by_program(running.others[0], "buy", "BTC/PYUSD", "0.02", limit="50000")
    ann.say("/freeze")
    live = ann.wait_for("STILL LIVE")
    ann.tap("Cancel all 2 orders", live)
    done = ann.wait_for("Asked for the cancellation of 2 orders.")
    assert done.id == live.id
    assert "Not canceled" not in done.text
    eventually(lambda: running.exchange.open_ids() == [])
    ann.say("/resume")
    ann.wait_for("Trading goes on")


# --- an exchange that tells nothing of orders -----------------------------------------------------------------


@pytest.fixture
def trusting(ann, running):
    """Ann's chat is about FinTrusted."""
    ann.say("/account trusted")
    ann.wait_for("This chat is about trusted")
    return ann


def test_a_market_buy_is_accepted_at_once_and_probably_filled_by_what_the_wallet_shows(trusting):
    trusting.say("/buy BTC $250")
    card = trusting.wait_for("Buy BTC for 250.00 USDT at the market price?")
    assert "trusted at FinTrusted, BTC/USDT" in card.text
    trusting.tap(2, card)
    trusting.wait_for(lambda message: message.id == card.id and "Accepted" in message.text)
    edited = trusting.wait_for(
        lambda message: message.id == card.id and "Probably filled: buy BTC for 250.00 USDT" in message.text
    )
    assert not edited.buttons
    assert "Evidence: since it was sent: BTC +0.00" in edited.text
    assert edited.text.startswith("SANDBOX · trusted · ")
    assert not told(trusting, "Filled:")


def test_a_limit_order_is_listed_and_canceled_by_its_whole_id(trusting, world):
    trusting.say("/buy BTC 0.01 limit 50000")
    card = trusting.wait_for("Buy 0.0100 BTC at 50,000.0 or better?")
    trusting.tap(2, card)
    placed = trusting.wait_for(
        lambda message: message.id == card.id and "Accepted, and the exchange tells no more" in message.text
    )
    # The status is the same; what it was concluded from is new, and so the message is edited.
    trusting.wait_for(lambda message: message.id == card.id and "500 USDT are held for it" in message.text, since=0)
    link = next(word for word in placed.text.split() if word.startswith("/cancel_"))
    (order,) = [row for row in world.get("/fintrusted/orders")["data"] if link == f"/cancel_{row['order_id']}"]
    assert order["status"] == "TRADING"
    trusting.say("/orders")
    listed = trusting.wait_for("1 open")
    assert "no way to ask how an order stands" in listed.text
    assert link in listed.text
    trusting.say(f"/order {order['order_id']}")
    assert link in trusting.wait_for("from chat").text
    trusting.say(link)
    trusting.wait_for("Canceled: buy 0.0100 BTC at 50,000.0")
    edited = trusting.wait_for(
        lambda message: message.id == card.id and "nothing is held for it any more" in message.text, since=0
    )
    assert edited.text.startswith("SANDBOX · trusted")
    trusting.say("/orders")
    trusting.wait_for("No open orders")


def test_what_cannot_be_told_is_said_once_and_never_called_filled(trusting, running, world):
    trusting.say("/buy BTC 0.01 limit 50000")
    card = trusting.wait_for("Open until:")
    trusting.tap(2, card)
    trusting.wait_for(lambda message: message.id == card.id and "Accepted, and" in message.text)
    world.post("/fintrusted/deposit", email=running.email, coin="BTC", add="-0.25")
    world.price(BTC="49900")
    notice = trusting.wait_for(is_new(card, "Accepted, but what became of it cannot be told"))
    assert "which this order does not explain" in notice.text
    edited = trusting.wait_for(lambda message: message.id == card.id and "cannot be told" in message.text, since=0)
    assert any(word.startswith("/cancel_") for word in edited.text.split())
    assert not told(trusting, "illed:")
    trusting.say("/orders")
    trusting.wait_for("1 open")
    assert len([message for message in told(trusting, "cannot be told") if "1 open" not in message.text]) == 2


def test_what_an_exchange_cannot_do_is_a_sentence_with_what_to_send_instead(trusting, world):
    before = world.get("/fintrusted/orders")["data"]
    trusting.say("/buy BTC 0.01")
    refused = trusting.wait_for("A market buy at FinTrusted is sized in what is spent")
    offer = next(line for line in refused.text.splitlines() if line.startswith("/buy BTC $"))
    trusting.say(offer)
    trusting.wait_for("Open until:")
    trusting.say("/buy BTC 1 on solana")
    trusting.wait_for("I do not understand")
    assert world.get("/fintrusted/orders")["data"] == before
    assert not told(trusting, "Something went wrong")


def test_orders_of_a_program_at_fintrusted_are_told_as_well(ann, running):
    by_program(running.others[1], "buy", "ETH/USDT", "$500")
    notice = ann.wait_for("Probably filled: buy ETH for 500.00 USDT")
    assert notice.text.startswith("SANDBOX · trusted · ")
    assert "from the command line" in notice.text


# --- across versions ---------------------------------------------------------------------------------------


def test_rows_of_a_version_that_knew_one_account_are_read(many):
    with many.running():
        ann = many.let_in("Ann")
        ann.say("/buy BTC 0.01 limit 50000")
        card = ann.wait_for("Open until:")
    many.others = ()
    with many.journal() as journal, journal.engine.begin() as connection:
        connection.execute(text("UPDATE bot_proposal SET account = NULL"))
    with many.running():
        ann.tap(2, card)
        assert ann.wait_for("Open: buy 0.0100 BTC at 50,000.0").text.startswith("SANDBOX · Open")


# --- looking --------------------------------------------------------------------------------------------------


def test_pictures_and_history_of_an_exchange_that_tells_of_no_orders(ann):
    ann.say("/account trusted")
    ann.wait_for("This chat is about trusted at FinTrusted")
    ann.say("/price BTC")
    assert ann.wait_for(lambda message: message.photo is not None).text.startswith("SANDBOX · trusted · BTC 67,340.2")
    ann.say("/price BTC 7d")
    ann.wait_for("Write 1h to 24h")
    ann.say("/portfolio day")
    assert "USDT 59.8 %" in ann.wait_for(lambda message: message.photo is not None).text
    ann.say("/history")
    assert "Orders placed elsewhere are not here" in ann.wait_for("FinTrusted has no way to ask").text
