"""Prices for a DAG: what an order would cost, as text, and nothing is traded for it."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")


@pytest.fixture(scope="module")
def server(start_sandbox):
    """One sandbox for this file: starting one takes longer than its tests."""
    return start_sandbox("--rate-limit", "0")


@pytest.fixture
def account(monkeypatch, tmp_path, server):
    connect(monkeypatch, tmp_path, server)
    yield server
    server.clear_faults()


def ask(**more):
    from tradehook_provider.operators.quotes import GetQuoteOperator

    return GetQuoteOperator(task_id="q", **{"market": "BTC/PYUSD", "side": "buy", "amount": "0.01", **more}).execute({})


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize("amount", ["0.01", "$250", "1%"])
def test_tells_what_it_comes_to_in_plain_text(account, side, amount):
    told = ask(side=side, amount=amount)
    assert json.loads(json.dumps(told)) == told
    assert (told["market"], told["side"], told["environment"]) == ("BTC/PYUSD", side, "sandbox")
    money = {name: Decimal(told[name]) for name in ("price", "quantity", "cost", "fee") if isinstance(told[name], str)}
    assert len(money) == 4, told
    assert abs(money["price"] * money["quantity"] - money["cost"]) < Decimal("0.01")
    assert money["fee"] == money["cost"] * Decimal("0.0004")
    assert told["asked"]["unit"] == ("quote" if amount == "$250" or (side, amount) == ("buy", "1%") else "base")
    assert account.orders() == 0


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"chain": "base"}, "On a chain, a price is told only of an order that was made"),
        ({"side": "hold"}, "is not a side"),
        ({"amount": 0.1}, "is a float"),
        ({"amount": "1,000"}, "can be read in more than one way"),
    ],
)
def test_what_cannot_be_asked_fails_with_the_reason(account, more, says):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=says):
        ask(**more)


def test_an_exchange_out_of_reach_is_tried_again(account):
    from tradehook.errors import Unavailable

    account.fault("error_before", path="/quotes", status=503, times=None)
    with pytest.raises(Unavailable):
        ask()
