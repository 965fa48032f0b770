"""One test for each trap of Airflow 3.3 that no other test is named after. Each was seen to happen to somebody.

Held elsewhere: what cannot be stored is found before money moves (`test_waiting`, `test_doubts`,
`test_rebalance_deferred`), events carry ids and a word (`test_waiting`, `test_doubts`), secrets under names that Airflow
masks (`test_provider_info`), a schema that every process reads (`test_provider_info`), who ended a task (`test_kills`),
ids without the try (`test_runs`), policies in mapped tasks (`test_retry_policy`), killed workers (`test_place_order`).
"""

from __future__ import annotations

import asyncio
import importlib.util
import inspect
import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tradehook_provider.get_provider_info import get_provider_info

pytestmark = pytest.mark.usefixtures("airflow_database")

AT = datetime(2026, 8, 1, 12, tzinfo=UTC)
PRIMITIVES = {"str", "float", "int", "bool", "None", "dict", "list", "tuple", "Sequence", "Mapping", "Any"}


def modules(*kinds):
    info = get_provider_info()
    return [importlib.import_module(name) for kind in kinds for entry in info[kind] for name in entry["python-modules"]]


def classes(*kinds):
    """Every class of ours that a DAG can use, of these kinds."""
    return sorted(
        {
            value
            for module in modules(*kinds)
            for value in vars(module).values()
            if inspect.isclass(value) and value.__module__ == module.__name__ and not value.__name__.startswith("_")
        },
        key=lambda kind: kind.__name__,
    )


def context(**dag_run):
    return {
        "ti": SimpleNamespace(dag_id="d", run_id="r", task_id="t", map_index=-1, xcom_push=lambda **_: None),
        "dag_run": SimpleNamespace(**{"run_type": "manual", **dag_run}),
    }


def operator(**more):
    from tradehook_provider.operators.orders import PlaceOrderOperator

    order = {"market": "BTC/PYUSD", "side": "buy", "amount": "0.001"}
    return PlaceOrderOperator(task_id="t", **{**order, **more})


# --- what Airflow reads of a provider ---------------------------------------------------------------------------------


def test_a_field_that_only_the_schema_for_authors_allows_kills_every_process():
    """Airflow checks each provider at `import airflow`, by another schema than the one that authors are shown."""
    import jsonschema

    folder = Path(importlib.util.find_spec("airflow").origin).parent
    schema = json.loads((folder / "provider_info.schema.json").read_text())
    deadly = {**get_provider_info(), "asset-uris": [{"schemes": ["x"], "handler": None, "factory": None}]}
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(deadly, schema)
    jsonschema.validate(get_provider_info(), schema)


def test_plugins_in_the_provider_info_are_ignored():
    """They are only read from the entry points `airflow.plugins`, unless the deployment says otherwise."""
    from importlib.metadata import entry_points

    assert "plugins" not in get_provider_info()
    ours = [point for point in entry_points(group="airflow.plugins") if point.value.startswith("tradehook_provider")]
    assert ours
    assert all(point.load() for point in ours)


def test_form_methods_of_hooks_are_deprecated():
    from airflow.sdk import BaseHook

    for hook in classes("hooks"):
        for name in ("get_connection_form_widgets", "get_ui_field_behaviour"):
            assert getattr(hook, name).__func__ is getattr(BaseHook, name).__func__, "the form is data"


def test_provider_imports_make_every_dag_slow():
    """Importing everything that a DAG file may import loads nothing of ours that is heavy."""
    names = [module.__name__ for module in modules("operators", "sensors", "triggers")]
    code = (
        "import airflow.sdk, airflow.triggers.base, sys\n"
        "from airflow.sdk import BaseOperator, BaseSensorOperator, BaseHook, DAG, RetryPolicy, conf\n"
        "before = {*sys.modules}\n"
        f"import {', '.join(names)}\n"
        "print(*sorted({*sys.modules} - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=True)
    loaded = done.stdout.split()
    ours = [name for name in loaded if name.startswith("tradehook")]
    assert set(names) <= set(ours)
    heavy = ("tradehook.desk", "tradehook.client", "tradehook.models", "tradehook.exchanges.true_markets.keys")
    assert [name for name in ours if name.startswith(heavy)] == []
    others = {name.partition(".")[0] for name in loaded} - {"tradehook", "tradehook_provider", "airflow"}
    assert not others & {"httpx", "pydantic", "sqlalchemy", "telegram", "websockets", "cryptography", "aiohttp"}


# --- money as text ----------------------------------------------------------------------------------------------------


def test_a_decimal_in_an_xcom_is_rounded(run_dag, account):
    """The trap itself, and that nothing of ours steps into it."""
    from airflow.sdk.serde import deserialize, serialize

    exact = Decimal("0.10000000000000000001")
    assert deserialize(serialize(exact)) != exact, "it can be mended upstream; then text is still right"
    for dag_id, task in (("place", "place"), ("balances", "balances"), ("rebalance_now", "rebalance")):
        result = run_dag(dag_id).result(task)
        assert result
        assert json.loads(json.dumps(result)) == result
        assert deserialize(serialize(result)) == result


@pytest.mark.parametrize("kind", classes("triggers"), ids=lambda kind: kind.__name__)
def test_a_decimal_among_a_triggers_arguments_is_rounded(kind):
    if not hasattr(kind, "serialize"):
        return
    for name, parameter in inspect.signature(kind.__init__).parameters.items():
        if name in ("self", "kwargs"):
            continue
        words = {word for word in str(parameter.annotation).replace("[", " ").replace("]", " ").split() if word != "|"}
        assert {word.strip(",") for word in words} <= PRIMITIVES, f"{name}: {parameter.annotation}"


# --- in the triggerer -------------------------------------------------------------------------------------------------


def test_templates_hang_where_a_task_starts_in_the_triggerer():
    """`start_from_trigger` with an XCom in a template never ends in 3.3; nothing of ours uses it."""
    for kind in classes("operators", "sensors"):
        assert not getattr(kind, "start_from_trigger", False)
        assert getattr(kind, "start_trigger_args", None) is None


def test_reading_a_connection_blocks_the_triggerers_loop(account, monkeypatch):
    """Triggers read it with `aget_connection`; the other way holds up every trigger of the process."""
    from airflow.sdk import BaseHook

    from tradehook_provider.triggers.orders import OrderTrigger

    made = operator(wait=False).execute(context())
    monkeypatch.setattr(BaseHook, "get_connection", lambda *_: pytest.fail("read inside the event loop"))
    trigger = OrderTrigger(
        exchange_conn_id="true_markets_default",
        order_id=made["order_id"],
        intent_id=made["intent_id"],
        until=time.time() + 20,
        poll_seconds=0.1,
    )

    async def first():
        return (await anext(trigger.run())).payload["status"]

    assert asyncio.run(first()) == "filled"


def test_cleanup_runs_on_every_exit_of_a_trigger():
    """On a restart as well: whatever ended an order there would end it at every deployment."""
    from airflow.triggers.base import BaseTrigger

    for kind in classes("triggers"):
        if issubclass(kind, BaseTrigger):
            assert kind.cleanup is BaseTrigger.cleanup


# --- the second try ---------------------------------------------------------------------------------------------------


def test_a_deferred_task_is_declared_failed_although_all_is_well(account):
    """The scheduler may do that when the trigger fires at once. The second try is cheap: it finds what is there."""
    from airflow.sdk.exceptions import TaskDeferred

    with pytest.raises(TaskDeferred) as deferred:
        operator(deferrable=True, inline_wait_seconds=0).execute(context())
    second = operator(deferrable=True, inline_wait_seconds=10, poll_seconds=0.1).execute(context())
    assert (second["order_id"], second["status"]) == (deferred.value.trigger.order_id, "filled")
    third = operator(deferrable=True, inline_wait_seconds=0).execute(context())
    assert third == second, "what has ended is not even waited for"
    assert account.orders() == 1


def test_an_order_that_ended_otherwise_is_placed_again_by_a_resumable_job(account):
    """Airflow's own mixin submits once more when it finds a canceled job. Ours fails, however often it is cleared."""
    from airflow.sdk.exceptions import AirflowFailException

    from tradehook_provider.hooks.exchange import ExchangeHook

    limit = {"price": "50000", "good_for": "1h"}
    made = operator(wait=False, **limit).execute(context())
    with ExchangeHook() as hook:
        hook.desk.cancel_order(made["order_id"])
    for _ in range(2):
        with pytest.raises(AirflowFailException, match="ended as canceled"):
            operator(poll_seconds=0.1, **limit).execute(context())
    assert account.orders() == 1


def test_xcoms_are_gone_at_every_try(run_dag, account):
    """They are no memory: without them, the rerun returns the same from the journal."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session
    from sqlalchemy import delete

    first = run_dag("place", at=AT).result("place")
    with create_session() as session:
        session.execute(delete(XComModel).where(XComModel.dag_id == "place"))
    again = run_dag("place", at=AT)
    assert again.result("place") == first
    assert f"Not sent again: intent {first['intent_id']} has placed order {first['order_id']} before" in again.output
    assert "To trade again, trigger a new run." in again.output
    assert account.orders() == 1


def test_a_new_instance_of_a_task_has_a_new_id_on_every_try(account):
    """`ti.id` and the try number change; the deed does not."""
    orders = set()
    for try_number in (1, 2, 3):
        given = context()
        given["ti"].id, given["ti"].try_number = f"instance-{try_number}", try_number
        orders.add(operator(poll_seconds=0.1).execute(given)["order_id"])
    assert len(orders) == 1 == account.orders()


# --- the past ---------------------------------------------------------------------------------------------------------


def interval(hours_ago, *, length_hours=1.0):
    end = datetime.now(UTC) - timedelta(hours=hours_ago)
    return {"data_interval_start": end - timedelta(hours=length_hours), "data_interval_end": end}


def test_a_backfill_trades_today_what_was_meant_for_last_year(account):
    from airflow.sdk.exceptions import AirflowFailException

    given = context(run_type="backfill")
    with pytest.raises(AirflowFailException, match="This is a backfill run"):
        operator().execute(given)
    assert account.orders() == 0
    assert operator(allow_backfill=True, poll_seconds=0.1).execute(given)["status"] == "filled"


@pytest.mark.parametrize(
    ("catchup", "run", "is_refused"),
    [
        (True, interval(30), True),
        (True, interval(0.5), False),
        (True, interval(30, length_hours=24), True),
        (True, interval(12, length_hours=24), False),
        (True, interval(0.5, length_hours=0), False),
        (True, interval(5, length_hours=0), True),
        (True, {"data_interval_start": None, "data_interval_end": None}, False),
        (False, interval(30), False),
    ],
    ids=[
        "a day late, hourly",
        "the newest",
        "a day late, daily",
        "the newest, daily",
        "the newest, a moment",
        "late, a moment",
        "without an interval",
        "waited for its turn",
    ],
)
def test_catching_up_trades_once_for_each_run_that_was_missed(catchup, run, is_refused):
    from tradehook.errors import GuardRefused
    from tradehook_provider.runs import refuse_backfill

    given = {**context(run_type="scheduled", **run), "dag": SimpleNamespace(catchup=catchup)}
    refuse_backfill(given, is_allowed=True)
    if not is_refused:
        refuse_backfill(given, is_allowed=False)
        return
    with pytest.raises(GuardRefused, match="a later one is due already"):
        refuse_backfill(given, is_allowed=False)
