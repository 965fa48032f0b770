"""What was proved of an account, by trying it. What is not proved, nothing relies on.

`lists_open_orders`: whether the list of orders shows those that rest in the book. Its documentation says no, a
deployment was seen that does. `limits_rest`: where no order can be asked about, whether a limit order rests, seen by
what the wallet holds for it. `tradehook doctor --place-test` finds both out with a real order, far from the market.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, select

from tradehook.desk.intents import iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import PROOF

if TYPE_CHECKING:
    from sqlalchemy import Engine

LISTS_OPEN_ORDERS = "lists_open_orders"
LIMITS_REST = "limits_rest"


@dataclass(frozen=True, slots=True)
class Proof:
    """One finding."""

    name: str
    is_true: bool
    detail: str
    """How it was found, for a person."""
    proved_at: datetime


class Proofs:
    """The findings in one journal. An account is its host and the exchange's own user id."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, host: str, account_id: str, name: str) -> Proof | None:
        """What was found last; `None` while nobody tried."""
        query = select(PROOF).where(PROOF.c.host == host, PROOF.c.account_id == account_id, PROOF.c.name == name)
        with reading(self._engine) as connection:
            row = connection.execute(query).one_or_none()
        if row is None:
            return None
        return Proof(row.name, row.value == "yes", row.detail, datetime.fromisoformat(row.proved_at))

    def record(self, host: str, account_id: str, name: str, *, is_true: bool, detail: str) -> Proof:
        """Keep a finding in place of an older one."""
        now = datetime.now(UTC)
        mine = {"host": host, "account_id": account_id, "name": name}
        with writing(self._engine) as connection:
            connection.execute(delete(PROOF).filter_by(**mine))
            connection.execute(
                insert(PROOF).values(**mine, value="yes" if is_true else "no", detail=detail, proved_at=iso(now))
            )
        return Proof(name, is_true, detail, now)
