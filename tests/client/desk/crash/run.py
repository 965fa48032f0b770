"""Runs trials on several fork servers at once, prints progress and a table.

python run.py [--seed N] [--trials N] [--workers N] [--only DEED] [--out FILE]     without --trials: the short form
python run.py --trial JSON                                           one trial again, as a failure prints it
"""

from __future__ import annotations

import argparse
import json
import queue
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

from child_names import BLIND, DEEDS
from faults import faults_of, words
from findings import Findings

HERE = Path(__file__).parent
LANES = [*((deed, "hold") for deed in (*DEEDS, *BLIND)), ("market order", "resend")]
CONTROLS = [
    ("market order", "naive"),
    ("payout", "naive"),
    ("order on a chain", "naive"),
    ("fintrusted market", "naive"),
]
WAITS = (0.5, 4000.0, 30.0)
"""Between the runs of one intent: at once, when late answers have come, and after the horizon."""
_SAY_EVERY = 10.0
Spec = dict[str, Any]


class Crew:
    """Several workers; each takes the next trial when it is done with one."""

    def __init__(self, size: int) -> None:
        command = [sys.executable, str(HERE / "worker.py")]
        self.workers = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(size)
        ]
        heard = [self._hear(worker) for worker in self.workers]  # each says when it is ready
        self.points = heard[0]["points"]
        self.findings = Findings()
        self.begun = self.said = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for worker in self.workers:
            if worker.stdin:
                worker.stdin.close()
        for worker in self.workers:
            worker.wait(20)

    @staticmethod
    def _hear(worker: subprocess.Popen[str]) -> Any:
        line = worker.stdout.readline() if worker.stdout else ""
        if not line:
            raise RuntimeError("a worker of the harness has ended; its words are above")
        return json.loads(line)

    def each(self, specs: Iterable[Spec], *, what: str) -> Iterator[tuple[Spec, dict[str, Any]]]:
        """Every trial with what was found, in the order in which they end; counted already."""
        waiting: Iterator[Spec] = iter(specs)
        lock = threading.Lock()
        found: queue.Queue[tuple[Spec, dict[str, Any]] | BaseException | None] = queue.Queue(maxsize=64)

        def work(worker: subprocess.Popen[str]) -> None:
            try:
                while True:
                    with lock:
                        spec = next(waiting, None)
                    if spec is None:
                        break
                    assert worker.stdin is not None
                    worker.stdin.write(json.dumps(spec) + "\n")
                    worker.stdin.flush()
                    found.put((spec, self._hear(worker)))
            except BaseException as error:  # noqa: BLE001 - told to whoever waits
                found.put(error)
            found.put(None)

        threads = [threading.Thread(target=work, args=(worker,), daemon=True) for worker in self.workers]
        for thread in threads:
            thread.start()
        ended = 0
        while ended < len(threads):
            item = found.get()
            if isinstance(item, BaseException):
                raise item
            if item is None:
                ended += 1
                continue
            self.findings.add(*item)
            self._say(what)
            yield item
        for thread in threads:
            thread.join()

    def _say(self, what: str) -> None:
        now = time.monotonic()
        if now - self.said >= _SAY_EVERY:
            self.said = now
            trials = sum(lane.trials for lane in self.findings.lanes.values())
            passed = now - self.begun
            bad = len(self.findings.bad)
            print(f"{passed:6.0f} s {trials:>7,} trials, {trials / passed:4.0f}/s, {bad} bad ({what})", flush=True)


class Paths:
    """Which places each lane passes under each fault, in its first run and in later ones, and what led there."""

    def __init__(self) -> None:
        self.first: dict[tuple[str, str], dict[str, tuple[Any, Counter[str]]]] = {}
        self.later: dict[tuple[str, str], dict[str, Spec]] = {}

    def learn(self, spec: Spec, found: dict[str, Any]) -> None:
        """Take in what a trial passed."""
        lane = (spec["deed"], spec["policy"])
        first, *later = found["runs"]
        if not any(spec["kills"]):
            self.first.setdefault(lane, {})[words(spec["fault"])] = (spec["fault"], Counter(first["passed"]))
        for number, run in enumerate(later, start=1):
            for place in run["passed"]:
                kills = [*spec["kills"], *[None] * number][:number]
                self.later.setdefault(lane, {}).setdefault(place, {**spec, "kills": [*kills, [place, 1]]})


def census(only: str) -> Iterator[Spec]:
    """Each lane under each fault, without a kill."""
    for deed, policy in [*lanes(only), *controls(only)]:
        for fault in faults_of(deed, policy):
            yield {"deed": deed, "policy": policy, "fault": fault, "kills": [], "waits": _waits(policy)}


def lanes(only: str) -> list[tuple[str, str]]:
    """The lanes whose deed begins so."""
    return [lane for lane in LANES if lane[0].startswith(only)]


def controls(only: str) -> list[tuple[str, str]]:
    """Those that must fail."""
    return [lane for lane in CONTROLS if lane[0].startswith(only)]


def each_place_with_each_fault(paths: Paths, rng: random.Random) -> list[Spec]:
    """A trial for each place of each lane with each fault under which that lane passes it."""
    return [
        _spec(lane, fault, place, rng.choice((1, times)))
        for lane, faults in paths.first.items()
        for fault, passed in faults.values()
        for place, times in passed.items()
    ]


def each_point_with_each_fault(paths: Paths, rng: random.Random) -> list[Spec]:
    """The short form: at each point a trial for each kind of fault under which any deed passes it.

    Among them one at least before, after and at the begin of it, and one at each exchange where deeds pass it. Among
    equals those that were chosen least so far, so that places, deeds and faults are mixed evenly.
    """
    ways: dict[str, list[Way]] = {}
    for lane, faults in paths.first.items():
        for fault, passed in faults.values():
            for place, times in passed.items():
                ways.setdefault(place.rpartition(" | ")[0], []).append(Way(lane, fault, place, times))
    met: Counter[Any] = Counter()
    chosen = []
    for point, known in ways.items():
        rng.shuffle(known)
        is_control = all(way.lane[1] == "naive" for way in known)
        for number in range(1 if is_control else 3):  # sides, kinds of fault, exchanges
            for wanted in dict.fromkeys(way.meets[number] for way in known):
                if met[point, wanted]:
                    continue
                fitting = [way for way in known if wanted in way.meets]
                way = min(fitting, key=lambda way: way.weight(point, met))
                met.update([*((point, one) for one in (*way.meets, way.lane)), way.lane, way.meets[1]])
                chosen.append(_spec(way.lane, way.fault, way.place, rng.choice((1, way.times))))
    return chosen


class Way(NamedTuple):
    """How a place is reached: by which deed and policy, under which fault, how many times."""

    lane: tuple[str, str]
    fault: Any
    place: str
    times: int

    @property
    def meets(self) -> tuple[str, str, str]:
        """The side of its point that it dies at, under which kind of fault, and at which exchange."""
        return (
            self.place,
            _kind(self.fault),
            "at the one that lists nothing" if self.lane[0] in BLIND else "at the other",
        )

    def weight(self, point: str, met: Counter[Any]) -> tuple[int, ...]:
        """The less of it there was, the less it weighs."""
        _, kind, _ = self.meets
        return sum(met[point, one] for one in self.meets), met[point, self.lane], met[self.lane] + met[kind]


def _kind(fault: Any) -> str:
    """An answer that is only slow is no fault to die under."""
    return fault["kind"] if fault and fault["kind"] != "slow" else "none"


def later_places(paths: Paths, done: set[Any], *, is_short: bool) -> list[Spec]:
    """A trial that dies at each place that only later runs pass: of every lane, or in the short form of any."""
    fresh = []
    for lane, places in paths.later.items():
        for place, spec in places.items():
            mark = place if is_short else (lane, place)
            if mark not in done:
                done.add(mark)
                fresh.append({**spec, "waits": (*spec["waits"], 30.0)})
    return fresh


def at_random(paths: Paths, rng: random.Random, trials: int, only: str) -> Iterator[Spec]:
    """So many trials: any lane, fault, place and passing of it; one in three dies again in a later run."""
    for number in range(trials):
        must_fail = controls(only)
        lane = must_fail[number // 20 % len(must_fail)] if number % 20 == 0 else rng.choice(lanes(only))
        fault, passed = rng.choice([*paths.first[lane].values()])
        place = rng.choice([*passed])
        spec = _spec(lane, fault, place, rng.randint(1, passed[place]))
        later = paths.later.get(lane)
        if later and rng.random() < 1 / 3:
            spec["kills"].append([rng.choice([*later]), 1])
            if rng.random() < 1 / 3:
                spec["kills"].append([rng.choice([*later]), rng.choice((1, 2))])
        spec["waits"] = (rng.choice((0.0, 0.5, 2.0)), rng.choice((0.5, 5.0, 70.0)), *_waits(lane[1])[1:], 30.0)
        yield spec


def _spec(lane: tuple[str, str], fault: Any, place: str, times: int) -> Spec:
    return {"deed": lane[0], "policy": lane[1], "fault": fault, "kills": [[place, times]], "waits": _waits(lane[1])}


def _waits(policy: str) -> tuple[float, ...]:
    return WAITS * 2 if policy == "resend" else WAITS  # what is sent again can be in doubt again


def prove(crew: Crew, *, seed: int, trials: int | None, only: str = "") -> None:
    """All trials, short or long."""
    rng = random.Random(seed)
    paths = Paths()
    for spec, found in crew.each(census(only), what="no kill"):
        paths.learn(spec, found)
    done: set[Any] = set()
    if trials is None:
        plan = each_point_with_each_fault(paths, rng)
    else:
        plan = each_place_with_each_fault(paths, rng)
        rng.shuffle(plan)
        plan = plan[:trials]
    for spec, found in crew.each(plan, what="each place"):
        place = spec["kills"][0][0]
        done.add(place if trials is None else ((spec["deed"], spec["policy"]), place))
        paths.learn(spec, found)
    while fresh := later_places(paths, done, is_short=trials is None):
        for spec, found in crew.each(fresh, what="places of reruns"):
            paths.learn(spec, found)
    counted = sum(lane.trials for lane in crew.findings.lanes.values())
    if trials is not None and trials > counted:
        for _ in crew.each(at_random(paths, rng, trials - counted, only), what="at random"):
            pass


def main() -> None:
    """Run it from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--trials", type=int)
    parser.add_argument("--only", default="", help="deeds that begin so, as in --only fintrusted")
    parser.add_argument("--workers", type=int, default=3)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--trial", type=json.loads)
    given = parser.parse_args()
    if given.trial:
        with Crew(1) as crew:
            for _, found in crew.each([given.trial], what="again"):
                print(json.dumps(found, indent=1))
            print(*crew.findings.table(), sep="\n")
        return
    print(f"crash harness: seed {given.seed}", flush=True)
    with Crew(given.workers) as crew:
        try:
            prove(crew, seed=given.seed, trials=given.trials, only=given.only)
        except KeyboardInterrupt:
            print("Stopped; this is what was found until now.")
        findings = crew.findings
        for bad in findings.bad[:5]:
            print(f"{bad['word']}: {json.dumps(bad)}\n  again: run.py --trial '{json.dumps(bad['spec'])}'")
        print(*findings.table(), f"seed {given.seed}, {time.monotonic() - crew.begun:.0f} s", sep="\n")
        if given.out:
            summary = {
                "seed": given.seed,
                "points": crew.points,
                "killed": findings.killed,
                "passed": sorted(findings.passed),
                "bad": findings.bad,
                "held": findings.held,
                "table": findings.table(),
                "lanes": {name: vars(lane) for name, lane in findings.lanes.items()},
            }
            given.out.write_text(json.dumps(summary))


if __name__ == "__main__":
    main()
