"""One message for each order from chat, edited as the order goes. Which message, and what it should say.

`wanted` is written in the transaction that sees the news, `shown` after the edit has arrived; where they differ an edit
is due. So an edit that was lost to a crash or to the network is made up for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from tradehook.desk.schema import writing
from tradehook_bot.tables import ORDER_MESSAGE

if TYPE_CHECKING:
    from sqlalchemy import Connection, Row

    from tradehook_bot.store import Store

SUBMITTING = "submitting"
NEVER_SENT = "never sent"


@dataclass(frozen=True, slots=True)
class OrderMessage:
    """Where an order's message stands, and what it should say."""

    intent_id: str
    chat_id: int
    account: str | None
    """What people call its account; `None` in rows of a version that knew only one."""
    message_id: int
    wanted: str
    shown: str
    last_words: str | None


class OrderMessages:
    """This bot's order messages. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = ORDER_MESSAGE.c.bot_id == store.bot_id

    def begin(self, intent_id: str, *, chat_id: int, account: str | None, message_id: int) -> None:
        """The order's message is this one, and says that the order is being submitted."""
        with writing(self._store.engine) as connection:
            connection.execute(
                insert(ORDER_MESSAGE).values(
                    bot_id=self._store.bot_id,
                    intent_id=intent_id,
                    chat_id=chat_id,
                    account=account,
                    message_id=message_id,
                    wanted=SUBMITTING,
                    shown=SUBMITTING,
                )
            )

    def get(self, intent_id: str) -> OrderMessage | None:
        """The message of this order, if it came from this bot."""
        query = select(ORDER_MESSAGE).where(self._mine, ORDER_MESSAGE.c.intent_id == intent_id)
        with self._store.engine.connect() as connection:
            row = connection.execute(query).one_or_none()
        return _message(row) if row is not None else None

    def want_within(self, connection: Connection, intent_id: str, wanted: str) -> None:
        """The message should say this, from the transaction on that sees the news."""
        connection.execute(
            update(ORDER_MESSAGE)
            .where(self._mine, ORDER_MESSAGE.c.intent_id == intent_id, ORDER_MESSAGE.c.last_words.is_(None))
            .values(wanted=wanted)
        )

    def end(self, intent_id: str, *, last_words: str) -> None:
        """The message should say these words for good: the journal will have no news."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(ORDER_MESSAGE)
                .where(self._mine, ORDER_MESSAGE.c.intent_id == intent_id)
                .values(wanted=NEVER_SENT, last_words=last_words)
            )

    def due(self) -> list[OrderMessage]:
        """Messages that do not say what they should."""
        query = select(ORDER_MESSAGE).where(self._mine, ORDER_MESSAGE.c.wanted != ORDER_MESSAGE.c.shown)
        with self._store.engine.connect() as connection:
            return [_message(row) for row in connection.execute(query)]

    def shows(self, message: OrderMessage) -> None:
        """The message says what was wanted of it."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(ORDER_MESSAGE)
                .where(self._mine, ORDER_MESSAGE.c.intent_id == message.intent_id)
                .values(shown=message.wanted)
            )


def _message(row: Row[Any]) -> OrderMessage:
    return OrderMessage(
        intent_id=row.intent_id,
        chat_id=row.chat_id,
        account=row.account,
        message_id=row.message_id,
        wanted=row.wanted,
        shown=row.shown,
        last_words=row.last_words,
    )
