"""The `tradehook-sandbox` command. What is heavy is imported when a command runs, so `--help` is quick."""

from __future__ import annotations

import ipaddress
import socket
import sys
from pathlib import Path
from typing import Annotated

import typer

from tradehook_sandbox.fintrusted.rules import FinTrustedRules
from tradehook_sandbox.flags import with_rules
from tradehook_sandbox.true_markets.rules import Rules

DEFAULT_PORT = 8787
DEFAULT_URL = f"http://127.0.0.1:{DEFAULT_PORT}"
DEFAULT_KEY_FILE = Path("~/.config/tradehook/true_markets.json")

app = typer.Typer(
    name="tradehook-sandbox",
    help="An exchange with play money and a stand-in for Telegram, on your own machine. No account, no network.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    add_completion=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.command()
@with_rules
def serve(
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65_535, help="Where to listen; 0 takes a free port.", show_default=True)
    ] = DEFAULT_PORT,
    key_file: Annotated[
        Path,
        typer.Option(
            help="Your API key. A new one is written when the file is not there; an existing one is registered and "
            "never changed.",
            envvar="TRADEHOOK_TRUE_MARKETS_KEY_FILE",
        ),
    ] = DEFAULT_KEY_FILE,
    seed: Annotated[
        int, typer.Option(help="Prices, liquidity and delays follow from it: the same seed, the same market.")
    ] = 1,
    state: Annotated[
        Path | None,
        typer.Option(
            help="A file that keeps accounts, orders, clock and faults across restarts. Without it, all is new."
        ),
    ] = None,
    host: Annotated[
        str, typer.Option(help="The address to listen on. Others than your own machine's get a warning.")
    ] = ("127.0.0.1"),
    rules: Rules,
    fintrusted: FinTrustedRules,
) -> None:
    """Serve both exchanges until they are stopped with Ctrl-C or SIGTERM.

    Prints `ready http://HOST:PORT` once it listens. The default account holds 10,000 PYUSD, 0.5 BTC and 5 ETH on the
    exchange, 1,000 USDC and 20 SOL on Solana, 1,000 USDC and 0.05 CBBTC on Base. FinTrusted's demo@example.com, with
    the password demo, holds 100,000 USDT and 1 BTC. Prices, clock, balances, faults and the books can be read and
    changed under /_sandbox/.
    """
    listener = _listen(host, port)
    from tradehook_sandbox.clock import Clock
    from tradehook_sandbox.key_files import KeyFileError, provide
    from tradehook_sandbox.sandbox import Sandbox
    from tradehook_sandbox.server import serve as serve_sandbox
    from tradehook_sandbox.state import StateError

    try:
        sandbox = Sandbox(
            seed=seed,
            clock=Clock(),
            rules=rules,
            fintrusted=fintrusted,
            state=state.expanduser() if state else None,
        )
        if provide(key_file, sandbox):
            typer.echo(f"A new key was written to {key_file}. It opens play money only.", err=True)
    except (KeyFileError, StateError) as error:
        raise _failure(str(error), code=2) from None
    number = listener.getsockname()[1]
    with listener:
        serve_sandbox(sandbox, listener, url=f"http://{f'[{host}]' if ':' in host else host}:{number}")
    sandbox.close()


@app.command()
def chat(
    *,
    url: Annotated[
        str, typer.Option(help="The sandbox, as its `ready` line prints it.", envvar="TRADEHOOK_TELEGRAM_URL")
    ] = DEFAULT_URL,
    user: Annotated[str, typer.Option(help="Who you are; the same name is the same person every time.")] = "you",
    bot: Annotated[
        str | None, typer.Option(help="Which bot, by token, id or username, when the sandbox knows more than one.")
    ] = None,
) -> None:
    """Talk to your bot in this terminal: type, read its replies, press its numbered buttons."""
    from tradehook_sandbox.telegram.chat import main as chat_main

    raise typer.Exit(chat_main(url=url, user=user, bot=bot))


Dags = Annotated[Path, typer.Option(help="The folder of DAGs.", exists=True, file_okay=False)]


@app.command()
def demo(*, dags: Dags = Path("dags")) -> None:
    """Show everything at work: a rebalance in Airflow, a trade in chat, a lost answer. Leaves nothing running."""
    from tradehook_sandbox.demo import run

    raise typer.Exit(run(dags=dags))


@app.command()
def play(*, dags: Dags = Path("dags")) -> None:
    """Keep sandbox, bot and Airflow running until Ctrl-C, and say what to open and type."""
    from tradehook_sandbox.play import run

    raise typer.Exit(run(dags=dags))


def _listen(host: str, port: int) -> socket.socket:
    """A socket bound to the address; one that others can reach is warned about."""
    if not _is_loopback(host):
        typer.echo(
            f"Warning: {host} can be reached from other machines. Whoever reaches it can trade the play money and use "
            "/_sandbox/ without a key.",
            err=True,
        )
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen()
    except OSError as error:
        raise _failure(
            f"{host}:{port} cannot be listened on: {error.strerror}. Perhaps a sandbox runs there already: use that "
            "one, or take another port with --port (0 for a free one).",
            code=1,
        ) from None
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _failure(message: str, *, code: int) -> typer.Exit:
    typer.echo(message, err=True)
    return typer.Exit(code)


def main() -> None:
    """Run the command line; the console entry point."""
    try:
        app()
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.startswith("tradehook"):
            raise
        typer.echo(f"The sandbox needs {missing.name}. Install it: pip install 'tradehook[sandbox]'", err=True)
        sys.exit(2)


if __name__ == "__main__":
    main()
