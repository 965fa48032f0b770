"""Several processes with one `--intent-id`, under every fault: at most one order or transfer, truthful exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import pytest

from tradehook.desk.journal import Journal

BASE = "0x52908400098527886E0F7030069857D2E4169EE7"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
FAULTS = [
    None,
    {"kind": "error_before", "status": 503},
    {"kind": "error_after", "status": 503},
    {"kind": "error_after", "status": 500},
    {"kind": "timeout_after"},
    {"kind": "slow", "delay_seconds": 1.5},
    {"kind": "garbled"},
    {"kind": "rate_limited"},
    {"kind": "edge_html"},
    {"kind": "late_accept", "delay_seconds": 1},
]
_STABLE = """
import importlib, json, os, pkgutil, sys
import alembic.command, httpx, tradehook

for found in pkgutil.walk_packages(tradehook.__path__, "tradehook."):
    if "migrations" not in found.name and not found.name.endswith("__main__"):
        importlib.import_module(found.name)


def child(number, race, gate):
    os.environ.update(race["environment"])
    for stream, name in ((0, os.devnull), (1, f"{race['folder']}/{number}.out"), (2, f"{race['folder']}/{number}.err")):
        os.dup2(os.open(name, os.O_RDONLY if stream == 0 else os.O_WRONLY | os.O_CREAT), stream)
    os.close(gate[1])
    os.read(gate[0], 1)  # all begin when the gate is gone
    tradehook.cli.app.run_app(race["words"])


for line in sys.stdin:
    race, gate = json.loads(line), os.pipe()
    children = []
    for number in range(race["processes"]):
        if (pid := os.fork()) == 0:
            child(number, race, gate)
        children.append(pid)
    os.close(gate[0])
    os.close(gate[1])
    print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in children]), flush=True)
"""
"""Processes that have everything loaded, so that they are there at the same moment; each race forks its own."""


ORDER = ("orders", "order", "place", "buy", "BTC/PYUSD", "0.0001")
SIGNED_ORDER = ("orders", "order", "place", "buy", "CBBTC/USDC", "$10", "--chain", "base")
PAYOUT = ("transfers", "transfer", "BTC", "0.00001", "--to", "vault")
SIGNED_TRANSFER = ("transfers", "transfer", "USDC", "0.5", "--chain", "base", "--to", "cold")


DOUBTFUL = ("none", "error_after", "timeout_after", "late_accept")
"""No fault, and the three that leave most doubt."""
LOST = ("none", "timeout_after")
"""No fault, and an answer that is lost: what another database could change."""


def every(deed: tuple[str, ...], *, always: tuple[str, ...]) -> list:
    """The deed under every fault; those not named run in `make prove` alone, the storms' forked races beside them."""
    entries = []
    for fault in FAULTS:
        kind = fault["kind"] if fault else "none"
        marks = () if kind in always else pytest.mark.prove
        entries.append(pytest.param(deed, fault, id=f"{deed[1]}-{kind}", marks=marks))
    return entries


def there(server, what: str) -> int:
    """How many orders or transfers there are for money."""
    ledger = server.admin("GET", "ledger")
    assert ledger["balanced"] is True
    return ledger[what]


def race(stable, server, journal_url: str, fault: dict | None, *, processes: int = 4, deed: tuple[str, ...] = ORDER):
    """Let processes that are ready go at once; returns (exit codes, how many appeared, what was printed).

    A held answer ends by the request's own limit of 3 s; 30 s of it would only make the test long.
    """
    what, *words = deed
    with Journal.open(journal_url) as journal:
        host = server.url.removeprefix("http://")
        journal.destinations.add(host, "cold", network="base", address=BASE, by="test")
        journal.destinations.add(host, "vault", network="bitcoin", address=BITCOIN, by="test")
    before = there(server, what)
    server.clear_faults()
    if fault:
        server.fault(**{"path": f"/{what}", **fault})
    intent_id = f"race-{uuid.uuid4()}"
    with tempfile.TemporaryDirectory() as folder:
        codes = stable(
            words=[*words, "--intent-id", intent_id, "--yes", "--json"],
            environment={**server.environment, "TRADEHOOK_JOURNAL_URL": journal_url, "TRADEHOOK_TIMEOUT_SECONDS": "3"},
            folder=folder,
            processes=processes,
        )
        printed = [
            tuple(Path(folder, f"{number}.{stream}").read_text() for stream in ("out", "err"))
            for number in range(processes)
        ]
    if fault and fault["kind"] == "late_accept":
        time.sleep(fault["delay_seconds"] + 0.5)  # what comes late must have come before it is counted
    return codes, there(server, what) - before, printed


def check(fault, codes, orders, printed) -> None:
    """What must hold after a race."""
    assert orders <= 1
    for out, error in printed:
        assert "Traceback" not in out + error
        assert len(out.strip().splitlines()) == 1
        json.loads(out)
    kind = fault["kind"] if fault else None
    match kind:
        case None | "slow" | "rate_limited":
            assert (codes, orders) == ([0] * len(codes), 1)
        case "edge_html":
            assert (codes, orders) == ([3] * len(codes), 0)
        case "error_before":
            assert (codes, orders) == ([4] * len(codes), 0)
        case _:
            assert (codes, orders) == ([4] * len(codes), 1)
    for name in ("order_id", "transfer_id"):
        assert len({json.loads(out).get(name) for out, _ in printed}) == 1


@pytest.fixture(scope="module")
def server(start_sandbox):
    return start_sandbox("--rate-limit", "0")


@pytest.fixture(scope="module")
def stable():
    """Starts races: processes that all begin at once. Returns their exit codes."""
    parent = subprocess.Popen([sys.executable, "-c", _STABLE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def start(**race):
        parent.stdin.write(json.dumps(race) + "\n")
        parent.stdin.flush()
        return json.loads(parent.stdout.readline())

    yield start
    parent.stdin.close()
    assert parent.wait(60) == 0
    parent.stdout.close()


@pytest.mark.parametrize(("deed", "fault"), [*every(ORDER, always=DOUBTFUL), *every(PAYOUT, always=LOST)])
def test_four_processes_one_intent(stable, server, tmp_path, fault, deed):
    codes, made, printed = race(stable, server, f"sqlite:///{tmp_path}/journal.db", fault, deed=deed)
    check(fault, codes, made, printed)


@pytest.mark.parametrize(("deed", "fault"), [*every(ORDER, always=LOST), *every(PAYOUT, always=())])
def test_four_processes_one_intent_on_a_server(stable, server, postgres, fault, deed):
    codes, made, printed = race(stable, server, postgres.new_database(), fault, deed=deed)
    check(fault, codes, made, printed)


@pytest.mark.parametrize(
    ("deed", "fault"), [*every(SIGNED_ORDER, always=DOUBTFUL), *every(SIGNED_TRANSFER, always=LOST)]
)
def test_four_processes_one_signature(stable, server, tmp_path, fault, deed):
    """Two steps: doubt about either is resolved, so there is exactly one."""
    codes, made, _ = race(stable, server, f"sqlite:///{tmp_path}/journal.db", fault, deed=deed)
    expected = ([3] * 4, 0) if fault and fault["kind"] == "edge_html" else ([0] * 4, 1)
    assert (codes, made) == expected


@pytest.mark.parametrize(("deed", "fault"), [*every(SIGNED_ORDER, always=LOST), *every(SIGNED_TRANSFER, always=())])
def test_four_processes_one_signature_on_a_server(stable, server, postgres, fault, deed):
    codes, made, _ = race(stable, server, postgres.new_database(), fault, deed=deed)
    assert (codes, made) == ([0] * 4, 1)


@pytest.mark.prove
@pytest.mark.parametrize("place", ["sqlite", "postgres"])
@pytest.mark.parametrize("deed", [ORDER, PAYOUT], ids=["order", "payout"])
def test_two_hundred_races_under_every_fault(server, tmp_path, deed, place, request):
    """The same by the hundred, with a figure at the end."""
    stable = request.getfixturevalue("stable")
    doubles = unknowns = 0
    rounds = 200
    database = request.getfixturevalue("postgres") if place == "postgres" else None
    for number in range(rounds):
        fault = FAULTS[number % len(FAULTS)]
        url = database.new_database() if database else f"sqlite:///{tmp_path}/journal{number}.db"
        codes, made, printed = race(stable, server, url, fault, processes=2 + number % 3, deed=deed)
        check(fault, codes, made, printed)
        doubles += made > 1
        unknowns += 4 in codes
    print(
        f"\n{rounds} races of 2 to 4 processes over {deed[0]} on {place}, {len(FAULTS)} kinds of fault: "
        f"{doubles} doubles, {unknowns} held as UNKNOWN"
    )
