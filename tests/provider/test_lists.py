"""Lists of orders and transfers as files: whole or not there, money as text, and only what was asked for."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")

BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
LIMIT = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001", "price": "50000", "good_for": "1h", "chain": None}


@pytest.fixture(scope="module")
def server(start_sandbox):
    """One sandbox for this file, whose payouts take for ever."""
    return start_sandbox("--rate-limit", "0", "--withdrawal-seconds", "3600")


@pytest.fixture(scope="module")
def made(server, tmp_path_factory):
    """Two resting orders, one that was canceled, and a transfer on its way."""
    from tradehook_provider.arguments import new_order, new_transfer

    folder = tmp_path_factory.mktemp("journal")
    with pytest.MonkeyPatch.context() as patch:
        connect(patch, folder, server)
        with hook() as opened:
            desk = opened.desk
            orders = [
                desk.place_order(new_order(**LIMIT), intent_id=f"i-{number}", source="test").order.order_id
                for number in range(3)
            ]
            desk.cancel_order(orders[2])
            desk.journal.destinations.add(desk.exchange.host, "vault", network="bitcoin", address=BITCOIN, by="test")
            wanted = new_transfer(asset="BTC", amount="0.01", destination="vault", chain=None)
            transfer = desk.create_transfer(wanted, intent_id="t-1", source="test").transfer.transfer_id
            while not opened.get_conn().get_order(orders[2]).is_final:
                time.sleep(0.3)
    return orders, transfer, folder


@pytest.fixture
def account(monkeypatch, made, server):
    connect(monkeypatch, made[2], server)
    yield server
    server.clear_faults()


def hook():
    from tradehook_provider.hooks.exchange import ExchangeHook

    return ExchangeHook()


def write(kind, path, **more):
    from tradehook_provider.operators import lists

    made = {"orders": lists.ListOrdersOperator, "transfers": lists.ListTransfersOperator}[kind]
    return made(task_id="l", path=str(path), **more).execute({})


def lines(path):
    return [json.loads(line) for line in Path(path).read_text().splitlines()]


def test_both_are_written_in_a_real_dag(run_dag, account, made, tmp_path):
    run = run_dag("write_lists", {"folder": str(tmp_path)})
    assert run.state == "success", run.output
    told = run.result("orders")
    assert told["count"] == 3
    orders = lines(told["path"].removeprefix("file://"))
    assert {order["order_id"] for order in orders} == {*made[0]}
    assert all(isinstance(order["price"], str) and order["payloads"] == [] for order in orders)
    (transfer,) = lines(run.result("transfers")["path"].removeprefix("file://"))
    assert (transfer["transfer_id"], transfer["quantity"]) == (made[1], "0.01")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["orders.jsonl", "transfers.jsonl"]


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"statuses": ["canceled"]}, {2}),
        ({"statuses": "open, pending"}, {0, 1}),
        ({"statuses": '["open", "canceled"]'}, {0, 1, 2}),
        ({"statuses": ("filled",)}, set()),
        ({"since": "1h"}, {0, 1, 2}),
        ({"since": datetime.now(UTC) + timedelta(days=1)}, set()),
        ({"since": "2026-01-01 00:00:00+00:00", "statuses": ["canceled"]}, {2}),
    ],
)
def test_only_what_was_asked_for(account, made, tmp_path, more, expected):
    path = tmp_path / "o.jsonl"
    told = write("orders", f"file://{path}", **more)
    assert {made[0].index(order["order_id"]) for order in lines(path)} == expected
    assert told == {"path": f"file://{path}", "count": len(expected)}


def test_transfers_by_status(account, made, tmp_path):
    for statuses, count in (("pending", 1), ("completed", 0), ("completed,pending", 1), (None, 1)):
        assert write("transfers", tmp_path / "t.jsonl", statuses=statuses)["count"] == count


def test_a_list_that_breaks_off_leaves_what_was_there(account, made, tmp_path, monkeypatch):
    from tradehook.client import AsyncClient
    from tradehook.errors import Unavailable

    path = tmp_path / "o.jsonl"
    path.write_text("yesterday's\n")
    whole = AsyncClient.list_orders

    async def broken(self, **more):
        async for order in whole(self, **more):
            yield order
            # The half is there by now, beside its place.
            assert len([*tmp_path.iterdir()]) == 2
            raise Unavailable("down")

    from tradehook.client import Client
    from tradehook.run import blocking_each

    monkeypatch.setattr(Client, "list_orders", blocking_each(broken))
    with pytest.raises(Unavailable):
        write("orders", path)
    assert (path.read_text(), [*tmp_path.iterdir()]) == ("yesterday's\n", [path])
    monkeypatch.undo()


def test_a_second_time_it_is_replaced_also_in_a_storage_of_objects(account, made):
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach(protocol="memory", fs=MemoryFileSystem())
    path = "memory://bucket/lists/orders.jsonl"
    for _ in range(2):
        assert write("orders", path) == {"path": path, "count": 3}
    written = ObjectStoragePath(path)
    assert len(written.read_text().splitlines()) == 3
    assert [entry.name for entry in written.parent.iterdir()] == ["orders.jsonl"]


@pytest.mark.parametrize(
    ("kind", "more", "says"),
    [
        ("orders", {"statuses": "lost"}, "'lost' is not a status: there is created, pending"),
        ("transfers", {"statuses": "filled"}, "'filled' is not a status: there is created"),
        ("orders", {"statuses": 3}, "words with commas"),
        ("orders", {"since": "soon"}, "is not a time"),
        ("orders", {"path": ""}, "path is missing"),
        ("orders", {"path": "nowhere://bucket/o.jsonl"}, "cannot write to nowhere://bucket"),
    ],
)
def test_what_cannot_be_asked_fails_with_the_reason_and_writes_nothing(account, tmp_path, kind, more, says):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=says):
        write(kind, more.pop("path", tmp_path / "x.jsonl"), **more)
    assert [*tmp_path.iterdir()] == []


def test_an_exchange_without_a_list_of_transfers_says_its_sentence(monkeypatch, tmp_path):
    from airflow.sdk.exceptions import AirflowFailException

    connection = {"conn_type": "fintrusted", "host": "http://127.0.0.1:9", "extra": {"environment": "sandbox"}}
    monkeypatch.setenv("AIRFLOW_CONN_FINTRUSTED_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    with pytest.raises(AirflowFailException, match="FinTrusted has no documented way to send coins"):
        write("transfers", tmp_path / "t.jsonl", exchange_conn_id="fintrusted_default")
