"""What became of a confirmed question, where that could not be told at once: the running bot tells it later, once.

The database itself refuses a write, as a full disk would.
"""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest
from sqlalchemy import select, update

from tradehook_bot import keyboards, life, ownership, proposals
from tradehook_bot.deeds import carrying
from tradehook_bot.proposals import State, Where
from tradehook_bot.tables import PROPOSAL


@pytest.fixture(autouse=True)
def _soon(monkeypatch):
    """Nobody waits a minute for the next look."""
    monkeypatch.setattr(life, "_ORPHANS_SECONDS", 0.2)
    monkeypatch.setattr(proposals, "BEGINS_WITHIN", timedelta(seconds=2))


@contextmanager
def refusing(bot, what):
    """No row is written that the database is told to refuse."""
    journal = bot.journal()
    try:
        with journal.engine.begin() as connection:
            refuse = "BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
            connection.exec_driver_sql(f"CREATE TRIGGER full_disk BEFORE {what} {refuse}")
        yield
        with journal.engine.begin() as connection:
            connection.exec_driver_sql("DROP TRIGGER full_disk")
    finally:
        journal.close()


def confirmed(person, command):
    person.say(command)
    card = person.wait_for("Open until:")
    person.tap(2, card)
    return card


def states(bot):
    with bot.house.store.engine.connect() as connection:
        return [*connection.exec_driver_sql("SELECT state FROM bot_proposal").scalars()]


def tellings(person, words):
    return [message for message in person.messages() if message.from_bot and words in message.text]


def test_what_could_not_be_closed_is_closed_by_the_running_bot(bot, anna, exchange, eventually, caplog):
    before = exchange.orders()
    with refusing(bot, "UPDATE ON bot_proposal WHEN NEW.state = 'sent'"):
        card = confirmed(anna, "/buy BTC 0.01")
        anna.wait_for(lambda seen: seen.id == card.id and "Filled: bought 0.0100 BTC" in seen.text)
        eventually(lambda: "could not be told" in caplog.text)
        assert states(bot) == [State.CONFIRMED]
    eventually(lambda: states(bot) == [State.SENT])
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert exchange.orders() == before + 1
    assert len(tellings(anna, "Filled: bought")) == 1
    assert not tellings(anna, "I was stopped")


def test_that_nothing_was_sent_is_told_as_soon_as_it_can_be(bot, anna, exchange, eventually, caplog):
    before = exchange.orders()
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    bot.house.journal.set_trading_state("HALTED", by=f"Anna (user {anna.chat})")
    with refusing(bot, "INSERT ON bot_outbox WHEN NEW.dedupe_key LIKE '%never sent'"):
        anna.tap(2, card)
        eventually(lambda: "could not be told" in caplog.text)
        assert states(bot) == [State.CONFIRMED]
    told = anna.wait_for(lambda seen: seen.id != card.id and "Not sent: Buy 0.0100 BTC" in seen.text)
    assert "Nothing was sent." in told.text
    assert "Trading is frozen" in told.text  # why, and not that the bot was stopped
    eventually(lambda: states(bot) == [State.NOT_SENT])
    eventually(lambda: bot.house.outbox.waiting() == 0)
    assert len(tellings(anna, "Not sent: Buy")) == 2  # the question's own message, and one letter
    assert exchange.orders() == before


def test_that_nobody_knows_is_said_once_until_the_journal_can_be_read(bot, anna, eventually, monkeypatch):
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    bot.house.journal.set_trading_state("HALTED", by=f"Anna (user {anna.chat})")
    read, asked = bot.house.journal.get, []

    def unreadable(intent_id):
        asked.append(intent_id)
        raise OSError(intent_id)

    monkeypatch.setattr(bot.house.journal, "get", unreadable)
    anna.tap(2, card)
    anna.wait_for("The journal cannot be read")
    looks = len(asked)
    eventually(lambda: len(asked) > looks + 2)
    monkeypatch.setattr(bot.house.journal, "get", read)
    anna.wait_for(lambda seen: seen.id != card.id and "Not sent: Buy 0.0100 BTC" in seen.text)
    eventually(lambda: states(bot) == [State.NOT_SENT])
    assert len(tellings(anna, "The journal cannot be read")) == 1


def test_what_is_being_carried_out_is_left_alone(bot, anna, exchange, eventually):
    exchange.fault("slow", delay_seconds=5)
    card = confirmed(anna, "/buy BTC 0.01")
    anna.wait_for(lambda seen: seen.id == card.id and "Filled: bought 0.0100 BTC" in seen.text)
    eventually(lambda: states(bot) == [State.SENT])
    assert not tellings(anna, "I was stopped")
    assert not tellings(anna, "Not sent")


def test_what_was_said_to_be_cut_off_is_never_carried_out_after_that(bot, anna, exchange, eventually):
    """A machine that slept between the press and the deed wakes up to both, in whatever order."""
    before = exchange.orders()
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    token, where = keyboards.read(card.buttons[1].data).token, Where(anna.chat, anna.chat)
    proposal = eventually(lambda: bot.house.proposals.confirm(token, where=where, message_id=card.id))
    bot.run(carrying.make_up_for(bot.house, proposal))
    bot.run(carrying.carry_out(bot.house, proposal))
    anna.wait_for(lambda seen: seen.id != card.id and "Nothing was sent." in seen.text)
    assert states(bot) == [State.NOT_SENT]
    assert exchange.orders() == before


def test_what_another_process_took_over_is_not_sent_by_one_that_wakes_up_late(bot, anna, exchange, eventually):
    """A machine that was stopped for minutes counts as dead, and by then its person was told that nothing was sent."""
    before = exchange.orders()
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    token, where = keyboards.read(card.buttons[1].data).token, Where(anna.chat, anna.chat)
    proposal = eventually(lambda: bot.house.proposals.confirm(token, where=where, message_id=card.id))
    with bot.house.store.engine.begin() as connection:
        connection.execute(update(PROPOSAL).values(owner="another machine:1:1"))
    bot.run(carrying.carry_out(bot.house, proposal))
    anna.wait_for(lambda seen: seen.id != card.id and "took over before it was sent" in seen.text, since=0)
    assert states(bot) == [State.NOT_SENT]
    assert exchange.orders() == before


def test_whoever_tells_of_it_has_taken_it(bot, anna, eventually, monkeypatch):
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    token, where = keyboards.read(card.buttons[1].data).token, Where(anna.chat, anna.chat)
    proposal = eventually(lambda: bot.house.proposals.confirm(token, where=where, message_id=card.id))
    monkeypatch.setattr(ownership, "this_owner", lambda: "another machine:1:1")
    bot.run(carrying.make_up_for(bot.house, proposal))
    with bot.house.store.engine.connect() as connection:
        assert connection.execute(select(PROPOSAL.c.owner)).scalar_one() == "another machine:1:1"
