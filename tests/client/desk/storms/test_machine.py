"""Whatever happens to one account, in any order: the books are right, one each, caps hold, the journal moves forward."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from tests.client.desk.storms import machine
from tests.client.desk.storms.staged import make_template

SEED = int(os.environ.get("TRADEHOOK_SEED", "1"))
STEPS = int(os.environ.get("TRADEHOOK_STEPS", "1000000"))
PROCESSES = 2
ROOT = Path(__file__).parents[4]
APART = 1_000_000


def test_whatever_happens_the_invariants_hold():
    found = machine.run_steps(3_000, first_seed=SEED)
    # A run that does not get to the doubts shows nothing.
    for state in ("ACCEPTED", "UNKNOWN", "MATCHED", "PROVED_ABSENT", "PREPARED", "REJECTED"):
        assert found[f"-> {state}"] > 0, state
    assert found["died"] > 0


@pytest.fixture
def stepped(tmp_path, monkeypatch):
    """The machine, to be led by hand."""
    monkeypatch.setattr(machine.DeskMachine, "template", make_template(tmp_path), raising=False)
    made = machine.DeskMachine()
    made.begin(cap=False, proved=False)
    yield made
    made.teardown()


def test_a_persons_word_about_a_sender_that_died_goes_through_doubt(stepped):
    """Found by seed 2."""
    dies_after_the_answer = next(waits for waits in range(1, 30) if _leaves_sending(stepped, dies=(waits, True)))
    assert dies_after_the_answer
    stepped.a_person_ends_a_doubt(pick=0, may_go_again=False, is_patient=False)
    stepped.journal_is_truthful()
    (name,) = [name for name, state in stepped.states.items() if state == "MATCHED"]
    told = [event["what"] for event in stepped.process.journal.events(name)]
    assert told[-3:] == ["sending", "interrupted", "resolved"]


def _leaves_sending(stepped, *, dies) -> bool:
    stepped.place(deed=0, unattended=False, resends=False, dies=dies, fault=None)
    stepped.journal_is_truthful()
    return "SENDING" in stepped.states.values() and len(stepped.staged.there()) > 0


@pytest.mark.prove
def test_a_million_steps():
    command = [sys.executable, "-m", "tests.client.desk.storms.machine", "--steps", str(STEPS // PROCESSES)]
    running = [
        subprocess.Popen(
            [*command, "--seed", str(SEED + number * APART), "--examples", "100"],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        for number in range(PROCESSES)
    ]
    ended = [process.communicate()[0] for process in running]
    assert [process.returncode for process in running] == [0] * PROCESSES, "\n".join(each[-6000:] for each in ended)
    told = [json.loads(each.strip().splitlines()[-1]) for each in ended]
    found = sum(
        (Counter({name: each[name] for name in each if name not in ("seconds", "rate")}) for each in told), Counter()
    )
    assert found["steps"] >= STEPS
    print(
        f"\nstate machine, seeds from {SEED} and {SEED + APART}: {found['steps']:,} steps in "
        f"{max(each['seconds'] for each in told):.0f} s ({sum(each['rate'] for each in told)} a second over "
        f"{PROCESSES} processes), {found['died']:,} deaths, {found['-> UNKNOWN']:,} doubts, "
        f"{found['-> MATCHED']:,} matched, {found['-> PROVED_ABSENT']:,} proved absent; no invariant broken"
    )
