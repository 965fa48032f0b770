"""Transfers, destinations, history and the place test on a real command line against a sandbox in a process of its own."""

from __future__ import annotations

import json

import pytest

BASE = "0x52908400098527886E0F7030069857D2E4169EE7"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


@pytest.fixture
def ready(command):
    """The same with two destinations on the list."""
    for label, network, address in (("cold", "base", BASE), ("vault", "bitcoin", BITCOIN)):
        code, _, error = command("destinations", "add", label, address, "--network", network, "--again", address)
        assert code == 0, error
    return command


def test_destinations_are_added_listed_and_removed(ready):
    code, out, _ = ready("destinations", "--json")
    assert code == 0
    assert {(row["label"], row["address"]) for row in map(json.loads, out.splitlines())} == {
        ("cold", BASE),
        ("vault", BITCOIN),
    }
    assert ready("destinations", "remove", "vault")[0] == 0
    _, out, _ = ready("destinations")
    assert "cold" in out
    assert "vault" not in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("x", BASE, "--network", "base"), "given twice"),
        (("x", BASE, "--network", "base", "--again", BITCOIN), "not an EVM address"),
        (("x", BASE, "--network", "base", "--again", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"), "differ"),
        (
            ("x", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "--network", "base", "--again", BASE),
            "checksum",
        ),
        (("x", BASE, "--network", "dogecoin", "--again", BASE), "cannot be checked"),
        ((BASE, BASE, "--network", "base", "--again", BASE), "not a destination's label"),
    ],
)
def test_an_address_that_is_not_sure_is_not_put_on_the_list(command, arguments, says):
    code, _, error = command("destinations", "add", *arguments)
    assert (code, says in error) == (2, True), error
    assert command("destinations", "--json")[1] == ""


def test_a_transfer_from_a_wallet_is_signed_and_completes(ready):
    arguments = ("transfer", "USDC", "5", "--chain", "base", "--to", "cold", "--yes", "--wait", "--json")
    code, out, error = ready(*arguments, "--intent-id", "t-1")
    assert code == 0, error
    answer = json.loads(out)
    assert (answer["status"], answer["quantity"], answer["to"].lower()) == ("completed", "5", BASE.lower())
    code, out, _ = ready(*arguments, "--intent-id", "t-1")
    assert (code, json.loads(out)["is_stored"]) == (0, True)
    code, out, _ = ready("transfers", answer["transfer_id"][:10], "--json")
    assert (code, json.loads(out)["transfer_id"]) == (0, answer["transfer_id"])
    code, out, _ = ready("transfers", "--status", "completed", "--since", "1h", "--limit", "100")
    assert answer["transfer_id"][:8] in out


def test_a_lost_answer_about_a_payout_is_exit_code_4_and_sent_once(ready, sandbox_server):
    before = sandbox_server.admin("GET", "ledger")["transfers"]
    sandbox_server.fault("error_after", path="/transfers")
    for _ in range(2):
        code, out, error = ready("transfer", "BTC", "0.001", "--to", "vault", "--yes", "--json", "--intent-id", "t-1")
        assert code == 4, error
        assert json.loads(out)["error"] == "OutcomeUnknown"
    assert sandbox_server.admin("GET", "ledger")["transfers"] == before + 1
    _, out, error = ready("intents", "show", "t-1")
    # Other journals use this server's account, so nothing tells ours from theirs: a person has to.
    assert "NEEDS_HUMAN: send 0.001 BTC to vault" in out
    assert "`tradehook transfers`" in out
    code, out, _ = ready("transfers", "--json", "--limit", "1")
    theirs = json.loads(out)["transfer_id"]
    assert ready("intents", "resolve", "t-1", "--as", f"placed:{theirs}", "--yes", "--why", "seen")[0] == 0
    code, out, _ = ready("transfer", "BTC", "0.001", "--to", "vault", "--yes", "--json", "--intent-id", "t-1")
    assert (code, json.loads(out)["transfer_id"], json.loads(out)["is_stored"]) == (0, theirs, True)
    assert sandbox_server.admin("GET", "ledger")["transfers"] == before + 1


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("USDC", "5", "--to", "cold"), 2, "--chain base"),
        (("USDC", "5", "--chain", "base", "--to", "nobody"), 2, "there is cold, vault"),
        (("USDC", "$5", "--chain", "base", "--to", "cold"), 2, "leave out the $"),
        (("USDC", "0", "--chain", "base", "--to", "cold"), 2, "no amount"),
        (("USDC", "5", "--chain", "base", "--to", BASE), 2, "not to addresses"),
        (("BTC", "1000", "--to", "vault"), 3, "insufficient"),
    ],
)
def test_what_cannot_be_sent_says_why_and_what_to_type(ready, arguments, code, says):
    found, _, error = ready("transfer", *arguments, "--yes")
    assert (found, says in error) == (code, True), error


def test_nobody_to_confirm_sends_nothing(ready, sandbox_server):
    before = sandbox_server.admin("GET", "ledger")["transfers"]
    code, _, error = ready("transfer", "BTC", "0.001", "--to", "vault")
    assert (code, "--yes" in error) == (2, True)
    assert sandbox_server.admin("GET", "ledger")["transfers"] == before


def test_worth_and_history_are_told(ready):
    code, out, _ = ready("portfolio", "--json")
    assert code == 0
    portfolio = json.loads(out)
    assert {part["symbol"] for part in portfolio["parts"]} >= {"BTC", "PYUSD"}
    code, out, _ = ready("transactions", "--json", "--limit", "200")
    assert code == 0
    assert {"ramp"} <= {json.loads(line)["kind"] for line in out.splitlines()}
    assert ready("portfolio")[0] == ready("transactions", "--since", "1d")[0] == 0


@pytest.mark.parametrize(
    ("since", "code"), [("1h", 0), ("2026-01-01", 0), ("yesterday", 2), ("2999-01-01", 2), ("", 2)]
)
def test_since_when(ready, since, code):
    for what in ("orders", "transfers", "transactions"):
        if since or what:
            found, _, error = ready(what, f"--since={since}") if since else (2, "", "")
            assert found == code, error


@pytest.mark.parametrize("flags", [(), ("--list-terminal-only",), ("--list-terminal-only", "--revision", "june")])
def test_the_place_test_finds_out_what_the_list_shows_and_leaves_nothing_behind(
    command, start_sandbox, monkeypatch, flags
):
    server = start_sandbox("--rate-limit", "0", *flags)
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    _, out, _ = command("doctor", "--json")
    checks = {check["check"]: check["message"] for check in json.loads(out)["checks"]}
    assert "not proved" in checks["open orders"]
    code, out, error = command("doctor", "--place-test", "--json")
    assert code == 0, error
    checks = {check["check"]: check["message"] for check in json.loads(out)["checks"]}
    assert ("does not show open orders" in checks["open orders"]) is bool(flags)
    _, out, _ = command("doctor", "--json")
    checks = {check["check"]: check["message"] for check in json.loads(out)["checks"]}
    assert ("the list does not show them" in checks["open orders"]) is bool(flags)
    assert command("orders", "--status", "open,pending", "--json")[1] == ""
    # An order that rests is shown whatever the list does.
    code, out, error = command("order", "place", "buy", "BTC", "0.001", "--limit", "40000", "--yes", "--json")
    assert code == 0, error
    _, listed, _ = command("orders", "--status", "open,pending", "--json")
    assert json.loads(listed)["order_id"] == json.loads(out)["order_id"]
