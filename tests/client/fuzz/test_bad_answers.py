"""Whatever an exchange answers, an operation ends: with a result that can be shown, or with one of our errors.

`READS` and `WRITES` are all operations; a new one is a line there. Their good answers come from the sandbox, once.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from tradehook.desk.trading import scope_of
from tradehook.errors import TradehookError, UnexpectedResponse
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.models import NewOrder, OrderStatus, Side, Unit
from tradehook.prices import PriceGap, Topic
from tradehook.render import error_line
from tradehook.run import run
from tradehook.testing import MemoryLine, Said, Stopped
from tradehook.transfers import Destination, NewTransfer, TransferStatus
from tradehook.wire import Response, encode_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.wire import Request

URL = "http://127.0.0.1:8787"
MOST_WAITS = 3_000
"""Sends and pauses of one operation; more means that it would never end."""
MOST_ITEMS = 300
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


class Clock:
    def __init__(self, at: float):
        self.at = at

    def now(self) -> float:
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += seconds


@dataclass
class Known:
    """What operations are asked about, and what the sandbox answered to each request."""

    order_id: str
    transfer_id: str
    key: bytes
    at: float
    answers: dict[str, dict[tuple[str, str], Response]] = field(default_factory=dict)
    """For each operation: the last answer to each of its requests."""

    def to(self, operation: str) -> Callable[[Request], Response]:
        """The sandbox's own answers to an operation."""
        kept = self.answers[operation]
        return lambda request: kept.get(_name(request), Response(404, body=b'{"message":"not found"}'))

    def exchange(self, respond, **options: Any) -> TrueMarkets:
        line = MemoryLine(
            lambda request: SimpleNamespace(response=respond(request), delay_seconds=0.01, is_cut=False),
            clock=Clock(self.at),
            stop_at=MOST_WAITS,
            **options,
        )
        return TrueMarkets(line, signer=SIGNER.setdefault(self.key, keys.parse(self.key, where="test")), base_url=URL)


SIGNER: dict[bytes, keys.FileSigner] = {}


def _name(request) -> tuple[str, str]:
    return request.method, _ID.sub("{id}", request.path)


# --- the operations ---------------------------------------------------------------------------------------------------


async def some(items) -> list[Any]:
    found = []
    async for item in items:
        found.append(item)
        if len(found) >= MOST_ITEMS:
            break
    return found


DAY = timedelta(days=1)
READS = {
    "account_id": lambda it, _: it.account_id(),
    "issued_by_sandbox": lambda it, _: it.issued_by_sandbox(),
    "balances": lambda it, _: it.balances(),
    "assets": lambda it, _: some(it.list_assets()),
    "assets on chain": lambda it, _: some(it.list_assets(venue="defi")),
    "quote": lambda it, _: it.get_quote("BTC", quote="PYUSD", side=Side.BUY, quantity=Decimal("0.01"), unit=Unit.BASE),
    "order": lambda it, known: it.get_order(known.order_id),
    "orders": lambda it, _: some(it.list_orders()),
    "orders since": lambda it, known: some(
        it.list_orders(statuses=[OrderStatus.OPEN], since=datetime.fromtimestamp(known.at, UTC) - DAY)
    ),
    "size": lambda it, _: it.size_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.01")),
    "size a share": lambda it, _: it.size_order(NewOrder.of("BTC/PYUSD", side="sell", amount="50%")),
    "size dollars": lambda it, _: it.size_order(NewOrder.of("BTC/PYUSD", side="buy", amount="max")),
    "size on chain": lambda it, _: it.size_order(NewOrder.of("CBBTC/USDC", side="buy", amount="max", chain="base")),
    "transfer": lambda it, known: it.get_transfer(known.transfer_id),
    "transfers": lambda it, _: some(it.list_transfers(status=TransferStatus.PENDING)),
    "transfers since": lambda it, known: some(
        it.list_transfers(since=datetime.fromtimestamp(known.at, UTC) - DAY)
    ),
    "portfolio": lambda it, _: it.portfolio(),
    "transactions": lambda it, _: some(it.list_transactions()),
    "ticker": lambda it, _: it.prices.ticker("BTC"),
    "history": lambda it, _: it.prices.history("BTC", window="24h"),
    "history of a book": lambda it, _: it.prices.history("BTC/PYUSD", window="24h"),
    "histories": lambda it, _: it.prices.histories(["BTC", "ETH"]),
    "price at": lambda it, known: it.prices.price_at("BTC", datetime.fromtimestamp(known.at, UTC) - DAY / 24),
    "range": lambda it, _: it.prices.price_range("BTC"),
    "market cap": lambda it, _: it.prices.market_cap("BTC"),
    "market caps": lambda it, _: it.prices.market_caps(limit=5),
}  # fmt: skip


async def sent(exchange: TrueMarkets, write) -> Any:
    """What the desk does with a write, once, without its journal."""
    request, _ = await exchange.session.prepare(write.request)
    return exchange.session.understand(await exchange.session.send_once(request), write.read)


async def placed(exchange: TrueMarkets, order: NewOrder) -> Any:
    sized = await exchange.size_order(order)
    return sized, await sent(exchange, exchange.new_order(sized))


async def place_on_chain(exchange: TrueMarkets, _: Known) -> Any:
    sized, created = await placed(exchange, NewOrder.of("CBBTC/USDC", side="buy", amount="$20", chain="base"))
    return await sent(exchange, exchange.execute_order(sized, created=created))


def _destination(network: str) -> Destination:
    return Destination(label="cold", network=network, address=ADDRESS, added_by="test", added_at=datetime.now(UTC))


async def transfer_from(exchange: TrueMarkets, *, asset: str, chain: str | None, network: str) -> Any:
    wanted = NewTransfer(asset=asset, amount="1", to="cold", chain=chain)
    sized = await exchange.size_transfer(wanted, destination=_destination(network))
    created = await sent(exchange, exchange.new_transfer(sized))
    if chain is None:
        return created
    return await sent(exchange, exchange.execute_transfer(sized, created=created))


WRITES = {
    "place": lambda it, _: placed(it, NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")),
    "place a limit": lambda it, _: placed(
        it, NewOrder.of("BTC/PYUSD", side="sell", amount="0.001", price=Decimal(90000))
    ),
    "place on chain": place_on_chain,
    "cancel": lambda it, known: sent(it, it.cancel_order(known.order_id)),
    "transfer on chain": lambda it, _: transfer_from(it, asset="USDC", chain="base", network="base"),
    "transfer from the exchange": lambda it, _: transfer_from(it, asset="ETH", chain=None, network="ethereum"),
}
OPERATIONS = READS | WRITES


@pytest.fixture(scope="module")
def known(tmp_path_factory) -> Known:
    """Every operation once, against the sandbox, and what it answered."""
    from tradehook_sandbox import Sandbox

    sandbox = Sandbox(rate_limit=0)
    key = json.dumps(sandbox.key_file()).encode()
    learned = Known(order_id="", transfer_id="", key=key, at=sandbox.clock.now())

    def learn(name: str) -> Any:
        kept = learned.answers[name] = {}

        def respond(request):
            answer = sandbox.respond(request)
            kept[_name(request)] = _shortened(answer.response)
            return answer

        signer = keys.parse(key, where="test")
        return run(
            OPERATIONS[name](
                TrueMarkets(MemoryLine(respond, clock=sandbox.clock), signer=signer, base_url=URL), learned
            )
        )

    learned.order_id = learn("place a limit")[1].order_id
    learned.transfer_id = learn("transfer on chain").transfer_id
    for name in OPERATIONS:
        learn(name)
    learned.at = sandbox.clock.now()
    return learned


def _shortened(response: Response) -> Response:
    """Five points of a history show as much as three hundred, and are changed sixty times as fast."""
    body = json.loads(response.body) if response.body else None
    for row in [body, *body.get("results", [])] if isinstance(body, dict) else []:
        if "points" in row:
            row["points"] = row["points"][:5]
    return response if body is None else replace(response, body=encode_json(body))


def show(value: Any) -> None:
    """A result must be fit for what everybody does with it: JSON for programs, UTF-8 for terminals."""
    for item in value if isinstance(value, list | tuple) else [value]:
        if hasattr(item, "to_dict"):
            encode_json(item.to_dict())
        else:
            str(item).encode()


def test_the_control_good_answers_are_taken(known):
    for name, operation in OPERATIONS.items():
        show(run(operation(known.exchange(known.to(name)), known)))


@pytest.mark.parametrize("name", OPERATIONS)
def test_bad_answers(fuzz, times, known, name):
    operation, answer = OPERATIONS[name], known.to(name)

    def attempt(chance):
        share = chance.choice((0.3, 1.0))
        spoils_tokens = chance.random() < 0.1
        once = chance.random() < 0.3

        def respond(request):
            nonlocal share
            good = answer(request)
            if (request.path.startswith("/v1/auth") and not spoils_tokens) or chance.random() > share:
                return good
            share = 0.0 if once else share
            return chance.response(good)

        try:
            show(run(operation(known.exchange(respond), known)))
        except TradehookError as error:
            error_line(error).encode()
            raise

    ends = fuzz(1_500 * times, attempt)
    assert ends.keys() & {"UnexpectedResponse", "Unavailable", "InvalidOrder", "Rejected", "Unauthorized"}, ends


def test_bad_messages_of_a_stream(fuzz, times, known):
    said = {
        Topic.PRICE_CANDLES: {"symbol": "BTC", "interval": "1h", "open": "1", "high": "2", "low": "1", "close": "2"},
        Topic.TRENDING_ASSETS: {"symbol": "BTC", "trending_ratio": "1.5", "recent_volume": "5", "market_cap": 7},
        Topic.SURGING_ASSETS: {"symbol": "BTC", "current_price": "1", "price_change_pct_1h": "-2"},
        Topic.REFERENCE_PRICES: {
            "symbol": "BTC|USD", "mid_price": "1", "timestamp": 1790000000, "sources": [{"source": "a", "bid": "1"}],
        },
    }  # fmt: skip

    def attempt(chance):
        topic = chance.choice(list(said))
        good = encode_json({"type": topic, "timestamp": "2026-11-21T06:00:00Z", "data": [said[topic]]})

        class Feed:
            def hear(self, text):
                pass

            def say(self):
                return Said(chance.choice((good, chance.body(good))).decode("utf-8", "replace"))

        def respond(request):
            good = known.to("ticker")(request)
            return good if chance.random() < 0.9 else chance.response(good)

        exchange = known.exchange(respond, open_feed=lambda _: Feed())

        async def listen():
            heard = 0
            async for update in exchange.prices.watch(["BTC"], topics=[topic, Topic.PRICE_CANDLES]):
                show(update)
                heard += 1
                if heard > 5 or isinstance(update, PriceGap):
                    break

        run(listen())

    ends = fuzz(6_000 * times, attempt)
    assert ends["fine"]


@pytest.mark.parametrize("chain", [None, "base"])
def test_bad_answers_at_the_desk(fuzz, times, make_world, chain):
    """What is answered to a write ends in an outcome, or in an error that says which; the books stay balanced."""
    world = make_world()
    desk = world.desk()
    line = desk.exchange.session.line
    respond = line.respond
    numbers = count()
    scope = scope_of(desk.exchange.host, run(desk.exchange.account_id()))
    order = (
        NewOrder.of("CBBTC/USDC", side="buy", amount="$1", chain=chain)
        if chain
        else NewOrder.of("BTC/PYUSD", side="buy", amount="0.0001")
    )

    def attempt(chance):
        share = chance.choice((0.2, 0.6))

        def spoilt(request):
            answer = respond(request)
            if chance.random() > share or answer.response is None:
                return answer
            bad = chance.response(answer.response)
            # A date far away would stop this desk for good: it would say, rightly, that its clock is wrong.
            headers = {**bad.headers, "date": answer.response.headers["date"]}
            return SimpleNamespace(response=replace(bad, headers=headers), delay_seconds=0.01, is_cut=False)

        line.respond = spoilt
        # An answer that tells of another order than was sent halts the account, rightly: a person lets it go on.
        desk.journal.trading.set("NORMAL", by="test", scope=scope)
        outcome = desk.place_order(order, intent_id=f"fuzz-{next(numbers)}", source="test")
        show(outcome.order)

    ends = fuzz(150 * times, attempt)
    assert ends["fine"]
    assert ends.keys() & {"OutcomeUnknown", "UnexpectedResponse", "PayloadMismatch"}
    line.respond = respond
    assert world.orders_placed() >= ends["fine"]


# --- lists without an end ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "path"),
    [("assets", "assets"), ("order", "orders"), ("orders", "orders"), ("transactions", "transactions")],
)
def test_a_list_without_an_end_ends(known, name, path):
    """New cursors and new items for ever: what must be whole is refused, what is read by the page stops with its reader."""
    numbers, answer = count(), known.to(name)
    lists = known.to("orders") if name == "order" else answer

    def respond(request):
        good = lists(request) if request.path.endswith(path) else answer(request)
        if not request.path.endswith(path):
            # The single read is not there, so that the order is looked for in the list.
            if request.path.endswith("/status"):
                return Response(200, body=b'{"status":"active"}')
            return Response(404, body=b"{}") if request.path.endswith(known.order_id) else good
        rows = json.loads(good.body)["data"][:1]
        rows = [
            {**row, **{key: f"{row[key]}-{next(numbers)}" for key in ("id", "order_id") if key in row}} for row in rows
        ]
        return Response(200, body=encode_json({"data": rows, "pagination": {"next_cursor": f"c{next(numbers)}"}}))

    exchange = known.exchange(respond)
    if name == "assets":
        with pytest.raises(UnexpectedResponse):
            run(OPERATIONS[name](exchange, known))
    else:
        run(OPERATIONS[name](exchange, known))
    assert exchange.session.line.waits < MOST_WAITS


@pytest.mark.parametrize("cursor", ["same", "{}-{}", "", "2026-11-21T06:00:00Z", "9999-12-31T23:59:59Z"])
def test_pages_that_bring_nothing_new_end_the_list(known, cursor):
    numbers, answer = count(), known.to("orders")

    def respond(request):
        good = answer(request)
        if not request.path.endswith("orders"):
            return good
        rows = [{**row, "created_at": "9999-12-31T23:59:59.5Z"} for row in json.loads(good.body)["data"]]
        following = cursor.format(next(numbers), next(numbers))
        return Response(200, body=encode_json({"data": rows, "pagination": {"next_cursor": following}}))

    exchange = known.exchange(respond)
    assert run(OPERATIONS["orders"](exchange, known))
    assert exchange.session.line.waits < 20


def test_the_control_the_harness_notices_what_is_no_error_of_ours(fuzz, known):
    """A reading that breaks in its own way, and one that never ends, are both caught."""

    def breaks(_chance):
        raise AttributeError

    def never_ends(_chance):
        exchange = known.exchange(lambda _: Response(429, headers={"retry-after": "0"}))

        async def again():
            while True:
                try:
                    await exchange.balances()
                except TradehookError:
                    continue

        run(again())

    with pytest.raises(AssertionError, match="AttributeError came out: FUZZ_SEED="):
        fuzz(1, breaks)
    with pytest.raises(AssertionError, match=f"{Stopped.__name__} came out"):
        fuzz(1, never_ends)
