"""Whatever happens to one account, in any order: the books are right, one each, caps hold, the journal moves forward."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from tests.client.desk.storms import blind_machine, machine
from tests.client.desk.storms.lives import run_steps
from tests.client.desk.storms.staged import make_template
from tests.client.desk.storms.staged_blind import make_blind_template

from tradehook.desk import standing, wallet
from tradehook.models import OrderStatus

SEED = int(os.environ.get("TRADEHOOK_SEED", "1"))
STEPS = int(os.environ.get("TRADEHOOK_STEPS", "1000000"))
PROCESSES = 2
ROOT = Path(__file__).parents[4]
APART = 1_000_000


def test_whatever_happens_the_invariants_hold():
    found = run_steps(machine.DeskMachine, make_template, 3_000, first_seed=SEED)
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


def test_whatever_happens_nothing_untrue_is_told_of_orders_that_nobody_lists():
    found = run_blind(3_000)
    for state in ("ACCEPTED", "UNKNOWN", "MATCHED", "NEEDS_HUMAN", "PREPARED", "REJECTED"):
        assert found[f"-> {state}"] > 0, state
    for ended in ("probably_filled alone", "canceled alone", "probably_filled told"):
        assert found[ended] > 0, ended
    assert found["died"] > 0
    assert found["wrong probably_filled alone"] + found["wrong canceled alone"] == 0


def run_blind(steps: int, **more: Any) -> Counter[str]:
    return run_steps(blind_machine.BlindMachine, make_blind_template, steps, first_seed=SEED, **more)


def test_the_same_without_the_rule_of_one_order_of_a_kind_fails(monkeypatch):
    """The control: nothing keeps two orders apart that the wallet cannot."""
    monkeypatch.setattr(standing, "check_evidence", lambda *_, **__: None)
    assert "two_of_a_kind_are_never_open" in broken()


def test_the_same_with_a_wallet_that_is_believed_too_much_fails(monkeypatch):
    """The control: whatever the wallet shows is taken for the whole order."""
    believed = wallet.Verdict(OrderStatus.PROBABLY_FILLED, "so it seems")
    monkeypatch.setattr(wallet, "judge", lambda *_, **__: believed)
    assert "is probably_filled, and there" in broken()


def broken() -> str:
    """The invariant that the machine found broken, in its words."""
    with pytest.raises(AssertionError) as caught:
        run_blind(3_000, shrinks=False)
    return "\n".join([str(caught.value), *caught.value.__notes__[-4:]])


def prove(module: str, steps: int) -> Counter[str]:
    """So many steps in two processes; what happened how often."""
    command = [sys.executable, "-m", f"tests.client.desk.storms.{module}", "--steps", str(steps // PROCESSES)]
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
    assert found["steps"] >= steps
    print(
        f"\n{module}, seeds from {SEED} and {SEED + APART}: {found['steps']:,} steps in "
        f"{max(each['seconds'] for each in told):.0f} s ({sum(each['rate'] for each in told)} a second over "
        f"{PROCESSES} processes), {found['died']:,} deaths, {found['-> UNKNOWN']:,} doubts, "
        f"{found['-> MATCHED']:,} matched, {found['-> PROVED_ABSENT']:,} proved absent; no invariant broken"
    )
    return found


@pytest.mark.prove
def test_a_million_steps():
    prove("machine", STEPS)


@pytest.mark.prove
def test_a_quarter_of_a_million_steps_at_an_exchange_that_tells_nothing():
    found = prove("blind_machine", STEPS // 4)
    told = {name: found[name] for name in sorted(found) if name.startswith(("probably_filled", "canceled", "wrong"))}
    print(f"concluded from the wallet: {told}")
    assert found["wrong probably_filled alone"] + found["wrong canceled alone"] == 0
