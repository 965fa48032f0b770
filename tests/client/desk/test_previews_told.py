"""Previews where money is real, and what is told of one that is no preview: who, what, which rule."""

from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest
from sqlalchemy import update
from tests.client.desk.test_previews import AT_EXCHANGE, BUY, SELL, answering, buying, rows

from tradehook import errors
from tradehook.desk.limits import Limits
from tradehook.desk.previews import PREVIEW_SECONDS, Previews, is_young
from tradehook.desk.tables import INTENT
from tradehook.desk.trading import EVERYWHERE, scope_of
from tradehook.errors import GuardRefused, InvalidInput, InvalidOrder, UnexpectedResponse
from tradehook.run import run


def as_made(desk, of_quote=None, **changed):
    """The exchange's answers to what is asked for, as they would be if it were another."""

    def change(request, response):
        if request.method != "POST" or not request.path.endswith("/orders"):
            return None
        body = {**response.json(), **changed}
        return {**body, "quote": {**body["quote"], **of_quote}} if of_quote else body

    answering(desk, change)


def opened(world, **limits):
    """A desk of a live account, that was opened and may trade what the orders here are of."""
    desk = world.desk(environment="live")
    desk.journal.limits.set(desk.exchange.host, run(desk.exchange.account_id()), Limits(live=True, **limits), by="me")
    sized = run(desk.exchange.size_order(BUY))
    for symbol, address in ((sized.base, sized.base_address), (sized.quote, sized.quote_address)):
        desk.journal.assets.allow(desk.exchange.host, symbol, chain="base", address=address, by="me")
    return desk


# --- where money is real ------------------------------------------------------------------------------------------


def test_a_live_account_that_was_opened_has_previews(world):
    assert opened(world).preview_order(BUY, source="test").made.awaits_signature


def test_one_that_was_closed_again_has_none(world):
    desk = opened(world)
    desk.journal.limits.set(desk.exchange.host, run(desk.exchange.account_id()), Limits(), by="me")
    with pytest.raises(GuardRefused) as caught:
        desk.preview_order(BUY, source="test")
    assert caught.value.rule == "live"
    assert world.sends("POST", "/orders") == 0


@pytest.mark.parametrize(("order", "rule"), [(SELL, "asset"), (BUY, None)], ids=["SOL", "CBBTC"])
def test_live_only_what_is_on_the_list_has_one(world, order, rule):
    desk = opened(world)
    if rule is None:
        desk.preview_order(order, source="test")
        for asset in desk.journal.assets.list(desk.exchange.host):
            desk.journal.assets.remove(desk.exchange.host, asset.symbol, chain=asset.chain, by="me")
    with pytest.raises(GuardRefused) as caught:
        desk.preview_order(order, source="test")
    assert caught.value.rule == "asset"


@pytest.mark.parametrize("scope", ["all", "account", "another host", "another account"])
@pytest.mark.parametrize("state", ["REDUCING", "HALTED"])
def test_a_freeze_holds_for_previews_as_for_orders(world, scope, state):
    """While only less may be had, a sale has its preview and a purchase has none."""
    desk = world.desk()
    host, account_id = desk.exchange.host, run(desk.exchange.account_id())
    places = {
        "all": EVERYWHERE,
        "account": scope_of(host, account_id),
        "another host": scope_of("x", account_id),
        "another account": scope_of(host, "x"),
    }
    desk.journal.trading.set(state, by="me", scope=places[scope])
    is_elsewhere = scope.startswith("another")
    for order in (BUY, SELL):
        if is_elsewhere or (state == "REDUCING" and order is SELL):
            assert desk.preview_order(order, source="test").made.awaits_signature
        else:
            with pytest.raises(GuardRefused) as caught:
                desk.preview_order(order, source="test")
            assert caught.value.rule == "frozen"


def test_unsigned_means_at_this_exchange(world):
    desk = world.desk()
    order_id = desk.preview_order(BUY, source="test").made.order_id
    desk.place_order(AT_EXCHANGE, intent_id="i-1", source="test")
    previews, host = Previews(desk.journal.engine), desk.exchange.host
    assert previews.unsigned(host, [order_id]) == {order_id}
    assert previews.unsigned("x", [order_id]) == set()
    for intent, is_unsigned in (({"host": "x", "exchange_id": order_id}, True), ({"host": host}, False)):
        with desk.journal.engine.begin() as connection:
            connection.execute(update(INTENT).values(intent))
        assert (previews.unsigned(host, [order_id]) == {order_id}) is is_unsigned


def test_what_was_claimed_and_not_signed_is_unsigned_whatever_else_was_signed(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    with pytest.raises(GuardRefused):
        desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id, approve=lambda *_: False)
    assert [row.used_by for row in rows(desk)] == ["i-1"]
    desk.place_order(SELL, intent_id="i-2", source="test")
    assert "executing" in [event["what"] for event in desk.journal.events("i-2")]
    with desk.journal.engine.begin() as connection:
        connection.execute(update(INTENT).where(INTENT.c.intent_id == "i-1").values(exchange_id=None))
    unsigned = Previews(desk.journal.engine).unsigned(desk.exchange.host, [preview.made.order_id])
    assert unsigned == {preview.made.order_id}


# --- what is told -------------------------------------------------------------------------------------------------


def test_when_it_was_asked_for_is_told_and_by_whom(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="x" * 300)
    assert preview.asked_at == datetime.fromtimestamp(world.sandbox.clock.now(), UTC)
    assert is_young(preview.asked_at, now=world.sandbox.clock.now() + PREVIEW_SECONDS - 1)
    (row,) = rows(desk)
    assert row.source == "x" * 255
    assert datetime.fromisoformat(row.asked_at) == preview.asked_at == datetime.fromisoformat(row.made_at)


def test_the_story_of_what_was_signed_names_its_preview(world):
    desk = world.desk()
    preview = desk.preview_order(BUY, source="test")
    desk.place_order(BUY, intent_id="i-1", source="test", preview=preview.preview_id)
    (told,) = [event for event in desk.journal.events("i-1") if event["what"] == "preview"]
    assert (told["preview_id"], told["order_id"]) == (preview.preview_id, preview.made.order_id)
    assert datetime.fromisoformat(rows(desk)[0].used_at).timestamp() == world.sandbox.clock.now()


def test_an_order_at_the_exchange_is_told_what_to_do_instead(world):
    desk = world.desk()
    with pytest.raises(InvalidInput) as caught:
        desk.preview_order(AT_EXCHANGE, source="test")
    assert caught.value.exchange == "true_markets"
    assert caught.value.message == (
        "Only an order on a chain has a preview: any other would be placed by asking. Ask for a quote instead."
    )


def test_what_needs_no_signature_is_told_with_its_number(world, caplog):
    desk = world.desk()
    as_made(desk, payloads=[], status="pending")
    with caplog.at_level(logging.ERROR), pytest.raises(UnexpectedResponse) as caught:
        desk.preview_order(BUY, source="test")
    (row,) = rows(desk)
    order_id = json.loads(row.made)["order_id"]
    told = [record.message for record in caplog.records if record.levelno >= logging.ERROR]
    assert told == [f"Preview {row.preview_id} came back as order {order_id}, which needs no signature."]
    assert caught.value.exchange == "true_markets"
    assert f"`tradehook order show {order_id}`" in caught.value.message


@pytest.mark.parametrize("amount", ["$1001", "$100"], ids=["with issues", "without a quote"])
def test_what_could_not_be_signed_is_the_exchanges_no(make_world, amount):
    world = make_world(keep_order_with_issues=True)
    desk = world.desk()
    if amount == "$100":
        as_made(desk, quote=None)
    with pytest.raises(InvalidOrder) as caught:
        desk.preview_order(buying(amount), source="test")
    error = caught.value
    assert (error.status, error.code, error.exchange) == (201, "issues", "true_markets")
    why = "it did not say what comes out" if amount == "$100" else "insufficient balance"
    assert error.message == f"True Markets made no order that could be signed: {why}. Nothing was traded."


def test_several_issues_are_told_one_after_the_other(world):
    desk = world.desk()
    as_made(desk, of_quote={"issues": ["too thin", "too late"]})
    with pytest.raises(InvalidOrder, match=r"signed: too thin; too late\. Nothing"):
        desk.preview_order(BUY, source="test")


def test_an_answer_that_names_an_old_order_names_the_exchange(world):
    desk = world.desk()
    first = desk.preview_order(BUY, source="test").made.order_id
    as_made(desk, order_id=first)
    with pytest.raises(UnexpectedResponse) as caught:
        desk.preview_order(BUY, source="test")
    assert caught.value.message == (
        f"{desk.exchange.host} named an order that it had made before, {first}. Nothing was traded."
    )


def test_a_second_token_is_the_last_try(world):
    """What was asked for once more may have been made: it is not asked for a third time."""
    desk = world.desk()
    world.fault("error_before", status=401)
    world.fault("error_after", status=503, times=9)
    with pytest.raises(errors.Unavailable):
        desk.preview_order(BUY, source="test")
    first, second = (one for one in world.lines[0].sent if one.method == "POST" and one.path.endswith("/orders"))
    assert first.headers != second.headers  # signed in anew
    assert [row.exchange_id for row in rows(desk)] == [None]


def test_nothing_that_comes_out_is_no_price(world):
    desk = world.desk()
    as_made(desk, of_quote={"qty_out": "0"})
    with pytest.raises(InvalidOrder, match="it did not say what comes out"):
        desk.preview_order(BUY, source="test")
