"""`make play`: sandbox, Airflow and bot keep running until Ctrl-C. What is in `.play` stays for the next time."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
import webbrowser
from pathlib import Path
from urllib.parse import quote

from rich.console import Console

from tradehook_sandbox.page.serving import PATH as PAGE
from tradehook_sandbox.stage import Stage, StageError, free_port, interrupt_once

AIRFLOW_SECONDS = 120.0
FOLDER = Path(".play")
SANDBOX_PORT, AIRFLOW_PORT = 8787, 8080

console = Console(highlight=False)


def run(*, dags: Path) -> int:
    """Keep everything running until told to stop; the exit code."""
    interrupt_once()
    phone = os.environ.get("TELEGRAM_TOKEN_FILE")
    try:
        with Stage(FOLDER.resolve(), dags=dags) as stage:
            stage.claim()
            try:
                _start(stage, phone=Path(phone).expanduser().resolve() if phone else None)
                while True:
                    stage.check_alive()
                    time.sleep(1.0)
            except KeyboardInterrupt:
                console.print("\nStopping…")
    except StageError as error:
        console.print(f"[red]It does not run:[/] {error}")
        return 1
    console.print("Nothing is left running. Accounts and history are kept in .play; delete that folder to forget them.")
    return 0


def _start(stage: Stage, *, phone: Path | None) -> None:
    with console.status("Starting the sandbox…"):
        stage.start_sandbox(port=_sandbox_port(stage.folder), state=stage.folder / "sandbox.db")
    with console.status("Starting the bot…"):
        if phone is None:
            link = stage.prepare_bot()
        else:
            stage.environment["TELEGRAM_TOKEN_FILE"] = str(phone)
            link = stage.invite()
        stage.start("bot", "tradehook_bot", "run")
    with console.status("Starting Airflow (half a minute)…"):
        port = _port(AIRFLOW_PORT)
        stage.environment |= {
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        }
        stage.start("airflow", "airflow", "standalone")
        stage.wait_for_port("airflow", port, seconds=AIRFLOW_SECONDS)
    page = _page(stage.url, link=link, is_on_phone=phone is not None)
    _tell(stage, page=page, airflow=f"http://127.0.0.1:{port}", link=link, is_on_phone=phone is not None)
    _open(page)


def _page(url: str, *, link: str, is_on_phone: bool) -> str:
    """The page's address; where the chat is on it, the invitation stands in its message box, to be sent by a person."""
    wish = "exchange" if is_on_phone else f"say={quote('/start ' + link.partition('start=')[2])}"
    return f"{url}{PAGE}#{wish}"


def _open(page: str) -> None:
    """The page is open, where there is a display to show it on; whatever goes wrong with that goes unsaid."""

    def try_it() -> None:
        with contextlib.suppress(Exception):
            webbrowser.open(page)

    if sys.platform == "darwin" or os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"):
        threading.Thread(target=try_it, name="browser", daemon=True).start()


def _sandbox_port(folder: Path) -> int:
    """The port of the exchange, the same each time: orders and limits of before belong to its address.

    Raises:
        StageError: something else has it.
    """
    kept, was_here = folder / "port", (folder / "sandbox.db").exists()
    wanted = int(kept.read_text()) if kept.exists() else SANDBOX_PORT
    port = _port(wanted)
    if port != wanted and (was_here or kept.exists()):
        raise StageError(
            f"something else has port {wanted}, and what you did here before belongs to it. Stop that (perhaps a "
            f"`tradehook-sandbox serve`), then try again; or delete {folder.name} to begin anew."
        )
    folder.mkdir(parents=True, exist_ok=True)
    kept.write_text(str(port))
    return port


def _port(wanted: int) -> int:
    """The usual port, or a free one when something else has it."""
    import socket

    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError:
            return free_port()
    return wanted


def _tell(stage: Stage, *, page: str, airflow: str, link: str, is_on_phone: bool) -> None:
    names = (
        "TRADEHOOK_TRUE_MARKETS_URL",
        "TRADEHOOK_TRUE_MARKETS_KEY_FILE",
        "TRADEHOOK_FINTRUSTED_URL",
        "TRADEHOOK_JOURNAL_URL",
    )
    exports = "\n".join(f"    export {name}={stage.environment[name]}" for name in names)
    if is_on_phone:
        chat = f"Open on your phone within ten minutes, to become the bot's owner:\n    {link}"
    else:
        chat = (
            "On that page: press Send, which makes you the bot's owner. Or in a second terminal, in this folder:\n"
            f"    .venv/bin/tradehook-sandbox chat --url {stage.url}\n"
            f"  and type once:  /start {link.partition('start=')[2]}"
        )
    console.rule("[green]running, on play money", align="left")
    # Plain lines, not a frame: paths and commands are copied from here, so they must stand whole.
    console.print(
        f"[bold]Page[/]  {page}\n"
        "  the chat beside the exchange: orders, balances, books, prices to move, faults to switch on\n\n"
        f"[bold]Chat[/]  {chat}\n"
        "  then: /balance   /quote BTC 0.05   /buy BTC $100   /orders   /freeze   /help\n"
        "  and on the second exchange: /account trusted   /buy BTC $50\n\n"
        f"[bold]Airflow[/]  {airflow}  (no password)\n"
        "  DAG [bold]rebalance[/]: press Trigger and turn “dry run” off;\n"
        "  the log of its report task shows before and after\n\n"
        "[bold]Command line[/]  in a second terminal, in this folder:\n"
        f"{exports}\n"
        "    .venv/bin/tradehook doctor\n"
        "    .venv/bin/tradehook doctor --exchange fintrusted\n\n"
        f"[bold]Logs[/]  {stage.folder}/*.log\n"
        "[bold]Stop[/]  Ctrl-C",
        soft_wrap=True,
    )
