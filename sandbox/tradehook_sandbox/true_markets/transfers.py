"""Transfers: their record, their list, and how the wire shows them.

See: truemarkets-api 6.2 to 6.5.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final, Literal

from tradehook_sandbox.clock import rfc3339
from tradehook_sandbox.true_markets import past
from tradehook_sandbox.true_markets.catalogue import BY_KEY, Asset
from tradehook_sandbox.units import format_units

if TYPE_CHECKING:
    from collections.abc import Iterator

Status = Literal["awaiting_signature", "pending", "completed", "failed"]
STATUSES: Final[tuple[Status, ...]] = ("awaiting_signature", "pending", "completed", "failed")
_REMEMBERED: Final = ("status", "sent", "fee", "received", "tx_hash", "failure_reason", "updated_micros")
"""What an answer that is behind the times shows as it was."""


@dataclass(slots=True)
class Transfer:
    """One transfer. Amounts are whole units of the asset."""

    transfer_id: str
    number: int
    uid: str
    asset_key: str
    to: str
    network: str | None
    unit: Literal["base", "quote"]
    asked: str
    """The quantity as it was sent, in its unit."""
    quantity: int
    created_micros: int
    updated_micros: int
    status: Status = "awaiting_signature"
    hold: int = 0
    """Units of this transfer in the account's held purse."""
    sent: int = 0
    fee: int = 0
    received: int = 0
    tx_hash: str = ""
    failure_reason: str = ""
    payloads: list[dict[str, str]] = field(default_factory=list)
    expires_micros: int = 0
    due_micros: int | None = None
    """When it completes by itself."""
    past: past.States = field(default_factory=list)
    """What it was like since when, for an hour at least; see `as_of`."""

    @property
    def asset(self) -> Asset:
        """What is moved."""
        return BY_KEY[self.asset_key]

    @property
    def is_final(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ("completed", "failed")

    def as_row(self) -> dict[str, Any]:
        """The transfer as the wire shows it: all sixteen fields, always, and what newer deployments add."""
        asset = self.asset
        return {
            "id": self.transfer_id,
            "status": self.status,
            "venue": asset.venue,
            "asset_id": asset.asset_id,
            "asset_symbol": asset.symbol,
            "chain": asset.chain,
            "to": self.to,
            "qty": self.asked,
            "qty_unit": self.unit,
            "sent": format_units(self.sent, asset.scale),
            "fee": format_units(self.fee, asset.scale),
            "received": format_units(self.received, asset.scale),
            "tx_hash": self.tx_hash,
            "payloads": self.payloads if self.status == "awaiting_signature" else [],
            "created_at": rfc3339(self.created_micros),
            "updated_at": rfc3339(self.updated_micros),
            "network": self.network,
            "explorer_url": f"https://explorer.sandbox.invalid/tx/{self.tx_hash}" if self.tx_hash else "",
        }

    def remember(self, at_micros: int) -> None:
        """From this moment on it is as it is now."""
        past.remember(self, _REMEMBERED, at_micros)

    def as_of(self, at_micros: int) -> Transfer | None:
        """The transfer as it was at this moment, to be shown only; `None` when it was not there yet."""
        return past.as_of(self, _REMEMBERED, at_micros)

    def as_json(self) -> dict[str, Any]:
        """The transfer for a store."""
        return asdict(self)

    @classmethod
    def restored(cls, content: dict[str, Any]) -> Transfer:
        """The transfer as `as_json` wrote it."""
        return cls(**{**content, "past": past.restored(content.get("past", ()))})


class Transfers:
    """All transfers: by id, and by account with the oldest first."""

    def __init__(self) -> None:
        self._by_id: dict[str, Transfer] = {}
        self._by_uid: dict[str, list[Transfer]] = {}
        self.changed: set[str] = set()
        """Ids of transfers that a store has not seen in their present form."""
        self._moved: dict[str, Transfer] = {}
        self._due: list[tuple[int, int, str]] = []

    def __iter__(self) -> Iterator[Transfer]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def __getitem__(self, transfer_id: str) -> Transfer:
        return self._by_id[transfer_id]

    def get(self, transfer_id: str) -> Transfer | None:
        """The transfer with this id."""
        return self._by_id.get(transfer_id)

    def add(self, transfer: Transfer) -> Transfer:
        """The transfer is known. No two of an account share a creation time: no page border falls inside one."""
        mine = self._by_uid.setdefault(transfer.uid, [])
        index = bisect_left(mine, transfer.created_micros, key=_created)
        while index < len(mine) and mine[index].created_micros == transfer.created_micros:
            transfer.created_micros += 1
            index += 1
        mine.insert(index, transfer)
        self._by_id[transfer.transfer_id] = transfer
        self.touch(transfer)
        return transfer

    def touch(self, transfer: Transfer) -> None:
        """The transfer has changed, or is new."""
        self.changed.add(transfer.transfer_id)
        self._moved[transfer.transfer_id] = transfer
        if transfer.due_micros is not None:
            heapq.heappush(self._due, (transfer.due_micros, transfer.number, transfer.transfer_id))

    def next_due(self) -> tuple[int, Transfer] | None:
        """The transfer that ends next by itself, and when."""
        while self._due:
            at_micros, _, transfer_id = self._due[0]
            if self._by_id[transfer_id].due_micros == at_micros:
                return at_micros, self._by_id[transfer_id]
            # It has ended, or the clock was turned back: it stands elsewhere, if at all.
            heapq.heappop(self._due)
        return None

    def remember(self, at_micros: int) -> None:
        """Whatever changed since the last time has been as it is now since this moment."""
        for transfer in self._moved.values():
            transfer.remember(at_micros)
        self._moved.clear()

    def of(self, uid: str) -> list[Transfer]:
        """The account's transfers, oldest first."""
        return self._by_uid.get(uid, [])

    def page(
        self,
        uid: str,
        *,
        limit: int,
        before_micros: int | None,
        status: str | None,
        seen_micros: int | None = None,
    ) -> tuple[list[Transfer], bool]:
        """Up to `limit` transfers of the account, newest first, and whether there are older ones.

        Args:
            uid: whose.
            limit: most of them.
            before_micros: only those created before this moment.
            status: only those in it; `None` for all.
            seen_micros: as they were at this moment; those that are newer are not shown.
        """
        mine = self.of(uid)
        end = len(mine) if before_micros is None else bisect_left(mine, before_micros, key=_created)
        found: list[Transfer] = []
        for index in range(end - 1, -1, -1):
            transfer = mine[index] if seen_micros is None else mine[index].as_of(seen_micros)
            if transfer is not None and status in (None, transfer.status):
                if len(found) == limit:
                    return found, True
                found.append(transfer)
        return found, False


def _created(transfer: Transfer) -> int:
    return transfer.created_micros
