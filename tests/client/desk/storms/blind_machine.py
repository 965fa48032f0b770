"""The same at an exchange that tells nothing of its orders: only the wallet shows what became of one.

After each step: the books sum to zero, each intent has at most one order, two of a kind are never open, no intent is
lost, the journal moved along its arrows only, and what it concluded from the wallet is so. Somebody who trades by hand
meanwhile may deceive it: those conclusions are counted apart.

python -m tests.client.desk.storms.blind_machine --seed N --steps N      many steps in this process
"""

from __future__ import annotations

import json
from collections import Counter
from contextlib import ExitStack, suppress
from datetime import datetime
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.client.desk.storms.happenings import ANSWERS, BLIND_FAULTS, HOUR_CAP, LOST, S
from tests.client.desk.storms.happenings import BLIND_ORDERS as ORDERS
from tests.client.desk.storms.lives import Lives, main
from tests.client.desk.storms.staged import HOST, URL, Process
from tests.client.desk.storms.staged_blind import ADD, BlindStaged, make_blind_template, one_time

from tradehook.client import AsyncClient
from tradehook.desk.intents import IN_DOUBT, PLACED, SENDERS
from tradehook.desk.limits import Limits
from tradehook.desk.resolving import is_untold
from tradehook.errors import GuardRefused, IntentConflict, TradehookError
from tradehook.models import OrderStatus
from tradehook.run import run, run_each
from tradehook.wire import Request, encode_json
from tradehook_sandbox.fintrusted.coins import SCALE

CONCLUSIONS = {"probably_filled": "COMPLETED", "canceled": "CANCELED"}
DIES = st.none() | st.none() | st.tuples(st.integers(1, 20), st.booleans())


class BlindMachine(Lives, RuleBasedStateMachine):
    """One member, one journal, one process at a time, any number of lives."""

    def __init__(self) -> None:
        super().__init__()
        self.staged = BlindStaged(self.template)
        self.stack = ExitStack()
        self.stack.enter_context(one_time(self.staged.sandbox.clock))
        self.process = Process(self.staged)
        self.asked: dict[str, tuple[int, bool]] = {}
        self.by_hand: set[str] = set()
        self.paid: list[tuple[str, float]] = []
        """What somebody paid in or out, and when."""
        self.concluded: set[str] = set()
        self.told: set[str] = set()
        """Intents whose end a person told, who looked."""
        self.has_cap = False
        self.account_id = run(self.staged.past_faults.account_id())

    def teardown(self) -> None:
        super().teardown()
        self.stack.close()

    @property
    def spot(self) -> Any:
        return self.staged.sandbox.fintrusted.spot

    def admin(self, path: str, body: dict[str, Any]) -> None:
        request = Request("POST", f"{URL}/_sandbox/{path}", body=encode_json(body))
        assert self.staged.sandbox.handle(request).status in (200, 201, 400), path  # 400: there is not so much

    @initialize(cap=st.booleans())
    def begin(self, cap):
        self.has_cap = cap
        if cap:
            self.limit(order=None)

    def limit(self, **fields: Any) -> None:
        limits = Limits(hour=HOUR_CAP if self.has_cap else None, **{"unknowns": None, **fields})
        self.process.journal.limits.set(HOST, self.account_id, limits, by="test")

    @rule(
        deed=st.integers(0, len(ORDERS) - 1),
        unattended=st.booleans(),
        dies=DIES,
        fault=st.none() | st.none() | st.sampled_from(ANSWERS),
        settled=st.booleans(),
    )
    def place(self, deed, unattended, dies, fault, settled):
        if settled:  # what came before is seen to have ended, or this one would only be refused
            self.time_passes(5)
            self.sweep(None)
        if fault is not None and not self.staged.sandbox.faults.waiting:
            self.staged.fault(method="POST", path=ADD, **fault)
        name = f"i-{len(self.asked) + 1}"
        self.asked[name] = (deed, unattended)
        self.carry_out(name, dies)

    @rule(deed=st.sampled_from([0, 1, 2, 3]), answer=st.sampled_from(LOST), asks_again=st.booleans())
    def one_is_lost_until_nothing_can_arrive(self, deed, answer, asks_again):
        """No answer came, and past the horizon it is looked for once more: then only a person can tell."""
        self.everything_is_cleared_up()
        name = f"i-{len(self.asked) + 1}"
        self.asked[name] = (deed, False)
        self.staged.fault(method="POST", path=ADD, **answer)
        self.carry_out(name, None)
        self.time_passes(3700)
        self.carry_out(name, None) if asks_again else self.reconcile(None)

    @rule(deed=st.sampled_from([3, 4, 6]), dies=DIES)
    def one_is_canceled(self, deed, dies):
        """An order that rests, or that trades at the moment in which it is canceled."""
        self.everything_is_cleared_up()
        name = f"i-{len(self.asked) + 1}"
        self.asked[name] = (deed, False)
        self.carry_out(name, None)
        identity = self.process.journal.get(self.process.journal.doubts.newest_id(name)).exchange_id
        if identity is not None:
            self.attempt(lambda process: process.client.cancel_order(identity), dies=dies)
            self.time_passes(5)
            self.sweep(None)

    @rule(pick=st.integers(0, 1000), dies=DIES)
    def repeat(self, pick, dies):
        if self.asked:
            self.carry_out(self.pick(pick), dies)

    def carry_out(self, name: str, dies: tuple[int, bool] | None) -> None:
        deed, unattended = self.asked[name]
        current = self.process.journal.doubts.newest_id(name)
        before = self.process.journal.find_exactly(current)
        self.staged.doing, posts = current, self.staged.posts
        is_halted = any(scope["state"] == "HALTED" for scope in self.process.journal.trading.list())
        heard = self.attempt(
            lambda process: process.desk.place_order(
                ORDERS[deed], intent_id=name, source="test", is_unattended=unattended
            ),
            dies=dies,
        )
        self.staged.doing = None
        rule = f" ({heard.rule})" if isinstance(heard, GuardRefused) else ""
        self.steps[f"heard {type(heard).__name__}{rule}"] += 1
        if heard is not None and not isinstance(heard, TradehookError):
            row = self.process.journal.get(current)
            assert row.state in PLACED
            assert heard.intent_id == current
            assert heard.order.status is not OrderStatus.FILLED
        if is_halted or (before is not None and before.reads_as is not S.PREPARED):
            assert self.staged.posts == posts, "sent again, or while halted"

    @rule(pick=st.integers(0, 1000), deed=st.integers(0, len(ORDERS) - 1))
    def ask_something_else(self, pick, deed):
        """The same id for another request."""
        if self.asked and self.asked[self.pick(pick)][0] != deed:
            name = self.pick(pick)
            heard = self.attempt(lambda each: each.desk.place_order(ORDERS[deed], intent_id=name, source="test"))
            assert isinstance(heard, IntentConflict)

    @rule(fault=st.sampled_from(BLIND_FAULTS), times=st.integers(1, 3))
    def stage_a_fault(self, fault, times):
        if len(self.staged.sandbox.faults.waiting) < 3:
            self.staged.fault(**fault, times=times)

    @rule()
    def all_is_well(self):
        self.staged.sandbox.faults.remove()

    @rule(seconds=st.sampled_from([0.3, 1, 5, 20, 61, 620, 3700]))
    def time_passes(self, seconds):
        self.staged.sandbox.clock.advance(seconds)
        self.staged.sandbox.catch_up()

    @rule(price=st.sampled_from(["49000", "66000", "67400", "70000", "91000"]))
    def prices_jump(self, price):
        self.admin("prices", {"BTC": price})

    @rule(percent=st.sampled_from([0, 1, 100]))
    def the_book_is_thin(self, percent):
        self.admin("book", {"symbol": "BTC/USDT", "depth_percent": percent})

    def ours(self, pick: int) -> str | None:
        rows = self.staged.rows.execute(
            "SELECT exchange_id FROM intent WHERE exchange_id IS NOT NULL ORDER BY created_at"
        ).fetchall()
        return rows[pick % len(rows)][0] if rows else None

    @rule(pick=st.integers(0, 1000), dies=DIES)
    def cancel(self, pick, dies):
        if identity := self.ours(pick):
            self.attempt(lambda process: process.client.cancel_order(identity), dies=dies)

    @rule(dies=DIES)
    def sweep(self, dies):
        self.attempt(lambda process: process.desk.sweep(), dies=dies)

    @rule(dies=DIES)
    def reconcile(self, dies):
        self.attempt(lambda process: process.desk.reconcile(), dies=dies)

    @rule(pick=st.integers(0, 1000))
    def follow(self, pick):
        if self.asked:
            name = self.process.journal.doubts.newest_id(self.pick(pick))
            self.attempt(lambda process: process.desk.follow(name))

    @rule()
    def list_what_stands(self):
        found = self.attempt(lambda each: [*run_each(AsyncClient(each.exchange, desk=lambda: each.desk).list_orders())])
        if not isinstance(found, TradehookError | None):
            assert OrderStatus.FILLED not in {order.status for order in found}

    @rule(deed=st.sampled_from([0, 1, 4]))
    def a_person_trades_by_hand(self, deed):
        exchange = self.staged.past_faults
        try:
            write = exchange.new_order(run(exchange.size_order(ORDERS[deed])))
            request, _ = run(exchange.session.prepare(write.request))
            made = exchange.session.understand(run(exchange.session.send_once(request)), write.read)
        except TradehookError:
            return  # the money is gone
        self.by_hand.add(made.order_id)

    @rule(pick=st.integers(0, 1000))
    def a_person_cancels_ours_by_hand(self, pick):
        identity = self.ours(pick)
        if identity in self.staged.there():
            self.cancel_by_hand(identity)

    def cancel_by_hand(self, identity: str) -> None:
        write = self.staged.past_faults.cancel_order(identity)
        with suppress(TradehookError):
            run(self.staged.past_faults.session.read(write.request, write.read, kind="cancel"))

    @rule(coin=st.sampled_from(["BTC", "USDT"]), add=st.sampled_from(["0.0003", "20", "-20", "-0.0003"]))
    def a_person_pays_in_or_out(self, coin, add):
        if coin == "BTC" and add.endswith("20"):
            return
        self.paid.append((coin, self.staged.sandbox.clock.now()))
        self.admin("fintrusted/deposit", {"coin": coin, "add": add})

    @rule(pick=st.integers(0, 1000), may_go_again=st.booleans(), is_patient=st.booleans())
    def a_person_ends_a_doubt(self, pick, may_go_again, is_patient):
        """A person who looks at the exchange and says what is so; some wait for the horizon, the others are refused."""
        if is_patient:
            self.time_passes(3700)
        doubts = self.process.journal.doubts.list(HOST)
        if not doubts:
            return
        intent = doubts[pick % len(doubts)]
        mine = [name for name in self.staged.there() if self.staged.made_for.get(name) == intent.intent_id]
        word = f"placed:{mine[0]}" if mine else "again" if may_go_again else "not-placed"
        heard = self.attempt(lambda process: process.desk.resolve(intent.intent_id, word, by="test"))
        self.steps[f"resolve {word.partition(':')[0]} {type(heard).__name__}"] += 1

    @rule()
    def what_hands_left_open_is_canceled(self):
        there = self.staged.there()
        for name in self.by_hand:
            if not there[name].is_final:
                self.cancel_by_hand(name)

    @rule(pick=st.integers(0, 1000), is_hasty=st.sampled_from([True, False, False, False]))
    def a_person_says_how_it_ended(self, pick, is_hasty):
        """Somebody who looked says what became of an order that the wallet does not tell of."""
        rows = [intent for intent in self.process.journal.list(limit=500) if is_untold(intent)]
        if not is_hasty:
            rows = [each for each in rows if each.last_order and each.last_order.status is not OrderStatus.ACCEPTED]
        if not rows:
            return
        intent = rows[pick % len(rows)]
        real = self.real(intent.intent_id, intent.exchange_id or "")
        word = {"COMPLETED": "filled", "CANCELED": "canceled"}.get(real.status)
        if word:
            self.told.add(intent.intent_id)
            heard = self.attempt(lambda process: process.desk.resolve(intent.intent_id, word, by="test"))
            self.steps[f"resolve {word} {type(heard).__name__}"] += 1

    @rule()
    def everything_is_cleared_up(self):
        """Somebody takes an hour for it, and ends every doubt."""
        self.staged.sandbox.faults.remove()
        self.what_hands_left_open_is_canceled()
        self.time_passes(3700)
        for _ in self.process.journal.doubts.list(HOST):
            self.a_person_ends_a_doubt(pick=0, may_go_again=False, is_patient=False)
        self.sweep(None)
        for _ in range(3):
            self.a_person_says_how_it_ended(pick=0, is_hasty=False)

    @rule(pick=st.integers(0, 1000))
    def once_more(self, pick):
        if not self.asked:
            return
        name = self.process.journal.doubts.newest_id(self.pick(pick))
        intent = self.process.journal.find_exactly(name)
        if intent is not None and intent.state in (S.ACCEPTED, S.MATCHED, S.REJECTED):
            self.process.journal.doubts.again(intent, by="test", why="test")

    @rule(state=st.sampled_from(["HALTED", "NORMAL", "NORMAL"]))
    def freeze_or_resume(self, state):
        trading = self.process.journal.trading
        for scope in ("*", f"{HOST}/{self.account_id}") if state == "NORMAL" else ("*",):
            trading.set(state, by="test", scope=scope)

    @rule(
        order=st.sampled_from([None, None, Decimal(10), Decimal(40)]),
        in_flight=st.sampled_from([None, None, 2]),
        unknowns=st.sampled_from([None, None, 3]),
    )
    def set_limits(self, order, in_flight, unknowns):
        self.limit(order=order, in_flight=in_flight, unknowns=unknowns)

    # --- what must hold -------------------------------------------------------------------------------------

    def real(self, intent_id: str, exchange_id: str) -> Any:
        """The exchange's own order of an intent; one that was taken without telling its id has a name of ours."""
        there = self.staged.there()
        if exchange_id in there:
            return there[exchange_id]
        assert exchange_id.startswith("unnamed-"), f"{intent_id} is bound to {exchange_id}, which is not there"
        (mine,) = [name for name in there if self.staged.made_for.get(name) == intent_id]
        return there[mine]

    @invariant()
    def books_are_right(self):
        self.steps["steps"] += 1
        ledger = self.staged.sandbox.exchange.house.ledger
        ledger.check()
        assert not any(ledger.audit().values())
        for (account, coin), units in self.spot.frozen().items():
            assert ledger.balance(account, coin) == units

    @invariant()
    def each_intent_has_at_most_one(self):
        there = self.staged.there()
        mine = Counter(owner for name, owner in self.staged.made_for.items() if owner is not None and name in there)
        assert [name for name, count in mine.items() if count > 1] == []
        strangers = [name for name in there if self.staged.made_for.get(name) is None and name not in self.by_hand]
        assert strangers == []

    @invariant()
    def two_of_a_kind_are_never_open(self):
        """Else one could not be told from the other; a wallet that a hand has moved may have ended one too early."""
        rows = self.staged.rows.execute("SELECT * FROM intent WHERE is_final = 0 AND request IS NOT NULL").fetchall()
        kinds = Counter(
            (asked["base"], asked["side"])
            for row in rows
            if row["state"] in (*PLACED, *IN_DOUBT, *SENDERS)
            for asked in [json.loads(row["request"])]
        )
        assert [kind for kind, count in kinds.items() if count > 1] == []

    @invariant()
    def journal_is_truthful(self):
        rows = {row["intent_id"]: row for row in self.staged.rows.execute("SELECT * FROM intent")}
        assert self.asked.keys() <= rows.keys(), "an intent is lost"
        there = self.staged.there()
        for name, row in rows.items():
            if row["state"] in PLACED:
                self.check_conclusion(row, self.real(name, row["exchange_id"]))
            if row["state"] in (S.PREPARED, S.REJECTED):
                mine = [each for each in there if self.staged.made_for.get(each) == name]
                assert mine == [], f"{name} is {row['state']} and was placed"
        self.follow_the_arrows(rows)

    def check_conclusion(self, row: Any, real: Any) -> None:
        """What was concluded of an order is so, unless a hand moved the same coins while it was looked at."""
        status = json.loads(row["seen"])["status"]
        assert status != "filled", "the exchange never said that"
        if row["intent_id"] in self.concluded or status not in CONCLUSIONS or not row["is_final"]:
            return
        self.concluded.add(row["intent_id"])
        is_right = real.status == CONCLUSIONS[status]
        who = "told" if row["intent_id"] in self.told else "by hand" if self.is_handled(row) else "alone"
        self.steps[f"{status} {who}"] += 1
        self.steps[f"wrong {status} {who}"] += not is_right
        assert is_right or who == "by hand", f"{row['intent_id']} is {status}, and there {real.status}"

    def is_handled(self, row: Any) -> bool:
        """Whether somebody by hand had an order of the same coins open, or paid in, since the wallet was read first."""
        asked, at = json.loads(row["request"]), json.loads(row["baseline"])["at"]
        since, coins = datetime.fromisoformat(at).timestamp(), {asked["base"], asked["quote"]}
        orders = [self.staged.there()[name] for name in self.by_hand]
        return any(
            coins & {order.going, order.coming} and (order.ended_micros or 1e18) >= since * 1e6 for order in orders
        ) or any(coin in coins and when >= since for coin, when in self.paid)

    @invariant()
    def no_cap_is_exceeded(self):
        """The whole of all buys; the limit is for each hour."""
        if self.has_cap:
            mine = [self.staged.there()[name] for name, owner in self.staged.made_for.items() if owner is not None]
            spent = sum(Decimal(order.turnover).scaleb(-SCALE) for order in mine if order.side == "buy")
            hours = int(self.staged.sandbox.clock.offset / 3600) + 1
            assert spent <= HOUR_CAP * hours, f"{spent} in {hours} hours"


if __name__ == "__main__":
    main(BlindMachine, make_blind_template)
