"""The harness dies where it says: found in the syntax, before and after, inside a transaction and behind it."""

from __future__ import annotations

import importlib
import random
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
SAMPLE = """
from contextlib import contextmanager

@contextmanager
def writing(log):
    yield
    log.append("commit")

async def other(log):
    log.append("other")

async def deed(log):
    await other(log)
    with writing(log):
        log.append("body")
    for _ in range(2):
        await other(
            log,
        )
    return [one async for one in several(log)]

async def several(log):
    yield await other(log)
"""
FOLLOW = """
import os, sys
sys.path[:0] = [sys.argv[1], sys.argv[2]]
from pathlib import Path
from points import Tracer, enumerate_points
import sample
class Pipe(Tracer):
    def at(self, point, side):
        log.append(point.name.removeprefix("sample.") + " | " + side)
        super().at(point, side)
log = []
kill = (sys.argv[3], int(sys.argv[4])) if len(sys.argv) > 3 else None
Pipe(enumerate_points([Path(sample.__file__)]), tell=os.open(os.devnull, os.O_WRONLY), kill=kill).begin()
try:
    sample.deed(log).send(None)
except StopIteration:
    sys.settrace(None)
print("\\n".join(log))
"""


def follow(folder, *kill: str) -> subprocess.CompletedProcess[str]:
    (folder / "sample.py").write_text(SAMPLE)
    command = [sys.executable, "-c", FOLLOW, str(HERE), str(folder), *kill]
    return subprocess.run(command, capture_output=True, text=True)


def test_places_come_in_the_order_of_the_code(tmp_path):
    ran = follow(tmp_path)
    assert ran.returncode == 0, ran.stderr
    again = ["deed: await other(log) #2 | before", "other", "deed: await other(log) #2 | after"]
    lines = ran.stdout.splitlines()
    assert lines[:14] == [
        "deed: await other(log) | before",
        "other",
        "deed: await other(log) | after",
        "deed: commit | begin",
        "body",
        "deed: commit | before",
        "commit",
        "deed: commit | after",
        *again,
        *again,
    ]
    # The comprehension is a frame of its own at the same line, and passes it once for each step.
    inner = ["several: await other(log) | before", "other", "several: await other(log) | after"]
    at = lines.index(inner[0])
    assert lines[at : at + 3] == inner
    assert {*lines[14:at]} == {"deed: await for several(log) | before"}
    assert lines[-1] == "deed: await for several(log) | after"


def test_it_dies_at_the_passing_that_was_asked_for(tmp_path):
    for number, code in (("1", -9), ("2", -9), ("3", 0)):
        assert follow(tmp_path, "sample.deed: await other(log) #2 | after", number).returncode == code


_POST = {"method": "POST", "path": "/orders"}
FAULTS = [None, {**_POST, "kind": "garbled"}, {**_POST, "kind": "late_accept", "delay_seconds": 3}]
KINDS = ("none", "garbled", "late_accept")
SIDES = ("before", "after")
PASSED = {"payout": ("a", "b"), "market order": ("a",), "fintrusted market": ("a", "c")}
AT = (("a", False), ("a", True), ("b", False), ("c", True))
"""At which exchange each point is passed."""


@pytest.fixture
def run(monkeypatch):
    """The script, with the names that its folder gives it."""
    monkeypatch.syspath_prepend(HERE)
    before = {*sys.modules}
    yield importlib.import_module("run")
    for name in {*sys.modules} - before:
        if Path(getattr(sys.modules[name], "__file__", None) or "/").parent == HERE:
            del sys.modules[name]


@pytest.mark.parametrize("seed", range(5))
def test_the_short_form_dies_at_each_point_under_each_fault_and_on_each_side_of_it(run, seed):
    paths = run.Paths()
    for deed, points in PASSED.items():
        for fault in FAULTS:
            passed = [f"{point} | {side}" for point in points for side in SIDES if point != "b" or fault != FAULTS[1]]
            spec = {"deed": deed, "policy": "hold", "fault": fault, "kills": []}
            paths.learn(spec, {"runs": [{"passed": passed}]})
    plan = run.each_point_with_each_fault(paths, random.Random(seed))
    died = [(spec["kills"][0][0], (spec["fault"] or {"kind": "none"})["kind"], spec["deed"]) for spec in plan]
    reached = {(point, kind) for point in "abc" for kind in KINDS} - {("b", "garbled")}
    assert {(place[0], kind) for place, kind, _ in died} == reached
    assert {place for place, _, _ in died} == {f"{point} | {side}" for point in "abc" for side in SIDES}
    assert {(place[0], deed.startswith("fintrusted")) for place, _, deed in died} == {*AT}
    assert {deed for place, _, deed in died if place[0] == "a"} == {*PASSED}
    # No more than that takes: as many as there are kinds of fault, which are more than sides.
    assert len(plan) <= 3 + 2 + 3
