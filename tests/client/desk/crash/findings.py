"""What a trial showed, judged by the sandbox's books, and the table of all trials."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

BAD = ("duplicate", "lost", "phantom", "undone", "wrong", "crash")
"""What must never be: two for one; one that its caller was told is not there; one told that is not there; one not
done although nothing forbids it; books or ids that contradict; a run that hangs or falls over."""


def judge(spec: dict[str, Any], found: dict[str, Any]) -> str:
    """One word for one trial."""
    last, there = found["runs"][-1], found["there"]
    if any("crash" in run for run in found["runs"]):
        return "crash"
    if not found["balanced"]:
        return "wrong"
    if spec["deed"].startswith("fintrusted") and _is_untrue(found):
        return "wrong"
    if spec["deed"].endswith("rebalance"):
        return _judge_rebalance(found, last)
    if spec["deed"] == "fintrusted reads":
        return "once" if "placed" in last and {*there} == {*found["all_bound"]} else "undone"
    if len(there) > 1:
        return "duplicate"
    if spec["policy"] == "naive":
        return "once" if there else "undone"
    return _judge_deed(spec["deed"], found, last)


def _judge_deed(deed: str, found: dict[str, Any], last: dict[str, Any]) -> str:
    there = found["there"]
    if deed in ("cancel", "expiry", "fintrusted word"):
        return _judge_cancel(last, there)
    if deed == "fintrusted cancel":
        return _judge_blind_cancel(last, there)
    if deed == "bounded order" and not {"canceled", "complete"}.issuperset(there.values()):
        return "wrong"  # its rest was to be canceled
    return _judge_one(found, last)


def _is_untrue(found: dict[str, Any]) -> bool:
    """Whether the journal tells of a spot order at FinTrusted what the exchange's own books contradict.

    Nobody trades by hand in the harness, so what is only probable must be right each time.
    """
    for identity, status in found["seen"].items():
        real = found["there"].get(identity, next(iter(found["there"].values()), None))
        if real not in _SPOT:
            continue  # nothing is there, or a futures order, whose status the exchange tells itself
        if status == "filled" or (status in _SPOT.values() and status != _SPOT[real]):
            return True
    return False


_SPOT = {"trading": None, "completed": "probably_filled", "canceled": "canceled"}
"""How a spot order stands there, to the only end that may be told of it."""


def _judge_blind_cancel(last: dict[str, Any], there: dict[str, str]) -> str:
    """Once it was canceled, whoever asks again hears a no; that the cancel was taken is then for a person to say."""
    if [*there.values()] != ["canceled"]:
        return "phantom" if "placed" in last else "undone"
    return "once" if "placed" in last or last.get("error") == "WrongState" else "undone"


def _judge_one(found: dict[str, Any], last: dict[str, Any]) -> str:
    there, bound = found["there"], found["bound"]
    is_bound = found["state"] in ("ACCEPTED", "MATCHED")
    if is_bound != ("placed" in last) or (is_bound and last["placed"] != bound):
        return "wrong"
    if is_bound:
        # FinTrusted may have taken an order and told no id; it is then bound under a name of ours.
        is_there = bound in there or bound.startswith("unnamed-")
        return ("once" if is_there else "wrong") if there else "phantom"
    if last.get("error") == "OutcomeUnknown":
        return "held, there" if there else "held, not there"
    if there:
        return "lost"
    return "refused" if found["state"] == "REJECTED" else "undone"


def _judge_cancel(last: dict[str, Any], there: dict[str, str]) -> str:
    if [*there.values()] == ["canceled"]:
        return "once" if "placed" in last else "undone"
    return "phantom" if "placed" in last else "undone"


def _judge_rebalance(found: dict[str, Any], last: dict[str, Any]) -> str:
    there, own = found["there"], {*found["all_bound"]}
    if len(there) > found["legs"] or ({*there} - own and last.get("error") != "OutcomeUnknown"):
        return "duplicate"
    if own - {*there}:
        return "phantom"
    if "placed" in last:
        return "once" if len(there) == found["legs"] > 1 else "lost"
    if last.get("error") == "OutcomeUnknown":
        return "held, there" if {*there} - own else "held, not there"
    return "refused" if found["state"] == "REJECTED" else "undone"


@dataclass
class Lane:
    """One deed under one policy."""

    trials: int = 0
    kills: int = 0
    words: Counter[str] = field(default_factory=Counter)

    @property
    def exactly_once(self) -> float:
        """In percent of those that were not refused."""
        return 100 * self.words["once"] / max(1, self.trials - self.words["refused"])


@dataclass
class Findings:
    """All trials of a run."""

    lanes: dict[str, Lane] = field(default_factory=dict)
    passed: set[str] = field(default_factory=set)
    """Every place that any run passed."""
    killed: Counter[str] = field(default_factory=Counter)
    """Every place at which a run died, and how often."""
    bad: list[dict[str, Any]] = field(default_factory=list)
    held: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    """Every trial that ended in doubt."""

    def add(self, spec: dict[str, Any], found: dict[str, Any]) -> str:
        """Count a trial, and return its word."""
        word = judge(spec, found)
        lane = self.lanes.setdefault(f"{spec['deed']}, {spec['policy']}", Lane())
        lane.trials += 1
        lane.words[word] += 1
        for run, kill in zip(found["runs"], [*spec["kills"], *[None] * len(found["runs"])], strict=False):
            self.passed.update(run["passed"])
            if "killed" in run and kill:
                lane.kills += 1
                self.killed[kill[0]] += 1
        if word.startswith("held"):
            self.held.append((word, spec))
        if word in BAD and spec["policy"] != "naive":
            runs = [{name: value for name, value in run.items() if name != "passed"} for run in found["runs"]]
            self.bad.append({"word": word, "spec": spec, **found, "runs": runs})
        return word

    def table(self) -> list[str]:
        """A line for each lane. The bound is for duplicates: with none in N trials, 3 / N (95 %)."""
        first = f"{'deed, policy':<32}{'trials':>8}{'kills':>8}{'double':>8}{'lost':>6}{'refused':>9}"
        lines = [first + f"{'held: not there':>17}{'there':>7}{'other':>7}{'once':>9}{'bound':>10}"]
        for name, lane in sorted(self.lanes.items(), key=lambda row: (row[0].endswith("naive"), row[0])):
            other = sum(lane.words[word] for word in ("phantom", "undone", "wrong", "crash"))
            double = lane.words["duplicate"]
            bound = "" if double else f"< {300 / lane.trials:.2f} %"
            lines.append(
                f"{name:<32}{lane.trials:>8,}{lane.kills:>8,}{double:>8,}{lane.words['lost']:>6,}"
                f"{lane.words['refused']:>9,}{lane.words['held, not there']:>17,}{lane.words['held, there']:>7,}"
                f"{other:>7,}{lane.exactly_once:>7.1f} %{bound:>10}"
            )
        return lines
