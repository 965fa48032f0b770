"""What holds for every DAG that is shipped: cheap to parse, reading nothing then, and strict about its form."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DAGS = sorted((Path(__file__).parents[2] / "dags").glob("*.py"))
NAMES = [path.stem for path in DAGS]

PARSE = """
import importlib.util, json, os, sys, time, warnings
warnings.simplefilter("ignore")
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator, Param, PokeReturnValue, conf
with DAG("any", schedule=None, params={"any": Param("1", type="string")}):  # what every DAG file costs
    BaseOperator(task_id="any")
touched = []
LIBRARIES = tuple({os.path.realpath(place) for place in (sys.prefix, sys.base_prefix)})
def seen(event, arguments):
    if event in ("socket.__new__", "socket.connect", "socket.getaddrinfo", "subprocess.Popen", "sqlite3.connect"):
        touched.append(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[0], (str, bytes, os.PathLike)):
        path = os.path.realpath(os.fsdecode(arguments[0]))
        if not path.endswith((".py", ".pyc")) and not path.startswith(LIBRARIES) and not ".pyc." in path:
            touched.append(f"open {path}")
for path in sys.argv[1:]:
    sys.stdout.flush()
    if (child := os.fork()):  # each begins with Airflow loaded and nothing else
        assert os.waitpid(child, 0)[1] == 0
        continue
    before = set(sys.modules)
    sys.addaudithook(seen)
    began = time.process_time()
    spec = importlib.util.spec_from_file_location("dag_file", path)
    spec.loader.exec_module(importlib.util.module_from_spec(spec))
    taken = time.process_time() - began
    found = sorted(set(sys.modules) - before)
    print(json.dumps([path, {"milliseconds": taken * 1000, "modules": found, "touched": touched}]))
    sys.stdout.flush()
    os._exit(0)
"""
NEVER = (
    "tradehook.models",
    "tradehook.lines",
    "tradehook.client",
    "tradehook.desk",
    "tradehook.exchanges",
    "tradehook.render",
    "sqlalchemy",
    "alembic",
    "telegram",
    "cryptography",
)
# Airflow's own way to ask people, and its base of triggers, are what these two are for.
PROVIDERS = {"approve_trade": 50, "scheduled_transfer": 51}
TRIGGERS = {"on_fill": 29}
MOST_MODULES = 27


def parse(*paths):
    done = subprocess.run(
        [sys.executable, "-c", PARSE, *map(str, paths)], capture_output=True, text=True, check=True, timeout=120
    )
    return {Path(path).stem: told for path, told in map(json.loads, done.stdout.splitlines())}


@pytest.fixture(scope="module")
def parsed():
    return parse(*DAGS)


@pytest.mark.parametrize("name", NAMES)
def test_parsing_it_loads_next_to_nothing(parsed, name):
    """Airflow parses every DAG file again and again; what is loaded here is loaded each time."""
    modules = parsed[name]["modules"]
    not_here = NEVER
    if name not in PROVIDERS:
        not_here += ("airflow.providers",)
        if name not in TRIGGERS:
            not_here += ("airflow.triggers", "tradehook_provider.triggers", "pydantic")
    assert [module for module in modules if module.startswith(not_here)] == []
    assert len(modules) <= {**PROVIDERS, **TRIGGERS}.get(name, MOST_MODULES), modules


@pytest.mark.parametrize("name", NAMES)
def test_parsing_it_opens_no_socket_and_no_file(parsed, name):
    assert parsed[name]["touched"] == []


def test_a_dag_that_reads_something_when_it_is_parsed_would_be_seen(tmp_path):
    """The control of the two above."""
    (tmp_path / "setting.txt").write_text("x")
    bad = tmp_path / "bad.py"
    bad.write_text(
        f"import socket, tradehook.models\nopen({str(tmp_path / 'setting.txt')!r}).close()\nsocket.socket().close()\n"
    )
    told = parse(bad)["bad"]
    assert [each.split(maxsplit=1)[0] for each in told["touched"]] == ["open", "socket.__new__"], told["touched"]
    assert [module for module in told["modules"] if module.startswith(NEVER)]


@pytest.fixture(params=NAMES)
def dag(request, airflow_database):
    from tradehook_airflow_home import find_dag

    return find_dag(request.param)


def test_it_is_whole_and_safe_as_it_is_shipped(dag):
    dag.validate()
    assert dag.doc_md.strip().startswith("### ")
    assert dag.description
    assert "tradehook" in dag.tags
    assert (dag.catchup, dag.max_active_runs) == (False, 1)
    assert dag.dagrun_timeout.total_seconds() > 0
    assert dag.start_date.utcoffset().total_seconds() == 0
    assert dag.timezone.name == "UTC"
    for task in dag.tasks:
        assert f"**{task.task_id}**" in dag.doc_md, "what each task does stands in the doc"
        assert task.retries > 0, "every task here may be tried again"
        assert not getattr(task, "allow_backfill", False)
    for name in dag.params:
        param = dag.params.get_param(name)
        assert param.schema.get("type"), name
        assert param.schema.get("title"), name
        assert param.description, name
        assert not isinstance(param.value, float), "a float is never money"
        if param.schema["type"] == "string":
            assert "pattern" in param.schema or "enum" in param.schema, name


def test_it_survives_being_stored(dag):
    """What the scheduler reads is what is written here, callbacks apart."""
    from airflow.serialization.serialized_objects import DagSerialization

    stored = json.loads(json.dumps(DagSerialization.to_dict(dag)))
    assert DagSerialization.from_dict(stored).dag_id == dag.dag_id


WRONG = {
    "dollar_cost_average": [
        {"market": "BTC"},
        {"market": ""},
        {"amount": "$0"},
        {"amount": "0.00"},
        {"amount": "-5"},
        {"amount": "$25,50"},
        {"amount": 25.5},
        {"amount": "max"},
        {"max_slippage": "0"},
        {"max_slippage": "100"},
        {"connection": ""},
        {"connection": "a connection"},
        {"telegram": "a chat"},
    ],
    "order_monitor": [
        {"older_than": "0h"},
        {"older_than": "a day"},
        {"older_than": 24},
        {"connection": ""},
        {"telegram": ""},
    ],
    "daily_report": [{"since": "0h"}, {"since": "yesterday"}, {"connection": "a b"}, {"telegram": ""}],
    "scheduled_transfer": [
        {"asset": "B/C"},
        {"keep": ""},
        {"keep": "-1"},
        {"keep": 0.5},
        {"at_least": "0"},
        {"at_least": "0.000"},
        {"destination": "0x52908400098527886E0F7030069857D2E4169EE7"},
        {"destination": ""},
        {"connection": ""},
    ],
    "on_fill": [{"telegram": ""}, {"telegram": "a chat"}],
    "approve_trade": [
        {"targets": {}},
        {"targets": {"BTC": 101}},
        {"targets": {"BTC": "a lot"}},
        {"band": -1},
        {"band": "1,5"},
        {"tolerance": 101},
        {"tolerance": ""},
        {"connection": ""},
    ],
}


@pytest.mark.parametrize(("name", "conf"), [(name, conf) for name, each in WRONG.items() for conf in each])
def test_the_form_refuses_what_cannot_be_meant(airflow_database, name, conf):
    from airflow.sdk.exceptions import ParamValidationError
    from tradehook_airflow_home import find_dag

    params = find_dag(name).params
    for key, value in conf.items():
        with pytest.raises(ParamValidationError):
            params[key] = value
