"""A resting order is canceled when a person gives its task up, if the task says so, and by nothing else."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.usefixtures("airflow_database")


def operator(**more):
    from tradehook_provider.operators.orders import PlaceOrderOperator

    order = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001", "price": "50000", "good_for": "1h"}
    return PlaceOrderOperator(task_id="t", **{**order, **more})


def say_in_the_books(dag_id, state):
    """What a person's click writes: the newest run's task stands like that from now on."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.dag_id == dag_id).order_by(TaskInstance.updated_at.desc())
        session.scalars(query).first().state = state


def status_of_the_order(account):
    """How it stands, once the exchange has taken up what was asked."""
    for _ in range(100):
        (order,) = account.admin("GET", "orders")["data"]
        if "pending" not in order["status"]:
            break
        time.sleep(0.05)
    return order["status"]


def end_the_worker(account, dag_id, state):
    """What happens to a task in a worker: its state is written, then its process gets a signal."""
    while not account.admin("GET", "orders")["data"]:
        time.sleep(0.05)
    status_of_the_order(account)
    time.sleep(0.3)
    say_in_the_books(dag_id, state)
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("state", "becomes"),
    [("failed", "canceled"), ("restarting", "active"), ("success", "active"), ("running", "active")],
    ids=["marked failed", "cleared", "marked successful", "the worker is restarted"],
)
def test_in_a_worker(run_dag, account, state, becomes):
    before = signal.getsignal(signal.SIGTERM)
    person = threading.Thread(target=end_the_worker, args=(account, "kill_at_work", state))
    person.start()
    try:
        run = run_dag("kill_at_work")
    finally:
        person.join(20)
        signal.signal(signal.SIGTERM, before)
    assert "Stopped while waiting for order" in run.output
    assert ("so the cancel of its order was asked for" in run.output) == (becomes == "canceled"), run.output
    assert status_of_the_order(account) == becomes


@pytest.fixture
def killed_while_deferred(monkeypatch):
    """What the triggerer does: the state is written, the wait is canceled with a user's word, then `on_kill` runs."""
    from tradehook_provider.triggers.orders import OrderTrigger

    def stage(dag_id, state):
        async def run(self):
            say_in_the_books(dag_id, state)
            self.task_instance = newest_task(dag_id)
            await self.on_kill()
            yield self._event("timeout")

        monkeypatch.setattr(OrderTrigger, "run", run)

    return stage


def newest_task(dag_id):
    from airflow.models.taskinstance import TaskInstance
    from airflow.utils.session import create_session
    from sqlalchemy import select

    with create_session() as session:
        query = select(TaskInstance).where(TaskInstance.dag_id == dag_id).order_by(TaskInstance.updated_at.desc())
        ti = session.scalars(query).first()
        return SimpleNamespace(dag_id=ti.dag_id, run_id=ti.run_id, task_id=ti.task_id, map_index=ti.map_index)


@pytest.mark.parametrize(
    ("state", "becomes"),
    [
        ("failed", "canceled"),
        (None, "active"),
        ("scheduled", "active"),
        ("success", "active"),
        ("deferred", "active"),
        ("skipped", "active"),
    ],
    ids=[
        "marked failed",
        "cleared",
        "cleared and begun anew",
        "marked successful",
        "moved, or cleared and deferred anew",
        "the run timed out",
    ],
)
def test_in_a_triggerer(run_dag, account, killed_while_deferred, state, becomes):
    killed_while_deferred("kill_deferred", state)
    run = run_dag("kill_deferred")
    assert ("so the cancel of its order was asked for" in run.output) == (becomes == "canceled"), run.output
    assert status_of_the_order(account) == becomes


def test_in_a_triggerer_the_order_stays_unless_the_task_says_so(run_dag, account, killed_while_deferred):
    killed_while_deferred("kill_deferred_kept", "failed")
    run_dag("kill_deferred_kept")
    assert status_of_the_order(account) == "active"


def test_when_its_own_time_is_up_the_order_stays(run_dag, account, killed_while_deferred, monkeypatch):
    from tradehook_provider.triggers import orders

    killed_while_deferred("kill_deferred", "failed")
    monkeypatch.setattr(orders, "time", SimpleNamespace(time=lambda: time.time() + 3600))
    run_dag("kill_deferred")
    assert status_of_the_order(account) == "active"


def test_where_airflow_does_not_tell_the_order_stays(account, caplog):
    """A task that nobody knows: no state, no cancel, and a line that says so."""
    import asyncio

    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.orders import OrderTrigger

    context = {
        "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
        "dag_run": SimpleNamespace(run_type="manual"),
    }
    made = operator(wait=False).execute(context)
    trigger = OrderTrigger(
        exchange_conn_id="true_markets_default",
        order_id=made["order_id"],
        until=time.time() + 60,
        cancel_on_kill=True,
    )
    trigger.task_instance = context["ti"]
    asyncio.run(trigger.on_kill())
    assert status_of_the_order(account) == "active"
    with ExchangeHook() as hook:
        assert hook.desk.follow(made["intent_id"]).status == "open"


def test_airflow_cancels_a_trigger_anew_while_it_gives_up(account, monkeypatch):
    """With every heartbeat, which once ended the cancel of the order before it was asked for."""
    import asyncio

    from tradehook_provider.triggers import orders

    async def slowly(*_args, **_more):
        await asyncio.sleep(0.5)
        return True

    monkeypatch.setattr(orders, "was_killed_while_deferred", slowly)
    context = {
        "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
        "dag_run": SimpleNamespace(run_type="manual"),
    }
    made = operator(wait=False).execute(context)
    assert status_of_the_order(account) == "active"
    trigger = orders.OrderTrigger(
        exchange_conn_id="true_markets_default",
        order_id=made["order_id"],
        until=time.time() + 60,
        cancel_on_kill=True,
    )

    async def kill_anew():
        killing = asyncio.create_task(trigger.on_kill())
        await asyncio.sleep(0.1)
        killing.cancel("user-action")
        with pytest.raises(asyncio.CancelledError):
            await killing
        for _ in range(100):
            if (await asyncio.to_thread(status_of_the_order, account)) == "canceled":
                return
            await asyncio.sleep(0.1)

    asyncio.run(kill_anew())
    assert status_of_the_order(account) == "canceled"


def test_a_long_pause_between_two_looks_does_not_hold_up_a_kill(account):
    from airflow.sdk.exceptions import AirflowException

    context = {
        "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
        "dag_run": SimpleNamespace(run_type="manual"),
    }
    made = operator(poll_seconds=3600.0, timeout_seconds=7200.0)
    killer = threading.Timer(2, made.on_kill)
    killer.start()
    with pytest.raises(AirflowException, match="Stopped while waiting"):
        made.execute(context)
    killer.join()


def test_only_limit_orders_that_are_waited_for_can_be_given_up():
    for wrong in ({"price": None, "good_for": None}, {"wait": "none"}, {"wait": False}):
        with pytest.raises(ValueError, match="cancel_on_kill is for limit orders"):
            operator(cancel_on_kill=True, **wrong)
    assert operator(cancel_on_kill=True).cancel_on_kill is True
