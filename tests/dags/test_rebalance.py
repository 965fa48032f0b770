"""The DAG that newcomers see first: cheap to parse, strict about its form, and it does what its doc says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARSE = """
import sys, time, warnings
warnings.simplefilter("ignore")
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, Param, PokeReturnValue, conf
with DAG("any", schedule=None, params={{"any": Param("1", type="string")}}):  # what every DAG file costs
    BaseOperator(task_id="any")
before = set(sys.modules)
began = time.perf_counter()
import importlib.util
spec = importlib.util.spec_from_file_location("rebalance", {path!r})
module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
taken = time.perf_counter() - began
import json
print(json.dumps({{"milliseconds": taken * 1000, "modules": sorted(set(sys.modules) - before)}}))
"""
NOT_AT_PARSE_TIME = (
    "tradehook.models",
    "tradehook.lines",
    "tradehook.client",
    "tradehook.desk",
    "tradehook.exchanges",
    "tradehook.render",
    "tradehook_provider.triggers",
    "sqlalchemy",
    "alembic",
    "telegram",
    "cryptography",
    "pydantic",
    "airflow.providers",
    "airflow.triggers",
)


def parse():
    done = subprocess.run(
        [sys.executable, "-c", PARSE.format(path=str(ROOT / "dags" / "rebalance.py"))],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={**os.environ, "AIRFLOW_HOME": os.environ["AIRFLOW_HOME"]},
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_parsing_it_costs_next_to_nothing():
    """Airflow parses every DAG file again and again; what is loaded here is loaded each time."""
    parsed = parse()
    offenders = [name for name in parsed["modules"] if name.startswith(NOT_AT_PARSE_TIME)]
    assert offenders == []
    assert len(parsed["modules"]) <= 16, parsed["modules"]
    # A busy machine can take longer; the count of modules is what holds.
    fastest = min([parsed["milliseconds"], *(parse()["milliseconds"] for _ in range(2))])
    assert fastest < 30, fastest


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
