"""What a task in Airflow leaves in the journal arrives in every chat, once, whenever the bot runs."""

from __future__ import annotations

from tradehook.desk.journal import Journal
from tradehook.desk.messages import Messages


def leave(bot, key, body, **more):
    with Journal.open(bot.account.journal_url) as journal:
        return Messages(journal.engine).leave(key, body, source="airflow:d/r/t", **more)


def told(person, words):
    return [message.text for message in person.messages() if message.from_bot and words in message.text]


def test_a_message_of_a_task_arrives_once_and_as_it_was_written(bot, anna):
    leave(bot, "run-1", "2 < 3 & <b>not bold</b>", title="Trades need a look", account="main")
    message = anna.wait_for("Trades need a look", since=0)
    assert "2 < 3 & <b>not bold</b>" in message.text
    leave(bot, "run-1", "2 < 3 & <b>not bold</b>", title="Trades need a look", account="main")
    leave(bot, "run-2", "Something else")
    anna.wait_for("Something else", since=0)
    assert len(told(anna, "Trades need a look")) == 1


def test_what_is_left_while_the_bot_is_down_arrives_after_it_is_back_and_not_again(make_bot):
    bot = make_bot()
    with bot.running():
        anna = bot.let_in()
    leave(bot, "run-1", "While you were away")
    with bot.running():
        anna.wait_for("While you were away", since=0)
    with bot.running():
        leave(bot, "run-2", "After that")
        anna.wait_for("After that", since=0)
    assert len(told(anna, "While you were away")) == 1
