"""What the guard asks before a send: is it live, is it a sandbox, can it be counted, and what is it worth elsewhere."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.client.desk.test_permits import Gone

from tradehook.desk import guard
from tradehook.desk.limits import Limits
from tradehook.desk.worth import Ground
from tradehook.errors import GuardRefused
from tradehook.futures import SizedFuturesOrder
from tradehook.models import SizedOrder
from tradehook.run import run
from tradehook.transfers import SizedTransfer

UAT = "https://api.uat.truemarkets.co"
BITCOIN = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"
ORDER = SizedOrder(base="BTC", quote="PYUSD", side="buy", quantity="1", unit="base", typed="x")


@pytest.fixture
def desk(world):
    return world.desk()


def limits_of(desk, account_id=None, **fields):
    account_id = account_id or run(desk.exchange.account_id())
    desk.journal.limits.set(desk.exchange.host, account_id, Limits(**fields), by="test")
    return desk.journal.limits


def refusal(question) -> GuardRefused:
    with pytest.raises(GuardRefused) as caught:
        question()
    return caught.value


# --- live -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("environment", "base_url", "is_live"),
    [
        ("sandbox", "http://127.0.0.1:8787", False),
        ("live", "http://127.0.0.1:8787", True),
        ("uat", UAT, False),
        ("sandbox", UAT, True),
        ("live", UAT, True),
        ("uat", "https://api.truemarkets.co", True),
        ("uat", "http://127.0.0.1:8787", False),
        ("sandbox", "https://truemarkets.co", True),
        ("sandbox", "https://me@API.TrueMarkets.co.:443", True),
        ("sandbox", "https://me@truemarkets.co", True),
        ("sandbox", "https://nottruemarkets.co", False),
        ("sandbox", "https://truemarkets.co.example.com", False),
        ("sandbox", "https://truex.co", True),
    ],
)
def test_what_is_live(world, environment, base_url, is_live):
    assert guard.is_live(world.exchange(environment=environment, base_url=base_url)) is is_live


def test_a_live_exchange_is_written_to_only_where_its_own_account_is_open(world):
    desk = world.desk(environment="live")
    exchange, book = desk.exchange, desk.journal.limits
    for limits in (None, book):
        for is_cancel in (False, True):
            error = refusal(lambda: guard.check_address(exchange, limits=limits, is_cancel=is_cancel))  # noqa: B023
            assert (error.rule, error.exchange, error.actual) == ("live", "true_markets", exchange.host)
            assert refusal(lambda: run(guard.check(exchange, limits=limits, is_cancel=is_cancel))).rule == "live"  # noqa: B023
    limits_of(desk, "somebody else", live=True)
    guard.check_address(exchange, limits=book)
    error = refusal(lambda: run(guard.check(exchange, limits=book)))
    assert (error.exchange, error.actual) == ("true_markets", exchange.host)
    assert refusal(lambda: run(guard.check(exchange, limits=book, is_cancel=True))).rule == "live"
    limits_of(desk, live=False)
    assert refusal(lambda: run(guard.check(exchange, limits=book))).rule == "live"
    run(guard.check(exchange, limits=book, is_cancel=True))
    limits_of(desk, live=True)
    run(guard.check(exchange, limits=book))


def test_what_was_live_once_is_still_canceled_and_nothing_else(world):
    desk = world.desk(environment="live")
    limits_of(desk, live=False)
    assert refusal(lambda: guard.check_address(desk.exchange, limits=desk.journal.limits)).rule == "live"
    guard.check_address(desk.exchange, limits=desk.journal.limits, is_cancel=True)
    run(guard.check(desk.exchange, limits=desk.journal.limits, is_cancel=True))


def test_a_sandbox_proves_itself_and_uat_need_not(world, monkeypatch):
    exchange = world.exchange()
    run(guard.check(exchange))
    run(guard.check(exchange, is_cancel=True))

    async def not_by_the_sandbox():
        return False

    monkeypatch.setattr(exchange, "issued_by_sandbox", not_by_the_sandbox)
    error = refusal(lambda: run(guard.check(exchange)))
    assert (error.rule, error.limit, error.actual, error.exchange) == (
        "environment", "sandbox", "127.0.0.1:8787", "true_markets",
    )  # fmt: skip
    assert error.message == (
        "The environment is called sandbox, but 127.0.0.1:8787 did not sign in as a sandbox: its token is not the "
        "sandbox's. Nothing was sent. Check TRADEHOOK_TRUE_MARKETS_URL."
    )
    run(guard.check(world.exchange(environment="uat", base_url=UAT)))


def test_what_cannot_be_counted_is_not_sent_and_cancels_are(world):
    exchange = world.exchange()
    guard.check_budget(exchange)
    exchange.session.budget.share(Gone())
    run(exchange.account_id())
    error = refusal(lambda: run(guard.check(exchange)))
    assert (error.rule, error.exchange) == ("budget", "true_markets")
    assert error.message.startswith("Requests cannot be counted now: ")
    assert error.message.endswith(
        " Nothing new is sent until they can; cancels, and looking at what was sent, go on slowly."
    )
    run(guard.check(exchange, is_cancel=True))


# --- what it is worth elsewhere -----------------------------------------------------------------------------------


def ground(desk, settled):
    return run(guard.survey(desk.exchange, desk.journal, settled=settled))


def told(desk, monkeypatch, **prices):
    """The exchange's published prices, by symbol; and what was asked for."""
    asked = []
    ticker = desk.exchange.prices.ticker

    async def priced(symbol):
        asked.append(symbol)
        candles = ()
        return (await ticker("BTC")).model_copy(update={"price": Decimal(prices[symbol]), "candles": candles})

    monkeypatch.setattr(desk.exchange.prices, "ticker", priced)
    return asked


def transfer(asset="BTC", to="cold", *, address=ADDRESS, network="base"):
    return SizedTransfer(asset=asset, asset_id="x", quantity="1", to=to, address=address, network=network, typed="x")


def test_without_limits_nothing_is_asked_for(desk, monkeypatch):
    asked = told(desk, monkeypatch, BTC="7")
    desk.journal.destinations.add(desk.exchange.host, "cold", network="base", address=ADDRESS, by="a")
    assert [ground(desk, ORDER), ground(desk, transfer())] == [Ground(), Ground()]
    assert asked == []


def test_with_limits_base_and_quote_are_asked_for_and_money_is_not(desk, monkeypatch):
    limits_of(desk)
    asked = told(desk, monkeypatch, BTC="7", ETH="3")
    assert ground(desk, ORDER) == Ground(price=Decimal(7))
    assert ground(desk, ORDER.model_copy(update={"quote": "ETH"})) == Ground(price=Decimal(7), quote_price=Decimal(3))
    assert ground(desk, transfer()) == Ground(price=Decimal(7))
    assert ground(desk, transfer("USDC")) == Ground()
    assert asked == ["BTC", "BTC", "ETH", "BTC"]


def test_an_address_with_a_cap_of_its_own_needs_a_price_under_whatever_label(desk, monkeypatch):
    told(desk, monkeypatch, BTC="7")
    host = desk.exchange.host
    desk.journal.destinations.add(host, "cold", network="base", address=ADDRESS, by="a")
    desk.journal.destinations.add(host, "warm", network="bitcoin", address=BITCOIN, by="a", day_cap=Decimal(1))
    assert ground(desk, transfer(to="cold")) == Ground()
    assert ground(desk, transfer(to="warm", address=BITCOIN, network="bitcoin")) == Ground(price=Decimal(7))
    desk.journal.destinations.add(host, "again", network="base", address=ADDRESS, by="a", day_cap=Decimal(1))
    assert ground(desk, transfer(to="cold")) == Ground(price=Decimal(7))


def test_futures_are_settled_with_what_they_put_at_risk(desk, monkeypatch):
    limits_of(desk)
    asked = told(desk, monkeypatch)
    opens = SizedFuturesOrder(contract="BTC/USDT", position_side="long", action="open", contracts=1, currency="USDT")
    assert ground(desk, opens) == Ground()
    assert asked == []


@pytest.mark.parametrize(("price", "known"), [("0", None), ("-1", None), ("0.5", Decimal("0.5"))])
def test_a_price_that_is_none_is_left_out(desk, monkeypatch, price, known):
    limits_of(desk)
    told(desk, monkeypatch, BTC=price)
    assert ground(desk, ORDER).price == known


def test_where_no_prices_are_published_there_is_none(desk, monkeypatch):
    limits_of(desk)
    monkeypatch.setattr(desk.exchange, "prices", None)
    assert ground(desk, ORDER) == Ground()


def test_a_price_that_cannot_be_had_is_left_out_and_said(world, desk, caplog):
    limits_of(desk)
    world.fault("error_before", method="GET", path="/v1/defi/market/prices", status=404)
    assert ground(desk, ORDER).price is None
    (message,) = [each for each in caplog.messages if "No price" in each]
    assert message.startswith("No price of BTC could be had: ")
    assert not message.endswith("None")


def test_on_a_chain_base_and_quote_count_only_at_their_own_addresses(desk, monkeypatch):
    limits_of(desk)
    own = {"BTC": ("base", "0xAA"), "ETH": ("base", "0xBB")}
    ticker = desk.exchange.prices.ticker

    async def at_addresses(symbol):
        found = await ticker("BTC")
        chain, address = own[symbol]
        candles = tuple(each.model_copy(update={"chain": chain, "address": address}) for each in found.candles)
        assert candles
        return found.model_copy(update={"candles": candles})

    monkeypatch.setattr(desk.exchange.prices, "ticker", at_addresses)
    chained = ORDER.model_copy(
        update={"quote": "ETH", "chain": "base", "base_address": "0xaa", "quote_address": "0xbb"}
    )
    for changed, known in (
        ({}, (True, True)),
        ({"base_address": "0xbb"}, (False, True)),
        ({"quote_address": "0xaa"}, (True, False)),
        ({"quote_address": None}, (True, False)),
        ({"chain": "solana"}, (False, False)),
        ({"chain": None, "quote_address": "0xaa"}, (True, True)),
    ):
        found = ground(desk, chained.model_copy(update=changed))
        assert (found.price is not None, found.quote_price is not None) == known, changed
    for chain, address, is_known in (
        ("base", "0xAA", True),
        ("base", "0xBB", False),
        ("base", None, False),
        ("solana", "0xAA", False),
        (None, None, True),
    ):
        paid = transfer().model_copy(update={"chain": chain, "asset_address": address})
        assert (ground(desk, paid).price is not None) is is_known, (chain, address)


def test_it_is_known_that_it_is_blind_without_limits_as_well(desk, monkeypatch):
    monkeypatch.setitem(desk.exchange.spec.capabilities.cannot, "orders", "It tells of no orders.")
    assert ground(desk, ORDER) == Ground(is_blind=True)


def test_it_is_known_that_it_is_live_and_that_it_is_blind(world, desk, monkeypatch):
    live = world.desk(environment="live")
    assert ground(live, ORDER) == Ground(is_live=True)
    assert ground(live, transfer()) == Ground(is_live=True)
    limits_of(live)
    told(live, monkeypatch, BTC="7")
    assert ground(live, ORDER) == Ground(is_live=True, price=Decimal(7))
    assert ground(live, transfer()) == Ground(is_live=True, price=Decimal(7))
    capabilities = live.exchange.spec.capabilities
    monkeypatch.setitem(capabilities.cannot, "orders", "It tells of no orders.")
    assert ground(live, ORDER).is_blind
    assert ground(world.desk(), ORDER).is_blind
