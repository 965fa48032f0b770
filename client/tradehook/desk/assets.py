"""The assets that may be traded: each by where it stands and its address there, never by symbol alone.

At the exchange an asset has no address: there it is known by its symbol and the venue `cefi`. On a chain anybody may
call a coin USDC, so what counts is the address, and a symbol trades only if exactly one allowed asset has it there.
One list for each exchange host. Nothing is changed in place: an asset is allowed once and taken off once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, insert, select, update

from tradehook.amounts import parse_symbol
from tradehook.desk.intents import iso
from tradehook.desk.limits import MONEY
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import ASSET
from tradehook.errors import GuardRefused, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine, Result, Row

    from tradehook.models import SizedOrder

AT_EXCHANGE, ON_CHAIN = "cefi", "defi"
_ALLOWED = (
    select(ASSET)
    .where(ASSET.c.host == bindparam("its_host"), ASSET.c.removed_at.is_(None))
    .order_by(ASSET.c.symbol, ASSET.c.asset_row)
)


@dataclass(frozen=True, slots=True)
class AllowedAsset:
    """One asset that may be traded."""

    symbol: str
    venue: str
    """`cefi` at the exchange, `defi` on a chain."""
    chain: str | None
    address: str | None
    allowed_by: str
    allowed_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json`."""
        return {
            "symbol": self.symbol,
            "venue": self.venue,
            "chain": self.chain,
            "address": self.address,
            "allowed_by": self.allowed_by,
            "allowed_at": iso(self.allowed_at),
        }


class Assets:
    """The list in one journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, host: str) -> Sequence[AllowedAsset]:
        """What may be traded at this host, by symbol."""
        with reading(self._engine) as connection:
            return _allowed(connection, host)

    def allow(
        self, host: str, symbol: str, *, by: str, chain: str | None = None, address: str | None = None
    ) -> AllowedAsset:
        """Put an asset on the list; once is enough, again changes nothing.

        Args:
            host: the exchange's.
            symbol: what it is called there.
            by: who allows it.
            chain: the chain it stands on; `None` for what the exchange itself holds.
            address: its whole address on that chain.

        Raises:
            InvalidInput: a chain without an address, or an address without a chain.
        """
        symbol = parse_symbol(symbol)
        if (chain is None) != (address is None):
            raise InvalidInput(f"{symbol} on a chain is allowed by chain and address, at the exchange by neither.")
        venue = AT_EXCHANGE if chain is None else ON_CHAIN
        now = datetime.now(UTC)
        with writing(self._engine) as connection:
            for known in _allowed(connection, host):
                if (known.symbol, known.chain) == (symbol, chain) and _same(known.address, address):
                    return known
            made = AllowedAsset(symbol, venue, chain, address, allowed_by=by[:255], allowed_at=now)
            connection.execute(insert(ASSET).values(host=host, **made.to_dict()))
        return made

    def remove(
        self, host: str, symbol: str, *, by: str, chain: str | None = None, address: str | None = None
    ) -> AllowedAsset:
        """Take an asset off the list. Raises `InvalidInput` unless exactly one on it is meant."""
        symbol = parse_symbol(symbol)
        with writing(self._engine) as connection:
            rows = [
                row
                for row in _rows(connection, host)
                if (row.symbol, row.chain) == (symbol, chain) and (address is None or _same(row.address, address))
            ]
            where = f" on {chain}" if chain else ""
            if len(rows) != 1:
                there = "is not on the list" if not rows else "is there several times: name its address"
                raise InvalidInput(f"{symbol}{where} {there}. `tradehook assets list` shows it.")
            connection.execute(
                update(ASSET)
                .where(ASSET.c.asset_row == rows[0].asset_row)
                .values(removed_by=by[:255], removed_at=iso(datetime.now(UTC)))
            )
        return _asset(rows[0])


def check(connection: Connection, *, host: str, order: SizedOrder, is_live: bool) -> None:
    """Raises `GuardRefused` unless both assets of an order are allowed where it trades.

    Without any row a live account trades nothing, another one everything. Money at the exchange needs no row: its name
    cannot be taken there by anything else.
    """
    allowed = _allowed(connection, host)
    if not allowed and not is_live:
        return
    places = ((order.base, order.base_address), (order.quote, order.quote_address))
    for symbol, address in places:
        if order.chain is None and symbol in MONEY:
            continue
        _check_one(allowed, symbol=symbol, chain=order.chain, address=address)


def _check_one(allowed: Sequence[AllowedAsset], *, symbol: str, chain: str | None, address: str | None) -> None:
    there = [asset for asset in allowed if (asset.symbol, asset.chain) == (symbol, chain)]
    where = f"on {chain}" if chain else "at the exchange"
    if len(there) > 1:
        says = f"{len(there)} allowed assets {where} are called {symbol}, so it does not trade: take one off the list."
    elif not there:
        says = f"{symbol} {where} is not on the list of assets that may be traded."
    elif chain is not None and (address is None or not _same(there[0].address, address)):
        says = f"{symbol} {where} is {address} here, but the one that may be traded is {there[0].address}."
    else:
        return
    raise GuardRefused(
        f"{says} Nothing was sent. See `tradehook assets list` and `tradehook assets allow`.",
        rule="asset",
        limit=there[0].address if len(there) == 1 else None,
        actual=address or symbol,
    )


def _same(one: str | None, other: str | None) -> bool:
    """Whether two addresses are one: an EVM address is the same in any case, no other is."""
    if one is None or other is None:
        return one is other
    return one.lower() == other.lower() if one.startswith("0x") else one == other


def _rows(connection: Connection, host: str) -> Result[Any]:
    return connection.execute(_ALLOWED, {"its_host": host})


def _allowed(connection: Connection, host: str) -> list[AllowedAsset]:
    return [_asset(row) for row in _rows(connection, host)]


def _asset(row: Row[Any]) -> AllowedAsset:
    return AllowedAsset(
        symbol=row.symbol,
        venue=row.venue,
        chain=row.chain,
        address=row.address,
        allowed_by=row.allowed_by,
        allowed_at=datetime.fromisoformat(row.allowed_at),
    )
