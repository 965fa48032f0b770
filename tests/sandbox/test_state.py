"""The state file: a sandbox that was killed goes on where it was."""

from __future__ import annotations

import sqlite3
import stat

import pytest

from tradehook_sandbox import Clock, Sandbox
from tradehook_sandbox.state import StateError


class Home:
    """A sandbox that is opened again and again on the same file and clock."""

    def __init__(self, path, trader_class):
        self.path = path
        self.clock = Clock.frozen()
        self._trader_class = trader_class
        self.sandbox = None
        self.trader = None

    def open(self, **options):
        # A new clock with the same source: the offset has to come out of the file.
        clock = Clock(self.clock._source)
        self.sandbox = Sandbox(clock=clock, state=self.path, rate_limit=0, **options)
        bundle = self.trader.bundle if self.trader else None
        token = self.trader.token if self.trader else ""
        refresh_token = self.trader.refresh_token if self.trader else ""
        self.trader = self._trader_class(self.sandbox, bundle=bundle)
        self.trader.token, self.trader.refresh_token = token, refresh_token
        return self.trader if token else self.trader.mint()

    def kill(self):
        """Drop the sandbox without closing it, as a kill would; only the lock on the file goes."""
        self.sandbox._store._database.close()

    def again(self, **options):
        self.kill()
        return self.open(**options)


@pytest.fixture
def home(tmp_path, trader_class):
    one = Home(tmp_path / "kept" / "state.db", trader_class)
    yield one
    one.kill()


def test_accounts_orders_balances_clock_and_faults_survive_a_kill(home):
    trader = home.open()
    trader.admin("POST", "/prices", {"BTC": "68000", "walk": False})
    complete = trader.placed("buy", "0.01")
    trader.admin("POST", "/clock", {"advance": 5})
    active = trader.placed("buy", "0.1", price="60000.0")
    trader.admin("POST", "/clock", {"advance": 5})
    swap = trader.swap("buy", "10")[1]
    trader.admin("POST", "/faults", {"kind": "error_before", "path": "/orders", "method": "POST", "times": 3})
    trader.order()
    before = [trader.call("GET", path)[1] for path in ("/orders", "/balances")]
    paths = ("/ledger", "/clock", "/prices", "/faults", "/book")
    admin_before = [trader.admin("GET", path) | {"recent": None} for path in paths]

    trader = home.again()
    assert [trader.call("GET", path)[1] for path in ("/orders", "/balances")] == before
    assert [trader.admin("GET", path) | {"recent": None} for path in paths] == admin_before
    assert trader.status(complete) == "complete"
    assert trader.status(active) == "active"
    trader.admin("DELETE", "/faults")
    assert trader.execute(swap)[0] == 200
    assert trader.placed() not in (complete, active, swap["order_id"])


def test_what_was_under_way_goes_on(home):
    trader = home.open()
    trader.admin("POST", "/prices", {"walk": False})
    market = trader.placed("buy", "0.01")
    limit = trader.placed("buy", "0.02", price="60000.0")
    trader.admin("POST", "/clock", {"advance": 2})
    assert trader.call("DELETE", f"/orders/{limit}")[0] == 202
    late_body = {"kind": "late_accept", "path": "/orders", "delay_seconds": 4}
    trader.admin("POST", "/faults", late_body)
    assert trader.order("sell", "0.03")[0] == 503
    bridge = trader.order("buy", "9000", qty_unit="quote")[1]
    assert trader.execute(bridge)[0] == 200

    trader = home.again()
    trader.admin("POST", "/clock", {"advance": 10})
    assert trader.status(market) == "complete"
    assert trader.status(limit) == "canceled"
    assert trader.status(bridge["order_id"]) == "complete"
    assert "0.03" in [row["qty"] for row in trader.call("GET", "/orders")[1]["data"]]
    assert trader.ledger()["balanced"]


def test_a_resting_order_is_filled_after_a_restart_and_its_fee_was_kept(home):
    trader = home.open()
    trader.admin("POST", "/prices", {"walk": False})
    order_id = trader.placed("buy", "0.1", price="67000.0")
    trader.admin("POST", "/clock", {"advance": 2})
    trader = home.again()
    refused = trader.send("POST", "/_sandbox/balances", {"symbol": "PYUSD", "available": "1"})
    assert "2.68 PYUSD must stay" in refused.json()["message"]
    trader.admin("POST", "/prices", {"BTC": "66000"})
    assert trader.status(order_id) == "complete"
    trader = home.again()
    assert trader.balance("BTC")["total"] == "0.6"
    trader.admin("POST", "/balances", {"symbol": "PYUSD", "available": "0"})
    assert trader.ledger()["balanced"]


def test_transfers_and_money_in_survive_a_kill(home):
    trader = home.open(withdrawal_seconds=60)
    bitcoin, solana = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "So11111111111111111111111111111111111111112"
    payout = trader.transfer("BTC", "0.2", bitcoin)[1]
    waiting = trader.transfer("SOL", "3", solana, chain="solana")[1]
    ended = trader.transfer("BTC", "0.1", bitcoin)[1]
    trader.admin("POST", "/transfers", {"id": ended["id"], "status": "failed"})
    trader.admin("POST", "/balances", {"symbol": "ETH", "add": "1.5"})
    paths = ("/transfers", "/transactions", "/portfolio", "/balances")
    before = [trader.call("GET", path)[1] for path in paths]
    ledger = trader.ledger()

    trader = home.again(withdrawal_seconds=60)
    assert [trader.call("GET", path)[1] for path in paths] == before
    assert {**trader.ledger(), "recent": None} == {**ledger, "recent": None}
    assert trader.execute_transfer(waiting)[0] == 200, "it still waited for its signature"

    trader = home.again(withdrawal_seconds=60)
    trader.admin("POST", "/clock", {"advance": 61})
    assert trader.transfer_now(payout["id"])["status"] == "completed", "what was under way went on"
    assert trader.transfer_now(waiting["id"])["status"] == "completed"
    assert trader.transfer_now(ended["id"])["status"] == "failed"
    assert trader.balance("BTC")["total"] == "0.3"
    assert trader.balance("SOL", "solana")["total"] == "17"
    assert trader.ledger()["balanced"]
    again = trader.transfer("BTC", "0.1", bitcoin)[1]["id"]
    assert again not in (payout["id"], waiting["id"], ended["id"]), "numbers go on"


def test_a_file_from_before_there_were_transfers_opens(home):
    trader = home.open()
    order_id = trader.placed()
    trader.admin("POST", "/clock", {"advance": 2})
    home.kill()
    database = sqlite3.connect(home.path)
    database.execute("DROP TABLE transfers")
    database.execute("DROP TABLE deposits")
    database.commit()
    database.close()
    trader = home.open()
    assert trader.status(order_id) == "complete"
    assert [row["id"] for row in trader.call("GET", "/transactions")[1]["data"]] == [order_id]
    assert trader.transfer("BTC", "0.1", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq")[0] == 201
    assert home.again().ledger()["balanced"]


def test_tokens_live_on_and_used_refresh_tokens_stay_used(home):
    trader = home.open()
    used = trader.refresh_token
    assert trader.send("POST", "/v1/auth/token/refresh", {"refresh_token": used}).status == 200
    fresh = trader.mint().refresh_token
    trader = home.again()
    assert trader.call("GET", "/orders")[0] == 200
    assert trader.send("POST", "/v1/auth/token/refresh", {"refresh_token": used}).status == 401
    assert trader.send("POST", "/v1/auth/token/refresh", {"refresh_token": fresh}).status == 200


def test_every_posting_is_in_the_file_and_adds_up_to_the_balances(home):
    trader = home.open()
    for _ in range(5):
        trader.placed("buy", "0.01")
        trader.admin("POST", "/clock", {"advance": 1})
    home.kill()
    database = sqlite3.connect(home.path)
    sums = {}
    for asset, source, target, units in database.execute("SELECT asset, source, target, units FROM entries"):
        sums[source, asset] = sums.get((source, asset), 0) - int(units)
        sums[target, asset] = sums.get((target, asset), 0) + int(units)
    kept = {(row[0], row[1]): int(row[2]) for row in database.execute("SELECT account, asset, units FROM balances")}
    database.close()
    assert sums == kept
    home.open()


def test_the_seed_in_the_file_wins(home):
    home.open(seed=3).placed()
    prices = home.trader.admin("GET", "/prices")
    assert home.again(seed=9).admin("GET", "/prices") == prices
    assert home.sandbox.exchange.house.seed == 3


def test_a_closed_sandbox_frees_its_file_and_answers_on_from_memory(home):
    home.open().placed()
    home.sandbox.close()
    assert home.trader.ledger()["orders"] == 1
    assert home.open().ledger()["orders"] == 1
    home.kill()
    home.open()


def test_the_file_is_its_owners_alone(home):
    home.open()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o600


def test_two_sandboxes_cannot_share_a_file(home):
    home.open()
    with pytest.raises(StateError, match="another sandbox has it open"):
        Sandbox(state=home.path)


def test_a_file_that_is_something_else_is_refused_and_left_alone(home, tmp_path):
    home.open()
    foreign = tmp_path / "notes.txt"
    foreign.write_text("my notes\n" * 300)
    with pytest.raises(StateError, match="is not a sandbox's state file"):
        Sandbox(state=foreign)
    assert foreign.read_text() == "my notes\n" * 300
    with pytest.raises(StateError, match="cannot be used"):
        Sandbox(state=tmp_path)


def test_a_file_of_another_version_is_refused(home):
    home.open()
    home.kill()
    database = sqlite3.connect(home.path)
    database.execute("UPDATE facts SET content = json_set(content, '$.format', 99)")
    database.commit()
    database.close()
    with pytest.raises(StateError, match="another version"):
        Sandbox(state=home.path)
    database = sqlite3.connect(home.path)
    database.execute("UPDATE facts SET content = '{}'")
    database.commit()
    database.close()
    with pytest.raises(StateError, match="damaged"):
        Sandbox(state=home.path)
    home.path.unlink()
    home.trader = None
    home.open()


def test_looking_writes_nothing(home):
    trader = home.open()
    trader.call("GET", "/orders")
    before = home.sandbox._store._database.total_changes
    for path in ("/orders", "/balances", "/assets", "/transfers", "/transactions", "/portfolio"):
        trader.call("GET", path)
    trader.send("GET", "/v1/defi/market/prices", query={"symbol": "BTC"}, headers={})
    trader.ledger()
    assert home.sandbox._store._database.total_changes == before
