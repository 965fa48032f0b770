"""Commands that only look: `quote`, `balances`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import hint, print_json, print_rows, say, table
from tradehook.settings import Settings

if TYPE_CHECKING:
    from tradehook.contract import Ability
    from tradehook.models import Balance


@with_settings
def quote(
    settings: Settings,
    words: Annotated[list[str], typer.Argument(metavar="ASSET AMOUNT", help="BTC 0.05, BTC/PYUSD 0.05 or BTC '$250'.")],
    side: Annotated[str | None, typer.Option(help="buy or sell; both when left out.")] = None,
    as_json: Json = False,
) -> None:
    """Ask for a price. Nothing is traded, and nothing is held for you."""
    from tradehook.amounts import parse_asset_amount, parse_market
    from tradehook.client import connect
    from tradehook.errors import InvalidInput
    from tradehook.models import NewOrder
    from tradehook.render import quote_lines

    if side not in (None, "buy", "sell"):
        raise InvalidInput(f"{side!r} is not a side: write buy or sell.", suggestions=("buy", "sell"))
    name, amount = parse_asset_amount(words)
    if amount.depends_on_balance:
        raise InvalidInput("Ask for a price of a quantity: BTC 0.05, or BTC $250.", suggestions=("BTC 0.05",))
    with connect(settings) as client:
        capabilities = client.exchange.spec.capabilities
        base, against = parse_market(name, default_quote=capabilities.default_quote)
        for way in (side,) if side else ("buy", "sell"):
            ability: Ability = "base_buys" if amount.kind == "base" else "quote_buys"
            if side is None and way == "buy" and not capabilities.can(ability):
                hint(capabilities.cannot[ability])
                continue
            wanted = NewOrder(base=base, quote=against, side=way, amount=amount)
            sized = client.size_order(wanted)
            answer = client.get_quote(
                sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit
            )
            if as_json:
                print_json(answer.to_dict())
            else:
                say(", ".join(quote_lines(answer)))
    if not as_json:
        hint("A price, not an offer: the next one may differ.")


@with_settings
def balances(settings: Settings, as_json: Json = False) -> None:
    """What the account holds, at the exchange and on chains."""
    from tradehook.client import connect
    from tradehook.render import bare_quantity

    with connect(settings) as client:
        found: list[Balance] = client.balances()
    if as_json:
        print_rows(row.to_dict() for row in found)
        return
    table(
        f"{settings.account} ({settings.environment})",
        ("asset", "where", "total", "available", "held"),
        [
            (
                row.symbol,
                row.chain or "exchange",
                *(bare_quantity(value, row.symbol) for value in (row.total, row.available, row.held)),
            )
            for row in found
        ],
        numbers=(2, 3, 4),
    )
