"""Intents: the durable record that something is to happen once. Plain values, no database.

States move only forward along these arrows, each written to the journal before the next step:

    PREPARED -> SENDING -> ACCEPTED | REJECTED | UNKNOWN
    PREPARED -> SENDING -> CREATED -> EXECUTING -> ACCEPTED | REJECTED | UNKNOWN     (signed orders)
    SENDING, EXECUTING -> PREPARED   when it is certain that nothing was carried out
    CREATED  -> PREPARED             a created order that is not executed moves nothing
    UNKNOWN  -> ACCEPTED             when the order's or transfer's id is known and its own status shows it
    UNKNOWN  -> EXECUTING            the very same signed bytes once more, addressed by their id
    UNKNOWN  -> MATCHED | NEEDS_HUMAN | PROVED_ABSENT        by looking through the exchange's lists (`reconcile.py`)
    UNKNOWN, NEEDS_HUMAN, PROVED_ABSENT -> MATCHED | REJECTED | PREPARED        by a person's word, or by the policy

`SENDING` and `EXECUTING` whose owner is gone read as `UNKNOWN`: the process died between sending and hearing.
`MATCHED` reads as `ACCEPTED`; `NEEDS_HUMAN` and `PROVED_ABSENT` read as `UNKNOWN`, since both hold until somebody says
what is so.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

from tradehook import errors
from tradehook.errors import InvalidInput, TradehookError
from tradehook.futures import FuturesOrder
from tradehook.models import Order, SizedOrder
from tradehook.transfers import Transfer

LONGEST_ID = 200
_FOREIGN_OWNER_SECONDS = 180.0
"""How long an owner on another machine, whom we cannot look at, is taken to live."""


class State(StrEnum):
    """Where an intent stands."""

    PREPARED = "PREPARED"
    SENDING = "SENDING"
    CREATED = "CREATED"
    EXECUTING = "EXECUTING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"
    UNKNOWN = "UNKNOWN"
    MATCHED = "MATCHED"
    """Found in the exchange's list after the answer was lost."""
    NEEDS_HUMAN = "NEEDS_HUMAN"
    """Looked for, and what was found does not tell."""
    PROVED_ABSENT = "PROVED_ABSENT"
    """Looked for until nothing could come any more, and not there. Held all the same."""


PLACED = (State.ACCEPTED, State.MATCHED)
"""It exists at the exchange."""
IN_DOUBT = (State.UNKNOWN, State.NEEDS_HUMAN, State.PROVED_ABSENT)
"""It may exist or not, as stored; `reads_as` adds senders who are gone."""
SENDERS = (State.SENDING, State.EXECUTING)


@dataclass(frozen=True, slots=True)
class Intent:
    """One row of the journal."""

    intent_id: str
    kind: str
    """`order`, `transfer`, `futures` or `plan`."""
    exchange: str
    host: str
    environment: str
    account: str
    account_id: str | None
    """The exchange's own user id, once it is known."""
    source: str
    """Who asked: `cli`, `chat:...`, `airflow:...`."""
    asked: dict[str, Any]
    asked_hash: str
    request: dict[str, Any] | None
    """What was settled once, from what was asked: a sized order, or a plan's legs."""
    state: State
    attempt: int
    owner: str | None
    sending_at: datetime | None
    exchange_id: str | None
    """What the exchange calls the order or transfer that came of it."""
    seen: dict[str, Any] | None
    """How that was last seen."""
    is_final: bool
    error: dict[str, Any] | None
    created_at: datetime
    updated_at: datetime
    notional: Decimal | None = None
    """What the guard set aside for it, in the account's money."""
    fingerprint: str | None = None
    """What it looks like at the exchange, see `fingerprint.py`."""
    baseline: dict[str, Any] | None = None
    """What was there before it was sent, see `reconcile.py`."""
    looking_until: datetime | None = None
    """Until when it can still appear at the exchange."""
    resolution: dict[str, Any] | None = None
    """How a doubt ended: `how`, `by`, `why`, and what was seen."""
    good_until: datetime | None = None
    """When tradehook itself cancels what still rests of it."""
    parent_id: str | None = None
    """The plan it is a leg of."""

    @property
    def reads_as(self) -> State:
        """The state as everybody must treat it: a sender who is gone leaves doubt."""
        if self.state in SENDERS and not self.has_living_owner:
            return State.UNKNOWN
        if self.state is State.MATCHED:
            return State.ACCEPTED
        return State.UNKNOWN if self.state in IN_DOUBT else self.state

    @property
    def standing(self) -> State:
        """The state for a person: `reads_as`, but what was found out about a doubt is told apart."""
        return self.state if self.state in (*PLACED, *IN_DOUBT) else self.reads_as

    @property
    def has_living_owner(self) -> bool:
        """Whether the process that is sending still runs."""
        return self.owner is not None and is_alive(self.owner, sending_at=self.sending_at)

    @property
    def is_left_unsigned(self) -> bool:
        """Whether it was to be signed, and whoever prepared it is gone without doing so: nothing moves by itself."""
        is_prepared = self.state in (State.SENDING, State.CREATED)
        # What a look found to be so is PREPARED again, without an error. By a person's word it may have been signed.
        is_untold = self.error is None and self.resolution is None
        is_abandoned = self.state is State.PREPARED and self.attempt > 0 and is_untold
        is_signed = (self.request or {}).get("chain") is not None
        return is_signed and (is_prepared or is_abandoned) and not self.has_living_owner

    @property
    def noun(self) -> str:
        """What people call it: `order`, `transfer`, `futures order`."""
        return "futures order" if self.kind == "futures" else self.kind

    @property
    def sized(self) -> SizedOrder | None:
        """The order that is or was sent."""
        return SizedOrder.model_validate(self.request) if self.kind == "order" and self.request else None

    @property
    def order_id(self) -> str | None:
        """The order that came of it; `None` before there is one, and for a transfer."""
        return self.exchange_id if self.kind == "order" else None

    @property
    def last_order(self) -> Order | None:
        """The order as last seen at the exchange."""
        return Order.model_validate(self.seen) if self.seen and self.kind == "order" else None

    @property
    def last_transfer(self) -> Transfer | None:
        """The transfer as last seen at the exchange."""
        return Transfer.model_validate(self.seen) if self.seen and self.kind == "transfer" else None

    @property
    def last_futures(self) -> FuturesOrder | None:
        """The futures order as last seen at the exchange."""
        return FuturesOrder.model_validate(self.seen) if self.seen and self.kind == "futures" else None

    @property
    def made(self) -> Order | Transfer | FuturesOrder | None:
        """What came of it, whatever it is, as last seen at the exchange."""
        return self.last_order or self.last_transfer or self.last_futures

    @property
    def stored_error(self) -> TradehookError | None:
        """Why it is not simply accepted, as the journal keeps it."""
        return error_from_dict(self.error) if self.error else None

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json` and XCom."""
        return {
            "intent_id": self.intent_id,
            "kind": self.kind,
            "state": str(self.reads_as),
            "standing": str(self.standing),
            "exchange": self.exchange,
            "environment": self.environment,
            "account": self.account,
            "source": self.source,
            "asked": self.asked,
            "request": self.request,
            "attempt": self.attempt,
            f"{self.kind}_id": self.exchange_id,
            self.kind: {**self.seen, "payloads": []} if self.seen else None,
            "error": self.error,
            "resolution": self.resolution,
            "looking_until": iso(self.looking_until) if self.looking_until else None,
            "good_until": iso(self.good_until) if self.good_until else None,
            "parent_id": self.parent_id,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


def iso(at: datetime) -> str:
    """RFC 3339 with Z, always with microseconds: texts then sort as the times do."""
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def check_intent_id(intent_id: str) -> str:
    """The id as it is stored.

    Raises:
        InvalidInput: empty, too long, or not printable ASCII without spaces.
    """
    if not (0 < len(intent_id) <= LONGEST_ID and all("!" <= character <= "~" for character in intent_id)):
        raise InvalidInput(
            f"An intent id is 1 to {LONGEST_ID} letters, digits and signs without spaces; this one is not."
        )
    return intent_id


def hash_of(asked: dict[str, Any]) -> str:
    """One hash for one request, whatever the order of its parts."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def derived_id(*parts: str) -> str:
    """An intent id from its parts: the same parts give the same id, on every try and every machine."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def read_intent(row: Any) -> Intent:
    """An intent from its row in the journal."""
    return Intent(
        intent_id=row.intent_id,
        kind=row.kind,
        exchange=row.exchange,
        host=row.host,
        environment=row.environment,
        account=row.account,
        account_id=row.account_id,
        source=row.source,
        asked=json.loads(row.asked),
        asked_hash=row.asked_hash,
        request=json.loads(row.request) if row.request else None,
        state=State(row.state),
        attempt=row.attempt,
        owner=row.owner,
        sending_at=_time(row.sending_at),
        exchange_id=row.exchange_id,
        seen=json.loads(row.seen) if row.seen else None,
        is_final=row.is_final,
        error=json.loads(row.error) if row.error else None,
        created_at=datetime.fromisoformat(row.created_at),
        updated_at=datetime.fromisoformat(row.updated_at),
        notional=Decimal(row.notional) if row.notional else None,
        fingerprint=row.fingerprint,
        baseline=json.loads(row.baseline) if row.baseline else None,
        looking_until=_time(row.looking_until),
        resolution=json.loads(row.resolution) if row.resolution else None,
        good_until=_time(row.good_until),
        parent_id=row.parent_id,
    )


def _time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


# --- owners -----------------------------------------------------------------------------------------------------


def this_owner() -> str:
    """This process, told apart from a later one that gets the same number."""
    return f"{socket.gethostname()}:{os.getpid()}:{_started(os.getpid())}"


def is_alive(owner: str, *, sending_at: datetime | None) -> bool:
    """Whether the process behind an owner mark still runs."""
    host, pid, started = [*owner.split(":"), "", ""][:3]
    if host != socket.gethostname() or not pid.isdigit():
        return sending_at is not None and time.time() - sending_at.timestamp() < _FOREIGN_OWNER_SECONDS
    return _started(int(pid)) == started != ""


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty when there is none (or it is dead but not reaped)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return _started_elsewhere(pid)
    return "" if fields[0] in "ZX" else fields[19]


def _started_elsewhere(pid: int) -> str:
    if Path("/proc/self/stat").exists():
        return ""
    try:  # a system without /proc: only whether it exists can be told
        os.kill(pid, 0)
    except ProcessLookupError:
        return ""
    except PermissionError:
        pass
    return "0"


# --- stored errors ----------------------------------------------------------------------------------------------


def error_to_dict(error: TradehookError) -> dict[str, Any]:
    """What the journal keeps of an error, so that a later caller gets the same one."""
    details = {name: value for name, value in error.details.items() if isinstance(value, str | int | float | None)}
    return {"type": type(error).__name__, "message": error.message, "exchange": error.exchange, "details": details}


def error_from_dict(stored: dict[str, Any]) -> TradehookError:
    """The error again."""
    kind = getattr(errors, str(stored.get("type")), TradehookError)
    if not (isinstance(kind, type) and issubclass(kind, TradehookError)):
        kind = TradehookError
    return kind(str(stored.get("message")), exchange=stored.get("exchange"), **stored.get("details", {}))
