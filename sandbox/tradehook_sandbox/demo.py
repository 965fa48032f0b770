"""`make demo`: what tradehook does, happening before your eyes on play money. Ends with 0 only if it really happened.

Every program runs as it would for a person: a real Airflow, a real bot process, HTTP in between. What is claimed at the
end was asked from the exchange itself.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.panel import Panel
from rich.table import Table

from tradehook_sandbox.stage import Stage, StageError, interrupt_once, shares

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.driver import Person
    from tradehook_sandbox.telegram.phone.views import SeenMessage

TARGETS = {"BTC": 40.0, "ETH": 40.0, "PYUSD": 20.0}
PROBES = {"BTC": "0.01", "ETH": "0.1"}
CLOSE_ENOUGH = 1.0
"""Percent points: lots and fees keep a rebalance from ending exactly on its targets."""
_FILL_SECONDS = 40.0
_OF_FINTRUSTED = "fintrusted_orders"

console = Console(highlight=False)


def run(*, dags: Path) -> int:
    """Show everything; the exit code."""
    started = time.monotonic()
    interrupt_once()
    console.print(
        "[bold]tradehook[/]: scheduled trades in Airflow, confirmed trades in Telegram. Play money, no account.\n"
    )
    folder = Path(tempfile.mkdtemp(prefix="tradehook-demo-"))
    try:
        with Stage(folder, dags=dags) as stage:
            _open_sandbox(stage)
            _rebalance(stage)
            person = _chat(stage)
            _second_exchange(stage, person)
            _lost_answer(stage)
    except StageError as error:
        _tell_failure(error, folder)
        return 1
    except KeyboardInterrupt:
        shutil.rmtree(folder, ignore_errors=True)
        console.print("\nStopped; nothing is left running.")
        return 130
    shutil.rmtree(folder, ignore_errors=True)
    _closing(time.monotonic() - started)
    return 0


def _tell_failure(error: StageError, folder: Path) -> None:
    """The whole story first, and what matters of it last: that is where a person looks."""
    console.print(f"\n[red]The demo did not work:[/] {escape(str(error))}")
    console.print(f"Logs and journal are kept in {folder}. Delete it when you have seen enough.", soft_wrap=True)
    if error.reason:
        console.print(error.reason, style="red", markup=False)


def _heading(number: int, text: str) -> None:
    console.print(f"[bold cyan]{number}/5[/]  [bold]{text}[/]")


def _note(text: str, style: str = "dim") -> None:
    console.print(Padding(text, (0, 0, 0, 5)), style=style)


def _require(holds: bool, what: str) -> None:  # noqa: FBT001 - reads as a sentence
    if not holds:
        raise StageError(what)


def _ledger(stage: Stage, orders: str = "orders") -> int:
    """How many orders an exchange has; the books must balance to the last unit."""
    import httpx

    ledger = httpx.get(f"{stage.url}/_sandbox/ledger", timeout=10, trust_env=False).json()
    _require(ledger["balanced"] is True, "the exchange's books do not balance")
    return int(ledger[orders])


# --- the acts -----------------------------------------------------------------------------------------------------


def _open_sandbox(stage: Stage) -> None:
    _heading(1, "Two exchanges and a Telegram of your own")
    with console.status("Starting the sandbox…"):
        stage.start_sandbox()
        checks = stage.tradehook("doctor")[0]
    _require(checks["ok"] is True, "the doctor found something wrong")
    _note("The sandbox runs. `tradehook doctor` signed in with a real ES256 key and found everything in order.\n")


def _rebalance(stage: Stage) -> None:
    _heading(2, "A DAG rebalances the account")
    with console.status("Reading the portfolio…"):
        before, worth = shares(stage, PROBES)
        orders_before = _ledger(stage)
    with console.status("Making Airflow's database (once)…"):
        stage.run("airflow-db", "airflow", "db", "migrate")
    with console.status("Airflow runs dags/rebalance.py against the exchange, over HTTP…"):
        config = '{"dry_run": false, "targets": {"BTC": 40, "ETH": 40}}'
        stage.run("airflow-dag", "airflow", "dags", "test", "rebalance", "--conf", config)
        after, _ = shares(stage, PROBES)
    legs = stage.tradehook("orders", "--status", "filled")[: _ledger(stage) - orders_before]
    _require(len(legs) >= 2, f"{len(legs)} orders were placed; a sale and a purchase were due")
    table = Table(title=f"{worth:,.2f} PYUSD in all", title_style="dim", title_justify="left", box=None, pad_edge=False)
    for column, justify in (
        ("asset", "left"),
        ("target", "right"),
        ("before", "right"),
        ("after", "right"),
        ("", "left"),
    ):
        table.add_column(column, justify=justify)  # type: ignore[arg-type]
    for symbol, target in TARGETS.items():
        _require(
            abs(after[symbol] - target) <= CLOSE_ENOUGH, f"{symbol} ended at {after[symbol]:.2f} %, not {target} %"
        )
        bar = f"[cyan]{'█' * round(after[symbol] / 2)}[/]"
        table.add_row(symbol, f"{target:.0f} %", f"{before[symbol]:.1f} %", f"[bold]{after[symbol]:.1f} %[/]", bar)
    console.print(Padding(table, (0, 0, 0, 5)))
    for leg in reversed(legs):
        done = "sold" if leg["side"] == "sell" else "bought"
        price, fee = float(leg["average_price"]), float(leg["fee"])
        _note(f"{done} {leg['filled']} {leg['base']} at {price:,.2f}, fee {fee:.2f}", style="green")
    _note("Retrying or clearing the task would send nothing again: the plan and each order are in the journal.\n")


def _chat(stage: Stage) -> Person:
    from tradehook_sandbox.telegram.driver import NeverCame, Person

    _heading(3, "A chat: quote, confirm, fill")
    try:
        with console.status("Setting the bot up…"):
            link = stage.prepare_bot()
            stage.start("bot", "tradehook_bot", "run")
            token = Path(stage.environment["TELEGRAM_TOKEN_FILE"]).read_text().strip()
            person = Person(stage.url, token=token)
            person.open(link)
            person.wait_for(lambda message: message.from_bot, timeout_seconds=_FILL_SECONDS)
        orders_before = _ledger(stage)
        for text, awaited in (("/balance", "BTC"), ("/quote BTC 0.05", "BTC")):
            _ask(person, text, awaited)
        card = _ask(person, "/buy BTC 0.01", "Confirm", buttons=True)
        deed = next(button.text for button in card.pressable if "0.01" in button.text)
        _bubble("you", f"[ {deed} ]")
        person.tap(deed, card)
        # Where the person looks on, the card itself becomes the news.
        done = person.wait_for(lambda message: "Filled: " in message.text, timeout_seconds=_FILL_SECONDS)
        _bubble("bot", done.text)
        _require(_ledger(stage) - orders_before == 1, "the chat should have placed exactly one order")
        _ask(person, "/freeze", "Frozen")
        refused = stage.tradehook("order", "place", "buy", "BTC", "0.01", "--yes", fails=(3,))
        _require(refused[0].get("rule") == "frozen", "the freeze did not hold on the command line")
        _note("…and `tradehook order place` was refused at once, as a DAG would be: a freeze holds everywhere.")
        _ask(person, "/resume", "")
    except NeverCame as error:
        raise StageError(f"{error}\n{stage.tail('bot')}") from None
    console.print()
    return person


def _second_exchange(stage: Stage, person: Person) -> None:
    from tradehook_sandbox.telegram.driver import NeverCame

    _heading(4, "The same chat, another exchange")
    orders_before, others_before = _ledger(stage, _OF_FINTRUSTED), _ledger(stage)
    try:
        _ask(person, "/account trusted", "FinTrusted")
        card = _ask(person, "/buy BTC $50", "Confirm", buttons=True)
        deed = next(button.text for button in card.pressable if "50" in button.text)
        _bubble("you", f"[ {deed} ]")
        person.tap(deed, card)
        done = person.wait_for(lambda message: "Probably filled" in message.text, timeout_seconds=_FILL_SECONDS)
        _bubble("bot", done.text)
    except NeverCame as error:
        raise StageError(f"{error}\n{stage.tail('bot')}") from None
    _require(_ledger(stage, _OF_FINTRUSTED) - orders_before == 1, "FinTrusted should have exactly one order more")
    _require(_ledger(stage) == others_before, "True Markets should have no order more")
    _note("FinTrusted takes an order and tells nothing more of it. So it is never “filled”: the wallet is looked at.")
    _note("Nobody has vouched for that exchange: docs/explanation/fintrusted.md.\n")
    stage.stop("bot")


def _ask(person: Person, text: str, awaited: str, *, buttons: bool = False) -> SeenMessage:
    _bubble("you", text)
    person.say(text)
    with console.status("…"):
        answer = person.wait_for(
            lambda message: (
                (bool(message.pressable) if buttons else awaited in message.text) and not message.text.endswith("…")
            ),  # what ends so is still being worked on
            timeout_seconds=_FILL_SECONDS,
        )
    _bubble("bot", answer.text, buttons=[button.text for button in answer.pressable])
    return answer


def _bubble(who: str, text: str, *, buttons: list[str] | None = None) -> None:
    body = text + "".join(f"\n[ {button} ]" for button in buttons or [])
    indent = 30 if who == "you" else 5
    style = "blue" if who == "you" else "white"
    panel = Panel.fit(body.replace("[", r"\["), border_style=style, title=who, title_align="left")
    console.print(Padding(panel, (0, 0, 0, indent)))


def _lost_answer(stage: Stage) -> None:
    import httpx

    _heading(5, "An answer gets lost")
    orders_before = _ledger(stage)
    fault = {"method": "POST", "path": "/orders", "kind": "error_after", "status": 503, "times": 1}
    httpx.post(f"{stage.url}/_sandbox/faults", json=fault, timeout=10, trust_env=False).raise_for_status()
    words = ("order", "place", "buy", "BTC", "0.001", "--yes", "--intent-id", "demo-lost")
    with console.status("The exchange takes the order and answers 503…"):
        first = stage.tradehook(*words)[0]
        again = stage.tradehook(*words)[0]
    _require(first.get("was_found") is True, "the order whose answer was lost should be found")
    _require(again.get("is_stored") is True, "the same intent should send nothing again")
    _require(_ledger(stage) - orders_before == 1, "there should be exactly one order")
    _note("The order was placed, and the exchange answered 503. tradehook looked for it and found it in the list:")
    _note(f"order {first['order_id'][:8]}, {first['status']}. Placed again with the same intent, by mistake: the same.")
    _note("One order at the exchange, not two.\n", style="green")


def _closing(seconds: float) -> None:
    console.print(
        Panel.fit(
            "All of it happened: a real Airflow, a real bot, HTTP in between.\n"
            "The exchange's books balance to the last unit.\n\n"
            "[bold]Next[/]\n"
            "  make play                      keep it running, and try it yourself\n"
            "  TELEGRAM_TOKEN_FILE=token.txt make play\n"
            "                                 the bot on your phone, play money\n"
            "  docs/tutorials/first-order.md  the same by hand, step by step\n\n"
            "[bold]Good to know[/]\n"
            "  It never sends an order twice. When an answer is lost, it looks, and says what it saw.\n"
            "  /freeze stops everything new: chat, Airflow and command line.\n"
            "  Live trading starts off: only `tradehook go-live` turns it on, with limits.\n"
            "  Your key can move money: give it an account of its own.",
            title=f"done in {seconds:.0f} s, nothing left running",
            title_align="left",
            border_style="green",
        )
    )
