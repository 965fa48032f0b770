"""Who is let in, as what, and what is taken away again."""

from __future__ import annotations

import pytest

from tradehook_bot.access import TRADER, VIEWER


def from_bot(person):
    return [message for message in person.messages() if message.from_bot]


def menu_of(person):
    found = person.remote.get("/commands", chat=person.chat, token=person.token)["commands"]
    return {entry["command"] for entry in found}


@pytest.fixture
def invited(bot, anna):
    """Somebody who opened the link of an invitation."""

    def let_in(name, role):
        person = bot.person(name)
        person.open(f"https://t.me/{bot.app.bot.username}?start={bot.house.access.invite(role)}")
        person.wait_for(f"You are its {role}")
        return person

    return let_in


def test_a_viewer_looks_and_freezes_and_nothing_else(bot, anna, exchange, invited):
    vera = invited("Vera", VIEWER)
    assert "look, and freeze" in anna.wait_for("Somebody may use me from now on", since=0).text
    before = exchange.orders()
    vera.say("/balance")
    vera.wait_for("10,000.00 PYUSD")
    for command in ("/buy BTC 0.001", "/sell BTC max", "/cancel all", "/transfer BTC 0.1 vault", "/rebalance",
                    "/resume", "/allow_here", "/unknown 3f2a not"):  # fmt: skip
        vera.say(command)
        answer = vera.wait_for(lambda message: "You may look here" in message.text or "No doubt begins" in message.text)
        assert not answer.buttons
    vera.say("/freeze")
    vera.wait_for("Frozen.")
    assert bot.house.journal.trading_state()["state"] == "HALTED"
    vera.say("/resume")
    vera.wait_for("You may look here")
    assert bot.house.journal.trading_state()["state"] == "HALTED"
    assert exchange.orders() == before
    assert {"balance", "freeze", "status"} <= menu_of(vera)
    assert not {"buy", "sell"} & menu_of(vera)
    assert {"buy", "sell"} <= menu_of(anna)
    assert len(menu_of(anna)) <= 12


def test_a_trader_trades(bot, anna, exchange, invited):
    bob = invited("Bob", TRADER)
    before = exchange.orders()
    bob.say("/buy BTC 0.001")
    bob.tap(2, bob.wait_for("Open until:"))
    bob.wait_for("Filled")
    assert exchange.orders() == before + 1


def test_a_card_of_somebody_who_may_only_look_by_now_is_dead(bot, anna, exchange, invited, eventually):
    bob = invited("Bob", TRADER)
    bob.say("/buy BTC 0.001")
    card = bob.wait_for("Open until:")
    bot.house.access.remove(bob.chat)
    code = bot.house.access.invite(VIEWER)
    bob.say(f"/start {code}")
    bob.wait_for("You are its viewer")
    before = exchange.orders()
    bob.forge(card.buttons[1].data, card)
    bob.wait_for_answer()
    bob.say("/whoami")
    bob.wait_for("Role: viewer")
    assert exchange.orders() == before


def test_an_invitation_works_once_for_a_day_and_never_takes_away(bot, anna):
    access = bot.house.access
    code = access.invite(VIEWER)
    anna.say(f"/start {code}")
    anna.wait_for("You are its owner")
    # Anna may do more already, so it is still good for Bob, and after him for nobody.
    assert [role for role, _ in access.invitations()] == [VIEWER]
    bob, mallory = bot.person("Bob"), bot.person("Mallory")
    bob.say(f"/start {code}")
    bob.wait_for("You are its viewer")
    mallory.say(f"/start {code}")
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert from_bot(mallory) == []
    assert access.invitations() == []
    # A new owner's link voids the owners' links before it, and no invitation.
    spare = access.invite(TRADER)
    access.make_code()
    bob.say(f"/start {spare}")
    bob.wait_for("You are its trader")


def test_taken_back_invitations_let_nobody_in(bot, anna):
    code = bot.house.access.invite(TRADER)
    assert bot.house.access.take_back_invitations() == 1
    bob = bot.person("Bob")
    bob.say(f"/start {code}")
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert from_bot(bob) == []


def test_who_is_removed_hears_and_does_nothing_more(bot, anna, exchange, invited, eventually):
    bob = invited("Bob", TRADER)
    bob.say("/alert BTC > 99999999")
    bob.wait_for("99,999,999")
    bob.say("/buy BTC 0.001")
    card = bob.wait_for("Open until:")
    gone = bot.house.access.remove(bob.chat)
    assert gone.questions == 1
    eventually(lambda: not next(each for each in bob.messages() if each.id == card.id).buttons)
    count = len(from_bot(bob))
    before = exchange.orders()
    for command in ("/buy BTC 0.001", "/freeze", "/whoami"):
        bob.say(command)
    bob.forge(card.buttons[1].data, card)
    anna.say("/buy BTC 0.001")
    anna.tap(2, anna.wait_for("Open until:"))
    anna.wait_for("Filled")
    anna.say("/status")
    anna.wait_for("Trading: on")
    assert exchange.orders() == before + 1
    assert len(from_bot(bob)) == count
    assert bot.house.access.remove(bob.chat) is None


def test_the_commands_of_the_machine(bot, anna, eventually):
    shown = bot.command("invite", "view")
    assert shown.returncode == 0, shown.stderr
    link = next(word for word in shown.stdout.split() if word.startswith("https://t.me/"))
    assert "\u2588" in shown.stdout or "\u2580" in shown.stdout
    listed = bot.command("people").stdout
    assert "invited   somebody, as viewer" in listed
    assert link.partition("start=")[2] not in listed
    vera = bot.person("Vera")
    vera.open(link)
    vera.wait_for("You are its viewer")
    for command in ("people", "check"):
        listed = bot.command(command).stdout
        assert f"user      {anna.chat} " in listed
        assert "(owner): may look, order, cancel, transfer, freeze and resume; no authenticator app" in listed
        assert "(viewer): may look, and freeze; no authenticator app" in listed
        assert "invited" not in listed
    assert bot.command("invite", "admin").returncode == 2
    assert bot.command("remove").returncode == 2
    assert bot.command("remove", "4711").returncode == 3
    gone = bot.command("remove", str(vera.chat))
    assert gone.returncode == 0
    assert "may use the bot no more" in gone.stdout
    count = len(from_bot(vera))
    vera.say("/whoami")
    anna.say("/whoami")
    anna.wait_for("Role: owner")
    assert len(from_bot(vera)) == count
    assert menu_of(vera) == set()
    bot.command("invite", "trade")
    assert "1 invitation taken back" in bot.command("remove", "--invitations").stdout
    bot.house.groups.allow(-100123, 5, title="Desk", shows_holdings=False, allowed_by=anna.chat)
    assert "group     -100123 topic 5 Desk" in bot.command("people").stdout
    assert bot.command("remove", "--group", "-100123").returncode == 0
    assert bot.house.groups.every() == []
