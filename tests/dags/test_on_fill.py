"""`on_fill`: the DAG's own trigger tells, Airflow keeps the event, and a run that consumed it tells the chat."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing

import pytest


@pytest.fixture
def happens(airflow_database):
    """What the triggerer and the scheduler do: the event goes to the asset, and the next run of the DAG gets it."""
    from airflow.assets.manager import AssetManager
    from airflow.models.asset import AssetEvent, AssetModel
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session
    from sqlalchemy import event, select
    from sqlalchemy.orm import Session

    given: list[int] = []

    def submit(triggered):
        with create_session() as session:
            known = set(session.scalars(select(AssetEvent.id)))
            asset = session.scalars(select(AssetModel).where(AssetModel.name == "true_markets_default orders")).one()
            # As `Trigger.submit_event` writes it.
            extra = {"from_trigger": True, "payload": triggered.payload}
            AssetManager.register_asset_change(asset=asset.to_serialized(), extra=extra, session=session)
            session.flush()
            given.extend(set(session.scalars(select(AssetEvent.id))) - known)

    def consume(session, *_):
        for made in session.new:
            if isinstance(made, DagRun) and made.dag_id == "on_fill" and given:
                with session.no_autoflush:
                    found = session.scalars(select(AssetEvent).where(AssetEvent.id.in_(given))).all()
                made.consumed_asset_events.extend(found)
                given.clear()

    event.listen(Session, "before_flush", consume)
    yield submit
    event.remove(Session, "before_flush", consume)


def first_event(dag):
    """What the watcher of this DAG tells at its first look, the trigger made anew as in a triggerer."""
    from airflow.sdk.module_loading import import_string

    (asset,) = dag.timetable.asset_condition.objects
    (watcher,) = asset.watchers
    path, arguments = watcher.trigger.serialize()
    trigger = import_string(path)(**arguments)

    async def run():
        async with asyncio.timeout(20), aclosing(trigger.run()) as events:
            return await anext(events)

    return asyncio.run(run())


def test_started_by_hand_there_is_nothing_to_tell(run_dag, money, chat):
    run = run_dag("on_fill")
    assert (run.state, run.task_state("tell")) == ("success", "skipped"), run.output
    assert run.result("report") == {"completions": [], "text": ""}
    assert chat.told() == []


@pytest.mark.usefixtures("money")
def test_each_order_that_traded_is_told_once(run_dag, hook, place, chat, happens):
    from tradehook_airflow_home import find_dag

    run_dag("on_fill")  # by now Airflow knows the asset and its watcher
    bought = place("bought", amount="0.002")
    rested = place("rested", price="50000", good_for="1h")
    hook.desk.cancel_order(rested)
    while any(not hook.get_conn().get_order(order).is_final for order in (bought, rested)):
        time.sleep(0.2)
    while hook.desk.journal.open_orders(hook.desk.exchange.host):
        hook.desk.sweep()
        time.sleep(0.3)
    told = first_event(find_dag("on_fill"))
    assert {each["order_id"] for each in told.payload["completions"]} == {bought, rested}
    happens(told)
    happens(told)  # as after a restart of the triggerer
    run = run_dag("on_fill")
    assert run.state == "success", run.output
    (completion,) = run.result("report")["completions"]
    assert (completion["order_id"], completion["status"]) == (bought, "filled")
    (message,) = chat.told()
    assert message.startswith("Filled: bought 0.0020 BTC at ")
    assert message.endswith(" (Airflow (elsewhere))")
    assert run_dag("on_fill").task_state("tell") == "skipped", "another run was not started by them"


def test_what_this_journal_does_not_know_is_told_from_the_event(money, hook):
    from tradehook_provider.reporting import completion_line

    completion = {"kind": "order", "order_id": "o-1", "intent_id": "i-1", "status": "filled"}
    assert completion_line(completion, None) == "Order o-1: filled"
    assert (
        completion_line({"kind": "transfer", "transfer_id": "t-1", "status": "failed"}, None) == "Transfer t-1: failed"
    )
