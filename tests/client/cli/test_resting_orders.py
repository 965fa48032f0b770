"""`--good-for` on the command line: what is said of who cancels, and that nothing is told as done which nobody does."""

from __future__ import annotations

import json
import time

REST = ("order", "place", "buy", "BTC", "0.001", "--limit", "50000", "--yes")
EXPIRE = "`tradehook order expire`"


def test_the_result_says_until_when_it_rests_and_what_must_run(command):
    code, _, error = command(*REST, "--good-for", "1h")
    assert (code, "What rests of it after 1 h is to be canceled." in error, EXPIRE in error) == (0, True, True), error
    code, out, error = command(*REST, "--good-for", "1h", "--intent-id", "hour", "--json")
    assert (code, EXPIRE in error) == (0, True)
    assert json.loads(out)["intent_id"] == "hour"
    assert EXPIRE not in command(*REST)[2]
    shown = command("intents", "show", "hour")[1]
    assert "What rests of it is to be canceled at" in shown
    assert EXPIRE in shown


def test_what_is_asked_says_what_must_run_before_the_answer(person, environment):
    anna = person(*REST[:-1], "--good-for", "2h", environment=environment)
    anna.answers("Send it?", "n")
    assert anna.ends() == 3
    assert "Tradehook cancels what still rests after 2 h." in anna.shown
    assert EXPIRE in anna.shown


def test_an_order_whose_time_is_up_is_told_as_resting_until_something_cancels_it(command):
    assert command(*REST, "--good-for", "1s", "--intent-id", "second")[0] == 0
    ends = time.monotonic() + 60
    while "Its time was up at" not in (shown := command("intents", "show", "second")[1]):
        assert time.monotonic() < ends, shown
    assert f"{EXPIRE} cancels what still rests of it" in shown
    assert "to be canceled" not in shown
    assert "1 asked to be canceled" in command("order", "expire")[1]
    while (
        "Canceled"
        not in command("order", "show", json.loads(command("intents", "show", "second", "--json")[1])["order_id"])[1]
    ):
        assert time.monotonic() < ends
    command("orders")
    shown = command("intents", "show", "second")[1]
    assert "its time was up" in shown


def test_the_command_names_the_account_where_there_are_several(command, sandbox_server, tmp_path, monkeypatch):
    for name in (*sandbox_server.environment, "TRADEHOOK_JOURNAL_URL"):
        monkeypatch.delenv(name, raising=False)
    table = (
        f'url = "{sandbox_server.url}"\nkey_file = "{sandbox_server.key_file}"\n'
        f'journal_url = "sqlite:///{tmp_path}/journal.db"\n'
    )
    path = tmp_path / "accounts.toml"
    path.write_text(f"[one]\n{table}[two]\n{table}")
    path.chmod(0o600)
    monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(path))
    assert "`tradehook order expire --account two`" in command(*REST, "--good-for", "1h", "--account", "two")[2]
