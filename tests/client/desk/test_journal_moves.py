"""What each change of an intent stores, what its story says of it, and whom it leaves alone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.client.desk.test_journal_rows import change, prepare

from tradehook.desk import events
from tradehook.desk.intents import State, error_to_dict, iso
from tradehook.desk.journal import Journal
from tradehook.desk.schema import writing
from tradehook.desk.tables import EVENT
from tradehook.desk.worth import Ground
from tradehook.errors import GuardRefused, IntentConflict, Rejected
from tradehook.models import Order, OrderStatus, SizedOrder

LONG_AGO = "2026-01-01T00:00:00.000000Z"
ERROR = error_to_dict(Rejected("Too small.", exchange="true_markets", status=400))
OTHER_ERROR = {**ERROR, "message": "Too large."}
ORDER = SizedOrder(base="BTC", quote="PYUSD", side="buy", quantity="0.5", unit="base", typed="0.5 BTC")
GROUND = Ground(price=Decimal(7), quote_price=Decimal(1))


@pytest.fixture
def journal(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield opened


def made(order_id="o-1", status=OrderStatus.OPEN, **more):
    return Order(order_id=order_id, status=status, exchange_status="x", **more)


def ready(journal, intent_id="i-1"):
    """An intent that may be sent, prepared long ago."""
    intent = journal.settle(prepare(journal, intent_id)[0], ORDER.to_dict(), account_id="u")
    change(journal, intent_id, created_at=LONG_AGO, updated_at=LONG_AGO)
    return intent


def start(journal, intent, **more):
    return journal.start(intent, **{"to": State.SENDING, "owner": "o:1:1", "account_id": "u", "ground": GROUND, **more})


def story(journal, intent_id="i-1"):
    """What happened, without when."""
    return [{name: said for name, said in event.items() if name != "at"} for event in journal.events(intent_id)]


def is_fresh(at) -> bool:
    return datetime.now(UTC) - at < timedelta(minutes=5)


def test_the_first_to_settle_wins_and_nobody_else_is_touched(journal):
    first, other = prepare(journal)[0], prepare(journal, "i-2")[0]
    change(journal, "i-1", updated_at=LONG_AGO)
    settled = journal.settle(first, {"amount": "1"}, account_id="u")
    assert (settled.request, settled.account_id, is_fresh(settled.updated_at)) == ({"amount": "1"}, "u", True)
    assert journal.get("i-1") == settled
    assert journal.settle(first, {"amount": "2"}, account_id="v") == settled
    assert journal.settle(other, {"amount": "3"}).account_id is None
    assert journal.get("i-1") == settled


def test_who_sends_takes_it_and_nobody_else_has_it_any_more(journal):
    intent = ready(journal)
    change(journal, "i-1", error='{"type": "Rejected"}', account_id=None)
    facts = {"fingerprint": "f", "baseline": '{"orders": []}', "looking_until": LONG_AGO}
    sending = start(journal, intent, facts=facts)
    assert journal.get("i-1") == sending
    assert (sending.state, sending.attempt, sending.owner) == (State.SENDING, 1, "o:1:1")
    assert (sending.account_id, sending.error, sending.notional) == ("u", None, Decimal("3.5"))
    assert (sending.fingerprint, sending.baseline, iso(sending.looking_until)) == ("f", {"orders": []}, LONG_AGO)
    assert is_fresh(sending.sending_at)
    assert is_fresh(sending.updated_at)
    said = {"attempt": 1, "owner": "o:1:1", "ground": {"is_live": False, "price": "7", "quote_price": "1"}}
    assert story(journal)[1:] == [{"what": "sending", **said}]
    assert start(journal, intent) is None
    assert start(journal, sending, to=State.EXECUTING, owner="o:2:2", ground=None).state is State.EXECUTING
    assert story(journal)[2] == {"what": "executing", **said, "attempt": 2, "owner": "o:2:2"}


def test_what_has_no_price_sets_nothing_aside(journal):
    assert start(journal, ready(journal), ground=Ground()).notional is None


@pytest.mark.parametrize(
    ("step", "attempt"), [(State.UNKNOWN, 0), (State.PREPARED, 1)], ids=["another state", "another attempt"]
)
def test_who_holds_it_as_it_was_changes_nothing(journal, step, attempt):
    """Each of the two is enough: a second attempt is in the same state as the first was."""
    intent = ready(journal)
    change(journal, "i-1", state=str(step), attempt=attempt)
    before = journal.get("i-1")
    assert start(journal, intent) is None
    assert journal.move(intent, State.REJECTED, error=ERROR) is None
    assert journal.get("i-1") == before
    assert len(story(journal)) == 1


def test_what_is_sent_once_more_is_held_against_a_freeze(journal):
    sending = start(journal, ready(journal))
    journal.check(sending)
    journal.trading.set("HALTED", by="ann", scope="h/u")
    with pytest.raises(GuardRefused, match=r"halted since .* by ann"):
        journal.check(sending)


@pytest.mark.parametrize("account_id", [None, "v"])
def test_another_accounts_freeze_is_none_of_ours(journal, account_id):
    sending = start(journal, ready(journal))
    change(journal, "i-1", account_id=account_id)
    journal.trading.set("HALTED", by="ann", scope="h/u")
    journal.check(journal.get("i-1"))
    assert sending.account_id == "u"


# --- a state for another ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("status", "is_final"), [(OrderStatus.OPEN, False), (OrderStatus.FILLED, True)])
def test_what_was_placed_is_kept_as_it_was_seen(journal, status, is_final):
    sending = start(journal, ready(journal))
    change(journal, "i-1", updated_at=LONG_AGO)
    moved = journal.move(sending, State.ACCEPTED, made=made(status=status))
    assert journal.get("i-1") == moved
    assert (moved.state, moved.exchange_id, moved.is_final, moved.error) == (State.ACCEPTED, "o-1", is_final, None)
    assert moved.last_order == made(status=status)
    assert is_fresh(moved.updated_at)
    assert story(journal)[-1] == {"what": "accepted", "from": "SENDING", "order_id": "o-1", "status": str(status)}


def test_why_it_ended_so_and_how_a_doubt_ended_are_kept(journal):
    sending = start(journal, ready(journal))
    said = {"how": "by a person", "by": "ann", "why": "seen"}
    doubt = journal.move(sending, State.UNKNOWN, error=ERROR)
    assert (doubt.state, doubt.error, doubt.resolution) == (State.UNKNOWN, ERROR, None)
    assert story(journal)[-1] == {"what": "unknown", "from": "SENDING", "error": ERROR}
    ended = journal.move(doubt, State.MATCHED, made=made(), resolution=said, what="found")
    assert (ended.state, ended.error, ended.resolution) == (State.MATCHED, None, said)
    assert story(journal)[-1] == {"what": "found", "from": "UNKNOWN", "order_id": "o-1", "status": "open", **said}
    assert journal.get("i-1") == ended


def test_one_order_is_one_intents(journal):
    journal.move(start(journal, ready(journal)), State.ACCEPTED, made=made())
    second = start(journal, ready(journal, "i-2"))
    with pytest.raises(IntentConflict) as caught:
        journal.move(second, State.ACCEPTED, made=made())
    assert str(caught.value) == "Order o-1 belongs to another intent."
    assert journal.get("i-2") == second


def test_what_was_not_sent_says_why_and_only_while_it_is_not(journal):
    intent, other = ready(journal), ready(journal, "i-2")
    journal.refuse(intent, ERROR)
    refused = journal.get("i-1")
    assert (refused.state, refused.error, is_fresh(refused.updated_at)) == (State.PREPARED, ERROR, True)
    assert story(journal)[-1] == {"what": "not sent", "error": ERROR}
    assert journal.get("i-2").error is None
    # Somebody sends it meanwhile: what became of that is not written over.
    sending = start(journal, other)
    journal.refuse(other, OTHER_ERROR)
    assert journal.get("i-2") == sending


def test_it_stands_as_it_was_last_seen_until_it_has_ended(journal):
    placed = journal.move(start(journal, ready(journal)), State.ACCEPTED, made=made())
    assert not journal.see(placed.intent_id, made())
    assert journal.see(placed.intent_id, made(status=OrderStatus.FILLED, filled="0.5"))
    assert not journal.see(placed.intent_id, made(status=OrderStatus.CANCELED))
    assert journal.get("i-1").last_order.status is OrderStatus.FILLED


def test_everything_is_stopped_and_goes_on(journal):
    journal.set_trading_state("HALTED", by="ann", why="to look")
    told = journal.trading_state()
    assert (told["state"], told["changed_by"], told["why"]) == ("HALTED", "ann", "to look")
    journal.set_trading_state("NORMAL", by="bob")
    assert (journal.trading_state()["state"], journal.trading_state()["why"]) == ("NORMAL", "")


# --- the story --------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Four intents' stories of one event each and two more of the first, an hour apart from each other. Only read."""
    with Journal.open(f"sqlite:///{tmp_path_factory.mktemp('told')}/journal.db") as journal:
        for name, host in (("a", "h"), ("b", "g"), ("c", "h"), ("d", "g")):
            prepare(journal, name, host=host)
        for name in ("a", "b"):
            change(journal, name, account_id="u")
        for what in ("looked", "cancel"):
            journal.note("a", what, {"number": 7, "accepted": None})
        with writing(journal.engine) as connection:
            for number in range(1, 7):
                at = f"2026-11-01T0{number}:00:00.000000Z"
                connection.execute(update(EVENT).where(EVENT.c.event_id == number).values(at=at))
        yield journal


@pytest.mark.parametrize(
    ("after", "which", "found"),
    [
        (0, {}, [1, 2, 3, 4, 5, 6]),
        (4, {}, [5, 6]),
        (6, {}, []),
        (0, {"limit": 2}, [1, 2]),
        (2, {"limit": 2}, [3, 4]),
        (0, {"kinds": ["cancel", "looked"]}, [5, 6]),
        (5, {"kinds": ["cancel", "looked"]}, [6]),
        (0, {"host": "g"}, [2, 4]),
        (0, {"host": "g", "account_id": "u"}, [2]),
        (1, {"host": "h", "account_id": "u"}, [5, 6]),
        (0, {"host": "h", "kinds": ["prepared"], "limit": 1}, [1]),
    ],
)
def test_what_happened_after_an_event_is_told_in_order(told, after, which, found):
    assert [event.event_id for event in events.events_after(told.engine, after, **which)] == found
    if "host" not in which:
        assert [event.event_id for event in told.events_after(after, **which)] == found


def test_an_event_says_whose_when_what_and_more(told):
    (event,) = told.events_after(4, kinds=["looked"])
    assert (event.intent_id, iso(event.at), event.what) == ("a", "2026-11-01T05:00:00.000000Z", "looked")
    assert event.detail == {"number": 7, "accepted": None}
    assert [said["what"] for said in told.events("a")] == ["prepared", "looked", "cancel"]
    assert told.events("a")[1] == {"at": "2026-11-01T05:00:00.000000Z", "what": "looked", **event.detail}


def test_two_hundred_are_told_at_once_and_the_rest_after_them(journal):
    prepare(journal)
    for number in range(201):
        journal.note("i-1", "looked", {"number": number})
    first = journal.events_after(0)
    assert len(first) == len(events.events_after(journal.engine, 0)) == 200
    assert [event.detail["number"] for event in journal.events_after(first[-1].event_id)] == [199, 200]


@pytest.mark.parametrize(
    ("before", "newest"),
    [(None, 6), ("2026-11-01T05:00:00+00:00", 4), ("2026-11-01T05:00:01+00:00", 5), ("2026-01-01T00:00:00+00:00", 0)],
)
def test_the_newest_event_of_all_or_before_a_moment(told, before, newest):
    assert events.newest_event(told.engine, before=datetime.fromisoformat(before) if before else None) == newest


def test_before_the_first_event_there_is_none(journal):
    assert events.newest_event(journal.engine) == 0
    before = datetime.now(UTC)
    prepare(journal)
    (event,) = journal.events_after(0)
    assert before <= event.at <= datetime.now(UTC)
