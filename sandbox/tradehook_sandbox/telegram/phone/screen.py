"""Printing while somebody types: what they have typed so far stays where it is."""

from __future__ import annotations

import contextlib
import sys
import threading
from typing import TYPE_CHECKING

from rich.console import Console
from rich.padding import Padding
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator

PROMPT = "> "
INDENT = (0, 0, 0, 2)
ERASE_LINE = "\r\x1b[K"

try:
    # Importing it is what gives input() line editing and a history; the function tells what is half typed.
    from readline import get_line_buffer
except ImportError:  # pragma: no cover - a Python built without it

    def get_line_buffer() -> str:
        """Nothing is known of what is half typed."""
        return ""


class Screen:
    """The terminal, or whatever standard output is.

    Args:
        interactive: somebody types at a prompt.
    """

    def __init__(self, *, interactive: bool) -> None:
        """Nothing is printed yet. A script's output is neither wrapped nor coloured."""
        self.interactive = interactive
        self.console = Console(highlight=False, soft_wrap=not interactive)
        self._lock = threading.RLock()
        self._asking = False

    def show(self, *parts: Text, head: Text | None = None) -> None:
        """The parts are printed, indented, one below the other, above the line somebody is typing."""
        with self._lock, self._prompt_aside():
            if head is not None:
                self.console.print(head)
            for part in parts:
                if self.interactive:
                    self.console.print(Padding(part, INDENT, expand=False))
                    continue
                for line in part.split(allow_blank=True):  # not wrapped: a script's output is for grep
                    self.console.print(Text("  ").append_text(line))

    def say(self, text: str, style: str = "dim") -> None:
        """A remark of the client's own is printed."""
        with self._lock, self._prompt_aside():
            self.console.print(text, style=style, markup=False)

    def ask(self) -> str:
        """The line somebody typed.

        Raises:
            EOFError: there are no more (Ctrl-D).
        """
        if not self.interactive:
            line = sys.stdin.readline()
            if not line:
                raise EOFError
            return line.rstrip("\n")
        self._asking = True
        try:
            return input(PROMPT)
        finally:
            self._asking = False

    @contextlib.contextmanager
    def _prompt_aside(self) -> Iterator[None]:
        if not self.interactive:
            yield
            return
        sys.stdout.write(ERASE_LINE)
        sys.stdout.flush()
        yield
        if self._asking:
            sys.stdout.write(PROMPT + get_line_buffer())
        sys.stdout.flush()
