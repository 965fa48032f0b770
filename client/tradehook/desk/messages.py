"""Messages that a task leaves in the journal, for whoever tells people: the bot reads them and sends them on.

Each has a key of its sender's, so that what is left again by a retry is one message. They are kept for some weeks, and
then the oldest go: nothing is decided by them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, insert, select
from sqlalchemy.exc import IntegrityError

from tradehook.desk.intents import iso
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import MESSAGE
from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Engine

LONGEST_KEY, LONGEST_TITLE, LONGEST_BODY = 255, 200, 3500
"""In characters; a chat's message holds 4,096 with all that stands around it."""
KEPT = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Message:
    """One message, as it was left."""

    message_id: int
    """Rises from message to message."""
    key: str
    title: str
    body: str
    """Plain text: what looks like markup in it is no markup."""
    account: str | None
    """Whose money it is about, as people call the account."""
    source: str
    is_silent: bool
    left_at: datetime


class Messages:
    """The messages in one journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def leave(
        self, key: str, body: str, *, title: str = "", account: str | None = None, source: str, is_silent: bool = False
    ) -> bool:
        """The message is there for whoever tells people; whether it is new. May be repeated: a key is left once.

        Args:
            key: the sender's own name for it, at most 255 characters.
            body: what to say, cut where it is too long.
            title: a line above it.
            account: whose money it is about.
            source: who says it.
            is_silent: whether it should arrive without a sound.

        Raises:
            InvalidInput: there is no key, or nothing to say.
        """
        if not key or len(key) > LONGEST_KEY:
            raise InvalidInput(f"A message needs a key of at most {LONGEST_KEY} characters.")
        title, body = _cut(title, LONGEST_TITLE), _cut(body, LONGEST_BODY)
        if not body:
            raise InvalidInput("There is nothing to tell.")
        now = datetime.now(UTC)
        row = {
            "key": key,
            "title": title,
            "body": body,
            "account": account,
            "source": source[:255],
            "is_silent": is_silent,
            "left_at": iso(now),
        }
        with writing(self._engine) as connection:
            try:
                with connection.begin_nested():  # PostgreSQL ends a transaction at its first failure
                    connection.execute(insert(MESSAGE).values(row))
            except IntegrityError:
                return False
            connection.execute(delete(MESSAGE).where(MESSAGE.c.left_at < iso(now - KEPT)))
        return True

    def after(self, message_id: int, *, limit: int = 100) -> Sequence[Message]:
        """What was left after a message, oldest first."""
        query = select(MESSAGE).where(MESSAGE.c.message_id > message_id).order_by(MESSAGE.c.message_id).limit(limit)
        with reading(self._engine) as connection:
            return [
                Message(
                    message_id=row.message_id,
                    key=row.key,
                    title=row.title,
                    body=row.body,
                    account=row.account,
                    source=row.source,
                    is_silent=row.is_silent,
                    left_at=datetime.fromisoformat(row.left_at),
                )
                for row in connection.execute(query)
            ]

    def newest(self) -> int:
        """The number of the newest message; 0 without any."""
        with reading(self._engine) as connection:
            return connection.execute(select(func.max(MESSAGE.c.message_id))).scalar() or 0


def _cut(text: str, longest: int) -> str:
    """As much as may be; that it is cut can be seen. A NUL no database takes."""
    text = text.replace("\0", "").strip()
    return text if len(text) <= longest else f"{text[: longest - 1]}…"
