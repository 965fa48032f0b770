"""Money going out: signed on a chain, unsigned from the exchange, and refused when it cannot."""

from __future__ import annotations

import json
from decimal import Decimal
from hashlib import sha256

import pytest

ETHEREUM = "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045"
SOLANA = "So11111111111111111111111111111111111111112"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
FIELDS = {
    *("id", "status", "venue", "asset_id", "asset_symbol", "chain", "to", "qty", "qty_unit", "sent", "fee", "received"),
    *("tx_hash", "payloads", "created_at", "updated_at", "network", "explorer_url"),
}


def moved(trader, symbol, qty, to, **more):
    """A transfer that must have been accepted."""
    status, body = trader.transfer(symbol, qty, to, **more)
    assert status == 201, body
    assert set(body) == FIELDS, "all fields, always"
    return body


def wallet_of(trader, chain):
    """The address that signs for this account's tokens."""
    body = moved(trader, "USDC", "1", SOLANA if chain == "solana" else ETHEREUM, chain=chain)
    return json.loads(body["payloads"][0]["payload"])["parameters"]["signWith"]


def amounts(trader, symbol, chain=None):
    row = trader.balance(symbol, chain)
    return row["available"], row["held"]


# --- on a chain -------------------------------------------------------------------------------------------------------


def test_a_transfer_on_a_chain_waits_for_a_signature_and_holds_nothing(trader):
    body = moved(trader, "SOL", "0.50", SOLANA, chain="solana")
    assert body["status"] == "awaiting_signature"
    assert (body["venue"], body["chain"], body["network"]) == ("defi", "solana", None)
    assert (body["qty"], body["qty_unit"], body["asset_symbol"], body["to"]) == ("0.5", "base", "SOL", SOLANA)
    assert (body["sent"], body["fee"], body["received"], body["tx_hash"]) == ("0", "0", "0", "")
    assert amounts(trader, "SOL", "solana") == ("20", "0"), "nothing moves before it is signed"
    assert trader.ledger()["transfers"] == 0, "nor does it count as money"


def test_the_payload_says_what_is_being_done_and_nothing_else(trader):
    body = moved(trader, "USDC", "12.5", ETHEREUM, chain="base")
    (item,) = body["payloads"]
    assert item["digest"] == sha256(item["payload"].encode()).hexdigest()
    activity = json.loads(item["payload"])
    assert item["payload"] == json.dumps(activity, separators=(",", ":")), "compact, as it is signed"
    said = activity["parameters"]
    assert said["signWith"].startswith("0x")
    assert said["expiresAt"] == "2026-09-21T14:14:20.000000Z"
    assert set(said) == {
        *("signWith", "type", "unsignedTransaction", "expiresAt"),
        *("action", "transferId", "chain", "asset", "amount", "recipient"),
    }
    assert {name: said[name] for name in ("action", "transferId", "chain", "asset", "amount", "recipient")} == {
        "action": "transfer",
        "transferId": body["id"],
        "chain": "base",
        "asset": "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913",
        "amount": "12.5",
        "recipient": ETHEREUM,
    }


def test_a_signed_transfer_is_held_then_gone(trader):
    created = moved(trader, "USDC", "12.5", ETHEREUM, chain="base")
    status, body = trader.execute_transfer(created)
    assert (status, body["status"], body["payloads"]) == (200, "pending", [])
    assert body["tx_hash"].startswith("0x")
    assert body["explorer_url"].endswith(body["tx_hash"])
    assert amounts(trader, "USDC", "base") == ("987.5", "12.5")
    trader.settle()
    body = trader.transfer_now(created["id"])
    assert (body["status"], body["sent"], body["fee"], body["received"]) == ("completed", "12.5", "0", "12.5")
    assert body["updated_at"] > body["created_at"] == created["created_at"]
    assert amounts(trader, "USDC", "base") == ("987.5", "0")
    assert trader.ledger()["balanced"]
    assert trader.ledger()["transfers"] == 1


def test_a_wallet_of_another_account_gets_what_was_sent_to_it(trader, another_trader):
    for chain, symbol, qty in (("solana", "SOL", "1.25"), ("base", "USDC", "7")):
        before = Decimal(another_trader.balance(symbol, chain)["total"])
        to = wallet_of(another_trader, chain)
        # Letter case carries nothing on an EVM chain.
        created = moved(trader, symbol, qty, to if chain == "solana" else "0x" + to[2:].upper(), chain=chain)
        assert trader.execute_transfer(created)[0] == 200
        trader.settle()
        assert Decimal(another_trader.balance(symbol, chain)["total"]) == before + Decimal(qty)
    assert trader.ledger()["balanced"]
    newest = another_trader.call("GET", "/transactions")[1]["data"][0]
    assert (newest["type"], newest["asset_flow"], newest["qty"]) == ("ramp", "in", "7"), "the receiver sees it"


def test_only_the_owners_key_moves_the_money(trader, another_trader):
    created = moved(trader, "SOL", "1", SOLANA, chain="solana")
    stamp = another_trader.stamp(created["payloads"][0]["payload"])
    path = f"/transfers/{created['id']}/execute"
    status, body = trader.call("POST", path, {"signatures": [stamp], "auth_type": "api_key"})
    assert (status, body["message"]) == (400, "signature 1 is invalid")
    wrong = trader.stamp(created["payloads"][0]["digest"])
    assert trader.call("POST", path, {"signatures": [wrong], "auth_type": "api_key"})[0] == 400, "not the digest"
    good = trader.stamp(created["payloads"][0]["payload"])
    body = trader.call("POST", path, {"signatures": [good, good], "auth_type": "api_key"})[1]
    assert body["message"] == "expected 1 signatures, got 2"
    assert another_trader.execute_transfer(created)[0] == 404, "nobody else's transfer can be seen"
    assert trader.transfer_now(created["id"])["status"] == "awaiting_signature"
    assert trader.execute_transfer(created)[0] == 200


def test_a_transfer_is_executed_once(trader):
    created = moved(trader, "SOL", "1", SOLANA, chain="solana")
    assert trader.execute_transfer(created)[0] == 200
    assert trader.execute_transfer(created) == (
        409,
        {"error": "", "message": "transfer cannot be executed: it is pending", "code": 409},
    )
    trader.settle()
    assert trader.execute_transfer(created)[0] == 409
    assert amounts(trader, "SOL", "solana") == ("19", "0")


def test_a_signature_that_comes_too_late_moves_nothing(trader):
    created = moved(trader, "SOL", "1", SOLANA, chain="solana")
    trader.sandbox.clock.advance(61)
    assert trader.execute_transfer(created)[0] == 409
    assert amounts(trader, "SOL", "solana") == ("20", "0")
    assert trader.ledger()["transfers"] == 0


def test_money_that_was_spent_in_between_makes_the_transfer_fail(trader):
    first = moved(trader, "SOL", "15", SOLANA, chain="solana")
    second = moved(trader, "SOL", "15", SOLANA, chain="solana")
    assert trader.execute_transfer(first)[0] == 200
    assert trader.execute_transfer(second)[1]["status"] == "pending"
    trader.settle()
    assert trader.transfer_now(first["id"])["status"] == "completed"
    assert trader.transfer_now(second["id"])["status"] == "failed"
    assert amounts(trader, "SOL", "solana") == ("5", "0")
    assert trader.ledger()["balanced"]


# --- from the exchange ------------------------------------------------------------------------------------------------


def test_a_payout_needs_no_signature_and_its_fee_comes_off_twice_as_seen_live(trader):
    created = moved(trader, "BTC", "0.0001", BITCOIN)
    assert (created["status"], created["payloads"]) == ("pending", [])
    assert (created["venue"], created["chain"], created["network"]) == ("cefi", None, "bitcoin")
    assert (created["sent"], created["fee"], created["received"], created["tx_hash"]) == ("0", "0", "0", "")
    assert amounts(trader, "BTC") == ("0.4999", "0.0001"), "held at once"
    assert trader.execute_transfer({**created, "payloads": [{"payload": "x"}]})[0] == 409
    trader.sandbox.clock.advance(2.9)
    assert trader.transfer_now(created["id"])["status"] == "pending"
    trader.sandbox.clock.advance(0.2)
    done = trader.transfer_now(created["id"])
    assert (done["status"], done["sent"], done["fee"], done["received"]) == (
        *("completed", "0.00009724", "0.00000276", "0.00009448"),
    )
    assert len(done["tx_hash"]) == 64
    assert amounts(trader, "BTC") == ("0.4999", "0")
    assert trader.ledger()["balanced"]


def test_how_long_a_payout_takes_is_a_switch(new_trader):
    trader = new_trader(withdrawal_seconds=4_800)
    created = moved(trader, "BTC", "0.001", BITCOIN)
    trader.sandbox.clock.advance(3_500)
    assert trader.transfer_now(created["id"])["status"] == "pending"
    trader.sandbox.clock.advance(1_400)
    assert trader.mint().transfer_now(created["id"])["status"] == "completed"


def test_an_asset_with_several_networks_needs_one_named(trader):
    status, body = trader.transfer("PYUSD", "100", ETHEREUM)
    assert (status, body["message"]) == (400, "network is required: one of ethereum, solana")
    assert trader.transfer("PYUSD", "100", ETHEREUM, network="bitcoin")[0] == 400
    assert trader.transfer("PYUSD", "100", ETHEREUM, network="solana")[0] == 400, "not an address there"
    assert moved(trader, "PYUSD", "100", ETHEREUM, network="ethereum")["network"] == "ethereum"
    assert moved(trader, "PYUSD", "100", SOLANA, network="solana")["network"] == "solana"


def test_dollars_that_orders_need_for_their_fees_cannot_leave(trader):
    trader.placed("buy", "0.1", price="60000.0")
    trader.settle()
    assert [Decimal(amount) for amount in amounts(trader, "PYUSD")] == [4000, 6000]
    assert trader.transfer("PYUSD", "4000", ETHEREUM, network="ethereum")[1]["message"] == "insufficient balance"
    assert moved(trader, "PYUSD", "3997.6", ETHEREUM, network="ethereum")["status"] == "pending"


def test_a_quantity_in_dollars_is_that_much_worth(trader):
    trader.admin("POST", "/prices", {"BTC": "50000"})
    created = moved(trader, "BTC", "1000.00", BITCOIN, qty_unit="quote")
    assert (created["qty"], created["qty_unit"]) == ("1000.00", "quote")
    assert amounts(trader, "BTC") == ("0.48", "0.02")
    assert trader.transfer("BTC", "0.0000001", BITCOIN, qty_unit="quote")[0] == 400, "less than one satoshi"


# --- refused ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        ("BTC", "0.6", BITCOIN, {}, "insufficient balance"),
        ("solana:SOL", "20.000000001", SOLANA, {}, "insufficient balance"),
        ("BTC", "0.00000552", BITCOIN, {}, "below the withdrawal minimum"),
        ("BTC", "0", BITCOIN, {}, "qty"),
        ("BTC", "-1", BITCOIN, {}, "qty"),
        ("BTC", "1e-3", BITCOIN, {}, "qty"),
        ("BTC", "0.123456789", BITCOIN, {}, "decimals"),
        ("BTC", None, BITCOIN, {}, "qty"),
        ("BTC", 1, BITCOIN, {}, "qty must be a string"),
        ("BTC", "0.1", None, {}, "missing required field: to"),
        ("BTC", "0.1", BITCOIN, {"qty_unit": "coins"}, "qty_unit"),
        ("BTC", "0.1", BITCOIN, {"qty_unit": None}, "qty_unit"),
        ("BTC", "0.1", BITCOIN, {"network": "ethereum"}, "network must be one of bitcoin"),
        ("BTC", "0.1", BITCOIN, {"network": ["bitcoin"]}, "network must be one of bitcoin"),
        ("BTC", "0.1", BITCOIN, {"asset_id": "BTC"}, "not a valid UUID"),
        ("BTC", "0.1", BITCOIN, {"asset_id": None}, "not a valid UUID"),
        ("BTC", "0.1", BITCOIN, {"asset_id": "00000000-0000-4000-8000-000000000000"}, "404 asset not found"),
        ("BTC", "0.1", ETHEREUM, {}, "not a valid address on bitcoin"),
        ("BTC", "0.1", BITCOIN[:10], {}, "not a valid address on bitcoin"),
        ("BTC", "0.1", BITCOIN[:20] + BITCOIN[20:].upper(), {}, "not a valid address on bitcoin"),
        ("BTC", "0.1", "1" + "O" * 30, {}, "not a valid address on bitcoin"),
        ("ETH", "0.1", ETHEREUM[:-1], {}, "not a valid address on ethereum"),
        ("ETH", "0.1", ETHEREUM[:-1] + "g", {}, "not a valid address on ethereum"),
        ("solana:SOL", "1", ETHEREUM, {}, "not a valid address on solana"),
        ("solana:SOL", "1", "1" * 44, {}, "not a valid address on solana"),
        ("solana:SOL", "1", "z" * 44, {}, "not a valid address on solana"),
        ("solana:SOL", "1", "0" * 32, {}, "not a valid address on solana"),
        ("base:USDC", "1", SOLANA, {}, "not a valid address on base"),
    ],
)
def test_what_cannot_be_sent_is_refused_and_moves_nothing(trader, case):
    asset, qty, to, more, words = case
    entries = trader.ledger()["entries"]
    chain, _, symbol = asset.rpartition(":")
    status, body = trader.transfer(symbol, qty, to, chain=chain or None, **more)
    assert status == (404 if words.startswith("404") else 400), body
    assert words.removeprefix("404 ") in body["message"]
    assert trader.call("GET", "/transfers")[1]["data"] == []
    assert trader.ledger()["entries"] == entries


@pytest.mark.parametrize("address", [BITCOIN.upper(), "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"])
def test_every_form_of_a_bitcoin_address_is_taken(trader, address):
    assert moved(trader, "BTC", "0.01", address)["to"] == address


def test_nothing_of_it_is_open_without_a_token(trader):
    created = moved(trader, "BTC", "0.01", BITCOIN)
    body = {"asset_id": created["asset_id"], "qty": "0.1", "qty_unit": "base", "to": BITCOIN}
    for method, path in (
        *(("POST", "/transfers"), ("GET", "/transfers"), ("GET", f"/transfers/{created['id']}")),
        *(("POST", f"/transfers/{created['id']}/execute"), ("GET", "/portfolio"), ("GET", "/transactions")),
    ):
        assert trader.call(method, path, body if method == "POST" else None, headers={})[0] == 401
    assert trader.ledger()["transfers"] == 1


# --- lists ------------------------------------------------------------------------------------------------------------


def test_the_list_is_newest_first_page_by_page_and_by_one_status(trader, another_trader):
    made = [moved(trader, "SOL", f"0.0{number}", SOLANA, chain="solana") for number in range(1, 6)]
    moved(another_trader, "SOL", "1", SOLANA, chain="solana")
    trader.execute_transfer(made[1])
    trader.settle()
    ids = [body["id"] for body in made]
    found, query = [], {"limit": "2"}
    while True:
        page = trader.call("GET", "/transfers", query=query)[1]
        assert page["pagination"]["limit"] == 2
        assert len(page["data"]) <= 2
        found += [row["id"] for row in page["data"]]
        if page["pagination"]["next_cursor"] is None:
            break
        query["cursor"] = page["pagination"]["next_cursor"].replace("Z", "+00:00")
    assert found == ids[::-1], "each of mine once, and nobody else's"
    completed = trader.call("GET", "/transfers", query={"status": "completed"})[1]["data"]
    assert [row["id"] for row in completed] == [ids[1]]
    assert completed[0] == trader.transfer_now(ids[1])
    waiting = trader.call("GET", "/transfers", query={"status": "awaiting_signature"})[1]["data"]
    assert [row["id"] for row in waiting] == [*ids[:1:-1], ids[0]]
    assert all(row["payloads"] for row in waiting)
    assert trader.call("GET", "/transfers", query={"status": "failed"})[1]["data"] == []


@pytest.mark.parametrize(
    "query",
    [{"status": "complete"}, {"status": "pending,completed"}, {"limit": "0"}, {"limit": "101"}, {"cursor": "x"}],
)
def test_a_question_that_makes_no_sense_is_400(trader, query):
    assert trader.call("GET", "/transfers", query=query)[0] == 400


def test_ids_of_other_kinds_are_400_and_404(trader):
    assert trader.call("GET", "/transfers/mine")[0] == 400
    assert trader.call("GET", "/transfers/00000000-0000-4000-8000-000000000000")[0] == 404
    assert trader.call("DELETE", "/transfers/00000000-0000-4000-8000-000000000000")[0] == 405
    trader.prefix = "/v1/gateway"
    created = moved(trader, "BTC", "0.01", BITCOIN)
    trader.prefix = "/v1/conductor"
    assert trader.transfer_now(created["id"])["id"] == created["id"], "one exchange below both prefixes"


def test_ids_follow_from_the_seed(new_trader):
    def ids(seed):
        return [moved(one, "BTC", "0.01", BITCOIN)["id"] for one in [new_trader(seed=seed)] for _ in range(3)]

    assert ids(7) == ids(7)
    assert len({*ids(7), *ids(8)}) == 6


# --- the admin's hand -------------------------------------------------------------------------------------------------


def test_the_admin_fails_a_transfer_and_the_money_is_back(trader):
    created = moved(trader, "BTC", "0.2", BITCOIN)
    body = trader.admin("POST", "/transfers", {"id": created["id"], "status": "failed"})
    assert body["status"] == "failed"
    assert amounts(trader, "BTC") == ("0.5", "0")
    trader.sandbox.clock.advance(10)
    assert trader.transfer_now(created["id"])["status"] == "failed", "and stays so"
    assert trader.ledger()["balanced"]
    listed = trader.admin("GET", "/transfers")["data"]
    assert [row["id"] for row in listed] == [created["id"]]
    assert listed[0]["account_uid"]


def test_the_admin_completes_a_transfer_now(trader):
    created = moved(trader, "ETH", "2", ETHEREUM)
    assert trader.admin("POST", "/transfers", {"id": created["id"], "status": "completed"})["status"] == "completed"
    assert amounts(trader, "ETH") == ("3", "0")
    again = trader.send("POST", "/_sandbox/transfers", {"id": created["id"], "status": "failed"})
    assert (again.status, again.json()["message"]) == (409, "the transfer is completed, not pending")
    assert amounts(trader, "ETH") == ("3", "0")


def test_the_admin_cannot_end_what_is_not_on_its_way(trader):
    waiting = moved(trader, "SOL", "15", SOLANA, chain="solana")
    later = moved(trader, "SOL", "15", SOLANA, chain="solana")
    end = {"id": waiting["id"], "status": "completed"}
    assert trader.send("POST", "/_sandbox/transfers", end).status == 409
    trader.execute_transfer(waiting)
    trader.execute_transfer(later)
    unpaid = trader.send("POST", "/_sandbox/transfers", {"id": later["id"], "status": "completed"})
    assert unpaid.json()["message"] == "the money for it is gone"
    nobody = {"id": "00000000-0000-4000-8000-000000000000", "status": "failed"}
    assert trader.send("POST", "/_sandbox/transfers", nobody).status == 404
    for body in ({"id": "x", "status": "failed"}, {"id": later["id"], "status": "lost"}, {"id": later["id"]}):
        assert trader.send("POST", "/_sandbox/transfers", body).status == 400
    trader.settle()
    assert trader.ledger()["balanced"]


def test_a_clock_that_is_turned_back_leaves_no_transfer_on_its_way_for_long(trader):
    trader.sandbox.clock.advance(1_000)
    created = moved(trader, "BTC", "0.2", BITCOIN)
    trader.admin("POST", "/clock", {"offset": 0})
    assert trader.transfer_now(created["id"])["status"] == "pending"
    trader.sandbox.clock.advance(3.5)
    assert trader.transfer_now(created["id"])["status"] == "completed"
    assert trader.ledger()["balanced"]
