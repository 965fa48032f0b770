"""Callers that give up at any moment: what they asked for goes on or never begins, and the journal says which."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
from collections import Counter

import pytest
from tests.client.desk.storms.peers import BASE, BITCOIN, Room
from tests.client.desk.storms.test_races import amount_of

from tradehook.amounts import parse_amount
from tradehook.budget import Budget
from tradehook.client import AsyncClient
from tradehook.desk.journal import Journal
from tradehook.desk.reconcile import Patience
from tradehook.desk.submit import Desk
from tradehook.errors import TradehookError
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.models import NewOrder
from tradehook.transfers import NewTransfer

SEED = int(os.environ.get("TRADEHOOK_SEED", "1"))
BATCH = 50
AT_ONCE = 10
LONGEST_WAIT_SECONDS = 0.25
FAULTS = [
    {"kind": "error_before", "status": 503},
    {"kind": "error_after", "status": 503},
    {"kind": "timeout_after"},
    {"kind": "slow", "delay_seconds": 0.1},
    {"kind": "late_accept", "delay_seconds": 0.2},
    {"kind": "rate_limited", "delay_seconds": 0.2},
]
DEEDS = ("order", "order", "payout", "signed order", "signed transfer")


@pytest.fixture(scope="module")
def room():
    with Room() as made:
        yield made


def open_client(room, journal_url: str) -> AsyncClient:
    def exchange(line) -> TrueMarkets:
        signer = keys.parse(json.dumps(room.key).encode(), where="test")
        # A storm asks more often than the exchange lets anybody: waiting for permits would only make it long.
        budget = Budget(requests=100_000)
        return TrueMarkets(
            line, signer=signer, environment="sandbox", base_url=room.url, budget=budget, timeout_seconds=0.5
        )

    def desk() -> Desk:
        journal = Journal.open(journal_url)
        return Desk(exchange(BlockingLine()), journal=journal, account="main", patience=Patience(look_seconds=0.2))

    return AsyncClient(exchange(AsyncLine()), desk=desk)


def ask(client: AsyncClient, deed: str, amount: str, intent_id: str):
    match deed:
        case "order":
            return client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount=amount), intent_id=intent_id)
        case "signed order":
            order = NewOrder.of("CBBTC/USDC", side="buy", amount=amount, chain="base")
            return client.place_order(order, intent_id=intent_id)
        case "payout":
            transfer = NewTransfer(asset="BTC", amount=parse_amount(amount), to="vault", chain=None)
        case _:
            transfer = NewTransfer(asset="USDC", amount=parse_amount(amount), to="cold", chain="base")
    return client.create_transfer(transfer, intent_id=intent_id)


async def give_up(waiting, *, after: float, by_timeout: bool) -> str:
    """Wait for it so long, then go; what the caller heard."""
    task = asyncio.ensure_future(waiting)
    try:
        if by_timeout:
            async with asyncio.timeout(after):
                await task
        else:
            asyncio.get_running_loop().call_later(after, task.cancel)
            await task
    except TimeoutError:
        return "timed out"
    except asyncio.CancelledError:
        return "canceled"
    except TradehookError as error:
        return type(error).__name__
    return "done"


async def storm(room, journal_url: str, asked: dict, chance: random.Random) -> Counter:
    """All of them, some at once; each caller goes at a moment of its own. Returns when the desk has closed."""
    client = open_client(room, journal_url)
    lane = asyncio.Semaphore(AT_ONCE)

    async def one(intent_id: str) -> str:
        async with lane:
            deed, amount, _ = asked[intent_id]
            after = chance.uniform(0, LONGEST_WAIT_SECONDS)
            return await give_up(ask(client, deed, amount, intent_id), after=after, by_timeout=chance.random() < 0.5)

    try:
        return Counter(await asyncio.gather(*(one(intent_id) for intent_id in asked)))
    finally:
        await client.close()


def look(room, journal_url: str, asked: dict, *, may_be_missing: bool) -> Counter:
    """Hold each row against the exchange's own books; returns how many stand where."""
    there = room.there()
    assert there.keys() <= {mark for _, _, mark in asked.values()}
    states: Counter[str] = Counter()
    with Journal.open(journal_url) as journal:
        for intent_id, (deed, _, mark) in asked.items():
            intent, made = journal.find_exactly(intent_id), there.get(mark, [])
            assert len(made) <= 1, (intent_id, deed)
            if intent is None:
                assert may_be_missing, intent_id  # its caller went before the desk began with it
                assert made == [], (intent_id, deed)
                states["never begun"] += 1
                continue
            states[str(intent.state)] += 1
            match intent.state:
                case "ACCEPTED" | "MATCHED":
                    assert made == [intent.exchange_id], (intent_id, deed)
                case "PREPARED" | "REJECTED":
                    assert made == [], (intent_id, deed)
                case "UNKNOWN" | "NEEDS_HUMAN":
                    pass
                case other:
                    raise AssertionError(f"{intent_id}: the desk has closed and left {other}")
    return states


def storm_once(room, tmp_path, number: int, size: int) -> tuple[Counter, Counter]:
    """One batch: callers that give up, what is on the record then, and what a patient caller makes of it."""
    chance = random.Random(f"{SEED} {number}")
    room.begin_anew()
    journal_url = f"sqlite:///{tmp_path}/journal{number}.db"
    with Journal.open(journal_url) as journal:
        journal.destinations.add(room.host, "cold", network="base", address=BASE, by="test")
        journal.destinations.add(room.host, "vault", network="bitcoin", address=BITCOIN, by="test")
    asked = {}
    for each in range(size):
        deed = chance.choice(DEEDS)
        asked[f"storm-{each}"] = (deed, *amount_of(deed, each))
    for path in ("/orders", "/transfers", "/orders/{id}/execute"):
        for fault in chance.sample(FAULTS, 2):
            room.admin("POST", "faults", {"method": "POST", "path": path, "times": 2, "probability": 0.3, **fault})
    heard = asyncio.run(storm(room, journal_url, asked, chance))
    room.admin("DELETE", "faults")
    room.admin("POST", "clock", {"advance": 5})  # what comes late has come
    states = look(room, journal_url, asked, may_be_missing=True)
    assert states["never begun"] == 0  # a row is written before the first wait of whoever asked

    async def again() -> None:
        client = open_client(room, journal_url)
        for intent_id, (deed, amount, _) in asked.items():
            await asyncio.gather(ask(client, deed, amount, intent_id), return_exceptions=True)
        await client.close()

    asyncio.run(again())
    after = look(room, journal_url, asked, may_be_missing=False)
    assert after["PREPARED"] == 0
    return heard, states


def test_callers_that_give_up(room, tmp_path, caplog):
    heard, _ = storm_once(room, tmp_path, 0, BATCH)
    gc.collect()
    assert [record.message for record in caplog.records if record.name == "asyncio"] == []
    assert heard["canceled"] > 0
    assert heard["timed out"] > 0


@pytest.mark.prove
def test_a_thousand_callers_that_give_up(room, tmp_path):
    heard, states = Counter(), Counter()
    for number in range(1000 // BATCH):
        some_heard, some_states = storm_once(room, tmp_path, number, BATCH)
        heard += some_heard
        states += some_states
    assert sum(states.values()) == 1000
    print(f"\ncancellations, seed {SEED}: callers heard {dict(heard)}; rows, all truthful: {dict(states)}")
