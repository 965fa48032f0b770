"""How much of its limits an account has used now, for people to see. What is refused is decided in `reserve.py`."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tradehook.amounts import plain
from tradehook.desk import worth
from tradehook.desk.intents import iso
from tradehook.desk.schema import reading
from tradehook.desk.sent import IN_FLIGHT, TRADES, day_of, sent_by

if TYPE_CHECKING:
    from decimal import Decimal

    from sqlalchemy import Engine

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Usage:
    """What counts against each limit, in money or in how many."""

    day: Decimal
    hour: Decimal
    transfer_day: Decimal
    orders_hour: int
    in_flight: int
    unknowns: int
    day_ends: datetime
    """When `day` and `transfer_day` begin anew."""
    hour_frees_at: datetime | None = None
    """When the first order of the last hour stops counting; `None` when there is none."""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json`."""
        return {
            "day": plain(self.day),
            "hour": plain(self.hour),
            "transfer_day": plain(self.transfer_day),
            "orders_hour": self.orders_hour,
            "in_flight": self.in_flight,
            "unknowns": self.unknowns,
            "day_ends": iso(self.day_ends),
            "hour_frees_at": iso(self.hour_frees_at) if self.hour_frees_at is not None else None,
        }


def usage(engine: Engine, *, host: str, account_id: str, zone: str, now: datetime | None = None) -> Usage:
    """What an account has sent or may have sent, by the same count that refuses.

    Args:
        engine: the journal's.
        host: the exchange's.
        account_id: the exchange's own id of the account.
        zone: whose midnight begins a day.
        now: the moment that windows end at.
    """
    now = now or datetime.now(UTC)
    begins, ends = day_of(zone, now)
    with reading(engine) as connection:
        found = sent_by(connection, host=host, account_id=account_id, since=begins, now=now)
    orders = [each for each in found if each.kind in TRADES]
    recent = [each for each in orders if each.at > now - _HOUR]
    return Usage(
        day=worth.total([each.worth for each in orders if each.at >= begins]),
        hour=worth.total([each.worth for each in recent]),
        transfer_day=worth.total([each.worth for each in found if each.kind == "transfer" and each.at >= begins]),
        orders_hour=len(recent),
        in_flight=sum(each.state in IN_FLIGHT for each in found),
        unknowns=sum(each.is_unknown for each in found),
        day_ends=ends,
        hour_frees_at=min(each.at for each in recent) + _HOUR if recent else None,
    )
