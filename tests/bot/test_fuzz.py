"""Hostile text by the thousand: no crash, no order, and always an answer, or silence by rule.

Here alone Telegram is a function instead of the sandbox: updates are handed to the application and what it would have
posted is written down, since a hundred thousand texts over HTTP would test the socket for hours. Above that edge all
is real: python-telegram-bot, the gate, the database, and the exchange over HTTP. What it posts is read as Telegram
reads it, by the sandbox's own parser.
"""

from __future__ import annotations

import asyncio
import json
import logging
import random
import secrets
import string
from collections import defaultdict
from datetime import UTC, datetime

import pytest
from telegram import Update
from telegram.request import BaseRequest

from tradehook_bot.access import OWNER, TRADER, VIEWER
from tradehook_bot.app import build
from tradehook_bot.commands.table import BY_NAME, COMMANDS
from tradehook_bot.context import House
from tradehook_bot.pace import PerChatPace
from tradehook_sandbox.telegram.content.texts import caption_text, message_text

USERNAME = "fuzz_bot"
PEOPLE = {**dict.fromkeys(range(1000, 1012), OWNER), **dict.fromkeys(range(1012, 1018), TRADER),
          **dict.fromkeys(range(1018, 1024), VIEWER)}  # fmt: skip
STRANGERS = range(2000, 2004)
GROUPS = range(-104, -100)
"""One for each of the first owners, so that each answer can be told from the others'."""
EXAMPLES = [example for command in COMMANDS for example in command.examples] + ["/buy BTC 0.01", "/sell ETH 1"] * 9
ANSWERS = {"sendMessage", "sendPhoto", "sendDocument", "editMessageText"}

SYMBOLS = [
    "BTC",
    "btc",
    "ETH",
    "PYUSD",
    "USD",
    "CBBTC",
    "BTC/PYUSD",
    "BTC-USD",
    "DOGE",
    "B TC",
    "ΒTC",
    "💰",
    "..",
    "B" * 200,
]
AMOUNTS = ["0.01", "$250", "50%", "max", "0", "-1", "1e9", "NaN", "Infinity", "1,000", "1.000,5", "0x10", "٣", "½", "+5", "1_0",
           "0." + "0" * 60 + "1", "9" * 300, "$", "%", "101%", "$-3", "１２", "0.1.2", ".5", "5."]  # fmt: skip
WORDS = ["limit", "64000", "good", "3d", "on", "solana", "base", "all", "main", "day", "7d", "vault", "quiet", "Europe/Berlin",
         "08:00", ">", "<", "5%", "placed", "not", "2h", "balances", "3f2a91c0", "chat-", "off", "now", "UTC"]  # fmt: skip
NASTY = ["<b>", "</b>", "<script>alert(1)</script>", "&amp;&lt;", "'; DROP TABLE intent; --", "%s%n", "{0}", "{house.token}",
         "${HOME}", "../../etc/passwd", "\x00", "\u202e", "\u200b", "\ufeff", "\ud7ff", "🏴‍☠️" * 20, "a" * 4000, "\n\n/buy BTC 1",
         "\t", "@" + USERNAME, "@other_bot", "_", "*[`", "\\", "/" * 50, "é" * 300]  # fmt: skip


class Telegram(BaseRequest):
    """Telegram's side of the wire: everything arrives, and is read as Telegram reads it."""

    def __init__(self):
        self.answered = defaultdict(list)
        self.number = 0

    read_timeout = 5.0

    async def initialize(self):
        """Nothing to open."""

    async def shutdown(self):
        """Nothing to close."""

    async def do_request(self, url, method, request_data=None, **_timeouts):
        name = url.rpartition("/")[2]
        sent = request_data.parameters if request_data is not None else {}
        if name == "getMe":
            return self._ok({"id": 1, "is_bot": True, "first_name": "Fuzz", "username": USERNAME})
        if name in ANSWERS:
            text, mode = sent.get("text"), sent.get("parse_mode", "")
            if text is not None:
                assert message_text(text, too_long="too long", parse_mode=mode).text.strip()
            elif "caption" in sent:
                caption_text(sent["caption"], parse_mode=mode)
            self.number += 1
            chat = sent["chat_id"]
            self.answered[chat].append((name, text or sent.get("caption", "")))
            there = {"id": chat, "type": "private" if chat > 0 else "supergroup"}
            return self._ok({"message_id": self.number, "date": 1_700_000_000, "chat": there, "text": "x"})
        if sent.get("chat_id") in STRANGERS:
            self.answered[sent["chat_id"]].append((name, ""))
        return self._ok(result=True)

    @staticmethod
    def _ok(result):
        return 200, json.dumps({"ok": True, "result": result}).encode()


class NoLimits(PerChatPace):
    """Groups have no pace here either."""

    def __init__(self):
        super().__init__(per_second=1_000_000)

    def _group(self, chat_id):
        return None


def slipped(chance, text):
    """With one character more, less or other."""
    at, other = chance.randrange(len(text)), chance.choice([*string.printable, "٣", ""])
    return text[:at] + other + text[at + chance.randrange(2) :]


def text_of(chance):
    """A text as a person, a careless one, or an enemy would type it."""
    kind = chance.random()
    if kind < 0.25:
        return "".join(
            chance.choice([*string.printable, *"äßΩ中🎉\u0301\u202e"]) for _ in range(chance.randrange(1, 60))
        )
    if kind < 0.30:
        return chance.choice(
            ["123456", "123 456", "１２３４５６", "", " ", "buy BTC 1", "FREEZE", "/", "//", "/ buy BTC 1"]
        )
    if kind < 0.50:
        return slipped(chance, chance.choice(EXAMPLES)) if chance.random() < 0.5 else chance.choice(EXAMPLES)
    name = chance.choice(
        list(BY_NAME) if kind < 0.6 else ["buy", "sell", "quote", "order", "cancel", "alert", "transfer"]
    )
    if kind > 0.93:
        name = "".join(chance.sample(name, len(name)))
    if chance.random() < 0.1:
        name = chance.choice(
            [name.upper(), f"{name}_all", f"{name}_{secrets.token_hex(2)}", f"{name}{chance.choice(NASTY)}"]
        )
    if chance.random() < 0.1:
        name += chance.choice([f"@{USERNAME}", f"@{USERNAME.upper()}", "@other_bot", "@"])
    pools = [SYMBOLS, AMOUNTS] if chance.random() < 0.5 else [SYMBOLS, AMOUNTS, WORDS, NASTY]
    words = [chance.choice(chance.choice(pools)) for _ in range(chance.randrange(6))]
    if chance.random() < 0.5:
        words[:2] = [chance.choice(SYMBOLS), chance.choice(AMOUNTS)]
    return f"/{name} {chance.choice([' ', '  ', chr(10), chr(160)]).join(words)}"


def data_of(chance):
    """What a client could claim that a button said."""
    made_up = secrets.token_urlsafe(16)
    return chance.choice([
        f"y:{made_up}", f"n:{made_up}", "y:", f"dp:{made_up}", f"dn:{made_up}", "a:main", "a:nobody", "x:1", "x:99999999999",
        "c:/buy BTC 0.01", "c:/cancel all", "c:/resume", "c:/transfer BTC 1 vault", "c:/history x", text_of(chance)[:60],
    ])  # fmt: skip


def is_answered(text, chat, person):
    """The rule, said again and without the bot's own code."""
    if person in STRANGERS:
        return False
    if chat > 0:
        return True
    words = text.split()
    if not words or words[0][:1] != "/":
        return False
    name, at, bot = words[0].partition("@")
    if at and bot:
        return bot.lower() == USERNAME
    known = {f"/{command.name}" for command in COMMANDS}
    name = name.lower()
    tapped = name.startswith(("/order_", "/cancel_"))
    ending = name.partition("_")[2]
    is_id = 4 <= len(ending) <= 36 and ending.isascii() and ending.isalnum()
    return name in known or (tapped and (is_id or ending == "all"))


def update_of(number, person, chat, *, text=None, data=None):
    moment = int(datetime.now(UTC).timestamp())
    user = {"id": person, "is_bot": False, "first_name": "<b>Eve</b> & {0}"}
    there = {"id": chat, "type": "private" if chat > 0 else "supergroup", "title": "Desk"}
    message = {"message_id": number, "date": moment, "chat": there, "from": user, "text": text or "x"}
    if data is None:
        return {"update_id": number, "message": message}
    query = {"id": str(number), "from": user, "chat_instance": "1", "data": data, "message": message}
    return {"update_id": number, "callback_query": query}


async def fuzz(bot, seed, count):
    """So many texts have been typed, many people at a time, and each answered as the rule has it."""
    chance = random.Random(seed)
    telegram = Telegram()
    house = House.open(bot.settings, bot.served, token=bot.token)
    app = build(house, pace=NoLimits(), request=telegram)
    for person, role in PEOPLE.items():
        assert house.access.claim(house.access.invite(role), user_id=person, name="<Eve>")
    await app.initialize()
    await app.start()
    number, told, asked = 0, 0, 0
    try:
        while number < count:
            chats = [*((person, person) for person in (*PEOPLE, *STRANGERS)), *zip(PEOPLE, GROUPS, strict=False)]
            for group in GROUPS:  # some text before may have been /forbid_here
                house.groups.allow(group, None, title="Desk", shows_holdings=True, allowed_by=1000)
            house.journal.set_trading_state("NORMAL", by="a test")  # or it may have been /freeze
            texts = {}
            for person, chat in chats:
                number += 1
                text = text_of(chance)
                texts[chat] = (text, person, number)
            telegram.answered.clear()
            await asyncio.gather(*(
                app.process_update(Update.de_json(update_of(each, person, chat, text=text), app.bot))
                for chat, (text, person, each) in texts.items()
            ))  # fmt: skip
            for chat, (text, person, _) in texts.items():
                answers = telegram.answered[chat]
                assert bool(answers) is is_answered(text, chat, person), (seed, text, chat, answers)
                assert not any("Something went wrong" in said for _, said in answers), (seed, text, answers)
                told += bool(answers)
                asked += any("Open until:" in said for _, said in answers)
            number += 1
            press = update_of(number, chance.choice([*PEOPLE, *STRANGERS]), 1000, data=data_of(chance))
            press["callback_query"]["message"]["chat"]["id"] = press["callback_query"]["from"]["id"]
            await app.process_update(Update.de_json(press, app.bot))
        assert not house.journal.list()
    finally:
        await app.stop()
        await app.shutdown()
        await house.close()
    return told, asked


def check(bot, exchange, seed, count, caplog):
    before = exchange.orders()
    with caplog.at_level(logging.ERROR):
        told, asked = asyncio.run(fuzz(bot, seed, count))
    # It goes deep: most are answered, and some are whole orders, which are asked about and never confirmed.
    assert told > count / 2
    assert asked > count / 200
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert exchange.orders() == before


def test_two_thousand_hostile_texts(make_bot, exchange, caplog):
    check(make_bot(), exchange, 1, 2000, caplog)


@pytest.mark.prove
@pytest.mark.parametrize("seed", range(10, 20))
def test_a_hundred_thousand_hostile_texts(seed, make_bot, exchange, caplog):
    check(make_bot(), exchange, seed, 10_000, caplog)
