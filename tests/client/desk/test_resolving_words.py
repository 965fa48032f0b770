"""What a person hears whose word about a doubt is not believed, word for word, and what is kept of a word that is."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.client.desk.test_attempts import ON_CHAIN
from tests.client.desk.test_create_transfer import AT_EXCHANGE, add_destinations
from tests.client.desk.test_create_transfer import ON_CHAIN as TRANSFER
from tests.client.desk.test_reconcile import BUY, FAR, lose, place_by_hand, state

from tradehook.desk.intents import State
from tradehook.desk.resolving import check_again, check_word
from tradehook.errors import GuardRefused, IntentConflict, Interrupted, InvalidInput, OutcomeUnknown, Rejected

NOBODY = "11111111-2222-4333-8444-555555555555"


def said(desk, word, intent_id="i-1", kind=InvalidInput):
    with pytest.raises(kind) as caught:
        desk.resolve(intent_id, word, by="ana")
    return caught.value.message


def halted(world, order=BUY):
    """A desk with an intent of which nothing was sent."""
    desk = world.desk()
    desk.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused):
        desk.place_order(order, intent_id="i-1", source="test")
    return desk


@pytest.fixture
def doubt(world):
    desk = world.desk()
    world.fault("error_before", status=503)
    lose(world, desk)
    return desk


@pytest.fixture
def late(world, doubt):
    """The same doubt, when nothing can arrive any more."""
    world.sandbox.clock.advance(4000)
    return doubt


# --- words that say nothing -------------------------------------------------------------------------------------


def test_a_word_that_is_none_is_told_with_those_that_are(doubt):
    for word in ("maybe", "placed", "placed:", "again:1", "filled:x"):
        assert said(doubt, word) == f"{word!r} is none of placed:ID, not-placed or again."
    assert said(doubt, "x" * 200) == f"'{'x' * 80}' is none of placed:ID, not-placed or again."
    with pytest.raises(InvalidInput) as caught:
        doubt.resolve("i-1", "maybe", by="ana")
    assert caught.value.details["suggestions"] == ("placed:ID", "not-placed", "again")


@pytest.mark.parametrize("word", ["not-placed", "again"])
def test_before_the_horizon_it_is_told_until_when_nobody_can_know(world, doubt, word):
    until = doubt.journal.get("i-1").looking_until.timestamp()
    world.sandbox.clock.advance(until - world.sandbox.clock.now())
    assert said(doubt, word) == (
        "What was sent for intent i-1 can still arrive until 15:13:50 UTC. Before that nobody can know that it is not "
        f"placed: say `--as {word}` after it, or `--as placed:ID` now."
    )
    world.sandbox.clock.advance(1)
    assert doubt.resolve("i-1", word, by="ana").state in (State.REJECTED, State.PREPARED)


def test_how_an_order_ended_is_for_exchanges_that_do_not_tell(world, doubt):
    untold = "`--as filled` is for orders that the exchange took and tells no more of; intent i-1 is none of those."
    assert said(doubt, "filled") == untold
    doubt.resolve("i-1", f"placed:{place_by_hand(world, BUY)}", by="ana")
    once_more = " To let the same happen once more: tradehook intents again i-1 --why WHY"
    assert said(doubt, "filled") == untold + once_more
    assert said(doubt, "canceled") == untold.replace("filled", "canceled") + once_more


@pytest.mark.parametrize(
    ("state_", "reads", "following"),
    [
        (State.PREPARED, "PREPARED", " Nothing was sent for it; whoever asked may simply ask again."),
        (State.ACCEPTED, None, " To let the same happen once more: tradehook intents again i-1 --why WHY"),
        (State.REJECTED, "REJECTED", " To let the same happen once more: tradehook intents again i-1 --why WHY"),
    ],
)
def test_where_there_is_no_doubt_what_to_do_instead_is_told(world, state_, reads, following):
    desk = halted(world) if state_ is State.PREPARED else world.desk()
    if state_ is State.ACCEPTED:
        desk.place_order(BUY, intent_id="i-1", source="test")
    elif state_ is State.REJECTED:
        world.fault("error_before", status=400)
        with pytest.raises(Rejected):
            desk.place_order(BUY, intent_id="i-1", source="test")
    intent = desk.journal.get("i-1")
    message = f"Intent i-1 is {reads or intent.standing}; there is no doubt to end.{following}"
    assert said(desk, "not-placed") == message
    with pytest.raises(InvalidInput) as caught:
        check_word(intent, "placed:x", now=world.sandbox.clock.now() + 10_000)
    assert caught.value.message == message


def test_what_is_being_sent_is_no_doubt_until_its_token_is_dead(world):
    desk, other = world.desk(), world.desk()
    heard = []

    def approve(_sized, _created):
        heard.append(said(other, "not-placed"))
        return True

    desk.place_order(ON_CHAIN, intent_id="i-1", source="test", approve=approve)
    assert heard == ["Intent i-1 is CREATED; there is no doubt to end. It is being sent right now."]


@pytest.mark.parametrize("word", ["not-placed", "again"])
def test_a_sender_that_stands_still_longer_than_its_token_lives_is_ended_by_a_word(world, word):
    slow, other = world.desk(), world.desk()
    send = slow.exchange.session.send_once
    ended = []

    async def stopped(request):
        if request.method == "POST" and request.path.endswith("/orders") and not ended:
            with pytest.raises(InvalidInput, match="Intent i-1 is SENDING; there is no doubt to end"):
                other.resolve("i-1", word, by="ana")
            world.sandbox.clock.advance(4000)
            ended.append(other.resolve("i-1", word, by="ana", why="it hung").state)
        return await send(request)

    slow.exchange.session.send_once = stopped
    told = "could not be sent within 60 s" if word == "again" else "ana looked and said that it was not placed: it hung"
    with pytest.raises(Interrupted if word == "again" else Rejected, match=told):
        slow.place_order(BUY, intent_id="i-1", source="test")
    assert ended == [State.PREPARED if word == "again" else State.REJECTED]
    assert [event["what"] for event in slow.journal.events("i-1")][:4] == [
        "prepared", "sending", "interrupted", "resolved",
    ]  # fmt: skip
    assert world.orders_placed() == 0


# --- orders that are not it -------------------------------------------------------------------------------------


def test_an_order_that_is_not_it_is_told_with_what_shows_both(world, doubt):
    other = place_by_hand(world, FAR)
    assert said(doubt, f"placed:{other}") == (
        f"Order {other} is not what was sent for intent i-1: compare `tradehook order show {other}` with `tradehook "
        "intents show i-1`."
    )
    assert said(doubt, f"placed:{NOBODY}") == f"True Markets has no order {NOBODY}. `tradehook orders` shows them."
    bound = doubt.place_order(FAR, intent_id="i-2", source="test").order.order_id
    message = f"Order {bound} belongs to intent i-2 already."
    assert said(doubt, f"placed:{bound}", kind=IntentConflict) == message
    assert state(doubt) is State.UNKNOWN


def test_a_transfer_that_is_not_it_is_told_with_what_shows_both(world):
    desk = world.desk()
    add_destinations(desk)
    world.fault("error_before", path="/transfers", status=503)
    with pytest.raises(OutcomeUnknown):
        desk.create_transfer(AT_EXCHANGE, intent_id="i-1", source="test")
    other = desk.create_transfer(TRANSFER, intent_id="t-2", source="test").transfer.transfer_id
    message = f"Transfer {other} belongs to intent t-2 already."
    assert said(desk, f"placed:{other}", kind=IntentConflict) == message
    message = f"True Markets has no transfer {NOBODY}. `tradehook transfers` shows them."
    assert said(desk, f"placed:{NOBODY}") == message


def test_what_changed_while_a_person_decided_is_told(world, late):
    other = world.desk()
    move = late.journal.move

    def meanwhile(*given, **more):
        late.journal.move = move
        other.resolve("i-1", "again", by="ben")
        return move(*given, **more)

    late.journal.move = meanwhile
    message = "Intent i-1 changed meanwhile. Look at it again, then say it again."
    assert said(late, "not-placed", kind=IntentConflict) == message
    assert state(late) is State.PREPARED


# --- words that are believed ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("why", "message"),
    [
        ("", "ana looked and said that it was not placed."),
        ("support said so", "ana looked and said that it was not placed: support said so"),
    ],
)
def test_not_placed_is_kept_with_who_and_why(late, why, message):
    ended = late.resolve("i-1", "not-placed", by="ana", why=why)
    word = {"how": "person", "by": "ana", "why": why, "said": "not-placed"}
    assert (ended.state, ended.resolution) == (State.REJECTED, word)
    with pytest.raises(Rejected) as caught:
        late.place_order(BUY, intent_id="i-1", source="test")
    assert (caught.value.message, caught.value.exchange) == (message, "true_markets")
    event = late.journal.events("i-1")[-1]
    assert {name: event[name] for name in ("what", "from", *word)} == {"what": "resolved", "from": "UNKNOWN", **word}


def test_again_is_kept_with_who_and_why(late):
    ended = late.resolve("i-1", "again", by="ana", why="looked twice")
    word = {"how": "person", "by": "ana", "why": "looked twice", "said": "again"}
    event = late.journal.events("i-1")[-1]
    assert (ended.state, ended.resolution) == (State.PREPARED, word)
    assert {name: event[name] for name in ("what", "from", *word)} == {"what": "resolved", "from": "UNKNOWN", **word}


# --- once more --------------------------------------------------------------------------------------------------


def test_only_what_has_come_to_an_end_can_happen_once_more(world, doubt):
    with pytest.raises(InvalidInput) as caught:
        check_again(doubt.journal.get("i-1"))
    assert caught.value.message == (
        "Intent i-1 is UNKNOWN; only what has come to an end can happen once more. End the doubt first: tradehook "
        "intents resolve i-1 --as placed:ID"
    )
    intent = doubt.journal.get("i-1")
    with pytest.raises(InvalidInput, match=r"^Intent i-1 is NEEDS_HUMAN; .* End the doubt first"):
        check_again(replace(intent, state=State.NEEDS_HUMAN))
    assert doubt.resolve("i-1", f"placed:{place_by_hand(world, BUY)}", by="ana").sized.quantity == Decimal("0.001")
    check_again(doubt.journal.get("i-1"))


def test_what_was_not_sent_can_simply_be_asked_for_again(world):
    desk = halted(world)
    with pytest.raises(InvalidInput) as caught:
        check_again(desk.journal.get("i-1"))
    assert caught.value.message == (
        "Intent i-1 is PREPARED; only what has come to an end can happen once more. Nothing was sent for it; whoever "
        "asked may simply ask again."
    )
