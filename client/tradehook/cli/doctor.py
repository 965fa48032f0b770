"""`tradehook doctor`: is everything in order, from the login to the journal?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import DONE, console, exit_code, hint, print_json
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tradehook.client import Client
    from tradehook.contract import Option, Spec
    from tradehook.desk.proofs import Proof

_WARN_SKEW_SECONDS = 2.0


class _Note(Exception):
    """A check that found neither good nor bad, but something that a person should know."""


@with_settings
def doctor(
    settings: Settings,
    place_test: Annotated[
        bool,
        typer.Option(
            "--place-test",
            help="Also place a small limit buy far from the market, see whether it rests, and cancel it.",
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Check login, address, clock, budget and journal, one after the other. Trades nothing by itself."""
    from tradehook import registry

    card = registry.spec(settings.exchange)
    login = "key" if card.has_key_file else "login"
    guesses = [option for option in card.options if option.is_guess and not settings.options.get(option.name)]
    findings: list[dict[str, Any]] = []
    opened: list[Client] = []
    steps: list[tuple[str, str | None, Callable[[], str]]] = [
        ("environment", None, lambda: _environment(settings, card)),
        *([("exchange", None, lambda: _note(card.warning))] if card.warning else []),
        *([("unknowns", None, lambda: _note(_undecided(guesses, card)))] if guesses else []),
        (login, None, lambda: _login(settings, opened)),
        ("sign-in", login, lambda: _sign_in(opened, login)),
        ("clock", "sign-in", lambda: _clock(opened)),
        ("balances", "sign-in", lambda: _balances(opened)),
        ("budget", "sign-in", lambda: _budget(opened)),
        ("writes", "sign-in", lambda: _writes(opened)),
        ("limits", "sign-in", lambda: _limits(opened)),
        ("journal", None, lambda: _journal(settings)),
        ("open orders", "sign-in", lambda: _open_orders(opened, is_json=as_json, tries=place_test)),
    ]
    is_well: set[str] = set()
    code = DONE
    for name, needed, check in steps:
        found = _run(name, check, settings) if needed is None or needed in is_well else _skipped(name, needed)
        if found["result"] == "ok":
            is_well.add(name)
        findings.append(found)
        ended = found.pop("exit_code")
        code = code or ended
        if not as_json:
            _print(found)
    for client in opened:
        client.close()
    if as_json:
        print_json({"ok": code == DONE, "checks": findings})
    if code:
        raise typer.Exit(code)


def _skipped(name: str, needed: str) -> dict[str, Any]:
    return {"check": name, "result": "skipped", "message": f"needs {needed}", "exit_code": DONE}


def _run(name: str, check: Callable[[], str], settings: Settings) -> dict[str, Any]:
    from tradehook.cli.advice import advise
    from tradehook.errors import GuardRefused, TradehookError
    from tradehook.render import error_line

    try:
        return {"check": name, "result": "ok", "message": check(), "exit_code": DONE}
    except _Note as note:
        return {"check": name, "result": "note", "message": str(note), "exit_code": DONE}
    except GuardRefused as error:
        # Not a fault: what is off is off on purpose, and said.
        return {"check": name, "result": "off", "message": error.message, "exit_code": DONE}
    except TradehookError as error:
        advise(error, settings)
        said = " ".join(filter(None, (error_line(error), error.details.get("advice"))))
        return {"check": name, "result": "wrong", "message": said, "exit_code": exit_code(error)}


def _print(found: dict[str, Any]) -> None:
    mark, style = {
        "ok": ("ok   ", "green"),
        "off": ("off  ", "yellow"),
        "note": ("note ", "yellow"),
        "wrong": ("WRONG", "red"),
        "skipped": ("-    ", "dim"),
    }[found["result"]]
    console().print(f"[{style}]{mark}[/]  {found['check']:<12}", end="")
    console().print(found["message"], markup=False)


def _environment(settings: Settings, card: Spec) -> str:
    return f"{settings.environment}, account {settings.account}, at {card.label}"


def _note(text: str) -> NoReturn:
    raise _Note(text)


def _undecided(guesses: Sequence[Option], card: Spec) -> str:
    """The settings with a guess for a default, and what that is; one sentence says where to decide them."""
    from tradehook.settings import prefix_of

    named = ", ".join(f"{option.name.upper()} ({option.default or 'not set'})" for option in guesses)
    return (
        f"{card.label} does not tell, and nobody decided: {named}. Set them as {prefix_of(card.name)}NAME, or in the "
        f"file of accounts; docs/reference/{card.name.replace('_', '-')}.md says what hangs on each"
    )


def _login(settings: Settings, opened: list[Client]) -> str:
    from tradehook import registry
    from tradehook.client import connect

    opened.append(connect(settings))
    return registry.describe_login(settings)


def _sign_in(opened: list[Client], login: str) -> str:
    from tradehook.run import run

    uid = run(opened[0].exchange.account_id())
    return f"{opened[0].exchange.host} accepted the {login}; account id {uid}"


def _clock(opened: list[Client]) -> str:
    session = opened[0].exchange.session
    session.check_clock()
    skew = session.skew_seconds
    if abs(skew) > _WARN_SKEW_SECONDS:
        return f"{abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the exchange; corrected for, but set it right"
    return "agrees with the exchange's"


def _balances(opened: list[Client]) -> str:
    found = opened[0].balances()
    return f"{len(found)} readable"


def _budget(opened: list[Client]) -> str:
    session = opened[0].exchange.session
    left = session.budget.left(now=session.line.monotonic())
    return f"{left} of {session.budget.requests} requests left in this minute, as far as this process knows"


def _writes(opened: list[Client]) -> str:
    from tradehook.desk import guard, keeping, trading
    from tradehook.desk.schema import reading
    from tradehook.run import run

    desk = opened[0].desk
    run(guard.check(opened[0].exchange, limits=desk.journal.limits))
    account_id = run(opened[0].exchange.account_id())
    with reading(desk.journal.engine) as connection:
        keeping.check_may_send(connection)
        trading.check(connection, host=desk.exchange.host, account_id=account_id, reduces=False)
    return "orders can be placed here"


def _limits(opened: list[Client]) -> str:
    from tradehook.cli.limits import Whose
    from tradehook.desk.limit_changes import amount

    held = Whose.of(opened[0]).newest
    if held is None:
        return "none are set: tradehook limits set, or for a live account tradehook go-live"
    order, day = (amount(value) for value in (held.limits.order, held.limits.day))
    return f"version {held.version}: {order} an order, {day} a day; tradehook limits shows all and what is used"


def _open_orders(opened: list[Client], *, is_json: bool, tries: bool) -> str:
    """Whether the list of orders shows open ones, or limit orders rest where there is none; proved, or said not to be.

    Nothing relies on what was not proved.
    """
    from tradehook.desk.proofs import LIMITS_REST, LISTS_OPEN_ORDERS
    from tradehook.run import run

    client = opened[0]
    if tries:
        from tradehook.cli.place_test import place_test

        return place_test(client, tell=lambda text: None if is_json else hint(f"       {text}…"))
    account_id = run(client.exchange.account_id())
    cannot = client.exchange.spec.capabilities.cannot.get("orders")
    name = LIMITS_REST if cannot else LISTS_OPEN_ORDERS
    found = client.desk.journal.proofs.get(client.exchange.host, account_id, name)
    if cannot:
        _note(f"{cannot} tradehook concludes from the wallet, and never says filled. {_rests(found)}")
    if found is None:
        return "not proved whether the list shows them, so nothing relies on it; --place-test finds out"
    shows = "the list shows them" if found.is_true else "the list does not show them"
    return f"{shows}; proved {found.proved_at:%Y-%m-%d %H:%M} UTC: {found.detail}"


def _rests(found: Proof | None) -> str:
    if found is None:
        return "Not proved whether a limit order rests; --place-test finds out"
    rests = "A limit order rests" if found.is_true else "A limit order did NOT rest"
    return f"{rests}; seen {found.proved_at:%Y-%m-%d %H:%M} UTC: {found.detail}"


def _journal(settings: Settings) -> str:
    from tradehook.desk import keeping
    from tradehook.desk.intents import State
    from tradehook.desk.journal import Journal
    from tradehook.desk.schema import reading, shown
    from tradehook.errors import ConfigurationError, GuardRefused

    with Journal.open(settings.journal_url) as journal:
        try:
            with reading(journal.engine) as connection:
                keeping.check_may_send(connection)
        except GuardRefused as error:
            # Unlike a freeze, nobody wanted that.
            raise ConfigurationError(error.message) from None
        unknown = len(journal.list(states=[State.UNKNOWN], limit=1000))
        state = journal.trading_state()["state"]
    trading = {"NORMAL": "not frozen", "REDUCING": "sells into money only"}.get(state, "frozen")
    doubts = f"{unknown} in doubt: tradehook intents list --state UNKNOWN" if unknown else "nothing in doubt"
    return f"{shown(journal.engine)}; {trading}; {doubts}"
