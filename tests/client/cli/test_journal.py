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
    code, _, error = command("journal", "accept-restore", "--why", "compared")
    assert (code, "add --yes" in error, "sends      NO" in command("journal", "status")[1]) == (2, True, True), error
    assert command("journal", "accept-restore", "--why", "compared \udce9 by hand", "--yes")[0] == 0
    assert "nothing to accept" in command("journal", "accept-restore", "--yes")[2]
    assert command("order", "place", "buy", "BTC/PYUSD", "0.0001", "--yes")[0] == 0


def test_another_machines_journal_is_adopted_by_name(command, url, tmp_path):
    Journal.open(url).close()
    with sqlite3.connect(tmp_path / "journal.db") as database:
        database.execute("UPDATE meta SET value = 'of another' WHERE name = 'machine'")
    database.close()
    code, _, error = command("intents", "list")
    assert (code, "tradehook journal adopt" in error) == (2, True)
    code, out, hints = command("journal", "status")
    assert ("another one" in out, "sends      NO: The journal" in out, "tradehook journal adopt" in hints) == (
        True,
    ) * 3
    assert json.loads(command("journal", "status", "--json")[1])["held_by"] == "place"
    code, out, _ = command("doctor")
    assert (code, "orders can be placed" in out, "tradehook journal adopt" in out) == (2, False, True), out
    code, _, error = command("journal", "adopt")
    assert (code, "add --yes" in error) == (2, True), error
    assert command("intents", "list")[0] == 2
    assert command("journal", "adopt", "--why", "new disk", "--yes")[0] == 0
    assert command("intents", "list")[0] == 0
    with sqlite3.connect(tmp_path / "journal.db") as database:
        (kept,) = database.execute("SELECT value FROM meta WHERE name LIKE 'adopted %'").fetchone()
    database.close()
    assert json.loads(kept)["why"] == "new disk"
    code, _, error = command("journal", "adopt", "--json")
    assert (code, "belongs to this machine already" in error) == (2, True), error


@pytest.mark.parametrize("trouble", ["older", "no count"])
def test_what_the_next_order_would_be_told_is_told_by_status_and_doctor(command, url, tmp_path, trouble):
    Journal.open(url).close()
    count = tmp_path / "journal.db.epoch"
    if trouble == "older":
        count.write_text("9000\n")
    else:
        count.unlink()
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.suffix not in {".db-shm", ".db-wal"}}
    for _ in range(2):
        code, out, hints = command("journal", "status")
        assert (code, "sends      NO: " in out, "accept-restore" in hints) == (0, True, True), out
    after = {file.name: file.read_bytes() for file in tmp_path.iterdir() if file.suffix not in {".db-shm", ".db-wal"}}
    assert after == before
    if trouble == "no count":
        # What only `status` noticed can be accepted as well.
        assert command("journal", "accept-restore", "--yes")[0] == 0
        count.unlink()
    code, out, _ = command("order", "place", "buy", "BTC/PYUSD", "0.0001", "--yes", "--json")
    assert (code, json.loads(out)["rule"]) == (3, "epoch")
    code, out, _ = command("doctor", "--json")
    found = {row["check"]: row for row in json.loads(out)["checks"]}
    assert (code, found["writes"]["result"], found["journal"]["result"]) == (2, "off", "wrong"), out
    assert "accept-restore" in found["writes"]["message"]
    assert command("journal", "accept-restore", "--yes")[0] == 0
    assert "sends      yes" in command("journal", "status")[1]
    code, out, _ = command("doctor")
    assert (code, "orders can be placed here" in out) == (0, True), out


def test_doctor_tells_that_trading_is_frozen_instead_of_that_orders_can_be_placed(command):
    assert command("freeze", "for now")[0] == 0
    code, out, _ = command("doctor")
    assert (code, "orders can be placed" in out, "frozen since" in out) == (0, False, True), out


@pytest.mark.parametrize("answer", ["n", "y"])
def test_at_a_terminal_a_journal_that_is_held_is_asked_about(command, tmp_path, person, environment, answer):
    Journal.open(environment["TRADEHOOK_JOURNAL_URL"]).close()
    (tmp_path / "journal.db.epoch").unlink()
    operator = person("journal", "accept-restore", environment=environment)
    operator.answers("may it send again?", answer)
    assert operator.ends() == (0 if answer == "y" else 3), operator.shown
    assert "is missing beside it" in operator.shown
    assert ("sends      yes" in command("journal", "status")[1]) is (answer == "y")


@pytest.mark.parametrize("age", ["400", "d", "-1d", "29d", "1.5d", "٣٣d", "1e9d", ""])
def test_an_age_that_is_none_or_too_young(command, url, age):
    Journal.open(url).close()
    code, _, error = command("journal", "prune", f"--older-than={age}")
    assert (code, "--older-than" in error) == (2, True)


def test_a_prune_says_what_it_dropped(command, url):
    Journal.open(url).close()
    assert json.loads(command("journal", "prune", "--json")[1]) == {"intents": 0, "events": 0}
