"""`tradehook journal`: what it says, and what it leaves alone."""

from __future__ import annotations

import json
import sqlite3

import pytest

from tradehook.desk.journal import NEWEST, Journal


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/journal.db"


def test_nothing_is_made_by_looking(command, tmp_path):
    code, _, error = command("journal", "status")
    assert (code, "no journal" in error) == (2, True)
    assert not (tmp_path / "journal.db").exists()


def test_status_for_people_and_for_programs(command, url):
    assert command("order", "place", "buy", "BTC/PYUSD", "0.0001", "--yes")[0] == 0
    code, out, _ = command("journal", "status")
    assert code == 0
    for words in (NEWEST, "this one", "integrity  ok", "sends      yes", "1 ACCEPTED"):
        assert words in out
    found = json.loads(command("journal", "status", "--json")[1])
    assert (found["version"], found["newest_version"], found["held"]) == (NEWEST, NEWEST, None)
    assert found["epoch"] > 0


def test_an_upgrade_makes_a_journal_where_there_is_none(command):
    assert "There was no journal; now there is one" in command("journal", "upgrade")[1]
    assert "already" in command("journal", "upgrade")[1]
    assert command("journal", "status")[0] == 0


def test_an_upgrade_says_from_where_to_where(command, url, tmp_path):
    from pathlib import Path

    from alembic import command as alembic
    from alembic.config import Config

    from tradehook.desk import journal as module
    from tradehook.desk.schema import open_database, writing

    engine = open_database(url)
    config = Config()
    config.set_main_option("script_location", str(Path(module.__file__).parent / "migrations"))
    config.set_main_option("path_separator", "os")
    with writing(engine) as connection:
        config.attributes |= {"connection": connection, "version_table": "tradehook_version"}
        alembic.upgrade(config, "0001")
    engine.dispose()
    assert json.loads(command("journal", "status", "--json")[1])["version"] == "0001"
    assert "it was 0001" in command("journal", "upgrade")[1]
    assert "already" in command("journal", "upgrade")[1]
    with sqlite3.connect(tmp_path / "journal.db") as database:
        assert database.execute("SELECT version_num FROM tradehook_version").fetchone() == (NEWEST,)
    database.close()


def test_there_and_back(command, url, tmp_path, monkeypatch):
    """The way of docs/how-to/keep-the-journal.md, as a person types it."""
    assert command("order", "place", "buy", "BTC/PYUSD", "0.0001", "--yes", "--intent-id", "one")[0] == 0
    code, out, _ = command("journal", "backup", f"{tmp_path}/copy.db")
    assert (code, "1 intents" in out) == (0, True)
    assert command("journal", "backup", f"{tmp_path}/copy.db")[0] == 2
    for end in ("", "-wal", "-shm"):
        (tmp_path / f"journal.db{end}").unlink(missing_ok=True)
    code, out, hints = command("journal", "restore", f"{tmp_path}/copy.db")
    assert (code, "Nothing is sent from it yet" in out) == (0, True)
    assert "accept-restore" in hints
    code, out, _ = command("order", "place", "buy", "BTC/PYUSD", "0.0001", "--yes", "--json")
    assert (code, json.loads(out)["rule"]) == (3, "epoch")
    assert "sends      NO" in command("journal", "status")[1]
    assert command("journal", "accept-restore", "--why", "compared \udce9 by hand")[0] == 0
    assert command("journal", "accept-restore")[0] == 2
    assert command("order", "place", "buy", "BTC/PYUSD", "0.0001", "--yes")[0] == 0


def test_another_machines_journal_is_adopted_by_name(command, url, tmp_path):
    Journal.open(url).close()
    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.execute("UPDATE meta SET value = 'of another' WHERE name = 'machine'")
    database.close()
    code, _, error = command("intents", "list")
    assert (code, "tradehook journal adopt" in error) == (2, True)
    assert "another one" in command("journal", "status")[1]
    assert command("journal", "adopt")[0] == 0
    assert command("intents", "list")[0] == 0
    assert command("journal", "adopt", "--json")[0] == 2


@pytest.mark.parametrize("age", ["400", "d", "-1d", "29d", "1.5d", "٣٣d", "1e9d", ""])
def test_an_age_that_is_none_or_too_young(command, url, age):
    Journal.open(url).close()
    code, _, error = command("journal", "prune", f"--older-than={age}")
    assert (code, "--older-than" in error) == (2, True)


def test_a_prune_says_what_it_dropped(command, url):
    Journal.open(url).close()
    assert json.loads(command("journal", "prune", "--json")[1]) == {"intents": 0, "events": 0}
