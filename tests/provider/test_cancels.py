"""Cancels from Airflow: each order is asked for, what became of it is told, and nothing stops a cancel."""

from __future__ import annotations

import json
import time
from types import SimpleNamespace

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")

LIMIT = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001", "price": "50000", "good_for": "1h"}


@pytest.fixture(scope="module")
def server(start_sandbox):
    """One sandbox for this file: starting one takes longer than most of its tests."""
    return start_sandbox("--rate-limit", "0")


@pytest.fixture
def account(monkeypatch, tmp_path, server):
    """It, without faults and open orders, behind a journal of this test's own."""
    connect(monkeypatch, tmp_path, server)
    yield server
    server.clear_faults()
    cancel(all_orders=True)


def hook(conn_id="true_markets_default"):
    from tradehook_provider.hooks.exchange import ExchangeHook

    return ExchangeHook(conn_id)


def place(*, intent_id="i-1", conn_id="true_markets_default", **more):
    from tradehook_provider.arguments import new_order

    with hook(conn_id) as opened:
        order = new_order(**{"chain": None, **LIMIT, **more})
        return opened.desk.place_order(order, intent_id=intent_id, source="test").order.order_id


def operator(**more):
    from tradehook_provider.operators.cancels import CancelOrderOperator

    return CancelOrderOperator(task_id="c", **more)


def cancel(pushed=None, **more):
    def push(*, key, value):
        (pushed if pushed is not None else {})[key] = value

    told = operator(**more).execute({"ti": SimpleNamespace(xcom_push=push)})
    assert json.loads(json.dumps(told)) == told
    return told


def status(account, order_id):
    return {order["order_id"]: order["status"] for order in account.admin("GET", "orders")["data"]}[order_id]


def test_an_output_of_a_place_is_canceled_in_a_real_dag(run_dag, account):
    run = run_dag("quote_and_cancel")
    assert run.state == "success", run.output
    order_id = run.result("rest")["order_id"]
    told = run.result("cancel")
    assert (told["canceled"], told["canceling"], told["already_ended"], told["unknown"]) == ([order_id], [], [], [])
    assert told["orders"][order_id]["status"] == "canceled"
    assert run.result("quote")["cost"].startswith("2")
    assert status(account, order_id) == "canceled"


def test_again_it_is_told_as_ended_and_is_no_failure(account):
    order_id = place()
    assert cancel(order_id=order_id)["canceled"] == [order_id]
    again = cancel(order_id=order_id)
    assert (again["canceled"], again["already_ended"]) == ([], [order_id])
    assert again["orders"][order_id]["status"] == "canceled"


def test_an_order_that_was_filled_is_told_as_ended(account):
    order_id = place(price=None, good_for=None)
    while status(account, order_id) != "complete":
        time.sleep(0.1)
    told = cancel(order_id=order_id)
    assert (told["already_ended"], told["orders"][order_id]["status"]) == ([order_id], "filled")


@pytest.mark.parametrize("write", [list, tuple, json.dumps])
def test_many_of_which_one_is_unknown_are_canceled_before_the_task_fails(account, write):
    from airflow.sdk.exceptions import AirflowFailException

    orders, stranger = [place(intent_id=f"i-{number}") for number in range(2)], "00000000-0000-4000-8000-000000000000"
    ids, pushed = write([orders[0], stranger, orders[1], orders[0]]), {}
    with pytest.raises(AirflowFailException, match=f"does not know {stranger}"):
        cancel(pushed, order_id=ids)
    assert (pushed["return_value"]["canceled"], pushed["return_value"]["unknown"]) == (orders, [stranger])
    assert [status(account, order_id) for order_id in orders] == ["canceled", "canceled"]
    assert cancel(order_id=stranger, fail_if_unknown=False)["unknown"] == [stranger]


def test_all_are_canceled_or_those_of_a_market_and_side(account):
    ids = {
        "buy": place(intent_id="a"),
        "sell": place(intent_id="b", side="sell", price="90000"),
        "eth": place(intent_id="c", market="ETH/PYUSD", amount="0.1", price="1000"),
    }
    assert cancel(all_orders=True, market="BTC/PYUSD", side="sell")["canceled"] == [ids["sell"]]
    assert cancel(all_orders=True, side="sell")["canceled"] == []
    assert cancel(all_orders=True, market="ETH-PYUSD")["canceled"] == [ids["eth"]]
    assert cancel(all_orders=True)["canceled"] == [ids["buy"]]
    assert cancel(all_orders=True)["orders"] == {}


def test_by_intent(account):
    from tradehook.errors import Rejected
    from tradehook_provider.arguments import new_order

    order_id = place(intent_id="placed")
    account.fault("error_before", status=400)
    with hook() as opened, pytest.raises(Rejected):
        opened.desk.place_order(new_order(**LIMIT, chain=None), intent_id="refused", source="test")
    told = cancel(intent_id=["placed", "refused"])
    assert (told["canceled"], told["not_placed"]) == ([order_id], ["refused"])


def test_an_intent_in_doubt_or_that_is_not_there_fails_and_says_so(account):
    from airflow.sdk.exceptions import AirflowFailException

    from tradehook.errors import OutcomeUnknown

    account.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        place(intent_id="lost")
    with pytest.raises(AirflowFailException, match="UNKNOWN"):
        cancel(intent_id="lost")
    with pytest.raises(AirflowFailException, match="There is no intent"):
        cancel(intent_id="nowhere")


def test_a_freeze_never_stops_a_cancel(account):
    order_id = place()
    with hook() as opened:
        opened.desk.journal.set_trading_state("HALTED", by="test")
    assert cancel(order_id=order_id)["canceled"] == [order_id]


def test_one_that_fails_holds_up_no_other_and_is_tried_again(account):
    from tradehook.errors import TradehookError
    from tradehook_provider.failures import may_be_tried_again

    orders, pushed = [place(intent_id=f"i-{number}") for number in range(2)], {}
    account.fault("error_before", method="DELETE", path="/orders/{id}", status=503, times=4)
    with pytest.raises(TradehookError) as caught:
        cancel(pushed, order_id=orders)
    assert may_be_tried_again(caught.value)
    assert pushed["return_value"]["canceled"] == orders[1:]
    assert cancel(order_id=orders)["canceled"] == orders[:1]


def test_where_orders_are_not_listed_those_from_here_are_canceled_and_it_says_so(monkeypatch, tmp_path, start_sandbox):
    server = start_sandbox()
    monkeypatch.setenv(
        "AIRFLOW_CONN_FINTRUSTED_DEFAULT",
        json.dumps({"conn_type": "fintrusted", "host": server.url, "extra": {"environment": "sandbox"}}),
    )
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    order_id = place(conn_id="fintrusted_default", market="BTC/USDT")
    told = cancel(all_orders=True, exchange_conn_id="fintrusted_default", wait_seconds=0)
    assert told["canceling"] == [order_id]
    assert told["says"].startswith("FinTrusted has no way to ask how an order stands, or which there are.")


@pytest.mark.parametrize(
    "wrong",
    [{}, {"order_id": "a", "all_orders": True}, {"order_id": "a", "intent_id": "b"}, {"order_id": "a", "side": "buy"}],
)
def test_it_wants_one_way_to_say_which(wrong):
    with pytest.raises(ValueError, match=r"give one of them|choose among"):
        operator(**wrong)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"order_id": ""}, "order_id is missing"),
        ({"order_id": "[1"}, "should be a list"),
        ({"all_orders": True, "market": "BTC"}, "is not a market"),
        ({"all_orders": True, "side": "hold"}, "is not a side"),
    ],
)
def test_what_templates_leave_is_read_strictly(account, wrong, says):
    from airflow.sdk.exceptions import AirflowFailException

    order_id = place()
    with pytest.raises(AirflowFailException, match=says):
        cancel(**wrong)
    assert status(account, order_id) in ("pending", "active")
