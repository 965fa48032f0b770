"""Two exchanges rebalanced as one from a real Airflow: planned once for each run, continued after a failure."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

AT = datetime(2026, 4, 1, 12, tzinfo=UTC)
TRADED = [
    ("sell", "fintrusted_default", "BTC", "probably filled"),
    ("sell", "true_markets_default", "BTC", "filled"),
    ("buy", "fintrusted_default", "ETH", "probably filled"),
    ("buy", "true_markets_default", "ETH", "filled"),
]


@pytest.fixture
def both(account, monkeypatch):
    """The account, and FinTrusted's demo account in the same sandbox behind `fintrusted_default`."""
    connection = {"conn_type": "fintrusted", "host": account.url, "extra": {"environment": "sandbox"}}
    monkeypatch.setenv("AIRFLOW_CONN_FINTRUSTED_DEFAULT", json.dumps(connection))
    return account


def placed(server):
    return server.orders(), len(server.admin("GET", "fintrusted/orders")["data"])


def legs(result):
    return [(leg["side"], leg["account"], leg["base"], leg["state"]) for leg in result["legs"]]


def test_it_rebalances_both_and_clearing_trades_nothing(run_dag, both):
    run = run_dag("rebalance_both", at=AT)
    assert run.state == "success", run.output
    result = run.result("rebalance")
    assert legs(result) == TRADED
    assert json.loads(json.dumps(result)) == result
    assert "at fintrusted_default: probably filled." in run.output
    both.admin("POST", "prices", {"BTC": "90000"})
    again = run_dag("rebalance_both", {"accounts": ["fintrusted_default", "true_markets_default"]}, at=AT)
    assert again.state == "success", again.output
    assert again.result("rebalance")["plan"] == result["plan"]
    assert placed(both) == (2, 2)


def test_a_retry_continues_the_frozen_plan(run_dag, both, monkeypatch):
    """The third leg cannot be sent on the first try; prices have moved by the second."""
    from tradehook.desk.submit import Desk
    from tradehook.errors import NotSent

    place, calls = Desk.place_order, []

    def third_fails_once(self, order, **more):
        calls.append((self.account, order.base))
        if len(calls) == 3:
            both.admin("POST", "prices", {"ETH": "3600", "BTC": "70000"})
            raise NotSent("The network is gone.")
        return place(self, order, **more)

    monkeypatch.setattr(Desk, "place_order", third_fails_once)
    run = run_dag("rebalance_both")
    assert (run.state, run.tries("rebalance")) == ("success", 2), run.output
    result = run.result("rebalance")
    assert [leg["is_stored"] for leg in result["legs"]] == [True, True, False, False]
    assert legs(result) == TRADED
    assert placed(both) == (2, 2)


def test_a_dry_run_sends_nothing(run_dag, both):
    run = run_dag("rebalance_both", {"dry_run": True})
    assert run.state == "success", run.output
    result = run.result("rebalance")
    assert (result["state"], result["legs"]) == ("DRY_RUN", [])
    assert [(leg["side"], leg["account"]) for leg in result["plan"]["legs"]] == [row[:2] for row in TRADED]
    assert "Dry run, nothing is sent." in run.output
    assert placed(both) == (0, 0)


@pytest.mark.usefixtures("both")
@pytest.mark.parametrize("accounts", [[], ["fintrusted_default", "fintrusted_default"], [""]])
def test_accounts_that_cannot_be_meant_fail_the_task(run_dag, accounts):
    run = run_dag("rebalance_both", {"accounts": accounts})
    assert (run.state, run.tries("rebalance")) == ("failed", 1)
    assert "exchange_conn_ids should be a list" in run.output


@pytest.mark.parametrize("value", ["main", "{}", "[1]", None, ["main", 5]])
def test_names_are_read_strictly(value):
    from tradehook.errors import InvalidInput
    from tradehook_provider.arguments import as_names

    with pytest.raises(InvalidInput, match="x should be a list"):
        as_names(value, what="x")
