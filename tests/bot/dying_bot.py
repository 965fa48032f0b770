"""The bot in a process that dies by SIGKILL at a step of its own: `python dying_bot.py FOLDER`.

`FOLDER/dies_at` names a story and the number of the step, counted from that story's first press of a button on: each
await and each transaction of the bot and of the desk is one before, and one after. `FOLDER/steps` holds how many there
were so far. Without the file, or at step 0, it lives.
Nothing is added to the bot: the steps are found in its source, see `tests/client/desk/crash/points.py`.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "client" / "desk" / "crash"))

from points import Point, Tracer, enumerate_points

import tradehook.desk
import tradehook_bot

BEGINS = "confirm.Buttons.on_press"
_STEADY = {"instance", "life", "health", "sweeping", "leases", "freeze_end", "digest", "price_watch", "price_alerts"}
"""What goes on all the time, whatever a person does."""


class Countdown(Tracer):
    """Counts the steps from a story's first press on, and ends the process at one of them."""

    def __init__(self, points: list[Point], folder: Path) -> None:
        """Count for this folder."""
        super().__init__(points, tell=-1, kill=None)
        self._told = folder / "dies_at"
        self._story, self._dies_at, self._steps = "", 0, 0
        self._file = os.open(folder / "steps", os.O_CREAT | os.O_WRONLY | os.O_TRUNC)

    def at(self, point: Point, side: str) -> None:
        """A step was made."""
        if point.name.startswith(BEGINS):
            self._read()
        if not self._story:
            return
        self._steps += 1
        os.pwrite(self._file, f"{self._steps:8d} {point.name} | {side}\n".encode(), 0)
        if self._steps == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def _read(self) -> None:
        """A story that is new here begins with step 1."""
        story = self._told.read_text() if self._told.exists() else ""
        if story != self._story:
            self._story, self._steps = story, 0
            self._dies_at = int(story.split()[1]) if story else 0


def main(folder: Path) -> None:
    """Run the bot, as `tradehook-bot run` does."""
    sources: list[Any] = [Path(package.__file__ or "").parent for package in (tradehook_bot, tradehook.desk)]
    found = [path for source in sources for path in source.rglob("*.py") if path.stem not in _STEADY]
    countdown = Countdown(enumerate_points(path for path in found if "migrations" not in path.parts), folder)
    from tradehook_bot import app, context  # noqa: F401 - what is loaded now need not be followed while it loads
    from tradehook_bot.__main__ import run_bot

    countdown.begin()
    run_bot(None)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
