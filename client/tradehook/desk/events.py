"""The story of each intent: one row for each thing that happened, never changed and never taken away."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert

from tradehook.desk.intents import iso
from tradehook.desk.tables import EVENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection


def add_event(connection: Connection, intent_id: str, what: str, detail: Mapping[str, Any]) -> None:
    """Add to an intent's story, in the transaction that makes it so."""
    now = iso(datetime.now(UTC))
    connection.execute(insert(EVENT).values(intent_id=intent_id, at=now, what=what, detail=json.dumps(dict(detail))))
