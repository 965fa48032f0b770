"""What a plan over several accounts is made of: whose they are, what each calls cash, and what its targets cost there."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_plans_across import GOAL, Both

from tradehook.desk import team
from tradehook.errors import (
    ConfigurationError,
    InvalidInput,
    NetworkError,
    NotFound,
    Rejected,
    TradehookError,
    Unavailable,
)
from tradehook.models import Side, Unit
from tradehook.run import run


@pytest.fixture
def both(tmp_path):
    made = Both(tmp_path)
    yield made
    for desk in made.desks:
        desk.close()


@pytest.fixture
def places(monkeypatch):
    """What the plan is made of, once it is made."""
    found = {}
    make = team.plan_across

    def seen(goal, *, places):
        found.update({place.account: place for place in places})
        return make(goal, places=places)

    monkeypatch.setattr(team, "plan_across", seen)
    return found


def trades_against(exchange, quotes, *, says=None):
    """The exchange as if it traded against these alone; returns what it is asked for, and the prices that it told."""
    asked, told, quote = [], {}, exchange.get_quote

    async def get_quote(symbol, **more):
        asked.append((symbol, more["quote"], more["side"], more["quantity"], more["unit"]))
        if more["quote"] not in quotes:
            raise says or InvalidInput("It is not traded against that.")
        found = await quote(symbol, **{**more, "quote": exchange.spec.capabilities.default_quote})
        told[symbol] = found.price
        return found.model_copy(update={"quote": more["quote"]})

    exchange.get_quote = get_quote
    return asked, told


# --- whose they are -----------------------------------------------------------------------------------------------


def test_the_desks_come_by_name_in_order(both):
    main, fin = both.pair()
    assert [*team.by_name([main, fin]).items()] == [("fin", fin), ("main", main)]
    assert team.by_name([main]) == {"main": main}


def test_a_name_that_stands_for_two_is_refused(both):
    desks = [both.desk(both.main(), "one"), both.desk(both.fin(), "one")]
    with pytest.raises(InvalidInput) as caught:
        team.by_name(desks)
    assert caught.value.message == "An account is named twice. Name each once."


def test_desks_with_different_journals_are_refused_by_name(both):
    desks = [both.desk(both.main(), "main", journal="other"), both.desk(both.fin(), "fin")]
    with pytest.raises(ConfigurationError) as caught:
        team.by_name(desks)
    assert caught.value.message == (
        "fin and main keep different journals, so nothing could say what was sent before. Give both the same "
        "journal_url."
    )


def test_an_owner_is_an_account_at_a_host_of_an_exchange(both):
    main, fin = both.main(), both.fin()
    owner = run(main.account_id())
    assert run(team.owners({"main": main, "fin": fin})) == {
        "main": f"true_markets 127.0.0.1:8787 {owner}",
        "fin": "fintrusted 127.0.0.1:8787 member-1001",
    }
    assert run(team.owners({})) == {}


def test_two_names_of_one_account_are_refused_whichever_they_are(both):
    exchanges = {"main": both.main(), "fin": both.fin(), "again": both.main()}
    with pytest.raises(InvalidInput) as caught:
        run(team.owners(exchanges))
    assert caught.value.message == (
        "main and again are the same account, so all of it would count twice. Name it once, or look at "
        "`tradehook accounts`."
    )
    with pytest.raises(InvalidInput, match="main and again are the same account"):
        team.make_across(exchanges, GOAL)


# --- what each has ------------------------------------------------------------------------------------------------


def test_each_place_is_what_its_account_has_and_what_things_cost_there(both, places):
    exchanges = {"main": both.main(), "fin": both.fin()}
    quotes = {"main": "PYUSD", "fin": "USDT"}
    heard = {name: trades_against(exchange, {quotes[name]}) for name, exchange in exchanges.items()}
    made = team.make_across(exchanges, GOAL)
    assert {leg.account for leg in made.legs} == {"main", "fin"}
    assert [*places] == ["main", "fin"]
    for name, exchange in exchanges.items():
        (asked, prices), place = heard[name], places[name]
        assert asked == [(symbol, quotes[name], Side.SELL, Decimal(100), Unit.QUOTE) for symbol in ("BTC", "ETH")]
        assert (place.quote, place.prices, place.no_buys) == (quotes[name], prices, "")
        assert place.balances == run(exchange.balances())
        assert place.lots == {symbol: exchange.lot_size(price) for symbol, price in prices.items()}


@pytest.mark.parametrize(
    ("fee", "at_main", "at_fin"), [("0", "0.04", "0"), ("0.03", "0.04", "0.03"), ("0.25", "0.25", "0.25")]
)
def test_a_trade_is_taken_to_cost_what_was_asked_for_or_seen_whichever_is_more(both, places, fee, at_main, at_fin):
    team.make_across({"main": both.main(), "fin": both.fin()}, GOAL.model_copy(update={"fee": Decimal(fee)}))
    assert {name: place.fee for name, place in places.items()} == {"main": Decimal(at_main), "fin": Decimal(at_fin)}


def test_where_nothing_can_be_bought_its_place_says_why(both, places):
    fin = both.fin(market_buy_unit="forbid")
    team.make_across({"main": both.main(), "fin": fin}, GOAL)
    assert places["main"].no_buys == ""
    assert places["fin"].no_buys == fin.spec.capabilities.cannot["quote_buys"] != ""


# --- what is cash there -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("quote", "at_main", "at_fin"),
    [("PYUSD", "PYUSD", "USDT"), ("USDT", "PYUSD", "USDT"), ("USDC", "USDC", "USDT"), ("USD", "PYUSD", "USDT")],
)
def test_cash_is_what_was_asked_for_where_it_is_nobodys_own_and_traded_there(both, places, quote, at_main, at_fin):
    main, fin = both.main(), both.fin()
    trades_against(main, {"PYUSD", "USDC", "USDT"})
    trades_against(fin, {"USDT", "PYUSD"})
    team.make_across({"main": main, "fin": fin}, GOAL.model_copy(update={"quote": quote}))
    assert {name: place.quote for name, place in places.items()} == {"main": at_main, "fin": at_fin}


@pytest.mark.parametrize(
    "says",
    [InvalidInput("No."), NotFound("No."), Rejected("No."), Unavailable("No.")],
    ids=lambda error: type(error).__name__,
)
def test_however_it_says_that_it_is_not_traded_against_that_its_own_cash_is_asked_for(both, says):
    main = both.main()
    asked, told = trades_against(main, {"PYUSD"}, says=says)
    assert run(team._prices(main, GOAL, quote="USDC")) == ("PYUSD", told)
    assert [*told] == ["BTC", "ETH"]
    assert [symbol for symbol, quote, *_ in asked if quote == "PYUSD"] == ["BTC", "ETH"]
    assert {quote for _, quote, *_ in asked} == {"USDC", "PYUSD"}


def test_what_is_traded_against_it_settles_the_cash_even_if_it_is_one_alone(both):
    main = both.main()
    asked, told = trades_against(main, {"PYUSD", "USDC"})
    quoted = main.get_quote

    async def not_btc(symbol, **more):
        if (symbol, more["quote"]) == ("BTC", "USDC"):
            raise NotFound("There is no such market.")
        return await quoted(symbol, **more)

    main.get_quote = not_btc
    assert run(team._prices(main, GOAL, quote="USDC")) == ("USDC", {"ETH": told["ETH"]})
    assert [each[:2] for each in asked] == [("ETH", "USDC")]


def test_nothing_is_asked_twice_where_its_own_cash_was_asked_for(both):
    main = both.main()
    for quote in ("", "PYUSD"):
        asked, _ = trades_against(main, set())
        assert run(team._prices(main, GOAL, quote=quote)) == ("PYUSD", {})
        assert [each[:2] for each in asked[:2]] == [("BTC", "PYUSD"), ("ETH", "PYUSD")]
        assert len(asked) == 2


@pytest.mark.parametrize("error", [Unavailable("It is down."), NetworkError("It is gone.")], ids=str)
def test_an_exchange_that_cannot_be_asked_has_no_plan(both, error):
    main = both.main()
    trades_against(main, set(), says=error)
    with pytest.raises(TradehookError) as caught:
        team.make_across({"main": main, "fin": both.fin()}, GOAL)
    assert caught.value is error
