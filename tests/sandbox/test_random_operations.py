"""Whatever people do in whatever order, the books balance to the last unit, and everybody has what their orders say.

The sum is done a second time here, from the orders alone: the ledger is held against it after every step. Restarts from
the state file, races between cancels and fills, faults and jumps of the clock are among the steps.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tradehook_sandbox import Clock, Sandbox
from tradehook_sandbox.faults import KINDS
from tradehook_sandbox.true_markets.accounts import OPENING
from tradehook_sandbox.true_markets.catalogue import BY_KEY
from tradehook_sandbox.units import parse_units

QTY = st.sampled_from(["0.0001", "0.01", "0.1", "0.5", "3", "40"])
PRICE = st.sampled_from(["60000.0", "67000.0", "67340.2", "67350.0", "70000.0"])
SIDE = st.sampled_from(["buy", "sell"])
WHICH = st.integers(0, 5)
DOLLARS = st.sampled_from(["10", "99.5", "5000", "10500", "11900.123456789"])
TRADE = st.one_of(
    st.tuples(st.just("market"), SIDE, QTY),
    st.tuples(st.just("dollars"), SIDE, DOLLARS),
    st.tuples(st.just("limit"), SIDE, QTY, PRICE),
    st.tuples(
        *(st.just("swap"), SIDE, st.sampled_from(["1", "5", "700"]), st.sampled_from(["solana", "base"])),
        st.booleans(),
    ),
    st.tuples(st.just("execute"), WHICH),
    st.tuples(st.just("cancel"), WHICH),
    st.tuples(st.just("send"), st.sampled_from(["0.5", "4", "15"]), st.sampled_from(["neighbour", "outside"])),
    st.tuples(
        st.just("withdraw"),
        st.sampled_from(["BTC", "ETH", "PYUSD"]),
        st.sampled_from(["0.001", "0.2", "2", "2500"]),
        st.sampled_from(["base", "quote"]),
    ),
    st.tuples(st.just("race"), SIDE, st.sampled_from(["0.01", "0.2"])),
)
FAULTS = ("error_after", "timeout_after", "late_accept", "garbled", "error_before", "slow", "rate_limited", "edge_html")
WORLD = st.one_of(
    st.tuples(st.just("advance"), st.sampled_from([0.1, 0.5, 3, 70, 4_000, -200])),
    st.tuples(st.just("price"), st.sampled_from(["59000", "66990.5", "67340.2", "70001", "90000"])),
    st.tuples(st.just("depth"), st.sampled_from([0, 1, 100, 5_000])),
    st.tuples(
        st.just("fault"),
        st.sampled_from(FAULTS),
        st.sampled_from(
            [
                *(("POST", "/orders"), ("POST", "/orders/{id}/execute"), ("DELETE", "/orders/{id}")),
                *(("POST", "/transfers"), ("POST", "/transfers/{id}/execute")),
            ]
        ),
    ),
    st.tuples(st.just("deposit"), st.sampled_from(sorted(OPENING)), st.sampled_from(["12.5", "-0.01", "-900"])),
    st.tuples(st.just("end"), WHICH, st.sampled_from(["completed", "failed"])),
    st.tuples(st.just("reload")),
)
# Long stories reach more; where one fails, it shrinks to steps that do nothing.
OPERATION = st.one_of(st.just(("nothing",)), TRADE, TRADE, TRADE, WORLD)
SWITCHES = st.fixed_dictionaries(
    {},
    optional={
        "cancel_race": st.sampled_from([0.5, 1.0]),
        "execute_answers": st.just("complete"),
        "keep_order_with_issues": st.booleans(),
        "strict_units": st.booleans(),
    },
)
"""Those that move money."""
NAMES = ("default", "other")
OUTSIDE = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
MAY_BECOME = {
    "initialized": {"pending", "active", "cancel_pending", "complete", "canceled", "failed"},
    "pending": {"active", "cancel_pending", "complete", "canceled", "failed"},
    "active": {"cancel_pending", "complete", "canceled"},
    "cancel_pending": {"complete", "canceled", "failed"},
}
TRANSFER_MAY_BECOME = {
    "awaiting_signature": {"pending", "completed", "failed"},
    "pending": {"completed", "failed"},
}
ADDRESSES = {
    "BTC": "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "ETH": "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
    "PYUSD": "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045",
}


class Story:
    """Two people at one sandbox, doing what they are told."""

    def __init__(self, trader_class, state=None, **switches):
        self.state = state
        self.switches = {"rate_limit": 0, **switches}
        self.sandbox = Sandbox(state=state, **self.switches)
        self.people = [trader_class(self.sandbox, account=name) for name in NAMES]
        self.unsigned = []
        self.ids = []
        self.deposits = Counter()
        self.before = {}
        self.happened = Counter()

    def do(self, person, operation):
        trader = self.people[person].mint()
        match operation:
            case ("market", side, qty):
                self.note(trader, trader.answer("POST", "/v1/gateway/orders", self.body(side, qty)))
            case ("dollars", side, qty):
                self.note(trader, trader.answer("POST", "/v1/gateway/orders", self.body(side, qty, qty_unit="quote")))
            case ("limit", side, qty, price):
                body = self.body(side, qty, type="limit", price=price)
                self.note(trader, trader.answer("POST", "/v1/gateway/orders", body))
            case ("swap", side, qty, chain, is_signed) if not self.sandbox.faults.waiting:
                created = trader.swap(side, qty, chain=chain)[1]
                self.keep(trader, created)
                if is_signed and created.get("payloads"):
                    trader.execute(created)
            case ("execute", which) if self.unsigned:
                # Not taken off the list: it may be tried again, and late.
                trader, created = self.unsigned[-1 - which % len(self.unsigned)]
                body = {
                    "signatures": [trader.stamp(item["payload"]) for item in created["payloads"]],
                    "auth_type": "api_key",
                }
                path = f"orders/{created['order_id']}" if "order_id" in created else f"transfers/{created['id']}"
                trader.mint().answer("POST", f"/v1/conductor/{path}/execute", body)
            case ("cancel", which) if self.ids:
                trader.answer("DELETE", f"/v1/conductor/orders/{self.ids[-1 - which % len(self.ids)]}")
            case ("race", side, qty):
                self.race(trader, side, qty)
            case ("send", qty, whom):
                accounts = self.sandbox.exchange.house.accounts
                to = accounts.named(NAMES[1 - person]).wallet("solana") if whom == "neighbour" else OUTSIDE
                self.transfer(trader, BY_KEY["solana:SOL"], qty, to)
            case ("withdraw", key, qty, unit):
                network = "ethereum" if key == "PYUSD" else None
                self.transfer(trader, BY_KEY[key], qty, ADDRESSES[key], qty_unit=unit, network=network)
            case _:
                self.turn_the_world(person, operation)

    def turn_the_world(self, person, operation):
        trader = self.people[person]
        match operation:
            case ("advance", seconds):
                self.sandbox.clock.advance(seconds)
            case ("price", price):
                trader.admin("POST", "/prices", {"BTC": price})
            case ("depth", percent):
                trader.admin("POST", "/book", {"symbol": "BTC", "depth_percent": percent})
            case ("fault", kind, (method, path)):
                trader.admin("POST", "/faults", {"kind": kind, "method": method, "path": path})
            case ("deposit", key, amount):
                self.deposit(person, key, amount)
            case ("end", which, status):
                pending = [one for one in self.sandbox.exchange.withdrawals.all if one.status == "pending"]
                if pending:
                    body = {"id": pending[which % len(pending)].transfer_id, "status": status}
                    ended = trader.send("POST", "/_sandbox/transfers", body)
                    self.happened[f"ended {status} {ended.status}"] += 1
            case ("reload",) if self.state is not None:
                self.reload()

    def transfer(self, trader, asset, qty, to, **fields):
        body = {"asset_id": asset.asset_id, "qty": qty, "qty_unit": "base", "to": to, **fields}
        had_faults = bool(self.sandbox.faults.waiting)
        response = trader.answer("POST", "/v1/conductor/transfers", body).response
        assert had_faults or response.status in (201, 400), response.body
        if response is not None and response.status == 201:
            with contextlib.suppress(ValueError):  # A fault has garbled it.
                created = response.json()
                if created["payloads"]:
                    self.unsigned.append((trader, created))

    def race(self, trader, side, qty):
        """The market runs into a resting order whose cancellation is on its way."""
        here = Decimal(trader.admin("GET", "/prices")["BTC"])
        limit = here * (Decimal("0.99") if side == "buy" else Decimal("1.01"))
        beyond = here * (Decimal("0.98") if side == "buy" else Decimal("1.02"))
        body = self.body(side, qty, type="limit", price=str(limit.quantize(Decimal("1.0"))))
        known = len(self.ids)
        self.note(trader, trader.answer("POST", "/v1/gateway/orders", body))
        self.sandbox.clock.advance(1.5)
        if len(self.ids) > known:
            trader.answer("DELETE", f"/v1/conductor/orders/{self.ids[-1]}")
            trader.admin("POST", "/prices", {"BTC": str(beyond.quantize(Decimal("1.0")))})
            self.sandbox.clock.advance(1.5)
            self.sandbox.catch_up()
            order = self.sandbox.exchange.house.orders[self.ids[-1]]
            self.happened[f"race {order.status}"] += 1

    def deposit(self, person, key, amount):
        asset = BY_KEY[key]
        body = {"symbol": asset.symbol, "chain": asset.chain, "add": amount, "account": NAMES[person]}
        response = self.people[person].send("POST", "/_sandbox/balances", body)
        if response.status == 200:
            sign = -1 if amount.startswith("-") else 1
            self.deposits[person, key] += sign * parse_units(amount.removeprefix("-"), asset.scale)

    def reload(self):
        """The process was killed, and another one goes on from the file."""
        ledger = self.people[0].ledger()
        self.sandbox._store._database.close()
        # The same source of time; how far it was moved has to come out of the file.
        self.sandbox = Sandbox(state=self.state, clock=Clock(self.sandbox.clock._source), **self.switches)
        for trader in self.people:
            trader.sandbox = self.sandbox
        assert self.people[0].ledger() == {**ledger, "recent": self.people[0].ledger()["recent"]}
        self.happened["reload"] += 1

    def close(self):
        for order in self.sandbox.exchange.house.orders:
            kind = "swap" if order.is_onchain else "bridged" if order.payloads else "book"
            self.happened[f"{kind} {order.status}"] += 1
        for transfer in self.sandbox.exchange.withdrawals.all:
            self.happened[f"{'sent' if transfer.asset.chain else 'withdrawn'} {transfer.status}"] += 1
        self.sandbox.close()

    @staticmethod
    def body(side, qty, **fields):
        body = {
            "base_asset": "BTC",
            "quote_asset": "USD",
            "qty": qty,
            "qty_unit": "base",
            "type": "market",
            "side": side,
        }
        return {**body, **fields}

    def note(self, trader, answer):
        if answer.response is not None and answer.response.status == 201:
            with contextlib.suppress(ValueError):  # A fault has garbled it.
                self.keep(trader, answer.response.json())

    def keep(self, trader, created):
        if created.get("order_id"):
            self.ids.append(created["order_id"])
            if created.get("payloads"):
                self.unsigned.append((trader, created))

    # --- what must be true ---

    def check_step(self):
        house = self.sandbox.exchange.house
        assert not any(house.ledger.audit().values())
        assert house.audit(self.sandbox.exchange.withdrawals.all)
        for person, trader in enumerate(self.people):
            account = house.accounts.named(NAMES[person])
            assert self.expected(person, account.uid) == self.held(account), trader
        for order in house.orders:
            was, executed = self.before.get(order.order_id, (order.status, 0))
            assert order.status == was or order.status in MAY_BECOME.get(was, ()), (was, order.status)
            assert executed <= order.executed, "what is executed stays executed"
            self.before[order.order_id] = (order.status, order.executed)
        for transfer in self.sandbox.exchange.withdrawals.all:
            was = self.before.get(transfer.transfer_id, transfer.status)
            assert transfer.status == was or transfer.status in TRANSFER_MAY_BECOME.get(was, ()), was
            self.before[transfer.transfer_id] = transfer.status
            gone = transfer.quantity if transfer.status == "completed" else 0
            assert transfer.received + 2 * transfer.fee == gone, "what arrives and what the network takes was sent"

    def expected(self, person, uid):
        """What this person owns: what came in, and what the fills of their orders have moved. Dollars are one sum."""
        owns = Counter()
        for key, amount in OPENING.items():
            self.add(owns, key, parse_units(amount, BY_KEY[key].scale) + self.deposits[person, key])
        for order in self.sandbox.exchange.house.orders:
            if order.uid == uid:
                sign = 1 if order.side == "buy" else -1
                self.add(owns, order.base_key, sign * order.executed)
                self.add(owns, order.quote_key, -sign * order.spent - order.fee)
        wallet = self.sandbox.exchange.house.accounts[uid].wallet("solana")
        for transfer in self.sandbox.exchange.withdrawals.all:
            if transfer.status == "completed":
                self.add(owns, transfer.asset_key, -transfer.quantity if transfer.uid == uid else 0)
                self.add(owns, transfer.asset_key, transfer.received if transfer.to == wallet else 0)
        return +owns

    def held(self, account):
        """What the ledger says that this person owns."""
        owns = Counter()
        for purse, key, units in self.sandbox.exchange.house.ledger.balances():
            if purse in (account.available, account.held):
                self.add(owns, key, units)
        return +owns

    @staticmethod
    def add(owns, key, units):
        # A bridge turns dollars of a chain into dollars of the exchange, one for one.
        asset = BY_KEY[key]
        owns["dollars" if asset.is_stable else key] += units * 10 ** (9 - asset.scale) if asset.is_stable else units


def check(story):
    """Nothing appeared or vanished, nobody is overdrawn, and every row of the balances agrees with itself."""
    body = story.people[0].ledger()
    assert body["balanced"]
    totals = {}
    for account, assets in body["accounts"].items():
        for asset, amount in assets.items():
            totals[asset] = totals.get(asset, 0) + Decimal(amount)
            assert Decimal(amount) >= 0 or not account.startswith("user:"), (account, asset, amount)
    assert set(totals.values()) == {Decimal(0)}
    for trader in story.people:
        for row in trader.mint().call("GET", "/balances")[1]["data"]:
            assert Decimal(row["total"]) == Decimal(row["available"]) + Decimal(row["held"])


def live(trader_class, operations, folder, switches):
    """Everything in turn, looked at after every step; returns what became of it."""
    state = Path(folder) / "state.db" if ("reload",) in [one for _, one in operations] else None
    story = Story(trader_class, state, **switches)
    try:
        for person, operation in operations:
            story.do(person, operation)
            story.check_step()
        story.sandbox.faults.remove()
        check(story)
        story.sandbox.clock.advance(100)
        check(story)
        story.check_step()
        for order in story.sandbox.exchange.house.orders:
            assert order.status not in ("pending", "cancel_pending"), "nothing stays on its way for ever"
            assert (order.executed if order.unit == "base" else order.spent) <= order.quantity, "no more than asked for"
            if order.is_final:
                assert (order.hold, order.fee_reserve) == (0, 0)
        for transfer in story.sandbox.exchange.withdrawals.all:
            assert transfer.status != "pending"
            assert transfer.hold == 0
    finally:
        story.close()
    return story.happened


def live_many(trader_class, *, examples):
    """So many stories; returns what became of all orders in them."""
    happened = Counter()

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.lists(st.tuples(st.integers(0, 1), OPERATION), min_size=15, max_size=60), SWITCHES)
    def one_story(operations, switches):
        with tempfile.TemporaryDirectory() as folder:
            happened.update(live(trader_class, operations, folder, switches))

    one_story()
    print("\n", dict(happened))
    return happened


def test_the_ledgers_error_is_zero_after_every_step(trader_class):
    happened = live_many(trader_class, examples=150)
    reached = {"book complete", "book canceled", "book active", "swap complete", "reload", "race complete"}
    reached |= {"sent awaiting_signature", "sent completed", "withdrawn completed"}
    assert reached <= set(happened)


@pytest.mark.prove
def test_the_ledgers_error_is_zero_in_thousands_of_stories(trader_class):
    happened = live_many(trader_class, examples=5_000)
    reached = {
        *("book complete", "book canceled", "book active", "swap complete", "swap failed", "swap initialized"),
        *("bridged complete", "bridged initialized", "bridged failed", "race canceled", "race complete", "reload"),
        *("sent awaiting_signature", "sent completed", "sent failed", "withdrawn completed"),
    }
    assert reached <= set(happened)


def test_every_fault_that_does_not_only_change_what_is_read_is_among_the_steps():
    assert set(FAULTS) <= set(KINDS)


@pytest.mark.parametrize("seed", range(3))
def test_a_long_story_balances_too(trader_class, seed):
    import random

    chance = random.Random(seed)
    story = Story(trader_class)
    for _ in range(400):
        side = chance.choice(["buy", "sell"])
        operation = chance.choice(
            [
                ("market", side, chance.choice(["0.0001", "0.0137", "0.2"])),
                ("dollars", side, f"{chance.randint(7, 9_000)}.{chance.randint(0, 999_999_999):09d}"),
                ("limit", side, "0.0457", f"{chance.randint(66_900, 67_700)}.{chance.randint(0, 9)}"),
                ("cancel", chance.randint(0, 400)),
                ("advance", chance.choice([0.05, 0.4, 2, 30])),
            ]
        )
        story.do(chance.randint(0, 1), operation)
    story.sandbox.clock.advance(5)
    check(story)
    story.check_step()
    statuses = {order.status for order in story.sandbox.exchange.house.orders}
    assert {"complete", "canceled", "active"} <= statuses, "the story was not empty"
