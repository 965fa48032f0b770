"""Previews: a price on a chain is an order that nobody signed, shown to nobody as one, and signed once while young."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import select, update

from tradehook import errors
from tradehook.desk.intents import iso
from tradehook.desk.previews import Previews, is_young
from tradehook.desk.tables import PREVIEW
from tradehook.errors import GuardRefused, InvalidInput, UnexpectedResponse
from tradehook.models import NewOrder, OrderStatus
from tradehook.run import run
from tradehook.wire import Response

STORES = ("sqlite", "postgres")


def buying(amount):
    return NewOrder.of("CBBTC/USDC", side="buy", amount=amount, chain="base")


BUY = buying("$100")
SELL = NewOrder.of("SOL/USDC", side="sell", amount="2", chain="solana")
AT_EXCHANGE = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")


def rows(desk):
    with desk.journal.engine.connect() as connection:
        return connection.execute(select(PREVIEW).order_by(PREVIEW.c.asked_at)).all()


def story(desk, intent_id="i-1"):
    return [event["what"] for event in desk.journal.events(intent_id)]


def answering(desk, change):
    """The exchange's answers, as they would be if it were another: `change` gets each request and what was answered."""
    line = desk.exchange.session.line
    respond = line.respond

    def changed(request):
        answer = respond(request)
        body = change(request, answer.response)
        if body is None:
            return answer
        return dataclasses.replace(answer, response=Response(answer.response.status, body=json.dumps(body).encode()))

    line.respond = changed


# --- what it is -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [BUY, SELL])
def test_a_preview_says_what_an_order_would_do_and_does_nothing(world, order):
    desk = world.desk()
    preview = desk.preview_order(order, source="test")
    assert (preview.sized.base, preview.sized.chain, preview.made.status) == (order.base, order.chain, "created")
    assert preview.quote.quantity == preview.sized.quantity
    assert preview.quote.output > 0
    assert preview.quote.fee is not None
    assert preview.quote.price_of(order.side) > 0
    (row,) = rows(desk)
    assert (row.preview_id, row.exchange_id, row.source) == (preview.preview_id, preview.made.order_id, "test")
    assert (row.account, row.used_by) == ("main", None)
    assert desk.journal.list() == []
    assert world.sends("POST", "/execute") == 0
    assert world.orders_placed() == 0


def test_what_was_settled_and_shown_is_what_is_previewed(world):
    desk = world.desk()
    half = run(desk.exchange.size_order(NewOrder.of("CBBTC/USDC", side="sell", amount="50%", chain="base")))
    assert desk.preview_order(half, source="test").sized == half


def test_only_an_order_on_a_chain_has_one(world):
    desk = world.desk()
    with pytest.raises(InvalidInput, match="Only an order on a chain has a preview"):
        desk.preview_order(AT_EXCHANGE, source="test")
    assert world.sends("POST", "/orders") == 0
    assert rows(desk) == []


# --- signing it -------------------------------------------------------------------------------------------------


def test_a_young_preview_is_what_is_signed(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    shown = []
    outcome = desk.place_order(
        BUY,
        intent_id="i-1",
        source="test",
        sized=preview.sized,
        preview=preview.preview_id,
        approve=lambda _sized, created: shown.append(created.order_id) is None,
    )
    assert outcome.order.order_id == preview.made.order_id
    assert shown == [preview.made.order_id]
    assert world.sends("POST", "/orders") == 1
    assert story(desk) == ["prepared", "preview", "sending", "created", "executing", "accepted"]
    assert [row.used_by for row in rows(desk)] == ["i-1"]
    assert world.orders_placed() == 1
    assert desk.follow("i-1").status is OrderStatus.FILLED


@pytest.mark.parametrize(("seconds", "is_signed"), [(19.9, True), (20.0, False)])
def test_twenty_seconds_later_another_one_is_made(world, seconds, is_signed):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    world.sandbox.clock.advance(seconds)
    outcome = desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    assert (outcome.order.order_id == preview.made.order_id) is is_signed
    assert world.sends("POST", "/orders") == (1 if is_signed else 2)
    assert world.orders_placed() == 1


def test_a_clock_that_was_set_back_makes_nothing_young():
    at = datetime.fromisoformat("2026-11-21T12:00:00+00:00")
    assert is_young(at, now=at.timestamp())
    assert not is_young(at, now=at.timestamp() - 0.1)


def test_it_is_signed_for_one_intent(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    first = desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    second = desk.place_order(BUY, intent_id="i-2", source="test", preview=preview.preview_id)
    assert first.order.order_id == preview.made.order_id != second.order.order_id
    assert desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id).is_stored
    assert world.sends("POST", "/orders") == 2
    assert world.orders_placed() == 2


@pytest.mark.parametrize("what", ["terms", "account", "host", "unknown", "unanswered", "dropped"])
def test_one_that_is_something_else_is_not_signed(world, what):
    desk = world.desk()
    preview = desk.preview_order(SELL if what == "terms" else BUY, source="test")
    changed = {"account": {"account_id": "x"}, "host": {"host": "x"}, "unanswered": {"exchange_id": None}}
    changed["dropped"] = {"made": None}
    if what in changed:
        with desk.journal.engine.begin() as connection:
            connection.execute(update(PREVIEW).values(changed[what]))
    named = "0" * 32 if what == "unknown" else preview.preview_id
    outcome = desk.place_order(BUY, intent_id="i-1", source="test", preview=named)
    assert outcome.order.order_id != preview.made.order_id
    assert "preview" not in story(desk)
    assert [row.used_by for row in rows(desk)] == [None]
    assert world.orders_placed() == 1


def test_somebody_elses_preview_is_not_signed(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    world.key = world.sandbox.key_file("somebody-else")
    other = world.desk()
    outcome = other.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    assert outcome.order.order_id != preview.made.order_id
    assert world.orders_placed() == 1


def test_whoever_died_with_a_preview_begins_anew(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")

    def crash(_sized, _created):
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id, approve=crash)
    again = world.desk().place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    assert again.order.order_id != preview.made.order_id
    assert story(desk).count("preview") == 1
    assert world.sends("POST", "/orders") == 2
    assert world.orders_placed() == 1


def test_all_that_holds_for_an_order_holds_for_a_preview_that_is_signed(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id, approve=lambda *_: False)
    assert caught.value.rule == "approval"
    preview = desk.preview_order(BUY, source="test")
    bounded = BUY.model_copy(update={"max_slippage": Decimal("0.001")})
    with pytest.raises(GuardRefused) as caught:
        desk.place_order(bounded, intent_id="i-2", source="test", preview=preview.preview_id)
    assert caught.value.rule == "slippage"
    preview = desk.preview_order(BUY, source="test")
    made = json.loads(rows(desk)[-1].made)
    made["chain_quote"]["quantity"] = "101"
    with desk.journal.engine.begin() as connection:
        mine = PREVIEW.c.preview_id == preview.preview_id
        connection.execute(update(PREVIEW).where(mine).values(made=json.dumps(made)))
    with pytest.raises(errors.PayloadMismatch, match="it takes 101, 100 was ordered"):
        desk.place_order(BUY, intent_id="i-3", source="test", preview=preview.preview_id)
    preview = desk.preview_order(BUY, source="test")
    desk.journal.set_trading_state("HALTED", by="me")
    with pytest.raises(GuardRefused, match="frozen"):
        desk.place_order(BUY, intent_id="i-4", source="test", preview=preview.preview_id)
    assert world.sends("POST", "/execute") == 0
    assert world.orders_placed() == 0


# --- who may ask, and how often ---------------------------------------------------------------------------------


def test_six_a_minute_over_all_processes_of_a_journal(world):
    desks = [world.desk(), world.desk()]
    for number in range(6):
        desks[number % 2].preview_order(BUY, source="test")
        world.sandbox.clock.advance(1)
    first = datetime.fromisoformat(rows(desks[0])[0].asked_at)
    for desk in desks:
        with pytest.raises(GuardRefused) as caught:
            desk.preview_order(BUY, source="test")
        refused = caught.value
        assert (refused.rule, refused.limit, refused.actual) == ("previews", "6", "6")
        assert refused.frees_at == iso(first + timedelta(minutes=1))
        assert f"The next is possible at {first + timedelta(minutes=1):%H:%M:%S} UTC" in refused.message
    assert world.sends("POST", "/orders") == 6
    world.sandbox.clock.advance(53.9)
    with pytest.raises(GuardRefused):
        desks[0].preview_order(BUY, source="test")
    world.sandbox.clock.advance(0.1)
    desks[1].preview_order(BUY, source="test")
    # An order needs no preview, and is not held up by their number.
    desks[0].place_order(BUY, intent_id="i-1", source="test")
    # Another account has six of its own.
    world.key = world.sandbox.key_file("somebody-else")
    with pytest.raises(errors.InsufficientFunds):
        world.desk().preview_order(buying("$9999"), source="test")


def test_what_may_not_be_sent_is_not_previewed(world):
    desk = world.desk()
    host = desk.exchange.host
    desk.journal.assets.allow(
        host, "SOL", by="me", chain="solana", address="So1111111111111111111111111111111111111111X"
    )
    with pytest.raises(GuardRefused) as caught:
        desk.preview_order(SELL, source="test")
    assert caught.value.rule == "asset"
    desk.journal.set_trading_state("HALTED", by="me")
    with pytest.raises(GuardRefused) as caught:
        desk.preview_order(BUY, source="test")
    assert caught.value.rule == "frozen"
    desk.journal.set_trading_state("NORMAL", by="me")
    desk.stop()
    with pytest.raises(errors.Interrupted):
        desk.preview_order(BUY, source="test")
    desk.close()
    with pytest.raises(errors.ConfigurationError, match="closed"):
        desk.preview_order(BUY, source="test")
    with pytest.raises(GuardRefused) as caught:
        world.desk(environment="live").preview_order(BUY, source="test")
    assert caught.value.rule == "live"
    assert world.sends("POST", "/orders") == 0
    assert rows(world.desk()) == []


# --- what may go wrong ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ({"kind": "error_before", "status": 503}, errors.Unavailable),
        ({"kind": "error_after", "status": 503}, errors.Unavailable),
        ({"kind": "timeout_after"}, errors.TimedOut),
        ({"kind": "garbled"}, errors.UnexpectedResponse),
        ({"kind": "rate_limited"}, errors.RateLimited),
        ({"kind": "edge_html"}, errors.EdgeBlocked),
        ({"kind": "error_before", "status": 400}, errors.InvalidOrder),
    ],
)
def test_one_without_an_answer_leaves_no_doubt_and_may_be_asked_for_again(world, fault, kind):
    desk = world.desk()
    world.fault(**fault)
    with pytest.raises(kind):
        desk.preview_order(BUY, source="test")
    (row,) = rows(desk)
    assert (row.exchange_id, row.made, row.used_by) == (None, None, None)
    assert desk.reconcile() == []
    preview = desk.preview_order(BUY, source="test")
    assert desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id).order.order_id
    assert world.orders_placed() == 1


def test_a_dead_token_costs_no_second_preview(world):
    desk = world.desk()
    desk.preview_order(BUY, source="test")
    world.fault("error_before", status=401)
    assert desk.preview_order(BUY, source="test").made.awaits_signature
    assert len(rows(desk)) == 2


def test_an_order_that_needs_no_signature_is_told_and_hidden_from_nobody(world, caplog):
    desk = world.desk()

    def pending(request, response):
        if request.method == "POST" and request.path.endswith("/orders"):
            return {**response.json(), "payloads": [], "status": "pending"}
        return None

    answering(desk, pending)
    with pytest.raises(UnexpectedResponse, match="may have been carried out"):
        desk.preview_order(BUY, source="test")
    assert "needs no signature" in caplog.text
    (row,) = rows(desk)
    assert row.exchange_id is None
    order_id = json.loads(row.made)["order_id"]
    assert Previews(desk.journal.engine).unsigned(desk.exchange.host, [order_id]) == set()
    assert desk.journal.doubts.bound(desk.exchange.host, [order_id]) == set()


def test_an_id_that_was_told_before_is_no_preview(world):
    desk = world.desk()
    told = []

    def same(request, response):
        if request.method == "POST" and request.path.endswith("/orders"):
            told.append(response.json())
            return told[0]
        return None

    answering(desk, same)
    first = desk.preview_order(BUY, source="test")
    with pytest.raises(UnexpectedResponse, match=first.made.order_id):
        desk.preview_order(BUY, source="test")
    assert [row.exchange_id for row in rows(desk)] == [first.made.order_id, None]


@pytest.mark.parametrize("has_quote", [True, False])
def test_one_that_could_not_be_signed_is_refused(make_world, has_quote):
    world = make_world(keep_order_with_issues=True)
    desk = world.desk()
    amount, why = "$1001", "insufficient balance"
    if not has_quote:
        amount, why = "$100", "it did not say what comes out"
        answering(
            desk,
            lambda request, response: {**response.json(), "quote": None} if request.path.endswith("/orders") else None,
        )
    with pytest.raises(errors.InvalidOrder, match=why):
        desk.preview_order(buying(amount), source="test")
