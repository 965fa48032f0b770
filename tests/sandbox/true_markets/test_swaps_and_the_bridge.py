"""What must be signed: swaps on two chains, and the funding bridge."""

from __future__ import annotations

import base64
import json
from decimal import Decimal

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tradehook_sandbox import Sandbox


def number(text):
    return Decimal(text)


def parameters(item):
    return json.loads(item["payload"])["parameters"]


def test_a_swap_is_created_with_a_quote_and_something_to_sign(trader):
    status, body = trader.swap("buy", "100")
    assert status == 201
    assert body["status"] == "initialized"
    assert len(body["payloads"]) == 1
    quote = body["quote"]
    assert quote["issues"] == []
    assert (quote["qty"], quote["fee"], quote["fee_asset"]) == ("100", "0.25", "USDC")
    assert number("1.15") < number(quote["qty_out"]) < number("1.16")
    ledger = trader.ledger()
    assert (ledger["orders"], ledger["initialized"]) == (0, 1)
    assert trader.balance("USDC", "solana")["available"] == "1000", "nothing moves before it is signed"


def test_a_payload_says_what_is_being_done(trader):
    body = trader.swap("sell", "2")[1]
    said = parameters(body["payloads"][0])
    wallet = said["signWith"]
    assert {name: said[name] for name in ("action", "side", "chain", "amountIn", "orderId")} == {
        "action": "swap",
        "side": "sell",
        "chain": "solana",
        "amountIn": "2",
        "orderId": body["order_id"],
    }
    assert said["baseAsset"] == said["assetIn"] == body["quote"]["base_asset"]
    assert said["quoteAsset"] == said["assetOut"] == body["quote"]["quote_asset"]
    assert number(said["minimumOut"]) == pytest.approx(
        number(body["quote"]["qty_out"]) * number("0.99"), abs=number("0.000001")
    )
    assert 32 <= len(wallet) <= 44
    assert parameters(trader.swap("buy", "5")[1]["payloads"][0])["signWith"] == wallet
    activity = json.loads(body["payloads"][0]["payload"])
    assert activity["type"].startswith("ACTIVITY_TYPE_")
    assert body["payloads"][0]["payload"] == json.dumps(activity, separators=(",", ":")), "compact, as it is signed"


def test_a_signed_swap_lands_and_the_money_is_exact(trader):
    body = trader.swap("buy", "100")[1]
    assert trader.execute(body) == (200, {"status": "pending"})
    assert trader.balance("USDC", "solana") | {"available": "900", "held": "100"} == trader.balance("USDC", "solana")
    trader.settle()
    row = trader.detail(body["order_id"])
    assert (row["status"], row["fee"], row["venue"], row["chain"]) == ("complete", "0.25", "defi", "solana")
    assert row["executed_qty"] == body["quote"]["qty_out"], "the price stood still"
    assert row["tx_hash"]
    assert number(trader.balance("SOL", "solana")["total"]) == 20 + number(row["executed_qty"])
    assert trader.balance("USDC", "solana")["total"] == "900"
    assert trader.ledger()["balanced"]


def test_on_base_two_things_are_signed_in_order(trader):
    status, body = trader.swap("sell", "0.01", chain="base")
    assert status == 201
    assert [parameters(item)["action"] for item in body["payloads"]] == ["approve", "swap"]
    assert trader.execute({**body, "payloads": body["payloads"][::-1]})[0] == 400, "not in another order"
    assert trader.execute({**body, "payloads": body["payloads"][:1]})[1]["message"] == "expected 2 signatures, got 1"
    assert trader.execute(body)[0] == 200
    trader.settle()
    row = trader.detail(body["order_id"])
    assert row["status"] == "complete"
    proceeds = number(row["executed_vwap"]) * number("0.01")
    assert number(trader.balance("USDC", "base")["total"]) == pytest.approx(
        1_000 + proceeds - number(row["fee"]), abs=number("0.00001")
    )
    assert 660 < proceeds < 680, "CBBTC follows BTC"


def test_evm_addresses_mean_the_same_in_any_case_and_solana_ones_do_not(trader):
    upper = "0xCBB7C0000AB88B473B1F5AFD9EF808440EED33BF"
    status, body = trader.swap("sell", "0.01", chain="base", base_asset=upper)
    assert status == 201
    assert body["quote"]["base_asset"] == upper
    lower = "so11111111111111111111111111111111111111112"
    assert trader.swap("buy", "10", base_asset=lower)[0] == 404


@pytest.mark.parametrize(
    ("side", "qty", "fields", "status", "words"),
    [
        ("buy", "1", {"qty_unit": "base"}, 400, "qty_unit must be quote"),
        ("sell", "1", {"qty_unit": "quote"}, 400, "qty_unit must be base"),
        ("buy", "1", {"type": "limit", "price": "80"}, 400, "limit orders are not available"),
        ("buy", "1", {"base_asset": "SOL"}, 404, "asset not found on solana"),
        ("buy", "1", {"quote_asset": "USDC"}, 400, "quote_asset must be USDC on solana"),
        ("buy", "1", {"base_asset": "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"}, 400, "are the same"),
        ("buy", "1.0000001", {}, 400, "more than 6 decimals"),
        ("sell", "1.0000000001", {}, 400, "more than 9 decimals"),
    ],
)
def test_rules_of_the_chains(trader, *, side, qty, fields, status, words):
    answered, body = trader.swap(side, qty, **fields)
    assert answered == status
    assert words in body["message"]


@pytest.mark.parametrize(
    ("side", "qty", "issues"),
    [
        ("buy", "1000.01", ["insufficient balance"]),
        ("sell", "20.1", ["insufficient balance"]),
        ("buy", "0.99", ["trade size below minimum"]),
        ("sell", "0.01", ["trade size below minimum"]),
    ],
)
def test_what_stands_in_the_way_is_told_in_the_quote_and_there_is_no_order(trader, side, qty, issues):
    status, body = trader.swap(side, qty)
    assert status == 201
    assert body["order_id"] == ""
    assert body["payloads"] == []
    assert body["quote"]["issues"] == issues
    ledger = trader.ledger()
    assert (ledger["orders"], ledger["initialized"]) == (0, 0)


def test_an_order_is_executed_once(trader):
    body = trader.swap("buy", "100")[1]
    assert trader.execute(body)[0] == 200
    assert trader.execute(body) == (
        409,
        {"error": "", "message": "order cannot be executed: it is pending", "code": 409},
    )
    trader.settle()
    assert trader.execute(body)[0] == 409
    assert trader.balance("USDC", "solana")["total"] == "900"


def test_a_quote_is_good_for_sixty_seconds(trader):
    good, late = trader.swap("buy", "10")[1], trader.swap("buy", "10")[1]
    trader.sandbox.clock.advance(60)
    assert trader.execute(good)[0] == 200
    trader.sandbox.clock.advance(0.1)
    status, body = trader.execute(late)
    assert (status, body["error"], body["code"]) == (422, "quote_stale", 422)
    assert "stale" in body["message"]
    assert trader.status(late["order_id"]) == "initialized"


def test_every_wrong_signature_is_refused_and_the_order_waits_on(trader, another_trader):
    body = trader.swap("buy", "100")[1]
    path = f"/orders/{body['order_id']}/execute"
    payload = body["payloads"][0]["payload"]
    good = json.loads(base64.urlsafe_b64decode(trader.stamp(payload) + "=="))
    digest_signed = trader.key.sign(body["payloads"][0]["digest"].encode(), ec.ECDSA(hashes.SHA256())).hex()
    stamps = [
        another_trader.stamp(payload),
        trader.stamp(payload + " "),
        trader.stamp(body["payloads"][0]["digest"]),
        "nonsense",
        "e30",
        "",
        *(
            base64.urlsafe_b64encode(json.dumps({**good, **change}).encode()).decode()
            for change in (
                {"scheme": "SIGNATURE_SCHEME_TK_API_SECP256K1"},
                {"publicKey": "02" + "0" * 64},
                {"publicKey": None},
                {"signature": digest_signed},
                {"signature": "zz"},
                {"signature": ""},
                {"signature": 5},
            )
        ),
    ]
    for stamp in stamps:
        status, answer = trader.call("POST", path, {"signatures": [stamp], "auth_type": "api_key"})
        assert (status, answer["message"]) == (400, "signature 1 is invalid"), stamp
    for wrong in (
        {},
        {"signatures": [], "auth_type": "api_key"},
        {"signatures": "x", "auth_type": "api_key"},
        {"signatures": [1], "auth_type": "api_key"},
        {"signatures": [trader.stamp(payload)]},
        {"signatures": [trader.stamp(payload)], "auth_type": "web_authn"},
        {"signatures": [trader.stamp(payload)] * 2, "auth_type": "api_key"},
    ):
        assert trader.call("POST", path, wrong)[0] == 400, wrong
    assert trader.status(body["order_id"]) == "initialized"
    assert trader.execute(body)[0] == 200


def test_the_references_stamp_vector_verifies(trader_class):
    from tradehook_sandbox.true_markets.calls import Refusal
    from tradehook_sandbox.true_markets.stamps import verify

    sandbox = Sandbox()
    jwk = {
        "x": "S5oKySoLz5BUzThk5xliYgByRKXXKL51ZG5UiD6ayE0",
        "y": "7q7voHibA6SLVV-qeQtz5jSWHxvo12rt5A4_nzMZJB0",
    }
    key_id = sandbox.register({"key_id": "11111111-2222-4333-8444-555555555555", "public_key": jwk})
    key = sandbox.exchange.keys.get(key_id)
    assert key.public_hex == "034b9a0ac92a0bcf9054cd3864e7196262007244a5d728be75646e54883e9ac84d"
    payload = (
        '{"type":"ACTIVITY_TYPE_SIGN_RAW_PAYLOAD_V2","organizationId":"00000000-0000-4000-8000-000000000001",'
        '"timestampMs":"1790000000000","parameters":{"signWith":"0x0000000000000000000000000000000000000001",'
        '"payload":"deadbeef","encoding":"PAYLOAD_ENCODING_HEXADECIMAL","hashFunction":"HASH_FUNCTION_NO_OP"}}'
    )
    stamp = (
        "eyJwdWJsaWNLZXkiOiIwMzRiOWEwYWM5MmEwYmNmOTA1NGNkMzg2NGU3MTk2MjYyMDA3MjQ0YTVkNzI4YmU3NTY0NmU1NDg4M2U5YWM4NGQi"
        "LCJzaWduYXR1cmUiOiIzMDQ1MDIyMTAwZDM3ODE2NWQ4YTM4YmE3Zjc1ZjZjODZiZTU5YTg3NTEwZWYzNjU2NjUyNmYyMmIxMzk4NTMxZDNm"
        "ZWIxM2EwZDAyMjA3ZTEwNjRmMTljNWM4NTI0YTUwNmI0ZDI2NWZjMzJmMjBlNGE3NTZiNDAzNTRkYzUxYzkzMjQ0ZWIyZmY0YWVmIiwic2No"
        "ZW1lIjoiU0lHTkFUVVJFX1NDSEVNRV9US19BUElfUDI1NiJ9"
    )
    verify([stamp], [{"payload": payload}], [key])
    with pytest.raises(Refusal):
        verify([stamp], [{"payload": payload + "\n"}], [key])


def test_a_swap_reverts_when_the_price_ran_away(trader):
    body = trader.swap("buy", "100")[1]
    trader.execute(body)
    trader.admin("POST", "/prices", {"SOL": "100"})
    trader.settle()
    row = trader.detail(body["order_id"])
    assert (row["status"], row["failure_reason"]) == ("failed", "slippage tolerance exceeded")
    assert trader.balance("USDC", "solana") | {"available": "1000", "held": "0"} == trader.balance("USDC", "solana")


def test_money_spent_in_between_makes_the_second_swap_fail(trader):
    first, second = trader.swap("buy", "600")[1], trader.swap("buy", "600")[1]
    assert trader.execute(first)[0] == trader.execute(second)[0] == 200
    trader.settle()
    assert trader.status(first["order_id"]) == "complete"
    assert trader.detail(second["order_id"])["failure_reason"] == "insufficient balance"
    assert trader.ledger()["balanced"]


def test_swaps_cannot_be_canceled(trader):
    body = trader.swap("buy", "100")[1]
    assert trader.call("DELETE", f"/orders/{body['order_id']}")[0] == 400


def test_a_swap_by_asset_id_finds_its_chain(trader):
    rows = trader.call("GET", "/assets", query={"venue": "defi"})[1]["data"]
    sol = next(row["id"] for row in rows if row["symbol"] == "SOL")
    body = {"asset_id": sol, "side": "buy", "qty": "10", "qty_unit": "quote", "type": "market"}
    status, created = trader.call("POST", "/orders", body)
    assert status == 201
    assert trader.execute(created)[0] == 200


# --- the funding bridge -----------------------------------------------------------------------------------------------


def test_a_buy_beyond_the_exchange_balance_offers_the_bridge(trader):
    status, body = trader.order("buy", "10500", qty_unit="quote")
    assert status == 201
    assert body["status"] == "initialized"
    assert set(body) == {"order_id", "status", "payloads"}
    said = parameters(body["payloads"][0])
    assert (said["action"], said["side"], said["baseAsset"], said["assetOut"]) == ("transfer", "buy", "BTC", "PYUSD")
    assert number(said["amountIn"]) == number("504.2"), "what is missing, fee included"
    assert trader.ledger()["initialized"] == 1
    assert trader.balance("PYUSD")["held"] == "0.000000000"


def test_a_signed_bridge_brings_the_dollars_and_the_order_goes_on(trader):
    body = trader.order("buy", "11500", qty_unit="quote")[1]
    assert [parameters(item)["chain"] for item in body["payloads"]] == ["solana", "base"]
    assert trader.execute(body) == (200, {"status": "pending"})
    trader.sandbox.clock.advance(3)
    row = trader.detail(body["order_id"])
    assert row["status"] == "complete"
    assert number(row["executed_qty"]) * number(row["executed_vwap"]) > 11_490
    left = number(trader.balance("USDC", "solana")["total"]) + number(trader.balance("USDC", "base")["total"])
    assert left == 2_000 - number("1504.6")
    assert trader.ledger()["balanced"]
    assert trader.execute(body)[0] == 409


def test_a_limit_can_be_bridged_and_then_rests(trader):
    body = trader.order("buy", "0.2", price="55000.0")[1]
    assert body["status"] == "initialized"
    assert trader.call("DELETE", f"/orders/{body['order_id']}")[0] == 400
    trader.execute(body)
    trader.sandbox.clock.advance(3)
    assert trader.status(body["order_id"]) == "active"
    assert trader.balance("PYUSD")["held"] == "11000.000000000"
    assert trader.call("DELETE", f"/orders/{body['order_id']}")[0] == 202


def test_a_market_buy_in_base_units_is_bridged_with_room_for_the_price(trader):
    body = trader.order("buy", "0.16")[1]
    trader.execute(body)
    trader.sandbox.clock.advance(3)
    assert trader.detail(body["order_id"]) | {"status": "complete", "executed_qty": "0.16"} == trader.detail(
        body["order_id"]
    )


def test_more_than_all_wallets_hold_is_insufficient(trader):
    assert trader.order("buy", "12000", qty_unit="quote") == (
        400,
        {"error": "", "message": "insufficient balance", "code": 400},
    )


def test_a_sell_is_never_bridged(trader):
    assert trader.order("sell", "0.54")[0] == 400


def test_a_bridge_whose_money_went_elsewhere_fails_and_gives_back_what_it_had_locked(trader):
    bridge = trader.order("buy", "11500", qty_unit="quote")[1]
    swap = trader.swap("sell", "0.01", chain="base")[1]
    spend = trader.swap("buy", "900", chain="base")[1]
    assert trader.execute(spend)[0] == 200
    assert trader.execute(bridge)[0] == 200
    trader.sandbox.clock.advance(3)
    assert trader.detail(bridge["order_id"])["failure_reason"] == "insufficient balance"
    assert trader.balance("USDC", "solana") | {"available": "1000", "held": "0"} == trader.balance("USDC", "solana")
    assert swap["order_id"]
    assert trader.ledger()["balanced"]


def test_dollars_spent_while_the_bridge_was_under_way_fail_the_order_and_stay_on_the_exchange(trader):
    bridge = trader.order("buy", "0.2", price="55000.0")[1]
    trader.execute(bridge)
    trader.placed("buy", "0.1", price="50000.0")
    trader.sandbox.clock.advance(3)
    row = trader.detail(bridge["order_id"])
    assert (row["status"], row["failure_reason"]) == ("failed", "insufficient balance")
    assert number(trader.balance("PYUSD")["total"]) == number("11004.4")
    assert trader.ledger()["balanced"]


@pytest.mark.parametrize("looks", [1, 30])
def test_a_limit_that_is_canceled_while_its_dollars_come_in_ends_and_keeps_them(trader, looks):
    for _ in range(6):
        trader.mint()
        trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "5000"})
        trader.admin("POST", "/balances", {"symbol": "USDC", "chain": "solana", "available": "1000"})
        body = trader.order("buy", "0.1", price="55000.0")[1]
        assert trader.execute(body)[0] == 200
        assert trader.call("DELETE", f"/orders/{body['order_id']}")[0] == 202
        for _ in range(looks):
            trader.sandbox.clock.advance(3 / looks)
            assert trader.ledger()["balanced"]
        assert trader.status(body["order_id"]) == "canceled"
        assert trader.balance("PYUSD") | {"available": "5502.200000000", "held": "0.000000000"} == trader.balance(
            "PYUSD"
        )
        assert trader.balance("USDC", "solana")["held"] == "0"


def test_a_bridge_goes_stale_too(trader):
    body = trader.order("buy", "10500", qty_unit="quote")[1]
    trader.sandbox.clock.advance(61)
    assert trader.execute(body)[0] == 422
