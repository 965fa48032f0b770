"""Whatever FinTrusted answers, an operation ends: with a result that can be shown, or with one of our errors.

As in `test_bad_answers.py`; the good answers come from the sandbox, in every envelope and shape that it can write.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from tests.client.fuzz.test_bad_answers import MOST_WAITS, Clock, sent, show, some

from tradehook.errors import ResponseError, TradehookError
from tradehook.exchanges.fintrusted import FinTrusted, envelope
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.models import NewOrder, Side, Unit
from tradehook.render import error_line
from tradehook.retry import Verdict, verdict
from tradehook.run import run
from tradehook.testing import MemoryLine
from tradehook.wire import Response

DIALECT = Dialect.parse({"email": "demo@example.com", "password": "demo", "symbol_rules": "BTC/USDT price=0.01"})
RULES: list[dict[str, Any]] = [
    {},
    {"envelope": "ruoyi", "numbers": "string", "wallets": "map", "sparklines": "pairs", "convert": "number"},
    {"bare_market": True, "numbers": "java", "home": "map", "sparklines": "trend", "add_response": "order"},
    {"home": "groups", "coin": "list", "wallets": "object", "convert": "string", "add_response": "object"},
]
DAY = timedelta(days=1)
OPERATIONS = {
    "account_id": lambda it: it.account_id(),
    "issued_by_sandbox": lambda it: it.issued_by_sandbox(),
    "user info": lambda it: it.user_info(),
    "referral": lambda it: it.referral_count(),
    "balances": lambda it: it.balances(),
    "assets": lambda it: some(it.list_assets()),
    "quote": lambda it: it.get_quote("BTC", quote="USDT", side=Side.BUY, quantity=Decimal("0.01"), unit=Unit.BASE),
    "size": lambda it: it.size_order(NewOrder.of("BTC/USDT", side="buy", amount="$50")),
    "size a share": lambda it: it.size_order(NewOrder.of("BTC/USDT", side="sell", amount="50%")),
    "ticker": lambda it: it.prices.ticker("BTC"),
    "tickers": lambda it: it.prices.thumbs(),
    "conversion": lambda it: it.prices.convert("BTC", "USDT"),
    "history": lambda it: it.prices.history("BTC"),
    "histories": lambda it: it.prices.histories(["BTC", "ETH"], window="2h"),
    "range": lambda it: it.prices.price_range("BTC"),
    "price at": lambda it: it.prices.price_at("BTC", datetime.fromtimestamp(it.session.server_now(), UTC) - DAY / 24),
    "place": lambda it: place(it, NewOrder.of("BTC/USDT", side="sell", amount="0.001")),
    "place a limit": lambda it: place(it, NewOrder.of("BTC/USDT", side="buy", amount="0.001", price=Decimal(40000))),
    "cancel": lambda it: sent(it, it.cancel_order("E17")),
}


async def place(exchange: FinTrusted, order: NewOrder) -> Any:
    return await sent(exchange, exchange.new_order(await exchange.size_order(order)))


def exchange_of(respond, at: float) -> FinTrusted:
    line = MemoryLine(
        lambda request: SimpleNamespace(response=respond(request), delay_seconds=0.01, is_cut=False),
        clock=Clock(at),
        stop_at=MOST_WAITS,
    )
    return FinTrusted(line, dialect=DIALECT, base_url="http://127.0.0.1:8787")


@pytest.fixture(scope="module")
def known() -> dict[str, list[tuple[float, dict[str, Response]]]]:
    """For each operation, what the sandbox answers to its requests under each of the rules."""
    from tradehook_sandbox import Sandbox

    found: dict[str, list[tuple[float, dict[str, Response]]]] = {}
    for rules in RULES:
        sandbox = Sandbox(**{f"fintrusted_{name}": value for name, value in rules.items()})
        for name, operation in OPERATIONS.items():
            kept: dict[str, Response] = {}

            def respond(request, kept=kept, sandbox=sandbox):
                answer = sandbox.respond(request)
                response = answer.response
                if request.path.endswith("/cancel"):  # there is no such order; this is what it says when there is
                    response = Response(200, response.headers, b'{"code":0,"message":"success","data":null}')
                kept[request.path] = response
                return SimpleNamespace(response=response, delay_seconds=0.01, is_cut=False)

            line = MemoryLine(respond, clock=sandbox.clock)
            run(operation(FinTrusted(line, dialect=DIALECT, base_url="http://127.0.0.1:8787")))
            found.setdefault(name, []).append((sandbox.clock.now(), kept))
    return found


def test_the_control_good_answers_are_taken(known):
    for name, operation in OPERATIONS.items():
        for at, kept in known[name]:
            show(run(operation(exchange_of(lambda request, kept=kept: kept[request.path], at))))


@pytest.mark.parametrize("name", OPERATIONS)
def test_bad_answers(fuzz, times, known, name):
    operation = OPERATIONS[name]
    spoilt = [0]

    def attempt(chance):
        at, kept = chance.choice(known[name])
        share = chance.choice((0.3, 1.0))
        spoils_tokens = chance.random() < 0.1

        def respond(request):
            good = kept.get(request.path, Response(404, body=b'{"code":404,"message":"not found"}'))
            if (request.path.endswith("/login") and not spoils_tokens) or chance.random() > share:
                return good
            spoilt[0] += 1
            return chance.response(good)

        try:
            show(run(operation(exchange_of(respond, at))))
        except TradehookError as error:
            line = error_line(error)
            line.encode()
            assert re.fullmatch(r"[^\x00-\x1f\x7f\u202e]*", line), line
            raise

    ends = fuzz(300 * times, attempt)
    assert spoilt[0] > 0
    assert ends["fine"] < 300 * times


WORDS = ("success", "SUCCESS", "ok", "", "insufficient coin:USDT", "order state error", "x", "timeout", None, 5, {})
CODES = (0, "0", 200, 500, 1, -1, 4000, "ok", "E17", None, True, [], {}, 10**20, 0.0, 3005)
DATA = ("E17", 17, None, True, False, {}, {"orderId": "E17"}, {"id": 4, "status": "TRADING"}, [], ["E17"], "../x", 0.5)
MISSING = object()


def test_a_yes_is_never_taken_for_a_no_nor_a_no_for_a_yes(fuzz, times, known):
    """Of every envelope that may come: a code that is not known to be a no never lets the order be sent again."""

    def attempt(chance):
        code, data = (chance.choice((*each, MISSING)) for each in (CODES, DATA))
        body = {"code": code, chance.choice(("message", "msg")): chance.choice(WORDS), "data": data}
        if chance.random() < 0.2:
            body["success"] = chance.choice((True, False, None))
        body = {name: value for name, value in body.items() if value is not MISSING}
        response = Response(chance.choice((200, 200, 200, 201, 400, 500)), {}, json.dumps(body).encode())
        told = envelope.code_of(response.json().get("code"))
        is_yes = response.status < 300 and told in DIALECT.success_codes and body.get("success") is not False
        exchange = exchange_of(lambda _: response, 0.0)
        order = NewOrder.of("BTC/USDT", side="sell", amount="0.001", price=Decimal(90000))
        sized = sizes(order)
        try:
            made = exchange.session.understand(response, exchange.new_order(sized).read)
        except TradehookError as error:
            if verdict("single", error) is Verdict.UNKNOWN:
                raise
            assert isinstance(error, ResponseError)
            assert not is_yes, body
            assert response.status < 500
            raise
        assert response.status < 300
        assert is_yes or ("code" not in body or body["code"] is None), body
        assert made.order_id

    ends = fuzz(3_000 * times, attempt)
    assert min(ends["fine"], ends["Rejected"], ends["UnexpectedResponse"], ends["Unavailable"]) > 20


def sizes(order: NewOrder):
    from tradehook.exchanges.fintrusted import sizing

    return sizing.size(order, price=order.price, balances=[], dialect=DIALECT)
