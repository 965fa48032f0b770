"""Transfers from a real Airflow in a real sandbox: each task run sends one, whatever happens to the task."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from datetime import UTC, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from tradehook_airflow_home import connect

pytestmark = pytest.mark.usefixtures("airflow_database")

AT = datetime(2026, 3, 1, 12, tzinfo=UTC)
BASE, BITCOIN = "0x52908400098527886E0F7030069857D2E4169EE7", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
ON_CHAIN = {"asset": "USDC", "amount": "5", "destination": "cold", "chain": "base"}


@pytest.fixture(scope="module")
def server(start_sandbox):
    """One sandbox for this file, whose payouts end only when a test says so."""
    return start_sandbox("--rate-limit", "0", "--withdrawal-seconds", "3600")


@pytest.fixture
def account(monkeypatch, tmp_path, server):
    """It, without faults, behind a journal with two destinations on its list; counts what this test sends."""
    yield prepare(monkeypatch, tmp_path, server)
    server.clear_faults()


def prepare(monkeypatch, tmp_path, server):
    connect(monkeypatch, tmp_path, server, timeout_seconds=1)
    server.clear_faults()
    with hook() as opened:
        add = opened.desk.journal.destinations.add
        add(opened.get_conn().exchange.host, "cold", network="base", address=BASE, by="test")
        add(opened.get_conn().exchange.host, "vault", network="bitcoin", address=BITCOIN, by="test")
    before = transfers(server)
    return SimpleNamespace(server=server, fault=server.fault, sent=lambda: transfers(server) - before)


@pytest.fixture
def hurry(account):
    """Ends payouts, well or badly, a moment after they appear."""
    stop, words = threading.Event(), ["completed"]

    def run():
        while not stop.wait(0.2):
            for row in account.server.admin("GET", "transfers")["data"]:
                if row["status"] == "pending":
                    account.server.admin("POST", "transfers", {"id": row["id"], "status": words[0]})

    thread = threading.Thread(target=run)
    thread.start()
    yield words
    stop.set()
    thread.join(10)


def transfers(server) -> int:
    ledger = server.admin("GET", "ledger")
    assert ledger["balanced"] is True
    return ledger["transfers"]


def hook(conn_id="true_markets_default"):
    from tradehook_provider.hooks.exchange import ExchangeHook

    return ExchangeHook(conn_id)


def send(*, intent_id="i-1"):
    """A payout that is on its way."""
    from tradehook_provider.arguments import new_transfer

    with hook() as opened:
        wanted = new_transfer(asset="BTC", amount="0.01", destination="vault", chain=None)
        return opened.desk.create_transfer(wanted, intent_id=intent_id, source="test").transfer.transfer_id


def end(account, transfer_id, status="completed"):
    account.server.admin("POST", "transfers", {"id": transfer_id, "status": status})


def context(run_id="r", run_type="manual", pushed=None):
    def push(*, key, value):
        (pushed if pushed is not None else {})[key] = value

    ti = SimpleNamespace(dag_id="d", run_id=run_id, task_id="t", map_index=-1, xcom_push=push)
    return {"ti": ti, "dag_run": SimpleNamespace(run_type=run_type)}


def operator(**more):
    from tradehook_provider.operators.transfers import TransferOperator

    transfer = {"asset": "BTC", "amount": "0.01", "destination": "vault", "poll_seconds": 0.1, **more}
    return TransferOperator(task_id="t", **{"timeout_seconds": 20, **transfer})


def sensor(**more):
    from tradehook_provider.sensors.transfers import TransferSensor

    return TransferSensor(task_id="s", **{"poke_interval": 0.1, "timeout": 20, **more})


def trigger(**more):
    from tradehook_provider.triggers.transfers import TransferTrigger

    values = {"exchange_conn_id": "true_markets_default", "transfer_id": "t-1", "until": time.time() + 20}
    return TransferTrigger(**{**values, "intent_id": "i-1", "poll_seconds": 0.1, **more})


def first_events(triggers):
    async def run():
        return [event.payload for event in await asyncio.gather(*(anext(made.run()) for made in triggers))]

    return asyncio.run(run())


def count_reads(monkeypatch):
    """The paths of transfers that are read from now on."""
    from tradehook.lines.asynchronous import AsyncLine
    from tradehook.lines.blocking import BlockingLine

    reads = []
    for line in (AsyncLine, BlockingLine):

        async def counted(self, request, *, send=line.send):
            if request.method == "GET" and "/transfers" in request.path:
                reads.append(request.path)
            return await send(self, request)

        monkeypatch.setattr(line, "send", counted)
    return reads


# --- in a real Airflow ------------------------------------------------------------------------------------------------


def test_sends_waits_and_returns_plain_values(run_dag, account, hurry):
    run = run_dag("send", at=AT)
    assert run.state == "success", run.output
    result = run.result("send")
    assert (result["status"], result["asset"], result["sent"]["to"]) == ("completed", "BTC", "vault")
    assert Decimal(result["sent"]["quantity"]) == Decimal("0.01")
    assert Decimal(result["received"]) < Decimal("0.01")
    assert json.loads(json.dumps(result)) == result
    assert "Send 0.0100 BTC from the exchange to vault" in run.output
    again = run_dag("send", at=AT)
    assert again.result("send") == result
    assert f"Not sent again: intent {result['intent_id']} has sent transfer {result['transfer_id']}" in again.output
    assert account.sent() == 1


def test_the_deferral_round_trip(run_dag, account, hurry):
    run = run_dag("send_deferred")
    assert run.state == "success", run.output
    assert run.result("send")["status"] == "completed"
    assert "Waiting for it in the triggerer" in run.output
    assert account.sent() == 1


def test_sensors_wait_by_transfer_and_by_intent(run_dag, account, hurry):
    run = run_dag("send_and_sense")
    assert run.state == "success", run.output
    by_transfer, by_intent = run.result("by_transfer"), run.result("by_intent")
    assert by_transfer == by_intent
    assert by_transfer["status"] == "completed"
    assert by_transfer["transfer_id"] == run.result("send")["transfer_id"]
    assert account.sent() == 1


def test_a_transfer_that_failed_fails_the_task_without_a_retry(run_dag, account, hurry):
    hurry[0] = "failed"
    run = run_dag("send")
    assert (run.state, run.tries("send")) == ("failed", 1)
    assert "ended as failed" in run.output
    assert "to send another, start a new DAG run" in run.output


# --- once -------------------------------------------------------------------------------------------------------------


def test_the_ids_are_there_before_the_waiting_and_out_of_time_leaves_the_transfer(account):
    from airflow.sdk.exceptions import AirflowFailException

    pushed: dict[str, str] = {}
    with pytest.raises(AirflowFailException, match="goes on without this task and cannot be called back"):
        operator(timeout_seconds=0.3).execute(context(pushed=pushed))
    assert set(pushed) == {"intent_id", "transfer_id"}
    end(account, pushed["transfer_id"])
    # Cleared: it goes on waiting, and sends nothing.
    assert operator().execute(context())["transfer_id"] == pushed["transfer_id"]
    assert account.sent() == 1


@pytest.mark.parametrize("fault", ["error_after", "timeout_after"])
def test_a_transfer_whose_answer_was_lost_is_found_and_sent_once(monkeypatch, tmp_path, start_sandbox, fault):
    # A sandbox of its own: in one that other journals use, a person would have to say which transfer is meant.
    server = start_sandbox("--rate-limit", "0", "--withdrawal-seconds", "1")
    alone = prepare(monkeypatch, tmp_path, server)
    alone.fault(fault, path="/transfers", status=503)
    assert operator().execute(context())["status"] == "completed"
    assert alone.sent() == 1
    server.stop()


def test_doubt_fails_the_task_without_retry_and_says_so(account):
    from airflow.sdk.exceptions import AirflowFailException

    account.fault("error_before", path="/transfers", status=503)
    for _ in range(2):
        with pytest.raises(AirflowFailException, match=r"UNKNOWN: The transfer was sent, and no answer came"):
            operator(amount="0.0113").execute(context())
    assert account.sent() == 0


def test_doubt_is_waited_for_in_the_triggerer_and_what_is_found_is_not_sent_again(monkeypatch, tmp_path, start_sandbox):
    from airflow.sdk.exceptions import AirflowFailException, TaskDeferred

    server = start_sandbox("--rate-limit", "0", "--withdrawal-seconds", "1")
    alone = prepare(monkeypatch, tmp_path, server)
    alone.fault("error_after", path="/transfers", status=503)
    alone.fault("stale_list", method="GET", path="/transfers", delay_seconds=3600, times=None)
    made = operator(deferrable=True)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context())
    assert deferred.value.method_name == "execute_after_doubt"
    assert type(deferred.value.trigger).__name__ == "ReconcileTrigger"
    assert alone.sent() == 1
    with pytest.raises(AirflowFailException, match="UNKNOWN"):
        made.execute_after_doubt(context(), {"status": "placed"})  # a lie
    server.clear_faults()
    assert made.execute_after_doubt(context(), {"status": "placed"})["status"] == "completed"
    assert alone.sent() == 1
    server.stop()


def test_waiting_costs_no_more_looks_than_the_account_has(account, monkeypatch):
    from airflow.sdk.exceptions import AirflowFailException

    reads = count_reads(monkeypatch)
    with pytest.raises(AirflowFailException, match="is still pending"):
        operator(timeout_seconds=1.5, poll_seconds=0.05).execute(context())
    assert 1 <= len([path for path in reads if "/transfers/" in path]) <= 2


def test_on_chain_it_is_signed_and_sent_once(account):
    result = operator(**ON_CHAIN, wait=False).execute(context())
    assert (result["sent"]["chain"], result["sent"]["address"]) == ("base", BASE)
    assert operator(**ON_CHAIN, wait=False).execute(context())["transfer_id"] == result["transfer_id"]
    assert account.sent() == 1


def test_a_kill_before_sending_sends_nothing(account, monkeypatch):
    from tradehook.desk.submit import Desk
    from tradehook.errors import Interrupted

    made, create = operator(), Desk.create_transfer

    def killed(self, *args, **kwargs):
        made.on_kill()
        return create(self, *args, **kwargs)

    monkeypatch.setattr(Desk, "create_transfer", killed)
    with pytest.raises(Interrupted):
        made.execute(context())
    assert account.sent() == 0


# --- what cannot be ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"destination": "nowhere"}, "No destination is called nowhere; there is cold, vault"),
        ({"destination": BITCOIN}, "is not a destination's label"),
        ({"amount": "$5"}, "sized in the asset itself"),
        ({"amount": 0.1}, "is a float"),
        ({"amount": "0"}, "is zero"),
        ({"asset": ""}, "asset is missing"),
        ({"amount": "1000"}, "InsufficientFunds|holds|less"),
    ],
)
def test_what_cannot_be_fails_at_once_with_the_reason(account, more, says):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match=says):
        operator(**more).execute(context())
    assert account.sent() == 0


def test_a_backfill_sends_nothing_unless_it_may(account):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="backfill"):
        operator(wait=False).execute(context(run_type="backfill"))
    assert account.sent() == 0
    operator(wait=False, allow_backfill=True).execute(context(run_type="backfill"))
    assert account.sent() == 1


def test_live_and_frozen_are_refusals(account, monkeypatch, tmp_path):
    from airflow.sdk.exceptions import AirflowFailException

    with hook() as opened:
        opened.desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(AirflowFailException, match="GuardRefused"):
        operator().execute(context())
    connect(monkeypatch, tmp_path, account.server, environment="live")
    with pytest.raises(AirflowFailException, match="GuardRefused: Live trading is off"):
        operator().execute(context("another"))
    assert account.sent() == 0


@pytest.mark.parametrize("make", [operator, lambda **more: sensor(transfer_id="t-1", **more)])
def test_an_exchange_without_transfers_says_its_sentence(monkeypatch, tmp_path, make):
    from airflow.sdk.exceptions import AirflowFailException

    connection = {"conn_type": "fintrusted", "host": "http://127.0.0.1:9", "extra": {"environment": "sandbox"}}
    monkeypatch.setenv("AIRFLOW_CONN_FINTRUSTED_DEFAULT", json.dumps(connection))
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    with pytest.raises(AirflowFailException, match="FinTrusted has no documented way to send coins"):
        make(exchange_conn_id="fintrusted_default").execute(context())


# --- in the triggerer -------------------------------------------------------------------------------------------------


def test_a_trigger_survives_being_stored_and_says_ids_and_a_word_only(account):
    from tradehook_provider.waiting import check_travels

    transfer_id = send()
    end(account, transfer_id)
    made = trigger(transfer_id=transfer_id)
    check_travels(made)
    assert first_events([made]) == [{"transfer_id": transfer_id, "intent_id": "i-1", "status": "completed"}]


def test_its_own_deadline_and_its_budget_of_failures_are_events(account, monkeypatch):
    from tradehook_provider.triggers import watching

    transfer_id, looks = send(), []
    for until in (time.time() + 0.5, time.time() - 5):
        assert first_events([trigger(transfer_id=transfer_id, until=until)])[0]["status"] == "timeout"

    async def fail(self, *_args, **_more):
        looks.append(self)
        raise OSError("down")

    monkeypatch.setattr(watching.OrderWatch, "look_at_transfer", fail)
    assert first_events([trigger(transfer_id=transfer_id, poll_seconds=0.01)])[0]["status"] == "error"
    assert len(looks) == 10


@pytest.mark.parametrize("is_known", [True, False], ids=["in the journal", "from elsewhere"])
def test_many_triggers_look_together(account, monkeypatch, tmp_path, is_known):
    ids = [send(intent_id=f"i-{number}") for number in range(2)]
    if not is_known:
        (tmp_path / "other").mkdir()
        connect(monkeypatch, tmp_path / "other", account.server)
    reads = count_reads(monkeypatch)
    until = time.time() + 1.2
    made = [trigger(transfer_id=ids[number % 2], until=until, poll_seconds=0.5) for number in range(30)]
    assert {event["status"] for event in first_events(made)} == {"timeout"}
    # Known ones are read by the sweep, two at a time and at most each 2 s; the others in one list for each interval.
    assert 1 <= len(reads) <= 6


@pytest.mark.parametrize(
    "event",
    [
        None,
        {},
        "completed",
        {"status": "completed"},
        {"status": "completed", "transfer_id": "another"},
        {"status": "fine"},
    ],
)
def test_a_strange_event_is_never_a_success(account, event):
    from airflow.sdk.exceptions import AirflowException, AirflowFailException, TaskDeferred

    made = operator(deferrable=True, inline_wait_seconds=0)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context())
    transfer_id = deferred.value.trigger.transfer_id
    if event == {"status": "fine"}:
        event["transfer_id"] = transfer_id
    waiting = sensor(transfer_id=transfer_id, deferrable=True)
    for task in (made, waiting):
        with pytest.raises(AirflowException) as caught:
            task.execute_complete(context(), event)
        assert not isinstance(caught.value, AirflowFailException), "it can be tried again"


def test_an_event_that_lies_is_not_believed(account):
    from airflow.sdk.exceptions import AirflowException, AirflowSensorTimeout, TaskDeferred

    made = operator(deferrable=True, inline_wait_seconds=0)
    with pytest.raises(TaskDeferred) as deferred:
        made.execute(context())
    lie = {"status": "completed", "transfer_id": deferred.value.trigger.transfer_id}
    with pytest.raises(AirflowException, match="could not be watched"):
        made.execute_complete(context(), lie)
    with pytest.raises(AirflowSensorTimeout):
        sensor(transfer_id=lie["transfer_id"], deferrable=True).execute_complete(context(), lie)


def test_what_cannot_be_stored_is_found_before_it_is_sent(account):
    with pytest.raises((TypeError, ValueError)):
        operator(deferrable=True, deferred_poll_seconds=object()).execute(context())
    assert account.sent() == 0


# --- the sensor -------------------------------------------------------------------------------------------------------


def test_a_sensor_fails_on_a_failed_transfer_unless_told(account):
    from airflow.sdk.exceptions import AirflowFailException

    transfer_id = send()
    end(account, transfer_id, "failed")
    with pytest.raises(AirflowFailException, match="ended as failed"):
        sensor(transfer_id=transfer_id).execute(context())
    told = sensor(transfer_id=transfer_id, accept_statuses=["completed", "failed"])
    assert told.execute(context())["status"] == "failed"


def test_a_sensor_waits_in_the_worker_until_its_intent_has_a_transfer(account):
    from airflow.sdk.exceptions import AirflowSensorTimeout, TaskDeferred

    with hook() as opened:
        exchange = opened.get_conn().exchange
        opened.desk.journal.prepare(
            "soon",
            kind="transfer",
            exchange=exchange.spec.name,
            host=exchange.host,
            environment="sandbox",
            account="true_markets_default",
            source="test",
            asked={"asset": "BTC", "amount": "0.01", "to": "vault", "chain": None},
        )
    waiting = {"intent_id": "soon", "deferrable": True, "inline_wait_seconds": 0}
    with pytest.raises(AirflowSensorTimeout):
        sensor(**waiting, timeout=0.3).execute(context())
    transfer_id = send(intent_id="soon")
    with pytest.raises(TaskDeferred) as deferred:
        sensor(**waiting).execute(context())
    assert deferred.value.trigger.transfer_id == transfer_id


def test_a_sensor_wants_one_transfer(account):
    from airflow.sdk.exceptions import AirflowFailException

    for wrong in ({}, {"transfer_id": "a", "intent_id": "b"}, {"transfer_id": "a", "accept_statuses": ["filled"]}):
        with pytest.raises(ValueError, match=r"either transfer_id or intent_id|can be completed"):
            sensor(**wrong)
    with pytest.raises(AirflowFailException, match="There is no intent"):
        sensor(intent_id="nowhere").execute(context())
