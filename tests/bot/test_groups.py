"""Groups and topics: used only where somebody who may trade let the bot in, and by those on the list only."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tradehook_bot.access import TRADER, VIEWER


def from_bot(messages):
    return [message for message in messages if message.from_bot]


def texts(group):
    return [message.text for message in from_bot(group.messages())]


def has_left(group):
    events = group.founder.remote.get("/events", since=0, chat=group.id, token=group.founder.token)["events"]
    return any(event["kind"] == "left" for event in events)


@pytest.fixture
def invited(bot, anna):
    """Somebody who opened the link of an invitation."""

    def let_in(name, role=TRADER):
        person = bot.person(name)
        person.say(f"/start {bot.house.access.invite(role)}")
        person.wait_for(f"You are its {role}")
        return person

    return let_in


@pytest.fixture
def quiet(bot, anna):
    """Everything that was said before has been handled: what is not answered by then is not answered at all."""

    def settle():
        anna.say("/whoami")
        anna.wait_for("Role: owner", chat=anna.chat)

    return settle


def test_the_bot_leaves_where_a_stranger_put_it_and_stays_where_a_trader_did(bot, anna, invited, quiet, eventually):
    mallory, vera = bot.person("Mallory"), invited("Vera", VIEWER)
    for somebody in (mallory, vera):
        theirs = somebody.group(f"Party of {somebody.user}", people=[anna])
        eventually(lambda group=theirs: has_left(group))
        assert texts(theirs) == []
    hers = anna.group("Desk")
    assert "/allow_here" in anna.wait_for("I do nothing here until", chat=hers).text


def test_nothing_is_answered_before_somebody_who_may_allows_it(bot, anna, invited, quiet):
    vera, mallory = invited("Vera", VIEWER), bot.person("Mallory")
    group = anna.group("Desk", people=[vera, mallory])
    anna.wait_for("I do nothing here until", chat=group)
    for person, said in ((anna, "/status"), (vera, "/allow_here"), (mallory, "/allow_here"), (vera, "/freeze")):
        person.say(said, chat=group)
    anna.say("/allow_here", chat=group, forwarded=True)
    anna.say("/allow_here", chat=group, via_bot=True)
    quiet()
    assert len(texts(group)) == 1
    assert bot.house.groups.every() == []
    assert bot.house.journal.trading_state()["state"] == "NORMAL"
    anna.say("/allow_here", chat=group)
    assert "not shown here" in anna.wait_for("From now on I may be used in this group", chat=group).text
    vera.say("/status", chat=group)
    vera.wait_for("Trading: on", chat=group)
    mallory.say("/status", chat=group)
    vera.say("/buy BTC 0.001", chat=group)
    vera.wait_for("You may look here", chat=group)
    anna.say("/forbid_here", chat=group)
    anna.wait_for("I do nothing here any more", chat=group)
    count = len(texts(group))
    anna.say("/status", chat=group)
    quiet()
    assert len(texts(group)) == count == 5


def test_only_the_proposer_confirms(bot, anna, invited, exchange, quiet):
    bob, mallory = invited("Bob"), bot.person("Mallory")
    group = anna.group("Desk", people=[bob, mallory])
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)
    before = exchange.orders()
    anna.say("/buy BTC 0.001", chat=group)
    card = anna.wait_for("Open until:", chat=group)
    assert "Available" not in card.text
    for other in (bob, mallory):
        for button in (1, 2):
            other.tap(button, card)
    quiet()
    assert exchange.orders() == before
    assert next(each for each in group.messages() if each.id == card.id).text == card.text
    anna.tap(2, card)
    anna.wait_for("Filled", chat=group)
    assert exchange.orders() == before + 1


def test_a_topic_is_a_place_of_its_own(bot, anna, exchange, quiet):
    group = anna.group("Desk", forum=True)
    trades, gossip = group.topic("Trades"), group.topic("Gossip")
    anna.say("/allow_here", chat=group, topic=trades)
    assert anna.wait_for("used in this topic", chat=group).thread == trades
    before = len(texts(group))
    anna.say("/status", chat=group, topic=gossip)
    anna.say("/status", chat=group)
    quiet()
    assert len(texts(group)) == before
    anna.say("/buy BTC 0.001", chat=group, topic=trades)
    card = anna.wait_for("Open until:", chat=group)
    assert card.thread == trades
    orders = exchange.orders()
    anna.tap(2, card)
    anna.wait_for("Filled", chat=group)
    assert exchange.orders() == orders + 1
    anna.say("/nonsense@" + bot.app.bot.username, chat=group, topic=trades)
    assert anna.wait_for("There is no command", chat=group).thread == trades
    assert {message.thread for message in from_bot(group.messages())} == {None, trades}
    # Only what the bot said when it came stands outside.
    assert len([message for message in from_bot(group.messages()) if message.thread is None]) == 1


def test_what_is_held_is_shown_in_private_only_unless_somebody_allows_it(bot, anna, invited, exchange):
    vera = invited("Vera", VIEWER)
    group = anna.group("Desk", people=[vera])
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)
    for command in ("/balance", "/portfolio", "/portfolio day", "/rebalance"):
        anna.say(command, chat=group)
        kept = anna.wait_for("shows what is held", chat=group)
        assert f"https://t.me/{bot.app.bot.username}" in kept.text
        assert "10,000" not in kept.text
    anna.say("/buy BTC 10", chat=group)
    assert "and less is available" in anna.wait_for("This costs", chat=group).text
    for command in ("/alert BTC > 1", "/digest now", "/notify all", "/totp"):
        anna.say(command, chat=group)
        anna.wait_for("is for your private chat with me", chat=group)
    vera.say("/allow_here balances", chat=group)
    vera.wait_for("You may look here", chat=group)
    anna.say("/allow_here balances", chat=group)
    anna.wait_for("What is held is shown here", chat=group)
    vera.say("/balance", chat=group)
    vera.wait_for("10,000.00 PYUSD", chat=group)
    anna.say("/buy BTC 0.001", chat=group)
    assert "Available after" in anna.wait_for("Open until:", chat=group).text


def test_what_people_say_to_each_other_and_to_other_bots_is_none_of_ours(bot, anna, quiet):
    group = anna.group("Desk", bot="administrator")
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)
    count = len(texts(group))
    for said in (
        "hello",
        "buy BTC 1",
        "123456",
        "/weather",
        "/freeze@other_bot",
        "/status@other_bot",
        "",
        "@x /freeze",
    ):
        anna.say(said or "...", chat=group)
    quiet()
    assert len(texts(group)) == count
    assert bot.house.journal.trading_state()["state"] == "NORMAL"
    anna.say(f"/status@{bot.app.bot.username.upper()}", chat=group)
    anna.wait_for("Trading: on", chat=group)


def test_nobody_acts_under_another_name(bot, anna, exchange, quiet):
    group = anna.group("Desk", supergroup=True)
    group.promote(anna)
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)
    count, before = len(texts(group)), exchange.orders()
    for command in ("/freeze", "/buy BTC 0.001"):
        anna.say(command, chat=group, anonymous=True)
        anna.say(command, chat=group, as_channel="News")
        said = anna.say("nothing", chat=group)
        anna.say(command, chat=group, edits=said.id)
        anna.say(command, chat=group, edited=True)
    quiet()
    assert len(texts(group)) == count
    for command in ("/freeze", "/buy BTC 0.001"):
        for circumstances in ({"forwarded": True}, {"via_bot": True}):
            anna.say(command, chat=group, **circumstances)
            anna.wait_for("Type the command yourself", chat=group)
    anna.say("/buy BTC 0.001", chat=group, ago_seconds=300)
    anna.wait_for("nothing was done with it", chat=group)
    assert exchange.orders() == before
    assert bot.house.journal.trading_state()["state"] == "NORMAL"


def test_a_code_is_never_asked_for_where_others_read_along(make_bot, exchange, app_of):
    with make_bot(step_up_above=Decimal(1000)).running() as bot:
        anna = bot.let_in()
        app_of(anna, bot)
        group = anna.group("Desk")
        anna.say("/allow_here", chat=group)
        anna.wait_for("From now on", chat=group)
        before = exchange.orders()
        anna.say("/buy BTC 0.1", chat=group)
        assert not anna.wait_for("takes a code, and everybody here would read it", chat=group).buttons
        anna.say("/transfer BTC 0.1 vault", chat=group)
        anna.wait_for("/transfer is for your private chat", chat=group)
        # A question that wants a code only by the time it is answered.
        anna.say("/buy BTC 0.001", chat=group)
        card = anna.wait_for("Open until:", chat=group)
        bot.house.settings = replace(bot.house.settings, step_up_above=Decimal(1))
        anna.tap(2, card)
        over = anna.wait_for("It takes a code", chat=group)
        assert "/buy BTC 0.001" in over.text
        assert not over.buttons
        assert exchange.orders() == before


def test_a_group_that_becomes_a_supergroup_stays_allowed(bot, anna, quiet):
    group = anna.group("Desk")
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)
    old = group.id
    new = group.migrate()
    anna.say("/status", chat=group)
    anna.wait_for("Trading: on", chat=group)
    assert [each.chat_id for each in bot.house.groups.every()] == [new] != [old]


def test_whoever_puts_the_bot_out_ends_it(bot, anna, invited, eventually, quiet):
    bob = invited("Bob")
    group = anna.group("Desk", people=[bob])
    bob.say("/allow_here", chat=group)
    bob.wait_for("From now on", chat=group)
    group.set_bot("kicked")
    eventually(lambda: bot.house.groups.every() == [])
    group.set_bot("member")
    anna.say("/status", chat=group)
    quiet()
    assert texts(group)[-1].endswith("and nobody else.")
    bob.say("/allow_here", chat=group)
    bob.wait_for("From now on", chat=group)
    # A group that somebody let in goes when they go.
    assert bot.house.access.remove(bob.chat).groups == 1
    count = len(texts(group))
    anna.say("/status", chat=group)
    quiet()
    assert len(texts(group)) == count


def test_one_tap_freezes_in_a_topic(bot, anna, invited):
    vera = invited("Vera", VIEWER)
    group = anna.group("Desk", people=[vera], forum=True)
    trades = group.topic("Trades")
    anna.say("/allow_here", chat=group, topic=trades)
    anna.wait_for("From now on", chat=group)
    vera.say("/freeze", chat=group, topic=trades)
    assert vera.wait_for("Frozen.", chat=group).thread == trades
    assert bot.house.journal.trading_state()["state"] == "HALTED"


def test_a_group_has_a_menu_of_its_own(bot, anna, eventually):
    group = anna.group("Desk")
    anna.say("/allow_here", chat=group)
    anna.wait_for("From now on", chat=group)

    def menu():
        found = anna.remote.get("/commands", chat=group.id, token=bot.token)["commands"]
        return {entry["command"] for entry in found}

    eventually(lambda: {"buy", "freeze"} <= menu())
    assert "alerts" not in menu()
    anna.say("/forbid_here", chat=group)
    eventually(lambda: menu() == set())
