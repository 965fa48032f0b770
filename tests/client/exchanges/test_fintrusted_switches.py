"""The whole of an order against the sandbox, with each unknown the one way and the other: a row is a switch there.

The options beside a row are the settings that a user needs there; where there are none, the client tells by itself.
"""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.errors import (
    GuardRefused,
    InsufficientFunds,
    InvalidInput,
    NotFound,
    RateLimited,
    TradehookError,
    Unauthorized,
)
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.models import NewOrder, Side, Unit
from tradehook.run import run, run_each
from tradehook.testing import MemoryLine
from tradehook_sandbox import Sandbox

DEMO = {"email": "demo@example.com", "password": "demo"}
FAR_AWAY = NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(40000))


def client(sandbox: Sandbox, **options: str) -> FinTrusted:
    given = {} if "token" in options else DEMO
    return FinTrusted(MemoryLine(sandbox.respond, clock=sandbox.clock), dialect=Dialect.parse({**given, **options}))


def send(exchange, write):
    request, _ = run(exchange.session.prepare(write.request))
    return exchange.session.understand(run(exchange.session.send_once(request)), write.read)


def place(exchange, **order):
    return send(exchange, exchange.new_order(run(exchange.size_order(NewOrder.of("BTC/USDT", **order)))))


def held(exchange, symbol) -> tuple[Decimal, Decimal]:
    (row,) = [row for row in run(exchange.balances()) if row.symbol == symbol]
    assert row.total == row.available + row.held
    return row.available, row.held


SWITCHES = [
    ({}, {}),
    ({"envelope": "ruoyi"}, {}),
    ({"bare_market": True}, {}),
    ({"numbers": "string"}, {}),
    ({"numbers": "java"}, {}),
    ({"enums": "ordinal"}, {}),
    ({"page_style": "spring"}, {}),
    ({"page_style": "mybatis"}, {}),
    ({"page_style": "rows"}, {}),
    ({"page_style": "rows", "envelope": "ruoyi", "numbers": "string"}, {}),
    ({"zero_based_pages": True, "page_style": "spring"}, {}),
    ({"null_lists": True}, {}),
    ({"gmt8_strings": True}, {}),
    ({"http_errors": True}, {}),
    ({"messages": "chinese"}, {}),
    ({"login_field": "username"}, {"login_field": "username"}),
    ({"lenient_login": True}, {"login_field": "loginName"}),
    ({"token_place": "token"}, {}),
    ({"token_place": "string"}, {}),
    ({"token_place": "header"}, {}),
    ({"token_header": "x-auth-token"}, {"auth_header": "x-auth-token"}),
    ({"lenient_bearer": True}, {"auth_prefix": "Bearer"}),
    ({"single_session": True}, {}),
    ({"auth_code": 401}, {}),
    ({"home": "groups", "coin": "list", "ticker_names": "short"}, {}),
    ({"home": "map", "unknown_coin": "null", "chg_by_low": True}, {}),
    ({"sparklines": "trend"}, {}),
    ({"sparklines": "pairs"}, {}),
    ({"sparklines": "pairs", "gmt8_strings": True}, {}),
    ({"convert": "rate"}, {}),
    ({"convert": "number"}, {}),
    ({"convert": "string", "zero_rate_on_missing": True}, {}),
    ({"thumb_needs_token": True}, {}),
    ({"wallets": "object"}, {}),
    ({"wallets": "map", "wallet_names": "short"}, {}),
    ({"referral": "object"}, {}),
    ({"family_enums": True}, {"type_codes": "limit=1,market=0"}),
    ({"market_buy_unit": "base"}, {"market_buy_unit": "base"}),
    ({"market_needs_price": True}, {}),
    ({"market_needs_price": False}, {"market_price_param": "-"}),
    ({"market_leftover": "queue"}, {}),
    ({"bare_insufficient": True}, {}),
    ({"bare_insufficient": True, "http_errors": True}, {}),
    ({"add_response": "order"}, {}),
    ({"add_response": "order", "enums": "ordinal"}, {}),
    ({"add_response": "object"}, {}),
    ({"cancel_name": "id"}, {"cancel_id_param": "id"}),
    ({"cancel_name": "order_id"}, {"cancel_id_param": "order_id"}),
    ({"cancel_name": "id"}, {"cancel_fallback": "true"}),
    ({"cancel_name": "path"}, {"cancel_fallback": "path"}),
]


@pytest.mark.parametrize(("switches", "options"), SWITCHES, ids=str)
def test_an_order_from_login_to_cancel(switches, options):
    sandbox = Sandbox(**{f"fintrusted_{name}": value for name, value in switches.items()})
    exchange = client(sandbox, **options)
    assert run(exchange.issued_by_sandbox())
    assert run(exchange.account_id()) == "member-1001"
    assert held(exchange, "USDT") == (100000, 0)
    assert {asset.symbol for asset in run_each(exchange.list_assets())} >= {"BTC", "ETH", "USDT"}
    assert {one.base for one in run(exchange.prices.thumbs())} >= {"BTC", "ETH"}
    price = run(exchange.prices.ticker("BTC")).price
    assert run(exchange.prices.convert("BTC", "USDT")) == price
    assert len(run(exchange.prices.history("BTC")).points) >= 20
    assert run(exchange.referral_count()) is not None
    with pytest.raises(NotFound):
        run(exchange.prices.ticker("NOSUCH"))

    resting = send(exchange, exchange.new_order(run(exchange.size_order(FAR_AWAY))))
    sandbox.clock.advance(5)
    assert held(exchange, "USDT") == (99960, 40)  # it rests, so the order codes are right
    assert resting.evidence is None
    send(exchange, exchange.cancel_order(resting.order_id))
    sandbox.clock.advance(5)
    assert held(exchange, "USDT") == (100000, 0)
    with pytest.raises(TradehookError) as late:
        send(exchange, exchange.cancel_order(resting.order_id))
    assert not late.value.may_have_happened

    by_base = exchange.dialect.market_buy_unit == "base"
    place(exchange, side="buy", amount="0.01" if by_base else "$500")
    place(exchange, side="sell", amount="0.02")
    sandbox.clock.advance(5)
    spent, btc = held(exchange, "USDT")[0], held(exchange, "BTC")[0]
    assert Decimal("0.98") < btc < Decimal("0.99")
    assert spent > 100000
    with pytest.raises(InsufficientFunds):
        place(exchange, side="sell", amount="5")


@pytest.mark.parametrize("code", [4000, 3000, 3011, 3012, 401])
@pytest.mark.parametrize("http_errors", [False, True])
def test_a_session_that_was_ended_is_renewed(code, http_errors):
    sandbox = Sandbox(fintrusted_single_session=True, fintrusted_auth_code=code, fintrusted_http_errors=http_errors)
    first, second = client(sandbox), client(sandbox)
    for _ in range(3):
        for exchange in (first, second):
            assert run(exchange.balances())


def test_the_wrong_settings_are_told_not_guessed_around():
    with pytest.raises(Unauthorized):
        run(client(Sandbox(fintrusted_login_field="username")).balances())
    with pytest.raises(Unauthorized):
        run(client(Sandbox(fintrusted_token_header="x-auth-token")).balances())
    with pytest.raises(Unauthorized):
        run(client(Sandbox(), auth_prefix="Bearer").balances())
    exchange = client(Sandbox(fintrusted_cancel_name="id"))
    order = send(exchange, exchange.new_order(run(exchange.size_order(FAR_AWAY))))
    with pytest.raises(TradehookError) as caught:
        send(exchange, exchange.cancel_order(order.order_id))
    assert not caught.value.may_have_happened


def test_a_captcha_is_said_and_a_token_from_elsewhere_passes_it():
    sandbox = Sandbox(fintrusted_captcha=True)
    with pytest.raises(Unauthorized, match="captcha"):
        run(client(sandbox).balances())
    token = run(client(Sandbox()).session.token()).access
    with pytest.raises(Unauthorized, match="TRADEHOOK_FINTRUSTED_TOKEN"):
        run(client(sandbox, token=token).balances())  # another sandbox's


def test_a_lost_account_of_attempts_is_never_locked_by_us():
    sandbox = Sandbox(fintrusted_lockout_failures=3)
    wrong = client(sandbox, email="demo@example.com", password="wrong")
    for _ in range(10):
        with pytest.raises(Unauthorized):
            run(wrong.balances())
    assert run(client(sandbox).balances())


def test_reversed_codes_are_seen_in_what_is_frozen_and_in_the_answer():
    """What the procedure for a first live order looks for: under reversed codes nothing rests."""
    exchange = client(sandbox := Sandbox(fintrusted_family_enums=True, fintrusted_add_response="order"))
    try:
        order = send(exchange, exchange.new_order(run(exchange.size_order(FAR_AWAY))))
        assert "may be the wrong way round" in order.evidence
    except TradehookError as error:
        assert not error.may_have_happened  # 0.001 USDT is less than the smallest market buy
    sandbox.clock.advance(5)
    assert held(exchange, "USDT")[1] == 0


@pytest.mark.parametrize("style", ["http", "family"])
def test_too_many_requests_are_waited_out(style):
    sandbox = Sandbox(fintrusted_rate_limit=5, fintrusted_rate_limit_style=style)
    exchange = client(sandbox)
    before = sandbox.clock.now()
    try:
        for _ in range(12):
            assert run(exchange.balances())
    except RateLimited:
        pytest.fail("it should have waited")
    assert sandbox.clock.now() > before


def test_an_answer_without_an_id():
    exchange = client(sandbox := Sandbox(fintrusted_add_response="none"))
    order = send(exchange, exchange.new_order(run(exchange.size_order(FAR_AWAY))))
    sandbox.clock.advance(5)
    assert order.order_id.startswith("unnamed-")
    assert held(exchange, "USDT") == (99960, 40)
    with pytest.raises(InvalidInput, match="cannot be canceled"):
        exchange.cancel_order(order.order_id)


def test_json_is_never_sent():
    sandbox = Sandbox()
    line = MemoryLine(sandbox.respond, clock=sandbox.clock)
    exchange = FinTrusted(line, dialect=Dialect.parse(DEMO))
    place(exchange, side="sell", amount="0.001")
    run(exchange.user_info())
    bodies = [request for request in line.sent if request.method == "POST"]
    assert bodies
    assert all(request.headers["content-type"] == "application/x-www-form-urlencoded" for request in bodies)


def test_live_codes_are_refused_before_the_sandbox_hears_of_it():
    sandbox = Sandbox()
    line = MemoryLine(sandbox.respond, clock=sandbox.clock)
    exchange = FinTrusted(line, dialect=Dialect.parse(DEMO, is_sandbox=False), environment="live")
    with pytest.raises(GuardRefused):
        run(exchange.size_order(FAR_AWAY))
    assert not [request for request in line.sent if request.path == "/tx/spot/add"]


def test_quotes_in_both_units():
    exchange = client(Sandbox())
    for side in Side:
        for quantity, unit in ((Decimal("0.01"), Unit.BASE), (Decimal(250), Unit.QUOTE)):
            quote = run(exchange.get_quote("BTC", quote="USDT", side=side, quantity=quantity, unit=unit))
            assert quote.notional > 0
