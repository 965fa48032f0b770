"""A whole day in chat, from the link to the audit; what was said stands in the docs, word for word.

When the bot's words change on purpose, the page is written anew, and read: see `HOW`.
"""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from difflib import unified_diff
from pathlib import Path

import pytest
from sqlalchemy import text
from tests.bot.diary import Diary

from tradehook.budget import Budget
from tradehook.desk.intents import iso
from tradehook.exchanges.true_markets import opening
from tradehook.portfolio_goal import Goal
from tradehook_sandbox.telegram.driver import Person

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "a-day-in-chat.md"
HOW = "If that is meant: WRITE_PAGES=1 .venv/bin/python -m pytest tests/bot/test_a_day.py, and read what changed."
VAULT = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
FOREWORD = """\
# A day in chat

Everything below was said between a person and the bot, over HTTP, on play money: a test holds this conversation and compares it with this page, word for word.
Some things are not as they were: ids read `ID1`, `ID2` and so on, times `hh:mm`, versions `X.Y`, codes `123456`; and prices were held still, except where it is said.
Buttons stand in brackets. When the bot changes a message it sent before, the new words stand where that happened.

Before the day began, somebody at the machine had run `tradehook-bot setup`, put an address called *vault* on the list of destinations, and written targets: 40 % BTC, 40 % ETH, the rest in PYUSD.
"""


@pytest.fixture
def still(serve, tmp_path, monkeypatch):
    """A sandbox of its own, new, whose prices stand still and whose best offers are large enough for every order."""
    monkeypatch.setattr(opening, "new_budget", lambda: Budget(requests=100_000))
    with serve(tmp_path) as exchange:
        exchange.renew()
        for symbol in ("BTC", "ETH"):
            exchange.post("/book", symbol=symbol, depth_percent=10_000)
        yield exchange


@pytest.fixture
def bot(still, make_bot):
    """A bot that calls something a doubt at once, instead of looking for it for seconds first."""
    quick = make_bot(still)
    quick.account = replace(quick.account, look_seconds=0)
    with quick.running() as running:
        yield running


@pytest.fixture
def diary(bot, eventually):
    def is_quiet():
        house = bot.house
        is_edited = not (house.order_messages.due() or house.notices.due())
        return bot.has_read_everything() and bot.has_sent_everything() and is_edited

    return Diary(Person(bot.exchange.url, user="Anna", token=bot.token), is_quiet, eventually)


def prepare(bot):
    """What somebody at the machine did before: a destination and targets."""
    host = bot.house.accounts[0].client.exchange.host
    bot.house.journal.destinations.add(host, "vault", network="bitcoin", address=VAULT, by="root")
    goal = Goal.of({"BTC": "40", "ETH": "40"}, quote="PYUSD", band="1", fee="0.5", reserve="0.5")
    bot.house.journal.targets.set("main", goal, by="root")


def let_time_pass(bot):
    """The horizon of every doubt is over."""
    with bot.house.store.engine.begin() as connection:
        past = iso(datetime.now(UTC) - timedelta(minutes=1))
        connection.execute(text("UPDATE intent SET looking_until = :at WHERE looking_until IS NOT NULL"), {"at": past})


def look_around(diary, bot):
    code = bot.invite()
    diary.secrets[code] = "CODE"
    diary.chapter("The link", "Whoever opens the link of `setup` says its code. Nobody else gets an answer.")
    diary.say(f"/start {code}", "You are its owner")
    diary.chapter("Is everything all right?", "First, how everything stands, and what a coin costs.")
    diary.say("/status", "Trading: on")
    diary.say("/quote BTC 0.05", "it binds nobody")
    diary.say("/price BTC", " in 24 h)")


def trade(diary, exchange):
    diary.chapter("An order", "A card says what it will cost. Nothing is sent before the button that names the deed.")
    card = diary.say("/buy BTC 0.01", "Open until:")
    diary.tap("Buy 0.0100 BTC", card, "Filled: bought 0.0100 BTC")
    diary.chapter("An order that waits", "A limit order rests for as long as was said, and one tap cancels it.")
    card = diary.say("/buy BTC 0.01 limit 64000 good 3d", "or better?")
    opened = diary.tap("Buy 0.0100 BTC", card, "Open: buy 0.0100 BTC at 64,000.0")
    diary.say("/orders", "1 open")
    link = next(word for word in opened.text.split() if word.startswith("/cancel_"))
    exchange.fault("slow", method="DELETE", path="/orders/{id}", times=1, delay_seconds=1)  # it is over when it is read
    diary.say(link, "Canceled: buy 0.0100 BTC", times=2)
    assert exchange.open_ids() == []
    card = diary.say("/sell ETH 1 limit 4000", "or better?")
    diary.tap("Sell 1.0000 ETH", card, "Open: sell 1.0000 ETH at 4,000.0")


def watch(diary, exchange):
    diary.chapter("How it is divided", "A picture comes with the same in words below.")
    diary.say("/portfolio", "(target 40 %)")
    diary.chapter("A price that is waited for", "It is told once when it comes, from the exchange's own stream.")
    diary.say("/alert BTC > 68000", "I wait for BTC above 68,000.0.")
    diary.meanwhile("BTC rises to 68,100.")
    exchange.price(BTC="68100")
    diary.comes("BTC is at 68,1")
    diary.meanwhile("And it falls back to where it was.")
    exchange.price(BTC="67340.2")


def move(diary, app):
    diary.chapter("A transfer", "Only to an address on the list, and only with a code from an authenticator app.")
    card = diary.say("/transfer BTC 0.1 vault", "Open until:")
    diary.tap("Send 0.1000 BTC", card, "Now type the six digits")
    diary.type_code(app.code(), "Transfer completed: 0.1000 BTC", times=2)
    diary.chapter("To the targets", "The whole plan stands on one card, and its legs go one after the other.")
    card = diary.say("/rebalance", "Open until:")
    diary.tap("Rebalance to main", card, "Rebalanced: ", times=2)


def doubt(diary, exchange, bot, app, *, eventually):
    diary.chapter(
        "An answer that never came",
        "The exchange answers an order with an error, and nothing tells whether it exists. It is never sent again.",
    )
    before = exchange.orders()
    card = diary.say("/buy ETH 0.2", "Open until:")
    exchange.fault("error_before", times=1)
    diary.tap("Buy 0.2000 ETH", card, "UNKNOWN: Buy 0.2000 ETH", times=2)
    (intent,) = bot.house.journal.list(limit=1)
    eventually(lambda: (bot.house.journal.get(intent.intent_id).resolution or {}).get("looked_at"))
    diary.say("/unknown", "still appear until")
    diary.meanwhile("Later, when it can no longer appear, and after a look at the exchange's own page:")
    let_time_pass(bot)
    told = diary.say("/unknown", "UNKNOWN: Buy 0.2000 ETH")
    card = diary.tap("It was not", told, "It was not placed?")
    diary.tap("It was not placed", card, "Now type the six digits")
    diary.type_code(app.code(), "Resolved: Buy 0.2000 ETH", "Not placed: Buy 0.2000 ETH")
    assert exchange.orders() == before


def stop_and_look_back(diary):
    diary.chapter("Stop", "A freeze stops everything new at once, and names what it does not stop.")
    card = diary.say("/freeze lost my phone", "STILL LIVE at the exchange: 1 order")
    diary.tap("Leave them", card, "You said no")
    diary.say("/buy BTC 0.01", "Trading is frozen by")
    diary.say("/resume", "Trading goes on")
    diary.chapter("The evening", "What rests, what was done, and who did what.")
    diary.say("/digest now", "Digest of")
    diary.say("/history", "The last ")
    diary.say("/audit 4", "The last ")


def test_the_day_in_the_docs_is_what_is_said(still, bot, diary, app_of, *, eventually):
    prepare(bot)
    look_around(diary, bot)
    app = app_of(diary.person, bot)
    trade(diary, still)
    watch(diary, still)
    move(diary, app)
    doubt(diary, still, bot, app, eventually=eventually)
    stop_and_look_back(diary)
    page = f"{FOREWORD}\n{diary.page()}"
    if os.environ.get("WRITE_PAGES"):
        PAGE.write_text(page)
    kept = PAGE.read_text() if PAGE.exists() else ""
    changes = "\n".join(
        unified_diff(kept.splitlines(), page.splitlines(), "the page", "what is said", lineterm="", n=1)
    )
    assert not changes, f"{PAGE.name} is not what is said. {HOW}\n{changes}"
