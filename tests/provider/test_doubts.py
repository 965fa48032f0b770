"""An order whose answer is lost is looked for in the triggerer; it is found, or a person is told what to type."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from types import SimpleNamespace

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")

AT = datetime(2026, 5, 1, 12, tzinfo=UTC)
CONTEXT = {
    "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
    "dag_run": SimpleNamespace(run_type="manual"),
}


@pytest.fixture
def hurried(account, monkeypatch):
    """Callers do not look for what they lost, triggers look often; the horizon is as it is."""
    from tradehook_provider import connections, doubts

    settings_of = connections.settings_of
    monkeypatch.setattr(
        connections, "settings_of", lambda *args, **more: replace(settings_of(*args, **more), look_seconds=0)
    )
    monkeypatch.setattr(doubts, "POLL_SECONDS", 0.2)
    return account


@pytest.fixture
def brief(hurried, monkeypatch):
    """The horizon is two seconds away, as if tokens lived no longer."""
    from tradehook.desk import reconcile
    from tradehook_provider import connections

    settings_of = connections.settings_of
    monkeypatch.setattr(
        connections, "settings_of", lambda *args, **more: replace(settings_of(*args, **more), horizon_seconds=2)
    )
    monkeypatch.setattr(reconcile, "_TOKEN_MARGIN_SECONDS", -3600.0)
    monkeypatch.setattr(reconcile, "Patience", partial(reconcile.Patience, apart_seconds=0.1))
    return hurried


@pytest.fixture
def journal(tmp_path):
    from tradehook.desk.journal import Journal

    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def the_list_is_proved(journal):
    from tradehook.desk.proofs import LISTS_OPEN_ORDERS
    from tradehook.run import run
    from tradehook_provider.hooks.exchange import ExchangeHook

    with ExchangeHook() as hook:
        exchange = hook.get_conn().exchange
        journal.proofs.record(
            exchange.host, run(exchange.account_id()), LISTS_OPEN_ORDERS, is_true=True, detail="a test"
        )


def operator(**more):
    from tradehook_provider.operators.orders import PlaceOrderOperator

    order = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001"}
    return PlaceOrderOperator(task_id="t", **{"deferrable": True, **order, **more})


def lost(account):
    """The trigger of a task that has just lost the answer to its order, which never arrives."""
    from airflow.sdk.exceptions import TaskDeferred

    account.fault("error_before", status=503)
    with pytest.raises(TaskDeferred) as deferred:
        operator().execute(CONTEXT)
    return deferred.value.trigger


def first_event(made):
    async def run():
        return [event.payload async for event in made.run()]

    (event,) = asyncio.run(run())
    return event


# --- in a real Airflow ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dag_id", ["doubt", "doubt_not_waited_for"])
def test_it_defers_is_found_later_and_goes_on_as_placed(run_dag, hurried, dag_id):
    hurried.fault("late_accept", status=503, delay_seconds=3)
    run = run_dag(dag_id, at=AT)
    assert (run.state, run.tries("place")) == ("success", 1), run.output
    assert "It is looked for in the triggerer" in run.output
    assert "Looking for the order has ended: placed" in run.output
    result = run.result("place")
    assert result["order_id"]
    assert result["status"] == "filled" or dag_id == "doubt_not_waited_for"
    assert hurried.orders() == 1


def test_proved_absent_is_held_and_fails_without_retry_with_what_to_type(run_dag, brief, journal):
    the_list_is_proved(journal)
    brief.fault("error_before", status=503)
    run = run_dag("doubt", at=AT)
    assert (run.state, run.tries("place")) == ("failed", 1), run.output
    assert "Looking for the order has ended: absent" in run.output
    (held,) = journal.list()
    assert f"`tradehook intents resolve {held.intent_id} --as again`" in run.output
    assert brief.orders() == 0
    again = run_dag("doubt", at=AT)
    assert again.state == "failed", "it is held, and not looked for once more"
    assert "It is looked for in the triggerer" not in again.output


def test_proved_absent_is_sent_again_only_where_the_task_says_so(run_dag, brief, journal):
    the_list_is_proved(journal)
    brief.fault("error_before", status=503)
    run = run_dag("doubt_resent", at=AT)
    assert run.state == "success", run.output
    assert brief.orders() == 1


def test_where_nothing_proves_absence_it_is_held_for_a_person(run_dag, brief, journal):
    brief.fault("error_before", status=503)
    run = run_dag("doubt", at=AT)
    assert (run.state, run.tries("place")) == ("failed", 1), run.output
    assert "has ended: held" in run.output
    assert "nothing proves that this account's list shows open orders" in run.output
    assert brief.orders() == 0


def test_a_person_who_says_what_is_so_wakes_the_task(run_dag, brief, journal, monkeypatch):
    """`tradehook intents resolve ID --as again` while the task waits: it sends, once, on resuming."""
    from tradehook.desk.submit import Desk
    from tradehook_provider import connections

    settings_of = connections.settings_of
    monkeypatch.setattr(
        connections, "settings_of", lambda *args, **more: replace(settings_of(*args, **more), horizon_seconds=1)
    )
    monkeypatch.setattr(Desk, "reconcile", lambda _: [])  # nobody finds out anything by looking
    brief.fault("error_before", status=503)

    def say():
        from tradehook_provider.hooks.exchange import ExchangeHook

        while not (found := [one for one in journal.list() if one.looking_until]) or (
            found[0].looking_until > datetime.now(UTC)
        ):
            time.sleep(0.05)
        time.sleep(0.2)
        with ExchangeHook() as hook:
            hook.desk.resolve(found[0].intent_id, "again", by="a person")

    person = threading.Thread(target=say)
    person.start()
    run = run_dag("doubt", at=AT)
    person.join(20)
    assert run.state == "success", run.output
    assert "has ended: again" in run.output
    assert brief.orders() == 1


# --- the operator -----------------------------------------------------------------------------------------------------


def test_a_task_that_may_not_defer_fails_as_ever(hurried):
    from airflow.sdk.exceptions import AirflowFailException

    hurried.fault("error_before", status=503)
    with pytest.raises(AirflowFailException, match="UNKNOWN"):
        operator(deferrable=False).execute(CONTEXT)
    hurried.fault("error_before", status=503)
    with pytest.raises(AirflowFailException, match="UNKNOWN"):
        operator(wait="inline", deferrable=True).execute(CONTEXT)


def test_the_trigger_is_found_out_before_anything_is_sent(hurried, monkeypatch):
    from tradehook_provider import doubts

    monkeypatch.setattr(doubts, "POLL_SECONDS", object())
    with pytest.raises((TypeError, ValueError)):
        operator(wait="none").execute(CONTEXT)
    assert hurried.orders() == 0


@pytest.mark.parametrize("event", [None, {}, "placed", {"status": "placed", "intent_id": "another"}])
def test_no_event_is_taken_for_a_result(hurried, event):
    from airflow.sdk.exceptions import AirflowFailException

    lost(hurried)
    with pytest.raises(AirflowFailException, match="UNKNOWN"):
        operator().execute_after_doubt(CONTEXT, event)
    assert hurried.orders() == 0


@pytest.mark.parametrize(
    ("word", "means"), [("none", (False, True)), ("inline", (True, False)), ("deferred", (True, True))]
)
def test_how_to_wait_in_words(word, means):
    made = operator(wait=word, deferrable=True)
    assert (made.wait, made.deferrable) == means
    assert (operator(wait=False, deferrable=False).wait, operator(wait="deferred", deferrable=False).deferrable) == (
        False,
        True,
    )


@pytest.mark.parametrize("word", ["later", "", None, "True"])
def test_what_is_no_way_to_wait_is_refused(word):
    with pytest.raises(ValueError, match="wait can be"):
        operator(wait=word)


# --- the trigger ------------------------------------------------------------------------------------------------------


def test_the_trigger_carries_ids_only_and_its_event_a_word(hurried):
    from tradehook_provider.waiting import check_travels

    made = lost(hurried)
    path, arguments = made.serialize()
    assert path == "tradehook_provider.triggers.doubts.ReconcileTrigger"
    assert set(arguments) == {"exchange_conn_id", "intent_id", "until", "poll_seconds"}
    assert arguments["until"] > time.time() + 600, "beyond the horizon"
    check_travels(made)
    made.until = time.time() + 0.5
    assert first_event(made) == {"intent_id": arguments["intent_id"], "status": "timeout"}


def test_many_doubts_of_an_account_share_one_look(hurried, monkeypatch):
    from tradehook.desk.submit import Desk
    from tradehook_provider import readers
    from tradehook_provider.triggers import doubts

    made = lost(hurried)
    looks, reconcile = [], Desk.reconcile

    def counted(self):
        looks.append(self)
        return reconcile(self)

    monkeypatch.setattr(Desk, "reconcile", counted)
    until = time.time() + 1.5
    many = [
        doubts.ReconcileTrigger(
            exchange_conn_id=made.exchange_conn_id, intent_id=made.intent_id, until=until, poll_seconds=60
        )
        for _ in range(30)
    ]

    async def run():
        events = await asyncio.gather(*(anext(one.run()) for one in many))
        assert [watch.users for watch in readers._readers[asyncio.get_running_loop()].values()] == [0]
        return {event.payload["status"] for event in events}

    assert asyncio.run(run()) == {"timeout"}
    assert len(looks) == 1


def test_a_short_outage_costs_nothing_a_long_one_ends_the_looking(hurried, monkeypatch):
    from tradehook.desk.submit import Desk

    made = lost(hurried)
    made.poll_seconds = 0.01
    failures = []

    def fail(self):
        from tradehook.errors import NotSent

        failures.append(self)
        if len(failures) <= limit:
            raise NotSent("The network is gone.")
        return []

    monkeypatch.setattr(Desk, "reconcile", fail)
    limit, made.until = 5, time.time() + 2
    assert first_event(made)["status"] == "timeout"
    assert len(failures) > limit
    limit, made.until = 10**6, time.time() + 30
    assert first_event(made)["status"] == "error"


def test_without_a_journal_the_trigger_says_so_and_the_task_fails_with_the_story(hurried, monkeypatch, tmp_path):
    from airflow.sdk.exceptions import AirflowFailException

    made = lost(hurried)
    made.poll_seconds = 0.01
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", "sqlite:////proc/nowhere/journal.db")
    event = first_event(made)
    assert event["status"] == "error"
    connect(monkeypatch, tmp_path, hurried)
    with pytest.raises(AirflowFailException, match="tradehook intents show"):
        operator().execute_after_doubt(CONTEXT, event)


# --- ReconcileOperator ------------------------------------------------------------------------------------------------


def leave_a_doubt(account, fault, **more):
    """An order that nobody knows about, placed past Airflow; its intent's id."""
    from tradehook.errors import OutcomeUnknown
    from tradehook_provider.arguments import new_order
    from tradehook_provider.hooks.exchange import ExchangeHook

    account.fault(fault, status=503, **more)
    order = new_order(market="BTC/PYUSD", side="buy", amount="0.001", price=None, chain=None)
    with ExchangeHook() as hook, pytest.raises(OutcomeUnknown) as caught:
        hook.desk.place_order(order, intent_id="lost", source="test", is_unattended=True)
    return caught.value.intent_id


def test_nothing_in_doubt_is_told_so(run_dag, account):
    result = run_dag("reconcile").result("reconcile")
    assert (result["settled"], result["still_open"]) == ([], [])
    assert datetime.fromisoformat(result["looked_at"]).tzinfo is not None


def test_it_finds_what_was_lost(run_dag, hurried):
    intent_id = leave_a_doubt(hurried, "late_accept", delay_seconds=1)
    time.sleep(1.2)
    run = run_dag("reconcile")
    assert run.state == "success", run.output
    (settled,) = run.result("reconcile")["settled"]
    assert (settled["intent_id"], settled["standing"]) == (intent_id, "MATCHED")
    assert settled["exchange_id"] == hurried.admin("GET", "orders")["data"][0]["order_id"]


def test_what_stays_open_fails_the_task_and_is_tried_again_while_looking_can_tell(run_dag, hurried):
    intent_id = leave_a_doubt(hurried, "error_before")
    run = run_dag("reconcile")
    assert (run.state, run.tries("reconcile")) == ("failed", 3), run.output
    assert "1 intent is in doubt." in run.output
    assert f"tradehook intents show {intent_id}" in run.output
    told = run.dag_run.get_task_instance("reconcile").xcom_pull(task_ids="reconcile", key="doubts")
    assert [row["intent_id"] for row in told["still_open"]] == [intent_id]
    for dag_id in ("reconcile_quietly", "reconcile_one"):
        quiet = run_dag(dag_id, {"intent_id": intent_id})
        assert quiet.state == "success"
        (still_open,) = quiet.result("reconcile")["still_open"]
        assert still_open["next_step"] == f"tradehook intents show {intent_id}"
        assert still_open["looking_until"]


def test_what_only_a_person_can_tell_fails_at_once(run_dag, brief):
    leave_a_doubt(brief, "error_before")
    time.sleep(2.2)
    run = run_dag("reconcile")
    assert (run.state, run.tries("reconcile")) == ("failed", 1), run.output
    assert "nothing proves that this account's list shows open orders" in run.output
