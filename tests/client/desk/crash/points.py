"""Kill points: every await and every commit of some source files, found in their syntax, and a tracer that dies there.

Nothing is added to the code under test. A point is a place in the source; the tracer follows Python's own line events,
so it knows when a line is about to run and when the frame has gone on behind it:

    await    `before`: its line is about to run. `after`: the frame is at another line, returns, or hears an exception.
    commit   (a `with writing(...)` or `with connection.begin()` block) `begin`: before the transaction. `before`: its body is done and nothing is
             committed. `after`: it is committed.
"""

from __future__ import annotations

import ast
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

SIDES = {"await": ("before", "after"), "commit": ("begin", "before", "after")}
_TEXT = 70


@dataclass(frozen=True, slots=True)
class Point:
    """One await or commit."""

    name: str
    """File, function, kind and text; the same as long as the code there is, whatever moves around it."""
    kind: str
    path: str
    first: int
    last: int

    @property
    def places(self) -> tuple[str, ...]:
        """Where a process can die at it."""
        return tuple(f"{self.name} | {side}" for side in SIDES[self.kind])


class _Finder(ast.NodeVisitor):
    def __init__(self, path: Path) -> None:
        self.path = path
        self.functions: list[str] = []
        self.found: list[Point] = []
        self.names: Counter[str] = Counter()

    def _add(self, kind: str, node: ast.AST, *, last: int, text: str) -> None:
        name = f"{self.path.stem}.{'.'.join(self.functions)}: {kind} {text[:_TEXT]}".rstrip()
        self.names[name] += 1
        if self.names[name] > 1:
            name = f"{name} #{self.names[name]}"
        self.found.append(Point(name, kind, str(self.path), node.lineno, last))  # type: ignore[attr-defined]

    def _within(self, node: ast.AST) -> None:
        self.functions.append(node.name)  # type: ignore[attr-defined]
        self.generic_visit(node)
        self.functions.pop()

    visit_FunctionDef = visit_AsyncFunctionDef = visit_ClassDef = _within  # noqa: N815 - ast's names

    def visit_Await(self, node: ast.Await) -> None:
        self._add("await", node, last=node.end_lineno or node.lineno, text=ast.unparse(node.value))
        self.generic_visit(node)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> None:
        self._add("await", node, last=node.iter.end_lineno or node.lineno, text=f"for {ast.unparse(node.iter)}")
        self.generic_visit(node)

    def visit_AsyncWith(self, node: ast.AsyncWith) -> None:
        last = node.items[-1].context_expr.end_lineno or node.lineno
        self._add("await", node, last=last, text=f"with {ast.unparse(node.items[0].context_expr)}")
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        if node.is_async:
            self._add("await", node.iter, last=node.iter.end_lineno or 0, text=f"for {ast.unparse(node.iter)}")
        self.generic_visit(node)

    def visit_With(self, node: ast.With) -> None:
        for call in (item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)):
            if isinstance(call.func, ast.Name) and call.func.id == "writing":
                self._add("commit", node, last=node.lineno, text="")
            elif isinstance(call.func, ast.Attribute) and call.func.attr == "begin":
                self._add("commit", node, last=node.lineno, text=ast.unparse(call))
        self.generic_visit(node)


def enumerate_points(paths: Iterable[Path]) -> list[Point]:
    """Every await and every `with writing(...)` of these files, in the order of the code."""
    points: list[Point] = []
    for path in sorted(paths):
        finder = _Finder(path)
        finder.visit(ast.parse(path.read_text()))
        points += finder.found
    return points


class Tracer:
    """Follows the points of some files in every thread of this process, and kills it at one if asked to."""

    def __init__(self, points: Iterable[Point], *, tell: int, kill: tuple[str, int] | None) -> None:
        """Make it; `begin` starts it.

        Args:
            points: what to follow.
            tell: a file descriptor that gets a line for each place passed, before anything else happens.
            kill: the place to die at, and at which passing of it.
        """
        self.lines: dict[str, dict[int, list[Point]]] = {}
        for point in points:
            for line in range(point.first, point.last + 1):
                self.lines.setdefault(point.path, {}).setdefault(line, []).append(point)
        self.tell = tell
        self.kill = kill
        self.passed: Counter[str] = Counter()

    def begin(self) -> None:
        """Follow this thread from its next call on, and every thread that starts later."""
        threading.settrace(self.enter)
        sys.settrace(self.enter)

    def enter(self, frame: FrameType, event: str, _arg: Any) -> Any:
        lines = self.lines.get(frame.f_code.co_filename)
        if event != "call" or lines is None:
            return None
        # A generator that goes on is called again, and is still inside of what it was inside of.
        return frame.f_trace or _Followed(self, lines).event

    def at(self, point: Point, side: str) -> None:
        place = f"{point.name} | {side}"
        self.passed[place] += 1
        os.write(self.tell, f"at {place}\n".encode())
        if self.kill == (place, self.passed[place]):
            os.kill(os.getpid(), signal.SIGKILL)


class _Followed:
    """One frame: which points it is inside of."""

    def __init__(self, tracer: Tracer, lines: dict[int, list[Point]]) -> None:
        self.tracer = tracer
        self.lines = lines
        self.pending: list[Point] = []
        self.begun: list[Point] = []

    def event(self, frame: FrameType, event: str, _arg: Any) -> Any:
        here = self.lines.get(frame.f_lineno, []) if event == "line" else []
        for point in [*self.pending]:
            if point not in here or point.kind == "commit":
                self.pending.remove(point)
                self.tracer.at(point, "after")
        for point in here:
            if point in self.pending:
                continue
            if point.kind == "await":
                self.pending.append(point)
                self.tracer.at(point, "before")
            elif point in self.begun:
                self.begun.remove(point)
                self.pending.append(point)
                self.tracer.at(point, "before")
            else:
                self.begun.append(point)
                self.tracer.at(point, "begin")
        return self.event
