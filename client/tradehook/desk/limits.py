"""The limits of an account: a value, and the book that keeps every version of it with who, why and when.

An account is a host and the exchange's own user id, so two keys of one person share its limits. All money figures are
in the account's money, US dollars; `None` means that nothing is limited, where nothing else is said.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from sqlalchemy import bindparam, insert, select

from tradehook.desk.intents import iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import LIMITS
from tradehook.errors import GuardRefused, InvalidInput
from tradehook.models import Value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection, Engine, Row

MONEY = frozenset({"USD", "USDC", "PYUSD", "USDT"})
"""What counts as the account's money, one for one."""
_LIVE_COOL_OFF_HOURS = 24
_VERSIONS = (
    select(LIMITS)
    .where(LIMITS.c.host == bindparam("its_host"), LIMITS.c.account_id == bindparam("its_account"))
    .order_by(LIMITS.c.version.desc())
)
_VERSION = _VERSIONS.limit(1)

Cap = Annotated[Decimal, Field(ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=0)]


class Limits(Value):
    """What an account may do. What equals a limit passes; one unit more is refused."""

    live: bool = False
    """Whether anything may be sent to a live exchange; `tradehook go-live` lifts it."""
    zone: str = "UTC"
    """Whose midnight begins a day, an IANA name."""
    order: Cap | None = None
    """The most an order may be worth."""
    day: Cap | None = None
    """The most that all orders of a day may be worth."""
    hour: Cap | None = None
    """The same of the last 60 minutes."""
    in_flight: Count | None = None
    """How many may be under way or in doubt at once."""
    unknowns: Annotated[int, Field(ge=1)] | None = 3
    """So many in doubt, and nothing new is sent."""
    orders_hour: Count | None = None
    """How many orders in the last 60 minutes."""
    collar: Cap | None = Decimal(2)
    """Percent by which a price may be worse for us than the reference price."""
    fat_finger_percent: Cap | None = Decimal(50)
    """More than this share of what is available is asked about."""
    fat_finger_times: Cap | None = Decimal(5)
    """More than this many times the median of the last 20 own orders is asked about."""
    transfer: Cap | None = None
    """The most a transfer may be worth; a live account without it sends none."""
    transfer_day: Cap | None = None
    """The most that all transfers of a day may be worth."""
    destination_cool_off_hours: Count | None = None
    """How long a destination is on the list before money goes there; `None`: 24 for a live account, else 0."""
    halt_after: Annotated[int, Field(ge=1)] | None = 5
    """So many in a row in doubt or rejected, and the account is halted."""

    @field_validator("zone")
    @classmethod
    def _check_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInput(
                f"{name[:40]!r} is no time zone: write one like Europe/Berlin.", suggestions=("UTC", "Europe/Berlin")
            ) from None
        return name

    def cool_off_hours(self, *, is_live: bool) -> int:
        """How long a destination is on the list before money goes there."""
        if self.destination_cool_off_hours is not None:
            return self.destination_cool_off_hours
        return _LIVE_COOL_OFF_HOURS if is_live else 0


@dataclass(frozen=True, slots=True)
class SetLimits:
    """One version of an account's limits."""

    version: int
    limits: Limits
    set_by: str
    why: str
    set_at: datetime

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json`."""
        return {
            "version": self.version,
            "limits": self.limits.to_dict(),
            "set_by": self.set_by,
            "why": self.why,
            "set_at": iso(self.set_at),
        }


class LimitsBook:
    """The limits in one journal, never changed in place: setting them adds a version."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def get(self, host: str, account_id: str) -> Limits | None:
        """What holds for an account now; `None` when nobody ever set limits for it."""
        with reading(self._engine) as connection:
            return current(connection, host, account_id)

    def newest(self, host: str, account_id: str) -> SetLimits | None:
        """The version that holds, with who set it; `None` when nobody ever set limits for the account."""
        with reading(self._engine) as connection:
            row = _newest(connection, host, account_id)
        return _version(row) if row is not None else None

    def history(self, host: str, account_id: str) -> Sequence[SetLimits]:
        """Every version, newest first."""
        with reading(self._engine) as connection:
            return [_version(row) for row in connection.execute(_VERSIONS, _of(host, account_id))]

    def set(
        self, host: str, account_id: str, limits: Limits, *, by: str, why: str = "", after: int | None = None
    ) -> SetLimits:
        """Let these limits hold from now on, for every send that begins after this returns.

        `after`: the version that was looked at before, 0 for none.

        Raises:
            InvalidInput: somebody set another one since.
        """
        with writing(self._engine) as connection:
            row = _newest(connection, host, account_id)
            newest = row.version if row is not None else 0
            if after is not None and newest != after:
                raise InvalidInput(
                    "Somebody else set this account's limits meanwhile, so nothing was changed. Look at them with "
                    "`tradehook limits show`, and set yours again."
                )
            made = SetLimits(
                version=newest + 1,
                limits=limits,
                set_by=by[:255],
                why=why,
                set_at=datetime.now(UTC),
            )
            connection.execute(
                insert(LIMITS).values(
                    host=host,
                    account_id=account_id,
                    version=made.version,
                    limits=json.dumps(limits.to_dict()),
                    set_by=made.set_by,
                    why=why,
                    set_at=iso(made.set_at),
                )
            )
        return made

    def has_live(self, host: str, *, at_all: bool = False) -> bool:
        """Whether any account of this host may be written to live, or ever was; which one, only its token tells."""
        return any(limits.live or at_all for limits in self._of_host(host))

    def holds_live(self) -> bool:
        """Whether any account of this journal, at whatever host, may be written to live."""
        with reading(self._engine) as connection:
            hosts = connection.execute(select(LIMITS.c.host).distinct()).scalars().all()
        return any(self.has_live(host) for host in hosts)

    def cool_off_hours(self, host: str, *, is_live: bool) -> int:
        """How long a destination is on the list before money goes there, by the strictest account of this host."""
        found = self._of_host(host) or [Limits()]
        return max(limits.cool_off_hours(is_live=is_live) for limits in found)

    def _of_host(self, host: str) -> list[Limits]:
        query = select(LIMITS.c.account_id).where(LIMITS.c.host == host).distinct()
        with reading(self._engine) as connection:
            found = [current(connection, host, account_id) for account_id in connection.execute(query).scalars().all()]
        return [limits for limits in found if limits is not None]


def current(connection: Connection, host: str, account_id: str) -> Limits | None:
    """What holds for an account, read in a transaction that somebody holds.

    Raises:
        GuardRefused: there is a row, but it cannot be read; nothing may be sent then.
    """
    row = _newest(connection, host, account_id)
    return _version(row).limits if row is not None else None


def _newest(connection: Connection, host: str, account_id: str) -> Row[Any] | None:
    return connection.execute(_VERSION, _of(host, account_id)).one_or_none()


def _of(host: str, account_id: str) -> dict[str, str]:
    return {"its_host": host, "its_account": account_id}


def _version(row: Row[Any]) -> SetLimits:
    try:
        limits = Limits.model_validate(json.loads(row.limits))
    except (ValidationError, ValueError, InvalidInput):
        raise GuardRefused(
            f"Version {row.version} of this account's limits cannot be read, so nothing is sent. Set them anew with "
            "`tradehook limits set`, or update tradehook.",
            rule="limits",
        ) from None
    return SetLimits(
        version=row.version,
        limits=limits,
        set_by=row.set_by,
        why=row.why,
        set_at=datetime.fromisoformat(row.set_at),
    )
