"""Each switch: what it changes, and that without it everything is as it was seen live."""

from __future__ import annotations

import base64
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from tradehook_sandbox import Rules, Sandbox
from tradehook_sandbox.true_markets.rules import SWITCHES

ROOT = Path(__file__).parents[2]
NOBODY = "11111111-2222-4333-8444-555555555555"
NEWER = {"asset_id", "asset_symbol", "qty_unit", "tx_hash", "explorer_url", "failure_reason", "venue", "chain"}
SOL_ORDER = {"qty": "100", "qty_unit": "quote", "type": "market", "side": "buy"}


def still(trader):
    trader.admin("POST", "/prices", {"walk": False})
    return trader


# --- how they are given -----------------------------------------------------------------------------------------------


def test_a_keyword_wins_over_the_rules():
    sandbox = Sandbox(rules=Rules(rate_limit=7, errors="plain"), rate_limit=9)
    assert (sandbox.exchange.rules.rate_limit, sandbox.exchange.rules.errors) == (9, "plain")
    assert Sandbox().exchange.rules == Rules()


@pytest.mark.parametrize(
    ("switch", "value"),
    [
        ("errors", "nice"),
        ("revision", "july"),
        ("stale_execute", "409"),
        ("unknown_quote", 404),
        ("accept_der", 1),
        ("cancel_race", 1.5),
        ("cancel_race", float("nan")),
        ("rate_limit", -1),
        ("rate_limit", 1.5),
        ("rate_limit", True),
        ("token_seconds", 0),
        ("stream_seconds", 0),
        ("stream_seconds", float("inf")),
    ],
)
def test_a_value_that_a_switch_cannot_have_is_refused_by_its_name(switch, value):
    with pytest.raises(ValueError, match=f"^{switch} must be "):
        Sandbox(**{switch: value})


def test_a_misspelt_switch_is_refused():
    with pytest.raises(TypeError, match="acept_der"):
        Sandbox(acept_der=True)


def test_every_switch_is_a_flag_and_is_documented():
    from typer.testing import CliRunner

    from tradehook_sandbox.__main__ import app

    flags = CliRunner().invoke(app, ["serve", "--help"], env={"COLUMNS": "200"}, terminal_width=200).output
    table = (ROOT / "docs" / "reference" / "sandbox.md").read_text()
    for switch in SWITCHES:
        flag = f"--{switch.name.replace('_', '-')}"
        assert flag in flags
        default = "off" if switch.default is False else f"`{switch.default}`".replace(".0`", "`")
        assert re.search(rf"^\| `{flag}( [^`]*)?` \| {default} \| ", table, re.MULTILINE), f"{flag} has no row"
        for choice in switch.choices:
            assert str(choice) in table


def test_flags_reach_the_exchange(serve, trader_at):
    served = serve(
        *("--errors", "plain", "--revision", "june", "--unknown-quote", "400", "--stale-execute", "409"),
        *("--reset-header", "delta", "--cancel-race", "1", "--documented-balances", "--no-refresh-token"),
    )
    trader = trader_at(served)
    served.advance = lambda seconds: trader.admin("POST", "/clock", {"advance": seconds})
    assert trader.refresh_token == ""
    assert trader.call("GET", f"/orders/{NOBODY}") == (405, {"message": "method not allowed"})
    assert trader.order("buy", "0.01", quote_asset="EUR")[0] == 400
    created = trader.swap("buy", "10")[1]
    served.advance(61)
    assert trader.execute(created)[0] == 409
    assert int(trader.send("GET", "/v1/conductor/orders").headers["x-ratelimit-reset"]) <= 60
    assert set(trader.call("GET", "/balances")[1]) == {"balances"}
    order_id = trader.placed(price="50000.0")
    trader.settle()
    trader.call("DELETE", f"/orders/{order_id}")
    trader.settle()
    assert trader.status(order_id) == "complete"


# --- lists and cursors ------------------------------------------------------------------------------------------------


def in_all_states(trader):
    """An order that rests, one that is complete, one that is canceled, and one that waits to be signed."""
    resting, gone = trader.placed(price="60000.0"), trader.placed(price="59000.0")
    done = trader.placed("buy", "0.01")
    trader.settle()
    trader.call("DELETE", f"/orders/{gone}")
    trader.settle()
    waiting = trader.swap("buy", "10")[1]["order_id"]
    return resting, done, gone, waiting


def test_list_terminal_only_shows_what_has_ended_under_every_filter(new_trader):
    trader = still(new_trader(list_terminal_only=True))
    resting, done, gone, _ = in_all_states(trader)
    assert {row["order_id"] for row in trader.call("GET", "/orders")[1]["data"]} == {done, gone}
    for words, expected in (
        ("active", []),
        ("pending,active,initialized", []),
        ("complete", [done]),
        ("active,canceled", [gone]),
    ):
        page = trader.call("GET", "/orders", query={"status": words})[1]
        assert [row["order_id"] for row in page["data"]] == expected
    assert trader.status(resting) == "active", "a single read still shows it"


def test_without_it_the_list_shows_all(trader):
    ids = in_all_states(trader)
    assert {row["order_id"] for row in trader.call("GET", "/orders")[1]["data"]} == set(ids)


def paged(trader, *, limit, most=20):
    """The ids on all pages."""
    ids, query = [], {"limit": str(limit)}
    for _ in range(most):
        page = trader.call("GET", "/orders", query=query)[1]
        ids += [row["order_id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]
        if cursor is None:
            return ids
        query["cursor"] = cursor
    return ids


def test_a_coarse_cursor_is_cut_to_the_second_and_skips_what_shares_it(new_trader):
    trader = new_trader(coarse_cursor=True)
    early = trader.placed("buy", "0.01")
    trader.sandbox.clock.advance(10)
    late = []
    for _ in range(3):
        trader.sandbox.clock.advance(0.1)
        late.insert(0, trader.placed("buy", "0.01"))
    page = trader.call("GET", "/orders", query={"limit": "1"})[1]
    assert page["pagination"]["next_cursor"] == "2026-09-21T14:13:30Z"
    assert paged(trader, limit=1) == [late[0], early], "the two others lie between the cursor and the last row"
    assert paged(trader, limit=3) == [*late, early]


def test_an_inclusive_cursor_repeats_the_row_at_the_border(new_trader):
    trader = new_trader(inclusive_cursor=True)
    ids = []
    for _ in range(3):
        ids.insert(0, trader.placed("buy", "0.01"))
        trader.sandbox.clock.advance(1)
    assert paged(trader, limit=2) == [ids[0], ids[1], ids[1], ids[2]]
    assert paged(trader, limit=1, most=4) == [ids[0]] * 4, "a page of one never gets on"


def test_by_default_no_page_border_loses_or_repeats_a_row(new_trader):
    trader = new_trader()
    ids = [trader.placed("buy", "0.01") for _ in range(5)]
    assert paged(trader, limit=2) == ids[::-1]


# --- signing in -------------------------------------------------------------------------------------------------------


def der_mint_body(trader):
    body = trader.mint_body()
    message = f"{body['key_id']}.{body['timestamp']}".encode()
    return {
        **body,
        "signature": base64.urlsafe_b64encode(trader.key.sign(message, ec.ECDSA(hashes.SHA256()))).decode().rstrip("="),
    }


@pytest.mark.parametrize(("accept_der", "status"), [(True, 200), (False, 401)])
def test_accept_der_takes_a_der_signature(new_trader, accept_der, status):
    trader = new_trader(accept_der=accept_der)
    assert trader.send("POST", "/v1/auth/api-key/token", der_mint_body(trader)).status == status
    assert trader.send("POST", "/v1/auth/api-key/token", trader.mint_body()).status == 200
    wrong = {**der_mint_body(trader), "timestamp": trader.mint_body()["timestamp"] + 1}
    assert trader.send("POST", "/v1/auth/api-key/token", wrong).status == 401


@pytest.mark.parametrize(("lenient", "again"), [(True, 200), (False, 401)])
def test_lenient_refresh_lets_a_used_token_work_again(new_trader, lenient, again):
    trader = new_trader(lenient_refresh=lenient)
    body = {"refresh_token": trader.refresh_token}
    assert trader.send("POST", "/v1/auth/token/refresh", body).status == 200
    assert trader.send("POST", "/v1/auth/token/refresh", body).status == again
    trader.sandbox.clock.advance(31 * 86_400)
    assert trader.send("POST", "/v1/auth/token/refresh", body).status == 401, "expired is expired"


def test_no_refresh_token_gives_none(new_trader):
    trader = new_trader(no_refresh_token=True)
    tokens = trader.send("POST", "/v1/auth/api-key/token", trader.mint_body()).json()
    assert set(tokens) == {"access_token", "expires_in", "token_type"}
    assert trader.call("GET", "/orders")[0] == 200


# --- revisions --------------------------------------------------------------------------------------------------------


def test_june_has_no_single_read_and_none_of_the_newer_endpoints(new_trader, trader):
    for path in ("/portfolio", "/transactions"):
        assert trader.call("GET", path)[0] == 200
    trader = new_trader(revision="june")
    order_id = trader.placed(price="60000.0")
    response = trader.send("GET", f"/v1/conductor/orders/{order_id}")
    assert (response.status, response.headers["allow"]) == (405, "DELETE")
    for path in ("/portfolio", "/transactions"):
        assert trader.call("GET", path)[0] == 404
    assert trader.call("DELETE", f"/orders/{order_id}")[0] == 202


def test_june_has_none_of_the_newer_fields(new_trader, trader):
    june = new_trader(revision="june")
    for one in (june, trader):
        one.placed(price="60000.0")
        one.settle()
    for path, newer in (
        ("/orders", NEWER),
        ("/balances/unified", {"asset_id", "venue"}),
        ("/assets", {"status", "type", "asset_class"}),
    ):
        old, new = (one.call("GET", path)[1]["data"][0] for one in (june, trader))
        assert set(new) - set(old) == newer
        assert set(old) < set(new)


def test_june_does_not_know_an_order_by_asset_id(new_trader, trader):
    june = new_trader(revision="june")
    asset_id = next(row["asset_id"] for row in trader.call("GET", "/balances")[1]["data"] if row["symbol"] == "SOL")
    body = {"asset_id": asset_id, "chain": "solana", **SOL_ORDER}
    status, answer = trader.call("POST", "/orders", body)
    assert (status, answer["status"], len(answer["payloads"])) == (201, "initialized", 1)
    without_chain = {name: value for name, value in body.items() if name != "chain"}
    assert trader.call("POST", "/orders", without_chain)[1]["status"] == "initialized", "the id says which chain"
    status, answer = june.call("POST", "/orders", body)
    assert (status, answer["message"]) == (400, "missing required fields: base_asset, quote_asset")


# --- balances and budget ----------------------------------------------------------------------------------------------


def test_documented_balances_have_their_own_shape_on_their_own_path(new_trader, trader):
    assert trader.call("GET", "/balances") == trader.call("GET", "/balances/unified")
    documented = new_trader(documented_balances=True)
    body = documented.call("GET", "/balances")[1]
    assert set(body) == {"balances"}
    unified = documented.call("GET", "/balances/unified")[1]["data"]
    assert [row["balance"] for row in body["balances"]] == [row["total"] for row in unified]
    assert {frozenset(row) for row in body["balances"]} == {frozenset({"asset_name", "asset_id", "balance"})}
    assert {row["asset_id"] for row in body["balances"]} == {row["asset_id"] for row in unified}
    assert Decimal(body["balances"][0]["balance"]) == Decimal("0.5")


def refused(trader):
    """The headers of one request too many."""
    while (response := trader.send("GET", "/v1/conductor/orders")).status == 200:
        pass
    assert response.status == 429
    return response.headers


def test_the_reset_is_an_epoch_second_or_the_seconds_until_then(new_trader):
    headers = refused(new_trader(rate_limit=5))
    assert headers["x-ratelimit-reset"] == "1790000060"
    assert "retry-after" not in headers
    trader = new_trader(rate_limit=5, reset_header="delta", retry_after=True)
    first = trader.send("GET", "/v1/conductor/orders").headers
    assert (first["x-ratelimit-remaining"], first["x-ratelimit-reset"]) == ("3", "60")
    assert "retry-after" not in first
    trader.sandbox.clock.advance(20.5)
    headers = refused(trader)
    assert (headers["x-ratelimit-reset"], headers["retry-after"]) == ("40", "40")
    trader.sandbox.clock.advance(40)
    assert trader.call("GET", "/orders")[0] == 200, "and it keeps its word"


def test_a_rate_limited_fault_writes_its_headers_in_the_same_way(new_trader):
    trader = new_trader(reset_header="delta", retry_after=True)
    trader.admin("POST", "/faults", {"kind": "rate_limited", "delay_seconds": 7})
    headers = trader.send("GET", "/v1/conductor/orders").headers
    assert (headers["x-ratelimit-remaining"], headers["x-ratelimit-reset"], headers["retry-after"]) == ("0", "7", "7")


def test_all_switches_at_once_still_make_an_exchange(new_trader):
    turned = {
        switch.name: switch.choices[-1] if switch.choices else True
        for switch in SWITCHES
        if switch.choices or switch.kind is bool
    }
    trader = new_trader(**{**turned, "no_refresh_token": False, "strict_units": False}, cancel_race=0.5)
    in_all_states(trader)
    assert trader.call("GET", "/orders")[0] == 200
    assert trader.send("POST", "/v1/auth/token/refresh", {"refresh_token": trader.refresh_token}).status == 200
    assert trader.ledger()["balanced"]
    assert json.dumps(trader.call("GET", "/balances")[1])
