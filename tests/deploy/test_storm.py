"""A storm over Celery: tasks are tried again, cleared and marked failed, answers are lost, workers, schedulers and the
triggerer are killed. What became of the orders, the sandboxes' own books say.

Takes about half an hour, so only `make prove` runs it. `TRADEHOOK_SEED` draws another storm.
"""

from __future__ import annotations

import collections
import contextlib
import os
import random
import re
import time
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

import psutil
import pytest
from tradehook_deployment import ENDED, Deployment, until

pytestmark = [pytest.mark.prove, pytest.mark.filterwarnings("ignore")]

SEED = int(os.environ.get("TRADEHOOK_SEED", "1"))
RUNS = int(os.environ.get("STORM_RUNS", "234"))
MANY = int(os.environ.get("STORM_TASKS", "500"))
DEFERRALS = int(os.environ.get("STORM_DEFERRALS", "60"))
WAVE = 26
ACCOUNTS = ("market_0", "market_1", "limit_0", "limit_1", "naive_0")
LOST_ANSWERS = ("error_after", "timeout_after", "truncated", "garbled", "rate_limited")
DEEDS = {"calm": 5, "fault": 4, "clear while it waits": 4, "clear when done": 3, "mark failed, then clear": 4}
VICTIMS = ("worker-1", "triggerer", "worker-2", "scheduler-1", "worker-1", "scheduler-2", "worker-2", "triggerer")
MOST_CLEARS = 3
WAITS = ("running", "deferred")


@dataclass
class Run:
    """One DAG run and what is done to it."""

    dag_id: str
    account: str
    run_id: str
    deed: str
    amount: str
    is_struck: bool = False
    marked_at: float | None = None
    failed: int = 0
    decided: int = 0
    stranded: int = 0
    """How often Airflow left it ended with a task that is to be run: it was cleared as it ended."""
    orders: set[str] = field(default_factory=set)
    """Every order that any of its tries told of."""

    @property
    def is_marked(self) -> bool:
        """Whether it was marked failed on purpose, and is to be cleared in a moment."""
        return self.marked_at is not None and not self.is_struck

    @property
    def is_given_up(self) -> bool:
        return self.dag_id == "naive" or self.failed >= MOST_CLEARS


@pytest.fixture(scope="module")
def airflow(start_sandbox, servers):
    airflow = Deployment(Path(__file__).parent / "dags")
    try:
        airflow.up(dags=6)
        airflow.accounts = {}
        # An account and a key each: what may be asked in a minute is counted by key.
        for name in ACCOUNTS:
            server = start_sandbox("--rate-limit", "0")
            server.admin("POST", "balances", {"symbol": "PYUSD", "available": "1000000"})
            extra = {
                "environment": "sandbox", "key_path": str(server.key_file), "journal_conn_id": "tradehook_journal",
                "timeout_seconds": 5,
            }  # fmt: skip
            airflow.connect(name, conn_type="true_markets", host=server.url, extra=extra)
            airflow.accounts[name] = server
        for dag in airflow.get("dags")["dags"]:
            airflow.switch_on(dag["dag_id"])
        yield airflow
    finally:
        airflow.down()


def kill(airflow, name):
    """As when its machine loses power: the process and everything it started, at once."""
    parent = psutil.Process(int((airflow.folder / "pids" / name).read_text()))
    family = [parent, *parent.children(recursive=True)]
    for one in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            one.kill()
    psutil.wait_procs(family, timeout=10)


def states(airflow):
    """How each task stands: (dag, run) to (its state, its try, whether its run has ended)."""
    rows = airflow.query(
        "SELECT dag_id, run_id, t.state, try_number, r.state IN ('success', 'failed') "
        "FROM task_instance t JOIN dag_run r USING (dag_id, run_id) WHERE task_id = 'place' AND map_index = -1"
    )
    return {(dag_id, run_id): told for dag_id, run_id, *told in rows}


def orders_of(airflow):
    """Which order each task told of: (dag, run) to its id."""
    rows = airflow.query("SELECT dag_id, run_id, value #>> '{}' FROM xcom WHERE task_id = 'place' AND key = 'order_id'")
    return {(dag_id, run_id): str(told).strip('"') for dag_id, run_id, told in rows}


def strike(airflow, run, state, tried, *, is_placed, is_over):
    """Do to a run what was drawn for it, at the moment that the deed needs; and what a person does with one that failed."""
    where = (run.dag_id, run.run_id, "place")
    if is_over and state == "failed" and not run.is_given_up and not run.is_marked:
        run.failed += 1
        run.decided += decide(airflow, run, tried)
        return
    if is_over and state is None:
        # Airflow's own: cleared in the moment in which its run ended, it stands still until somebody clears it again.
        airflow.clear(*where)
        run.stranded += 1
    if run.is_struck:
        return
    match run.deed:
        case "calm" | "fault":
            run.is_struck = True
        case "mark failed, then clear" if run.marked_at is not None:
            if time.monotonic() - run.marked_at > 3:
                airflow.clear(*where)
                run.is_struck = True
        case "clear while it waits" if state in WAITS and is_placed:
            airflow.clear(*where)
            run.is_struck = True
        case "mark failed, then clear" if state in WAITS and is_placed:
            airflow.mark(*where, "failed")
            run.marked_at = time.monotonic()
        case "clear when done" | "clear while it waits" | "mark failed, then clear" if state == "success" and is_over:
            airflow.clear(*where)
            run.is_struck = True


def move(airflow, price):
    for name in ("limit_0", "limit_1"):
        airflow.accounts[name].admin("POST", "prices", {"BTC": price})


def wave(airflow, number, dice):
    """So many runs at a time, with one process killed among them; returns them when all have ended."""
    runs = []
    deeds = [deed for deed, weight in DEEDS.items() for _ in range(weight)]
    for index in range(WAVE):
        kind = "naive" if index < 2 else dice.choice(["market", "market", "limit"])
        dag_id = kind if kind == "naive" else f"{kind}_{dice.choice(['inline', 'deferred', 'deferred'])}"
        account = f"{kind}_{dice.randrange(2) if kind != 'naive' else 0}"
        deed = "clear while it waits" if kind == "naive" else dice.choice(deeds)
        unique = number * WAVE + index
        amount = f"{0.0010 + unique * 0.0001:.4f}" if kind == "limit" else f"${11 + unique / 100:.2f}"
        run = Run(dag_id, account, f"wave{number:02}_{index:02}", deed, amount)
        if deed == "fault":
            airflow.accounts[account].fault(dice.choice(LOST_ANSWERS))
        airflow.trigger(dag_id, {"connection": account, "amount": amount}, run_id=run.run_id)
        runs.append(run)
    victim = VICTIMS[number % len(VICTIMS)]
    kill_at, back_at, is_killed, is_back = 14 + 6 * dice.random(), 0.0, False, False
    began = time.monotonic()
    fell = False
    while True:
        now = time.monotonic() - began
        found, told = states(airflow), orders_of(airflow)
        mine = [(run, *found.get((run.dag_id, run.run_id), (None, 0, False))) for run in runs]
        for run, state, tried, is_over in mine:
            if order := told.get((run.dag_id, run.run_id)):
                run.orders.add(order)
            strike(airflow, run, state, tried, is_placed=(run.dag_id, run.run_id) in told, is_over=is_over)
        if not is_killed and now > kill_at:
            kill(airflow, victim)
            is_killed, back_at = True, now + 4
        if is_killed and not is_back and now > back_at:
            airflow.script("start", victim)
            is_back = True
        resting = [run for run in runs if run.dag_id.startswith("limit")]
        if is_back and not fell and (now > 45 or all(run.is_struck for run in resting)):
            fell = True
            move(airflow, "59000")  # what rests is filled now
        over = [
            is_over and (run.is_given_up if state == "failed" else state == "success" and run.is_struck)
            for run, state, _, is_over in mine
        ]
        if is_back and fell and all(over):
            break
        if now > 420:
            print("still open:", [told for told in mine if told[1] not in ENDED], flush=True)
            break
        time.sleep(1)
    move(airflow, "67343")
    print(f"wave {number}: {len(runs)} runs, {victim} killed, {now:.0f} s", flush=True)
    return runs


def ledger_ids(server):
    ledger = server.admin("GET", "ledger")
    assert ledger["balanced"] is True
    rows = server.admin("GET", "orders")["data"]
    assert len(rows) == ledger["orders"]
    return {row["order_id"] for row in rows}


def scheduler_events(airflow):
    """What schedulers declared of tasks by themselves, and how often.

    `queued: success` is the race of deferred tasks: back before their first leg was reported as ended.
    """
    rows = airflow.query("SELECT event, extra FROM log WHERE event IN ('state mismatch', 'heartbeat timeout')")
    rows += airflow.query("SELECT event, '' FROM log WHERE event LIKE '%stuck in queued%'")
    words = (re.search(r"\[(\w+)\] .*finished with state (\w+)", extra or "") for _, extra in rows)
    return dict(
        collections.Counter(
            f"{found[1]}: {found[2]}" if found else event for (event, _), found in zip(rows, words, strict=True)
        )
    )


def decide(airflow, run, tried):
    """What a person does with a run that failed: says of an UNKNOWN what the exchange's page shows, and clears it."""
    log = airflow.log(run.dag_id, run.run_id, "place", number=tried)
    unknown = re.search(r"tradehook intents resolve ([0-9a-f]{64})", log)
    if unknown:
        server = airflow.accounts[run.account]
        listed = re.search(r"Seen so far: ((?:[0-9a-f-]{36}(?:, )?)+) could be it", log)
        candidates = listed[1].split(", ") if listed else []
        rows = [row for row in server.admin("GET", "orders")["data"] if row["order_id"] in candidates]
        # No two runs want the same amount; some lots more or less are the mark of a task's order.
        rows.sort(key=lambda row: abs(Decimal(row["qty"]) - Decimal(run.amount.removeprefix("$"))))
        word = f"placed:{rows[0]['order_id']}" if rows else "not-placed"
        command = ["tradehook", "intents", "resolve", unknown[1], "--as", word, "--why", "seen on the page", "--yes"]
        airflow.command(*command, **server.environment)
    print("not a success:", run, tried, unknown and word, "" if unknown else log[-800:], flush=True)
    airflow.clear(run.dag_id, run.run_id, "place")
    return bool(unknown)


def test_a_storm_of_runs(airflow):
    dice = random.Random(SEED)
    runs = [run for number in range(RUNS // WAVE) for run in wave(airflow, number, dice)]
    found, told = states(airflow), orders_of(airflow)
    ours = [run for run in runs if run.dag_id != "naive"]
    there = {name: ledger_ids(server) for name, server in airflow.accounts.items()}
    known = collections.defaultdict(set)
    for run in ours:
        if order := told.get((run.dag_id, run.run_id)):
            run.orders.add(order)
        known[run.account] |= run.orders
    double = sum(len(there[name] - known[name]) for name in there if not name.startswith("naive"))
    double += sum(max(len(run.orders) - 1, 0) for run in ours)
    lost = [run for run in ours if found[run.dag_id, run.run_id][0] != "success" and run.orders]
    held = [run for run in ours if found[run.dag_id, run.run_id][0] != "success" and not run.orders]
    naive = [run for run in runs if run.dag_id == "naive"]
    figures = {
        "seed": SEED,
        "runs": len(ours),
        "by deed": dict(collections.Counter(run.deed for run in ours)),
        "tries": sum(found[run.dag_id, run.run_id][1] for run in ours),
        "orders there": sum(len(ids) for name, ids in there.items() if not name.startswith("naive")),
        "double": double,
        "lost results": len(lost),
        "held as UNKNOWN": len(held),
        "failed, and cleared by a person": sum(run.failed for run in ours),
        "of these UNKNOWN, decided by a person": sum(run.decided for run in ours),
        "stranded by Airflow": sum(run.stranded for run in runs),
        "declared by schedulers": scheduler_events(airflow),
        "naive runs": len(naive),
        "naive orders": len(there["naive_0"]),
    }
    print("FIGURES", figures, flush=True)
    assert double == 0
    assert lost == []
    assert "queued: success" not in figures["declared by schedulers"]
    assert held == []
    assert len(there["naive_0"]) > len(naive), "the control did nothing twice, so this storm proves nothing"


def test_five_hundred_orders_with_a_worker_killed_midway(airflow):
    before = {name: ledger_ids(server) for name, server in airflow.accounts.items()}
    names = [name for name in ACCOUNTS if name != "naive_0"]
    began = time.monotonic()
    run_id = airflow.trigger("many", {"connections": names, "count": MANY})

    def by_state():
        rows = airflow.query(
            f"SELECT state, count(*) FROM task_instance WHERE dag_id = 'many' AND run_id = '{run_id}' "
            "AND task_id = 'place' AND map_index >= 0 GROUP BY state"
        )
        return dict(rows)

    until(1200, lambda: by_state().get("success", 0) >= MANY // 2, what="half of them", every=1)
    at_work = by_state()
    kill(airflow, "worker-1")
    killed_at = time.monotonic() - began
    time.sleep(5)
    airflow.script("start", "worker-1")
    until(
        1500,
        lambda: sum(by_state().get(state, 0) for state in ENDED) == MANY,
        what="all of them",
        every=2,
    )
    seconds = time.monotonic() - began
    ended = by_state()
    rows = airflow.query(
        "SELECT map_index, value #>> '{}' FROM xcom WHERE dag_id = 'many' AND task_id = 'place' AND key = 'order_id'"
    )
    told = {str(order).strip('"') for _, order in rows}
    tries = airflow.query(
        "SELECT sum(try_number) FROM task_instance WHERE dag_id = 'many' AND task_id = 'place' AND map_index >= 0"
    )
    there = set().union(*(ledger_ids(server) - before[name] for name, server in airflow.accounts.items()))
    figures = {
        "tasks": MANY, "ended": ended, "at the kill": at_work, "killed after s": round(killed_at), "seconds": round(seconds),
        "tries": int(tries[0][0]), "orders there": len(there), "orders told": len(told), "not told of": len(there - told),
        "declared by schedulers, in all": scheduler_events(airflow),
    }  # fmt: skip
    print("FIGURES", figures, flush=True)
    assert len(told) == len(rows)
    assert there - told == set(), "more orders than tasks told of"
    assert ended.get("failed", 0) == MANY - len(told)
    assert len(there) == len(told)


@pytest.mark.parametrize("seconds", [1, 5])
def test_tasks_whose_trigger_fires_at_once(airflow, seconds):
    """The named setting, and beside it Airflow's default: what is declared failed falsely is counted, and costs a try."""
    (airflow.folder / "override.env").write_text(f"AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL={seconds}\n")
    for name in ("worker-1", "worker-2"):
        airflow.script("stop", name)
        airflow.script("start", name)
    before = sum(len(ledger_ids(airflow.accounts[name])) for name in ("market_0", "market_1"))
    events = collections.Counter(scheduler_events(airflow))
    keys = []
    for number in range(DEFERRALS):
        conf = {"connection": f"market_{number % 2}", "amount": f"${20 + seconds + number / 100:.2f}"}
        keys.append(("market_deferred", airflow.trigger("market_deferred", conf, run_id=f"every{seconds}s_{number}")))

    def ended():
        found = states(airflow)
        return all(found.get(key, (None, 0, False))[2] for key in keys) and found

    found = until(900, ended, what="all of them", every=1)
    declared = dict(collections.Counter(scheduler_events(airflow)) - events)
    placed = sum(len(ledger_ids(airflow.accounts[name])) for name in ("market_0", "market_1")) - before
    figures = {
        "heartbeat every": seconds, "tasks": DEFERRALS, "orders there": placed,
        "success": sum(found[key][0] == "success" for key in keys), "tries": sum(found[key][1] for key in keys),
        "declared by schedulers": declared,
    }  # fmt: skip
    print("FIGURES", figures, flush=True)
    assert placed == DEFERRALS
    assert all(found[key][0] == "success" for key in keys)
    if seconds == 1:
        assert (declared, figures["tries"]) == ({}, DEFERRALS)
