"""What the command line prints: tables and sentences for people, JSON for programs, errors for both."""

from __future__ import annotations

import json
import re
import sys
from typing import TYPE_CHECKING, Any

from tradehook import errors
from tradehook.cli.advice import for_shell
from tradehook.render import error_line

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.console import Console
    from rich.table import Table

    from tradehook.errors import TradehookError

DONE, BUG, USAGE, REFUSED, UNKNOWN, UNREACHABLE = 0, 1, 2, 3, 4, 5
INTERRUPTED = 130
_ANY_WIDTH = 10_000
_STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")

_EXIT_CODES: tuple[tuple[type[TradehookError], int], ...] = (
    (errors.OutcomeUnknown, UNKNOWN),
    (errors.ConfigurationError, USAGE),
    (errors.InvalidInput, USAGE),
    (errors.IntentConflict, USAGE),
    (errors.Interrupted, REFUSED),
    (errors.JournalUnavailable, UNREACHABLE),
    (errors.NetworkError, UNREACHABLE),
    (errors.RateLimited, UNREACHABLE),
    (errors.Unavailable, UNREACHABLE),
    (errors.UnexpectedResponse, UNREACHABLE),
    (errors.TradehookError, REFUSED),
)


def exit_code(error: TradehookError) -> int:
    """2 what was typed, 3 refused or rejected, 4 outcome unknown, 5 not reachable."""
    return next(code for kind, code in _EXIT_CODES if isinstance(error, kind))


def console(*, is_error: bool = False) -> Console:
    """Where people read; plain when it is not a terminal."""
    from rich.console import Console

    stream = sys.stderr if is_error else sys.stdout
    # A pipe has no width: whoever reads it wants whole lines.
    return Console(stderr=is_error, highlight=False, width=None if stream.isatty() else 400)


def harmless(text: str) -> str:
    """The text without signs that steer a terminal: names and words of an exchange end up in it."""
    return _STEERING.sub("", text)


def say(text: str, *, style: str | None = None, is_aside: bool = False) -> None:
    """Print a sentence; an aside goes beside the result, where it does not disturb what programs read."""
    console(is_error=is_aside).print(harmless(text), style=style, markup=False)


def hint(text: str) -> None:
    """Print something worth knowing beside the result."""
    say(text, style="dim", is_aside=True)


def print_json(value: Any) -> None:
    """Print one object on one line."""
    # What was typed may be no UTF-8; as an escape, half a character is JSON all the same.
    text = json.dumps(value, ensure_ascii=False).encode(errors="backslashreplace").decode()
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def print_rows(rows: Iterable[dict[str, Any]]) -> None:
    """Print one object a line, as they come."""
    for row in rows:
        print_json(row)


def table(
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    *,
    numbers: Sequence[int] = (),
    whole: int | None = None,
) -> None:
    """Print a table; the columns in `numbers` stand to the right.

    The cells of the column `whole` are addresses, which are never broken in two: where the table is too wide for the
    terminal, each stands on a line of its own below its row.
    """
    screen = console()
    shown = grid(title, columns, rows, numbers=numbers)
    wanted = screen.measure(shown, options=screen.options.update(width=_ANY_WIDTH)).maximum
    if not rows:
        screen.print(f"{title}: none")
    elif whole is None or wanted <= screen.width:
        screen.print(shown)
    else:
        _print_in_two_lines(screen, title, columns, rows, whole=whole)


def _print_in_two_lines(
    screen: Console, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, whole: int
) -> None:
    """Each row without the column `whole`, and the cell of that below it."""
    others = [[harmless(cell) for place, cell in enumerate(row) if place != whole] for row in (columns, *rows)]
    widths = [max(map(len, column)) for column in zip(*others, strict=True)]
    below = ("", *(harmless(row[whole]) for row in rows))
    lines = [title]
    for cells, address in zip(others, below, strict=True):
        lines.append("  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip())
        lines += [f"  {address}"] if address else []
    for line in lines:
        screen.print(harmless(line), markup=False, soft_wrap=True)


def grid(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, numbers: Sequence[int] = ()) -> Table:
    """The table itself, for what is drawn more than once."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    shown = Table(
        title=Text(harmless(title)), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for index, column in enumerate(columns):
        shown.add_column(column, justify="right" if index in numbers else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(harmless(cell)) for cell in row))
    return shown


def fail(error: TradehookError, *, as_json: bool) -> int:
    """Tell of an error, and return the exit code."""
    if as_json:
        details = {name: value for name, value in error.details.items() if value not in (None, (), "")}
        print_json({"error": type(error).__name__, "message": error.message, **details})
    colour = "yellow" if exit_code(error) == UNKNOWN else "red"
    console(is_error=True).print(for_shell(error_line(error)), style=colour, markup=False)
    suggestions = error.details.get("suggestions")
    if suggestions:
        hint(for_shell(f"Try: {', '.join(suggestions)}"))
    if advice := error.details.get("advice"):
        hint(advice)
    return exit_code(error)
