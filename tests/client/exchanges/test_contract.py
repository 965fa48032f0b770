"""What every exchange promises, under both lines, over real sockets. A new exchange is added to `EXCHANGES`.

Nothing is passed over: what an exchange cannot do is refused, with the sentence of its `Capabilities`.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from tradehook import NewOrder
from tradehook.amounts import Amount
from tradehook.client import AsyncClient, Client, connect, connect_async
from tradehook.errors import InvalidInput, NotFound, TradehookError
from tradehook.models import OrderStatus
from tradehook.registry import EXCHANGES
from tradehook.run import run, run_each
from tradehook.settings import Settings
from tradehook.transfers import Destination, NewTransfer


@pytest.fixture(params=EXCHANGES)
def settings(request, sandbox_server, tmp_path) -> Settings:
    return Settings(
        exchange=request.param,
        url=sandbox_server.url,
        key_file=Path(sandbox_server.key_file),
        journal_url=f"sqlite:///{tmp_path}/journal.db",
    )


class Blocking:
    """A blocking client, which can also be asked what only its exchange knows."""

    def __init__(self, settings: Settings) -> None:
        self._client: Client = connect(settings)
        self.exchange = self._client.exchange

    def __getattr__(self, verb: str):
        return getattr(self._client, verb)

    def follow(self, intent_id):
        return self._client.desk.follow(intent_id)

    def ask(self, operation):
        result = operation(self.exchange)
        return list(run_each(result)) if hasattr(result, "__aiter__") else run(result)


class Asynchronous:
    """Drives an asynchronous client from a test as if it were blocking."""

    def __init__(self, settings: Settings) -> None:
        self._runner = asyncio.Runner()
        self._client: AsyncClient = connect_async(settings)
        self.exchange = self._client.exchange

    def __getattr__(self, verb: str):
        method = getattr(self._client, verb)

        def call(*args, **kwargs):
            if verb.startswith("watch_"):
                return self._each(method(*args, **kwargs))

            async def collect():
                result = method(*args, **kwargs)
                if hasattr(result, "__aiter__"):
                    return [item async for item in result]
                return await result

            return self._runner.run(collect())

        return call

    def follow(self, intent_id):
        return self._client.desk.follow(intent_id)

    def ask(self, operation):
        """An operation of the exchange itself, or the items of a list."""

        async def collect():
            result = operation(self.exchange)
            return [item async for item in result] if hasattr(result, "__aiter__") else await result

        return self._runner.run(collect())

    def _each(self, items):
        """One item at a time, of what has no end."""

        async def following():
            return await anext(items)

        try:
            while True:
                yield self._runner.run(following())
        finally:
            self._runner.run(items.aclose())

    def close(self) -> None:
        self._runner.run(self._client.close())
        self._runner.close()


@pytest.fixture(params=["blocking", "asyncio"])
def client(request, settings):
    client = Blocking(settings) if request.param == "blocking" else Asynchronous(settings)
    yield client
    client.close()


@pytest.fixture
def capabilities(client):
    """Of this account: what an exchange can do may depend on its settings."""
    return client.exchange.spec.capabilities


@pytest.fixture
def market(capabilities) -> str:
    return f"BTC/{capabilities.default_quote}"


def test_what_it_cannot_do_is_refused_with_its_sentence(client, capabilities):
    made = NewTransfer(asset="BTC", amount="1", to="cold")
    cold = Destination(label="cold", network="bitcoin", address="x", added_by="test", added_at=datetime.now(UTC))
    questions = {
        "orders": lambda it: it.get_order("E170000000000000001"),
        "transfers": lambda it: it.size_transfer(made, destination=cold),
        "portfolio": lambda it: it.portfolio(),
        "transactions": lambda it: it.list_transactions(),
    }
    assert set(capabilities.cannot) <= {*questions, "base_buys", "quote_buys", "futures"}
    for ability, operation in questions.items():
        if capabilities.can(ability):
            try:
                client.ask(operation)
            except TradehookError as error:
                assert error.message not in capabilities.cannot.values()
        else:
            with pytest.raises(InvalidInput) as caught:
                client.ask(operation)
            assert caught.value.message == capabilities.cannot[ability]
    if not capabilities.can("orders"):
        assert client.ask(lambda it: it.list_orders()) == []


def test_market_buys_are_sized_in_the_units_that_it_can(client, capabilities, market):
    for ability, amount in (("base_buys", "0.001"), ("quote_buys", "$50")):
        order = NewOrder.of(market, side="buy", amount=amount)
        if capabilities.can(ability):
            assert client.size_order(order).quantity > 0
        else:
            with pytest.raises(InvalidInput) as caught:
                client.size_order(order)
            assert caught.value.message.startswith(capabilities.cannot[ability])
            assert caught.value.suggestions


def test_balances_add_up(client):
    balances = client.balances()
    assert balances
    for row in balances:
        assert row.total == row.available + row.held
        assert row.total >= 0


def test_assets_are_told_apart_by_id(client):
    assets = list(client.list_assets())
    assert len({asset.asset_id for asset in assets}) == len(assets) > 0
    assert {asset.venue for asset in assets} >= {asset.venue for asset in client.list_assets(venue="cefi")} == {"cefi"}
    with pytest.raises(InvalidInput):
        list(client.list_assets(venue="moon"))


def test_quotes_in_both_units_and_on_both_sides(client):
    for side in ("buy", "sell"):
        for quantity, unit in ((Decimal("0.01"), "base"), (Decimal(250), "quote")):
            quote = client.get_quote("BTC", side=side, quantity=quantity, unit=unit)
            assert quote.price > 0
            assert quote.output > 0
            assert quote.base_quantity > 0
            assert quote.notional > 0
    with pytest.raises(InvalidInput):
        client.get_quote("BTC", side="hold", quantity=Decimal(1))
    with pytest.raises(TradehookError):
        client.get_quote("NOSUCH", side="buy", quantity=Decimal(1))


def test_a_limit_order_rests_and_is_canceled(client, capabilities, market):
    order = NewOrder.of(market, side="buy", amount=Amount.base("0.001"), price=Decimal(40000))
    before = _available(client, capabilities.default_quote)
    outcome = client.place_order(order)
    order_id = outcome.order.order_id
    resting = OrderStatus.OPEN if capabilities.can("orders") else OrderStatus.ACCEPTED
    assert _until(client, order_id, lambda found: found.status is resting)
    assert order_id in [found.order_id for found in client.list_orders(statuses=[resting])]
    _until_holds(lambda: before - _available(client, capabilities.default_quote) >= 40)
    assert client.cancel_order(order_id).order_id == order_id
    assert _until(client, order_id, lambda found: found.is_final).status is OrderStatus.CANCELED
    assert client.cancel_order(order_id).status is OrderStatus.CANCELED  # a second cancel changes nothing
    assert _available(client, capabilities.default_quote) == before


def test_a_market_order_fills_and_cannot_be_canceled(client, capabilities, market):
    outcome = client.place_order(NewOrder.of(market, side="sell", amount=Amount.base("0.0002")), intent_id="i-1")
    found = _until(client, outcome.order.order_id, lambda order: order.is_final)
    if capabilities.can("orders"):
        assert (found.status, found.filled, found.evidence) == (OrderStatus.FILLED, Decimal("0.0002"), None)
    else:
        # Nobody but the wallet says so, and it says why.
        assert (found.status, found.filled) == (OrderStatus.PROBABLY_FILLED, None)
        assert "BTC -0.0002" in found.evidence
    with pytest.raises(TradehookError, match="filled"):
        client.cancel_order(found.order_id)


def test_the_list_is_newest_first_and_read_lazily(client, market):
    placed = []
    for number in range(3):
        order = NewOrder.of(market, side="sell", amount=Amount.base("0.0002"))
        outcome = client.place_order(order, intent_id=f"list-{number}")
        # Where only the wallet tells, two at once could not be told apart.
        _until_holds(lambda: client.follow(f"list-{number}").is_final)  # noqa: B023 - asked at once
        placed.insert(0, outcome.order.order_id)
    orders = list(client.list_orders())
    assert [order.order_id for order in orders if order.order_id in placed] == placed
    times = [order.created_at for order in orders if order.created_at is not None]
    assert times == sorted(times, reverse=True)
    assert len({order.order_id for order in orders}) == len(orders)


def test_what_does_not_exist_is_not_found(client):
    for order_id in ("00000000-0000-4000-8000-000000000000", "nonsense"):
        with pytest.raises((NotFound, TradehookError)):
            client.get_order(order_id)


def test_prices_are_promised_where_they_are_published(client):
    assert (client.exchange.prices is not None) is client.exchange.spec.capabilities.has_prices
    if client.exchange.prices is None:
        with pytest.raises(InvalidInput, match="no prices"):
            client.price("BTC")
        return
    ticker = client.price("btc")
    assert (ticker.symbol, ticker.price > 0) == ("BTC", True)
    assert ticker.told_at.tzinfo is not None
    history = client.price_history("BTC", window="1h")
    assert [point.at for point in history.points] == sorted({point.at for point in history.points})
    assert min(point.price for point in history.points) > 0
    low_to_high = client.price_range("BTC", window="1h")
    assert low_to_high.low <= low_to_high.high
    point = client.price_at("BTC", history.points[0].at)
    assert point.at <= history.points[0].at
    if client.exchange.spec.name == "fintrusted":
        for attempt in (lambda: client.market_cap("BTC"), lambda: client.market_caps(limit=2)):
            with pytest.raises(InvalidInput, match="publishes no market caps"):
                attempt()
    else:
        assert client.market_cap("BTC").value > 0
        assert len(client.market_caps(limit=2)) == 2
    assert [found.symbol for found in client.price_histories(["BTC", "ETH"], window="1h")] == ["BTC", "ETH"]
    with pytest.raises(NotFound):
        client.price("NOSUCH")
    with pytest.raises(InvalidInput):
        client.price_history("BTC", window="soon")


def test_watching_prices_begins_with_what_they_are_now(client):
    if client.exchange.prices is None:
        return
    news = client.watch_prices(["BTC"])
    first = next(news)
    assert (first.item.symbol, first.is_reread) == ("BTC", True)
    while (following := next(news)).is_reread:
        assert following.item.symbol == "BTC"
    assert following.item.symbol == "BTC"
    assert following.at.tzinfo is not None
    news.close()


def _available(client, symbol) -> Decimal:
    return sum((row.available for row in client.balances() if row.symbol == symbol and row.chain is None), Decimal(0))


def _until_holds(question, tries=200):
    import time

    for _ in range(tries):
        if question():
            return
        time.sleep(0.05)
    raise AssertionError("it never held")


def _until(client, order_id, holds, tries=200):
    """Read until it holds; the sandbox settles within a second, so tries bound it, not time."""
    import time

    for _ in range(tries):
        order = client.get_order(order_id)
        if holds(order):
            return order
        time.sleep(0.05)
    raise AssertionError(f"still {order}")
