"""`tradehook assets`: what the exchange has, and which of it may be traded, each by where it stands and its address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli import completing
from tradehook.cli.confirming import How, confirm
from tradehook.cli.options import Json, with_settings, with_settings_of_one
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.cli.person import who
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.assets import AllowedAsset
    from tradehook.models import Asset

app = typer.Typer(
    help="What can be held and traded, and which of it may be. Alone, lists what the exchange has.",
    invoke_without_command=True,
    rich_markup_mode=None,
)

_Symbol = Annotated[str, typer.Argument(help="What it is called: BTC, USDC.")]
_Chain = Annotated[
    str | None,
    typer.Option(help="The chain it stands on; without it, at the exchange.", autocompletion=completing.chains),
]
_Address = Annotated[str | None, typer.Option(help="Its address there, when several have the name.", metavar="ADDRESS")]


@app.callback()
@with_settings
def assets(
    settings: Settings,
    context: typer.Context,
    venue: Annotated[str | None, typer.Option(help="cefi (at the exchange) or defi (on a chain).")] = None,
    as_json: Json = False,
) -> None:
    """What can be held and traded, and where. What may be traded: `tradehook assets list`."""
    if context.invoked_subcommand is not None:
        return
    from tradehook.client import connect

    with connect(settings) as client:
        found = list(client.list_assets(venue=venue))
    if as_json:
        print_rows(row.to_dict() for row in found)
        return
    table(
        "Assets",
        ("symbol", "name", "where", "traded", "address"),
        [
            (
                row.symbol,
                row.name or "",
                row.chain or "exchange",
                "yes" if row.is_tradeable else "no",
                row.address or "",
            )
            for row in found
        ],
        whole=4,
    )


@app.command("list")
@with_settings
def list_allowed(settings: Settings, as_json: Json = False) -> None:
    """Which assets may be traded. Needs no network and no key."""
    from tradehook import registry
    from tradehook.desk.journal import Journal

    host = registry.host(settings)
    with Journal.open(settings.journal_url) as journal:
        found = journal.assets.list(host)
    if as_json:
        print_rows(entry.to_dict() for entry in found)
        return
    if not found:
        _tell_empty(settings, host)
        return
    table(
        f"Assets that may be traded, {settings.environment} ({host})",
        ("symbol", "where", "address", "allowed (UTC)", "by"),
        [
            (
                entry.symbol,
                entry.chain or "exchange",
                entry.address or "",
                f"{entry.allowed_at:%Y-%m-%d %H:%M}",
                entry.allowed_by,
            )
            for entry in found
        ],
        whole=2,
    )


@app.command("allow")
@with_settings_of_one
def allow(
    settings: Settings,
    symbol: _Symbol,
    chain: _Chain = None,
    address: _Address = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    as_json: Json = False,
) -> None:
    """Let an asset be traded. It is looked up at the exchange, and shown with its whole address before it is allowed.

    From the first one on, only what is on the list is traded, in the sandbox too.
    """
    from tradehook.amounts import parse_symbol
    from tradehook.client import connect

    how = How(asks=not yes, is_json=as_json)
    how.check_somebody_is_here(what="allow the asset")
    symbol = parse_symbol(symbol)
    with connect(settings) as client:
        found = find(list(client.list_assets()), symbol, chain=chain.lower() if chain else None, address=address)
        how.tell(f"{found.symbol}{f' ({found.name})' if found.name else ''} {place(found)}", style="bold")
        if found.chain is not None:
            how.tell("Anybody may call a coin so. Compare the address with its issuer's own page.")
        if how.asks and not confirm("May it be traded?"):
            raise GuardRefused("Nothing was allowed.", rule="approval")
        made = client.desk.journal.assets.allow(
            client.exchange.host, symbol, by=who(), chain=found.chain, address=found.address if found.chain else None
        )
    if as_json:
        print_json(made.to_dict())
        return
    say(f"{place_of(made)} may be traded.")


@app.command("remove")
@with_settings_of_one
def remove(
    settings: Settings, symbol: _Symbol, chain: _Chain = None, address: _Address = None, as_json: Json = False
) -> None:
    """Take an asset off the list. Needs no network and no key."""
    from tradehook import registry
    from tradehook.desk.journal import Journal

    host = registry.host(settings)
    with Journal.open(settings.journal_url) as journal:
        gone = journal.assets.remove(host, symbol, by=who(), chain=chain.lower() if chain else None, address=address)
        is_last = not journal.assets.list(host)
    if as_json:
        print_json(gone.to_dict())
        return
    say(f"{place_of(gone)} is off the list.")
    if is_last:
        _tell_empty(settings, host)


def find(catalogue: Sequence[Asset], symbol: str, *, chain: str | None, address: str | None = None) -> Asset:
    """The one asset of the exchange's that is meant.

    Raises:
        InvalidInput: there is none of that name there, or there are several; says what to type.
    """
    named = [asset for asset in catalogue if asset.symbol.upper() == symbol]
    there = [asset for asset in named if asset.chain == chain]
    if address is not None:
        there = [asset for asset in there if asset.address is not None and _same(asset.address, address)]
    if len(there) == 1:
        return there[0]
    where = f"on {chain}" if chain else "at the exchange"
    if there:
        raise InvalidInput(
            f"{len(there)} assets {where} are called {symbol}: add --address with one of "
            f"{', '.join(asset.address or '' for asset in there)}.",
            suggestions=tuple(f"--address {asset.address}" for asset in there if asset.address),
        )
    if address is not None:
        raise InvalidInput(f"The exchange has no {symbol} {where} with that address. `tradehook assets` shows all.")
    elsewhere = [asset.chain for asset in named if asset.chain is not None]
    raise InvalidInput(
        f"The exchange has no {symbol} {where}. `tradehook assets` shows what it has.",
        suggestions=tuple(f"tradehook assets allow {symbol} --chain {name}" for name in dict.fromkeys(elsewhere)),
    )


def place(asset: Asset) -> str:
    """Where it stands, with its whole address."""
    return f"on {asset.chain}, {asset.address}" if asset.chain else "at the exchange"


def place_of(asset: AllowedAsset) -> str:
    """An allowed asset with where it stands."""
    return f"{asset.symbol} {f'on {asset.chain}, {asset.address},' if asset.chain else 'at the exchange'}"


def _same(one: str, other: str) -> bool:
    return one.lower() == other.lower() if one.startswith("0x") else one == other


def _tell_empty(settings: Settings, host: str) -> None:
    says = "nothing" if settings.is_live else "everything"
    say(f"Nothing is on the list of {host}, so {says} may be traded ({settings.environment}).")
    hint("Put one on it: tradehook assets allow BTC, or tradehook assets allow USDC --chain base")
