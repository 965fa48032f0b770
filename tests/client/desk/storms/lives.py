"""What the state machines share: processes that die at a wait, the journal's arrows, and many steps in a row."""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from tests.client.desk.storms.happenings import ARROWS, LEADS_TO, S
from tests.client.desk.storms.staged import MEMORY, Process, Staged

from tradehook.desk.intents import State
from tradehook.errors import TradehookError
from tradehook.testing import Stopped


class Lives:
    """One account, one journal, one process at a time, any number of lives. Mixed into a machine."""

    steps: ClassVar[Counter[str]] = Counter()
    template: ClassVar[Path]
    staged: Staged
    process: Process
    asked: dict[str, Any]

    def __init__(self) -> None:
        super().__init__()
        self.gone: list[Process] = []
        self.states: dict[str, State] = {}
        self.last_event = 0

    def teardown(self) -> None:
        for process in (*self.gone, self.process):
            process.close()
        self.staged.close()

    def attempt(self, do: Any, *, dies: tuple[int, bool] | None = None) -> Any:
        """Let the process do something, perhaps its last. What it returns or raises, of what it may raise."""
        line = self.process.line
        if dies is not None:
            line.stop_at, line.dies_after_answer = line.waits + dies[0], dies[1]
        try:
            return do(self.process)
        except TradehookError as error:
            return error
        except Stopped:
            assert line.is_dead
            self.steps["died"] += 1
            return None
        finally:
            line.stop_at = None
            if line.is_dead:
                self.gone.append(self.process)
                self.process = Process(self.staged)

    def pick(self, number: int) -> str:
        return [*self.asked][number % len(self.asked)]

    def follow_the_arrows(self, rows: dict[str, Any]) -> None:
        for event in self.staged.rows.execute(
            "SELECT * FROM intent_event WHERE event_id > ? ORDER BY event_id", (self.last_event,)
        ):
            self.last_event, name = event["event_id"], event["intent_id"]
            detail, what = json.loads(event["detail"]), event["what"]
            if what == "prepared":
                assert name not in self.states
                self.states[name] = S.PREPARED
            elif what in ("sending", "executing"):
                self.step(name, S(what.upper()))
            elif "from" in detail:
                assert self.states[name] == detail["from"]
                self.step(name, LEADS_TO[detail["said"].partition(":")[0] if what == "resolved" else what])
        assert {name: row["state"] for name, row in rows.items()} == self.states

    def step(self, name: str, to: State) -> None:
        assert to in ARROWS.get(self.states[name], set()), f"{name}: {self.states[name]} -> {to}"
        self.states[name] = to
        self.steps[f"-> {to}"] += 1


QUICK = settings(
    max_examples=20,
    stateful_step_count=50,
    deadline=None,
    database=None,
    suppress_health_check=[*HealthCheck],
    phases=[Phase.generate, Phase.shrink],
    print_blob=True,
)


def run_steps(
    machine: type[Any],
    make_template: Callable[[Path], Path],
    steps: int,
    *,
    first_seed: int,
    examples: int = 20,
    shrinks: bool = True,
) -> Counter[str]:
    """So many steps at least, a seed for each batch of examples; what happened how often. Raises what was found."""
    machine.steps = found = Counter()
    phases = [Phase.generate, *([Phase.shrink] if shrinks else [])]
    chosen = settings(QUICK, max_examples=examples, phases=phases, report_multiple_bugs=shrinks)
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        machine.template = make_template(Path(folder))
        number = first_seed
        while found["steps"] < steps:
            print(f"seed {number}: {found['steps']} steps so far", flush=True)
            run_state_machine_as_test(seed(number)(machine), settings=chosen)
            number += 1
    return found


def main(machine: type[Any], make_template: Callable[[Path], Path]) -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description="Many steps of the state machine.")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--examples", type=int, default=20)
    asked = parser.parse_args()
    begun = time.monotonic()
    found = run_steps(machine, make_template, asked.steps, first_seed=asked.seed, examples=asked.examples)
    passed = time.monotonic() - begun
    print(json.dumps({"seconds": round(passed, 1), "rate": round(found["steps"] / passed), **found}), flush=True)
