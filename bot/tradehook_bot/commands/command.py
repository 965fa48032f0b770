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
    only_tells: bool = False
    """Whether it changes nothing whatever words stand behind it, so that one that comes twice may be answered twice."""
    in_menu: bool = False
    """Whether it stands in Telegram's menu, which has room for twelve; `/help` lists all."""
    shows_holdings: bool = False
    """Whether its answer tells what is held: in a group it is given only where somebody allowed that."""
    only_in_private: bool = False
    """Whether it is about a person's own chat, and does nothing in groups."""
    needs_several: bool = False
    """Whether it is offered only where there are several accounts."""
    needs_airflow: bool = False
    """Whether it says how to set an Airflow; where one is set, it stands in the menu as far as that has room."""
    patience_seconds: float | None = 25.0
    """How long it may take; `None` where giving up half-way would leave doubt."""
