"""Lists in pages: every item once, whatever the cursors are like."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tradehook.exchanges.true_markets import pages
from tradehook.run import run_each
from tradehook.wire import Request, Response, encode_json

START = datetime(2026, 6, 26, 10, 36, 18, 123456, tzinfo=UTC)


class Shop:
    """A list of items, newest first, with the kind of cursor that a test wants."""

    def __init__(
        self, moments: list[datetime], *, size: int, is_coarse: bool = False, is_inclusive: bool = False
    ) -> None:
        self.rows = [{"id": str(number), "created_at": at} for number, at in enumerate(moments)]
        self.size, self.is_coarse, self.is_inclusive = size, is_coarse, is_inclusive
        self.asked: list[str | None] = []

    async def read(self, request: Request, read: Any, **_: Any) -> Any:
        cursor = dict(request.params).get("cursor")
        self.asked.append(cursor)
        assert len(self.asked) < 200, "it never ends"
        rows = self.rows
        if cursor is not None:
            at = datetime.fromisoformat(cursor)
            rows = [row for row in rows if row["created_at"] < at or (self.is_inclusive and row["created_at"] == at)]
        found = rows[: self.size]
        more = len(rows) > self.size
        last = (
            found[-1]["created_at"].replace(microsecond=0)
            if found and self.is_coarse
            else found[-1]["created_at"]
            if found
            else None
        )
        body = {
            "data": [{"id": row["id"], "created_at": row["created_at"].isoformat()} for row in found],
            "pagination": {"next_cursor": last.isoformat().replace("+00:00", "Z") if more and last else None},
        }
        return read(Response(200, {}, encode_json(body)))


def walk(shop: Any) -> list[str]:
    found = pages.each(
        shop,
        lambda cursor: Request("GET", "http://x/orders", params=(("cursor", cursor),) if cursor else ()),
        lambda row: row,
        key=lambda row: row["id"],
        created=lambda row: datetime.fromisoformat(row["created_at"]),
    )
    return [row["id"] for row in run_each(found)]


@pytest.mark.parametrize("is_inclusive", [False, True])
@pytest.mark.parametrize("is_coarse", [False, True])
@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("gap_microseconds", [1, 90_000, 999_983, 1_000_000, 2_500_000])
def test_each_item_comes_once(is_inclusive, is_coarse, size, gap_microseconds):
    moments = [START - timedelta(microseconds=gap_microseconds) * number for number in range(37)]
    shop = Shop(moments, size=size, is_coarse=is_coarse, is_inclusive=is_inclusive)
    found = walk(shop)
    assert len(found) == len(set(found))
    per_second = max(1, 1_000_000 // gap_microseconds)
    if not is_coarse or per_second < size:
        assert found == [str(number) for number in range(37)]


def test_more_items_in_one_second_than_a_page_holds_do_not_hold_it_up():
    """A cursor of whole seconds cannot tell them apart; what is older is still reached."""
    moments = [START - timedelta(microseconds=number) for number in range(8)]
    moments += [START - timedelta(seconds=5 + number) for number in range(8)]
    found = walk(Shop(moments, size=4, is_coarse=True))
    assert set(found) >= {str(number) for number in (0, 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15)}


def test_the_same_page_for_ever_ends():
    class Stuck(Shop):
        async def read(self, request: Request, read: Any, **_: Any) -> Any:
            self.asked.append(None)
            assert len(self.asked) < 10, "it never ends"
            row = {"id": "1", "created_at": START.isoformat()}
            return read(Response(200, {}, encode_json({"data": [row], "pagination": {"next_cursor": "again"}})))

    assert walk(Stuck([], size=1)) == ["1"]


@pytest.mark.parametrize(
    "cursor", ["", "opaque", "2026-06-26T10:36:18", "99999-01-01T00:00:00Z", "2026-06-26T10:36:18Z"]
)
def test_any_cursor_is_passed_on_or_moved_a_second(cursor):
    moved = pages._moved_on(cursor, last=START)
    assert moved in (cursor, "2026-06-26T10:36:19Z")
    assert (moved == cursor) is (cursor != "2026-06-26T10:36:18Z")
