"""Walks through lists that come in pages, each item once. Knows nothing of what the items are.

Cursors were seen with whole seconds only while items have microseconds: what was made in the same second as the
last item of a page could be left out. So such a cursor is moved a second on, and what comes twice is dropped.
See: truemarkets-api 5.5.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, TypeVar

from tradehook.errors import InvalidInput
from tradehook.exchanges.true_markets import parse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping

    from tradehook.session import Session
    from tradehook.wire import Request, Response

PAGE_SIZE = 100

Item = TypeVar("Item")
StatusT = TypeVar("StatusT", bound=StrEnum)


async def each(
    session: Session,
    page: Callable[[str | None], Request],
    item: Callable[[dict[str, object]], Item],
    *,
    key: Callable[[Item], str],
    created: Callable[[Item], datetime | None] = lambda _: None,
    is_anonymous: bool = False,
    most_pages: int | None = None,
) -> AsyncIterator[Item]:
    """Every item of every page, once; pages are read only when they are reached.

    Args:
        session: whose reads these are.
        page: the request for the page that begins at a cursor.
        item: reads one row.
        key: what tells items apart.
        created: when an item was made, for lists whose cursor is a time.
        is_anonymous: whether no token is sent.
        most_pages: how long the list can be at all, for a caller who must read it whole.

    Raises:
        UnexpectedResponse: it is longer than that.
    """

    def read(response: Response) -> tuple[list[Item], str | None]:
        body = parse.accepted(response, 200)
        return [item(row) for row in parse.rows(body)], parse.next_cursor(body)

    cursor: str | None = None
    spare: str | None = None
    seen: set[str] = set()
    read_pages = 0
    while True:
        read_pages += 1
        if most_pages is not None and read_pages > most_pages:
            raise parse.unexpected("the list has no end")
        found, following = await session.read(page(cursor), read, is_anonymous=is_anonymous)
        fresh = {key(entry): entry for entry in found if key(entry) not in seen}
        seen.update(fresh)
        for entry in fresh.values():
            yield entry
        if not fresh and spare is not None:
            # Everything in that second was known: go on behind it.
            cursor, spare = spare, None
            continue
        if following is None or following == cursor or not fresh:
            return
        cursor = _moved_on(following, last=created(found[-1])) if found else following
        spare = following if cursor != following else None


def _moved_on(cursor: str, *, last: datetime | None) -> str:
    """The cursor, or a second later when it has lost the fraction of the last item's second."""
    try:
        at = datetime.fromisoformat(cursor)
    except ValueError:
        return cursor
    if last is None or at.tzinfo is None or not last.microsecond or at != last.replace(microsecond=0):
        return cursor
    try:
        return (at + timedelta(seconds=1)).astimezone(UTC).isoformat().replace("+00:00", "Z")
    except OverflowError:
        return cursor


def vendor_word(status: StatusT, words: Mapping[StatusT, str]) -> str:
    """The exchange's word for one of our statuses. Raises `InvalidInput` where it has none."""
    if status not in words:
        raise InvalidInput(f"Nothing can be listed by {status}: that is our word for one the exchange made up.")
    return words[status]
