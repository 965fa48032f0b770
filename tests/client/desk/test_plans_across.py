"""Two exchanges rebalanced as one: a plan of both, each leg sent by its own account, once, whatever interrupts it."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from tradehook.desk import plans, team
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.submit import Desk
from tradehook.errors import (
    ConfigurationError,
    GuardRefused,
    IntentConflict,
    Interrupted,
    InvalidInput,
    OutcomeUnknown,
)
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.models import NewOrder
from tradehook.rebalance import Goal
from tradehook.run import run
from tradehook.testing import MemoryLine, Stopped
from tradehook.wire import Request, encode_json
from tradehook_sandbox import Sandbox

URL = "http://127.0.0.1:8787"
LOGIN = {"email": "demo@example.com", "password": "demo"}
# Both together: 1.5 BTC (about 101,000), 5 ETH (about 17,300) and 110,000 of cash, 100,000 of it at fin.
BOUGHT = Goal.of({"BTC": "44", "ETH": "55"}, quote="PYUSD", band="2", min_trade="25", reserve="0")
GOAL = Goal.of({"BTC": "5", "ETH": "85"}, quote="PYUSD", band="2", min_trade="25")
LEGS = {("sell", "fin", "BTC"), ("sell", "main", "BTC"), ("buy", "fin", "ETH"), ("buy", "main", "ETH")}


class Both:
    """One sandbox with both exchanges, one journal, and desks over them."""

    def __init__(self, folder):
        self.folder = folder
        self.sandbox = Sandbox(rate_limit=0)
        self.key = json.dumps(self.sandbox.key_file()).encode()
        self.lines = []
        self.desks = []

    def line(self, stop_at=None):
        self.lines.append(MemoryLine(self.sandbox.respond, clock=self.sandbox.clock, stop_at=stop_at))
        return self.lines[-1]

    def main(self, stop_at=None):
        signer = keys.parse(self.key, where="test")
        return TrueMarkets(self.line(stop_at), signer=signer, environment="sandbox", base_url=URL)

    def fin(self, stop_at=None, **options):
        dialect = Dialect.parse({**LOGIN, **options}, is_sandbox=True)
        return FinTrusted(self.line(stop_at), dialect=dialect, base_url=URL)

    def desk(self, exchange, name, *, journal="journal"):
        self.desks.append(Desk(exchange, journal=Journal.open(f"sqlite:///{self.folder}/{journal}.db"), account=name))
        return self.desks[-1]

    def pair(self, *, main_stops=None, fin_stops=None):
        return [self.desk(self.main(main_stops), "main"), self.desk(self.fin(fin_stops), "fin")]

    def plan(self, goal=GOAL):
        return team.make_across({"main": self.main(), "fin": self.fin()}, goal)

    def admin(self, method, path, body=None):
        content = encode_json(body) if body is not None else b""
        response = self.sandbox.handle(Request(method, f"{URL}/_sandbox/{path}", body=content))
        assert response.status < 300, response.body
        return json.loads(response.body)

    def fault(self, kind, path="/tx/spot/add", **more):
        self.admin("POST", "faults", {"method": "POST", "path": path, "kind": kind, "times": 1, **more})

    def placed(self):
        """How many orders are really there, at main and at fin, once everything that comes late has come."""
        self.sandbox.clock.advance(60)
        ledger = self.admin("GET", "ledger")
        assert ledger["balanced"] is True
        at_fin = [*self.admin("GET", "fintrusted/orders")["data"]]
        return ledger["orders"], len(at_fin)


@pytest.fixture
def both(tmp_path):
    made = Both(tmp_path)
    yield made
    for desk in made.desks:
        desk.close()


def carry_out(desks, goal=GOAL, *, intent_id="plan-1", **more):
    return plans.carry_out(desks[0], goal, intent_id=intent_id, source="test", others=desks[1:], **more)


def by_leg(outcome):
    return {(str(leg.leg.side), leg.leg.account, leg.leg.base): leg for leg in outcome.legs}


def test_both_together_reach_the_targets_and_each_step_is_told(both):
    told = []
    desks = both.pair()
    outcome = carry_out(desks, tell=told.append)
    assert outcome.state is State.ACCEPTED
    found = by_leg(outcome)
    assert set(found) == LEGS
    assert {key: leg.state for key, leg in found.items()} == {
        ("sell", "fin", "BTC"): "probably filled",
        ("sell", "main", "BTC"): "filled",
        ("buy", "fin", "ETH"): "probably filled",
        ("buy", "main", "ETH"): "filled",
    }
    assert "BTC -" in found["sell", "fin", "BTC"].order.evidence
    assert both.placed() == (2, 2)
    after = both.plan()
    assert after.legs == ()
    for held in after.holdings:
        assert abs(held.drift) <= 2
    assert any(line.startswith("1. sell") and "at fin: probably filled." in line for line in told)
    # The plan is one intent; each leg is one of its own account.
    journal = desks[0].journal
    intent = journal.get("plan-1")
    assert (intent.kind, intent.account, sorted(intent.asked["accounts"])) == ("plan", "fin", ["fin", "main"])
    for leg in outcome.legs:
        stored = journal.get(leg.intent_id)
        assert (stored.account, stored.parent_id) == (leg.leg.account, "plan-1")
        assert stored.exchange == {"main": "true_markets", "fin": "fintrusted"}[leg.leg.account]


def test_again_returns_what_is_stored_whatever_the_order_of_the_accounts(both):
    first = carry_out(both.pair())
    both.admin("POST", "prices", {"BTC": "90000", "walk": False})
    again = carry_out(both.pair()[::-1])
    assert again.is_stored
    assert again.plan == first.plan
    assert [(leg.state, leg.order) for leg in again.legs] == [(leg.state, leg.order) for leg in first.legs]
    assert both.placed() == (2, 2)


@pytest.mark.parametrize("where", ["main_stops", "fin_stops"])
@pytest.mark.parametrize("stop_at", range(1, 26))
def test_killed_anywhere_it_continues_the_frozen_plan_and_sends_nothing_twice(both, where, stop_at):
    desks = both.pair(**{where: stop_at})
    with suppress(Stopped, OutcomeUnknown):
        carry_out(desks)
    frozen = None
    with suppress(InvalidInput):
        frozen = desks[0].journal.get("plan-1").request
    both.admin("POST", "prices", {"BTC": "66000", "walk": False})
    try:
        outcome = carry_out(both.pair(), wait_seconds=90)
    except OutcomeUnknown:
        outcome = None
    sent = [
        json.dumps([request.path, request.body.decode()])
        for line in both.lines
        for request in line.sent
        if request.method == "POST" and request.path.endswith(("/orders", "/tx/spot/add"))
    ]
    assert len(sent) <= len(LEGS)
    at_main, at_fin = both.placed()
    assert at_main <= 2
    assert at_fin <= 2
    if outcome is not None:
        assert frozen is None or outcome.plan.to_dict() == frozen
        assert (at_main, at_fin) == (2, 2)


def test_a_failed_sell_stops_the_buys_of_its_own_account_alone(both):
    both.fault("error_before", status=400)
    outcome = carry_out(both.pair())
    found = by_leg(outcome)
    assert found["sell", "fin", "BTC"].state == "failed"
    assert found["buy", "fin", "ETH"].note == "it needed the money from selling BTC"
    assert found["buy", "main", "ETH"].state == "filled"
    assert (outcome.state, both.placed()) == (State.REJECTED, (2, 0))
    again = carry_out(both.pair())
    assert again.problems == outcome.problems
    assert both.placed() == (2, 0)


def test_a_sell_that_nobody_can_tell_stops_its_account_until_somebody_says_what_is_so(both, monkeypatch):
    """A deposit comes in while the sell is on its way: then the wallet shows nothing."""
    follow, calls = Desk.follow, []

    def meanwhile(desk, intent_id):
        if not calls:
            calls.append(intent_id)
            both.admin("POST", "fintrusted/deposit", {"coin": "BTC", "add": "2"})
        return follow(desk, intent_id)

    monkeypatch.setattr(Desk, "follow", meanwhile)
    outcome = carry_out(both.pair())
    found = by_leg(outcome)
    sell = found["sell", "fin", "BTC"]
    assert sell.state == "cannot tell"
    assert f"tradehook intents resolve {sell.intent_id} --as filled" in sell.note
    assert found["buy", "fin", "ETH"].note == "nobody can tell how an earlier leg ended"
    assert found["buy", "main", "ETH"].state == "filled", "main has nothing to do with it"
    assert (outcome.state, both.placed()) == (State.PREPARED, (2, 1))
    desks = both.pair()
    assert carry_out(desks).state is State.PREPARED
    assert both.placed() == (2, 1)
    desks[1].resolve(sell.intent_id, "filled", by="me", why="their page says so")
    done = carry_out(both.pair())
    assert done.state is State.ACCEPTED
    assert {leg.state for leg in done.legs} == {"filled", "probably filled"}
    assert both.placed() == (2, 2)


def test_a_sell_that_somebody_says_was_canceled_pays_for_nothing(both, monkeypatch):
    follow, calls = Desk.follow, []

    def meanwhile(desk, intent_id):
        if not calls:
            calls.append(intent_id)
            both.admin("POST", "fintrusted/deposit", {"coin": "BTC", "add": "2"})
        return follow(desk, intent_id)

    monkeypatch.setattr(Desk, "follow", meanwhile)
    desks = both.pair()
    sell = by_leg(carry_out(desks))["sell", "fin", "BTC"]
    # The money that came all the same is taken away again, so that what is there tells the truth of the word.
    hand = both.desk(both.fin(), "hand")
    hand.place_order(NewOrder.of("ETH/USDT", side="buy", amount="$60000"), intent_id="hand", source="test")
    both.sandbox.clock.advance(5)
    hand.follow("hand")
    desks[1].resolve(sell.intent_id, "canceled", by="me", why="their page says so")
    done = carry_out(both.pair())
    found = by_leg(done)
    assert (found["sell", "fin", "BTC"].state, found["buy", "fin", "ETH"].state) == ("failed", "not sent")
    assert done.state is State.REJECTED


def test_an_unknown_leg_stops_everything_and_is_held(both):
    both.fault("timeout_after")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            carry_out(both.pair())
    assert both.desks[0].journal.get("plan-1").state is State.PREPARED
    assert both.placed() == (0, 1)


def test_the_exchange_that_tells_nothing_is_rebalanced_alone_as_well(both):
    goal = Goal.of({"BTC": "20", "ETH": "50"}, quote="USDT", band="2")
    outcome = carry_out([both.desk(both.fin(), "fin")], goal)
    assert outcome.state is State.ACCEPTED
    assert [(str(leg.leg.side), leg.leg.account, leg.state) for leg in outcome.legs] == [
        ("sell", "", "probably filled"),
        ("buy", "", "probably filled"),
    ]
    again = carry_out([both.desk(both.fin(), "fin")], goal)
    assert [leg.state for leg in again.legs] == ["probably filled", "probably filled"]
    assert both.placed() == (0, 2)


def test_a_freeze_leaves_the_plan_to_be_continued(both):
    desks = both.pair()
    desks[0].journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused, match="frozen"):
        carry_out(desks)
    desks[0].journal.set_trading_state("NORMAL", by="test")
    assert carry_out(desks).state is State.ACCEPTED
    assert both.placed() == (2, 2)


def test_a_leg_shrinks_to_what_its_own_account_has(both):
    desks = both.pair()
    for desk in desks:
        desk.stop()
    with pytest.raises(Interrupted):
        carry_out(desks, BOUGHT)
    frozen = desks[0].journal.get("plan-1").request
    assert both.placed() == (0, 0)
    hand = both.desk(both.main(), "hand")
    hand.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="$6000"), intent_id="hand", source="test")
    both.sandbox.clock.advance(30)
    told = []
    outcome = carry_out(both.pair(), BOUGHT, tell=told.append)
    assert outcome.plan.to_dict() == frozen
    bought = by_leg(outcome)
    assert set(bought) == {("buy", "fin", "ETH"), ("buy", "main", "ETH")}
    at_main, at_fin = bought["buy", "main", "ETH"], bought["buy", "fin", "ETH"]
    assert (at_main.state, at_fin.state) == ("filled", "probably filled")
    assert at_main.order.filled * at_main.order.average_price < at_main.leg.order().amount.value - 4_000
    assert at_fin.order.quantity == at_fin.leg.order().amount.value, "what is missing at main is not made up for at fin"
    assert len([line for line in told if line.startswith("Made smaller")]) == 1


def test_accounts_with_different_journals_are_refused(both):
    desks = [both.desk(both.main(), "main"), both.desk(both.fin(), "fin", journal="other")]
    with pytest.raises(ConfigurationError, match="fin and main keep different journals"):
        carry_out(desks)
    assert both.placed() == (0, 0)


def test_one_account_under_two_names_is_refused(both):
    desks = [both.desk(both.fin(), "fin"), both.desk(both.fin(), "also")]
    with pytest.raises(InvalidInput, match="also and fin are the same account"):
        carry_out(desks)
    with pytest.raises(InvalidInput, match="same account"):
        team.make_across({"fin": both.fin(), "also": both.fin()}, GOAL)
    with pytest.raises(InvalidInput, match="named twice"):
        carry_out([both.desk(both.fin(), "fin"), both.desk(both.main(), "fin")])


def test_other_accounts_under_the_same_id_are_refused(both):
    carry_out(both.pair())
    with pytest.raises(IntentConflict):
        carry_out(both.pair()[1:])
    assert plans.accounts_before(both.desks[0].journal, "plan-1") == ("fin", "main")
    assert plans.accounts_before(both.desks[0].journal, "nothing") == ()
    assert both.placed() == (2, 2)


def test_where_market_buys_are_forbidden_it_is_said_and_only_sold(both):
    made = team.make_across({"main": both.main(), "fin": both.fin(market_buy_unit="forbid")}, GOAL)
    assert {(str(leg.side), leg.account) for leg in made.legs} == {("sell", "fin"), ("sell", "main"), ("buy", "main")}
    said = next(skip.why for skip in made.skips if skip.symbol == "ETH" and "missing" in skip.why)
    assert "TRADEHOOK_FINTRUSTED_MARKET_BUY_UNIT" in said


def test_each_account_has_cash_of_its_own(both):
    made = both.plan()
    assert {part.account: part.quote for part in made.parts} == {"fin": "USDT", "main": "PYUSD"}
    assert made.quote == "USD"
    assert {held.symbol: sorted(held.at) for held in made.holdings}["BTC"] == ["fin", "main"]
    assert run(team.owners({"main": both.main(), "fin": both.fin()}))["fin"].startswith("fintrusted 127.0.0.1:8787 ")


@pytest.mark.parametrize(("quote", "at_main"), [("PYUSD", "PYUSD"), ("USDT", "PYUSD"), ("USD", "PYUSD")])
def test_cash_that_an_account_does_not_trade_against_gives_way_to_its_own(both, quote, at_main):
    made = both.plan(GOAL.model_copy(update={"quote": quote}))
    assert {part.account: part.quote for part in made.parts} == {"fin": "USDT", "main": at_main}
    assert made.quote == "USD"


def test_the_cash_of_any_account_can_be_called_cash(both):
    assert both.plan(Goal.of({"BTC": "5", "ETH": "85", "CASH": "10"}, quote="USDT", band="2", min_trade="25")).legs
    with pytest.raises(InvalidInput, match="USDT is named twice"):
        Goal.of({"BTC": "5", "CASH": "10", "USDT": "85"}, quote="USDT")
