"""The bot in figures: update to reply beside a bare echo, fill to alert, and fifty chats at once. Run by hand.

Both bots of the first figure run in this process, against the same sandbox over HTTP, turn by turn; only the ratio is
worth keeping. The crowd meets no socket: updates are handed over and Telegram is a function, so what is measured is
the bot itself, with its database, while each call of the exchange takes 50 ms.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
from telegram import Update
from telegram.ext import Application, MessageHandler, filters
from telegram.request import BaseRequest

from tradehook.budget import Budget
from tradehook.client import connect
from tradehook.exchanges.true_markets import opening
from tradehook.models import Balance, NewOrder
from tradehook.settings import Settings
from tradehook_bot.access import Access
from tradehook_bot.accounts import Served
from tradehook_bot.app import ALLOWED_UPDATES, build
from tradehook_bot.chats import Chats, Loudness
from tradehook_bot.context import House
from tradehook_bot.pace import PerChatPace
from tradehook_bot.redaction import hush
from tradehook_bot.settings import BotSettings
from tradehook_sandbox.telegram.driver import Person

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from telegram.request import RequestData

ROUNDS = 80
FILLS = 20
HURRIED_SECONDS = 3.0
CHATS, EACH = 50, 40
EXCHANGE_SECONDS = 0.05
SWEEP_SECONDS = 2.0
"""How often an order younger than 20 s is looked at."""


# --- beside an echo, over HTTP ---------------------------------------------------------------------------------------


async def beside_an_echo(url: str, folder: Path) -> None:
    """A command that asks no exchange, from the person's word to the reply they see."""
    house, ann = person_with_bot(url, folder)
    echo_token = new_token()
    bob = Person(url, user="Bob", token=echo_token)
    echo = Application.builder().token(echo_token).base_url(f"{url}/bot").concurrent_updates(True).build()  # noqa: FBT003
    echo.add_handler(MessageHandler(filters.TEXT, say_again))
    ours, peer = [], []
    async with polling(build(house, pace=unlimited())), polling(echo):
        for turn in range(ROUNDS + 5):
            first = await asyncio.to_thread(seconds_to_reply, bob, "/whoami", "/whoami")
            second = await asyncio.to_thread(seconds_to_reply, ann, "/whoami", "owner")
            if turn >= 5:
                peer.append(first)
                ours.append(second)
    one, other = statistics.median(ours), statistics.median(peer)
    print(
        f"update to reply over HTTP: bare echo {other * 1e3:.1f} ms, ours {one * 1e3:.1f} ms, ratio {one / other:.2f} "
        f"(medians of {ROUNDS}, turn by turn; goal 1.5)"
    )


async def say_again(update: Update, _context: Any) -> None:
    """The bare bot."""
    if update.message is not None and update.message.text is not None:
        await update.message.reply_text(update.message.text)


def seconds_to_reply(person: Person, said: str, expected: str) -> float:
    """From a person's word to the bot's."""
    began = time.perf_counter()
    person.say(said)
    person.wait_for(expected)
    return time.perf_counter() - began


# --- fill to alert ---------------------------------------------------------------------------------------------------


async def fill_to_alert(url: str, folder: Path) -> None:
    """A limit order is reached by the market; when does its person hear of it?"""
    house, ann = person_with_bot(url, folder)
    Chats(house.store).set_loudness(ann.chat, Loudness.ALL)
    async with polling(build(house)):
        took = [await asyncio.to_thread(seconds_to_alert, house, ann, number) for number in range(FILLS)]
    p95 = statistics.quantiles(took, n=20)[-1]
    print(
        f"fill to alert: median {statistics.median(took):.2f} s, p95 {p95:.2f} s of {FILLS} "
        f"(goal one sweep + 200 ms: {SWEEP_SECONDS + 0.2:.1f} s)"
    )


def seconds_to_alert(house: House, ann: Person, number: int) -> float:
    """From the price that fills an order of the command line to the message about it."""
    price = Decimal(64_000 + number)
    with connect(house.accounts[0].settings) as client:
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=str(price)), source="cli")
    ann.wait_for(f"Open: buy 0.0010 BTC at {price:,.1f}", since=0)
    # Past the first moments, in which it looks more often; then anywhere between two looks.
    time.sleep(HURRIED_SECONDS + SWEEP_SECONDS * number / FILLS)
    seen = {message.id for message in ann.messages()}
    began = time.perf_counter()
    prices(ann, BTC=str(price - 100))
    ann.wait_for(lambda message: message.id not in seen and "Filled: bought 0.0010 BTC" in message.text)
    took = time.perf_counter() - began
    prices(ann, BTC="67340.2")
    return took


# --- a crowd ---------------------------------------------------------------------------------------------------------


class Telegram(BaseRequest):
    """Telegram as a function: every message arrives at once."""

    def __init__(self) -> None:
        """Nothing was said."""
        self.said: dict[int, list[str]] = defaultdict(list)
        self._numbers = 0
        self._wanted = 0
        self._is_all_said = asyncio.Event()

    async def until(self, messages: int) -> None:
        """So many messages were sent."""
        self._wanted = messages
        if self._numbers < messages:
            await self._is_all_said.wait()

    @property
    def read_timeout(self) -> float:
        """Never reached."""
        return 5.0

    async def initialize(self) -> None:
        """Nothing to open."""

    async def shutdown(self) -> None:
        """Nothing to close."""

    async def do_request(
        self, url: str, method: str, request_data: RequestData | None = None, **_timeouts: Any
    ) -> tuple[int, bytes]:
        """Answer as Telegram does."""
        del method
        name = url.rpartition("/")[2]
        sent = request_data.parameters if request_data is not None else {}
        result: Any = True
        if name == "getMe":
            result = {"id": 1, "is_bot": True, "first_name": "bench", "username": "bench_bot"}
        elif name == "sendMessage":
            self._numbers += 1
            self.said[sent["chat_id"]].append(sent["text"])
            if self._numbers == self._wanted:
                self._is_all_said.set()
            chat = {"id": sent["chat_id"], "type": "private"}
            result = {"message_id": self._numbers, "date": int(time.time()), "chat": chat, "text": sent["text"]}
        return 200, json.dumps({"ok": True, "result": result}).encode()


async def crowd(url: str, folder: Path) -> None:
    """Fifty chats, each with a row of commands of which nine in ten ask the exchange."""
    house = open_house(url, folder, new_token())
    access = Access(house.store)
    people = range(1001, 1001 + CHATS)
    for user in people:
        access.claim(access.make_code(), user_id=user, name=f"Person {user}")
    balances = [Balance(symbol="BTC", available=Decimal(1), held=Decimal(0), total=Decimal(1))]
    at_once: dict[int, int] = defaultdict(int)

    async def after_a_while() -> list[Balance]:
        at_once[0] += 1
        at_once[1] = max(at_once[1], at_once[0])
        await asyncio.sleep(EXCHANGE_SECONDS)
        at_once[0] -= 1
        return balances

    house.accounts[0].client.balances = after_a_while  # type: ignore[method-assign]
    telegram = Telegram()
    application = build(house, pace=unlimited(), request=telegram)
    await application.initialize()
    await application.start()
    kinds = ["/whoami" if number % 10 == 9 else "/balance" for number in range(EACH)]
    updates = [
        update(application, number * CHATS + user, user, said) for number, said in enumerate(kinds) for user in people
    ]
    began = time.perf_counter()
    for each in updates:
        await application.update_queue.put(each)
    await telegram.until(CHATS * EACH)
    took = time.perf_counter() - began
    await application.stop()
    await application.shutdown()
    await house.close()
    expected = ["owner" if said == "/whoami" else "BTC" for said in kinds]
    ordered = all(
        all(word in text for word, text in zip(expected, texts, strict=True)) for texts in telegram.said.values()
    )
    print(
        f"{CHATS} chats, {EXCHANGE_SECONDS * 1e3:.0f} ms at the exchange: {CHATS * EACH / took:.0f} commands/s, "
        f"{at_once[1]} calls at once, {'in order inside each chat' if ordered else 'OUT OF ORDER'} (goal 500)"
    )


def update(application: Any, number: int, user: int, said: str) -> Update | None:
    """What Telegram delivers when somebody says something."""
    person = {"id": user, "is_bot": False, "first_name": f"Person {user}"}
    chat = {"id": user, "type": "private", "first_name": f"Person {user}"}
    message = {"message_id": number, "date": int(datetime.now(UTC).timestamp()), "from": person, "chat": chat}
    return Update.de_json({"update_id": number, "message": {**message, "text": said}}, application.bot)


# --- what they share -------------------------------------------------------------------------------------------------


def unlimited() -> PerChatPace:
    """No limit of Telegram's."""
    return PerChatPace(per_second=100_000)


def new_token() -> str:
    """A bot nobody has heard of."""
    return f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)[:35]}"


def open_house(url: str, folder: Path, token: str, own: Path | None = None) -> House:
    """A bot of its own, with a journal of its own, perhaps in this folder."""
    own = own or Path(tempfile.mkdtemp(dir=folder))
    account = Settings(
        environment="sandbox",
        account="main",
        url=url,
        key_file=folder / "key.json",
        journal_url=f"sqlite:///{own}/journal.db",
    )
    return House.open(BotSettings(telegram_url=url, config_home=own), Served((account,)), token=token)


def person_with_bot(
    url: str, folder: Path, *, token: str | None = None, own: Path | None = None
) -> tuple[House, Person]:
    """A bot, and its owner."""
    token = token or new_token()
    house, ann = open_house(url, folder, token, own), Person(url, user="Ann", token=token)
    access = Access(house.store)
    access.claim(access.make_code(), user_id=ann.chat, name="Ann")
    ann.say("hello")
    return house, ann


def prices(person: Person, **prices: str) -> None:
    """The market stands there."""
    httpx.post(f"{person.remote.url}/_sandbox/prices", json={"walk": False, **prices}).raise_for_status()


@asynccontextmanager
async def polling(application: Any) -> AsyncIterator[None]:
    """The bot asks Telegram for updates."""
    await application.initialize()
    if application.post_init:
        await application.post_init(application)
    await application.start()
    await application.updater.start_polling(allowed_updates=list(ALLOWED_UPDATES))
    yield
    await application.updater.stop()
    await application.stop()
    await application.shutdown()
    if application.post_shutdown:
        await application.post_shutdown(application)


@contextmanager
def sandbox(folder: Path) -> Iterator[str]:
    """A sandbox process; its address."""
    command = [sys.executable, "-m", "tradehook_sandbox", "serve", "--port", "0", "--rate-limit", "0"]
    process = subprocess.Popen(
        [*command, "--key-file", str(folder / "key.json")],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline().split()[1]
    finally:
        process.terminate()
        process.wait()


def main() -> None:
    """Run everything."""
    hush()
    opening.new_budget = lambda: Budget(requests=100_000)
    with tempfile.TemporaryDirectory() as name, sandbox(Path(name)) as url:
        for measure in (crowd, beside_an_echo, fill_to_alert):
            asyncio.run(measure(url, Path(name)))


if __name__ == "__main__":
    main()
