"""A connection means what it says, in each of the forms in which Airflow takes one."""

from __future__ import annotations

import json
from types import SimpleNamespace
from urllib.parse import quote

import pytest

from tradehook.errors import ConfigurationError
from tradehook_provider.connections import settings_of

BUNDLE = '{"key_id": "11111111-2222-4333-8444-555555555555"}'


def conn(**fields):
    empty = dict.fromkeys(("host", "schema", "login", "password", "port"))
    return SimpleNamespace(conn_id="tm", conn_type="true_markets", **{**empty, "password": BUNDLE, **fields})


def read(extra=None, **fields):
    return settings_of(conn(**fields), extra=extra or {})


def test_the_least_is_a_key_and_means_the_sandbox():
    settings = read()
    assert (settings.environment, settings.account, settings.url, settings.key) == ("sandbox", "tm", None, BUNDLE)
    assert settings.timeout_seconds == 30


@pytest.mark.parametrize(
    ("host", "port", "url"),
    [
        ("http://127.0.0.1:8787", None, "http://127.0.0.1:8787"),
        ("http://127.0.0.1", 8787, "http://127.0.0.1:8787"),
        ("127.0.0.1", 8787, "http://127.0.0.1:8787"),
        ("localhost:8787", None, "http://localhost:8787"),
        ("sandbox", 8787, "https://sandbox:8787"),
        ("https://api.example.com/", None, "https://api.example.com"),
    ],
)
def test_hosts(host, port, url):
    assert read(host=host, port=port).url == url


@pytest.mark.parametrize(
    ("fields", "extra", "says"),
    [
        ({"conn_type": "http"}, {}, "is of type http"),
        ({}, {"enviroment": "live"}, "has an extra 'enviroment'"),
        ({}, {"environment": "prod"}, "sandbox, uat, live"),
        ({}, {"environment": 1}, "should be text"),
        ({"password": None}, {}, "has no key"),
        ({}, {"key_path": "/k.json"}, "two keys"),
        ({"port": 1}, {}, "a port but no host"),
        ({"host": "ftp://x"}, {}, "a scheme and a host"),
        ({"host": "https://me:pw@x"}, {}, "a scheme and a host"),
        ({"host": "https://x/v1"}, {}, "a scheme and a host"),
        ({"host": "http://api.example.com"}, {"environment": "live"}, "without TLS"),
        ({}, {"timeout_seconds": "soon"}, "1 to 300"),
        ({}, {"timeout_seconds": 0}, "1 to 300"),
    ],
)
def test_what_cannot_be_meant_is_refused_and_the_key_is_not_quoted(fields, extra, says):
    connection = conn()
    for name, value in fields.items():
        setattr(connection, name, value)
    with pytest.raises(ConfigurationError, match=says) as caught:
        settings_of(connection, extra=extra)
    assert BUNDLE not in str(caught.value)
    assert "me:pw" not in str(caught.value)


def test_the_environment_of_the_process_does_not_change_what_a_connection_means(monkeypatch):
    monkeypatch.setenv("TRADEHOOK_ENVIRONMENT", "live")
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_URL", "https://api.truemarkets.co")
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", "sqlite:////somewhere/journal.db")
    settings = read()
    assert (settings.environment, settings.url) == ("sandbox", None)
    assert settings.journal_url == "sqlite:////somewhere/journal.db"


def test_the_journal_may_be_a_connection():
    journal = SimpleNamespace(**{**vars(conn()), "conn_id": "j", "conn_type": "sqlite", "host": "/var/j.db"})
    assert settings_of(conn(), extra={}, journal=journal).journal_url == "sqlite:////var/j.db"
    journal.host = "relative.db"
    with pytest.raises(ConfigurationError, match="full path"):
        settings_of(conn(), extra={}, journal=journal)


def test_the_journal_may_be_in_postgresql():
    fields = {"conn_id": "j", "conn_type": "postgres", "host": "db", "login": "me", "password": "p@/s", "port": 5433}
    journal = SimpleNamespace(**{**vars(conn()), **fields, "schema": "desk"})
    settings = settings_of(conn(), extra={}, journal=journal)
    assert settings.journal_url == "postgresql://me:p%40%2Fs@db:5433/desk"
    assert "p%40" not in repr(settings)
    journal.extra = '{"sslmode": "verify-full"}'
    with pytest.raises(ConfigurationError, match="PGSSLMODE"):
        settings_of(conn(), extra={}, journal=journal)
    journal.schema = None
    with pytest.raises(ConfigurationError, match="database"):
        settings_of(conn(), extra={}, journal=journal)


def test_a_task_never_upgrades_the_journal():
    assert read().may_upgrade is False


PEM = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49/+==\n-----END PRIVATE KEY-----\n"
PEOPLE_AND_PLACE = (
    f"11111111-2222-4333-8444-555555555555:{quote(PEM, safe='')}@127.0.0.1:8787/"
    "?environment=sandbox&journal_conn_id=journal&timeout_seconds=5"
)


@pytest.mark.parametrize(
    "value",
    [
        json.dumps(
            {
                "conn_type": "true_markets",
                "host": "http://127.0.0.1:8787",
                "login": "11111111-2222-4333-8444-555555555555",
                "password": PEM,
                "extra": {"environment": "sandbox", "journal_conn_id": "journal", "timeout_seconds": 5},
            }
        ),
        f"true-markets://http://{PEOPLE_AND_PLACE}",
        f"true-markets://{PEOPLE_AND_PLACE}",
    ],
    ids=["json", "uri with scheme", "uri"],
)
def test_json_and_uri_are_the_same(monkeypatch, airflow_database, value):
    from tradehook_provider.hooks.exchange import ExchangeHook

    monkeypatch.setenv("AIRFLOW_CONN_TM", value)
    monkeypatch.setenv("AIRFLOW_CONN_JOURNAL", "sqlite:////var/lib/tradehook/journal.db")
    settings = ExchangeHook("tm")._read_settings()
    assert settings.url == "http://127.0.0.1:8787"
    assert settings.key_id == "11111111-2222-4333-8444-555555555555"
    assert settings.key == PEM
    assert settings.journal_url == "sqlite:////var/lib/tradehook/journal.db"
    assert settings.timeout_seconds == 5
