"""`/status`, `/help` and the menu: how everything stands, and what each role is offered and let do."""

from __future__ import annotations

from decimal import Decimal

import pytest
from sqlalchemy import text

from tradehook.client import connect
from tradehook.desk.limits import Limits
from tradehook.desk.trading import scope_of
from tradehook.run import run
from tradehook_bot.access import LOOKS_ONLY, VIEWER
from tradehook_bot.commands.table import BY_NAME, COMMANDS


def whose(bot):
    with connect(bot.account) as client:
        return client.exchange.host, run(client.exchange.account_id())


def menu_of(person, bot):
    shown = person.remote.get("/commands", chat=person.chat, token=bot.token)["commands"]
    return [entry["command"] for entry in shown]


def only_let_look(bot, person):
    with bot.house.store.engine.begin() as connection:
        connection.execute(
            text("UPDATE bot_user SET role = :role WHERE user_id = :id"), {"role": VIEWER, "id": person.chat}
        )


def test_status_tells_of_exchange_clock_journal_limits_and_versions(exchange, bot, anna):
    bot.house.chats.set_zone(anna.chat, "Asia/Tokyo")
    bot.house.journal.limits.set(*whose(bot), Limits(day=Decimal(2000), hour=Decimal(1000)), by="root")
    anna.say("/sell BTC 0.01 limit 90000")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Open: sell 0.0100 BTC")
    anna.say("/status")
    told = anna.wait_for("Trading: on").text
    for words in (
        "main at True Markets (sandbox)",
        "True Markets: reachable, answered in ",
        "Clock: as the exchange's",
        "Open orders: 1, looked after ",
        "UNKNOWN orders: 0",
        " % of 2,000 today, ",
        "this hour used (/limits)",
        "Journal: SQLite, answered in ",
        "Notices waiting for Telegram: ",
        "python-telegram-bot 22.",
    ):
        assert words in told
    assert str(bot.folder) not in told


def test_status_tells_when_the_clock_is_off_and_the_account_halted(exchange, bot, anna):
    session = bot.house.accounts[0].client.exchange.session
    anna.say("/balance")
    anna.wait_for("PYUSD")
    session._skews.extend([-7.0] * 9)
    bot.house.journal.trading.set("HALTED", by="tradehook", why="3 in a row", scope=scope_of(*whose(bot)))
    anna.say("/limits")
    anna.wait_for("Nobody set limits")
    anna.say("/status")
    told = anna.wait_for("Trading: on").text
    assert "Clock: 7 s ahead of the exchange's; set it right" in told
    assert "This account: FROZEN since " in told
    assert "by tradehook: 3 in a row (on the machine: tradehook resume --account-only)" in told


def test_status_with_an_exchange_that_fails_still_tells_the_rest(exchange, anna):
    exchange.fault("error_before", method="GET", path="/orders", times=30)
    anna.say("/status")
    told = anna.wait_for("Trading: on").text
    assert "reachable" not in told
    assert "Journal: SQLite" in told


def test_the_menu_has_twelve_at_most_and_help_has_the_rest(bot, anna, eventually):
    assert sum(command.in_menu for command in COMMANDS) <= 12
    shown = eventually(lambda: menu_of(anna, bot))
    assert {"buy", "sell", "freeze", "portfolio", "help"} <= {*shown}
    assert "account" not in shown  # there is only one
    assert "timezone" not in shown
    anna.say("/help")
    told = anna.wait_for("What I understand").text
    first, rest = told.split("And less often")
    assert "/buy" in first
    assert "/timezone" in rest
    for command in COMMANDS:
        if command.name not in ("start", "account"):
            assert f"/{command.name} - " in told


@pytest.mark.parametrize(
    "command", [command for command in COMMANDS if command.name != "start"], ids=lambda each: each.name
)
def test_every_command_has_help_with_examples_that_begin_with_it(command, ask_help):
    told = ask_help(command.name)
    assert command.examples
    for example in command.examples:
        assert example in told
        assert example.split()[0] == f"/{command.name}"


@pytest.fixture(scope="module")
def ask_help():
    from tradehook_bot.commands.about import help_text
    from tradehook_bot.replies import plain

    return lambda name: plain(help_text(COMMANDS, words=(name,)))


def test_who_may_only_look_is_offered_and_let_do_nothing_else(exchange, bot, anna, eventually):
    anna.say("/buy BTC 0.01")
    card = anna.wait_for("Open until:")
    only_let_look(bot, anna)
    before = exchange.orders()
    anna.tap(2, card)
    anna.wait_for(LOOKS_ONLY)
    for name in ("/buy BTC 0.01", "/sell BTC 0.01", "/cancel 1234abcd", "/resume"):
        anna.say(name)
        anna.wait_for(LOOKS_ONLY)
    anna.say("/start")
    anna.wait_for("You are its viewer")
    eventually(lambda: not {name for name in menu_of(anna, bot) if BY_NAME[name].moves_money})
    anna.say("/help")
    assert "/buy - " not in anna.wait_for("What I understand").text
    anna.say("/balance")
    anna.wait_for("PYUSD")
    anna.say("/freeze")
    anna.wait_for("Frozen.")
    assert exchange.orders() == before
