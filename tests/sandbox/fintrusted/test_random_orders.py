"""Whatever members do in whatever order, nothing is lost, and every wallet is what its orders say.

The sum is done a second time here, in decimals and from the orders alone; restarts, faults, jumps of the clock and
prices, and every switch that touches money are among the steps. Anything may come in; no answer is a crash.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradehook.wire import Request
from tradehook_sandbox import Clock, Sandbox
from tradehook_sandbox.fintrusted.routes import ROUTES
from tradehook_sandbox.fintrusted.rules import SWITCHES

SIDE = st.sampled_from(["buy", "sell"])
SYMBOL = st.sampled_from(["BTC/USDT", "BTC/USDT", "ETH/USDT"])
AMOUNT = st.sampled_from(["0.00001", "0.0123456789", "0.3", "0.3", "0.9", "7.77777"])
DOLLARS = st.sampled_from(["1", "99.99999999", "5000", "70000"])
PRICE = st.sampled_from(["3400", "3460.01", "66000", "67340.2", "67341.239", "70000"])
STEP = st.one_of(
    st.tuples(st.just("limit"), SIDE, SYMBOL, AMOUNT, PRICE),
    st.tuples(st.just("market"), SIDE, SYMBOL, AMOUNT | DOLLARS),
    st.tuples(st.just("part"), SIDE),
    st.tuples(st.just("cancel"), st.integers(0, 7)),
    st.tuples(st.just("advance"), st.sampled_from([0.1, 0.5, 3, 70, 4_000, -200])),
    st.tuples(st.just("price"), st.sampled_from(["60000", "67340.25", "69999.9", "90000"])),
    st.tuples(st.just("depth"), st.sampled_from([0, 1, 1, 100])),
    st.tuples(st.just("deposit"), st.sampled_from(["500", "-0.00000001", "-70000"])),
    st.tuples(
        st.just("fault"),
        st.sampled_from(["error_after", "timeout_after", "late_accept", "garbled", "error_before", "rate_limited"]),
        st.sampled_from(["/tx/spot/add", "/tx/spot/cancel"]),
    ),
    st.just(("restart",)),
)
MONEY = st.fixed_dictionaries(
    {
        "market_leftover": st.sampled_from(["cancel", "queue"]),
        "market_buy_unit": st.sampled_from(["quote", "base"]),
        "fee_millionths": st.sampled_from([0, 1_000, 99_999]),
        "cancel_race": st.sampled_from([0.0, 0.5, 1.0]),
        "add_seconds": st.sampled_from([0.0, 0.3, 0.3, 5.0]),
        "family_enums": st.booleans(),
    }
)


class Life:
    """Two members and what was paid in."""

    def __init__(self, caller_class, path: Path, switches: dict) -> None:
        self.switches = {f"fintrusted_{name}": value for name, value in switches.items()}
        self.path, self.caller_class = path, caller_class
        self.sandbox = self.open()
        caller_class(self.sandbox).admin(
            "POST", "/fintrusted/members", {"email": "ann@example.com", "password": "other"}
        )
        self.callers = [
            caller_class(self.sandbox).login(),
            caller_class(self.sandbox, email="ann@example.com", password="other").login(),
        ]
        self.paid_in = [{"USDT": Decimal(100_000), "BTC": Decimal(1), "ETH": Decimal(0)} for _ in self.callers]

    def open(self, offset: float = 0) -> Sandbox:
        sandbox = Sandbox(clock=Clock.frozen(), state=self.path, fintrusted_rate_limit=0, **self.switches)
        assert sandbox.clock.offset == offset
        return sandbox

    def step(self, who: int, step: tuple) -> None:
        caller, kind = self.callers[who], step[0]
        if kind in ("limit", "market"):
            self.trade(caller, *step)
            # Most engines are done by then; the slow one is not.
            self.sandbox.clock.advance(0.4)
        elif kind == "part":
            # More than a thin book has.
            caller.depth(1)
            self.trade(caller, "market", step[1], "BTC/USDT", "0.5" if step[1] == "sell" else "35000")
            self.sandbox.clock.advance(0.4)
        elif kind == "cancel":
            if orders := caller.admin("GET", "/fintrusted/orders")["data"]:
                form = {"orderId": orders[step[1] % len(orders)]["order_id"]}
                caller.answer("POST", "/tx/spot/cancel", form)
        elif kind == "advance":
            self.sandbox.clock.advance(step[1])
        elif kind == "price":
            caller.admin("POST", "/prices", {"BTC": step[1]})
        elif kind == "depth":
            caller.depth(step[1])
        elif kind == "deposit":
            self.deposit(who, step[1])
        elif kind == "fault":
            caller.admin("POST", "/faults", {"kind": step[1], "path": step[2]})
        else:
            offset = self.sandbox.clock.offset
            self.sandbox.close()
            self.sandbox = self.open(offset)
            for one in self.callers:
                one.sandbox = self.sandbox

    def trade(self, caller, kind: str, side: str, symbol: str, *numbers: str) -> None:
        amount, price = (*numbers, "0")[:2]
        is_second = (kind == "market") is not self.switches["fintrusted_family_enums"]
        form = {"symbol": symbol, "direction": "01"[side == "sell"], "type": "01"[is_second]}
        caller.answer("POST", "/tx/spot/add", {**form, "amount": amount, "price": price})

    def deposit(self, who: int, amount: str) -> None:
        caller = self.callers[who]
        body = json.dumps({"email": caller.email, "coin": "USDT", "add": amount}).encode()
        request = Request("POST", "http://x/_sandbox/fintrusted/deposit", body=body)
        if self.sandbox.respond(request).response.status == 200:
            self.paid_in[who]["USDT"] += Decimal(amount)

    def check(self) -> None:
        assert not any(self.sandbox.exchange.house.ledger.audit().values())
        caller = self.callers[0]
        assert caller.is_balanced()
        for number, paid_in in enumerate(self.paid_in):
            expected = dict(paid_in)
            frozen = dict.fromkeys(paid_in, Decimal(0))
            for order in self.sandbox.fintrusted.spot.orders:
                if order.member_id == 1001 + (1 - number):
                    # Ann was opened after the demo account.
                    continue
                self.book(order, expected, frozen)
            wallets = self.sandbox.fintrusted.floor.members.wallets(
                self.sandbox.fintrusted.floor.members.by_id(1001 + number)
            )
            for coin, (available, held) in wallets.items():
                assert Decimal(held) / 10**8 == frozen[coin], coin
                assert Decimal(available + held) / 10**8 == expected[coin], coin

    def book(self, order, expected: dict[str, Decimal], frozen: dict[str, Decimal]) -> None:
        """What one order has done to its member's wallets, from its deals."""
        rate = Decimal(self.switches["fintrusted_fee_millionths"]) / 1_000_000
        base, quote = order.symbol.split("/")
        traded = turnover = Decimal(0)
        for deal in order.deals:
            amount, value = Decimal(deal.amount) / 10**8, Decimal(deal.price) / 10**10 * Decimal(deal.amount) / 10**8
            got = amount if order.side == "buy" else value
            fee = (got * rate).quantize(Decimal("0.00000001"), rounding="ROUND_UP")
            expected[base] += amount - fee if order.side == "buy" else -amount
            expected[quote] += -value if order.side == "buy" else value - fee
            traded += amount
            turnover += value
            if order.type == "limit":
                limit = Decimal(order.price) / 10**10
                is_no_worse = Decimal(deal.price) <= order.price if order.side == "buy" else deal.price >= order.price
                assert is_no_worse, limit
        whole = Decimal(order.amount) / 10**8
        if order.is_final:
            assert order.frozen == 0
        elif order.side == "sell":
            frozen[base] += whole - traded
        elif order.type == "limit":
            frozen[quote] += Decimal(order.price) / 10**10 * whole - turnover
        elif order.is_by_quote:
            frozen[quote] += whole - turnover
        else:
            frozen[quote] += Decimal(order.frozen) / 10**8
        assert traded <= whole or order.is_by_quote
        if order.status == "COMPLETED" and not order.is_by_quote:
            assert traded == whole


def live(caller_class, steps: list, switches: dict) -> Counter:
    """How many orders came to which end, and how many of the canceled ones had traded a part."""
    with tempfile.TemporaryDirectory() as folder:
        one = Life(caller_class, Path(folder) / "state.sqlite", switches)
        for who, step in steps:
            one.step(who, step)
            one.check()
        ends: Counter = Counter()
        for order in one.sandbox.fintrusted.spot.orders:
            ends[order.status, bool(order.traded)] += 1
        one.sandbox.close()
        return ends


def prove(caller_class, *, lives: int) -> Counter:
    ends: Counter = Counter()

    @settings(max_examples=lives, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, 1), STEP), min_size=8, max_size=30), MONEY)
    def run(steps, switches):
        ends.update(live(caller_class, steps, switches))

    run()
    return ends


def test_the_books_balance_whatever_happens(caller_class):
    ends = prove(caller_class, lives=80)
    print(f"\n{dict(ends)}")
    assert ends["COMPLETED", True] > 20, "too little was traded to prove anything"
    assert ends["CANCELED", True] > 5, "too little was canceled in the middle"


@pytest.mark.prove
def test_the_books_balance_in_a_thousand_lives(caller_class):
    assert prove(caller_class, lives=1_000)["CANCELED", True] > 100


# --- anything may come in ---

PATHS = st.one_of(
    st.sampled_from([path for _, path in ROUTES]),
    st.sampled_from(
        ["/tx/spot/cancel/E1", "/market/", "/uc/%00", "/tx/../uc/v2/login", "/market/convert/price?fromUnit"]
    ),
    st.text(max_size=12).map(lambda text: "/tx/" + text),
)
NUMBER = st.one_of(
    st.sampled_from(["0", "1", "-1", "70000", "0.001", "1e5", "NaN", "", " 1", "+1", "٣", "0" * 40, "9" * 15, "1."]),
    st.text(max_size=6),
)
FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "symbol": st.sampled_from(["BTC/USDT", "ETH/USDT", "X"]),
        "direction": st.sampled_from(["0", "1", "2", "BUY", "٠"]),
        "type": st.sampled_from(["0", "1", "\ud7ff"]),
        **dict.fromkeys(("price", "amount", "orderId", "id", "email", "username", "password", "coin"), NUMBER),
    },
)
BODIES = st.one_of(FIELDS, st.binary(max_size=40), st.sampled_from([b"{}", b"[1]", b"%ff=%", b"a=1&" * 200]))
TURNED = st.fixed_dictionaries(
    {},
    optional={
        switch.name: st.sampled_from(switch.choices or [False, True])
        for switch in SWITCHES
        if switch.choices or switch.kind is bool
    },
)


def fuzz(caller_class, *, lives: int) -> None:
    @settings(max_examples=lives, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.data(), TURNED)
    def run(data, turned):
        sandbox = Sandbox(**{f"fintrusted_{name}": value for name, value in turned.items()})
        caller = caller_class(sandbox)
        member = sandbox.fintrusted.open_demo()
        names = {"email": member.email, "username": member.email, "account": member.email, "loginName": member.email}
        if not turned.get("captcha"):
            field = turned.get("login_field", "email")
            _, caller.token = sandbox.fintrusted.sessions.login({field: names[field], "password": "demo"}, now_micros=0)
        key = sandbox.fintrusted.keys.create(member, can_trade=True).key
        for _ in range(12):
            form, path = data.draw(BODIES), data.draw(PATHS)
            method = data.draw(st.sampled_from(["POST", "GET", "GET", "PUT", "é"]))
            token = data.draw(st.sampled_from([caller.token, caller.token, "", "a.b.c", "é", caller.token + "="]))
            name = {"x-auth-token": "X-Auth-Token"}.get(turned.get("token_header"), "Authorization")
            headers = {name: token}
            if data.draw(st.integers(0, 5)) == 0:
                headers |= {"X-API-KEY": data.draw(st.sampled_from([key, key, "é", ""]))}
                headers |= {"timestamp": data.draw(NUMBER), "signature": data.draw(NUMBER)}
                path += data.draw(st.sampled_from(["", "?timestamp=1790000000000&signature=x", "?signature=&&=%ff"]))
            response = caller.send(method, path, form, headers=headers)
            assert response.status in (200, 400, 401, 404, 405, 429), response.body
            json.loads(response.body)
            sandbox.clock.advance(0.4)
        assert sandbox.fintrusted.audit()
        assert not any(sandbox.exchange.house.ledger.audit().values())

    run()


def test_no_request_is_too_strange(caller_class):
    fuzz(caller_class, lives=150)
