"""Everything that people, schedulers, faults and deaths may do to one account, in any order, step by step.

After each step: the sandbox's books sum to zero, each intent has at most one order or transfer, nothing is bound to two,
the journal moved along its arrows only, no intent is lost, and no cap is exceeded.

python -m tests.client.desk.storms.machine --seed N --steps N      many steps in this process; says how many it made
"""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from tests.client.desk.storms.happenings import ANSWERS, DEEDS, FAULTS, HOUR_CAP, LOST, S
from tests.client.desk.storms.lives import Lives, main
from tests.client.desk.storms.staged import HOST, Process, Staged, make_template

from tradehook.desk.intents import PLACED
from tradehook.desk.limits import Limits
from tradehook.desk.proofs import LISTS_OPEN_ORDERS
from tradehook.errors import IntentConflict, TradehookError
from tradehook.models import NewOrder
from tradehook.run import run
from tradehook.transfers import NewTransfer


class DeskMachine(Lives, RuleBasedStateMachine):
    """One account, one journal, one process at a time, any number of lives."""

    def __init__(self) -> None:
        super().__init__()
        self.staged = Staged(self.template)
        self.process = Process(self.staged)
        self.asked: dict[str, tuple[int, bool, bool]] = {}
        self.by_hand: set[str] = set()
        self.has_cap = False
        self.account_id = run(self.staged.past_faults.account_id())

    # --- the world ------------------------------------------------------------------------------------------

    @initialize(cap=st.booleans(), proved=st.booleans())
    def begin(self, cap, proved):
        self.has_cap = cap
        if cap:
            self.limit(order=None)
        if proved:
            self.process.journal.proofs.record(HOST, self.account_id, LISTS_OPEN_ORDERS, is_true=True, detail="test")

    def limit(self, **fields: Any) -> None:
        # One cap of money for the whole run, so that at each moment it is clear what may have been spent.
        limits = Limits(hour=HOUR_CAP if self.has_cap else None, **{"unknowns": None, **fields})
        self.process.journal.limits.set(HOST, self.account_id, limits, by="test")

    # --- what may happen ------------------------------------------------------------------------------------

    @rule(
        deed=st.integers(0, len(DEEDS) - 1),
        unattended=st.booleans(),
        resends=st.booleans(),
        dies=st.none() | st.none() | st.tuples(st.integers(1, 20), st.booleans()),
        fault=st.none() | st.sampled_from(ANSWERS),
    )
    def place(self, deed, unattended, resends, dies, fault):
        if fault is not None and not self.staged.sandbox.faults.waiting:
            kind = "orders" if isinstance(DEEDS[deed], NewOrder) else "transfers"
            self.staged.fault(method="POST", path=f"/{kind}", **fault)
        name = f"i-{len(self.asked) + 1}"
        wanted = DEEDS[deed]
        may_resend = isinstance(wanted, NewOrder) and wanted.price is None and wanted.chain is None
        self.asked[name] = (deed, unattended, resends and may_resend and not wanted.bounded)
        self.carry_out(name, dies)

    @rule(deed=st.sampled_from([0, 1, 2]), unattended=st.booleans(), answer=st.sampled_from(LOST))
    def one_is_lost_and_asked_for_again(self, deed, unattended, answer):
        """A market order that got no answer, and a scheduler that may send it again when nothing can arrive any more."""
        name = f"i-{len(self.asked) + 1}"
        self.asked[name] = (deed, unattended, True)
        self.staged.sandbox.faults.remove()
        self.time_passes(30)  # what came before has settled
        self.staged.fault(method="POST", path="/orders", **answer)
        self.carry_out(name, None)
        self.time_passes(3700)
        self.carry_out(name, None)

    @rule(
        pick=st.integers(0, 1000),
        dies=st.none() | st.none() | st.tuples(st.integers(1, 20), st.booleans()),
    )
    def repeat(self, pick, dies):
        if self.asked:
            self.carry_out(self.pick(pick), dies)

    def carry_out(self, name: str, dies: tuple[int, bool] | None) -> None:
        deed, unattended, resends = self.asked[name]
        wanted = DEEDS[deed]
        current = self.process.journal.doubts.newest_id(name)
        before = self.process.journal.find_exactly(current)
        self.staged.doing, posts = current, self.staged.posts
        is_halted = self.is_halted()

        def do(process: Process) -> Any:
            if isinstance(wanted, NewTransfer):
                return process.desk.create_transfer(wanted, intent_id=name, source="test")
            return process.desk.place_order(
                wanted, intent_id=name, source="test", is_unattended=unattended, resends=resends
            )

        heard = self.attempt(do, dies=dies)
        self.staged.doing = None
        self.steps[f"heard {type(heard).__name__}"] += 1
        if heard is not None and not isinstance(heard, TradehookError):
            row = self.process.journal.get(current)
            assert row.state in PLACED
            assert row.exchange_id in self.staged.there()
            assert heard.intent_id == current
            if before is not None and before.state in PLACED:
                assert heard.is_stored
        if before is not None and before.reads_as in (S.ACCEPTED, S.REJECTED):
            assert self.new_sends(posts) == 0, "what had ended was sent again"
        if is_halted:
            assert self.new_sends(posts) == 0, "sent while halted"

    def new_sends(self, posts: int) -> int:
        """Orders, transfers and signatures that the exchange took since."""
        return self.staged.posts - posts

    def is_halted(self) -> bool:
        scopes = self.process.journal.trading.list()
        return any(scope["state"] == "HALTED" for scope in scopes)

    @rule(pick=st.integers(0, 1000), deed=st.integers(0, len(DEEDS) - 1))
    def ask_something_else(self, pick, deed):
        """The same id for another request."""
        if not self.asked:
            return
        name = self.pick(pick)
        if DEEDS[self.asked[name][0]] == DEEDS[deed] or isinstance(DEEDS[deed], NewTransfer):
            return
        order = DEEDS[deed]
        heard = self.attempt(lambda process: process.desk.place_order(order, intent_id=name, source="test"))
        assert isinstance(heard, IntentConflict)

    @rule(fault=st.sampled_from(FAULTS), times=st.integers(1, 3))
    def stage_a_fault(self, fault, times):
        if len(self.staged.sandbox.faults.waiting) < 4:
            self.staged.fault(**fault, times=times)

    @rule()
    def all_is_well(self):
        self.staged.sandbox.faults.remove()

    @rule(seconds=st.sampled_from([0.3, 1, 5, 20, 61, 620, 3700]))
    def time_passes(self, seconds):
        self.staged.sandbox.clock.advance(seconds)
        self.staged.sandbox.catch_up()

    @rule(pick=st.integers(0, 1000))
    def cancel(self, pick):
        rows = self.staged.rows.execute(
            "SELECT exchange_id FROM intent WHERE kind = 'order' AND exchange_id IS NOT NULL"
        ).fetchall()
        if rows:
            identity = rows[pick % len(rows)][0]
            self.attempt(lambda process: process.client.cancel_order(identity))

    @rule(dies=st.none() | st.none() | st.tuples(st.integers(1, 8), st.booleans()))
    def sweep(self, dies):
        self.attempt(lambda process: process.desk.sweep(), dies=dies)

    @rule(dies=st.none() | st.none() | st.tuples(st.integers(1, 8), st.booleans()))
    def reconcile(self, dies):
        self.attempt(lambda process: process.desk.reconcile(), dies=dies)

    @rule(pick=st.integers(0, 1000))
    def follow(self, pick):
        if self.asked:
            name = self.process.journal.doubts.newest_id(self.pick(pick))
            is_order = isinstance(DEEDS[self.asked[self.pick(pick)][0]], NewOrder)
            self.attempt(lambda each: each.desk.follow(name) if is_order else each.desk.follow_transfer(name))

    @rule(deed=st.sampled_from([0, 1, 3, 4]))
    def a_person_places_the_same_by_hand(self, deed):
        exchange = self.staged.past_faults
        try:
            write = exchange.new_order(run(exchange.size_order(DEEDS[deed])))
            request, _ = run(exchange.session.prepare(write.request))
            made = exchange.session.understand(run(exchange.session.send_once(request)), write.read)
        except TradehookError:
            return  # the money is gone
        self.by_hand.add(made.order_id)

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

    @rule(pick=st.integers(0, 1000))
    def once_more(self, pick):
        """A new generation, on purpose, of what has ended."""
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
        order=st.sampled_from([None, Decimal(10), Decimal(40)]),
        in_flight=st.sampled_from([None, None, 2]),
        unknowns=st.sampled_from([None, None, 3]),
    )
    def set_limits(self, order, in_flight, unknowns):
        self.limit(order=order, in_flight=in_flight, unknowns=unknowns)

    # --- what must hold -------------------------------------------------------------------------------------

    @invariant()
    def books_are_right(self):
        self.steps["steps"] += 1
        self.staged.sandbox.exchange.house.ledger.check()
        assert not any(self.staged.sandbox.exchange.house.ledger.audit().values())

    @invariant()
    def each_intent_has_at_most_one(self):
        there = self.staged.there()
        mine = Counter(owner for name, owner in self.staged.made_for.items() if owner is not None and name in there)
        assert [name for name, count in mine.items() if count > 1] == []
        strangers = [name for name in there if self.staged.made_for.get(name) is None and name not in self.by_hand]
        assert strangers == []

    @invariant()
    def journal_is_truthful(self):
        rows = {row["intent_id"]: row for row in self.staged.rows.execute("SELECT * FROM intent")}
        assert self.asked.keys() <= rows.keys(), "an intent is lost"
        bound = Counter(row["exchange_id"] for row in rows.values() if row["exchange_id"])
        assert [name for name, count in bound.items() if count > 1] == []
        there = self.staged.there()
        for name, row in rows.items():
            if row["state"] in PLACED:
                assert row["exchange_id"] in there
            if row["state"] in (S.PREPARED, S.REJECTED):
                mine = [each for each in there if self.staged.made_for.get(each) == name]
                assert mine == [], f"{name} is {row['state']} and was placed"
        self.follow_the_arrows(rows)

    @invariant()
    def no_cap_is_exceeded(self):
        if not self.has_cap:
            return
        spent = Decimal(0)
        there = self.staged.there()
        reserved = {
            row["intent_id"]: Decimal(row["notional"] or 0)
            for row in self.staged.rows.execute("SELECT intent_id, notional FROM intent WHERE kind = 'order'")
        }
        for name, owner in self.staged.made_for.items():
            order = there.get(name)
            if owner not in reserved or order is None or not order.executed:
                continue
            if order.side == "buy":
                cost = Decimal(order.as_row()["executed_qty"]) * Decimal(order.as_row()["executed_vwap"] or 0)
                assert cost <= reserved[owner] * Decimal("1.000001"), "a buy cost more than was set aside for it"
            else:
                cost = reserved[owner]
            spent += cost
        assert spent <= HOUR_CAP, f"{spent} of {HOUR_CAP}"


if __name__ == "__main__":
    main(DeskMachine, make_template)
