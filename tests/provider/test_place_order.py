"""Orders from a real Airflow to a real sandbox: each task run places one, whatever happens to the task."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from tradehook_airflow_home import connect

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
HOME_MODULE = Path(__file__).with_name("airflow_home.py")


@pytest.fixture
def patience(monkeypatch, tmp_path, account):
    """How long a request may take."""
    return lambda seconds: connect(monkeypatch, tmp_path, account, timeout_seconds=seconds)


def test_places_waits_and_returns_plain_values(run_dag, account):
    run = run_dag("place")
    assert run.state == "success", run.output
    result = run.result("place")
    assert (result["status"], result["filled"], result["side"]) == ("filled", "0.001", "buy")
    assert Decimal(result["average_price"]) > 60000
    assert result["sent"]["quantity"] == "0.001"
    assert all(not isinstance(value, float | Decimal) for value in _leaves(result))
    assert json.loads(json.dumps(result)) == result
    assert account.orders() == 1
    assert "Buy 0.0010 BTC" in run.output


def test_clear_and_rerun_returns_the_stored_result(run_dag, account):
    first = run_dag("place", at=AT)
    account.admin("POST", "prices", {"BTC": "90000"})
    again = run_dag("place", at=AT)
    assert again.state == "success"
    assert again.result("place") == first.result("place")
    assert "Not sent again" in again.output
    assert account.orders() == 1


def test_another_run_is_another_order(run_dag, account):
    assert run_dag("place").result("place")["order_id"] != run_dag("place").result("place")["order_id"]
    assert account.orders() == 2


def test_mapped_tasks_have_an_order_each(run_dag, account):
    assert run_dag("mapped").state == "success"
    assert account.orders() == 2


def test_a_retry_after_a_failure_places_no_second_order(run_dag, account, monkeypatch):
    from tradehook.desk.submit import Desk

    watch, calls = Desk.watch, []

    def fail_once(self, intent_id):
        calls.append(intent_id)
        if len(calls) == 1:
            raise RuntimeError("the worker stumbled")
        return watch(self, intent_id)

    monkeypatch.setattr(Desk, "watch", fail_once)
    run = run_dag("place")
    assert (run.state, run.tries("place")) == ("success", 2), run.output
    assert "Not sent again" in run.output
    assert account.orders() == 1


def test_a_killed_worker_leaves_one_order(run_dag, account, tmp_path):
    """The process dies the moment the order is at the exchange; the next one finds it."""
    killer = tmp_path / "sitecustomize.py"
    killer.write_text(
        "import os\n"
        "from tradehook.desk import submit\n"
        "place = submit.Desk.place_order\n"
        "def place_and_die(self, *args, **kwargs):\n"
        "    place(self, *args, **kwargs)\n"
        "    os._exit(9)\n"
        "submit.Desk.place_order = place_and_die\n"
    )
    at = datetime.now(UTC)
    dead = subprocess.run(
        [sys.executable, str(HOME_MODULE), "place", "{}", at.isoformat()],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "AIRFLOW_HOME_OF_TESTS": os.environ["AIRFLOW_HOME"]},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert dead.returncode == 9, dead.stderr
    assert account.orders() == 1
    run = run_dag("place", at=at)
    assert run.state == "success"
    assert "Not sent again" in run.output
    assert account.orders() == 1


@pytest.mark.parametrize(
    "fault", [{"kind": "error_after", "status": 503}, {"kind": "timeout_after"}], ids=lambda fault: fault["kind"]
)
def test_an_order_whose_answer_was_lost_is_found_and_the_task_goes_on(run_dag, account, patience, fault):
    patience(1)
    account.fault(**fault)
    run = run_dag("place", at=AT)
    assert (run.state, run.tries("place")) == ("success", 1), run.output
    assert account.orders() == 1


def test_doubt_fails_the_task_without_retry_and_says_so(run_dag, account, patience):
    patience(1)
    account.fault("error_before", status=503)
    run = run_dag("place", at=AT)
    assert (run.state, run.tries("place")) == ("failed", 1)
    assert "UNKNOWN: The order was sent, and no answer came" in run.output
    assert "tradehook intents show" in run.output
    account.clear_faults()
    again = run_dag("place", at=AT)
    assert (again.state, again.tries("place")) == ("failed", 1)
    assert "UNKNOWN" in again.output
    assert account.orders() == 0


def test_out_of_reach_is_tried_again_and_placed_once(run_dag, account):
    account.fault("error_before", path="/quotes", status=503, times=4)
    run = run_dag("place")
    assert (run.state, run.tries("place")) == ("success", 2), run.output
    assert "Airflow may try again; nothing is ever sent twice" in run.output
    assert account.orders() == 1


@pytest.mark.parametrize(
    ("conf", "says"),
    [
        ({"amount": "1,000"}, "can be read in more than one way"),
        ({"side": "hold"}, "is not a side"),
        ({"market": "BTC"}, "is not a market"),
        ({"amount": "0.00000001"}, "less than the smallest quantity"),
        ({"amount": "0.5"}, "InsufficientFunds"),
    ],
)
def test_what_cannot_be_fails_at_once_with_the_reason(run_dag, account, conf, says):
    run = run_dag("place", conf)
    assert (run.state, run.tries("place")) == ("failed", 1)
    assert says in run.output, run.output
    assert account.orders() == 0


def test_changed_parameters_on_the_same_run_are_refused(run_dag, account):
    run_dag("place", at=AT)
    run = run_dag("place", {"amount": "0.002"}, at=AT)
    assert (run.state, run.tries("place")) == ("failed", 1)
    assert "IntentConflict" in run.output
    assert account.orders() == 1


def test_live_is_a_refusal_never_a_green_task(run_dag, monkeypatch, account):
    connect(monkeypatch, account.key_file.parent, account, environment="live")
    run = run_dag("place")
    assert (run.state, run.tries("place")) == ("failed", 1)
    assert "GuardRefused: Live trading is off" in run.output
    assert account.orders() == 0


def test_no_secret_is_logged(run_dag, account):
    key = json.loads(account.key_file.read_text())
    outputs = [run_dag("place").output]
    account.fault("error_after", status=503)
    outputs.append(run_dag("place_deferred").output)
    for output in outputs:
        assert key["private_key"]["d"] not in output
        assert "eyJ" not in output, "a token"


def _leaves(node):
    if isinstance(node, dict):
        node = list(node.values())
    if isinstance(node, list):
        for item in node:
            yield from _leaves(item)
    else:
        yield node
