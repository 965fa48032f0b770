"""What somebody asks for, read from a body and checked against the documented rules before anything else happens.

See: truemarkets-api 4, 5.1 and 13 (rows 1 and 9).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from tradehook_sandbox.true_markets.calls import Refusal, choice_field, require, shown, text_field, uuid_text
from tradehook_sandbox.true_markets.catalogue import BY_ID, CHAINS, DOLLARS, Asset, dollars_on
from tradehook_sandbox.units import parse_units

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.book import Side
    from tradehook_sandbox.true_markets.orders import Unit
    from tradehook_sandbox.true_markets.rules import Rules

_QUICK_START: Final = {"base": "base_asset", "quote": "quote_asset", "quantity": "qty"}


@dataclass(frozen=True, slots=True)
class Wish:
    """A quote or an order somebody asked for. Amounts are still text: their scale depends on the asset."""

    base: str
    quote: str
    side: Side
    unit: Unit
    quantity: str
    type: Literal["market", "limit"] = "market"
    price: str | None = None
    chain: str | None = None

    def quantity_units(self, scale: int) -> int:
        """The quantity in units of this scale; more than 0.

        Raises:
            Refusal: 400.
        """
        return positive(self.quantity, "qty", scale)


def positive(text: str, name: str, scale: int) -> int:
    """Decimal text as units; more than 0.

    Raises:
        Refusal: 400.
    """
    try:
        units = parse_units(text, scale)
    except ValueError as error:
        raise Refusal(400, f"{name} {error}: {shown(text)}", fields=(name,)) from None
    if not units:
        raise Refusal(400, f"{name} must be positive", fields=(name,))
    return units


def read_quote(content: Mapping[str, Any], *, strict: bool) -> Wish:
    """What a body of `POST /quotes` asks for.

    The quick start of the overview page spells the fields differently and leaves the unit out; that body is
    understood as printed, unless `strict`.

    Raises:
        Refusal: 400 naming what is missing or wrong.
    """
    if not strict and not any(name in content for name in ("base_asset", "quote_asset", "qty", "qty_unit")):
        content = {
            "qty_unit": "base",
            **{_QUICK_START.get(name, name): value for name, value in content.items()},
        }
    require(content, "base_asset", "quote_asset", "qty", "qty_unit", "side")
    return Wish(
        base=text_field(content, "base_asset"),
        quote=text_field(content, "quote_asset"),
        side=_side(content),
        unit=_unit(content),
        quantity=text_field(content, "qty"),
    )


def read_order(content: Mapping[str, Any], *, rules: Rules) -> Wish:
    """What a body of `POST /orders` asks for, with the unit, price and chain that its type and side allow.

    Args:
        content: the body. In the newer revision `asset_id` may stand for the base asset.
        rules: how the body is read where the documents and the live service differ.

    Raises:
        Refusal: 400 naming what is missing or wrong; 404 for an asset id that does not exist.
    """
    if rules.revision != "june":
        content = _with_asset_id(content)
    require(content, "base_asset", "quote_asset", "qty", "qty_unit", "type", "side")
    kind = choice_field(content, "type", "market", "limit")
    price = text_field(content, "price") if content.get("price") is not None else None
    chain = choice_field(content, "chain", *CHAINS) if content.get("chain") is not None else None
    wish = Wish(
        base=text_field(content, "base_asset"),
        quote=text_field(content, "quote_asset"),
        side=_side(content),
        unit=_unit(content),
        quantity=text_field(content, "qty"),
        type="limit" if kind == "limit" else "market",
        price=price,
        chain=chain,
    )
    _check_combination(wish, strict_units=rules.strict_units)
    return wish


def _check_combination(wish: Wish, *, strict_units: bool) -> None:
    if wish.type == "limit":
        if wish.chain is not None:
            raise Refusal(400, "limit orders are not available on a chain")
        if wish.price is None:
            raise Refusal(400, "price is required for a limit order", fields=("price",))
        if wish.unit != "base":
            raise Refusal(400, "qty_unit must be base for a limit order", fields=("qty_unit",))
        return
    if wish.price is not None:
        raise Refusal(400, "price is not allowed for a market order", fields=("price",))
    needs_quote = wish.side == "buy" and (wish.chain is not None or strict_units)
    if needs_quote and wish.unit != "quote":
        raise Refusal(400, "qty_unit must be quote for a market buy", fields=("qty_unit",))
    if wish.side == "sell" and wish.chain is not None and wish.unit != "base":
        raise Refusal(400, "qty_unit must be base for a market sell on a chain", fields=("qty_unit",))


def _side(content: Mapping[str, Any]) -> Side:
    return "buy" if choice_field(content, "side", "buy", "sell") == "buy" else "sell"


def _unit(content: Mapping[str, Any]) -> Unit:
    return "base" if choice_field(content, "qty_unit", "base", "quote") == "base" else "quote"


def _with_asset_id(content: Mapping[str, Any]) -> Mapping[str, Any]:
    """The body with symbols or addresses in place of a catalogue id, when it has one."""
    if content.get("asset_id") in (None, ""):
        return content
    asset = BY_ID.get(uuid_text(content["asset_id"], "asset_id"))
    if asset is None:
        raise Refusal(404, "asset not found")
    quote = dollars_on(asset.chain).address if asset.chain else DOLLARS
    return {"quote_asset": quote, "chain": asset.chain, **content, "base_asset": _name_of(asset)}


def _name_of(asset: Asset) -> str:
    return asset.address or asset.symbol
