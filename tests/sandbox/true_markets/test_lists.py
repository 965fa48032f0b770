"""The list of orders: newest first, page by page, in every spelling of a cursor."""

from __future__ import annotations

import pytest


@pytest.fixture
def crowd(trader):
    """Twelve orders: five complete, seven resting; oldest first."""
    ids = [trader.placed("buy", "0.0001") for _ in range(5)]
    trader.settle()
    ids += [trader.placed("buy", "0.0001", price="60000.0") for _ in range(7)]
    trader.settle()
    return ids


def pages(trader, *, limit, spell=lambda cursor: cursor, **query):
    found, cursor = [], None
    while True:
        more = {"cursor": spell(cursor)} if cursor else {}
        status, body = trader.call("GET", "/orders", query={"limit": str(limit), **query, **more})
        assert status == 200, body
        assert body["pagination"]["limit"] == limit
        found += [row["order_id"] for row in body["data"]]
        cursor = body["pagination"]["next_cursor"]
        if cursor is None:
            return found


@pytest.mark.parametrize(
    "spell",
    [
        lambda cursor: cursor,
        lambda cursor: cursor.replace("Z", "+00:00"),
        lambda cursor: cursor.replace("Z", "%2B00:00"),
        lambda cursor: cursor.replace("Z", " 00:00"),
    ],
    ids=["Z", "+00:00", "%2B00:00", "plus read as a space"],
)
@pytest.mark.parametrize("limit", [1, 5, 12, 100])
def test_pages_hold_every_order_once_newest_first(trader, crowd, limit, spell):
    assert pages(trader, limit=limit, spell=spell) == crowd[::-1]


def test_a_cursor_in_the_address_itself_is_read_like_a_parameter(trader, crowd):
    first = trader.call("GET", "/orders?limit=5")[1]
    cursor = first["pagination"]["next_cursor"].replace("Z", "%2B00:00")
    rest = trader.call("GET", f"/orders?limit=100&cursor={cursor}")[1]
    assert [row["order_id"] for row in first["data"] + rest["data"]] == crowd[::-1]


def test_the_default_page_is_fifty(trader, crowd):
    assert trader.call("GET", "/orders")[1]["pagination"] == {"next_cursor": None, "limit": 50}
    assert len(trader.call("GET", "/orders")[1]["data"]) == len(crowd)


def test_orders_can_be_asked_for_by_status(trader, crowd):
    assert pages(trader, limit=3, status="complete") == crowd[4::-1]
    assert pages(trader, limit=3, status="active, pending") == crowd[:4:-1]
    assert pages(trader, limit=100, status="failed,canceled") == []
    assert pages(trader, limit=100, status="") == crowd[::-1]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ({"limit": "0"}, "limit must be between 1 and 100"),
        ({"limit": "101"}, "limit must be between 1 and 100"),
        ({"limit": "x"}, "limit must be between 1 and 100"),
        ({"limit": "²"}, "limit must be between 1 and 100"),
        ({"cursor": "yesterday"}, "RFC 3339"),
        ({"cursor": "2026-09-21T14:13:20"}, "RFC 3339"),
        ({"status": "filled"}, "unknown status"),
    ],
)
def test_a_question_that_makes_no_sense_is_400(trader, query, words):
    status, body = trader.call("GET", "/orders", query=query)
    assert status == 400
    assert words in body["message"]


def test_no_two_orders_share_a_creation_time_even_when_time_stands_still(trader, crowd):
    rows = trader.call("GET", "/orders")[1]["data"]
    assert len({row["created_at"] for row in rows}) == len(crowd)


def test_a_row_is_what_the_reference_shows(trader):
    order_id = trader.placed("buy", "0.0010", price="60000.0")
    trader.settle()
    row = trader.call("GET", "/orders")[1]["data"][0]
    expected = {
        "order_id": order_id,
        "base_asset": "BTC",
        "quote_asset": "PYUSD",
        "type": "limit",
        "side": "buy",
        "price": "60000",
        "qty": "0.001",
        "executed_qty": "0",
        "leaves_qty": "0.001",
        "executed_vwap": "0",
        "status": "active",
        "created_at": "2026-09-21T14:13:20.000000Z",
    }
    assert expected.items() <= row.items()
    assert row["qty_unit"] == "base"
    assert row["venue"] == "cefi"
    single = trader.detail(order_id)
    assert "explorer_url" not in single
    assert single == {name: value for name, value in row.items() if name != "explorer_url"}
