"""The guard: caps hold under racing processes, live is opened by limits only, twins wait, cancels always pass."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tradehook.desk import guard
from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook.desk.limits import Limits
from tradehook.desk.questions import questions
from tradehook.desk.trading import scope_of
from tradehook.desk.worth import Ground
from tradehook.errors import GuardRefused, InvalidInput, OutcomeUnknown
from tradehook.models import Balance, NewOrder, OrderStatus, SizedOrder
from tradehook.run import run
from tradehook.transfers import NewTransfer, SizedTransfer

STORES = ("sqlite", "postgres")
BUY = NewOrder.of("BTC/PYUSD", side="buy", amount="$100")
FAR = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price=Decimal(50000))
SELL = NewOrder.of("BTC/PYUSD", side="sell", amount="0.001")
ON_CHAIN = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")


def account(desk) -> tuple[str, str]:
    return desk.exchange.host, run(desk.exchange.account_id())


def limit(desk, **fields):
    desk.journal.limits.set(*account(desk), Limits(**fields), by="test")


def refused(desk, order, name, **more) -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(order, intent_id=name, source="test", **more)
    return caught.value


# --- caps under racing processes --------------------------------------------------------------------------------

WORKER = """
import json
import sys
from decimal import Decimal
from sqlalchemy import update
from tradehook.desk.intents import State, this_owner, iso
from tradehook.desk.journal import Journal
from tradehook.desk.reserve import reserve
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import INTENT
from tradehook.desk.worth import Ground
from tradehook.errors import GuardRefused
from tradehook.models import SizedOrder
from datetime import UTC, datetime

number = int(sys.argv[1])
order = SizedOrder(
    base="BTC", quote="PYUSD", side="buy", quantity="10", unit="quote", typed="$10", reference_price="100"
)

def step(word):
    print(word, flush=True)
    if not sys.stdin.readline():
        sys.exit("whoever raced us is gone")

def race(url, locked, orders):
    journal = Journal.open(url)
    intents = []
    for each in range(orders):
        intent, _ = journal.prepare(
            f"w{number}-{each}", kind="order", exchange="true_markets", host="h", environment="sandbox",
            account="main", source="test", asked={"n": each},
        )
        intents.append(journal.settle(intent, order.to_dict()))
    step("ready")
    for intent in intents:
        try:
            if locked:
                journal.start(intent, to=State.SENDING, owner=this_owner(), account_id="me", ground=Ground())
                continue
            with reading(journal.engine) as connection:
                aside = reserve(connection, intent, account_id="me", ground=Ground())
        except GuardRefused:
            aside = None
        if not locked:
            step("looked")
            if aside is not None:
                with writing(journal.engine) as connection:
                    connection.execute(update(INTENT).where(INTENT.c.intent_id == intent.intent_id).values(
                        state="SENDING", account_id="me", owner=this_owner(), notional=str(aside),
                        sending_at=iso(datetime.now(UTC)),
                    ))
            step("sent")
    journal.close()
    step("done")

for line in sys.stdin:
    race(*json.loads(line))
"""


@pytest.fixture(scope="module")
def racers():
    """Eight processes that race as often as they are told to."""
    started = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        for number in range(8)
    ]
    yield started
    for worker in started:
        worker.stdin.close()
    ends = [worker.wait(60) for worker in started]
    for worker in started:
        worker.stdout.close()
    assert ends == [0] * 8


def race(racers, url: str, *, locked: bool, orders: int) -> None:
    """All of them begin every step at once."""

    def say(line: str) -> None:
        for worker in racers:
            worker.stdin.write(line + "\n")
            worker.stdin.flush()

    say(json.dumps([url, locked, orders]))
    for word in ["ready", *(() if locked else ("looked", "sent") * orders), "done"]:
        assert [worker.stdout.readline().strip() for worker in racers] == [word] * 8
        say("go")


def reserved(journal) -> Decimal:
    return sum(intent.notional for intent in journal.list(limit=500) if intent.state is State.SENDING)


@pytest.mark.parametrize(("field", "cap"), [("day", 250), ("hour", 250), ("in_flight", 25), ("orders_hour", 25)])
def test_eight_racing_processes_never_overspend_a_cap(racers, tmp_path, store, field, cap):
    url = store(tmp_path)
    with Journal.open(url) as journal:
        journal.limits.set("h", "me", Limits(unknowns=None, **{field: cap}), by="test")
        race(racers, url, locked=True, orders=6)  # 480 is wanted
        assert reserved(journal) == 250


def test_without_the_lock_the_same_race_overspends(racers, tmp_path, store):
    url = store(tmp_path)
    with Journal.open(url) as journal:
        journal.limits.set("h", "me", Limits(unknowns=None, day=50), by="test")
        race(racers, url, locked=False, orders=2)
        assert reserved(journal) == 80


# --- live -------------------------------------------------------------------------------------------------------


def test_a_live_account_is_opened_by_its_limits_and_closed_again(world):
    desk = world.desk(environment="live")
    error = refused(desk, BUY, "i-1")
    assert error.rule == "live"
    assert "tradehook go-live" in error.message
    limit(desk, live=False)
    assert refused(desk, BUY, "i-1").rule == "live"
    limit(desk, live=True)
    assert refused(desk, BUY, "i-1").rule == "asset"
    desk.journal.assets.allow(desk.exchange.host, "BTC", by="test")
    assert desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
    limit(desk, live=False)
    assert refused(desk, SELL, "i-2").rule == "live"
    assert world.orders_placed() == 1


def test_the_live_switch_of_another_account_opens_nothing(world):
    desk = world.desk(environment="live")
    desk.journal.limits.set(desk.exchange.host, "somebody else", Limits(live=True), by="test")
    assert refused(desk, BUY, "i-1").rule == "live"
    assert world.orders_placed() == 0


def test_an_account_that_is_not_live_any_more_can_still_cancel(world):
    desk = world.desk(environment="live")
    desk.journal.assets.allow(desk.exchange.host, "BTC", by="test")
    limit(desk, live=True, collar=None)
    order = desk.place_order(FAR, intent_id="i-1", source="test").order
    world.sandbox.clock.advance(2)
    limit(desk, live=False)
    desk.cancel_order(order.order_id)
    world.sandbox.clock.advance(2)
    assert desk.follow("i-1").status is OrderStatus.CANCELED


def test_an_account_that_never_was_live_cancels_nothing(world):
    with pytest.raises(GuardRefused) as caught:
        world.desk(environment="live").cancel_order("some-order")
    assert caught.value.rule == "live"


# --- limits over the whole way ----------------------------------------------------------------------------------


def test_without_limits_the_exchange_is_asked_nothing_for_them(world):
    desk = world.desk()
    desk.place_order(BUY, intent_id="i-1", source="test")
    assert world.sends("GET", "/prices") == 0
    assert desk.journal.get("i-1").notional == 100


def test_a_limit_refuses_before_anything_is_sent_and_the_intent_may_go_later(world):
    desk = world.desk()
    limit(desk, order=99)
    error = refused(desk, BUY, "i-1")
    assert (error.rule, error.limit, error.actual, error.exchange) == ("order", "99", "100", None)
    assert (desk.journal.get("i-1").state, world.sends("POST", "/orders")) == (State.PREPARED, 0)
    limit(desk, order=100)
    assert not desk.place_order(BUY, intent_id="i-1", source="test").is_stored
    assert world.orders_placed() == 1


def test_an_independent_price_is_asked_for_where_there_are_limits(world):
    desk = world.desk()
    limit(desk, order=1000)
    desk.place_order(SELL, intent_id="i-1", source="test")
    assert world.sends("GET", "/prices") == 1
    ground = next(event for event in desk.journal.events("i-1") if event["what"] == "sending")["ground"]
    assert Decimal(ground["price"]) > 0


def test_an_order_on_a_chain_is_held_against_the_collar_before_it_is_signed(world):
    desk = world.desk()
    settled = run(desk.exchange.size_order(ON_CHAIN))
    ticker = run(desk.exchange.prices.ticker("CBBTC")).price
    limit(desk, collar=50)
    desk.place_order(ON_CHAIN, intent_id="i-1", source="test")
    quote = desk.journal.get("i-1").last_order.chain_quote
    assert quote is None or quote.output
    limit(desk, collar=0)
    intent, _ = desk.journal.prepare(
        "i-2", kind="order", exchange="true_markets", host=desk.exchange.host, environment="sandbox", account="main",
        source="test", asked={},
    )  # fmt: skip
    intent = desk.journal.settle(intent, settled.to_dict())
    _, account_id = account(desk)
    cheap = Ground(price=ticker / 2)  # as if the market were at half of what we are asked to sign
    sending = desk.journal.start(intent, to=State.SENDING, owner="o:1:1", account_id=account_id, ground=cheap)
    created = run(desk.exchange.session.read(*_create(desk, settled)))
    held = desk.journal.move(sending, State.CREATED, made=created)
    with pytest.raises(GuardRefused) as caught:
        desk.journal.start(held, to=State.EXECUTING, owner="o:1:1", account_id=account_id)
    assert caught.value.rule == "collar"


def _create(desk, settled):
    write = desk.exchange.new_order(settled)
    return write.request, write.read


def test_a_transfer_above_its_cap_is_not_sent(world):
    desk = world.desk()
    host, _ = account(desk)
    address = "0x52908400098527886E0F7030069857D2E4169EE7"
    desk.journal.destinations.add(host, "cold", network="base", address=address, by="a", day_cap=Decimal(5))
    send = NewTransfer(asset="USDC", amount="6", to="cold", chain="base")
    with pytest.raises(GuardRefused) as caught:
        desk.create_transfer(send, intent_id="t-1", source="test")
    assert caught.value.rule == "destination_day"
    limit(desk, transfer=4)
    five = send.model_copy(update={"amount": NewTransfer(asset="USDC", amount="5", to="cold").amount})
    with pytest.raises(GuardRefused) as caught:
        desk.create_transfer(five, intent_id="t-2", source="test")
    assert caught.value.rule == "transfer"
    limit(desk, transfer=5)
    assert desk.create_transfer(five, intent_id="t-2", source="test").transfer.transfer_id


def test_a_price_that_cannot_be_had_is_left_out_and_what_needs_it_refuses(world):
    desk = world.desk(environment="live")
    desk.journal.assets.allow(desk.exchange.host, "BTC", by="test")
    limit(desk, live=True)
    world.fault("error_before", method="GET", path="/v1/defi/market/prices", status=404)
    assert refused(desk, BUY, "i-1").rule == "collar"
    assert desk.place_order(BUY, intent_id="i-1", source="test").order.order_id
    assert world.orders_placed() == 1


def test_a_price_told_for_another_address_is_no_price(world):
    desk = world.desk()
    limit(desk, order=1000)
    settled = run(desk.exchange.size_order(NewOrder.of("CBBTC/USDC", side="sell", amount="0.001", chain="base")))
    read = desk.exchange.prices.ticker
    told = {}

    async def with_place(symbol):
        ticker = await read(symbol)
        return ticker.model_copy(update={"candles": tuple(each.model_copy(update=told) for each in ticker.candles)})

    desk.exchange.prices.ticker = with_place
    for told, is_told in (
        ({}, True),  # by the symbol alone
        ({"chain": "base", "address": settled.base_address.lower()}, True),
        ({"chain": "solana", "address": settled.base_address}, False),
        ({"chain": "base", "address": "0x52908400098527886E0F7030069857D2E4169EE7"}, False),
    ):
        found = run(guard.survey(desk.exchange, desk.journal, settled=settled)).price
        assert (found is not None) is is_told, told


def test_what_is_not_settled_is_not_sent_where_there_are_limits(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        intent, _ = journal.prepare(
            "i-1", kind="order", exchange="true_markets", host="h", environment="sandbox", account="main",
            source="test", asked={},
        )  # fmt: skip
        journal.limits.set("h", "me", Limits(), by="test")
        with pytest.raises(GuardRefused) as caught:
            journal.start(intent, to=State.SENDING, owner="o:1:1", account_id="me")
        assert caught.value.rule == "worth"


# --- trading states ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("everything", [True, False])
def test_reducing_lets_sells_into_money_and_cancels_through(world, everything):
    desk = world.desk()
    resting = desk.place_order(FAR, intent_id="i-0", source="test").order
    scope = "*" if everything else scope_of(*account(desk))
    desk.journal.trading.set("REDUCING", scope=scope, by="ann", why="too much")
    error = refused(desk, BUY, "i-1")
    assert (error.rule, error.actual) == ("frozen", "REDUCING")
    assert "too much" in error.message
    desk.place_order(SELL, intent_id="i-2", source="test")
    world.sandbox.clock.advance(2)
    desk.cancel_order(resting.order_id)
    desk.journal.trading.set("HALTED", scope=scope, by="ann")
    assert refused(desk, SELL, "i-3").actual == "HALTED"
    desk.journal.trading.set("NORMAL", scope=scope, by="ann")
    assert desk.place_order(BUY, intent_id="i-1", source="test").order.order_id


def test_one_halted_account_does_not_stop_another(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        journal.trading.set("HALTED", scope=scope_of("h", "me"), by="ann", why="odd")
        assert journal.trading_state()["state"] == "NORMAL"
        states = [(each["scope"], each["state"], each["why"]) for each in journal.trading.list()]
        assert states == [("h/me", "HALTED", "odd")]
        journal.set_trading_state("HALTED", by="bob")
        assert [each["scope"] for each in journal.trading.list()] == ["*", "h/me"]
        with pytest.raises(InvalidInput, match="no trading state"):
            journal.trading.set("halted", by="ann")


# --- the same again ---------------------------------------------------------------------------------------------


def doubtful(world, desk, order, name, **more):
    world.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        desk.place_order(order, intent_id=name, source="test", **more)


def test_the_twin_of_what_is_in_doubt_is_refused(world):
    desk = world.desk()
    doubtful(world, desk, BUY, "i-1")
    error = refused(desk, BUY, "i-2")
    assert (error.rule, error.actual) == ("twin", "i-1")
    assert "tradehook intents show i-1" in error.message
    desk.place_order(SELL, intent_id="i-3", source="test")  # something else goes
    desk.journal.move(desk.journal.get("i-1"), State.REJECTED)
    desk.place_order(BUY, intent_id="i-2", source="test")


def test_a_tag_does_not_hide_a_twin(world):
    desk = world.desk()
    doubtful(world, desk, BUY, "i-1", is_unattended=True)
    assert desk.journal.get("i-1").sized.tag > 0
    assert refused(desk, BUY, "i-2", is_unattended=True).rule == "twin"
    assert refused(desk, BUY, "i-3").rule == "twin"


def test_doing_it_again_on_purpose_is_no_twin(world):
    desk = world.desk()
    doubtful(world, desk, BUY, "i-1")
    desk.journal.doubts.again(desk.journal.get("i-1"), by="ann", why="it was not there")
    assert desk.place_order(BUY, intent_id="i-1", source="test").intent_id == "i-1~2"


# --- questions --------------------------------------------------------------------------------------------------


def ask(desk, order, *, now=None, balances=()):
    settled = run(desk.exchange.size_order(order))
    host, account_id = account(desk)
    return questions(desk.journal.engine, settled, host=host, account_id=account_id, balances=balances, now=now)


def test_the_same_within_a_minute_is_asked_about_and_not_refused(world):
    desk = world.desk()
    assert ask(desk, BUY) == ()
    desk.place_order(BUY, intent_id="i-1", source="test")
    at = desk.journal.get("i-1").sending_at
    assert "same order was sent 60 s ago (intent i-1)" in ask(desk, BUY, now=at + timedelta(seconds=60))[0]
    assert ask(desk, BUY, now=at + timedelta(seconds=60, microseconds=1)) == ()
    assert ask(desk, SELL, now=at) == ()
    desk.place_order(BUY, intent_id="i-2", source="test")
    assert world.orders_placed() == 2


def sized(side="buy", quantity="100", unit="quote", price=None, reference_price="1000"):
    return SizedOrder(
        base="BTC", quote="PYUSD", side=side, quantity=quantity, unit=unit, price=price,
        reference_price=reference_price, typed="x",
    )  # fmt: skip


SEND = SizedTransfer(asset="BTC", asset_id="x", quantity="0.1", to="cold", address="y", network="bitcoin", typed="0.1")


@pytest.mark.parametrize(
    ("settled", "symbol", "enough"),
    [
        (sized(), "PYUSD", "200"),
        (sized(quantity="0.1", unit="base"), "PYUSD", "200"),
        (sized(quantity="0.1", unit="base", price="500"), "PYUSD", "100"),
        (sized("sell", quantity="0.1", unit="base"), "BTC", "0.2"),
        (sized("sell"), "BTC", "0.2"),
        (SEND, "BTC", "0.2"),
    ],
)
def test_a_large_share_of_what_is_there_is_asked_about(tmp_path, settled, symbol, enough):
    def asks(available, *, chain=None):
        held = Balance(symbol=symbol, chain=chain, total=available, available=available, held="0")
        return questions(journal.engine, settled, host="h", account_id="me", balances=[held])

    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        assert asks(enough) == ()
        less = Decimal(enough) - Decimal("0.0001")
        assert f"{symbol} that are available" in asks(less)[0]
        assert asks(less, chain="base") == ()  # that is something else
        journal.limits.set("h", "me", Limits(fat_finger_percent=None, fat_finger_times=None), by="test")
        assert asks(less) == ()


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_share_that_cannot_be_told_is_not_asked_about(tmp_path, side):
    unit = "base" if side == "buy" else "quote"
    settled = sized(side, quantity="5", unit=unit, reference_price=None)
    held = [Balance(symbol=name, total="1", available="1", held="0") for name in ("BTC", "PYUSD")]
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        assert questions(journal.engine, settled, host="h", account_id="me", balances=held) == ()


def test_the_desk_asks_with_the_balances_of_its_account(world):
    desk = world.desk()
    free = next(row.available for row in run(desk.exchange.balances()) if row.symbol == "PYUSD" and not row.chain)
    assert desk.questions(sized(quantity=free / 2)) == ()
    assert "are available" in desk.questions(sized(quantity=free / 2 + 1))[0]
    assert world.sends("POST", "/orders") == 0


def test_many_times_the_usual_is_asked_about(world):
    desk = world.desk()
    for number in range(5):
        small = NewOrder.of("BTC/PYUSD", side="buy", amount=f"${20 + number}")
        desk.place_order(small, intent_id=f"s-{number}", source="test")
    later = datetime.now(UTC) + timedelta(hours=1)
    assert ask(desk, NewOrder.of("BTC/PYUSD", side="buy", amount="$110"), now=later) == ()
    assert "5 orders" in ask(desk, NewOrder.of("BTC/PYUSD", side="buy", amount="$111"), now=later)[0]
