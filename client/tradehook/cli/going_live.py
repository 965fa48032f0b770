"""`tradehook go-live`: step by step to an account that real orders are sent from; only this lifts the live switch."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook.cli.confirming import prompt
from tradehook.cli.limits import Whose
from tradehook.cli.options import Json, with_settings_of_one
from tradehook.cli.output import hint, print_json, say
from tradehook.cli.person import who
from tradehook.desk.limit_changes import amount, changes, made_of, read
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tradehook.client import Client
    from tradehook.contract import Spec
    from tradehook.desk.assets import AllowedAsset
    from tradehook.desk.limits import Limits
    from tradehook.models import Asset

DEFAULTS = {"order": "50", "day": "200"}
ASSETS = ("BTC", "ETH")
_TRIES = 3
_WARN_SKEW_SECONDS = 2.0


@with_settings_of_one
def go_live(
    settings: Settings,
    undo: Annotated[bool, typer.Option("--undo", help="Turn live trading off again. Needs nobody to confirm.")] = False,
    as_json: Json = False,
) -> None:
    """Let orders be sent to a live exchange, step by step, within limits that you choose.

    Checks login and clock, shows the balances, asks for the limits and the assets, and for the account's name at last.
    Until then nothing is changed. It wants a person at a terminal.
    """
    from tradehook.client import connect
    from tradehook.desk import guard

    if not undo and not sys.stdin.isatty():
        raise GuardRefused(
            "Going live wants a person at a terminal, so nothing was changed. Type `tradehook go-live` there.",
            rule="approval",
        )
    with connect(settings) as client:
        if not guard.is_live(client.exchange):
            raise InvalidInput(
                f"{settings.account} is a {settings.environment} account at {client.exchange.host}: there is nothing "
                "to turn on. Choose a live one with --account NAME, or set TRADEHOOK_ENVIRONMENT=live."
            )
        made = _undo(client) if undo else _steps(client, settings)
        card = client.exchange.spec
    if as_json:
        print_json({"account": settings.account, **made})
        return
    _tell(settings, made, card, undo=undo)


def _tell(settings: Settings, made: dict[str, Any], card: Spec, *, undo: bool) -> None:
    if undo:
        was = "is off" if made["version"] else "was never on"
        say(f"Live trading {was} for {settings.account}: it can be read, and orders can be canceled.", style="bold")
        return
    say(f"{settings.account} is live. Version {made['version']} of its limits holds.", style="bold")
    hint("What it may do: tradehook limits show. To stop: tradehook freeze. To turn it off: tradehook go-live --undo.")
    if card.warning:
        hint(f"What else {card.label} wants before its first order: docs/reference/{card.name.replace('_', '-')}.md")
    proves = "the exchange lists open orders" if card.capabilities.can("orders") else "a limit order rests"
    hint(f"Whether {proves} is proved by one small order: tradehook doctor --place-test")


def _undo(client: Client) -> dict[str, Any]:
    whose = Whose.of(client, is_setting=True)
    if whose.version == 0:
        return {"version": 0, "limits": None}
    before = whose.newest.limits if whose.newest is not None else made_of(_no_limits(), {})
    made = client.desk.journal.limits.set(
        whose.host, whose.account_id, made_of(before, {"live": False}), by=who(), why="go-live --undo"
    )
    return made.to_dict()


def _steps(client: Client, settings: Settings) -> dict[str, Any]:
    """Everything that is looked at and asked, and only then what is written."""
    from tradehook import registry
    from tradehook.desk.trading import EVERYWHERE, TradingState, scope_of

    host, card = client.exchange.host, client.exchange.spec
    _step(1, "environment", f"{settings.environment}, account {settings.account}, {host}. This is real money.")
    if card.warning:
        _say(f"     {card.warning}")
    _step(2, "key" if card.has_key_file else "login", registry.describe_login(settings))
    whose = Whose.of(client, is_setting=True)
    _step(3, "clock", _clock(client))
    _step(4, "balances", f"of account id {whose.account_id}")
    _show_balances(client)
    before = whose.newest.limits if whose.newest is not None else None
    _step(5, "limits", "in US dollars; Enter takes what is in brackets")
    allowed = client.desk.journal.assets.list(host)
    after, wanted = _choose(client, before, allowed)
    _step(6, "confirm", "what will hold:")
    for line in changes(None, after):
        _say(f"     {line}")
    if after.transfer is None:
        _say("     one transfer: none are sent")
    symbols = [*(entry.symbol for entry in allowed), *(asset.symbol for asset in wanted)]
    _say(f"     assets: {', '.join(dict.fromkeys(symbols))}")
    for entry in allowed:
        if entry.chain is not None or entry.symbol not in {asset.symbol for asset in wanted}:
            on = f" --chain {entry.chain}" if entry.chain else ""
            _say(f"     {entry.symbol} stays allowed: `tradehook assets remove {entry.symbol}{on}` takes it away")
    _type_the_name(settings.account)
    for asset in wanted:
        client.desk.journal.assets.allow(host, asset.symbol, by=who())
    made = client.desk.journal.limits.set(
        whose.host, whose.account_id, after, by=who(), why="go-live", after=whose.version
    )
    for scope, lifts in ((EVERYWHERE, "resume"), (scope_of(host, whose.account_id), "resume --account-only")):
        state = client.desk.journal.trading.get(scope)["state"]
        if state != TradingState.NORMAL:
            _say(f"Trading is {state} still: `tradehook {lifts}` lifts that.")
    return {**made.to_dict(), "assets": [entry.to_dict() for entry in client.desk.journal.assets.list(host)]}


def _step(number: int, name: str, says: str) -> None:
    _say(f"{number}. {name:<12}{says}")


def _say(text: str) -> None:
    say(text, is_aside=True)


def _clock(client: Client) -> str:
    session = client.exchange.session
    session.check_clock()
    skew = abs(session.skew_seconds)
    if skew > _WARN_SKEW_SECONDS:
        return f"{skew:.0f} s off; corrected for, but set it right"
    return "agrees with the exchange's"


def _show_balances(client: Client) -> None:
    from tradehook.render import bare_quantity

    for row in client.balances():
        _say(f"     {row.symbol:<8}{row.chain or 'exchange':<10}{bare_quantity(row.total, row.symbol)}")


def _choose(client: Client, before: Limits | None, allowed: Sequence[AllowedAsset]) -> tuple[Limits, list[Asset]]:
    from tradehook.cli.assets import find

    catalogue = list(client.list_assets())
    chosen: dict[str, Any] = {"live": True}
    for name, question in (("order", "One order at most"), ("day", "All orders of a day at most")):
        held = getattr(before, name) if before is not None else None
        chosen[name] = _ask(
            f"   {question}", default=amount(held) if held is not None else DEFAULTS[name], reading=_money(name)
        )
    chosen["transfer"] = None
    if client.exchange.spec.capabilities.can("transfers"):
        held = before.transfer if before is not None else None
        chosen["transfer"] = _ask(
            "   One transfer at most (none: no transfers)",
            default=amount(held),
            reading=lambda text: read("transfer", text),
        )
    quote = client.exchange.spec.capabilities.default_quote

    def assets(text: str) -> list[Asset]:
        symbols = [word.strip().upper() for word in text.split(",") if word.strip()]
        if not symbols:
            raise InvalidInput("Write at least one asset, like BTC.")
        return [find(catalogue, symbol, chain=None) for symbol in dict.fromkeys([*symbols, quote])]

    # Enter never allows more: what is allowed already is offered, where anything is.
    here = [entry.symbol for entry in allowed if entry.chain is None and entry.symbol != quote]
    offered = (here or [quote]) if allowed else ASSETS
    wanted = _ask(
        f"   Assets that may be traded, by comma ({quote} with them)", default=",".join(offered), reading=assets
    )
    return made_of(before or _no_limits(), chosen), wanted


def _money(name: str) -> Callable[[str], Any]:
    def money(text: str) -> Any:
        value = read(name, text)
        if value is None:
            raise InvalidInput("A live account has a limit here: write how much, like 50.")
        return value

    return money


def _no_limits() -> Limits:
    from tradehook.desk.limits import Limits

    return Limits()


def _ask(question: str, *, default: str, reading: Callable[[str], Any]) -> Any:
    """An answer that can be read; asked again a few times, then nothing was changed."""
    for _ in range(_TRIES - 1):
        try:
            return reading(prompt(question, default=default))
        except InvalidInput as error:
            _say(f"   {error.message}")
    return reading(prompt(question, default=default))


def _type_the_name(account: str) -> None:
    typed = prompt(f"   Type the account's name ({account}) to go live")
    if typed.strip() != account:
        raise GuardRefused(f"That is not {account}. Nothing was changed.", rule="approval")
