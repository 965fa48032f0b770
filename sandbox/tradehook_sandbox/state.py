"""What a sandbox keeps across restarts: one SQLite file, written before each answer leaves.

A kill at any moment loses nothing that was answered. Only what changed is written, in one transaction a request.
"""

from __future__ import annotations

import base64
import json
import os
import sqlite3
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tradehook.wire import Request
from tradehook_sandbox.clock import micros
from tradehook_sandbox.faults import Fault, Late
from tradehook_sandbox.ledger import Ledger
from tradehook_sandbox.market import Market
from tradehook_sandbox.true_markets.accounts import Deposit
from tradehook_sandbox.true_markets.exchange import TrueMarkets
from tradehook_sandbox.true_markets.keys import from_compressed_hex
from tradehook_sandbox.true_markets.orders import Order
from tradehook_sandbox.true_markets.transfers import Transfer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tradehook_sandbox.fintrusted.exchange import FinTrusted
    from tradehook_sandbox.sandbox import Sandbox
    from tradehook_sandbox.true_markets.rules import Rules

FORMAT: Final = 1
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, content TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS accounts (uid TEXT PRIMARY KEY, name TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (key_id TEXT PRIMARY KEY, uid TEXT NOT NULL, public_hex TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS refresh_tokens (token_id TEXT PRIMARY KEY, expires INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS transfers (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS deposits (number INTEGER PRIMARY KEY, content TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS balances (account TEXT, asset TEXT, units TEXT NOT NULL, PRIMARY KEY (account, asset));
CREATE TABLE IF NOT EXISTS fintrusted (kind TEXT, id TEXT, content TEXT NOT NULL, PRIMARY KEY (kind, id));
CREATE TABLE IF NOT EXISTS entries (
    number INTEGER PRIMARY KEY, at_micros INTEGER NOT NULL, asset TEXT NOT NULL, source TEXT NOT NULL,
    target TEXT NOT NULL, units TEXT NOT NULL, reason TEXT NOT NULL
);
"""


class StateError(Exception):
    """The state file cannot be used; the message says why."""


class Store:
    """One state file, open."""

    def __init__(self, path: Path) -> None:
        """Open the file, or make it, readable by its owner only.

        Raises:
            StateError: it is not ours, is damaged, or another sandbox has it open.
        """
        self._path = path
        self._saved_facts = ""
        self._saved_deposits = 0
        self._saved_people: set[str] = set()
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        except OSError as error:
            raise StateError(f"{path} cannot be used: {error.strerror}.") from None
        self._database = sqlite3.connect(path, timeout=0.2, isolation_level=None, check_same_thread=False)
        try:
            # Exclusive: two sandboxes on one file would undo each other's work.
            self._database.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._database.execute("PRAGMA journal_mode = WAL")
            self._database.execute("PRAGMA synchronous = NORMAL")
            self._database.executescript("BEGIN EXCLUSIVE;" + _SCHEMA + "COMMIT;")
        except sqlite3.DatabaseError as error:
            self.close()
            if not isinstance(error, sqlite3.OperationalError):
                raise StateError(f"{path} is not a sandbox's state file.") from None
            why = "another sandbox has it open" if "locked" in str(error) else str(error)
            raise StateError(f"{path} cannot be used: {why}.") from None

    def close(self) -> None:
        """The file is complete and free for others."""
        self._database.close()

    def load(self, sandbox: Sandbox, *, seed: int, rules: Rules) -> TrueMarkets:
        """The exchange as it was kept, or a new one; clock and faults of the sandbox are set as they were.

        Raises:
            StateError: it was written by another version or is damaged.
        """
        try:
            row = self._database.execute("SELECT content FROM facts WHERE name = 'sandbox'").fetchone()
            facts = json.loads(row[0]) if row else None
            if facts is not None and facts["format"] != FORMAT:
                raise StateError(f"{self._path} was written by another version: remove it to start anew.")
            exchange = self._exchange(sandbox, facts, seed=seed, rules=rules)
        except StateError:
            self.close()
            raise
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise StateError(f"{self._path} is damaged ({type(error).__name__}): remove it to start anew.") from None
        exchange.house.ledger.keep_unsaved()
        return exchange

    def restore(self, fintrusted: FinTrusted) -> None:
        """FinTrusted as it was kept, if it was.

        Raises:
            StateError: it is damaged.
        """
        try:
            row = self._database.execute("SELECT content FROM facts WHERE name = 'sandbox'").fetchone()
            facts = json.loads(row[0]).get("fintrusted") if row else None
            rows = self._database.execute("SELECT kind, id, content FROM fintrusted").fetchall()
            fintrusted.restore(facts, [(kind, row_id, json.loads(content)) for kind, row_id, content in rows])
        except (sqlite3.DatabaseError, ValueError, KeyError, TypeError) as error:
            self.close()
            raise StateError(f"{self._path} is damaged ({type(error).__name__}): remove it to start anew.") from None

    def save(self, sandbox: Sandbox) -> None:
        """Whatever changed since the last time is in the file."""
        exchange = sandbox.exchange
        house, facts = exchange.house, _facts(sandbox)
        people = {key.key_id for key in exchange.keys} | {account.uid for account in house.accounts}
        comparable = json.dumps(facts)
        is_same = comparable == self._saved_facts and people == self._saved_people
        transfers = exchange.withdrawals.all
        is_still = not (house.ledger.unsaved or house.orders.changed or transfers.changed or exchange.tokens.unsaved)
        moved = list(sandbox.fintrusted.unsaved())
        if is_same and is_still and not moved:
            return
        # How far time has got is kept with every change, but is not a change by itself.
        content = json.dumps({**facts, "now_micros": house.now, "entries": house.ledger.entries})
        self._database.execute("BEGIN IMMEDIATE")
        try:
            self._database.execute("INSERT OR REPLACE INTO facts VALUES ('sandbox', ?)", (content,))
            if people != self._saved_people:
                self._write_people(exchange)
            self._write_money(exchange)
            rows = [(kind, row_id, json.dumps(content)) for kind, row_id, content in moved]
            self._database.executemany("INSERT OR REPLACE INTO fintrusted VALUES (?, ?, ?)", rows)
            self._database.execute("COMMIT")
        except sqlite3.Error:
            self._database.execute("ROLLBACK")
            raise
        self._saved_facts, self._saved_people = comparable, people
        self._saved_deposits = len(house.accounts.deposits)
        for unsaved in (house.ledger.unsaved, house.orders.changed, transfers.changed, exchange.tokens.unsaved):
            unsaved.clear()

    def _write_people(self, exchange: TrueMarkets) -> None:
        accounts = [(account.uid, account.name) for account in exchange.house.accounts]
        keys = [(key.key_id, key.uid, key.public_hex) for key in exchange.keys]
        self._database.executemany("INSERT OR REPLACE INTO accounts VALUES (?, ?)", accounts)
        self._database.executemany("INSERT OR REPLACE INTO keys VALUES (?, ?, ?)", keys)

    def _write_money(self, exchange: TrueMarkets) -> None:
        database, house = self._database, exchange.house
        for token_id, expires in exchange.tokens.unsaved.items():
            if expires is None:
                database.execute("DELETE FROM refresh_tokens WHERE token_id = ?", (token_id,))
            else:
                database.execute("INSERT OR REPLACE INTO refresh_tokens VALUES (?, ?)", (token_id, expires))
        changed = [house.orders[order_id] for order_id in house.orders.changed]
        orders = [(order.number, json.dumps(order.as_json())) for order in changed]
        database.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?)", orders)
        moved = [exchange.withdrawals.all[transfer_id] for transfer_id in exchange.withdrawals.all.changed]
        transfers = [(transfer.number, json.dumps(transfer.as_json())) for transfer in moved]
        database.executemany("INSERT OR REPLACE INTO transfers VALUES (?, ?)", transfers)
        deposits = list(enumerate(house.accounts.deposits))[self._saved_deposits :]
        rows_of_deposits = [(number, json.dumps(asdict(deposit))) for number, deposit in deposits]
        database.executemany("INSERT OR REPLACE INTO deposits VALUES (?, ?)", rows_of_deposits)
        entries = house.ledger.unsaved
        touched = {(account, entry.asset) for entry in entries for account in (entry.source, entry.target)}
        # Text, because an account of the house may outgrow SQLite's 64 bits.
        balances = [(account, asset, str(house.ledger.balance(account, asset))) for account, asset in touched]
        database.executemany("INSERT OR REPLACE INTO balances VALUES (?, ?, ?)", balances)
        rows = [(*entry[:5], str(entry.units), entry.reason) for entry in entries]
        database.executemany("INSERT INTO entries VALUES (?, ?, ?, ?, ?, ?, ?)", rows)

    def _exchange(self, sandbox: Sandbox, facts: Mapping[str, Any] | None, *, seed: int, rules: Rules) -> TrueMarkets:
        if facts is None:
            market = Market(seed=seed, origin_micros=micros(sandbox.clock.now()))
            return TrueMarkets(seed=seed, market=market, ledger=Ledger(), now=sandbox.clock.now, rules=rules)
        sandbox.clock.set_offset(facts["offset_seconds"])
        for fault in facts["faults"]:
            sandbox.faults.add(Fault(**fault))
        sandbox.faults.late = [Late(late["due"], _request(late)) for late in facts["late"]]
        rows = self._database.execute("SELECT account, asset, units FROM balances")
        ledger = Ledger({(account, asset): int(units) for account, asset, units in rows}, entries=facts["entries"])
        key = serialization.load_pem_private_key(facts["signing_key"].encode(), password=None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise TypeError("the signing key is of another kind")
        exchange = TrueMarkets(
            seed=facts["seed"],
            market=Market.restored(facts["market"]),
            ledger=ledger,
            now=sandbox.clock.now,
            rules=rules,
            signing_key=key,
        )
        self._restore_people(exchange)
        self._restore_orders(exchange, facts)
        return exchange

    def _restore_people(self, exchange: TrueMarkets) -> None:
        for (name,) in self._database.execute("SELECT name FROM accounts ORDER BY name"):
            exchange.house.accounts.add(name)
        for key_id, uid, public_hex in self._database.execute("SELECT key_id, uid, public_hex FROM keys"):
            exchange.keys.register(key_id, from_compressed_hex(public_hex), uid)
        exchange.tokens.live_refresh.update(self._database.execute("SELECT token_id, expires FROM refresh_tokens"))

    def _restore_orders(self, exchange: TrueMarkets, facts: Mapping[str, Any]) -> None:
        house = exchange.house
        house.now = facts["now_micros"]
        for symbol, book in exchange.cefi.books.items():
            book.depth_percent = facts["depth_percent"][symbol]
            book.jump_to(house.market.step_at(house.now))
        for (content,) in self._database.execute("SELECT content FROM orders ORDER BY number"):
            order = house.orders.add(Order.restored(json.loads(content)))
            house.account(order).fee_reserve += order.fee_reserve
            house.expect(order)
            if order.status == "active" or (order.status == "cancel_pending" and order.due_micros is None):
                exchange.cefi.stand_again(order)
        house.orders.changed.clear()
        for (content,) in self._database.execute("SELECT content FROM transfers ORDER BY number"):
            exchange.withdrawals.all.add(Transfer.restored(json.loads(content)))
        exchange.withdrawals.all.changed.clear()
        for (content,) in self._database.execute("SELECT content FROM deposits ORDER BY number"):
            house.accounts.deposits.append(Deposit(**json.loads(content)))
        self._saved_deposits = len(house.accounts.deposits)


def _facts(sandbox: Sandbox) -> dict[str, Any]:
    exchange = sandbox.exchange
    return {
        "format": FORMAT,
        "seed": exchange.house.seed,
        "market": exchange.house.market.as_json(),
        "signing_key": exchange.tokens.pem,
        "offset_seconds": sandbox.clock.offset,
        "depth_percent": {symbol: book.depth_percent for symbol, book in exchange.cefi.books.items()},
        "faults": [fault.as_json() for fault in sandbox.faults.waiting],
        "fintrusted": sandbox.fintrusted.facts(),
        "late": [_late_as_json(late) for late in sandbox.faults.late],
    }


def _late_as_json(late: Late) -> dict[str, Any]:
    request = late.request
    return {
        "due": late.due,
        "method": request.method,
        "url": request.url,
        "params": list(request.params),
        "headers": dict(request.headers),
        "body": base64.b64encode(request.body).decode(),
    }


def _request(late: Mapping[str, Any]) -> Request:
    return Request(
        late["method"],
        late["url"],
        params=tuple((name, value) for name, value in late["params"]),
        headers=late["headers"],
        body=base64.b64decode(late["body"]),
    )
