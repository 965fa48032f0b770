"""All commands in one place, and what happens to their errors. Heavy imports wait until a command runs."""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook import __version__
from tradehook.cli import (
    accounts,
    assets,
    debugging,
    destinations,
    doctor,
    freezing,
    futures,
    going_live,
    intents,
    journal,
    keys,
    limits,
    market,
    orders,
    prices,
    rebalance,
    targets,
    transfers,
)
from tradehook.cli.options import remembering
from tradehook.cli.output import BUG, INTERRUPTED, console, fail
from tradehook.errors import TradehookError

if TYPE_CHECKING:
    from types import FrameType

app = typer.Typer(
    name="tradehook",
    help="Trade on True Markets from the command line. Each order and each transfer is sent once.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.command("doctor")(doctor.doctor)
app.command("accounts")(accounts.accounts)
app.add_typer(keys.app, name="keys")
app.command("quote")(market.quote)
app.command("price")(prices.price)
app.command("balances")(market.balances)
app.add_typer(assets.app, name="assets")
app.command("orders")(orders.orders)
app.add_typer(orders.app, name="order")
app.command("transfer")(transfers.transfer)
app.command("transfers")(transfers.transfers)
app.add_typer(destinations.app, name="destinations")
app.add_typer(futures.app, name="futures")
app.command("portfolio")(transfers.portfolio)
app.command("transactions")(transfers.transactions)
app.add_typer(targets.app, name="targets")
app.add_typer(rebalance.app, name="rebalance")
app.add_typer(intents.app, name="intents")
app.add_typer(journal.app, name="journal")
app.add_typer(limits.app, name="limits")
app.command("go-live")(going_live.go_live)
app.command("freeze")(freezing.freeze)
app.command("resume")(freezing.resume)


def _show_version(value: bool) -> None:
    if value:
        typer.echo(f"tradehook {__version__}")
        raise typer.Exit


@app.callback()
@remembering
def options(
    *,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
    debug: Annotated[
        bool, typer.Option("--debug", help="Log every step on standard error, without secrets; also TRADEHOOK_DEBUG=1.")
    ] = False,
) -> None:
    """Hold what stands before the command's name."""
    debugging.start(is_asked=debug)


def _treat_sigterm_as_an_interrupt() -> None:
    """A polite stop is told apart from a kill: what is being sent is heard to its end."""

    def interrupt(_sign: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, interrupt)


def run_app(arguments: list[str] | None = None) -> None:
    """Run one command and leave with its exit code: 0, 2 typed wrong, 3 refused, 4 unknown, 5 not reachable."""
    arguments = sys.argv[1:] if arguments is None else arguments
    _treat_sigterm_as_an_interrupt()
    try:
        app(arguments, standalone_mode=True)
    except TradehookError as error:
        sys.exit(fail(error, as_json="--json" in arguments))
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipeError:
        # Whoever read our output has seen enough; keep Python from complaining about it at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except Exception as error:  # the last line of defence: a sentence instead of a traceback
        if debugging.is_on():
            debugging.show_fault(error)
            sys.exit(BUG)
        console(is_error=True).print(
            f"This is a fault in tradehook ({type(error).__name__}). What was sent is in the journal: see "
            "`tradehook intents list`. Run it with `tradehook --debug` to see where it happened, and please report it.",
            style="red",
            markup=False,
        )
        sys.exit(BUG)
    finally:
        debugging.stop()
