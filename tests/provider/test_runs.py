"""The intent id of a task: the same for every try, another for everything else."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

pytestmark = pytest.mark.usefixtures("airflow_database")

TI = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}


def intent_id(*, leg="order", generation=0, **ti):
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.runs import task_intent_id

    with ExchangeHook() as hook:
        context = {"ti": SimpleNamespace(**{**TI, **ti})}
        return task_intent_id(context, hook=hook, leg=leg, generation=generation)


def test_it_does_not_change_with_the_try_or_the_instances_id(account):
    assert intent_id(try_number=1, id="a") == intent_id(try_number=2, id="b")


def test_everything_else_makes_another(account):
    ids = [
        intent_id(),
        intent_id(dag_id="e"),
        intent_id(run_id="s"),
        intent_id(task_id="u"),
        intent_id(map_index=0),
        intent_id(map_index=1),
        intent_id(leg="plan"),
        intent_id(generation=1),
        intent_id(dag_id="d/r", run_id=""),
    ]
    assert len(set(ids)) == len(ids)


def test_another_deployment_makes_another(account, monkeypatch, tmp_path):
    first = intent_id()
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/another.db")
    assert intent_id() != first


def test_a_second_connection_to_the_same_account_is_the_same_deed(account, monkeypatch):
    """Renaming a connection and clearing an old run must not buy again."""
    import os

    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.runs import task_intent_id

    monkeypatch.setenv("AIRFLOW_CONN_OTHER_NAME", os.environ["AIRFLOW_CONN_TRUE_MARKETS_DEFAULT"])
    with ExchangeHook("other_name") as hook:
        assert task_intent_id({"ti": SimpleNamespace(**TI)}, hook=hook, leg="order") == intent_id()


def test_who_asked_is_readable():
    from tradehook_provider.runs import task_source

    assert task_source({"ti": SimpleNamespace(**TI)}) == "airflow:d/r/t"
    assert task_source({"ti": SimpleNamespace(**{**TI, "map_index": 3})}) == "airflow:d/r/t[3]"
