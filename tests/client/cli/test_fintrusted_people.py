"""FinTrusted as its user meets it: the doctor, the place test, going live. Typed against a sandbox of its own process."""

from __future__ import annotations

import json
import time

import httpx
import pytest

from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.exchanges.fintrusted.options import ALLOW_LIVE

ORDER = ("order", "place", "buy", "BTC", "--yes", "--json")
LOGIN = {"TRADEHOOK_FINTRUSTED_EMAIL": "demo@example.com", "TRADEHOOK_FINTRUSTED_PASSWORD": "demo"}
LIVE = {**LOGIN, "TRADEHOOK_ENVIRONMENT": "live", "TRADEHOOK_FINTRUSTED_ALLOW_LIVE": ALLOW_LIVE}


def at(server) -> dict[str, str]:
    """What leads to FinTrusted there."""
    return {"TRADEHOOK_EXCHANGE": "fintrusted", "TRADEHOOK_FINTRUSTED_URL": server.url}


@pytest.fixture
def fintrusted(command, sandbox_server, monkeypatch):
    """The same commands, at FinTrusted."""
    for name, value in at(sandbox_server).items():
        monkeypatch.setenv(name, value)
    return command


def checks(command, *more: str) -> tuple[int, dict[str, dict[str, str]]]:
    code, out, _ = command("doctor", *more, "--json")
    return code, {check["check"]: check for check in json.loads(out)["checks"]}


def held(server, symbol: str = "USDT") -> float:
    """What the demo's wallet holds for orders, asked from the exchange itself."""
    with httpx.Client(base_url=server.url, trust_env=False) as http:
        answer = http.post("/uc/v2/login", data={"email": "demo@example.com", "password": "demo"}).json()
        rows = http.get("/uc/asset/spot-wallets", headers={"Authorization": answer["data"]["Authorization"]}).json()
    return next(float(row["frozenBalance"]) for row in rows["data"] if row["coin"]["unit"] == symbol)


def orders(server) -> list[dict[str, str]]:
    """FinTrusted's spot orders, newest first; the books must balance."""
    assert server.admin("GET", "ledger")["balanced"] is True
    return server.admin("GET", "fintrusted/orders")["data"]


# --- the doctor ---------------------------------------------------------------------------------------------------


def test_the_doctor_says_who_logs_in_what_is_unverified_and_what_nobody_decided(fintrusted):
    code, found = checks(fintrusted)
    assert (code, "key" in found) == (0, False)
    assert {check["result"] for check in found.values()} == {"ok", "note"}
    assert [name for name, check in found.items() if check["result"] == "note"] == [
        "exchange",
        "unknowns",
        "open orders",
    ]
    assert "demo@example.com" in found["login"]["message"]
    assert "unverified" in found["exchange"]["message"]
    for words in ("ALLOW_LIVE", "tradehook go-live"):
        assert words in found["exchange"]["message"]
    for words in ("TYPE_CODES (limit=0,market=1)", "MARKET_BUY_UNIT (not set)", "FUTURES_PROFILE (none)"):
        assert words in found["unknowns"]["message"]
    for words in ("no way to ask how an order stands", "never says filled", "Not proved whether a limit order rests"):
        assert words in found["open orders"]["message"]


def test_what_was_decided_is_not_named(fintrusted, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_FUTURES_PROFILE", "seed_like")
    assert "FUTURES" not in checks(fintrusted)[1]["unknowns"]["message"]
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_TYPE_CODES", "limit=0,market=1")
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_MARKET_BUY_UNIT", "base")
    assert "unknowns" not in checks(fintrusted)[1]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (LOGIN, "demo@example.com logs in with a password"),
        ({"TRADEHOOK_FINTRUSTED_TOKEN": "canary-token-1234"}, "a token from the settings"),
        (
            {
                "TRADEHOOK_FINTRUSTED_HMAC_STYLE": "binance",
                "TRADEHOOK_FINTRUSTED_HMAC_KEY": "canary-key-1234",
                "TRADEHOOK_FINTRUSTED_SECRET": "canary-secret-1234",
            },
            "signed with the API key",
        ),
    ],
)
def test_who_logs_in_is_said_and_never_with_what_secret(fintrusted, monkeypatch, options, says):
    for name, value in options.items():
        monkeypatch.setenv(name, value)
    for flags in ((), ("--json",)):
        _, out, error = fintrusted("doctor", *flags)
        assert says in out
        assert "canary" not in out + error


def test_where_there_are_no_key_files_none_are_made_or_shown(fintrusted, tmp_path):
    for words in (("new",), ("finish", "11111111-2222-4333-8444-555555555555"), ("import", "none.json")):
        code, out, error = fintrusted("keys", *words, "--key-file", str(tmp_path / "mine.json"))
        assert (code, out) == (2, "")
        assert "knows no key files" in error
    assert not list(tmp_path.glob("mine*"))
    code, out, _ = fintrusted("accounts", "--json")
    assert (code, json.loads(out)["key_file"]) == (0, "")
    assert "its settings" in fintrusted("accounts")[1]


# --- the place test -----------------------------------------------------------------------------------------------


def test_the_place_test_sees_in_the_wallet_that_an_order_rests_and_leaves_nothing_behind(
    fintrusted, start_sandbox, monkeypatch
):
    server = start_sandbox("--rate-limit", "0")
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_URL", server.url)
    code, found = checks(fintrusted, "--place-test")
    assert (code, found["open orders"]["result"]) == (0, "ok")
    assert "a limit order rests" in found["open orders"]["message"]
    assert held(server) == 0
    assert [(order["direction"], order["status"]) for order in orders(server)] == [("buy", "CANCELED")]
    assert "A limit order rests; seen" in checks(fintrusted)[1]["open orders"]["message"]


def test_reversed_codes_are_found_out_for_next_to_nothing(fintrusted, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0", "--fintrusted-family-enums")
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_URL", server.url)
    code, found = checks(fintrusted, "--place-test")
    assert (code == 0, found["open orders"]["result"]) == (False, "wrong")
    assert "means market orders" in found["open orders"]["message"]
    assert held(server) == 0
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_TYPE_CODES", "limit=1,market=0")
    code, found = checks(fintrusted, "--place-test")
    assert (code, found["open orders"]["result"]) == (0, "ok")


def test_an_order_that_nothing_is_held_for_is_told_and_canceled(fintrusted, start_sandbox, monkeypatch):
    server = start_sandbox("--rate-limit", "0")
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_URL", server.url)
    monkeypatch.setattr("tradehook.cli.place_test._LISTED_WITHIN_SECONDS", 1)
    # The wallet goes on showing what it was before, as one would that holds nothing.
    server.fault("stale_list", method="GET", path="/uc/asset/spot-wallets", times=None, delay_seconds=30)
    code, found = checks(fintrusted, "--place-test")
    assert (code == 0, found["open orders"]["result"]) == (False, "wrong")
    for words in ("does not hold 15.", "means market orders", "canceled now"):
        assert words in found["open orders"]["message"]
    server.clear_faults()
    for _ in range(100):  # a cancel takes a moment
        if [order["status"] for order in orders(server)] == ["CANCELED"]:
            break
        time.sleep(0.1)
    assert [order["status"] for order in orders(server)] == ["CANCELED"]
    assert "did NOT rest" in checks(fintrusted)[1]["open orders"]["message"]


def test_an_order_is_shown_as_the_wallet_shows_it_now(fintrusted):
    _, out, error = fintrusted("order", "place", "buy", "ETH", "0.01", "--limit", "1000", "--yes", "--json")
    order_id = json.loads(out)["order_id"]
    assert fintrusted("order", "cancel", order_id)[0] == 0, error
    for _ in range(100):  # a cancel takes a moment
        status = json.loads(fintrusted("order", "show", order_id[:20], "--json")[1])["status"]
        if status == "canceled":
            break
        time.sleep(0.1)
    assert status == "canceled"


# --- going live ---------------------------------------------------------------------------------------------------


@pytest.fixture
def live(fintrusted, sandbox_server, tmp_path, monkeypatch, person):
    """The sandbox called live, and what a process needs for that."""
    more = {**at(sandbox_server), **LIVE, "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db"}
    for name, value in more.items():
        monkeypatch.setenv(name, value)

    def sits_down(**changed: str):
        return person("go-live", environment={**more, **changed})

    return fintrusted, sits_down


def goes_live(sits_down, *, order: str = "", assets: str = ""):
    operator = sits_down()
    operator.answers("One order at most [50]:", order)
    operator.answers("All orders of a day at most [200]:", "")
    operator.answers("Assets that may be traded", assets)
    operator.answers("Type the account's name (main)", "main")
    return operator


@pytest.mark.parametrize("sentence", ["", "yes", ALLOW_LIVE[:-1]])
def test_without_the_sentence_there_is_no_first_step(live, sentence):
    command, sits_down = live
    operator = sits_down(TRADEHOOK_FINTRUSTED_ALLOW_LIVE=sentence)
    assert operator.ends() == 2
    assert "No live FinTrusted account is opened" in " ".join(operator.shown.split())
    assert json.loads(command("limits", "show", "--json")[1])["limits"] is None


@pytest.mark.parametrize("url", ["http://localhost:1", "http://10.0.0.1:8787", "http://127.0.0.1.example.com"])
def test_live_over_http_is_this_machine_alone_and_by_number(live, monkeypatch, url):
    command, _ = live
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_URL", url)
    code, _, error = command("balances")
    assert (code, "https only" in error) == (2, True)


def test_it_reads_first_and_sends_within_the_limits_after_both_steps(live, sandbox_server, monkeypatch):
    command, sits_down = live
    before = len(orders(sandbox_server))
    assert command("balances")[0] == 0
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_CONFIRM_ENUM_MAPPING", "true")
    far = ("--limit", "30000")
    code, out, _ = command(*ORDER[:4], "0.001", *far, *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "live")
    operator = goes_live(sits_down)
    assert operator.ends() == 0, operator.shown
    shown = " ".join(operator.shown.split())
    for words in ("real money", "FinTrusted is unverified", "logs in with a password", "USDT", "main is live",
                  "docs/reference/fintrusted.md", "a limit order rests"):  # fmt: skip
        assert words in shown, words
    assert "One transfer" not in shown
    limits = json.loads(command("limits", "show", "--json")[1])["limits"]
    assert (limits["live"], limits["order"], limits["transfer"]) == (True, "50", None)
    code, out, _ = command(*ORDER[:4], "0.002", *far, *ORDER[4:])
    assert (code, json.loads(out)["rule"], json.loads(out)["limit"]) == (3, "order", "50")
    assert len(orders(sandbox_server)) == before
    code, out, error = command(*ORDER[:4], "0.001", *far, *ORDER[4:])
    assert code == 0, error + out
    code, out, _ = command("order", "cancel", json.loads(out)["order_id"], "--json")
    assert code == 0
    assert len(orders(sandbox_server)) == before + 1


def test_only_the_chosen_assets_trade_and_market_buys_stay_forbidden(live, monkeypatch):
    command, sits_down = live
    assert goes_live(sits_down, assets="eth").ends() == 0
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_CONFIRM_ENUM_MAPPING", "true")
    assert [json.loads(line)["symbol"] for line in command("assets", "list", "--json")[1].splitlines()] == [
        "ETH",
        "USDT",
    ]
    code, out, _ = command(*ORDER[:4], "0.001", "--limit", "30000", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "asset")
    code, out, error = command("order", "place", "buy", "ETH", "$20", "--yes", "--json")
    assert (code, "MARKET_BUY_UNIT" in out + error) == (2, True)


def test_before_the_codes_are_confirmed_the_place_test_alone_passes(live, sandbox_server, monkeypatch, tmp_path):
    command, sits_down = live
    assert goes_live(sits_down).ends() == 0
    before = len(orders(sandbox_server))
    assert checks(command, "--place-test")[1]["open orders"]["result"] == "off"
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_CONFIRM_ENUM_MAPPING", "test")
    code, out, _ = command("order", "place", "sell", "BTC", "0.0005", "--limit", "90000", "--yes", "--json")
    assert (code, json.loads(out)["rule"]) == (3, "enum_mapping")
    assert len(orders(sandbox_server)) == before
    code, found = checks(command, "--place-test")
    assert (code, found["open orders"]["result"]) == (0, "ok"), found
    assert len(orders(sandbox_server)) == before + 1
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        assert [intent.is_final for intent in journal.list(states=[State.ACCEPTED])] == [True]


def test_it_is_undone_without_a_question(live, monkeypatch):
    command, sits_down = live
    assert goes_live(sits_down).ends() == 0
    assert command("go-live", "--undo")[0] == 0
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_CONFIRM_ENUM_MAPPING", "true")
    code, out, _ = command(*ORDER[:4], "0.001", "--limit", "30000", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "live")
