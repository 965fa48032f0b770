"""The DAG that newcomers see first: strict about its form, and it does what its doc says."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest


def test_it_rebalances_for_real_and_reports_before_and_after(run_dag, account):
    run = run_dag("rebalance", {"dry_run": False})
    assert run.state == "success", run.output
    report = run.result("report")
    assert (report["environment"], report["dry_run"], report["quote"]) == ("sandbox", False, "PYUSD")
    assert set(report["assets"]) == {"BTC", "ETH", "PYUSD"}
    assert [row["target"] for row in report["assets"].values()] == ["40", "40", "20"]
    for row in report["assets"].values():
        assert abs(Decimal(row["after"]) - Decimal(row["target"])) < 1
    assert abs(Decimal(report["assets"]["BTC"]["before"]) - 55) < 2
    assert len(report["legs"]) == 2
    assert all(leg.endswith(": filled") for leg in report["legs"])
    assert json.loads(json.dumps(report)) == report
    assert account.orders() == 2
    assert "BTC    target     40 %" in run.output


def test_unless_told_it_only_says_what_it_would_do(run_dag, account):
    run = run_dag("rebalance")
    assert run.state == "success", run.output
    assert "Dry run, nothing is sent." in run.output
    result = run.result("rebalance")
    assert (result["dry_run"], result["state"], result["legs"]) == (True, "DRY_RUN", [])
    assert [leg["base"] for leg in result["plan"]["legs"]] == ["BTC", "ETH"]
    assert run.result("report")["dry_run"] is True
    assert account.orders() == 0


def test_decimals_in_the_form_arrive_as_they_were_written(run_dag, account):
    conf = {"targets": {"BTC": 55.25, "ETH": "28.3"}, "band": 2.5, "min_trade": 12.5}
    result = run_dag("rebalance", conf).result("rebalance")
    assert [held["target"] for held in result["plan"]["holdings"]] == ["55.25", "28.3", "16.45"]
    assert result["plan"]["legs"] == []


@pytest.mark.parametrize(
    "conf",
    [
        {"targets": {}},
        {"targets": {"BTC": 101}},
        {"targets": {"BTC": "a lot"}},
        {"band": -1},
        {"band": "1,5"},
        {"min_trade": "ten"},
        {"dry_run": "no"},
        {"connection": "a connection"},
    ],
)
def test_the_form_refuses_what_cannot_be_meant(airflow_database, conf):
    from airflow.sdk.exceptions import ParamValidationError
    from tradehook_airflow_home import find_dag

    params = find_dag("rebalance").params
    for name, value in conf.items():
        with pytest.raises(ParamValidationError):
            params[name] = value


def test_its_defaults_are_safe(airflow_database):
    from tradehook_airflow_home import find_dag

    dag = find_dag("rebalance")
    dag.validate()
    assert dag.params["dry_run"] is True
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert type(dag.timetable).__name__ == "NullTimetable"
    assert dag.start_date.utcoffset().total_seconds() == 0
    assert dag.doc_md
