"""Airflow in chat: its questions come as messages and are answered there, once. A real Airflow says what became of it."""

from __future__ import annotations

import importlib.util
import sys
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text as sql

from tradehook_bot.access import LOOKS_ONLY, VIEWER
from tradehook_bot.airflow import prompt_watch, prompts, run_watch
from tradehook_bot.airflow.settings import AirflowSettings
from tradehook_bot.commands.table import menu


def load_stage():
    if "tradehook_airflow_stage" not in sys.modules:
        path = Path(__file__).with_name("airflow_stage.py")
        spec = importlib.util.spec_from_file_location("tradehook_airflow_stage", path)
        module = importlib.util.module_from_spec(spec)
        sys.modules["tradehook_airflow_stage"] = module
        spec.loader.exec_module(module)
    return sys.modules["tradehook_airflow_stage"]


stage = load_stage()
YOUNGEST_SECONDS = prompts.YOUNGEST_SECONDS
SUBJECT = "Buy 0.1 BTC <now> & here?"


running_airflow, airflow, wire, settings = stage.running_airflow, stage.airflow, stage.wire, stage.settings


@pytest.fixture(autouse=True)
def _asks_often(monkeypatch):
    """Nobody waits for the next look, nor for a question to be old enough; one test is about that."""
    monkeypatch.setattr(prompt_watch, "POLL_SECONDS", 0.25)
    monkeypatch.setattr(prompts, "YOUNGEST_SECONDS", -2.0)
    monkeypatch.setattr(run_watch, "POLL_SECONDS", 0.25)


@pytest.fixture
def bot(make_bot, settings):
    with make_bot(airflow=settings).running() as running:
        yield running


def asked(subject):
    """A question with its buttons."""
    return lambda message: message.text.startswith(f"SANDBOX · {subject}") and message.buttons


def says(card, words):
    return lambda message: message.id == card.id and words in message.text and not message.buttons


def words_on(message):
    return [button.text for button in message.buttons]


def become_viewer(bot, person):
    with bot.house.store.engine.begin() as connection:
        connection.execute(
            sql("UPDATE bot_user SET role = :role WHERE user_id = :id"), {"role": VIEWER, "id": person.chat}
        )


def test_a_question_comes_by_itself_and_one_tap_answers_it(airflow, wire, bot, anna, monkeypatch):
    monkeypatch.setattr(prompts, "YOUNGEST_SECONDS", YOUNGEST_SECONDS)
    run = airflow.start("ask")
    card = anna.wait_for(asked(SUBJECT), timeout_seconds=40)
    assert words_on(card) == ["Approve", "Reject"]
    # What the DAG's author wrote is marked as theirs, and nothing in it is markup, turns the line or can be tapped.
    assert "│ <b>bold</b> [tap me](tg://user?id=1) *star*" in card.text
    assert "\u202e" not in card.text
    assert "/freeze" not in card.text
    assert "/cancel_all" not in card.text
    assert "Silence, if its time is limited: Reject." in card.text
    fingers = [threading.Thread(target=anna.tap, args=("Approve", card)) for _ in range(5)]
    for finger in fingers:
        finger.start()
    for finger in fingers:
        finger.join()
    done = anna.wait_for(says(card, "Approve: answered by tg:"), since=0)
    assert f"tg:{anna.chat} Anna" in done.text
    assert "(bot)" in done.text
    detail = airflow.detail("ask", run)
    assert (detail["chosen_options"], detail["responded_by_user"]["id"]) == (["Approve"], "bot")
    assert detail["params_input"]["approver"].startswith(f"tg:{anna.chat} Anna")
    age = datetime.fromisoformat(detail["responded_at"]) - datetime.fromisoformat(detail["created_at"])
    assert age.total_seconds() >= 3
    stage.until(lambda: airflow.task_state("ask", run, "after") == "success")
    assert [method for method, path in wire.seen if method == "PATCH"] == ["PATCH"]


def test_whoever_answers_first_is_named_to_all(airflow, bot, anna, eventually):
    ben = bot.let_in("Ben")
    run = airflow.start("ask")
    cards = [person.wait_for(asked(SUBJECT), timeout_seconds=40, since=0) for person in (anna, ben)]
    anna.tap("Reject", cards[0])
    for person, card in zip((anna, ben), cards, strict=True):
        person.wait_for(says(card, f"Reject: answered by tg:{anna.chat}"), since=0)
    ben.forge(cards[1].buttons[0].data, cards[1])
    second = airflow.start("ask")
    card = ben.wait_for(lambda seen: seen.id != cards[1].id and asked(SUBJECT)(seen), timeout_seconds=40, since=0)
    airflow.answer("ask", second, "Approve", approver="somebody at the desk")
    ben.wait_for(says(card, "Approve: answered by somebody at the desk (root)"), since=0)
    assert airflow.detail("ask", run)["chosen_options"] == ["Reject"]


def test_a_task_that_runs_again_never_gets_an_old_answer(airflow, wire, bot, anna):
    run = airflow.start("ask")
    card = anna.wait_for(asked(SUBJECT), timeout_seconds=40)
    first = airflow.detail("ask", run)["task_instance"]
    # The bot does not hear of it before the tap.
    wire.deaf_to = "~/dagRuns"
    airflow.clear("ask", run)
    again = airflow.asks("ask", run, other_than=first["id"])
    anna.tap("Approve", card)
    anna.wait_for(says(card, "Void: the task runs again"), since=0)
    wire.deaf_to = None
    assert airflow.detail("ask", run)["response_received"] is False
    fresh = anna.wait_for(lambda seen: seen.id != card.id and asked(SUBJECT)(seen), timeout_seconds=40, since=0)
    anna.forge(card.buttons[0].data, fresh)
    anna.tap("Reject", fresh)
    anna.wait_for(says(fresh, "Reject: answered by tg:"), since=0)
    assert airflow.detail("ask", run)["task_instance"]["id"] == again["task_instance"]["id"]
    assert airflow.detail("ask", run)["chosen_options"] == ["Reject"]


def test_who_may_not_and_who_came_too_late_are_told_so(airflow, wire, bot, anna):
    only_ann = airflow.start("ask_ann")
    card = anna.wait_for(asked("Ann only?"), timeout_seconds=40)
    assert "Only for: ann" in card.text
    anna.tap("Approve", card)
    told = anna.wait_for(lambda seen: seen.id == card.id and "may not answer this" in seen.text, since=0)
    assert "My account in Airflow (bot) may not answer this. It is only for ann." in told.text
    airflow.answer("ask_ann", only_ann, "Approve", who="ann")
    anna.wait_for(says(card, "Approve: answered by ann"), since=0)
    late = airflow.start("ask")
    card = anna.wait_for(asked(SUBJECT), timeout_seconds=40, since=0)
    wire.fault("late", first=lambda: airflow.answer("ask", late, "Reject", approver="Carla"))
    anna.tap("Approve", card)
    told = anna.wait_for(says(card, "Already answered when you tapped"), since=0)
    assert "Reject: answered by Carla (root)" in told.text


def test_an_answer_that_got_lost_is_looked_at_before_anything_is_said(airflow, wire, bot, anna):
    run = airflow.start("ask")
    card = anna.wait_for(asked(SUBJECT), timeout_seconds=40)
    wire.fault("lost")
    anna.tap("Approve", card)
    told = anna.wait_for(lambda seen: seen.id == card.id and "UNKNOWN" in seen.text and seen.buttons, since=0)
    assert "Answering again is safe" in told.text
    assert airflow.detail("ask", run)["response_received"] is False
    wire.fault("unheard")
    anna.tap("Approve", card)
    done = anna.wait_for(says(card, "Approve: answered by tg:"), since=0)
    assert "UNKNOWN" not in done.text
    assert airflow.detail("ask", run)["chosen_options"] == ["Approve"]


def test_silence_and_what_needs_a_form(airflow, bot, anna):
    brief, more = airflow.start("ask_briefly"), airflow.start("ask_for_more")
    form = anna.wait_for("How much?", timeout_seconds=40)
    assert not form.buttons
    assert f"/dags/ask_for_more/runs/{stage.quoted(more)}/tasks/may_i/required_actions" in form.text
    card = anna.wait_for("Quick?", timeout_seconds=40, since=0)
    anna.wait_for(says(card, "No: nobody answered in time"), since=0, timeout_seconds=40)
    assert airflow.detail("ask_briefly", brief)["chosen_options"] == ["No"]
    airflow.forget()
    # It is marked failed and then deleted; which of the two is seen depends on the moment of the look.
    over = ("Gone from Airflow", "Over without an answer (failed)")
    anna.wait_for(lambda seen: seen.id == form.id and any(words in seen.text for words in over), since=0)


def test_approvals_shows_them_again_and_only_the_newest_message_answers(airflow, bot, anna):
    anna.say("/approvals")
    anna.wait_for("Nothing waits for a person in Airflow.")
    run = airflow.start("ask")
    first = anna.wait_for(asked(SUBJECT), timeout_seconds=40)
    anna.say("/approvals")
    anna.wait_for("One question waits in Airflow.")
    second = anna.wait_for(lambda seen: seen.id != first.id and asked(SUBJECT)(seen))
    anna.wait_for(says(first, "Shown again below"), since=0)
    anna.forge(first.buttons[0].data, first)
    anna.forge(first.buttons[0].data, second)
    anna.say("/pending")
    assert "Approve" not in anna.wait_for("1 in Airflow: /approvals").text
    assert airflow.detail("ask", run)["response_received"] is False
    become_viewer(bot, anna)
    anna.tap("Approve", second)
    anna.wait_for(LOOKS_ONLY)
    anna.say("/approvals")
    anna.wait_for("You may look, not answer.")
    assert airflow.detail("ask", run)["response_received"] is False


def test_a_restart_asks_nobody_twice_and_forgets_nobody(airflow, make_bot, settings):
    bot = make_bot(airflow=settings)
    with bot.running():
        anna = bot.let_in()
        before = airflow.start("ask")
        card = anna.wait_for(asked(SUBJECT), timeout_seconds=40)
    meanwhile = airflow.start("ask_ann")
    airflow.asks("ask_ann", meanwhile)
    with bot.running():
        anna.wait_for(asked("Ann only?"), timeout_seconds=40, since=0)
        anna.tap("Approve", card)
        anna.wait_for(says(card, "Approve: answered by tg:"), since=0)
    assert airflow.detail("ask", before)["chosen_options"] == ["Approve"]
    assert sum("Airflow asks" in m.text or "answered by" in m.text for m in anna.messages() if m.from_bot) == 2


def test_while_airflow_is_away_that_is_said_and_nothing_is_lost(airflow, wire, bot, anna, caplog):
    wire.is_cut = True
    anna.say("/approvals")
    anna.wait_for("Airflow: ")
    airflow.asks("ask", airflow.start("ask"))
    wire.is_cut = False
    card = anna.wait_for(asked(SUBJECT), timeout_seconds=60, since=0)
    wire.is_cut = True
    anna.tap("Approve", card)
    anna.wait_for(lambda seen: seen.id == card.id and "Not answered" in seen.text and seen.buttons, since=0)
    assert bot.settings.airflow.secret() not in caplog.text + repr(bot.house) + repr(bot.house.airflow.api)


def test_without_an_airflow_it_is_said_how_to_set_one(make_bot):
    with make_bot().running() as bot:
        anna = bot.let_in()
        anna.say("/approvals")
        assert "TRADEHOOK_AIRFLOW_URL" in anna.wait_for("No Airflow is set for this bot").text
        assert "approvals" not in [command.name for command in menu(bot.house)]


def test_with_an_airflow_the_menu_has_it(bot):
    assert [command.name for command in menu(bot.house)][11:] == ["approvals"]


def started(person, command):
    """The card of `/run`, confirmed."""
    person.say(command)
    card = person.wait_for("Open until:")
    person.tap(2, card)
    return card


def test_run_lists_what_may_be_started(airflow, bot, anna):
    anna.say("/run")
    told = anna.wait_for("What can be started in Airflow").text
    assert "/run start_me: Does <nothing> much." in told
    assert "/run asleep (paused)" in told
    assert "not_ours" not in told


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/run start_mee", "/run start_me"),
        ("/run not_ours", "that can be started from here"),
        ("/run ../dags", "that can be started from here"),
        ("/run asleep", "is paused in Airflow"),
        ("/run start_me cuont=2", "Did you mean count?"),
        ("/run start_me count=two", "count should be integer"),
        ("/run start_me side=hold", "side should be one of buy, sell"),
        ("/run start_me targets={40", "targets is no JSON"),
        ("/run ask x=1", "ask takes no parameters"),
    ],
)
def test_what_cannot_be_started_is_answered_with_what_to_type(command, words, airflow, bot, anna):
    anna.say(command)
    assert not anna.wait_for(words).buttons
    assert airflow.get("dags/~/dagRuns")["dag_runs"] == []


def test_five_taps_start_one_run_as_it_was_shown(airflow, wire, bot, anna):
    anna.say("/run start_me count=3 targets={“BTC”: 40.5, “ETH”: 20} amount=0.020")
    card = anna.wait_for("Open until:")
    for line in ("count = 3 (typed)", "amount = 0.020 (typed)", "share = 0.5\n", "is_dry = true\n", "needed = null\n"):
        assert line in card.text
    assert words_on(card) == ["Cancel", "Start start_me"]
    # The first answer is lost on its way: Airflow has the run, and takes its id once.
    wire.fault("unheard", method="POST", path="dagRuns")
    fingers = [threading.Thread(target=anna.tap, args=(2, card)) for _ in range(5)]
    for finger in fingers:
        finger.start()
    for finger in fingers:
        finger.join()
    anna.wait_for(says(card, "start_me is done in Airflow"), since=0)
    (run,) = airflow.runs("start_me")
    assert run["conf"] == {"count": 3, "targets": {"BTC": 40.5, "ETH": 20}, "amount": "0.020"}
    assert run["dag_run_id"].startswith("tradehook__chat-")
    assert run["note"] == f"Started in Telegram by {bot.house.access.user(anna.chat).name} (user {anna.chat})."


def test_what_airflow_refuses_is_said_in_its_words(airflow, bot, anna):
    card = started(anna, "/run start_me count=9")
    told = anna.wait_for(says(card, "Not started: Start start_me"), since=0)
    assert "9 is greater than the maximum of 5" in told.text
    assert "Nothing was started." in told.text
    assert airflow.runs("start_me") == []


def test_a_run_that_failed_names_its_tasks(airflow, bot, anna):
    card = started(anna, "/run start_and_fail")
    anna.wait_for(says(card, "start_and_fail failed in Airflow"), since=0)
    told = anna.wait_for(lambda seen: seen.id != card.id and "start_and_fail failed" in seen.text, since=0)
    assert "Failed: work\nNever came to their turn: after" in told.text


def test_a_start_that_nobody_confirmed_is_looked_for(airflow, wire, bot, anna, monkeypatch):
    wire.fault("lost", method="POST", path="dagRuns")
    wire.fault("lost", method="POST", path="dagRuns")
    card = started(anna, "/run start_me")
    told = anna.wait_for(says(card, "UNKNOWN: start_me"), since=0)
    assert "It may have started or not" in told.text
    monkeypatch.setattr(run_watch, "LOOKED_FOR", timedelta(0))
    anna.wait_for(says(card, "Not started: start_me"), since=0)
    assert airflow.runs("start_me") == []


def test_a_run_is_followed_over_a_restart_and_its_question_answered(airflow, make_bot, settings):
    bot = make_bot(airflow=settings)
    with bot.running():
        anna = bot.let_in()
        run_card = started(anna, "/run ask")
        anna.wait_for(says(run_card, "ask runs in Airflow"), since=0)
    with bot.running():
        question = anna.wait_for(asked(SUBJECT), timeout_seconds=40, since=0)
        anna.tap("Approve", question)
        anna.wait_for(says(run_card, "ask is done in Airflow"), since=0)
    (run,) = airflow.runs("ask")
    assert (run["state"], run["triggering_user_name"]) == ("success", "bot")


def test_who_only_looks_starts_nothing(airflow, bot, anna):
    anna.say("/run start_me")
    card = anna.wait_for("Open until:")
    become_viewer(bot, anna)
    anna.tap(2, card)
    anna.wait_for(LOOKS_ONLY)
    anna.say("/run start_me")
    anna.wait_for(LOOKS_ONLY)
    assert airflow.runs("start_me") == []


@pytest.mark.usefixtures("airflow")
def test_the_way_in_is_found_again_and_never_shown(wire, bot, anna, tmp_path, caplog):
    api = bot.house.airflow.api
    # As if Airflow had signed it before its key was changed.
    api._token = "one that is over"
    anna.say("/approvals")
    anna.wait_for("Nothing waits for a person in Airflow.")
    secrets = [bot.settings.airflow.secret(), api._token]
    token_file = tmp_path / "token"
    token_file.write_text(api._token)
    api.settings = AirflowSettings(url=wire.url, token_file=token_file)
    api._token = None
    anna.say("/approvals")
    anna.wait_for("Nothing waits for a person in Airflow.")
    token_file.write_text("made up")
    api._token = None
    anna.say("/approvals")
    anna.wait_for("Airflow does not accept my token any more")
    wrong = tmp_path / "wrong"
    wrong.write_text("not the password")
    api.settings = AirflowSettings(url=wire.url, user="bot", password_file=wrong)
    api._token = None
    anna.say("/approvals")
    anna.wait_for("Airflow does not know bot with this password.")
    seen = caplog.text + repr(bot.house) + repr(api) + "".join(message.text for message in anna.messages())
    assert not any(secret in seen for secret in [*secrets, "made up", "not the password"])


def test_a_process_that_died_after_the_tap_leaves_the_truth(airflow, make_bot, settings):
    bot = make_bot(airflow=settings)
    with bot.running():
        anna = bot.let_in()
        run = airflow.start("ask")
        question = anna.wait_for(asked(SUBJECT), timeout_seconds=40)
        anna.say("/run start_me")
        card = anna.wait_for("Open until:")
    # What a tap leaves whose process is killed before it asked Airflow: the first answer's, and the start's.
    journal = bot.journal()
    with journal.engine.begin() as connection:
        confirmed = (
            "UPDATE bot_proposal SET state = 'confirmed', owner = 'nobody', closed_at = '2026-01-01T00:00:00.000000Z'"
        )
        connection.execute(sql(f"{confirmed} WHERE state = 'open' AND (kind = 'airflow_run' OR deed LIKE 'Approve%')"))
    journal.close()
    with bot.running():
        anna.wait_for(says(card, "Not started: Start start_me"), since=0)
        told = anna.wait_for(lambda m: m.id == question.id and "UNKNOWN" in m.text and m.buttons, since=0)
        assert "I was stopped before it was done." in told.text
        anna.tap("Reject", told)
        anna.wait_for(says(question, "Reject: answered by tg:"), since=0)
    assert airflow.runs("start_me") == []
    assert airflow.detail("ask", run)["chosen_options"] == ["Reject"]
