"""FinTrusted's futures on the wire: how orders are written, and every shape that a list or a wallet may have."""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.client.exchanges.far import Far, no, ok

from tradehook.errors import (
    GuardRefused,
    InsufficientFunds,
    InvalidInput,
    NotFound,
    Unauthorized,
    Unavailable,
    UnexpectedResponse,
)
from tradehook.exchanges.fintrusted import parse_futures
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.futures import UNNAMED, NewFuturesOrder, SizedFuturesOrder
from tradehook.models import OrderStatus
from tradehook.run import run
from tradehook.wire import Response

LIST, OPEN, CLOSE, PURSE = "/tx/uorder/list", "/tx/uorder/open", "/tx/uorder/close", "/uc/asset/futures-wallets"
PLAIN = Dialect.parse({})
ORDER: dict[str, Any] = {
    "id": 7, "contractOrderEntrustId": "CE17000001", "symbol": "BTC/USDT", "direction": "BUY", "entrustType": "OPEN",
    "type": "MARKET_PRICE", "leverage": 10, "entrustPrice": 0, "triggerPrice": 0, "tradedPrice": 74000, "volume": 10,
    "tradedVolume": 10, "principalAmount": 74, "openFee": 0.37, "status": "ENTRUST_SUCCESS", "isBlast": 0,
    "createTime": 1795262400000,
}  # fmt: skip
POSITION: dict[str, Any] = {
    "id": 3, "symbol": "BTC/USDT", "direction": "BUY", "leverage": 10, "price": 74000, "forcePrice": 67007,
    "position": 10, "frozenPosition": 4, "principalAmount": 74, "pattern": "FIXED", "shareNumber": "0.001",
    "profit": 10,
}  # fmt: skip
WALLET: dict[str, Any] = {
    "id": 1,
    "contractCoin": {"id": 1, "symbol": "BTC/USDT", "shareNumber": 0.001, "leverage": "1,100", "openFee": "0.0005"},
    "usdtBalance": 9925.63, "usdtFrozenBalance": "74", "userQY": 9999.63, "usdtPattern": "FIXED",
    "usdtBuyPosition": 6, "usdtFrozenBuyPosition": 4, "usdtBuyPrice": 74000, "usdtBuyPrincipalAmount": 74,
    "usdtBuyLeverage": 10, "buyForcePrice": 67007, "usdtSellPosition": 0, "usdtFrozenSellPosition": 0,
}  # fmt: skip


def sized(**more: Any) -> SizedFuturesOrder:
    fields = {
        "contract": "BTC/USDT", "contract_id": "1", "position_side": "long", "action": "open",
        "contracts": Decimal(10), "leverage": 10, "share": Decimal("0.001"), "currency": "USDT",
    }  # fmt: skip
    return SizedFuturesOrder.model_validate({**fields, **more})


def written(order: SizedFuturesOrder, **options: str) -> tuple[str, dict[str, str]]:
    write = Far().exchange(futures_profile="family_default", **options).futures.write(order)
    return write.request.path, dict(parse_qsl(write.request.body.decode(), keep_blank_values=True))


@pytest.fixture
def trading(far: Far) -> Far:
    far.answers |= {
        LIST: ok({"positions": [], "orders": []}),
        PURSE: ok([WALLET]),
        OPEN: ok(ORDER),
        CLOSE: ok(data=True),
    }
    return far


# --- how orders are written (U14) ---------------------------------------------------------------------------------


def test_the_look_alikes_profile_writes_their_names() -> None:
    assert written(sized()) == (
        OPEN,
        {
            "contractCoinId": "1", "direction": "0", "type": "0", "entrustPrice": "0", "triggerPrice": "0",
            "leverage": "10", "volume": "10",
        },
    )  # fmt: skip


def test_a_close_has_no_leverage_and_the_direction_of_the_order() -> None:
    path, form = written(sized(action="close", leverage=None, position_side="short", price=Decimal("73500.5")))
    assert path == CLOSE
    assert form == {
        "contractCoinId": "1", "direction": "0", "type": "1", "entrustPrice": "73500.5", "triggerPrice": "0",
        "volume": "10",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("action", "side", "direction"),
    [("open", "long", "0"), ("open", "short", "1"), ("close", "long", "1"), ("close", "short", "0")],
)
def test_every_direction(action: str, side: str, direction: str) -> None:
    leverage = 10 if action == "open" else None
    assert written(sized(action=action, position_side=side, leverage=leverage))[1]["direction"] == direction


def test_a_trigger_makes_it_the_third_kind() -> None:
    _, form = written(sized(trigger=Decimal(75000)))
    assert (form["type"], form["triggerPrice"], form["entrustPrice"]) == ("2", "75000", "0")


def test_the_codes_of_the_directions_are_a_setting() -> None:
    assert written(sized(), direction_codes="buy=1,sell=2")[1]["direction"] == "1"


def test_the_other_profile_writes_the_pages_names_and_counts_the_coin() -> None:
    write = Far().exchange(futures_profile="seed_like").futures.write(sized(price=Decimal(70000)))
    assert dict(parse_qsl(write.request.body.decode())) == {
        "symbol": "BTC/USDT", "direction": "0", "type": "1", "price": "70000", "leverage": "10", "amount": "0.01",
    }  # fmt: skip


def test_what_a_profile_cannot_say_is_refused() -> None:
    seed, family = (Far().exchange(futures_profile=name).futures for name in ("seed_like", "family_default"))
    with pytest.raises(InvalidInput, match="leave out the trigger"):
        seed.write(sized(trigger=Decimal(75000)))
    with pytest.raises(InvalidInput, match="counts the coin"):
        seed.write(sized(share=None))
    with pytest.raises(InvalidInput, match="number of the contract"):
        family.write(sized(contract_id=None))


def test_nothing_is_written_without_a_profile_or_outside_a_sandbox(far: Far) -> None:
    with pytest.raises(InvalidInput, match="FUTURES_PROFILE"):
        far.exchange().futures.write(sized())
    for where in ({"environment": "live"}, {"base_url": "https://fintrusted.com"}):
        with pytest.raises(GuardRefused) as caught:
            far.exchange(futures_profile="family_default", **where).futures.write(sized())
        assert caught.value.rule == "futures"
    assert far.asked == []


# --- what an answer says ------------------------------------------------------------------------------------------


def read(far: Far, answer: Any, **more: Any) -> Any:
    write = far.exchange(futures_profile="family_default").futures.write(sized(**more))
    assert write.kind == "single"
    return write.read(answer if isinstance(answer, Response) else far_response(answer))


def far_response(answer: Any) -> Response:
    import json

    return Response(200, {"content-type": "application/json"}, json.dumps(answer).encode())


def test_an_order_in_the_answer_is_read_whole(far: Far) -> None:
    order = read(far, ok(ORDER))
    assert (order.order_id, order.status, order.average_price) == ("CE17000001", OrderStatus.FILLED, 74000)
    assert (order.margin, order.fee, order.evidence) == (74, Decimal("0.37"), None)


@pytest.mark.parametrize("data", [None, True, "success", {}])
def test_a_yes_without_an_order_is_accepted_under_a_name_of_ours(far: Far, data: Any) -> None:
    order = read(far, ok(data))
    assert order.order_id.startswith(UNNAMED)
    assert (order.status, order.is_final, order.contracts) == (OrderStatus.ACCEPTED, True, 10)


def test_an_answer_that_contradicts_what_was_sent_says_so(far: Far) -> None:
    order = read(far, ok({**ORDER, "direction": "SELL", "volume": 1000}))
    assert order.evidence is not None
    assert "short, not long and 1000, not 10" in order.evidence


@pytest.mark.parametrize("answer", [{"data": None}, ok(data=False), [], {"code": 777, "message": ""}])
def test_what_may_be_a_yes_or_a_no_is_a_doubt(far: Far, answer: Any) -> None:
    with pytest.raises(UnexpectedResponse):
        read(far, answer)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (no("insufficient coin:USDT"), InsufficientFunds),
        (no("please login", 4000), Unauthorized),
        (Response(502, {}, b"<html>"), Unavailable),
    ],
)
def test_a_no_is_what_it_says(far: Far, answer: Any, kind: type[Exception]) -> None:
    with pytest.raises(kind):
        read(far, answer)


# --- what is listed (U15) -----------------------------------------------------------------------------------------


def listed(trading: Far, content: Any, **options: str) -> Any:
    trading.answers[LIST] = content
    return run(trading.exchange(**options).futures.overview())


@pytest.mark.parametrize(
    "content",
    [
        ok({"positions": [POSITION], "orders": [ORDER], "priceMap": {"BTC/USDT": 75000}}),
        ok([ORDER, POSITION]),
        [POSITION, ORDER],
        {"code": 200, "msg": "success", "rows": [ORDER, POSITION], "total": 2},
        ok({"content": [ORDER, POSITION], "totalElements": 2}),
        ok({"records": [ORDER, POSITION], "total": 2}),
    ],
)
def test_orders_and_positions_are_told_apart_in_every_list(trading: Far, content: Any) -> None:
    found = listed(trading, content)
    assert [order.order_id for order in found.orders] == ["CE17000001"]
    assert [(one.contracts, one.available, one.liquidation_price) for one in found.positions] == [(10, 6, 67007)]
    assert found.unknown == ()


def test_prices_that_come_along_are_kept(trading: Far) -> None:
    assert listed(trading, ok({"positions": [], "priceMap": {"BTC/USDT": "75000"}})).prices == {"BTC/USDT": 75000}


@pytest.mark.parametrize("content", [ok(None), ok([]), ok({}), ok({"positions": None, "orders": None})])
def test_nothing_is_an_empty_list(trading: Far, content: Any) -> None:
    assert listed(trading, content).to_dict() == {"orders": [], "positions": [], "unknown": 0, "prices": {}}


def test_what_is_neither_is_handed_on_as_it_came_and_not_shown(trading: Far) -> None:
    found = listed(trading, ok([{"note": "hello"}, ORDER]))
    assert (len(found.orders), found.unknown) == (1, ({"note": "hello"},))
    assert "hello" not in repr(found)


def test_a_position_by_other_names_is_read_as_well(trading: Far) -> None:
    row = {
        "symbol": "ETH_USDT",
        "side": "short",
        "holdVolume": "5",
        "avgPrice": "3000",
        "liqPrice": "3300",
        "bond": "1",
    }
    (found,) = listed(trading, ok([row])).positions
    assert (found.contract, found.position_side, found.contracts) == ("ETH/USDT", "short", 5)
    assert (found.entry_price, found.liquidation_price, found.margin) == (3000, 3300, 1)


def test_a_position_that_is_less_than_nothing_is_a_short(trading: Far) -> None:
    row = {"symbol": "BTC/USDT", "positionAmt": "-3", "entryPrice": "74000"}
    (found,) = listed(trading, ok([row])).positions
    assert (found.position_side, found.contracts) == ("short", 3)


def test_a_close_of_a_short_is_told_as_a_buy_and_read_as_a_close_of_a_short(trading: Far) -> None:
    (found,) = listed(trading, ok([{**ORDER, "entrustType": "CLOSE"}])).orders
    assert (found.action, found.position_side) == ("close", "short")


@pytest.mark.parametrize(
    ("status", "options", "means"),
    [
        ("ENTRUST_ING", {}, OrderStatus.OPEN),
        ("ENTRUST_CANCEL", {}, OrderStatus.CANCELED),
        ("ENTRUST_FAILURE", {}, OrderStatus.FAILED),
        ({"code": 3, "name": "ENTRUST_SUCCESS"}, {}, OrderStatus.FILLED),
        (3, {}, OrderStatus.UNRECOGNIZED),
        (3, {"numeric_status": "true"}, OrderStatus.FILLED),
        ("4", {"numeric_status": "true", "status_base": "1"}, OrderStatus.FILLED),
        (0, {"numeric_status": "true", "status_base": "1"}, OrderStatus.UNRECOGNIZED),
        ("SOMETHING", {"numeric_status": "true"}, OrderStatus.UNRECOGNIZED),
        (None, {}, OrderStatus.UNRECOGNIZED),
    ],
)
def test_numbers_are_statuses_only_where_the_user_says_so(
    trading: Far, status: Any, options: dict[str, str], means: OrderStatus
) -> None:
    (found,) = listed(trading, ok([{**ORDER, "status": status}]), **options).orders
    assert found.status is means


def test_one_order_is_found_in_the_list_or_not(trading: Far) -> None:
    trading.answers[LIST] = ok([ORDER])
    futures = trading.exchange().futures
    assert run(futures.get_order("CE17000001")).status is OrderStatus.FILLED
    with pytest.raises(NotFound, match="CE2"):
        run(futures.get_order("CE2"))


# --- wallets (U16) ------------------------------------------------------------------------------------------------


def test_positions_come_from_the_wallets_where_the_list_has_none(trading: Far) -> None:
    (found,) = run(trading.exchange().futures.positions())
    assert (found.contract, found.position_side, found.contracts, found.available) == ("BTC/USDT", "long", 10, 6)
    assert (found.entry_price, found.liquidation_price, found.leverage, found.is_cross) == (74000, 67007, 10, False)


def test_those_of_the_list_win(trading: Far) -> None:
    trading.answers[LIST] = ok([{**POSITION, "position": 8}])
    assert [one.contracts for one in run(trading.exchange().futures.positions())] == [8]


@pytest.mark.parametrize(
    "row",
    [
        WALLET,
        {"contractCoin": {"symbol": "BTC_USDT"}, "balance": "9925.63", "frozenBalance": 74},
        {"symbol": "BTC/USDT", "available": "9925.63", "frozen": "7.4E+1"},
    ],
)
def test_a_wallet_is_read_by_the_names_of_any_relative(trading: Far, row: dict[str, Any]) -> None:
    trading.answers[PURSE] = ok([row])
    (found,) = run(trading.exchange().futures.wallets())
    assert (found.contract, found.available, found.held) == ("BTC/USDT", Decimal("9925.63"), 74)
    assert found.total == Decimal("9999.63")


@pytest.mark.parametrize(
    "row", [{}, {"symbol": "BTC/USDT"}, {**WALLET, "usdtBalance": -1}, {**WALLET, "usdtBalance": "x"}]
)
def test_a_wallet_that_cannot_be_read_is_never_left_out(trading: Far, row: dict[str, Any]) -> None:
    trading.answers[PURSE] = ok([row])
    with pytest.raises(UnexpectedResponse):
        run(trading.exchange().futures.wallets())


# --- sizing -------------------------------------------------------------------------------------------------------


def new(**more: Any) -> NewFuturesOrder:
    fields = {"contract": "btc", "position_side": "LONG", "action": "open", "contracts": Decimal(10), "leverage": 10}
    return NewFuturesOrder.model_validate({**fields, **more})


def test_margin_and_fee_are_reckoned_at_the_highest_price_that_it_may_be_filled_at(trading: Far) -> None:
    futures = trading.exchange(futures_profile="family_default").futures
    market, above, below = (run(futures.size(new(price=price))) for price in (None, Decimal(80000), Decimal(70000)))
    assert [(one.margin, one.fee) for one in (market, above, below)] == [
        (74, Decimal("0.37")),
        (80, Decimal("0.4")),
        (74, Decimal("0.37")),
    ]
    assert (market.stake, market.reference_price, market.contract_id) == (Decimal("74.37"), 74000, "1")


def test_what_a_contract_is_may_be_unknown_and_then_the_stake_is(trading: Far) -> None:
    card = {name: value for name, value in WALLET["contractCoin"].items() if name != "shareNumber"}
    trading.answers[PURSE] = ok([{**WALLET, "contractCoin": card}])
    futures = trading.exchange(futures_profile="family_default").futures
    assert run(futures.size(new())).stake is None


def test_a_close_of_all_is_settled_as_what_is_there_and_free(trading: Far) -> None:
    futures = trading.exchange(futures_profile="family_default").futures
    order = run(futures.size(new(action="close", contracts=None, leverage=None)))
    assert (order.contracts, order.stake) == (6, 0)
    with pytest.raises(InvalidInput, match="Only 6"):
        run(futures.size(new(action="close", contracts=Decimal(7), leverage=None)))


@pytest.mark.parametrize(
    ("known", "asked", "fits"),
    [("1,100", 50, True), ("1,100", 101, False), ("5,10,20", 10, True), ("5,10,20", 7, False)],
)
def test_leverages_are_a_range_or_a_list(trading: Far, known: str, asked: int, fits: bool) -> None:  # noqa: FBT001
    trading.answers[PURSE] = ok([{**WALLET, "contractCoin": {**WALLET["contractCoin"], "leverage": known}}])
    futures = trading.exchange(futures_profile="family_default").futures
    if fits:
        assert run(futures.size(new(leverage=asked))).leverage == asked
    else:
        with pytest.raises(InvalidInput, match=f"no leverage {asked}"):
            run(futures.size(new(leverage=asked)))


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"contracts": None}, "how many contracts"),
        ({"leverage": None}, "which leverage"),
        ({"action": "close"}, "no leverage of its own"),
    ],
)
def test_what_was_asked_must_be_whole(fields: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        new(**fields)


# --- anything at all ----------------------------------------------------------------------------------------------

_LEAF = st.one_of(
    st.none(), st.booleans(), st.integers(), st.decimals(), st.text(max_size=20), st.sampled_from(["BUY", "BTC/USDT"])
)
_NAMES = st.one_of(
    st.sampled_from([*ORDER, *POSITION, *WALLET, "positions", "orders", "priceMap"]), st.text(max_size=8)
)
_ANY = st.recursive(
    _LEAF,
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_NAMES, inner, max_size=6)),
    max_leaves=20,
)


@settings(max_examples=300)
@given(_ANY, st.sampled_from([ORDER, POSITION, WALLET]), st.dictionaries(_NAMES, _ANY, max_size=4))
def test_whatever_comes_is_read_or_said_to_be_unexpected(
    content: Any, row: dict[str, Any], changes: dict[str, Any]
) -> None:
    for tried in (content, [content], [{**row, **changes}], {**row, **changes}):
        for read_it in (lambda value: parse_futures.overview(value, PLAIN), parse_futures.wallets):
            with suppress(UnexpectedResponse):
                read_it(tried)
