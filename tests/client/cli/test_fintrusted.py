"""The command line at FinTrusted: the same commands, and a sentence for what cannot be done there."""

from __future__ import annotations

import json

import pytest

from tradehook.exchanges.fintrusted import SPEC


@pytest.fixture
def tradehook(command, sandbox_server, monkeypatch):
    """A command about FinTrusted's demo account."""
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_URL", sandbox_server.url)
    return lambda *arguments: command("--exchange", "fintrusted", *arguments)


def rows(out: str) -> list[dict]:
    return [json.loads(line) for line in out.splitlines()]


def test_looking(tradehook):
    code, out, _ = tradehook("balances", "--json")
    assert code == 0
    assert {"USDT", "BTC"} <= {row["symbol"] for row in rows(out)}
    code, out, _ = tradehook("price", "BTC", "ETH", "--json")
    assert (code, [row["symbol"] for row in rows(out)]) == (0, ["BTC", "ETH"])
    code, out, _ = tradehook("assets", "--json")
    assert (code, [row["symbol"] for row in rows(out)]) == (0, ["BTC", "ETH", "USDT"])
    code, out, _ = tradehook("quote", "BTC", "$250", "--json")
    assert (code, [row["side"] for row in rows(out)]) == (0, ["buy", "sell"])


def test_a_quote_in_a_unit_that_no_buy_can_have_is_of_the_sale_alone(tradehook):
    code, out, error = tradehook("quote", "BTC", "0.05", "--json")
    assert (code, [row["side"] for row in rows(out)]) == (0, ["sell"])
    assert "sized in what is spent" in error
    code, _, error = tradehook("quote", "BTC", "0.05", "--side", "buy")
    assert code == 2
    assert "sized in what is spent" in error


def test_an_order_from_placing_to_canceling(tradehook):
    code, out, _ = tradehook("order", "place", "buy", "BTC", "0.001", "--limit", "40000", "--yes", "--json")
    placed = json.loads(out)
    assert (code, placed["status"], placed["base"], placed["quote"]) == (0, "accepted", "BTC", "USDT")
    identity = placed["order_id"]
    code, out, _ = tradehook("orders")
    assert code == 0
    assert identity in out  # ids that begin with the time are shown whole, or nobody could name one
    assert tradehook("order", "show", identity)[0] == 0
    assert tradehook("order", "cancel", identity)[0] == 0


def test_a_market_order_is_waited_for_by_the_wallet(tradehook):
    code, out, _ = tradehook("order", "place", "sell", "BTC", "0.001", "--yes", "--wait", "--json")
    done = json.loads(out)
    assert (code, done["status"]) == (0, "probably_filled")
    assert "BTC -0.001" in done["evidence"]
    code, _, error = tradehook("order", "place", "buy", "BTC", "0.001", "--yes")
    assert code == 2
    assert "Try: '$" in error
    code, _, error = tradehook("order", "place", "sell", "BTC", "0.001", "--chain", "base", "--yes")
    assert code == 2
    assert "trades on no chain" in error


@pytest.mark.parametrize("ability", ["transfers", "portfolio", "transactions"])
def test_what_cannot_be_done_is_said(tradehook, ability):
    code, _, error = tradehook(ability)
    assert code == 2
    assert SPEC.capabilities.cannot[ability] in " ".join(error.split())


def test_settings_that_cannot_be_are_told_by_their_name(tradehook, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_PASWORD", "canary-pass")
    code, out, error = tradehook("balances")
    assert code != 0
    assert "Did you mean TRADEHOOK_FINTRUSTED_PASSWORD?" in " ".join(error.split())
    assert "canary" not in out + error


def test_a_live_account_is_not_opened_by_its_name_alone(tradehook, monkeypatch):
    monkeypatch.delenv("TRADEHOOK_FINTRUSTED_URL")
    for arguments in (("balances",), ("price", "BTC"), ("order", "place", "sell", "BTC", "0.001", "--yes")):
        code, _, error = tradehook("--environment", "live", *arguments)
        assert code != 0
        assert "No live FinTrusted account is opened" in " ".join(error.split())


def test_what_is_secret_stays_out_of_the_log(tradehook, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_EMAIL", "demo@example.com")
    monkeypatch.setenv("TRADEHOOK_FINTRUSTED_PASSWORD", "canary-password")
    code, out, error = tradehook("--debug", "balances")
    assert code != 0
    assert "/uc/v2/login" in error
    assert "canary" not in out + error


def test_doctor_tells_who_logs_in(tradehook):
    code, out, _ = tradehook("doctor", "--json")
    (login,) = [check for check in json.loads(out)["checks"] if check["check"] == "login"]
    assert (code, login["result"]) == (0, "ok")
    assert "demo@example.com" in login["message"]
