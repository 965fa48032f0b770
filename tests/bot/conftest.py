"""A real bot against a real sandbox: python-telegram-bot over HTTP on one side, the exchange over HTTP on the other.

The sandbox is a process that all tests share; each test has a bot of its own (a new token, so chats of its own), a
journal of its own, and the exchange as new: prices set, balances set, no faults, no open orders.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.bot.authenticator import app_of
from tests.bot.processes import process

from tradehook.budget import Budget
from tradehook.desk.journal import Journal
from tradehook.exchanges.true_markets import opening
from tradehook.settings import Settings
from tradehook_bot.accounts import Served
from tradehook_bot.app import ALLOWED_UPDATES, App, build
from tradehook_bot.context import House
from tradehook_bot.redaction import hush
from tradehook_bot.settings import BotSettings
from tradehook_bot.store import Store
from tradehook_sandbox.telegram.driver import Person

__all__ = ["app_of", "process"]

PATIENCE_SECONDS = 20.0
STARTED = "Application started"
MONEY = {"PYUSD": "10000", "BTC": "0.5", "ETH": "5"}
PRICES = {"BTC": "67340.2", "ETH": "3456.78"}


class Exchange:
    """The sandbox's exchange, from its operator's side."""

    def __init__(self, url: str, key_file: Path) -> None:
        self.url = url
        self.key_file = key_file
        self.process: subprocess.Popen[str] | None = None
        self.http = httpx.Client(base_url=f"{url}/_sandbox", timeout=30)

    def get(self, path: str) -> Any:
        return self.http.get(path).raise_for_status().json()

    def post(self, endpoint: str, /, **content: Any) -> Any:
        answer = self.http.post(endpoint, json=content)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def orders(self) -> int:
        """How many orders were ever placed."""
        ledger = self.get("/ledger")
        assert ledger["balanced"]
        return ledger["orders"]

    def fault(self, kind: str, *, method: str = "POST", path: str = "/orders", **more: Any) -> None:
        self.post("/faults", method=method, path=path, kind=kind, **more)

    def price(self, **prices: str) -> None:
        self.post("/prices", walk=False, **prices)

    def renew(self) -> None:
        """No faults, usual prices and money, nothing in the books."""
        self.http.delete("/faults")
        self.price(**PRICES)
        for row in self.get("/orders")["data"]:
            if row["status"] in ("active", "pending"):
                self.cancel(row["order_id"])
        for symbol, amount in MONEY.items():
            self.post("/balances", symbol=symbol, available=amount)

    def cancel(self, order_id: str) -> None:
        from tradehook.client import connect

        with suppress(Exception), connect(self.account(Path("/nowhere"))) as client:
            from tradehook.run import run

            write = client.exchange.cancel_order(order_id)
            run(client.exchange.session.read(write.request, write.read, kind="cancel"))
            eventually(lambda: order_id not in self.open_ids())

    def open_ids(self) -> list[str]:
        return [
            row["order_id"]
            for row in self.get("/orders")["data"]
            if row["status"] in ("active", "pending", "cancel_pending")
        ]

    def bot(self, folder: Path, **settings: Any) -> Bot:
        """A bot that does not run yet."""
        return Bot(self, folder, **settings)

    def account(self, folder: Path) -> Settings:
        return Settings(
            environment="sandbox",
            account="main",
            url=self.url,
            key_file=self.key_file,
            journal_url=f"sqlite:///{folder}/journal.db",
        )


def eventually(look: Callable[[], Any], *, seconds: float = PATIENCE_SECONDS) -> Any:
    """Look again until it is so."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it never came to be"
        time.sleep(0.02)
    return found


@contextmanager
def serving(folder: Path, *options: str) -> Iterator[Exchange]:
    """A sandbox process."""
    key_file = folder / "key.json"
    command = [sys.executable, "-m", "tradehook_sandbox", "serve", "--port", "0", "--key-file", str(key_file)]
    process = subprocess.Popen(
        [*command, "--rate-limit", "0", *options], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        assert line.startswith("ready "), line
        exchange = Exchange(line.split()[1], key_file)
        exchange.process = process
        yield exchange
        exchange.http.close()
    finally:
        process.terminate()
        process.wait(timeout=20)
        process.stdout.close()


class Bot:
    """One bot of one person's: its settings, its journal, and a way to run it in this process or in one of its own."""

    def __init__(self, exchange: Exchange, folder: Path, **settings: Any) -> None:
        self.exchange = exchange
        self.folder = folder
        self.token = f"{secrets.randbelow(10**9) + 10**9}:{secrets.token_urlsafe(26)[:35]}"
        self.account = exchange.account(folder)
        self.others: tuple[Settings, ...] = ()
        self.settings = BotSettings(telegram_url=exchange.url, config_home=folder, **settings)
        self.environ_extra: dict[str, str] = {}
        self.house: House = None  # type: ignore[assignment]
        self.app: App = None  # type: ignore[assignment]

    @property
    def served(self) -> Served:
        """Its accounts: one, unless a test names others."""
        return Served((self.account, *self.others))

    # --- in this process ---

    @contextmanager
    def running(self) -> Iterator[Bot]:
        """The bot polls on a thread of its own; leaving stops it as SIGTERM would."""
        hush()
        self.house = House.open(self.settings, self.served, token=self.token)
        self.app = build(self.house)
        self.loop = loop = asyncio.new_event_loop()
        failed: list[BaseException] = []
        started, stop = threading.Event(), asyncio.Event()

        async def live() -> None:
            await self.app.initialize()
            try:
                await self.app.post_init(self.app)
                await self.app.start()
                await self.app.updater.start_polling(allowed_updates=list(ALLOWED_UPDATES))
                started.set()
                await stop.wait()
                if self.app.updater.running:
                    await self.app.updater.stop()
                await self.app.stop()
                await self.app.post_stop(self.app)
            finally:
                await self.app.shutdown()
                await self.app.post_shutdown(self.app)

        def work() -> None:
            try:
                loop.run_until_complete(live())
            except BaseException as error:  # noqa: BLE001 - the test wants to know
                failed.append(error)
            finally:
                loop.run_until_complete(loop.shutdown_default_executor())
                loop.close()
                started.set()

        thread = threading.Thread(target=work)
        thread.start()
        assert started.wait(PATIENCE_SECONDS)
        try:
            yield self
        finally:
            if not failed:
                loop.call_soon_threadsafe(stop.set)
            thread.join(60)
            assert not thread.is_alive()
        if failed:
            raise failed[0]

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Do something on the running bot's loop, and return what came of it."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(PATIENCE_SECONDS)

    # --- in a process of its own ---

    @property
    def environ(self) -> dict[str, str]:
        token_file = self.folder / "token"
        token_file.write_text(self.token + "\n")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("TRADEHOOK", "TELEGRAM"))}
        return {
            **kept,
            "XDG_CONFIG_HOME": str(self.folder),
            "TELEGRAM_TOKEN_FILE": str(token_file),
            "TRADEHOOK_TELEGRAM_URL": self.exchange.url,
            "TRADEHOOK_ENVIRONMENT": "sandbox",
            "TRADEHOOK_TRUE_MARKETS_URL": self.exchange.url,
            "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(self.exchange.key_file),
            "TRADEHOOK_JOURNAL_URL": self.account.journal_url,
            "PYTHONUNBUFFERED": "1",
            **self.environ_extra,
        }

    def command(self, *words: str, **more: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tradehook_bot", *words],
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            **more,
        )

    def spawn(self) -> subprocess.Popen[str]:
        """The bot in a process; it polls when this returns."""
        path = self.folder / "bot.log"
        path.touch()
        boots = self.log.count(STARTED)
        with path.open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tradehook_bot", "run"], env=self.environ, stdout=log, stderr=log, text=True
            )
        eventually(lambda: process.poll() is not None or self.log.count(STARTED) > boots)
        assert process.poll() is None, self.log
        return process

    @property
    def log(self) -> str:
        return (self.folder / "bot.log").read_text()

    # --- people ---

    def person(self, name: str = "Anna") -> Person:
        return Person(self.exchange.url, user=f"{name} {self.token[:10]}", token=self.token)

    def journal(self) -> Journal:
        return Journal.open(self.account.journal_url)

    def invite(self) -> str:
        """A setup code, made as `setup` makes it."""
        from tradehook_bot.access import Access

        journal = self.journal()
        store = Store(journal.engine, bot_id=int(self.token.partition(":")[0]))
        try:
            return Access(store).make_code()
        finally:
            store.close()
            journal.close()

    def admit(self, person: Person) -> None:
        """The same without a message: for a bot that does not run yet."""
        from tradehook_bot.access import Access

        journal = self.journal()
        store = Store(journal.engine, bot_id=int(self.token.partition(":")[0]))
        try:
            access = Access(store)
            assert access.claim(access.make_code(), user_id=person.chat, name="Anna")
        finally:
            store.close()
            journal.close()

    def loud(self, person: Person) -> None:
        """This person hears of everything, also of what is filled while they look."""
        from tradehook_bot.chats import Chats, Loudness

        journal = self.journal()
        store = Store(journal.engine, bot_id=int(self.token.partition(":")[0]))
        try:
            Chats(store).set_loudness(person.chat, Loudness.ALL)
        finally:
            store.close()
            journal.close()

    def has_read_everything(self) -> bool:
        """Whether the bot has looked at all that stands in the journal."""
        from sqlalchemy import text

        journal = self.journal()
        try:
            with journal.engine.connect() as connection:
                newest = connection.execute(text("SELECT max(event_id) FROM intent_event")).scalar()
                read = connection.execute(text("SELECT value FROM bot_mark WHERE name = 'journal events'")).scalar()
            return (newest or 0) == (read or 0)  # a journal in which nothing happened yet is read, too
        finally:
            journal.close()

    def has_sent_everything(self) -> bool:
        """Whether no letter is on its way: one that a kill catches there comes again, as perhaps a repeat."""
        from sqlalchemy import text

        journal = self.journal()
        try:
            with journal.engine.connect() as connection:
                undone = text("SELECT count(*) FROM bot_outbox WHERE state <> 'sent'")
                return connection.execute(undone).scalar() == 0
        finally:
            journal.close()

    def known(self) -> Bot:
        """The sandbox's Telegram knows this bot already, as after a first run."""
        self.exchange.post("/telegram/bots", token=self.token)
        return self

    def let_in(self, name: str = "Anna") -> Person:
        """Somebody who has opened the link."""
        code = self.invite()
        person = self.person(name)
        person.say(f"/start {code}")
        person.wait_for("You are its owner")
        return person


@pytest.fixture(scope="session")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    with pytest.MonkeyPatch.context() as patch, serving(tmp_path_factory.mktemp("sandbox")) as exchange:
        # All these bots use one key in one process, and the sandbox serves without a limit.
        patch.setattr(opening, "new_budget", lambda: Budget(requests=100_000))
        yield exchange


@pytest.fixture(scope="session", name="eventually")
def look_again() -> Callable[..., Any]:
    return eventually


@pytest.fixture(scope="session")
def serve() -> Callable[..., Any]:
    """Another sandbox process, with options of its own."""
    return serving


@pytest.fixture
def exchange(sandbox: Exchange) -> Exchange:
    sandbox.renew()
    return sandbox


@pytest.fixture
def make_bot(exchange: Exchange, tmp_path: Path) -> Callable[..., Bot]:
    """A bot that does not run yet; settings as arguments."""

    def make(on: Exchange | None = None, **settings: Any) -> Bot:
        folder = tmp_path / secrets.token_hex(4)
        folder.mkdir()
        return Bot(on or exchange, folder, **settings)

    return make


@pytest.fixture
def bot(make_bot: Callable[..., Bot]) -> Iterator[Bot]:
    with make_bot().running() as running:
        yield running


@pytest.fixture
def anna(bot: Bot) -> Person:
    """The owner, at her phone."""
    return bot.let_in()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """The bot's tables, without a bot."""
    journal = Journal.open(f"sqlite:///{tmp_path}/journal.db")
    store = Store(journal.engine, bot_id=1)
    yield store
    store.close()
    journal.close()
