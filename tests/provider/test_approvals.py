"""Trades that wait for a person's yes, answered through Airflow's own REST API while a real DAG run waits."""

from __future__ import annotations

import threading
import time
from datetime import timedelta
from decimal import Decimal

import pytest

from tradehook.render import price
from tradehook_provider.operators.approvals import TradeApprovalOperator

PATIENCE_SECONDS = 60


@pytest.fixture(scope="module")
def api_server(airflow_database):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", "ann:user,bob:user,vic:viewer")
        from airflow.api_fastapi.app import create_app, purge_cached_app

        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture
def person(api_server):
    """`person("ann")`: a client of Airflow's REST API."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    def client(name, role="user"):
        token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username=name, role=role))
        return TestClient(api_server, headers={"Authorization": f"Bearer {token}"})

    return client


class Answering:
    """A person who looks for a prompt in a thread beside the run, does something, and answers it."""

    def __init__(self, client, chosen, *, approver="", first=lambda: None, times=1) -> None:
        self.client, self.chosen, self.approver, self.first, self.times = client, chosen, approver, first, times
        self.prompts, self.codes = [], []
        self.problem = None
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self._run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.is_over.set()
        self.thread.join()
        if self.problem is not None:
            raise self.problem

    def _run(self):
        try:
            for _ in range(self.times):
                if (prompt := self._prompt()) is None:
                    return
                self.prompts.append(prompt)
                self.first()
                self.codes.append(self.answer(prompt).status_code)
        except Exception as error:  # noqa: BLE001 - raised where the run ends
            self.problem = error
        # Whatever went wrong here, the run must not wait for ever: silence ends it, as in a deployment.
        sweep_until(self.is_over)

    def _prompt(self):
        deadline = time.monotonic() + PATIENCE_SECONDS
        looked = {"response_received": "false", "state": "awaiting_input", "order_by": "-created_at"}
        while time.monotonic() < deadline and not self.is_over.is_set():
            found = self.client.get("/api/v2/dags/~/dagRuns/~/hitlDetails", params=looked).json()["hitl_details"]
            if found:
                return found[0]
            time.sleep(0.1)
        return None

    def answer(self, prompt, *, client=None):
        ti = prompt["task_instance"]
        return (client or self.client).patch(
            f"/api/v2/dags/{ti['dag_id']}/dagRuns/{ti['dag_run_id']}/taskInstances/{ti['task_id']}/{ti['map_index']}"
            "/hitlDetails",
            json={"chosen_options": [self.chosen], "params_input": {"approver": self.approver}},
        )


def sweep_until(is_over):
    """What a scheduler does beside a run: ends the wait for answers that did not come in time."""
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    sweeper = SchedulerJobRunner(Job())
    while not is_over.wait(0.3):
        sweeper.check_awaiting_input_timeouts()


def test_the_plan_with_its_prices_is_what_is_asked_and_what_is_carried_out(run_dag, account, person):
    ann = Answering(person("ann"), "Approve", approver="tg:4242 @alice")
    with ann:
        run = run_dag("approve_rebalance")
    assert run.state == "success", run.output
    (prompt,) = ann.prompts
    asked, done = run.result("ask"), run.result("rebalance")
    plan = asked["proposal"]["plan"]
    assert done["plan"] == plan
    assert [leg["state"] for leg in done["legs"]] == ["filled"] * len(plan["legs"])
    assert account.orders() == len(plan["legs"]) > 0
    assert prompt["subject"].startswith(f"Rebalance true_markets_default: {len(plan['legs'])} orders")
    for held in plan["holdings"]:
        assert f"| {held['symbol']} | {held['quantity']} | {price(Decimal(held['price']))} |" in prompt["body"]
    for leg in plan["legs"]:
        assert leg["amount"].removeprefix("$")[:6] in prompt["body"]
    assert prompt["defaults"] == ["Reject"]
    assert [*prompt["params"]] == ["approver"], "the DAG's own params are not asked for"
    # Airflow records the account that answered; the answer itself says who was behind it.
    assert (asked["approver"], asked["responded_by"]["id"], asked["approved"]) == ("tg:4242 @alice", "ann", True)
    assert "Approved by tg:4242 @alice" in run.output


def test_a_no_trades_nothing_and_skips_what_follows(run_dag, account, person):
    with Answering(person("ann"), "Reject"):
        run = run_dag("approve_rebalance")
    assert (run.task_state("ask"), run.task_state("rebalance")) == ("success", "skipped"), run.output
    assert run.result("ask")["approved"] is False
    assert run.result("ask")["approver"] == "ann"
    assert account.orders() == 0


def test_a_no_that_fails_is_not_asked_again(run_dag, account, person):
    ann = Answering(person("ann"), "Reject", times=2)
    with ann:
        run = run_dag("approve_rebalance_or_fail")
    assert (run.task_state("ask"), run.tries("ask"), len(ann.prompts)) == ("failed", 1, 1), run.output
    assert "Rejected by ann. Nothing was sent." in run.output
    assert account.orders() == 0


def test_silence_is_a_no(run_dag, account, api_server):
    """The scheduler's own sweep ends the wait, as in a deployment."""
    is_over = threading.Event()
    thread = threading.Thread(target=sweep_until, args=[is_over])
    thread.start()
    try:
        run = run_dag("approve_rebalance_briefly")
    finally:
        is_over.set()
        thread.join()
    assert (run.task_state("ask"), run.task_state("rebalance")) == ("success", "skipped"), run.output
    assert (run.result("ask")["approved"], run.result("ask")["approver"]) == (False, "nobody in time")
    assert account.orders() == 0


@pytest.mark.parametrize(
    ("prices", "state"),
    [
        ({"BTC": "65000", "ETH": "3456.78"}, "failed"),  # what is sold brings less
        ({"BTC": "67340.2", "ETH": "3600"}, "failed"),  # what is bought costs more
        ({"BTC": "70000", "ETH": "3400"}, "success"),  # better for us both ways
        ({"BTC": "67000", "ETH": "3470"}, "success"),  # worse, but not by one percent
    ],
)
def test_prices_that_became_worse_after_the_yes_stop_it(run_dag, account, person, prices, state):
    ann = Answering(person("ann"), "Approve", first=lambda: account.admin("POST", "prices", prices))
    with ann:
        run = run_dag("approve_rebalance")
    assert run.task_state("rebalance") == state, run.output
    if state == "failed":
        assert "when this plan was approved and costs" in run.output
        assert run.tries("rebalance") == 1
        assert account.orders() == 0
    else:
        assert run.result("rebalance")["plan"] == run.result("ask")["proposal"]["plan"]


def test_nothing_to_trade_asks_nobody(run_dag, account, person):
    with Answering(person("ann"), "Approve"):
        run_dag("approve_rebalance")
    placed = account.orders()
    ann = Answering(person("ann"), "Reject")
    with ann:
        run = run_dag("approve_rebalance")
    assert run.state == "success", run.output
    assert (ann.prompts, account.orders()) == ([], placed)
    assert "nobody is asked" in run.output


def test_an_approved_order_trades_no_worse_than_was_shown(run_dag, account, person):
    ann = Answering(person("ann"), "Approve")
    with ann:
        run = run_dag("approve_order")
    assert run.state == "success", run.output
    asked, placed = run.result("ask")["proposal"], run.result("place")
    assert ann.prompts[0]["subject"] == "Buy 0.0010 BTC at true_markets_default?"
    assert "at 67,3" in ann.prompts[0]["body"]
    assert placed["sent"]["price"] == asked["worst_price"]
    assert Decimal(asked["worst_price"]) == pytest.approx(Decimal(asked["price"]) * Decimal("1.01"), abs=Decimal(1))
    assert Decimal(placed["average_price"]) <= Decimal(asked["worst_price"])


def test_who_is_not_assigned_cannot_answer(run_dag, account, person):
    codes = []
    ann = Answering(person("ann"), "Approve")
    ann.first = lambda: codes.extend(
        ann.answer(ann.prompts[0], client=other).status_code
        for other in (person("bob"), person("root", "admin"), person("vic", "viewer"))
    )
    with ann:
        run = run_dag("approve_rebalance_by_ann")
    assert (codes, ann.codes) == ([403, 403, 403], [200])
    assert run.state == "success", run.output


def test_an_answer_after_the_answer_changes_nothing(run_dag, account, person):
    ann = Answering(person("ann"), "Approve")
    with ann:
        run = run_dag("approve_rebalance")
    ann.chosen = "Reject"
    assert ann.answer(ann.prompts[0]).status_code == 409
    assert run.result("ask")["approved"] is True


def test_a_try_that_was_lost_asks_anew_and_trades_once(run_dag, account, person, monkeypatch):
    """Airflow may fail a task whose answer came within moments of the question: it is asked once more."""
    complete, calls = TradeApprovalOperator.execute_complete, []

    def lost(self, context, event):
        calls.append(event)
        if len(calls) == 1:
            raise RuntimeError("Executor reported that the task instance finished with state success")
        return complete(self, context, event)

    monkeypatch.setattr(TradeApprovalOperator, "execute_complete", lost)
    ann = Answering(person("ann"), "Approve", times=2)
    with ann:
        run = run_dag("approve_rebalance")
    assert run.state == "success", run.output
    assert (run.tries("ask"), len(ann.prompts)) == (2, 2)
    assert account.orders() == len(run.result("rebalance")["legs"])


@pytest.mark.parametrize(
    ("approved", "says"),
    [
        ({"approved": False}, "Nobody approved this plan"),
        ("no json", "Nobody approved this plan"),
        ({"approved": "true"}, "Nobody approved this plan"),
        ({"approved": True, "proposal": {"kind": "order"}}, "is no plan"),
    ],
)
def test_what_is_no_approval_is_refused(approved, says):
    from tradehook.errors import TradehookError
    from tradehook_provider.approving import approved_plan

    with pytest.raises(TradehookError, match=says):
        approved_plan(approved, accounts=["main"])


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({}, "one of them"),
        ({"targets": {"BTC": 1}, "market": "BTC/PYUSD"}, "one of them"),
        ({"targets": {"BTC": 1}, "defaults": ["Approve"]}, "silence must never trade"),
        ({"targets": {"BTC": 1}, "body": "yes"}, "body is made"),
    ],
)
def test_what_cannot_be_meant_is_said_when_the_dag_is_read(airflow_database, arguments, says):
    with pytest.raises(ValueError, match=says):
        TradeApprovalOperator(task_id="ask", **arguments)


def test_it_is_tried_twice_soon_unless_told(airflow_database):
    ask = TradeApprovalOperator(task_id="ask", targets={"BTC": 1})
    assert (ask.retries, ask.retry_delay, ask.response_timeout) == (1, timedelta(seconds=10), timedelta(hours=1))
    told = TradeApprovalOperator(task_id="told", targets={"BTC": 1}, retries=3, retry_delay=timedelta(minutes=1))
    assert (told.retries, told.retry_delay) == (3, timedelta(minutes=1))
