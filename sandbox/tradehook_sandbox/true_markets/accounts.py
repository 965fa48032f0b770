"""Whose money: accounts with their wallets, and the balances people see.

See: truemarkets-api 7.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import NAMESPACE_URL, uuid5

from tradehook_sandbox.ledger import OUTSIDE
from tradehook_sandbox.seeded import hex_for, uuid_for
from tradehook_sandbox.true_markets.catalogue import ASSETS, BY_KEY, DOLLARS, Asset
from tradehook_sandbox.units import format_units, parse_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.ledger import Ledger

DEFAULT_ACCOUNT: Final = "default"
OPENING: Final = {
    "PYUSD": "10000",
    "BTC": "0.5",
    "ETH": "5",
    "solana:USDC": "1000",
    "solana:SOL": "20",
    "base:USDC": "1000",
    "base:CBBTC": "0.05",
}
"""What every new account holds."""

BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


@dataclass(slots=True)
class Account:
    """One customer."""

    name: str
    uid: str
    fee_reserve: int = 0
    """Dollars, in units, that open buys will need for their fees: not held, but not to be spent twice either."""

    @property
    def available(self) -> str:
        """The ledger account of what may be used."""
        return f"user:{self.uid}:available"

    @property
    def held(self) -> str:
        """The ledger account of what is locked in orders."""
        return f"user:{self.uid}:held"

    def wallet(self, chain: str) -> str:
        """The address that holds the account's tokens on this chain."""
        if chain == "solana":
            return base58(bytes.fromhex(hex_for("wallet", chain, self.uid, size=32)))
        return "0x" + hex_for("wallet", chain, self.uid, size=20)


@dataclass(frozen=True, slots=True)
class Deposit:
    """Money that came in from outside or, when negative, left."""

    deposit_id: str
    uid: str
    asset_key: str
    units: int
    at_micros: int


class Accounts:
    """All customers, and what each of them holds."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self.deposits: list[Deposit] = []
        """All of them, oldest first; a store remembers how many it has seen."""
        self._by_uid: dict[str, Account] = {}

    def __iter__(self) -> Iterator[Account]:
        return iter(self._by_uid.values())

    def __getitem__(self, uid: str) -> Account:
        return self._by_uid[uid]

    def named(self, name: str) -> Account | None:
        """The account with this name."""
        return self._by_uid.get(uid_of(name))

    def open(self, name: str, *, at_micros: int) -> Account:
        """The account with this name; a new one holds the opening amounts."""
        account = self.named(name)
        if account is None:
            account = self.add(name)
            for key, amount in OPENING.items():
                self.deposit(account, BY_KEY[key], parse_units(amount, BY_KEY[key].scale), at_micros=at_micros)
        return account

    def add(self, name: str) -> Account:
        """The account is known; nothing was paid in."""
        account = self._by_uid[uid_of(name)] = Account(name=name, uid=uid_of(name))
        return account

    def deposit(self, account: Account, asset: Asset, units: int, *, at_micros: int) -> None:
        """The units have come in from outside or, when negative, left.

        Raises:
            Overdrawn: more than is available would leave.
        """
        if not units:
            return
        ends = (OUTSIDE, account.available) if units >= 0 else (account.available, OUTSIDE)
        self._ledger.move(
            asset.key, source=ends[0], target=ends[1], units=abs(units), reason="deposit", at_micros=at_micros
        )
        self.note_deposit(account, asset, units, at_micros=at_micros)

    def note_deposit(self, account: Account, asset: Asset, units: int, *, at_micros: int) -> None:
        """The account's transactions show that units came in, or left; the ledger is somebody else's matter."""
        deposit_id = uuid_for("deposit", account.uid, len(self.deposits))
        self.deposits.append(Deposit(deposit_id, account.uid, asset.key, units, at_micros))

    def available(self, account: Account, asset: Asset) -> int:
        """Units that are not locked in orders."""
        return self._ledger.balance(account.available, asset.key)

    def spendable(self, account: Account) -> int:
        """Dollars for new orders: available, less what open buys will pay in fees."""
        return self.available(account, BY_KEY[DOLLARS]) - account.fee_reserve

    def rows(self, account: Account) -> list[dict[str, Any]]:
        """The balances, one row per asset, as `/balances/unified` shows them."""
        return [self._row(account, asset) for asset in ASSETS]

    def _row(self, account: Account, asset: Asset) -> dict[str, Any]:
        available = self._ledger.balance(account.available, asset.key)
        held = self._ledger.balance(account.held, asset.key)
        # The dollar row always shows all nine digits, as seen live, whatever `decimals` says.
        keep = asset.scale if asset.symbol == DOLLARS else 0
        return {
            "symbol": asset.symbol,
            "name": asset.name,
            "chain": asset.chain,
            "address": asset.address,
            "decimals": asset.decimals,
            "total": format_units(available + held, asset.scale, keep=keep),
            "available": format_units(available, asset.scale, keep=keep),
            "held": format_units(held, asset.scale, keep=keep),
            "stable": asset.is_stable,
            "tradeable": asset.is_tradeable,
            "asset_id": asset.asset_id,
            "venue": asset.venue,
        }


def uid_of(name: str) -> str:
    """The account's stable id: the same name has the same one in every sandbox."""
    return str(uuid5(NAMESPACE_URL, f"https://sandbox.invalid/tradehook/accounts/{name}"))


def base58(data: bytes) -> str:
    """Bytes in the alphabet of Solana addresses."""
    number, text = int.from_bytes(data), ""
    while number:
        number, digit = divmod(number, 58)
        text = BASE58[digit] + text
    return "1" * (len(data) - len(data.lstrip(b"\0"))) + text
