"""A real Airflow in one process: its API server over sockets, its database, and a small loop in place of a scheduler.

`python airflow_server.py FOLDER [DAGS...]` prints `ready URL` once it serves, and ends when its input does. Tasks really
run, one after the other, as in `dag.test()`; questions wait and go on as Airflow's own API and sweep say.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import threading
import time
import traceback
import warnings
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = Path(sys.argv[1])
DAGS = [HERE / "airflow_dags", *map(Path, sys.argv[2:])]
PASSWORDS = {"ann": "ann's password", "bot": "the bot's password", "vic": "vic's password", "root": "root's password"}
ROLES = "ann:user,bot:user,vic:viewer,root:admin"
BETWEEN_TURNS_SECONDS = 0.1

os.environ.update(
    {
        "AIRFLOW_HOME": str(FOLDER),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS[0]),
        "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ROLES,
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(FOLDER / "passwords.json"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "of this test and nothing else, and long enough",
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": f"dags-{number}",
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {"path": str(path)},
                }
                for number, path in enumerate(DAGS)
            ]
        ),
    }
)
warnings.simplefilter("ignore")


def take_in_dags():
    """All DAGs stand in the database, as their processor leaves them; returns them by id."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    found = {}
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        assert not bag.import_errors, bag.import_errors
        sync_bag_to_db(bag, bundle.name, bundle.version)
        found.update(bag.dags)
    return found


def take_a_turn(dags, sweeper):
    """What a scheduler does once: silence counts, runs go on, and tasks that are due run to their end."""
    from airflow.models.dag import DagModel
    from airflow.models.dagrun import DagRun
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils import timezone
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState
    from sqlalchemy import select

    sweeper.check_awaiting_input_timeouts()
    with create_session() as session:
        unpaused = select(DagModel.dag_id).where(~DagModel.is_paused)
        wanted = DagRun.state.in_([DagRunState.QUEUED, DagRunState.RUNNING]) & DagRun.dag_id.in_(unpaused)
        runs = session.scalars(select(DagRun.id).where(wanted).order_by(DagRun.id)).all()
    for number in runs:
        with create_session() as session:
            run = session.get(DagRun, number)
            dag = dags[run.dag_id]
            run.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
            if run.state == DagRunState.QUEUED:
                run.state, run.start_date = DagRunState.RUNNING, timezone.utcnow()
            due, _ = run.update_state(session=session)
            for ti in due:
                ti.try_number += 1
                ti.state, ti.scheduled_dttm = TaskInstanceState.SCHEDULED, timezone.utcnow()
            session.commit()
            scheduled = run.get_task_instances(state=[TaskInstanceState.SCHEDULED], session=session)
            if scheduled:
                # One a turn: it leaves nothing of this session behind it.
                _run_task(ti=scheduled[0], task=dag.task_dict[scheduled[0].task_id], run_triggerer=True)


def main():
    # What tasks and Airflow say goes to the log: nobody reads this process's output after its first line.
    speaks = os.dup(1)
    os.dup2(2, 1)
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "passwords.json").write_text(json.dumps(PASSWORDS))
    import uvicorn
    from airflow.utils.db import initdb

    initdb()
    from airflow.api_fastapi.app import create_app
    from airflow.jobs.job import Job
    from airflow.jobs.scheduler_job_runner import SchedulerJobRunner

    dags = take_in_dags()
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(apps="core"), log_level="error", lifespan="on"))
    threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True).start()
    is_over = threading.Event()
    threading.Thread(target=lambda: (sys.stdin.read(), is_over.set()), daemon=True).start()
    while not server.started:
        time.sleep(0.05)
    os.write(speaks, f"ready http://127.0.0.1:{listener.getsockname()[1]}\n".encode())
    sweeper = SchedulerJobRunner(Job())
    while not is_over.wait(BETWEEN_TURNS_SECONDS):
        try:
            take_a_turn(dags, sweeper)
        except Exception:  # noqa: BLE001 - a test deleted what it was about to touch; a scheduler lives on as well
            traceback.print_exc()
    os._exit(0)


if __name__ == "__main__":
    main()
