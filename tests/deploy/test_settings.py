"""What the deployment files say: settings that Airflow knows, no secrets, and services that hold little."""

from __future__ import annotations

import functools
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest
import yaml

DEPLOY = Path(__file__).parents[2] / "deploy" / "celery"
ROOT = DEPLOY.parents[1]
SECRETS = (
    "airflow_fernet_key", "airflow_jwt_secret", "airflow_secret_key", "postgres_password", "journal_password",
    "redis_password",
)  # fmt: skip
OTHERS = {"celery", "celery_broker_transport_options", "tradehook"}
"""Sections of providers, which Airflow's own list does not have."""


def settings() -> dict[str, str]:
    lines = (DEPLOY / "airflow.env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture(scope="module")
def compose():
    return yaml.safe_load((DEPLOY / "compose.yaml").read_text())


@functools.cache
def known_options():
    import airflow

    template = Path(airflow.__file__).parent / "config_templates" / "config.yml"
    described = yaml.safe_load(template.read_text())
    return {(section, option) for section, told in described.items() for option in told["options"]}


def named_in_files() -> set[str]:
    texts = "".join(path.read_text() for path in DEPLOY.iterdir() if path.is_file())
    return set(re.findall(r"AIRFLOW__[A-Z0-9_]+[A-Z0-9]", texts))


@pytest.mark.parametrize("name", sorted(named_in_files()))
def test_airflow_knows_every_setting(name):
    """A misspelt one is passed over without a word."""
    _, section, option = name.lower().split("__")
    if section not in OTHERS:
        assert (section, option) in known_options()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL", "1"),  # false failures of deferred tasks
        ("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor"),
        ("AIRFLOW__CELERY__TASK_ACKS_LATE", "True"),
        ("AIRFLOW__SCHEDULER__CATCHUP_BY_DEFAULT", "False"),
        ("AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION", "True"),
    ],
)
def test_what_matters_is_set(name, value):
    assert settings()[name] == value


def test_a_task_is_given_up_sooner_than_the_broker_gives_it_out_again():
    seconds = {name: int(value) for name, value in settings().items() if value.isdigit()}
    assert (
        seconds["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]
        < seconds["AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT"]
    )


def test_both_ways_to_run_it_read_the_same_settings(compose):
    assert compose["x-airflow"]["env_file"] == ["airflow.env"]
    assert '. "$here/airflow.env"' in (DEPLOY / "processes.sh").read_text()


@pytest.mark.parametrize("path", sorted(DEPLOY.glob("*.sh")), ids=lambda path: path.name)
def test_scripts_can_be_read_by_bash(path):
    done = subprocess.run(["bash", "-n", str(path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert path.stat().st_mode & stat.S_IXUSR


# --- secrets ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def secrets_folder(tmp_path):
    subprocess.run([str(DEPLOY / "new-secrets.sh"), str(tmp_path / "secrets")], check=True)
    return tmp_path / "secrets"


def with_secrets(folder, *command):
    environment = {"PATH": os.environ["PATH"], "SECRETS": str(folder), "POSTGRES": "db:5432", "REDIS": "queue:6379"}
    return subprocess.run(
        [str(DEPLOY / "with-secrets.sh"), *command], env=environment, capture_output=True, text=True
    )  # fmt: skip


def test_new_secrets_are_made_once_and_closed_to_others(secrets_folder):
    first = {path.name: path.read_text() for path in secrets_folder.iterdir()}
    assert {*first} == {*SECRETS}
    assert len({*first.values()}) == len(SECRETS)
    assert stat.S_IMODE(secrets_folder.stat().st_mode) == 0o700
    subprocess.run([str(DEPLOY / "new-secrets.sh"), str(secrets_folder)], check=True)
    assert {path.name: path.read_text() for path in secrets_folder.iterdir()} == first


def test_the_fernet_key_is_one(secrets_folder):
    from cryptography.fernet import Fernet

    key = Fernet((secrets_folder / "airflow_fernet_key").read_text())
    assert key.decrypt(key.encrypt(b"connection")) == b"connection"


def test_processes_get_their_addresses_from_the_secrets(secrets_folder):
    done = with_secrets(secrets_folder, "env")
    assert done.returncode == 0, done.stderr
    told = dict(line.split("=", 1) for line in done.stdout.splitlines())
    password = (secrets_folder / "postgres_password").read_text()
    address = f"postgresql+psycopg://airflow:{password}@db:5432/airflow"
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] == address
    assert told["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC"] == address
    assert told["AIRFLOW__CELERY__RESULT_BACKEND"] == f"db+{address}"
    assert (
        told["AIRFLOW__CELERY__BROKER_URL"]
        == f"redis://:{(secrets_folder / 'redis_password').read_text()}@queue:6379/0"
    )
    # Tasks reach the journal by a connection; nothing else needs its password.
    assert (secrets_folder / "journal_password").read_text() not in done.stdout


@pytest.mark.parametrize("name", [name for name in SECRETS if name != "journal_password"])
def test_a_missing_secret_ends_it(secrets_folder, name):
    (secrets_folder / name).unlink()
    done = with_secrets(secrets_folder, "echo", "it ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert name in done.stderr


def test_a_secret_that_would_break_an_address_ends_it(secrets_folder):
    (secrets_folder / "postgres_password").write_text("p@ss/word")
    done = with_secrets(secrets_folder, "echo", "it ran")
    assert (done.returncode, done.stdout) == (1, "")
    assert "p@ss" not in done.stderr


def test_no_file_holds_a_secret(compose):
    for service in compose["services"].values():
        for name, value in service.get("environment", {}).items():
            assert not re.search(r"PASSWORD|SECRET|FERNET", name) or name.endswith("_FILE"), (name, value)
    assert {*compose["secrets"]} == {*SECRETS}
    for name in settings():
        assert not re.search(r"PASSWORD|SECRET|FERNET|CONN$|BROKER_URL|RESULT_BACKEND", name), name


# --- containers -------------------------------------------------------------------------------------------------------


def test_images_are_named_by_tag_and_no_host(compose):
    for name, service in compose["services"].items():
        assert re.fullmatch(r"[a-z-]+:[0-9][0-9.]*", service["image"]), name


def test_services_hold_little(compose):
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in service, name
        if name == "own-volumes":  # gives the volumes away, and ends
            assert (service["cap_add"], service["network_mode"]) == (["CHOWN"], "none")
        else:
            assert service["user"] not in ("root", "0", "0:0"), name


def test_what_goes_on_is_looked_after(compose):
    for name, service in compose["services"].items():
        assert ("healthcheck" in service) == (service["restart"] != "no"), name


def test_nothing_is_reached_from_other_machines(compose):
    ports = {name: service["ports"] for name, service in compose["services"].items() if "ports" in service}
    assert ports == {"api-server": ["127.0.0.1:8080:8080"]}
    assert compose["networks"]["inside"] == {"internal": True}
    assert compose["services"]["postgres"]["networks"] == compose["services"]["redis"]["networks"] == ["inside"]


def test_there_are_two_of_what_may_be_lost(compose):
    for name in ("scheduler", "worker"):
        assert compose["services"][name]["deploy"]["replicas"] == 2


def test_files_that_compose_names_are_there(compose):
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    for source in re.findall(r"^COPY ((?:[\w./-]+ )+)", dockerfile, re.MULTILINE):
        for path in source.split():
            assert (ROOT / path).exists(), path
    for service in compose["services"].values():
        for volume in service.get("volumes", []):
            if volume.startswith("./"):
                assert (DEPLOY / volume.split(":")[0]).exists()
        for name in service.get("env_file", []):
            assert (DEPLOY / name).exists()
