"""`tradehook assets`: what the exchange has, and what may be traded, on a real command line against a sandbox."""

from __future__ import annotations

import json

import pytest

from tradehook.cli import assets as cli
from tradehook.errors import InvalidInput
from tradehook.models import Asset

BUY = ("order", "place", "buy", "--yes", "--json")


def allowed(command):
    code, out, _ = command("assets", "list", "--json")
    assert code == 0
    return [(row["symbol"], row["chain"]) for row in map(json.loads, out.splitlines())]


def test_alone_it_lists_what_the_exchange_has(command):
    code, out, _ = command("assets", "--json")
    assert code == 0
    assert {("BTC", None), ("USDC", "base"), ("USDC", "solana")} <= {
        (row["symbol"], row["chain"]) for row in map(json.loads, out.splitlines())
    }
    assert all(
        json.loads(line)["chain"] is None for line in command("assets", "--venue", "cefi", "--json")[1].splitlines()
    )


def test_from_the_first_on_only_what_is_on_the_list_trades(command, sandbox_server):
    code, out, _ = command("assets", "list")
    assert (code, "everything may be traded" in out) == (0, True)
    assert command("assets", "allow", "eth", "--yes")[0] == 0
    before = sandbox_server.orders()
    code, out, _ = command(*BUY[:3], "BTC", "0.001", *BUY[3:])
    assert (code, json.loads(out)["rule"]) == (3, "asset")
    assert sandbox_server.orders() == before
    assert command(*BUY[:3], "ETH", "0.01", *BUY[3:])[0] == 0
    code, out, _ = command("assets", "remove", "ETH")
    assert (code, "everything may be traded" in out) == (0, True)
    assert command(*BUY[:3], "BTC", "0.001", *BUY[3:])[0] == 0


def test_on_a_chain_the_whole_address_is_shown_and_kept(command):
    code, out, _ = command("assets", "allow", "USDC", "--chain", "Base", "--yes")
    assert code == 0
    _, catalogue, _ = command("assets", "--venue", "defi", "--json")
    address = next(
        row["address"]
        for row in map(json.loads, catalogue.splitlines())
        if (row["symbol"], row["chain"]) == ("USDC", "base")
    )
    assert out.count(address) == 2
    row = json.loads(command("assets", "list", "--json")[1])
    assert (row["address"], row["venue"], row["allowed_by"].startswith("cli:")) == (address, "defi", True)
    assert command("assets", "remove", "USDC")[0] == 2
    assert (
        command("assets", "remove", "USDC", "--chain", "base", "--address", address.upper().replace("X", "x"))[0] == 0
    )
    assert allowed(command) == []


def test_what_the_exchange_does_not_have_is_not_allowed(command):
    code, _, error = command("assets", "allow", "CBBTC", "--yes")
    assert (code, "CBBTC --chain base" in error) == (2, True), error
    address = "0x52908400098527886E0F7030069857D2E4169EE7"
    code, _, error = command("assets", "allow", "USDC", "--chain", "base", "--address", address, "--yes")
    assert (code, "with that address" in error) == (2, True), error
    assert command("assets", "remove", "BTC")[0] == 2
    assert allowed(command) == []


@pytest.mark.parametrize(("answer", "ends"), [("y", (0, [("USDC", "base")])), ("n", (3, []))])
def test_a_person_is_asked(command, person, environment, answer, ends):
    operator = person("assets", "allow", "USDC", "--chain", "base", environment=environment)
    operator.answers("May it be traded?", answer)
    assert (operator.ends(), allowed(command)) == ends
    assert "Compare the address" in operator.shown


def test_without_a_person_it_wants_a_yes(command):
    code, _, error = command("assets", "allow", "BTC")
    assert (code, "--yes" in error) == (2, True)
    assert allowed(command) == []


def test_two_of_one_name_at_one_place_are_told_apart_by_address():
    def coin(address: str) -> Asset:
        return Asset(asset_id=address, symbol="USDC", venue="defi", chain="base", address=address)

    catalogue = [coin("0xAa"), coin("0xBb")]
    with pytest.raises(InvalidInput, match="0xAa, 0xBb"):
        cli.find(catalogue, "USDC", chain="base")
    assert cli.find(catalogue, "USDC", chain="base", address="0xbB").address == "0xBb"
