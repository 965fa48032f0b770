"""The exchange's own SDK, unmodified, runs every operation it has against the sandbox, and gets what it expects.

Which operations there are, the SDK says itself: one that nobody proves here fails by its name. Its third part,
DeFi-direct (truemarkets-api 12), is an optional surface that the sandbox does not serve.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
import truemarkets
from truemarkets import APIError, NotAuthenticated, _generated
from truemarkets._generated import authapi, gateway, marketdata
from truemarkets._generated.authapi import models as auth_models
from truemarkets._generated.gateway import models as m
from truemarkets._generated.gateway.types import UNSET
from truemarkets._generated.marketdata import models as market
from truemarkets.auth import load_key_file, sign_challenge
from truemarkets.config import Config

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

PARTS = {"gateway": gateway, "authapi": authapi, "marketdata": marketdata}
PATIENCE_SECONDS = 20
USDC_SOLANA = "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"
SOL = "So11111111111111111111111111111111111111112"
USDC_BASE = "0x833589fcd6edb6e08f4c7c32d4f71b54bda02913"
CBBTC = "0xcbb7c0000ab88b473b1f5afd9ef808440eed33bf"
OTHER_WALLET = "9WzDXwBbmkg8ZTbNMqUxvQRAyrZzDsGYdLVL9zYtAWWM"
BITCOIN_ADDRESS = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


def modules_of(part: ModuleType) -> dict[str, ModuleType]:
    """Every operation of one part, by name."""
    api = importlib.import_module(f"{part.__name__}.api")
    found = {}
    for tag in pkgutil.iter_modules(api.__path__):
        folder = importlib.import_module(f"{api.__name__}.{tag.name}")
        for operation in pkgutil.iter_modules(folder.__path__):
            found[operation.name] = importlib.import_module(f"{folder.__name__}.{operation.name}")
    return found


MODULES = {(part, name): module for part, package in PARTS.items() for name, module in modules_of(package).items()}


class Caller:
    """The SDK, called in one of its two ways; every call is noted."""

    def __init__(self, mode: str, server: Any) -> None:
        self.mode = mode
        self.server = server
        self.config = Config.from_env()
        self.sdk = truemarkets.Client()
        self.sdk.authenticate()
        self.called: set[tuple[str, str]] = set()

    def __call__(self, part: str, operation: str, *arguments: Any, **named: Any) -> Any:
        self.called.add((part, operation))
        if self.mode == "asyncio":
            return asyncio.run(self._in_asyncio(part, operation, arguments, named))
        if part == "gateway":
            return getattr(self.sdk.gateway, operation)(*arguments, **named)
        with self._plain(part) as client:
            return MODULES[part, operation].sync(*arguments, client=client, **named)

    async def _in_asyncio(self, part: str, operation: str, arguments: Any, named: Any) -> Any:
        client = self._plain(part)
        if part == "gateway":
            client = gateway.AuthenticatedClient(base_url=self.config.gateway_base, token=self.sdk._access_token)
        async with client:
            return await MODULES[part, operation].asyncio(*arguments, client=client, **named)

    def _plain(self, part: str) -> Any:
        base = self.config.auth_base if part == "authapi" else self.config.base_url
        return PARTS[part].Client(base_url=base)

    # --- what several proofs need ---

    def until(self, ask: Any, wanted: Any) -> None:
        """Ask again and again until this is the answer."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (seen := ask()) != wanted:
            assert time.monotonic() < deadline, f"still {seen}"
            time.sleep(0.05)

    def place(self, side: str, qty: str, unit: str = "base", **more: Any) -> m.CreateOrderResponse:
        body = m.CreateOrderRequest(
            **{
                "base_asset": "BTC",
                "quote_asset": "USDC",
                "qty": qty,
                "qty_unit": m.CreateOrderRequestQtyUnit(unit),
                "type_": m.OrderType.LIMIT if "price" in more else m.OrderType.MARKET,
                "side": m.OrderSide(side),
                **more,
            }
        )
        return self("gateway", "create_order", body=body)

    def swap(self, side: str, qty: str, *, chain: str) -> m.CreateOrderResponse:
        token, dollars = (SOL, USDC_SOLANA) if chain == "solana" else (CBBTC, USDC_BASE)
        unit = "quote" if side == "buy" else "base"
        return self.place(side, qty, unit, base_asset=token, quote_asset=dollars, chain=m.Chain(chain))

    def signed(self, payloads: list[m.UnsignedPayload]) -> list[str]:
        """What the SDK's own stamper makes of them."""
        return [self.sdk.sign_turnkey(item.payload) for item in payloads]

    def status(self, order_id: str) -> m.OrderStatus:
        return self("gateway", "get_order_status", order_id).status

    def balance(self, symbol: str, chain: str | None = None) -> m.BalanceItem:
        rows = self("gateway", "list_balances").data
        return next(row for row in rows if (row.symbol, row.chain) == (symbol, chain))

    def asset(self, symbol: str, chain: str | None = None) -> m.AssetItem:
        rows = self("gateway", "list_assets").data
        return next(row for row in rows if (row.symbol, row.chain) == (symbol, chain))

    def transfer(self, symbol: str, chain: str | None, qty: str, to: str) -> m.TransferDetail:
        body = m.CreateTransferRequest(
            asset_id=UUID(self.asset(symbol, chain).id), qty=qty, qty_unit=m.CreateTransferRequestQtyUnit.BASE, to=to
        )
        return self("gateway", "create_transfer", body=body)

    def in_the_ledger(self, order_id: str) -> dict[str, Any]:
        """The order as the sandbox itself has it; the SDK is not asked."""
        rows = self.server.admin("GET", "orders")["data"]
        return next(row for row in rows if row["order_id"] == order_id)


# --- one proof for each operation ---

PROOFS: dict[str, Callable[[Caller], None]] = {}


def proves(proof: Callable[[Caller], None]) -> Callable[[Caller], None]:
    """The function proves the operation of its name."""
    PROOFS[proof.__name__] = proof
    return proof


@proves
def compute_quote(tm: Caller) -> None:
    def ask(side: str, qty: str, unit: str) -> m.QuoteResponse:
        body = m.QuoteRequest("BTC", "USDC", qty, m.QuoteRequestQtyUnit(unit), m.OrderSide(side))
        return tm("gateway", "compute_quote", body=body)

    buy = ask("buy", "0.01", "base")
    assert type(buy) is m.QuoteResponse
    assert Decimal(buy.qty) == Decimal("0.01")
    sell = ask("sell", "0.01", "base")
    assert Decimal(sell.qty) == Decimal("0.01") * Decimal(sell.price)
    assert 0 < Decimal(ask("buy", "100", "quote").qty) * Decimal(buy.price) <= 101
    refused = tm(
        "gateway",
        "compute_quote",
        body=m.QuoteRequest("NOPE", "USDC", "1", m.QuoteRequestQtyUnit.BASE, m.OrderSide.BUY),
    )
    # 404 is not among the codes the SDK knows for quotes; then it returns nothing at all.
    assert refused is None or type(refused) is m.ErrorResponse


@proves
def create_order(tm: Caller) -> None:
    before = Decimal(tm.balance("BTC").total)
    bought = tm.place("buy", "200", "quote")
    assert type(bought) is m.CreateOrderResponse
    assert bought.status is m.OrderStatus.PENDING
    assert bought.payloads is UNSET, "submitted at once: nothing to sign"
    tm.until(lambda: tm.status(bought.order_id), m.OrderStatus.COMPLETE)
    row = tm.in_the_ledger(bought.order_id)
    assert (row["side"], row["qty"], row["qty_unit"], row["status"]) == ("buy", "200", "quote", "complete")
    assert Decimal(tm.balance("BTC").total) == before + Decimal(row["executed_qty"])
    refused = tm.place("buy", "1", "base", price="1.23456789")
    assert type(refused) is m.ErrorResponse
    assert refused.message


@proves
def execute_order(tm: Caller) -> None:
    for side, qty, chain, payloads in (("buy", "25", "solana", 1), ("sell", "0.001", "base", 2)):
        created = tm.swap(side, qty, chain=chain)
        assert created.status is m.OrderStatus.INITIALIZED
        assert len(created.payloads) == payloads
        assert created.quote.issues == []
        assert Decimal(created.quote.qty) == Decimal(qty)
        symbol = ("SOL" if chain == "solana" else "USDC") if side == "buy" else "USDC"
        before = Decimal(tm.balance(symbol, chain).total)
        body = m.ExecuteOrderRequest(tm.signed(created.payloads), m.SigningMethod.API_KEY)
        executed = tm("gateway", "execute_order", created.order_id, body=body)
        assert type(executed) is m.ExecuteOrderResponse
        assert executed.status in (m.OrderStatus.PENDING, m.OrderStatus.COMPLETE)
        tm.until(lambda order_id=created.order_id: tm.status(order_id), m.OrderStatus.COMPLETE)
        assert Decimal(tm.balance(symbol, chain).total) > before
        assert tm.in_the_ledger(created.order_id)["tx_hash"]
        again = tm("gateway", "execute_order", created.order_id, body=body)
        assert type(again) is m.ErrorResponse, "an order is executed once"
    created = tm.swap("buy", "25", chain="solana")
    wrong = m.ExecuteOrderRequest([tm.sdk.sign_turnkey("something else")], m.SigningMethod.API_KEY)
    assert type(tm("gateway", "execute_order", created.order_id, body=wrong)) is m.ErrorResponse
    assert tm.status(created.order_id) is m.OrderStatus.INITIALIZED


@proves
def cancel_order(tm: Caller) -> None:
    resting = tm.place("buy", "0.001", price="30000.0")
    tm.until(lambda: tm.status(resting.order_id), m.OrderStatus.ACTIVE)
    held = Decimal(tm.balance("PYUSD").held)
    assert held >= 30
    assert type(tm("gateway", "cancel_order", resting.order_id)) is m.CancelOrderResponse202
    assert tm.status(resting.order_id) in (m.OrderStatus.CANCEL_PENDING, m.OrderStatus.CANCELED)
    tm.until(lambda: tm.status(resting.order_id), m.OrderStatus.CANCELED)
    assert Decimal(tm.balance("PYUSD").held) == held - 30
    assert type(tm("gateway", "cancel_order", resting.order_id)) is m.ErrorResponse, "it is canceled already"


@proves
def get_order_status(tm: Caller) -> None:
    resting = tm.place("sell", "0.001", price="200000.0")
    answer = tm("gateway", "get_order_status", resting.order_id)
    assert type(answer) is m.GetOrderStatusResponse
    assert answer.status in (m.OrderStatus.PENDING, m.OrderStatus.ACTIVE)
    unknown = tm("gateway", "get_order_status", "11111111-2222-4333-8444-555555555555")
    assert type(unknown) is m.ErrorResponse
    assert unknown.message


@proves
def list_orders(tm: Caller) -> None:
    placed = [tm.place("buy", "0.0001", price=f"{30_000 + step}.0").order_id for step in range(5)]
    rows: list[m.OrderDetail] = []
    page = tm("gateway", "list_orders", limit=2)
    rows += page.data
    while page.pagination.next_cursor:
        assert page.pagination.next_cursor.tzinfo is not None
        # The SDK writes the cursor back as `+00:00`, whatever it was read from.
        assert page.pagination.next_cursor.isoformat().endswith("+00:00")
        page = tm("gateway", "list_orders", limit=2, cursor=page.pagination.next_cursor)
        assert len(page.data) <= 2
        rows += page.data
    ids = [row.order_id for row in rows]
    assert len(set(ids)) == len(ids), "no row twice"
    assert [order_id for order_id in ids if order_id in placed] == placed[::-1], "newest first, none missing"
    row = next(row for row in rows if row.order_id == placed[0])
    assert (row.side, row.type_, row.price, row.qty) == (m.OrderSide.BUY, m.OrderType.LIMIT, "30000", "0.0001")
    assert abs(row.created_at - datetime.now(UTC)) < timedelta(hours=1)
    tm.until(lambda: tm.status(placed[4]), m.OrderStatus.ACTIVE)
    some = tm("gateway", "list_orders", status="active,pending", limit=100)
    assert set(placed) <= {row.order_id for row in some.data}
    assert {row.status for row in some.data} <= {m.OrderStatus.ACTIVE, m.OrderStatus.PENDING}
    assert type(tm("gateway", "list_orders", limit=1000)) is m.ErrorResponse


@proves
def create_transfer(tm: Caller) -> None:
    before = tm.balance("SOL", "solana")
    onchain = tm.transfer("SOL", "solana", "0.5", OTHER_WALLET)
    assert type(onchain) is m.TransferDetail
    assert type(onchain.id) is UUID
    assert (onchain.status, onchain.venue, onchain.chain) == (m.TransferStatus.AWAITING_SIGNATURE, "defi", "solana")
    assert (onchain.asset_symbol, onchain.to, Decimal(onchain.qty)) == ("SOL", OTHER_WALLET, Decimal("0.5"))
    assert onchain.payloads
    assert tm.balance("SOL", "solana").total == before.total, "nothing leaves unsigned"
    withdrawal = tm.transfer("BTC", None, "0.001", BITCOIN_ADDRESS)
    assert (withdrawal.status, withdrawal.venue, withdrawal.chain) == (m.TransferStatus.PENDING, "cefi", None)
    assert (withdrawal.payloads, withdrawal.tx_hash, withdrawal.sent) == ([], "", "0")
    assert withdrawal.additional_properties["network"] == "bitcoin"
    too_much = tm.transfer("ETH", None, "5000", "0xd8dA6BF26964aF9D7eEd9e03E53415D37aA96045")
    assert type(too_much) is m.ErrorResponse


@proves
def execute_transfer(tm: Caller) -> None:
    before = Decimal(tm.balance("SOL", "solana").total)
    created = tm.transfer("SOL", "solana", "0.25", OTHER_WALLET)
    body = m.ExecuteTransferRequest(tm.signed(created.payloads), m.SigningMethod.API_KEY)
    executed = tm("gateway", "execute_transfer", created.id, body=body)
    assert type(executed) is m.TransferDetail
    assert executed.status in (m.TransferStatus.PENDING, m.TransferStatus.COMPLETED)
    tm.until(lambda: tm("gateway", "get_transfer", created.id).status, m.TransferStatus.COMPLETED)
    done = tm("gateway", "get_transfer", created.id)
    assert done.tx_hash
    assert done.payloads == []
    assert done.updated_at >= done.created_at
    assert Decimal(tm.balance("SOL", "solana").total) == before - Decimal("0.25")
    assert type(tm("gateway", "execute_transfer", created.id, body=body)) is m.ErrorResponse, "once"


@proves
def get_transfer(tm: Caller) -> None:
    created = tm.transfer("BTC", None, "0.002", BITCOIN_ADDRESS)
    tm.until(lambda: tm("gateway", "get_transfer", created.id).status, m.TransferStatus.COMPLETED)
    done = tm("gateway", "get_transfer", created.id)
    assert type(done) is m.TransferDetail
    qty, sent, fee, received = (Decimal(text) for text in (done.qty, done.sent, done.fee, done.received))
    assert fee > 0
    assert sent == qty - fee
    assert received == sent - fee, "the fee is taken off twice, as seen live"
    assert type(tm("gateway", "get_transfer", UUID(int=7))) is m.ErrorResponse


@proves
def list_transfers(tm: Caller) -> None:
    made = [tm.transfer("SOL", "solana", f"0.0{number}", OTHER_WALLET).id for number in (1, 2, 3)]
    ids: list[UUID] = []
    page = tm("gateway", "list_transfers", limit=2)
    assert type(page) is m.ListTransfersResponse
    while True:
        ids += [row.id for row in page.data]
        if not page.pagination.next_cursor:
            break
        page = tm("gateway", "list_transfers", limit=2, cursor=page.pagination.next_cursor.isoformat())
    assert len(set(ids)) == len(ids)
    assert [one for one in ids if one in made] == made[::-1]
    waiting = tm("gateway", "list_transfers", status=m.TransferStatus.AWAITING_SIGNATURE, limit=100)
    assert set(made) <= {row.id for row in waiting.data}
    assert {row.status for row in waiting.data} == {m.TransferStatus.AWAITING_SIGNATURE}


@proves
def list_assets(tm: Caller) -> None:
    everything = tm("gateway", "list_assets")
    assert type(everything) is m.ListAssetsResponse
    cefi = tm("gateway", "list_assets", venue=m.Venue.CEFI).data
    defi = tm("gateway", "list_assets", venue=m.Venue.DEFI).data
    assert {row.symbol for row in cefi} == {"BTC", "ETH", "PYUSD"}
    assert len(cefi) + len(defi) == len(everything.data)
    assert {row.chain for row in defi} == {"solana", "base"}
    bitcoin = next(row for row in cefi if row.symbol == "BTC")
    assert (bitcoin.decimals, bitcoin.tradeable, bitcoin.address) == (8, True, None)
    assert [(one.network, one.compatible_networks) for one in bitcoin.networks] == [("bitcoin", [])]


@proves
def list_balances(tm: Caller) -> None:
    answer = tm("gateway", "list_balances")
    assert type(answer) is m.ListBalancesResponse
    for row in answer.data:
        assert Decimal(row.total) == Decimal(row.available) + Decimal(row.held)
        assert type(row.decimals) is int
    assert Decimal(tm.balance("PYUSD").total) > 0


@proves
def get_balances(tm: Caller) -> None:
    answer = tm("gateway", "get_balances")
    assert type(answer) is m.BalancesResponse
    # Live the answer has the other shape, and the SDK hides it here.
    assert answer.balances is UNSET
    assert answer.additional_properties["data"] == [row.to_dict() for row in tm("gateway", "list_balances").data]


@proves
def exchange_api_key_token(tm: Caller) -> None:
    key_id, key = load_key_file(tm.config.key_file)
    now = int(time.time())
    body = auth_models.APIKeyTokenExchangeRequest(key_id, now, sign_challenge(key, key_id, now))
    tokens = tm("authapi", "exchange_api_key_token", body=body)
    assert type(tokens) is auth_models.AccessTokensResponse
    assert tokens.token_type == "Bearer"
    assert timedelta(minutes=50) < datetime.fromisoformat(str(tokens.expires_in)) - datetime.now(UTC)
    late = auth_models.APIKeyTokenExchangeRequest(key_id, now - 90, sign_challenge(key, key_id, now - 90))
    assert type(tm("authapi", "exchange_api_key_token", body=late)) is auth_models.ErrorResponse


@proves
def refresh_token(tm: Caller) -> None:
    body = auth_models.RefreshTokenRequest(tm.sdk._refresh_token)
    first = tm("authapi", "refresh_token", body=body)
    assert type(first) is auth_models.AccessTokensResponse
    assert first.access_token != tm.sdk._access_token
    assert type(tm("authapi", "refresh_token", body=body)) is auth_models.ErrorResponse, "a refresh token is used once"


@proves
def get_v1_defi_market_prices(tm: Caller) -> None:
    answer = tm("marketdata", "get_v1_defi_market_prices", symbol="SOL")
    assert type(answer) is market.PriceResponse
    assert {candle.interval for candle in answer.candles} == {"30s", "1h", "4h", "24h"}
    for candle in answer.candles:
        low, high = Decimal(candle.low_price), Decimal(candle.high_price)
        assert 0 < low <= Decimal(candle.open_price) <= high
        assert low <= Decimal(candle.close_price) <= high
    assert type(tm("marketdata", "get_v1_defi_market_prices", symbol="NOPE")) is market.ErrorResponse


def _is_history(answer: Any, symbol: str, window: str, resolution: str) -> list[market.Point]:
    assert type(answer) is market.PriceHistoryResponse
    assert (answer.symbol, answer.window, answer.resolution) == (symbol, window, resolution)
    times = [datetime.fromisoformat(point.t) for point in answer.points]
    assert times == sorted(times)
    assert all(Decimal(point.price) > 0 for point in answer.points)
    return answer.points


@proves
def get_v1_defi_market_prices_history(tm: Caller) -> None:
    operation = "get_v1_defi_market_prices_history"
    points = _is_history(tm("marketdata", operation, symbol="SOL"), "SOL", "1h", "5s")
    assert len(points) in (720, 721)
    answer = tm("marketdata", operation, symbol="SOL", window="1d", resolution="1h")
    assert len(_is_history(answer, "SOL", "1d", "1h")) == 25
    assert type(tm("marketdata", operation, symbol="SOL", window="soon")) is market.ErrorResponse


@proves
def get_v1_defi_market_prices_history_batch(tm: Caller) -> None:
    answer = tm(
        "marketdata",
        "get_v1_defi_market_prices_history_batch",
        symbols="SOL,NOPE,CBBTC",
        window="1h",
        resolution="5m",
    )
    assert type(answer) is market.BatchPriceHistoryResponse
    one, two, three = answer.results
    assert [one.symbol, two.symbol, three.symbol] == ["SOL", "NOPE", "CBBTC"]
    assert one.points
    assert three.points
    assert two.error
    assert not two.points


@proves
def get_v1_defi_market_prices_history_point(tm: Caller) -> None:
    at = int(time.time()) - 600
    answer = tm("marketdata", "get_v1_defi_market_prices_history_point", symbol="SOL", timestamp=at)
    assert type(answer) is market.PricePointResponse
    assert at - 3600 < answer.timestamp <= at
    assert Decimal(answer.price) > 0


@proves
def get_v1_defi_market_prices_range(tm: Caller) -> None:
    _is_range(tm("marketdata", "get_v1_defi_market_prices_range", symbol="SOL", window="24h"), "SOL", "24h")


def _is_range(answer: Any, symbol: str, window: str) -> None:
    assert type(answer) is market.PriceRangeResponse
    assert (answer.symbol, answer.window) == (symbol, window)
    assert 0 < Decimal(answer.min_price) <= Decimal(answer.max_price)
    for text in (answer.min_timestamp, answer.max_timestamp):
        assert abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(hours=25)


@proves
def get_v1_defi_market_market_data_market_cap(tm: Caller) -> None:
    answer = tm("marketdata", "get_v1_defi_market_market_data_market_cap", symbol="SOL")
    assert type(answer) is market.MarketCapResponse
    assert Decimal(answer.market_cap) > 1_000_000


@proves
def get_v1_defi_market_market_data_market_caps(tm: Caller) -> None:
    answer = tm("marketdata", "get_v1_defi_market_market_data_market_caps", limit=2)
    assert type(answer) is market.MarketCapListResponse
    caps = [Decimal(one.market_cap) for one in answer.assets]
    assert len(caps) == 2
    assert caps == sorted(caps, reverse=True)


@proves
def get_v1_cefi_market_prices_history(tm: Caller) -> None:
    operation = "get_v1_cefi_market_prices_history"
    answer = tm("marketdata", operation, symbol="BTC-USD", window="1h", resolution="1m")
    points = _is_history(answer, "BTC-USD", "1h", "1m")
    assert len(points) in (60, 61)
    assert 1_000 < Decimal(points[-1].price) < 1_000_000
    assert type(tm("marketdata", operation, symbol="NOPE-USD")) is market.ErrorResponse


@proves
def get_v1_cefi_market_prices_range(tm: Caller) -> None:
    _is_range(tm("marketdata", "get_v1_cefi_market_prices_range", symbol="BTC-USD", window="1h"), "BTC-USD", "1h")


# --- the tests ---


@pytest.fixture
def reached(monkeypatch) -> set[tuple[str, int]]:
    """Where sockets of this process were connected to, and which names were looked up; anything foreign fails."""
    addresses: set[tuple[str, int]] = set()
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connecting(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            addresses.add((address[0], address[1]))
        return connect(self, address)

    def looking_up(host, *arguments, **named):
        addresses.add((host, arguments[0] if arguments else 0))
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket.socket, "connect", connecting)
    monkeypatch.setattr(socket, "getaddrinfo", looking_up)
    return addresses


def point_the_sdk_at(server: Any, monkeypatch: pytest.MonkeyPatch, folder: Any) -> None:
    """Only what its own documents offer: environment variables."""
    # It would read a `.env` of the folder it is started in.
    monkeypatch.chdir(folder)
    for name, value in {
        "TM_BASE_URL": server.url,
        "TM_KEY_FILE": str(server.key_file),
        "TM_TELEMETRY": "0",
        "DO_NOT_TRACK": "1",
        "TM_POSTHOG_KEY": "",
        "NO_PROXY": "*",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("TM_ENV", raising=False)


@pytest.fixture(scope="module")
def server(start_sandbox):
    return start_sandbox("--rate-limit", "0")


@pytest.fixture(params=["sync", "asyncio"])
def tm(request, server, monkeypatch, tmp_path, reached):
    point_the_sdk_at(server, monkeypatch, tmp_path)
    caller = Caller(request.param, server)
    yield caller
    caller.sdk.close()
    assert {host for host, _ in reached} == {"127.0.0.1"}
    assert {port for _, port in reached} == {int(server.url.rpartition(":")[2])}
    assert not caller.sdk.telemetry.enabled


@pytest.mark.parametrize(("part", "operation"), MODULES, ids=lambda word: word)
def test_every_operation_the_sdk_has(part, operation, tm):
    assert operation in PROOFS, f"nobody proves {part}.{operation}"
    PROOFS[operation](tm)
    assert (part, operation) in tm.called
    assert tm.server.admin("GET", "ledger")["balanced"]


def test_the_sdk_is_the_one_that_is_known():
    """A new part or a lost operation must not go by unseen."""
    assert truemarkets.client.SDK_VERSION == "0.3.0"
    parts = {part.name for part in pkgutil.iter_modules(_generated.__path__)}
    assert parts == {*PARTS, "defi"}, "DeFi-direct is the one part that is not served"
    assert {operation for _, operation in MODULES} == set(PROOFS)
    assert len(MODULES) == 24


@pytest.mark.parametrize("how", ["expired", "both tokens gone"])
def test_the_sdk_renews_its_own_token(how, start_sandbox, monkeypatch, tmp_path, reached):
    server = start_sandbox("--rate-limit", "0", "--token-seconds", "20")
    point_the_sdk_at(server, monkeypatch, tmp_path)
    with truemarkets.Client() as sdk:
        assert sdk.gateway.list_balances().data
        first = sdk._access_token, sdk._refresh_token
        server.admin("POST", "clock", {"advance": 25})
        if how == "both tokens gone":
            sdk._refresh_token = "nonsense"
            refused = sdk.gateway.list_balances()
            # It falls back to the answer that the expired token got.
            assert type(refused) is m.ErrorResponse
            assert "expired" in refused.message
            sdk.authenticate()
        assert sdk.gateway.list_balances().data
        assert sdk._access_token != first[0]
        assert sdk._refresh_token != first[1]


def test_what_the_sdk_does_with_errors_it_does_not_know(server, monkeypatch, tmp_path, reached):
    """It returns nothing for codes that its description does not list; it raises only while signing in."""
    point_the_sdk_at(server, monkeypatch, tmp_path)
    with truemarkets.Client() as sdk:
        for kind, status, expected in (
            ("rate_limited", None, type(None)),
            ("error_before", 503, m.ErrorResponse),
            ("error_before", 502, type(None)),
        ):
            server.fault(kind, method="GET", path="/balances/unified", **({"status": status} if status else {}))
            assert type(sdk.gateway.list_balances()) is expected
        server.fault("edge_html", method="GET", path="/assets")
        assert sdk.gateway.list_assets() is None
    bundle = json.loads(server.key_file.read_text())
    stranger = tmp_path / "stranger.json"
    stranger.write_text(json.dumps({**bundle, "key_id": "11111111-2222-4333-8444-555555555555"}))
    with truemarkets.Client(key_file=str(stranger)) as sdk, pytest.raises(APIError) as caught:
        sdk.gateway.list_balances()
    assert caught.value.status_code == 401
    monkeypatch.delenv("TM_KEY_FILE")
    with truemarkets.Client() as sdk, pytest.raises(NotAuthenticated):
        sdk.authenticate()
    with gateway.Client(base_url=Config.from_env().gateway_base) as anonymous:
        assert MODULES["gateway", "list_assets"].sync(client=anonymous).data, "the catalogue needs no key"
        assert type(MODULES["gateway", "list_balances"].sync(client=anonymous)) is m.ErrorResponse


def test_the_documented_shape_of_balances(start_sandbox, monkeypatch, tmp_path, reached):
    """What the SDK's `get_balances` was made for, and live never gets."""
    point_the_sdk_at(start_sandbox("--documented-balances"), monkeypatch, tmp_path)
    with truemarkets.Client() as sdk:
        balances = sdk.gateway.get_balances().balances
        totals = sorted((UUID(row.asset_id), Decimal(row.balance)) for row in balances)
        assert len(totals) == len(sdk.gateway.list_assets().data)
        assert Decimal("0.5") in [total for _, total in totals]


def test_a_program_of_a_few_lines_with_warnings_as_errors(server, tmp_path):
    """A process of its own, as people run it; PostHog is never even loaded."""
    program = """
import socket, sys
connect = socket.socket.connect
def guarded(self, address):
    assert address[0] == "127.0.0.1", address
    return connect(self, address)
socket.socket.connect = guarded
from truemarkets import Client
with Client() as tm:
    print(len(tm.gateway.list_balances().data), "posthog" in sys.modules, tm.telemetry.enabled)
"""
    environment = {
        "TM_BASE_URL": server.url,
        "TM_KEY_FILE": str(server.key_file),
        "TM_TELEMETRY": "0",
        "DO_NOT_TRACK": "1",
        "TM_POSTHOG_KEY": "",
        "PATH": "/usr/bin:/bin",
    }
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "7 False False\n"), done.stderr
