"""Adding a destination: typed twice, with its checksum, and what is said of caps and of waiting."""

from __future__ import annotations

import json

import pytest

BASE = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
SOLANA = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4T"
OTHER_SOLANA = "4Nd1mBQtrMJVYVfKf2PJy9NZUZdTAsp7D4xWLs4gDB4U"


def add(command, address, *more, network="base", label="cold"):
    return command("destinations", "add", label, address, "--network", network, "--again", address, *more)


@pytest.mark.parametrize("written", [BASE.lower(), "0x" + BASE[2:].upper()])
def test_an_address_in_one_case_has_no_checksum_and_is_refused(command, written):
    code, _, error = add(command, written)
    assert (code, "mixed case" in error) == (2, True), error
    assert command("destinations", "--json")[1] == ""
    assert add(command, BASE)[0] == 0


def test_the_second_typing_is_held_to_the_same(command):
    code, _, error = command("destinations", "add", "cold", BASE, "--network", "base", "--again", BASE.lower())
    assert (code, "mixed case" in error) == (2, True), error


def test_a_cap_a_day_is_kept_shown_and_obeyed(command, sandbox_server):
    code, out, _ = add(command, BASE, "--day-cap", "$100")
    assert (code, "At most 100 USD a day" in out) == (0, True)
    assert json.loads(command("destinations", "--json")[1])["day_cap"] == "100"
    assert "a day at most" in command("destinations")[1]
    send = ("--chain", "base", "--to", "cold", "--yes", "--json")
    before = sandbox_server.admin("GET", "ledger")["transfers"]
    assert command("transfer", "USDC", "60", *send)[0] == 0
    code, out, _ = command("transfer", "USDC", "41", *send)
    assert (code, json.loads(out)["limit"]) == (3, "100"), out
    assert command("transfer", "USDC", "40", *send)[0] == 0
    assert sandbox_server.admin("GET", "ledger")["transfers"] == before + 2


@pytest.mark.parametrize("cap", ["0", "-1", "1,000", "lots"])
def test_a_cap_that_is_none_is_refused(command, cap):
    assert add(command, BASE, "--day-cap", cap)[0] == 2
    assert command("destinations", "--json")[1] == ""


def test_waiting_is_said_where_there_is_one(command, monkeypatch):
    code, out, error = add(command, BASE)
    assert (code, "before" in out, "something small first" in error) == (0, False, True)
    assert command("limits", "set", "--cool-off-hours", "5", "--yes")[0] == 0
    assert "cools off for 5 h" in add(command, BASE, label="later")[1]
    code, out, _ = command("transfer", "USDC", "5", "--chain", "base", "--to", "later", "--yes", "--json")
    assert (code, "5 h" in json.loads(out)["message"]) == (3, True), out
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("TRADEHOOK_ENVIRONMENT", "live")
    assert "cools off for 24 h" in add(command, BASE)[1]


@pytest.mark.parametrize(
    ("typed", "ends"),
    [
        (SOLANA, (0, "cold is")),
        (OTHER_SOLANA, (2, "differ")),
        (SOLANA[:-1], (2, "not a Solana address")),
        ("", (3, "Nothing")),
    ],
)
def test_at_a_terminal_the_address_is_asked_for_again(command, person, environment, typed, ends):
    code, says = ends
    operator = person("destinations", "add", "cold", SOLANA, "--network", "solana", environment=environment)
    if typed:
        operator.answers("The address again:", typed)
    else:
        operator.leaves("The address again:")
    assert operator.ends() == code, operator.shown
    assert says in operator.shown
    assert bool(command("destinations", "--json")[1]) is (code == 0)


def test_an_address_that_is_on_the_list_already_is_said_and_its_cap_holds_for_both(command, sandbox_server):
    assert add(command, BASE, "--day-cap", "70")[0] == 0
    code, out, _ = add(command, BASE, label="cold2")
    assert (code, "on the list already, as cold." in out, "the cap of cold." in out) == (0, True, True), out
    assert command("transfer", "USDC", "50", "--chain", "base", "--to", "cold", "--yes")[0] == 0
    before = sandbox_server.admin("GET", "ledger")["transfers"]
    code, out, _ = command("transfer", "USDC", "60", "--chain", "base", "--to", "cold2", "--yes", "--json")
    assert (code, json.loads(out)["limit"], "the cap of cold," in json.loads(out)["message"]) == (3, "70", True), out
    assert sandbox_server.admin("GET", "ledger")["transfers"] == before
    out = add(command, BASE, "--day-cap", "55", label="cold3")[1]
    assert ("as cold, cold2." in out, "55 USD" in out, "the cap of cold3." in out) == (True, True, True), out
    out = command("destinations", "remove", "cold3")[1]
    assert ("still goes to that address as cold, cold2." in out, "the cap of cold." in out) == (True, True), out
    out = command("destinations", "remove", "cold")[1]
    assert ("as cold2." in out, "No cap a day holds" in out, "70 USD" in out) == (True, True, True), out
    assert "still goes" not in command("destinations", "remove", "cold2")[1]


def test_another_network_is_another_place(command):
    assert add(command, BASE, "--day-cap", "70")[0] == 0
    code, out, _ = add(command, BASE, label="main", network="ethereum")
    assert (code, "already" in out, "At most" in out) == (0, False, False), out
