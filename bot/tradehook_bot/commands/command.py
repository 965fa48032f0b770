"""What a command is: a name, what it does in a line, how it is written, and the function that does it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook_bot.context import Ask


@dataclass(frozen=True, slots=True)
class Command:
    """One command."""

    name: str
    summary: str
    """For the menu: at most a line."""
    examples: tuple[str, ...]
    run: Callable[[Ask], Awaitable[None]]
    moves_money: bool = False
    """Whether one that arrives late is answered instead of obeyed."""
    needs_several: bool = False
    """Whether it is offered only where there are several accounts."""
    patience_seconds: float | None = 25.0
    """How long it may take; `None` where giving up half-way would leave doubt."""
