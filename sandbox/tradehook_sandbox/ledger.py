"""The double-entry ledger: every movement of play money, in whole units, always in balance.

A posting moves one asset from one account to another, so it cannot create or lose anything; money enters and leaves
only through the account `OUTSIDE`. People's accounts can never go below zero. `check()` proves after every step that
each asset still sums to exactly zero over all accounts.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

OUTSIDE: Final = "outside"
"""Where deposits come from: the negative mirror of everything inside."""
MAKER: Final = "market-maker"
"""The counterparty of every fill; a fill between two people passes through it and leaves nothing behind."""
FEES: Final = "fees"
BRIDGE: Final = "bridge"
"""Takes on-chain stablecoins in and gives exchange dollars out, one for one."""

_HOUSE: Final = frozenset({OUTSIDE, MAKER, BRIDGE})
_RECENT: Final = 20


def pool(chain: str) -> str:
    """The account of a chain's liquidity pool."""
    return f"pool:{chain}"


def _may_go_negative(account: str) -> bool:
    # The house trades on credit: its inventory is play money's horizon, not a limit somebody should hit.
    return account in _HOUSE or account.startswith("pool:")


class Entry(NamedTuple):
    """One posting: this much of this asset left `source` and arrived in `target`."""

    number: int
    at_micros: int
    asset: str
    source: str
    target: str
    units: int
    reason: str


class Overdrawn(Exception):
    """An account that may not go below zero would have."""


class Unbalanced(AssertionError):
    """Money appeared or vanished. Only a defect of the sandbox can cause this."""


class Ledger:
    """Accounts by (account, asset), in whole units."""

    def __init__(self, balances: Mapping[tuple[str, str], int] | None = None, *, entries: int = 0) -> None:
        self._balances: dict[tuple[str, str], int] = dict(balances or {})
        self._sums: dict[str, int] = {}
        for (_, asset), units in self._balances.items():
            self._sums[asset] = self._sums.get(asset, 0) + units
        self.entries = entries
        self.recent: deque[Entry] = deque(maxlen=_RECENT)
        """The latest postings, for whoever looks at the books."""
        self.unsaved: list[Entry] = []
        """Postings that a store has not seen; empty unless one asked for them with `keep_unsaved`."""
        self._keeps_unsaved = False

    def keep_unsaved(self) -> None:
        """From now on remember every posting until a store clears `unsaved`."""
        self._keeps_unsaved = True

    def balance(self, account: str, asset: str) -> int:
        """Units in the account; 0 for one that was never used."""
        return self._balances.get((account, asset), 0)

    def balances(self) -> Iterable[tuple[str, str, int]]:
        """Every account with its asset and units."""
        return [(account, asset, units) for (account, asset), units in self._balances.items()]

    def move(self, asset: str, *, source: str, target: str, units: int, reason: str, at_micros: int) -> None:
        """The units have left `source` and arrived in `target`; 0 units leave no trace.

        Raises:
            Overdrawn: `source` may not go below zero and does not hold as much. Nothing moved.
            ValueError: a negative number of units.
        """
        if units < 0:
            raise ValueError("a posting cannot be negative: swap source and target")
        if not units or source == target:
            return
        left = self.balance(source, asset) - units
        if left < 0 and not _may_go_negative(source):
            raise Overdrawn(f"{source} holds less {asset} than {units} units")
        self._set(source, asset, left)
        self._set(target, asset, self.balance(target, asset) + units)
        self.entries += 1
        entry = Entry(self.entries, at_micros, asset, source, target, units, reason)
        self.recent.append(entry)
        if self._keeps_unsaved:
            self.unsaved.append(entry)

    def check(self) -> None:
        """Every asset sums to exactly zero.

        The sums are carried along with each change of a balance, not of a posting, so a balance that was changed in
        any other way than by a pair shows.

        Raises:
            Unbalanced: with the asset and the error.
        """
        for asset, total in self._sums.items():
            if total:
                raise Unbalanced(f"{asset} is off by {total} units")

    def audit(self) -> dict[str, int]:
        """The error of each asset, counted anew from all accounts; all zero when the books are right."""
        errors: dict[str, int] = {}
        for (account, asset), units in self._balances.items():
            errors[asset] = errors.get(asset, 0) + units
            if units < 0 and not _may_go_negative(account):
                raise Unbalanced(f"{account} holds {units} units of {asset}")
        return errors

    def _set(self, account: str, asset: str, units: int) -> None:
        key = (account, asset)
        self._sums[asset] = self._sums.get(asset, 0) + units - self._balances.get(key, 0)
        self._balances[key] = units
