"""The list of addresses that money may be sent to. A transfer names a label of it, never an address.

One list for each exchange host, so that an address typed for the sandbox is none for anything else. Nothing is ever
changed in place: a destination is added once, and taken off once; the record of both stays.
"""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from tradehook.addresses import check_address, is_same
from tradehook.amounts import plain
from tradehook.desk.intents import iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import DESTINATION
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.transfers import Destination, check_label

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

    from sqlalchemy import Connection, Engine, Row

    from tradehook.transfers import SizedTransfer


class Destinations:
    """The list in one journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def list(self, host: str) -> Sequence[Destination]:
        """What is on the list of this host, by label."""
        with reading(self._engine) as connection:
            return on_list(connection, host)

    def get(self, host: str, label: str) -> Destination:
        """The destination with this label.

        Raises:
            InvalidInput: there is none; says which there are.
        """
        found = self._find(host, label)
        if isinstance(found, Destination):
            return found
        raise InvalidInput(
            f"No destination is called {label[:40]}; {_there(found)}. Put it on the list with "
            f"`tradehook destinations add {label[:40]} --network NETWORK ADDRESS`.",
            suggestions=tuple(found),
        )

    def _find(self, host: str, label: str) -> Destination | Sequence[str]:
        """The destination with this label, or the labels that there are."""
        known = {found.label: found for found in self.list(host)}
        return known.get(label) or tuple(known)

    def check(self, host: str, transfer: SizedTransfer) -> None:
        """Raises `GuardRefused` unless the address a transfer was settled with is on the list under its label now."""
        found = next((entry for entry in self.list(host) if entry.label == transfer.to), None)
        if found is None or (found.address, found.network) != (transfer.address, transfer.network):
            raise GuardRefused(
                f"Not sent: {transfer.to} is no longer the address this transfer was made for. Look at `tradehook "
                "destinations`, and begin again with a new transfer.",
                rule="destination",
                actual=transfer.to,
            )

    def add(
        self, host: str, label: str, *, network: str, address: str, by: str, day_cap: Decimal | None = None
    ) -> Destination:
        """Put an address on the list. Its form and checksum are checked, not whose it is.

        `day_cap`: the most that may go there a day, in the account's money.

        Raises:
            InvalidInput: it cannot be an address there, or the label is taken by another one.
        """
        label = check_label(label)
        network = network.strip().lower()
        address = check_address(address, network=network)
        now = datetime.now(UTC)
        made = Destination(
            label=label, network=network, address=address, added_by=by[:255], added_at=now, day_cap=day_cap
        )
        cap = plain(day_cap) if day_cap is not None else None
        with writing(self._engine) as connection:
            query = select(DESTINATION).where(
                DESTINATION.c.host == host, DESTINATION.c.label == label, DESTINATION.c.removed_at.is_(None)
            )
            found = connection.execute(query).one_or_none()
            if found is None:
                values = {"network": network, "address": address, "added_by": made.added_by, "day_cap": cap}
                connection.execute(insert(DESTINATION).values(host=host, label=label, added_at=iso(now), **values))
                return made
        if (found.network, found.address) != (network, address):
            raise InvalidInput(
                f"{label} is another address already ({found.address} on {found.network}). Take it off the list first "
                f"with `tradehook destinations remove {label}`, or choose another label."
            )
        if day_cap is not None and _destination(found).day_cap != day_cap:
            raise InvalidInput(
                f"{label} is on the list already, with {found.day_cap or 'no'} cap a day. Take it off first with "
                f"`tradehook destinations remove {label}`; its cool-off then begins anew."
            )
        return _destination(found)

    def remove(self, host: str, label: str, *, by: str) -> Destination:
        """Take a destination off the list. Raises `InvalidInput` when it is not on it."""
        found = self._find(host, check_label(label))
        if not isinstance(found, Destination):
            raise InvalidInput(f"No destination is called {label[:40]}; {_there(found)}.", suggestions=tuple(found))
        with writing(self._engine) as connection:
            connection.execute(
                update(DESTINATION)
                .where(
                    DESTINATION.c.host == host, DESTINATION.c.label == found.label, DESTINATION.c.removed_at.is_(None)
                )
                .values(removed_by=by[:255], removed_at=iso(datetime.now(UTC)))
            )
        return found


def on_list(connection: Connection, host: str) -> Sequence[Destination]:
    """What is on the list of a host, by label."""
    query = select(DESTINATION).where(DESTINATION.c.host == host, DESTINATION.c.removed_at.is_(None))
    return [_destination(row) for row in connection.execute(query.order_by(DESTINATION.c.label))]


def of_address(entries: Iterable[Destination], *, address: str, network: str) -> Sequence[Destination]:
    """Every label that stands for one address of a network."""
    return [entry for entry in entries if entry.network == network and is_same(entry.address, address)]


def smallest_cap(entries: Iterable[Destination], *, address: str, network: str) -> Destination | None:
    """The label whose cap a day holds for an address: the smallest of all that stand for it."""
    same = of_address(entries, address=address, network=network)
    return min(
        (entry for entry in same if entry.day_cap is not None), key=lambda entry: entry.day_cap or 0, default=None
    )


def _there(labels: Sequence[str]) -> str:
    return f"there is {', '.join(labels)}" if labels else "there is none yet"


def _destination(row: Row[Any]) -> Destination:
    return Destination(
        label=row.label,
        network=row.network,
        address=row.address,
        added_by=row.added_by,
        added_at=datetime.fromisoformat(row.added_at),
        day_cap=Decimal(row.day_cap) if row.day_cap else None,
    )
