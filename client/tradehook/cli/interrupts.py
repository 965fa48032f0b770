"""Interrupts that are noted, not thrown, while something is being sent: impatience must not cut off its answer."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_SIGNS = (signal.SIGINT, signal.SIGTERM)


class Interrupts:
    """Whether somebody wants to stop; `throws` while a question is on the terminal, which only that can end."""

    def __init__(self) -> None:
        self.is_asked = False
        self.throws = False

    def note(self, _sign: int, _frame: FrameType | None) -> None:
        """Take one in. However many come, and wherever: outside a question none of them breaks into the code.

        Raises:
            KeyboardInterrupt: a question is on the terminal.
        """
        self.is_asked = True
        if self.throws:
            raise KeyboardInterrupt

    @contextmanager
    def throwing(self) -> Iterator[None]:
        """While a question is on the terminal."""
        self.throws = True
        try:
            yield
        finally:
            self.throws = False


@contextmanager
def noted() -> Iterator[Interrupts]:
    """Interrupts, noted until the block ends. A sign that this process was started to ignore stays ignored."""
    interrupts = Interrupts()
    before = {}
    if threading.current_thread() is threading.main_thread():
        for sign in _SIGNS:
            if signal.getsignal(sign) is not signal.SIG_IGN:
                before[sign] = signal.signal(sign, interrupts.note)
    try:
        yield interrupts
    finally:
        for sign, handler in before.items():
            signal.signal(sign, handler)
