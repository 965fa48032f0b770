"""The buttons on tasks, as Airflow's API gives them after real runs."""

from __future__ import annotations

import re

import pytest

from tradehook_provider.get_provider_info import get_provider_info
from tradehook_provider.links import EXPLORERS, explorer_url

EVM = "0x" + "ab" * 32


@pytest.fixture
def links_of(airflow_database, monkeypatch):
    """What `GET .../links` answers for a task."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example/base/")
    from airflow.api_fastapi.app import create_app, get_auth_manager, purge_cached_app
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    purge_cached_app()
    app = create_app(apps="core")
    token = get_auth_manager().generate_jwt(SimpleAuthManagerUser(username="vic", role="viewer"))
    client = TestClient(app, headers={"Authorization": f"Bearer {token}"})

    def links(run, task_id):
        dag_run = run.dag_run
        answer = client.get(f"/api/v2/dags/{dag_run.dag_id}/dagRuns/{dag_run.run_id}/taskInstances/{task_id}/links")
        assert answer.status_code == 200, answer.text
        return answer.json()["extra_links"]

    yield links
    purge_cached_app()


def test_an_order_leads_to_its_row_on_the_trading_page(run_dag, account, links_of):
    from tradehook_provider.connections import default_journal
    from tradehook_provider.plugin import drawing, reading

    run = run_dag("place")
    assert run.state == "success", run.output
    order_id = run.result("place")["order_id"]
    found = links_of(run, "place")
    assert found == {
        "Order": f"https://airflow.example/base/tradehook/#made-{order_id}",
        "Trading": "https://airflow.example/base/plugin/trading",
    }
    page = drawing.page(reading.read(default_journal()), token=None)
    assert f'<tr id="made-{order_id}">' in page


def test_a_task_that_sent_nothing_has_no_order_to_lead_to(run_dag, account, links_of):
    run = run_dag("place", {"amount": "1,000"})
    assert run.state == "failed"
    assert not links_of(run, "place")["Order"]


def test_a_transfer_that_left_leads_to_its_transaction(run_dag, account, links_of):
    from tradehook_provider.hooks.exchange import ExchangeHook

    address = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
    with ExchangeHook() as hook:
        host = hook.get_conn().exchange.host
        hook.desk.journal.destinations.add(host, "vault", network="bitcoin", address=address, by="test")
    run = run_dag("send")
    assert run.state == "success", run.output
    result = run.result("send")
    assert result["tx_hash"]
    assert links_of(run, "send") == {
        "Transaction": f"https://mempool.space/tx/{result['tx_hash']}",
        "Trading": "https://airflow.example/base/plugin/trading",
    }


@pytest.mark.parametrize(
    ("network", "tx_hash", "leads_to"),
    [
        ("base", EVM, f"https://basescan.org/tx/{EVM}"),
        ("bitcoin", "ab" * 32, f"https://mempool.space/tx/{'ab' * 32}"),
        ("solana", "5" * 88, f"https://solscan.io/tx/{'5' * 88}"),
        ("base", "", ""),
        ("base", None, ""),
        ("base", "ab" * 32, ""),
        ("base", f"{EVM}/../../login?x=1", ""),
        ("robinhood", EVM, ""),
        (None, EVM, ""),
    ],
)
def test_a_transfer_leads_to_its_networks_explorer_or_nowhere(network, tx_hash, leads_to):
    assert explorer_url(network, tx_hash) == leads_to


def test_only_networks_that_money_can_go_to_have_an_explorer():
    from tradehook.addresses import NETWORKS

    assert {*EXPLORERS} <= {*NETWORKS}
    assert all(re.fullmatch(r"https://[a-z.]+/tx/", address) for address, _ in EXPLORERS.values())


def test_airflow_knows_of_every_link(airflow_database):
    from airflow.sdk import BaseOperatorLink

    import tradehook_provider.links as module

    ours = [
        f"{module.__name__}.{name}"
        for name, value in vars(module).items()
        if isinstance(value, type) and issubclass(value, BaseOperatorLink) and value is not BaseOperatorLink
    ]
    assert sorted(ours) == get_provider_info()["extra-links"]
