"""Names of assets: what is not there is offered by buttons, and what is on a chain is never taken for its namesake."""

from __future__ import annotations

import pytest

from tradehook_bot import offers
from tradehook_bot.offers import Offer

CBBTC = "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf"


def words_on(message):
    return [button.text for button in message.buttons]


def test_a_slip_is_offered_as_a_button_that_types_the_command(anna):
    anna.say("/quote BTX 0.05")
    told = anna.wait_for("BTX is not traded here. Did you mean BTC?")
    assert words_on(told) == ["BTC at the exchange"]
    anna.tap(1, told)
    anna.wait_for("BTC/PYUSD, 0.0500 BTC")


def test_a_slip_in_an_order_leads_to_a_question_and_no_further(exchange, anna):
    before = exchange.orders()
    anna.say("/buy BTX 0.01 limit 60000")
    anna.tap(1, anna.wait_for("Did you mean BTC?"))
    card = anna.wait_for("Open until:")
    assert "60,000.0" in card.text
    assert exchange.orders() == before


def test_what_is_on_a_chain_stands_beside_its_namesake_with_chain_and_address(anna):
    anna.say("/quote CBTC 0.05")
    told = anna.wait_for("CBTC is not traded here. Did you mean CBBTC or BTC?")
    assert words_on(told) == ["CBBTC on base (0xcbb7…33bf)", "BTC at the exchange"]
    anna.tap(1, told)
    on_chain = anna.wait_for("CBBTC is on chain: base")
    assert CBBTC in on_chain.text
    assert "BTC/PYUSD" not in on_chain.text


@pytest.mark.parametrize("command", ["/quote CBBTC 0.05", "/buy CBBTC $50", "/sell CBBTC max"])
def test_a_coin_on_a_chain_is_never_taken_for_the_exchanges_own(command, exchange, anna):
    before = exchange.orders()
    anna.say(command)
    told = anna.wait_for("CBBTC is on chain: base")
    assert CBBTC in told.text
    assert "CBBTC/USDC" in told.text
    assert exchange.orders() == before


def test_what_is_not_on_a_chain_is_said(anna):
    anna.say("/buy DOGE $50 on base")
    assert "It has CBBTC" in anna.wait_for("There is no DOGE on base").text
    anna.say("/quote DOGE 1")
    anna.wait_for("I can trade BTC, ETH")


@pytest.mark.parametrize("command", ["/freeze", "/resume", "/cancel all", "/transfer BTC 1 cold", "buy BTC 1", "/", ""])
def test_a_button_types_nothing_but_what_looks_or_asks(command):
    assert offers.read(f"c:{command}") is None


def test_a_command_that_does_not_fit_has_no_button():
    assert offers.keyboard([Offer("x", "/quote " + "B" * 60)]) is None
    assert offers.read("c:/buy BTC $50") == "/buy BTC $50"


def test_a_forged_button_types_only_what_its_presser_might(exchange, anna):
    before = exchange.orders()
    anna.say("/quote BTX 0.05")
    told = anna.wait_for("Did you mean BTC?")
    anna.forge("c:/freeze", told)
    anna.forge("c:/buy BTC 0.01", told)
    anna.wait_for("Open until:")
    assert exchange.orders() == before
