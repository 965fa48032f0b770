"""Futures over the wire: the worked example of the reference, orders that wait, closing, liquidation, every switch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest

from tradehook.wire import Request
from tradehook_sandbox import Sandbox
from tradehook_sandbox.fintrusted.futures import Futures

if TYPE_CHECKING:
    from pathlib import Path

    from tradehook_sandbox.clock import Clock

HOST = "http://sandbox.test"


class Member:
    """Demo, signed in, at a market that stands still at 74,000."""

    def __init__(self, clock: Clock | None = None, *, state: Path | None = None, **switches: Any) -> None:
        self.sandbox = Sandbox(
            clock=clock, state=state, **{f"fintrusted_{name}": value for name, value in switches.items()}
        )
        self.token = ""
        self.token = self.send("POST", "/uc/v2/login", email="demo@example.com", password="demo")["Authorization"]
        self.set_price("74000")

    def answer(self, method: str, path: str, **fields: str) -> dict[str, Any]:
        pairs = tuple(fields.items())
        headers = {"authorization": self.token, "content-type": "application/x-www-form-urlencoded"}
        body = urlencode(pairs).encode() if method == "POST" else b""
        params = pairs if method == "GET" else ()
        response = self.sandbox.handle(Request(method, HOST + path, params=params, headers=headers, body=body))
        self.check_books()
        found: dict[str, Any] = json.loads(response.body)
        return found

    def send(self, method: str, path: str, **fields: str) -> Any:
        body = self.answer(method, path, **fields)
        assert body["code"] == 0, body
        return body["data"]

    def refused(self, path: str, **fields: str) -> str:
        body = self.answer("POST", path, **fields)
        assert body["code"] == 500, body
        return str(body["message"])

    def admin(self, path: str, content: dict[str, Any]) -> None:
        request = Request("POST", HOST + "/_sandbox" + path, body=json.dumps(content).encode())
        response = self.sandbox.handle(request)
        assert response.status == 200, response.body

    def set_price(self, price: str, *, coin: str = "BTC") -> None:
        """The price is this one from now on, and stands still."""
        self.admin("/prices", {coin: price, "walk": False})

    def open(self, direction: int, **more: str) -> Any:
        fields = {"contractCoinId": "1", "type": "0", "entrustPrice": "0", "triggerPrice": "0", "leverage": "10"}
        return self.send("POST", "/tx/uorder/open", **{**fields, "direction": str(direction), "volume": "10", **more})

    def close(self, direction: int, volume: str = "10", **more: str) -> Any:
        fields = {"contractCoinId": "1", "type": "0", "entrustPrice": "0", "triggerPrice": "0"}
        return self.send(
            "POST", "/tx/uorder/close", **{**fields, "direction": str(direction), "volume": volume, **more}
        )

    def list(self) -> Any:
        return self.send("GET", "/tx/uorder/list")

    def wallet(self) -> Any:
        return self.send("GET", "/uc/asset/futures-wallets")[0]

    @property
    def futures(self) -> Futures:
        found = self.sandbox.fintrusted.futures
        assert isinstance(found, Futures)
        return found

    def check_books(self) -> None:
        """Money in and out of every account sums to 0, and what is frozen is what positions and orders say."""
        ledger, futures = self.sandbox.fintrusted.floor.ledger, self.futures
        assert not any(ledger.audit().values())
        assert {purse: ledger.balance(*purse) for purse in futures.frozen()} == futures.frozen()


def test_the_worked_example_comes_out_to_the_last_digit() -> None:
    """See: fintrusted-api 6.4."""
    member = Member()

    order = member.open(0)
    member.open(1)

    assert order["principalAmount"] == 74
    assert order["openFee"] == 0.37
    assert order["status"] == "ENTRUST_SUCCESS"
    long, short = member.list()["positions"]
    assert (long["direction"], long["price"], long["forcePrice"]) == ("BUY", 74000, 67007)
    assert (short["direction"], short["price"], short["forcePrice"]) == ("SELL", 74000, 80993)
    assert (member.wallet()["usdtBalance"], member.wallet()["usdtFrozenBalance"]) == (9851.26, 148)
    member.set_price("75000")
    assert [row["profit"] for row in member.list()["positions"]] == [10, -10]


def test_the_look_alikes_formula_for_a_short_is_a_switch() -> None:
    member = Member(family_liq_short=True)
    member.open(1)

    assert member.list()["positions"][0]["forcePrice"] == 81067


def test_the_direction_is_that_of_the_closing_order() -> None:
    member = Member()
    member.open(1)

    assert "position does not exist" in member.refused(
        "/tx/uorder/close", contractCoinId="1", direction="1", type="0", volume="10"
    )
    assert member.close(0) is True
    assert member.list()["positions"] == []


def test_a_part_is_closed_with_its_share_of_the_margin() -> None:
    member = Member()
    member.open(0)
    member.set_price("75000")

    member.close(1, "4")

    (position,) = member.list()["positions"]
    assert (position["position"], position["principalAmount"]) == (6, 44.4)
    newest = member.list()["orders"][0]
    # 29.6 of margin times 10 are 296 closed; 0.05 % of that is the fee; 4 contracts gained 4 dollars.
    assert (newest["principalAmount"], newest["closeFee"], newest["profitAndLoss"]) == (29.6, 0.148, 4)
    assert member.wallet()["usdtBalance"] == 10_000 - 74 - 0.37 + 29.6 + 4 - 0.148
    assert "position not enough" in member.refused(
        "/tx/uorder/close", contractCoinId="1", direction="1", type="0", volume="7"
    )


def test_two_openings_are_averaged() -> None:
    member = Member()
    member.open(0)
    member.set_price("76000")
    member.open(0, volume="30")

    (position,) = member.list()["positions"]
    assert (position["position"], position["price"], position["principalAmount"]) == (40, 75500, 302)
    assert "leverage and mode" in member.refused(
        "/tx/uorder/open", contractCoinId="1", direction="0", type="0", leverage="20", volume="1"
    )


def test_a_limit_waits_with_its_money_frozen_and_is_filled_when_the_price_comes() -> None:
    member = Member()

    order = member.open(0, type="1", entrustPrice="73000")
    assert (order["status"], member.wallet()["usdtFrozenBalance"]) == ("ENTRUST_ING", 73.365)
    member.set_price("72990")

    assert member.list()["orders"][0]["status"] == "ENTRUST_SUCCESS"
    assert member.list()["positions"][0]["price"] == 73000
    assert member.wallet()["usdtFrozenBalance"] == 73


def test_a_limit_that_the_market_is_past_gets_the_better_price() -> None:
    member = Member()

    order = member.open(0, type="1", entrustPrice="75000")

    assert (order["status"], order["tradedPrice"], order["principalAmount"]) == ("ENTRUST_SUCCESS", 74000, 74)


def test_a_trigger_order_freezes_nothing_before_it_is_due() -> None:
    member = Member()
    order = member.open(0, type="2", triggerPrice="75000")
    assert (order["status"], member.wallet()["usdtFrozenBalance"]) == ("ENTRUST_ING", 0)

    member.set_price("75500")

    newest = member.list()["orders"][0]
    assert (newest["status"], newest["tradedPrice"], newest["isFromSpot"]) == ("ENTRUST_SUCCESS", 75500, 1)


def test_a_trigger_order_without_margin_fails_when_it_is_due() -> None:
    member = Member()
    member.open(0, type="2", triggerPrice="75000", volume="1500")
    member.open(0, volume="1000", leverage="10")

    member.set_price("75500")

    assert {order["status"] for order in member.list()["orders"]} == {"ENTRUST_SUCCESS", "ENTRUST_FAILURE"}


def test_an_isolated_position_is_taken_away_with_its_margin_and_nothing_more() -> None:
    member = Member()
    member.open(0)
    before = member.wallet()["usdtBalance"]

    member.set_price("67007")

    assert member.list()["positions"] == []
    newest = member.list()["orders"][0]
    assert (newest["isBlast"], newest["entrustType"], newest["tradedPrice"]) == (1, "CLOSE", 67007)
    assert (member.wallet()["usdtBalance"], member.wallet()["usdtFrozenBalance"]) == (before, 0)


def test_an_isolated_position_survives_one_tick_before_that() -> None:
    member = Member()
    member.open(0)

    member.set_price("67007.01")

    assert len(member.list()["positions"]) == 1


def test_a_cross_position_lives_on_the_whole_wallet() -> None:
    member = Member()
    member.open(0, pattern="0", volume="1000", leverage="100")
    member.set_price("67000")
    assert member.list()["positions"][0]["pattern"] == "CROSSED"

    force = member.list()["positions"][0]["forcePrice"]

    # One bitcoin: the wallet's 9,963 less the least margin of 370 and the closing fee of 37 may be lost.
    assert force == 74_000 - (9_963 - 407)
    member.set_price(str(force))
    assert member.list()["positions"] == []
    assert member.wallet()["usdtBalance"] == 9_963 - (74_000 - force) - 37


def test_what_is_closed_by_a_waiting_order_cannot_be_closed_twice() -> None:
    member = Member()
    member.open(0)
    member.close(1, type="1", entrustPrice="74500")

    assert member.list()["positions"][0]["frozenPosition"] == 10
    assert "position not enough" in member.refused(
        "/tx/uorder/close", contractCoinId="1", direction="1", type="0", volume="1"
    )
    member.set_price("74500")
    assert member.list()["positions"] == []


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"contractCoinId": "9"}, "nonsupport coin!"),
        ({"volume": "0"}, "number of illegal!"),
        ({"volume": "1.5"}, "number of illegal!"),
        ({"amount": "0.01"}, "illegal argument"),
        ({"leverage": "101"}, "leverage not allowed"),
        ({"type": "1"}, "exorbitant prices!"),
        ({"type": "1", "entrustPrice": "50000"}, "price out of range"),
        ({"direction": "BUY"}, "illegal argument"),
        ({"volume": "100000"}, "insufficient coin:USDT"),
        ({"symbol": "BTC/USDT"}, "illegal argument"),
    ],
)
def test_a_refusal_says_why_and_changes_nothing(fields: dict[str, str], says: str) -> None:
    member = Member()
    wanted = {"contractCoinId": "1", "direction": "0", "type": "0", "leverage": "10", "volume": "10", **fields}

    assert member.refused("/tx/uorder/open", **wanted) == says
    assert member.list()["orders"] == []
    assert member.wallet()["usdtBalance"] == 10_000


def test_the_names_of_the_vendors_spot_example_do_as_well() -> None:
    member = Member()

    member.send("POST", "/tx/uorder/open", symbol="BTC/USDT", direction="0", type="0", leverage="10", amount="0.01")

    assert member.list()["positions"][0]["position"] == 10


@pytest.mark.parametrize("style", ["all", "orders", "positions", "position_list"])
def test_the_list_has_the_shape_that_the_switch_says(style: str) -> None:
    member = Member(futures_list=style)
    member.open(0)

    found = member.list()

    match style:
        case "all":
            assert (len(found["orders"]), len(found["positions"])) == (1, 1)
            assert found["priceMap"]["BTC/USDT"] == 74000
        case "orders":
            assert [row["entrustType"] for row in found] == ["OPEN"]
        case "positions":
            assert [row["position"] for row in found] == [10]
        case _:
            assert set(found) == {"positions", "priceMap"}


@pytest.mark.parametrize(
    ("style", "opened", "closed"), [("family", dict, bool), ("order", dict, dict), ("none", type(None), type(None))]
)
def test_answers_have_the_shape_that_the_switch_says(style: str, opened: type, closed: type) -> None:
    member = Member(futures_answer=style)

    assert isinstance(member.open(0), opened)
    assert isinstance(member.close(1), closed)


def test_a_spread_is_against_whoever_trades() -> None:
    member = Member(futures_spread_millionths=100)

    assert member.open(0)["tradedPrice"] == 74007.4
    assert member.open(1)["tradedPrice"] == 73992.6


def test_the_wallet_tells_of_the_positions_in_it() -> None:
    member = Member()
    member.open(0)

    wallet = member.wallet()

    assert (wallet["usdtBuyPosition"], wallet["usdtBuyPrice"], wallet["buyForcePrice"]) == (10, 74000, 67007)
    assert (wallet["usdtSellPosition"], wallet["contractCoin"]["shareNumber"]) == (0, 0.001)
    assert wallet["userQY"] == 9999.63
