"""Processes that do the same at the same moment: one intent is carried out once, and caps hold, on both databases."""

from __future__ import annotations

import itertools
import json
import os
import random
import time
from decimal import Decimal

import pytest
from sqlalchemy import create_engine, text
from tests.client.desk.storms.peers import BASE, BITCOIN, Room

from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.desk.proofs import LISTS_OPEN_ORDERS
from tradehook.desk.submit import Desk
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.blocking import BlockingLine
from tradehook.models import NewOrder

STORES = ("sqlite", "postgres")
SEED = int(os.environ.get("TRADEHOOK_SEED", "1"))
BATCH = 25
DEEDS = ("order", "payout", "signed order", "signed transfer")
FAULTS = [
    None,
    {"kind": "error_before", "status": 503},
    {"kind": "error_after", "status": 503},
    {"kind": "timeout_after"},
    {"kind": "slow", "delay_seconds": 0.05},
    {"kind": "garbled"},
    {"kind": "rate_limited", "delay_seconds": 0.2},
    {"kind": "edge_html"},
    {"kind": "late_accept", "delay_seconds": 0.3},
]
KINDS = {"fintrusted BTC/USDT buy": "$20", "fintrusted BTC/USDT sell": "0.0003", "fintrusted ETH/USDT buy": "$15"}
"""One race of each in a journal: a second order of a kind would be refused while the wallet could not tell them apart."""
CAP_WORKERS = 8
WORTH = Decimal(20)


@pytest.fixture(scope="module")
def room():
    with Room() as made:
        yield made


@pytest.fixture
def new_journal(store, tmp_path, room):
    """The address of a new journal with both destinations, and who the account is."""
    numbers = itertools.count()

    def make() -> str:
        folder = tmp_path / f"journal{next(numbers)}"
        folder.mkdir()
        url = store(folder)
        with Journal.open(url) as journal:
            journal.destinations.add(room.host, "cold", network="base", address=BASE, by="test")
            journal.destinations.add(room.host, "vault", network="bitcoin", address=BITCOIN, by="test")
        return url

    return make


def amount_of(deed: str, number: int) -> tuple[str, str]:
    """An amount that only this race asks for, and how it shows in the sandbox's books."""
    match deed:
        case "order" | "payout":
            amount = f"{Decimal('0.0001') * (number + 1):f}"
            return amount, f"{'orders' if deed == 'order' else 'transfers'} {float(amount):.8f}"
        case "signed order":
            return f"${10 + number}", f"orders {10 + number:.8f}"
        case _:
            return f"{1 + number}", f"transfers {1 + number:.8f}"


def race_many(room, new_journal, rounds: int, *, seed: int) -> dict[str, float]:
    """So many races of 2 to 8 processes under faults. Checks each; says how they went."""
    chance = random.Random(seed)
    figures = {"races": 0, "processes": 0, "placed": 0, "seconds": 0.0}
    for first in range(0, rounds, BATCH):
        room.begin_anew()
        journal = new_journal()
        heard = {}
        for number in range(min(BATCH, rounds - first)):
            deed = chance.choice(DEEDS)
            amount, mark = amount_of(deed, number)
            fault = chance.choice(FAULTS)
            room.admin("DELETE", "faults")
            if fault:
                path = "/transfers" if "transfers" in mark else "/orders"
                if deed.startswith("signed") and chance.random() < 0.5:
                    path += "/{id}/execute"
                room.admin("POST", "faults", {"method": "POST", "path": path, "times": 1, **fault})
            work = {"intent": f"race-{number}", "deed": deed, "amount": amount}
            heard[mark] = race(room, journal, work, fault, chance=chance, figures=figures)
        room.settle()
        check(room.there(), heard, journal)
        figures["placed"] += len(room.there())
    return figures


def race(room, journal: str, work: dict, fault, *, chance: random.Random, figures: dict) -> tuple:
    """One race; what its processes heard, the intent, and how it was."""
    size = chance.randint(2, 8)
    begun = time.monotonic()
    timeout = 0.4 if fault and fault["kind"] == "timeout_after" else 5.0
    found = room.do(journal=journal, children=[work] * size, timeout=timeout, look=0.2)["heard"]
    figures["seconds"] += time.monotonic() - begun
    figures["races"] += 1
    figures["processes"] += size
    return found, work["intent"], (work["deed"], fault, size)


def race_blind(room, new_journal, rounds: int, *, seed: int) -> dict[str, float]:
    """The same with market orders at the exchange that tells nothing of them: a lost answer is held by all."""
    chance = random.Random(seed)
    figures = {"races": 0, "processes": 0, "placed": 0, "held": 0, "seconds": 0.0}
    while figures["races"] < rounds:
        room.begin_anew()
        journal = new_journal()
        heard = {}
        for number, (deed, amount) in enumerate(KINDS.items()):
            fault = chance.choice(FAULTS)
            room.admin("DELETE", "faults")
            if fault:
                room.admin("POST", "faults", {"method": "POST", "path": "/tx/spot/add", "times": 1, **fault})
            work = {"intent": f"race-{number}", "deed": deed, "amount": amount}
            heard[deed] = race(room, journal, work, fault, chance=chance, figures=figures)
        room.settle()
        check(room.there(), heard, journal)
        figures["placed"] += len(room.there())
        with Journal.open(journal) as known:
            figures["held"] += sum(known.get(name).standing == "UNKNOWN" for _, name, _ in heard.values())
    return figures


def check(there: dict, heard: dict, journal_url: str) -> None:
    """Each intent at most once, nothing that nobody asked for, all hear the same, and the journal knows it."""
    assert there.keys() <= heard.keys()
    with Journal.open(journal_url) as journal:
        for mark, (found, intent_id, story) in heard.items():
            made = there.get(mark, [])
            assert len(made) <= 1, (story, found)
            assert [one["crash"] for one in found if "crash" in one] == [], story
            said = {one["placed"] for one in found if "placed" in one}
            assert said <= {*made}, (story, found)
            state = journal.get(intent_id).standing
            if state in ("ACCEPTED", "MATCHED"):
                assert made == [journal.get(intent_id).exchange_id], (story, found)
            elif state in ("PREPARED", "REJECTED"):
                assert made == [], (story, found)
            if story[1] is None:
                assert made, (story, found)
                assert said == {*made}, (story, found)


def test_races_for_one_intent(room, new_journal):
    race_many(room, new_journal, 25, seed=SEED)


def test_races_for_one_intent_at_an_exchange_that_lists_nothing(room, new_journal):
    assert race_blind(room, new_journal, 9, seed=SEED)["held"] > 0


def test_two_intents_with_one_preview_are_two_orders(room, new_journal):
    """One signs what was shown, the other has its own made: neither is held up, and nothing is signed twice."""
    room.begin_anew()
    journal = new_journal()
    order = NewOrder.of("CBBTC/USDC", side="buy", amount="$25", chain="base")
    signer = keys.parse(json.dumps(room.key).encode(), where="the test")
    exchange = TrueMarkets(BlockingLine(), signer=signer, environment="sandbox", base_url=room.url)
    desk = Desk(exchange, journal=Journal.open(journal), account="main")
    shown = [desk.preview_order(order, source="storm") for _ in range(5)]
    for number, preview in enumerate(shown):
        children = [
            {
                "intent": f"preview-{number}-{each}",
                "deed": "signed order",
                "amount": "$25",
                "preview": preview.preview_id,
            }
            for each in range(2)
        ]
        found = room.do(journal=journal, children=children)["heard"]
        assert [one for one in found if "placed" not in one] == []
        made = {one["placed"] for one in found}
        assert len(made) == 2
        assert made & {one.made.order_id for one in shown} == {preview.made.order_id}
    room.settle()
    assert len(room.there()["orders 25.00000000"]) == 10
    desk.close()


@pytest.mark.prove
def test_three_hundred_races_for_one_intent_at_an_exchange_that_lists_nothing(room, new_journal, request):
    figures = race_blind(room, new_journal, 300, seed=SEED)
    print(
        f"\nraces at FinTrusted on {request.node.callspec.params['store']}, seed {SEED}: {figures['races']} of 2 to 8 "
        f"processes ({figures['processes']} in all), {figures['placed']} placed, {figures['held']} held, 0 doubles, "
        f"{figures['seconds'] / figures['races']:.3f} s a race"
    )


@pytest.mark.prove
def test_a_thousand_races_for_one_intent(room, new_journal, store, request):
    begun = time.monotonic()
    figures = race_many(room, new_journal, 1000, seed=SEED)
    place = request.node.callspec.params["store"]
    print(
        f"\nraces on {place}, seed {SEED}: {figures['races']} of 2 to 8 processes ({figures['processes']} in all), "
        f"{figures['placed']} placed, 0 doubles, {figures['seconds'] / figures['races']:.3f} s a race, "
        f"{time.monotonic() - begun:.0f} s in all"
    )


@pytest.mark.parametrize("deed", ["order", "fintrusted BTC/USDT buy"])
def test_a_client_that_looks_and_then_sends_doubles(room, new_journal, deed):
    """The control: a memory without a transaction."""
    journal = new_journal()
    engine = create_engine(journal.replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE naive (name TEXT, made TEXT)"))
    engine.dispose()
    doubles = 0
    for number in range(5):
        room.begin_anew()
        amount, mark = (KINDS[deed], deed) if deed in KINDS else amount_of(deed, number)
        work = {"intent": f"naive-{number}", "deed": deed, "amount": amount, "policy": "remembering"}
        found = room.do(journal=journal, children=[work] * 4)["heard"]
        assert [one for one in found if "crash" in one] == []
        doubles += len(room.there()[mark]) > 1
    assert doubles > 0


# --- caps -------------------------------------------------------------------------------------------------------


def spend_at_once(room, journal_url: str, number: int, **job) -> Decimal:
    """Let 8 processes with an intent each reserve at the same moment, room for three; what is above the cap then."""
    cap = WORTH * len(room.admin("GET", "orders")["data"]) + WORTH * 3 + WORTH / 2
    limits = Limits(hour=cap, collar=None, halt_after=None, unknowns=None)
    with Journal.open(journal_url) as journal:
        journal.limits.set(room.host, room.account_id, limits, by="test")
    children = [
        {"intent": f"cap-{number}-{each}", "deed": "order", "amount": f"${WORTH}"} for each in range(CAP_WORKERS)
    ]
    found = room.do(journal=journal_url, children=children, gate=True, **job)["heard"]
    assert [one for one in found if "crash" in one] == []
    assert {one.get("error") for one in found} <= {None, "GuardRefused"}, found
    return WORTH * len(room.admin("GET", "orders")["data"]) - cap


def race_for_caps(room, new_journal, rounds: int, **job) -> list[Decimal]:
    """What was above (or, below zero, below) the cap after each race."""
    room.begin_anew()
    room.admin("POST", "balances", {"symbol": "PYUSD", "add": "1000000"})
    journal = new_journal()
    return [spend_at_once(room, journal, number, **job) for number in range(rounds)]


def test_eight_processes_never_spend_more_than_the_cap(room, new_journal):
    assert race_for_caps(room, new_journal, 5) == [-WORTH / 2] * 5


def test_the_same_without_the_lock_spends_too_much(room, new_journal):
    """The control: the same code in a transaction as the driver makes it."""
    assert max(race_for_caps(room, new_journal, 5, no_lock=True)) > 0


@pytest.mark.prove
def test_caps_under_two_hundred_races(room, new_journal, request):
    found = [each for _ in range(8) for each in race_for_caps(room, new_journal, BATCH)]
    control = race_for_caps(room, new_journal, BATCH, no_lock=True)
    assert found == [-WORTH / 2] * len(found)
    over = [each for each in control if each > 0]
    assert over
    print(
        f"\ncaps on {request.node.callspec.params['store']}: {len(found)} races of {CAP_WORKERS} processes, overspend 0; "
        f"control without the lock: {len(over)} of {len(control)} races overspent, by {max(over)} at most"
    )


# --- paused holders ---------------------------------------------------------------------------------------------


def pause_one(room, journal_url: str, number: int, *, deed: str, wakes: str, **job) -> int:
    """A sender is stopped before its socket write, others take over past the horizon, it goes on; how many are there."""
    room.admin("POST", "clock", {"advance": 60})  # what came before has settled, or its balances would hold this one
    amount, mark = amount_of(deed, number)
    work = {"intent": f"paused-{number}", "deed": deed, "amount": amount, "resends": deed == "order"}
    successor = {**work, "says_again": deed != "order"}
    children = [{**work, "stops": True}, *([successor] * (2 if deed == "order" else 1))]
    past = 700 if job.get("no_fence") else 4000
    found = room.do(journal=journal_url, children=children, shifts=True, wakes=wakes, past=past, **job)["heard"]
    assert [one for one in found if "crash" in one] == []
    there = room.there().get(mark, [])
    said = {one["placed"] for one in found if "placed" in one}
    assert said <= {*there}, (deed, wakes, found)
    if not job.get("no_fence"):
        assert said == {*there}, (deed, wakes, found)
        # Awake in time to see that it is late, the sender sends nothing and says so; then a person's word comes too
        # late as well, for there is no doubt to end.
        is_given_up = wakes != "after" and any(one.get("error") == "Interrupted" for one in found)
        assert there or is_given_up, (deed, wakes, found)
    return len(there)


def pause_many(room, new_journal, rounds: int, *, seed: int, **job) -> list[int]:
    """So many paused senders; how many orders or payouts each intent has."""
    chance = random.Random(seed)
    found = []
    for number in range(rounds):
        if number % BATCH == 0:
            room.begin_anew()
            room.admin("POST", "balances", {"symbol": "BTC", "add": "100"})
            room.admin("POST", "balances", {"symbol": "PYUSD", "add": "1000000"})
            journal_url = new_journal()
            with Journal.open(journal_url) as journal:
                journal.proofs.record(room.host, room.account_id, LISTS_OPEN_ORDERS, is_true=True, detail="test")
        deed, wakes = chance.choice(("order", "order", "payout")), chance.choice(("before", "during", "after"))
        if job.get("no_fence"):
            deed, wakes = "order", "after"
        found.append(pause_one(room, journal_url, number % BATCH, deed=deed, wakes=wakes, **job))
    return found


def test_a_sender_that_was_stopped_past_the_horizon_sends_nothing(room, new_journal):
    found = pause_many(room, new_journal, 3, seed=SEED)
    assert max(found) == 1, found


def test_the_same_with_a_token_that_lives_on_doubles(room, new_journal):
    """The control: a horizon that does not know how long the token lives."""
    assert pause_many(room, new_journal, 2, seed=SEED, no_fence=True) == [2] * 2


@pytest.mark.prove
def test_a_hundred_senders_that_were_stopped(room, new_journal, request):
    found = pause_many(room, new_journal, 100, seed=SEED)
    control = pause_many(room, new_journal, BATCH, seed=SEED, no_fence=True)
    assert {*found} <= {0, 1}, found
    assert found.count(1) > len(found) / 2
    doubles = sum(each > 1 for each in control)
    assert doubles > 0
    print(
        f"\npaused on {request.node.callspec.params['store']}, seed {SEED}: {len(found)} senders stopped past the "
        f"horizon, {found.count(1)} there once, {found.count(0)} given up and said so, 0 duplicates; control whose token lives on: {doubles} of {len(control)} doubled"
    )
