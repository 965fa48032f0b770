"""The command line, run in this process against a sandbox in a process of its own."""

from __future__ import annotations

import io
import os
import pty
import select
import subprocess
import sys
from contextlib import suppress

import pytest

from tradehook.cli.app import run_app


@pytest.fixture
def command(sandbox_server, tmp_path, monkeypatch, capsys):
    """Run one command in this process: (exit code, what was printed, what was said beside it)."""
    for name, value in sandbox_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_app(list(arguments))
        out, error = capsys.readouterr()
        code = ended.value.code
        return (0 if code is None else code), out, error

    return run


PATIENCE_SECONDS = 60
_TRADEHOOK = (sys.executable, "-m", "tradehook.cli")


class Person:
    """A command in a process of its own on a real terminal, its questions read and answered. `shown` is all it wrote."""

    def __init__(self, *arguments: str, environment: dict[str, str], program: tuple[str, ...] = _TRADEHOOK) -> None:
        self._terminal, inside = pty.openpty()
        self.process = subprocess.Popen(
            [*program, *arguments],
            stdin=inside,
            stdout=inside,
            stderr=inside,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "200", **environment},
            start_new_session=True,
        )
        os.close(inside)
        self.shown = ""
        self._read_up_to = 0

    def answers(self, question: str, answer: str) -> None:
        """Wait for a question that was not answered yet, and type an answer and Enter."""
        self._waits_for(question)
        os.write(self._terminal, answer.encode() + b"\n")

    def leaves(self, question: str) -> None:
        """Wait for a question, and press Ctrl-D."""
        self._waits_for(question)
        os.write(self._terminal, b"\x04")

    def _waits_for(self, question: str) -> None:
        # A question is whole when the cursor stands behind it.
        while question not in self.shown[self._read_up_to :] or not self.shown.endswith(": "):
            assert self._read_more(), f"it ended before it asked {question!r}:\n{self.shown}"
        self._read_up_to = len(self.shown)

    def ends(self) -> int:
        """Read to the end, and return the exit code."""
        while self._read_more():
            pass
        os.close(self._terminal)
        return self.process.wait(PATIENCE_SECONDS)

    def gets_up(self) -> None:
        """Leave nothing running, however it went."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def _read_more(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], PATIENCE_SECONDS)
        assert ready, f"nothing more came:\n{self.shown}"
        chunk = b""
        with suppress(OSError):  # a terminal that nobody holds any more
            chunk = os.read(self._terminal, 4096)
        self.shown += chunk.decode(errors="replace").replace("\r\n", "\n")
        return bool(chunk)


@pytest.fixture
def environment(sandbox_server, tmp_path):
    """What a command in a process of its own needs to use what `command` uses."""
    return {**sandbox_server.environment, "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db"}


@pytest.fixture
def person():
    """Sit down at a terminal and type one command: `person("go-live", environment={...})`; see `Person`."""
    sitting: list[Person] = []

    def sit_down(*arguments: str, **more) -> Person:
        sitting.append(Person(*arguments, **more))
        return sitting[-1]

    yield sit_down
    for one in sitting:
        one.gets_up()
