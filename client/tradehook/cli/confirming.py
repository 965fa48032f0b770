"""What `order place` and `transfer` share: ask, send, hear the answer out, wait for the end."""

from __future__ import annotations

import queue
import sys
import time
from concurrent.futures import Future
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from tradehook.cli.interrupts import Interrupts, noted
from tradehook.cli.output import console, harmless, hint, say
from tradehook.errors import GuardRefused, InvalidInput, NotSent, TradehookError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rich.text import Text

    from tradehook.client import Client
    from tradehook.desk.deeds import Made

T = TypeVar("T")
MadeT = TypeVar("MadeT", bound="Made")
_POLL_SECONDS = 1.0
_QUESTION_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class How:
    """How a person wants to be dealt with."""

    asks: bool
    is_json: bool

    def tell(self, text: str, *, style: str | None = None) -> None:
        """Say something to the person, beside the result when that is for a program."""
        say(text, style=style, is_aside=self.is_json)

    def check_somebody_is_here(self, *, what: str) -> None:
        """Raises `InvalidInput` when there is a question to ask and nobody to answer it."""
        if self.asks and not sys.stdin.isatty():
            raise InvalidInput(
                f"Nobody is here to confirm: add --yes to {what} without asking.", suggestions=("--yes",)
            )

    def approve(self, question: str, *, what: str) -> None:
        """A person said yes, or had said so beforehand.

        Raises:
            InvalidInput: there is nobody to ask.
            GuardRefused: they did not.
        """
        self.check_somebody_is_here(what=what)
        if self.asks and not confirm(question):
            raise GuardRefused("Nothing was changed.", rule="approval")


def confirm(question: str) -> bool:
    """Whether the person said yes; leaving is a no."""
    try:
        return typer.confirm(question, err=True)
    except typer.Abort:
        return False


def prompt(question: str, *, default: str | None = None) -> str:
    """What the person types. Raises `GuardRefused` when they leave."""
    try:
        return str(typer.prompt(question, default=default, err=True))
    except typer.Abort:
        raise GuardRefused("Nothing was changed.", rule="approval") from None


def carry_out(
    client: Client,
    begin: Callable[[Callable[[Any, Any], bool] | None], Future[T]],
    *,
    words: Callable[[Any, Any], Sequence[str]],
    how: How,
) -> T:
    """Send it, and hear it out. Questions are asked here, on the terminal's thread.

    An interrupt stops what has not been sent, and waits for the answer to what has.

    Args:
        client: whose desk it is.
        begin: begins it at the desk, with what to ask before anything is signed.
        words: what was settled and what was made, in words for a person.
        how: whether to ask.
    """
    questions: queue.SimpleQueue[tuple[Any, Any, Future[bool]]] = queue.SimpleQueue()
    waiting: Future[bool] = Future()

    def approve(settled: Any, created: Any) -> bool:
        answer: Future[bool] = Future()
        questions.put((settled, created, answer))
        return answer.result()

    trouble: Exception | None = None
    has_stopped = False
    with noted() as interrupts:
        future = begin(approve if how.asks else None)
        while not future.done():
            try:
                if interrupts.is_asked and not has_stopped:
                    has_stopped = True
                    client.desk.stop()
                    hint("Stopping. What has not been sent stays unsent; waiting for the answer to what is on its way…")
                settled, created, waiting = questions.get(timeout=_QUESTION_SECONDS)
                waiting.set_result(
                    trouble is None and _approve(words(settled, created), how=how, interrupts=interrupts)
                )
            except queue.Empty:
                continue
            except Exception as error:  # the terminal may be gone; what was sent is heard out first
                trouble, has_stopped = error, True
                client.desk.stop()
                if not waiting.done():
                    waiting.set_result(False)
    if trouble is not None and future.exception() is not None:
        raise trouble
    try:
        return future.result()
    except NotSent as error:
        raise NotSent(f"{error.message} Nothing was sent.", exchange=error.exchange, **error.details) from None


def _approve(lines: Sequence[str], *, how: How, interrupts: Interrupts) -> bool:
    """Show what is to be signed and ask. An interrupt is a no."""
    if interrupts.is_asked:
        return False
    try:
        with interrupts.throwing():
            first, *others = lines
            how.tell(first, style="bold")
            for line in others:
                how.tell(line)
            return confirm("Sign and send it?")
    except KeyboardInterrupt:
        return False


def wait_for_end(
    made: MadeT, *, follow: Callable[[], MadeT], line: Callable[[MadeT], str], what: str, look: str, seconds: float
) -> tuple[MadeT, bool]:
    """It as last seen, and whether the waiting was interrupted. It has happened: no trouble here changes that.

    `look` is the command that shows how it goes on, its id aside.
    """
    from tradehook.render import error_line

    deadline = time.monotonic() + seconds
    try:
        with console(is_error=True).status(_bare(line(made))) as status:
            while not made.is_final and time.monotonic() < deadline:
                time.sleep(_POLL_SECONDS)
                try:
                    made = follow()
                except TradehookError as error:
                    if not error.retryable:
                        hint(f"The {what} was sent, but it cannot be watched: {error_line(error)}")
                        return made, False
                status.update(_bare(line(made)))
    except KeyboardInterrupt:
        hint(f"Not waiting any longer. The {what} was sent.")
        return made, True
    if not made.is_final:
        hint(f"Still {str(made.status).replace('_', ' ')} after {seconds:g} s: {look} {made.exchange_id}")
    return made, False


def _bare(text: str) -> Text:
    """What the exchange wrote, as text: never as markup, never as signs that a terminal obeys."""
    from rich.text import Text

    return Text(harmless(text))
