"""Whatever line of the desk a process dies at: nothing is done twice, nothing is lost, and every doubt is told.

Kill points are read from the code, so a new await or commit in `desk/` without a trial fails here: give it a deed in
`child.py` that passes it, or a reason in `NO_DEED`. A failure prints its trial; `run.py --trial` carries it out again.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SEED = os.environ.get("TRADEHOOK_SEED", "1")
PROOF_TRIALS = os.environ.get("TRADEHOOK_TRIALS", "20000")
UNLISTED = ("fintrusted market", "fintrusted limit", "fintrusted rebalance")
SIDES = {"await": ("before", "after"), "commit": ("begin", "before", "after")}
_WORD = "a person's word, one transaction; whoever typed it sees whether it was done, and may type it again"
_READS = "reads only; no intent exists yet"
_SERVER = "only with a journal in PostgreSQL, and the harness has one in SQLite; it counts requests and holds no money"
NO_DEED = {
    "assets.Assets.allow": _WORD,
    "assets.Assets.remove": _WORD,
    "attempts.Attempts.carry_out: await line.pause(_POLL_SECONDS)": "waits for a living process; the races pass it",
    "copies.prune": _WORD,
    "destinations.Destinations.add": _WORD,
    "destinations.Destinations.remove": _WORD,
    "doubts.Doubts.again": _WORD,
    "guard.check: await exchange.account_id()": "only for a live exchange; there is none in the harness",
    "keeping.accept_restore": _WORD,
    "keeping.adopt": "before the first intent of a journal",
    "keeping.settle": "before the first intent of a journal",
    "keeping._settle_file": "before the first intent of a journal",
    "limits.LimitsBook.set": _WORD,
    "messages.Messages.leave": "tells people something; no money follows from it, and its key makes it one message",
    "permits.ServerStore._open": _SERVER,
    "permits.ServerStore.transaction": _SERVER,
    "plans._make: await exchange.prices.ticker(symbol)": _READS,
    "plans._make: await for exchange.list_assets()": _READS,
    "proofs.Proofs.record": _WORD,
    "questions.ask": _READS,
    "resolving._read: await exchange.get_order(identity)": _WORD,
    "resolving._read: await exchange.get_transfer(identity)": _WORD,
    "schema._migrate": "before the first intent of a journal",
    "submit.Desk.size_transfer": _READS,
    "targets.Targets.set": _WORD,
    "trading.Trading.set": _WORD,
    "watch.Watcher._sweep: await self._pace(hold)": "waits only when hundreds of orders left at once",
    "watch.Watcher._pace": "waits only when hundreds of orders left at once",
}
"""Points, or all points of a function, that no deed passes, and why."""


def carry_out(folder: Path, *more: str) -> dict[str, Any]:
    """All trials in processes of their own; what they print is shown."""
    out = folder / "crash.json"
    command = [sys.executable, str(Path(__file__).parent / "run.py"), "--seed", SEED, "--out", str(out), *more]
    assert subprocess.run(command, stdin=subprocess.DEVNULL).returncode == 0
    return json.loads(out.read_text())


@pytest.fixture(scope="module")
def short(tmp_path_factory):
    return carry_out(tmp_path_factory.mktemp("crash"))


def words(found: dict[str, Any], policy: str, *names: str) -> int:
    """How many trials under a policy ended so."""
    lanes = [lane for name, lane in found["lanes"].items() if name.endswith(f", {policy}")]
    assert lanes
    return sum(lane["words"].get(name, 0) for lane in lanes for name in names)


def check(found: dict[str, Any]) -> None:
    assert [(bad["word"], bad["spec"]) for bad in found["bad"]] == []
    # What is there is bound to its intent, however its answer was lost; what is held is not there. Only of an order that
    # no list shows nobody can know, so it is held whatever became of it: until a person says so (`fintrusted person`).
    assert [spec for word, spec in found["held"] if word == "held, there" and spec["deed"] not in UNLISTED] == []
    assert [spec for _, spec in found["held"] if spec["deed"].endswith(" person")] == []
    resent = [spec for _, spec in found["held"] if spec["policy"] == "resend"]
    assert resent == []
    assert words(found, "resend", "refused") == 0
    assert words(found, "resend", "once") > 0


def test_nothing_is_done_twice_or_lost(short):
    check(short)


def test_a_client_that_remembers_nothing_doubles_in_the_same_run(short):
    for name, lane in short["lanes"].items():
        if name.endswith(", naive"):
            assert lane["words"].get("duplicate", 0) > 0, name


def test_a_process_died_at_every_point_of_the_desk(short):
    points = [(name, kind) for name, kind in short["points"] if not name.startswith("naive.")]
    excused = {name for name, _ in points if name in NO_DEED or name.partition(":")[0] in NO_DEED}
    missed = [
        f"{name} | {side}"
        for name, kind in points
        for side in SIDES[kind]
        if name not in excused and not short["killed"].get(f"{name} | {side}")
    ]
    assert missed == []
    # The list of excuses does not outlive its reasons.
    assert [name for name in excused if any(place.startswith(f"{name} |") for place in short["killed"])] == []
    assert set(NO_DEED) == {name if name in NO_DEED else name.partition(":")[0] for name in excused}


@pytest.mark.prove
def test_twenty_thousand_trials(tmp_path):
    found = carry_out(tmp_path, "--trials", PROOF_TRIALS)
    check(found)
    assert sum(lane["trials"] for lane in found["lanes"].values()) >= int(PROOF_TRIALS)
    assert words(found, "naive", "duplicate") > 0
