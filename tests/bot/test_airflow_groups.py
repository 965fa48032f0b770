"""`/approvals` and `/run` in groups and topics: each counts only from whoever asked for it, in that very message."""

from __future__ import annotations

import pytest
from tests.bot import airflow_stage as stage

from tradehook_bot.access import LOOKS_ONLY, TRADER, VIEWER
from tradehook_bot.airflow import prompt_watch, prompts, run_watch

SUBJECT = "Buy 0.1 BTC <now> & here?"

running_airflow, airflow, wire, settings = stage.running_airflow, stage.airflow, stage.wire, stage.settings


@pytest.fixture(autouse=True)
def _asks_often(monkeypatch):
    """Nobody waits for the next look, nor for a question to be old enough."""
    for watch in (prompt_watch, run_watch):
        monkeypatch.setattr(watch, "POLL_SECONDS", 0.25)
    monkeypatch.setattr(prompts, "YOUNGEST_SECONDS", -2.0)


@pytest.fixture
def bot(make_bot, settings):
    with make_bot(airflow=settings).running() as running:
        yield running


@pytest.fixture
def invited(bot, anna):
    """Somebody who opened the link of an invitation."""

    def let_in(name, role=TRADER):
        person = bot.person(name)
        person.say(f"/start {bot.house.access.invite(role)}")
        person.wait_for(f"You are its {role}")
        return person

    return let_in


def asked(seen):
    """A question of Airflow's that can be answered."""
    return SUBJECT in seen.text and bool(seen.buttons)


def says(card, words):
    return lambda seen: seen.id == card.id and words in seen.text and not seen.buttons


def allowed(anna, *, people=(), topic_named=None, words="/allow_here balances"):
    """A group in which the bot may be used, and the topic, if it is to be one."""
    group = anna.group("Desk", people=people, forum=topic_named is not None)
    topic = group.topic(topic_named) if topic_named is not None else None
    anna.say(words, chat=group, topic=topic)
    anna.wait_for("From now on", chat=group)
    return group, topic


def has_settled(person, group, topic=None):
    """What was tapped in the group before has been handled."""
    person.say("/whoami", chat=group, topic=topic)
    person.wait_for("Role:", chat=group)


def open_question(airflow):
    run = airflow.start("ask")
    airflow.asks("ask", run)
    return run


def test_only_who_asked_answers_and_every_message_says_so(airflow, bot, anna, invited):
    ben, vera, mallory = invited("Ben"), invited("Vera", VIEWER), bot.person("Mallory")
    group, _ = allowed(anna, people=(ben, vera, mallory))
    run = open_question(airflow)
    own = [person.wait_for(asked, chat=person.chat, since=0) for person in (anna, ben)]
    anna.say("/approvals", chat=group)
    card = anna.wait_for(asked, chat=group)
    for other in (ben, mallory):
        other.tap("Approve", card)
    vera.tap("Approve", card)
    vera.wait_for(LOOKS_ONLY, chat=group)
    # The button of one message does nothing under another.
    anna.forge(card.buttons[0].data, own[0])
    ben.forge(own[1].buttons[0].data, card)
    has_settled(anna, group)
    assert airflow.detail("ask", run)["response_received"] is False
    anna.tap("Reject", card)
    done = anna.wait_for(says(card, f"Reject: answered by tg:{anna.chat}"), chat=group, since=0)
    assert done.chat == group.id
    for person, first in zip((anna, ben), own, strict=True):
        person.wait_for(says(first, f"Reject: answered by tg:{anna.chat}"), chat=person.chat, since=0)
    assert airflow.detail("ask", run)["chosen_options"] == ["Reject"]


def test_who_asks_next_takes_it_over(airflow, bot, anna, invited):
    ben = invited("Ben")
    group, _ = allowed(anna, people=(ben,))
    run = open_question(airflow)
    anna.say("/approvals", chat=group)
    hers = anna.wait_for(asked, chat=group)
    ben.say("/approvals", chat=group)
    his = ben.wait_for(lambda seen: seen.id != hers.id and asked(seen), chat=group)
    anna.wait_for(says(hers, "Shown again"), chat=group, since=0)
    anna.forge(hers.buttons[0].data, hers)
    anna.tap("Approve", his)
    has_settled(anna, group)
    assert airflow.detail("ask", run)["response_received"] is False
    ben.tap("Approve", his)
    ben.wait_for(says(his, f"Approve: answered by tg:{ben.chat}"), chat=group, since=0)


def test_a_topic_has_its_own_and_a_viewer_only_looks(airflow, bot, anna, invited):
    vera = invited("Vera", VIEWER)
    group, trades = allowed(anna, people=(vera,), topic_named="Trades")
    run = open_question(airflow)
    vera.say("/approvals", chat=group, topic=trades)
    vera.wait_for("You may look, not answer.", chat=group)
    shown = vera.wait_for(SUBJECT, chat=group)
    assert (shown.buttons, shown.thread) == ((), trades)
    vera.say("/run start_me", chat=group, topic=trades)
    vera.wait_for(LOOKS_ONLY, chat=group)
    anna.say("/approvals", chat=group, topic=trades)
    card = anna.wait_for(asked, chat=group)
    assert card.thread == trades
    anna.tap("Approve", card)
    anna.wait_for(says(card, "Approve: answered by tg:"), chat=group, since=0)
    assert airflow.detail("ask", run)["chosen_options"] == ["Approve"]
    assert {seen.thread for seen in group.messages() if seen.from_bot} <= {None, trades}
    assert airflow.runs("start_me") == []


def test_what_may_show_holdings_is_asked_for_in_private(airflow, bot, anna):
    group, _ = allowed(anna, words="/allow_here")
    open_question(airflow)
    anna.say("/approvals", chat=group)
    anna.wait_for("/approvals shows what is held", chat=group)
    assert not [seen for seen in group.messages() if SUBJECT in seen.text]


def test_a_run_is_started_by_who_asked_and_told_of_in_its_topic(airflow, bot, anna, invited):
    ben = invited("Ben")
    group, trades = allowed(anna, people=(ben,), topic_named="Trades")
    anna.say("/run start_and_fail", chat=group, topic=trades)
    card = anna.wait_for("Open until:", chat=group)
    assert card.thread == trades
    for button in (1, 2):
        ben.tap(button, card)
    has_settled(anna, group, trades)
    assert airflow.runs("start_and_fail") == []
    anna.tap(2, card)
    anna.wait_for(says(card, "start_and_fail failed in Airflow"), chat=group, since=0)
    told = anna.wait_for(
        lambda seen: seen.id != card.id and "start_and_fail failed in Airflow" in seen.text, chat=group, since=0
    )
    assert told.thread == trades
    (run,) = airflow.runs("start_and_fail")
    assert f"(user {anna.chat})" in run["note"]


def test_a_run_of_a_group_that_shut_the_bot_out_is_told_to_who_started_it(airflow, wire, bot, anna, invited):
    ben = invited("Ben")
    group, _ = allowed(ben, people=(anna,))
    ben.say("/run ask", chat=group)
    card = ben.wait_for("Open until:", chat=group)
    ben.tap(2, card)
    ben.wait_for(says(card, "ask runs in Airflow"), chat=group, since=0)
    # Its task waits: before that, whoever schedules may write that it runs over what is said of it here.
    ben.wait_for(asked, chat=ben.chat, since=0, timeout_seconds=40)
    group.set_bot("kicked")
    (run,) = airflow.runs("ask")
    airflow.root.patch(f"/api/v2/dags/ask/dagRuns/{run['dag_run_id']}", json={"state": "failed"})
    told = ben.wait_for("Meant for Desk, where I may not write: ", chat=ben.chat, since=0)
    assert "ask failed in Airflow" in told.text
    assert not [seen for seen in anna.messages() if "Meant for" in seen.text]
