"""What a newcomer reads when something does not work: what happened, and a next step that can be typed as it stands."""

from __future__ import annotations

import json
import re
from decimal import Decimal

import pytest

from tradehook.cli.advice import for_shell

NOWHERE = "http://127.0.0.1:1"
BASE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
KEY_ID = "11111111-2222-4333-8444-555555555555"
BUY = ("order", "place", "buy", "BTC")


def test_the_next_step_repeats_the_key_file(command, tmp_path):
    mine = tmp_path / "my key.json"
    typed = ("--key-file", str(mine))
    _, _, error = command("keys", "finish", KEY_ID, *typed)
    assert f"{tmp_path}/my key.pending.pem is not there" in error
    assert f"`tradehook keys new --key-file '{mine}'`" in error
    assert f"tradehook keys finish KEY_ID --key-file '{mine}'" in command("keys", "new", *typed)[2]
    assert f"`tradehook doctor --key-file '{mine}'`" in command("keys", "finish", KEY_ID, *typed)[2]


def test_where_the_key_file_is_the_usual_one_it_is_not_repeated(command, monkeypatch, tmp_path):
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_KEY_FILE", str(tmp_path / "usual.json"))
    assert "tradehook keys finish KEY_ID\n" in command("keys", "new")[2]


def test_a_key_the_exchange_does_not_know(command, sandbox_server, tmp_path):
    typed = ("--key-file", str(tmp_path / "mine.json"))
    assert command("keys", "new", *typed)[0] == command("keys", "finish", KEY_ID, *typed)[0] == 0
    host = sandbox_server.url.removeprefix("http://")
    code, _, error = command("balances", *typed)
    assert (code, f"{host} does not know this key" in error) == (3, True), error
    assert f"tradehook-sandbox serve --key-file {tmp_path}/mine.json" in error
    assert "doctor" not in error
    _, out, _ = command("doctor", *typed)
    assert "tradehook-sandbox serve --key-file" in out
    error = command("balances", *typed, "--environment", "uat")[2]
    assert "another environment" in error
    assert "sandbox" not in error


def test_nobody_listens(command):
    code, _, error = command("balances", "--url", NOWHERE)
    assert (code, "127.0.0.1:1 could not be reached (Connection refused)." in error) == (5, True), error
    assert "tradehook-sandbox serve" in error
    assert "--url" in error
    assert "sent" not in error
    assert "sandbox" not in command("balances", "--url", NOWHERE, "--environment", "uat")[2]
    code, out, error = command(*BUY, "0.001", "--yes", "--json", "--url", NOWHERE)
    assert (code, "Nothing was sent." in error) == (5, True), error
    assert "tradehook-sandbox serve" in json.loads(out)["advice"]


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("like BTC 0.01, BTC $250 or BTC 50%.", "like BTC 0.01, BTC '$250' or BTC 50%."),
        ("Write $1000 or $1.0000.", "Write '$1000' or '$1.0000'."),
        ("write '$50' in quotes", "write '$50' in quotes"),
        ("$XDG_DATA_HOME and 5$", "$XDG_DATA_HOME and 5$"),
    ],
)
def test_dollars_are_in_quotes_for_a_shell(said, shown):
    assert for_shell(said) == shown


def test_programs_read_suggestions_without_quotes(command):
    code, out, error = command("quote", "BTC", "$1,000", "--json")
    assert (code, json.loads(out)["suggestions"]) == (2, ["$1000", "$1.0000"])
    assert "Write '$1000' or '$1.0000'." in error
    assert "Try: '$1000', '$1.0000'" in error


@pytest.mark.parametrize("amount", ["$1", "$0.50", "$6"])
def test_less_than_a_lot_in_quote_is_said_by_us_with_what_is_enough(command, sandbox_server, amount):
    before = sandbox_server.orders()
    code, out, error = command(*BUY, amount, "--yes", "--json")
    assert (code, "less than the smallest quantity of BTC" in error) == (2, True), error
    assert sandbox_server.orders() == before
    assert command(*BUY, *json.loads(out)["suggestions"], "--yes")[0] == 0


@pytest.mark.parametrize("amount", ["30000", "$90000000"])
def test_too_large_for_the_book(command, amount):
    code, _, error = command(*BUY, amount, "--yes")
    assert (code, "insufficient liquidity" in error, "Try a smaller amount." in error) == (3, True, True), error


def test_more_than_there_is(command):
    assert command("destinations", "add", "vault", BITCOIN, "--again", BITCOIN, "--network", "bitcoin")[0] == 0
    sent = ("transfer", "BTC", "500", "--to", "vault", "--yes", "--intent-id", "much")
    code, _, error = command(*sent)
    assert (code, "or send less" in error, "order less" in error) == (3, True, False), error
    assert "or order less" in command("order", "place", "sell", "BTC", "9", "--yes")[2]


def test_destinations_are_listed_and_removed(command):
    code, _, error = command("destinations", "remove", "nowhere")
    assert (code, "No destination is called nowhere" in error, "add" in error) == (2, True, False), error
    assert command("destinations", "add", "cold", BASE, "--again", BASE, "--network", "base")[0] == 0
    assert command("destinations", "list")[1] == command("destinations")[1]
    assert command("destinations", "list", "--json")[1] == command("destinations", "--json")[1]
    code, _, error = command("transfer", "BTC", "1", "--to", "nowhere", "--yes")
    assert (code, "tradehook destinations add nowhere" in error) == (2, True), error
    code, _, error = command("destinations", "add", "My Bank!", BASE, "--again", BASE, "--network", "base")
    assert (code, "small letters, digits" in error) == (2, True), error


def test_waiting_that_runs_out_says_how_it_stands(command):
    code, out, error = command(
        *("order", "place", "sell", "BTC", "0.001", "--limit", "95000", "--yes", "--json"),
        *("--wait", "--wait-seconds", "3"),
    )
    placed = json.loads(out)
    assert code == 0
    assert f"Still open after 3 s: tradehook order show {placed['order_id']}" in error
    command("order", "cancel", placed["order_id"])


@pytest.mark.parametrize("words", [["destinations"], ["assets"]])
def test_an_address_is_never_broken_in_two(command, person, environment, words):
    assert command("destinations", "add", "cold", BASE, "--again", BASE, "--network", "base")[0] == 0
    rows = [json.loads(line) for line in command(*words, "--json")[1].splitlines()]
    addresses = [row["address"] for row in rows if row["address"]]
    operator = person(*words, environment={**environment, "COLUMNS": "80"})
    assert operator.ends() == 0
    assert addresses
    for address in addresses:
        assert re.search(rf"(?m)^  {address}$", operator.shown), operator.shown
    # With room enough they stand in the table.
    operator = person(*words, environment=environment)
    assert operator.ends() == 0
    assert all(re.search(rf"(?m)^ \S.*{address}", operator.shown) for address in addresses), operator.shown


def test_a_journal_that_is_begun_where_somebody_said_is_told_once(command, tmp_path, monkeypatch):
    typed = ("intents", "list", "--journal-url", f"sqlite:///{tmp_path}/mistyped.db")
    assert f"A new journal was begun at {tmp_path}/mistyped.db." in command(*typed)[2]
    assert "new journal" not in command(*typed)[2]
    monkeypatch.delenv("TRADEHOOK_JOURNAL_URL")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert "new journal" not in command("intents", "list")[2]
    assert (tmp_path / "data" / "tradehook" / "journal.db").exists()


def test_a_freeze_tells_its_time_to_the_second(command):
    assert command("freeze", "lunch")[0] == 0
    error = command(*BUY, "0.001", "--yes")[2]
    assert re.search(r"frozen since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC by \S+: lunch\.", error), error


@pytest.mark.parametrize(
    ("moved", "shown"), [("-0.001", "0 %"), ("0", "0 %"), ("-0.01", "-0.01 %"), ("0.004", "0 %"), ("100", "+100 %")]
)
def test_a_change_of_nothing_has_no_sign(moved, shown):
    from tradehook.render import change

    assert change(Decimal(moved)) == shown


def test_an_old_answer_is_told_as_an_old_one_with_what_lets_it_happen_once_more(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0")
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    server.fault("edge_html", method="POST", path="/orders")
    code, _, first = command(*BUY, "0.001", "--yes", "--intent-id", "once")
    assert (code, "Wait a few minutes" in first, "not sent again" in first) == (3, True, False), first
    code, out, error = command(*BUY, "0.001", "--yes", "--intent-id", "once", "--json")
    assert (code, "Wait a few minutes" in error) == (3, False), error
    assert re.search(r"That is what it came to at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC.* it was not sent again", error), (
        error
    )
    assert "tradehook intents again once" in error
    assert json.loads(out)["told_at"] == json.loads(command("intents", "show", "once", "--json")[1])["updated_at"]
    assert command("intents", "again", "once", "--yes")[0] == 0
    assert command(*BUY, "0.001", "--yes", "--intent-id", "once")[0] == 0
    assert server.orders() == 1


def test_an_old_answer_about_a_transfer_is_told_as_one_too(command):
    assert command("destinations", "add", "vault", BITCOIN, "--again", BITCOIN, "--network", "bitcoin")[0] == 0
    sent = ("transfer", "BTC", "500", "--to", "vault", "--yes", "--intent-id", "much")
    assert "intents again" not in command(*sent)[2]
    assert "tradehook intents again much" in command(*sent)[2]


def test_an_order_of_another_intent_is_told_without_talk_of_ids_to_make(command, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0")
    for name, value in {**server.environment, "TRADEHOOK_LOOK_SECONDS": "0"}.items():
        monkeypatch.setenv(name, value)
    taken = json.loads(command(*BUY, "0.001", "--yes", "--json", "--intent-id", "other")[1])["order_id"]
    server.fault("error_before", status=503)
    assert command(*BUY, "0.002", "--yes", "--intent-id", "lost")[0] == 4
    code, _, error = command("intents", "resolve", "lost", "--as", f"placed:{taken}", "--yes")
    assert (code, error.strip()) == (2, f"Order {taken} belongs to intent other already.")


def test_where_a_file_says_live_the_refusal_names_the_file(command, tmp_path, monkeypatch):
    for name in ("TRADEHOOK_ENVIRONMENT", "TRADEHOOK_TRUE_MARKETS_URL"):
        monkeypatch.delenv(name, raising=False)
    path = tmp_path / "accounts.toml"
    path.write_text('[real]\nenvironment = "live"\n[play]\nenvironment = "sandbox"\n')
    path.chmod(0o600)
    monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(path))
    code, out, error = command(*BUY, "0.001", "--yes", "--json")
    assert (code, json.loads(out)["rule"]) == (3, "live"), error
    assert f'[real] in {path} says environment = "live"' in error
    assert "choose one with --account play" in error
    path.write_text('[real]\nenvironment = "live"\n')
    assert "write a table for the sandbox there" in command(*BUY, "0.001", "--yes")[2]
    path.write_text("[real]\n")
    assert "says" not in command(*BUY, "0.001", "--yes", "--environment", "live")[2]
