"""Settings: each unknown has one, with a default, and each is read once and checked."""

from __future__ import annotations

from dataclasses import fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import get_type_hints

import pytest

from tradehook import registry
from tradehook.errors import ConfigurationError
from tradehook.exchanges.fintrusted import SPEC
from tradehook.exchanges.fintrusted import dialect as reading
from tradehook.exchanges.fintrusted.dialect import Dialect, SymbolRules
from tradehook.exchanges.fintrusted.options import ALLOW_LIVE
from tradehook.settings import Settings
from tradehook.testing import MemoryLine

CANARIES = {"token": "canary-token-1", "password": "canary-pass-1", "secret": "canary-secret-1"}


def opened(**settings):
    line = MemoryLine(lambda _: SimpleNamespace(), clock=SimpleNamespace(now=lambda: 0.0))
    return registry.open_exchange(Settings(exchange="fintrusted", **settings), line=line)


def test_each_option_is_a_field_and_its_default_is_read_to_the_fields_own():
    options = {option.name: option for option in SPEC.options}
    assert set(options) == {field.name for field in fields(Dialect)}
    told = {name: option.default for name, option in options.items() if option.default}
    assert Dialect.parse(told, is_sandbox=False) == Dialect()
    for option in options.values():
        assert option.says.strip()[-1] in '."'
        assert not option.choices or option.default in (*option.choices, "")
    assert {name for name, option in options.items() if option.is_secret} == {"token", "password", "secret"}


@pytest.mark.parametrize("option", [option for option in SPEC.options if option.choices], ids=lambda each: each.name)
def test_choices_are_checked(option):
    more = {"hmac_key": "k", "secret": "s"} if option.name == "hmac_style" else {}
    for choice in option.choices:
        Dialect.parse({option.name: choice.upper(), **more})
    with pytest.raises(ConfigurationError, match=f"{option.name.upper()}.*it can be"):
        Dialect.parse({option.name: "nonsense"})


def test_an_unknown_setting_is_refused_with_the_likeliest():
    with pytest.raises(ConfigurationError, match="Did you mean TRADEHOOK_FINTRUSTED_CANCEL_ID_PARAM"):
        Dialect.parse({"cancel_id_parm": "id"})
    with pytest.raises(ConfigurationError, match="There is "):
        Dialect.parse({"zzzz": "id"})


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("type_codes", "limit=1, market=0", {"limit": "1", "market": "0"}),
        ("direction_codes", "SELL=2,buy=1", {"sell": "2", "buy": "1"}),
        ("success_codes", "0, 200,ok", frozenset({"0", "200", "ok"})),
        ("server_tz", "UTC", timedelta(0)),
        ("server_tz", "UTC-3:30", -timedelta(hours=3, minutes=30)),
        ("market_price_param", "-", None),
        ("numeric_status", "TRUE", True),
        ("status_base", "1", 1),
        ("requests_per_minute", "1200", 1200),
        ("token", "Bearer abc.def", "abc.def"),
        ("login_path", "/uc/login", "/uc/login"),
        (
            "symbol_rules",
            "BTC/USDT price=0.01 amount=0.00001 minimum=5; eth/usdt price=0.100",
            {
                "BTC/USDT": SymbolRules(Decimal("0.01"), Decimal("0.00001"), Decimal(5)),
                "ETH/USDT": SymbolRules(price=Decimal("0.1")),
            },
        ),
    ],
)
def test_values_are_read(name, text, value):
    found = getattr(Dialect.parse({name: text}), name)
    assert (found.utcoffset(None) if name == "server_tz" else found) == value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("type_codes", "limit=0,market=0"),
        ("type_codes", "limit=0"),
        ("type_codes", "limit=0,market=1,stop=2"),
        ("direction_codes", "up=0,down=1"),
        ("success_codes", "0,,200"),
        ("server_tz", "Berlin"),
        ("server_tz", "UTC+25"),
        ("market_price_param", "74000"),
        ("requests_per_minute", "5000"),
        ("requests_per_minute", "x"),
        ("token", "two words"),
        ("password", "a\nb"),
        ("auth_header", "a:b"),
        ("auth_header", "a\r\nx"),
        ("login_path", "https://elsewhere.example/"),
        ("login_field", "a=b&c"),
        ("stream_url", "ws://user@host"),
        ("symbol_rules", "BTC/USDT"),
        ("symbol_rules", "BTC/USDT price=0"),
        ("symbol_rules", "BTC/USDT step=1"),
        ("symbol_rules", "BTC price=1"),
    ],
)
def test_what_cannot_be_is_refused_by_its_name(name, text):
    with pytest.raises(ConfigurationError, match=name.upper()):
        Dialect.parse({name: text})


def test_what_belongs_together_is_asked_for_together():
    with pytest.raises(ConfigurationError, match="HMAC_KEY"):
        Dialect.parse({"hmac_style": "binance", "hmac_key": "k"})
    with pytest.raises(ConfigurationError, match="EMAIL"):
        Dialect.parse({"password": "x"})


def test_a_market_buys_unit_is_only_guessed_in_the_sandbox():
    assert Dialect.parse({}, is_sandbox=True).market_buy_unit == "quote"
    assert Dialect.parse({}, is_sandbox=False).market_buy_unit == "forbid"
    assert Dialect.parse({"market_buy_unit": "base"}, is_sandbox=False).market_buy_unit == "base"


def test_nothing_secret_shows():
    dialect = Dialect.parse({**CANARIES, "email": "canary@example.com"})
    assert "canary" not in repr(dialect)
    assert "canary" not in str(dialect)
    assert "canary" not in dialect.hide("canary-token-1 canary-pass-1 canary-secret-1 canary@example.com")
    for name in ("token", "secret"):
        with pytest.raises(ConfigurationError) as caught:
            Dialect.parse({name: "canary bad\n"})
        assert "canary" not in str(caught.value)


# --- opening ----------------------------------------------------------------------------------------------------------


def test_the_sandbox_needs_no_configuration_at_all():
    exchange = opened()
    assert (exchange.host, exchange.environment, exchange.is_live) == ("127.0.0.1:8787", "sandbox", False)
    assert exchange.dialect.email == "demo@example.com"


def test_who_is_named_is_not_the_demo():
    assert opened(options={"token": "abcdefgh"}).dialect.email == ""
    with pytest.raises(ConfigurationError, match="nothing to log in"):
        opened(options={"email": "me@example.com"})
    assert opened(options={"email": "me@example.com"}, needs_key=False).prices is not None


@pytest.mark.parametrize(
    "where",
    [
        {"environment": "live"},
        {"environment": "sandbox", "url": "https://fintrusted.com"},
        {"environment": "sandbox", "url": "https://api.FinTrusted.com."},
        {"environment": "uat", "url": "https://fintrusted.com"},
    ],
)
def test_live_is_opened_only_for_whoever_writes_the_sentence_out(where):
    for sentence in ("", "true", "yes", ALLOW_LIVE[:-1]):
        with pytest.raises(ConfigurationError, match="No live FinTrusted account is opened"):
            opened(**where, options={"token": "canary-token", "allow_live": sentence})
    exchange = opened(**where, options={"token": "canary-token", "allow_live": ALLOW_LIVE})
    assert exchange.is_live
    assert exchange.dialect.market_buy_unit == "forbid"
    with pytest.raises(ConfigurationError, match="nothing to log in"):
        opened(**where, options={"allow_live": ALLOW_LIVE})


def test_live_is_never_reached_in_clear_text():
    for url in ("http://fintrusted.com", "http://example.com"):
        with pytest.raises(ConfigurationError, match="https only"):
            opened(environment="live", url=url, options={"token": "canary-token", "allow_live": ALLOW_LIVE})


def test_one_login_has_one_budget_and_its_name_gives_nothing_away():
    first, again, other = (opened(options={"token": token}) for token in ("canary-1", "canary-1", "canary-2"))
    assert first.session.budget is again.session.budget
    assert first.session.budget is not other.session.budget
    assert "canary" not in first.session.budget.scope
    assert first.session.budget.scope.startswith("http://127.0.0.1:8787 ")


def test_the_types_of_the_readers_are_those_of_the_fields():
    hints = get_type_hints(Dialect, vars(reading) | {"Mapping": dict})
    assert set(hints) == {field.name for field in fields(Dialect)}


def test_the_settings_page_has_a_row_for_each_option_and_the_sentence_is_where_the_refusal_says():
    docs = Path(__file__).parents[3] / "docs" / "reference"
    page = (docs / "settings.md").read_text()
    for option in SPEC.options:
        default = f"`{option.default}`" if option.default else ""
        choices = ", ".join(f"`{choice}`" for choice in option.choices)
        assert f"| `TRADEHOOK_FINTRUSTED_{option.name.upper()}` | {default} | {choices} | {option.says} |" in page
    assert f"`{ALLOW_LIVE}`" in (docs / "fintrusted.md").read_text()
