"""Futures on the wire: open, close, list, wallets. Nothing of it is documented but the four paths.

Parameters go by the look-alikes' names, or by those of the vendor's spot example; both at once is an error, since
their sizes count different things: `volume` contracts, `amount` the base coin. See: fintrusted-api 5.8 to 5.12, 8.4.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.fintrusted import messages
from tradehook_sandbox.fintrusted.calls import Refused, decimal, ordinal
from tradehook_sandbox.fintrusted.coins import SCALE
from tradehook_sandbox.fintrusted.futures_books import Entrust, Position, Purse
from tradehook_sandbox.fintrusted.futures_contracts import BY_ID, CONTRACTS, Contract
from tradehook_sandbox.fintrusted.futures_engine import Engine, NoMargin
from tradehook_sandbox.fintrusted.shapes import Moment, Page, Units, Word
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tradehook_sandbox.fintrusted.calls import Visit
    from tradehook_sandbox.fintrusted.floor import Floor
    from tradehook_sandbox.fintrusted.futures_books import Kind, Side, Status

WRONG_LEVERAGE: Final = "leverage not allowed"
OTHER_LEVERAGE: Final = "position exists, leverage and mode cannot be changed"
OUT_OF_BAND: Final = "price out of range"
NO_POSITION: Final = "position does not exist"
TOO_MANY: Final = "position not enough"

_KINDS: Final[tuple[Kind, ...]] = ("market", "limit", "plan")
_KIND_WORDS: Final = {"market": Word("MARKET_PRICE", 0), "limit": Word("LIMIT_PRICE", 1), "plan": Word("PLAN", 2)}
_STATUS_WORDS: Final[Mapping[Status, Word]] = {
    "waiting": Word("ENTRUST_ING", 0),
    "canceled": Word("ENTRUST_CANCEL", 1),
    "failed": Word("ENTRUST_FAILURE", 2),
    "filled": Word("ENTRUST_SUCCESS", 3),
}
_BUY, _SELL = Word("BUY", 0), Word("SELL", 1)
_CROSSED, _FIXED = Word("CROSSED", 0), Word("FIXED", 1)
_OPEN_BAND, _CLOSE_BAND = 20, 2
"""How many percent a limit may lie from the price."""
_LISTED: Final = 200


class Futures:
    """Who answers the four futures routes of one FinTrusted."""

    def __init__(self, floor: Floor) -> None:
        self.engine = Engine(floor)
        self._saved: dict[str, Any] = {}
        self._ended: set[str] = set()

    # --- the routes -------------------------------------------------------------------------------------------

    def open(self, visit: Visit) -> object:
        """`POST /tx/uorder/open`: a position is opened, or an order to open one waits."""
        return self._place(visit, is_open=True)

    def close(self, visit: Visit) -> object:
        """`POST /tx/uorder/close`: a position is closed as far as asked; BUY closes a short."""
        return self._place(visit, is_open=False)

    def list(self, visit: Visit) -> object:
        """`GET /tx/uorder/list`: orders, positions or both, newest first."""
        engine, member_id = self.engine, visit.member.member_id
        wanted = _contracts(visit.query)
        found = [order for order in engine.orders_of(member_id) if order.symbol in wanted][:_LISTED]
        orders = [self._order_row(order) for order in found]
        held = [self._position_row(position) for position in engine.positions_of(member_id)]
        positions = [row for row in held if row["symbol"] in wanted]
        prices = {symbol: _price(engine.floor.price(one.coin)) for symbol, one in wanted.items()}
        match visit.rules.futures_list:
            case "orders":
                return Page(orders)
            case "positions":
                return Page(positions)
            case "position_list":
                return {"positions": positions, "priceMap": prices}
            case _:
                return {"positions": positions, "orders": orders, "priceMap": prices}

    def wallets(self, visit: Visit) -> object:
        """`GET /uc/asset/futures-wallets`: a wallet for each contract, with its positions in it."""
        member_id = visit.member.member_id
        return Page([self._wallet_row(self.engine.purse(member_id, symbol)) for symbol in self.engine.contracts])

    # --- time and keeping -------------------------------------------------------------------------------------

    def advance(self, until_micros: int) -> None:
        """Everything due up to this moment has happened."""
        self.engine.advance(until_micros)

    def turn_back(self, earlier_micros: int) -> None:
        """The clock was turned back by this much; what has happened stays."""
        self.engine.now -= earlier_micros

    def frozen(self) -> dict[tuple[str, str], int]:
        """What each purse must hold frozen, counted from positions and orders."""
        return self.engine.audit()

    def unsaved(self) -> Iterable[tuple[str, Any]]:
        """What a store has not seen, by id; a position that is gone is `None`."""
        rows = dict(self.engine.as_rows(but=self._ended))
        gone = [name for name in self._saved if name not in rows and name not in self._ended]
        for name in gone:
            del self._saved[name]
            yield name, None
        for name, content in rows.items():
            if self._saved.get(name) != content:
                self._saved[name] = content
                yield name, content
            if content.get("status", "waiting") != "waiting":
                # What has ended never changes, so it is looked at only once.
                self._ended.add(name)
                self._saved.pop(name, None)

    def restore(self, rows: Iterable[tuple[str, Any]]) -> None:
        """What a store has kept is there again."""
        for name, content in rows:
            if content is not None:
                self.engine.restore(name, content)

    # --- reading ----------------------------------------------------------------------------------------------

    def _place(self, visit: Visit, *, is_open: bool) -> object:
        if visit.member.is_disabled:
            raise Refused(messages.DISABLED_ACCOUNT)
        order = self._read(visit, is_open=is_open)
        try:
            self.engine.place(order)
        except NoMargin:
            raise Refused(f"{messages.INSUFFICIENT}{CONTRACTS[order.symbol].quote}") from None
        match visit.rules.futures_answer:
            case "none":
                return None
            case "family" if not is_open:
                return True
            case _:
                return self._order_row(order)

    def _read(self, visit: Visit, *, is_open: bool) -> Entrust:
        form = visit.form
        contract = _contract(form)
        scale = contract.pair.price_scale
        is_buy, kind = ordinal(form, "direction", 2) == 0, _KINDS[ordinal(form, "type", 3)]
        price = decimal(form, _either(form, "entrustPrice", "price"), scale, default="0") * 10 ** (PRICE_SCALE - scale)
        trigger = decimal(form, "triggerPrice", scale, default="0") * 10 ** (PRICE_SCALE - scale)
        now = visit.floor.price(contract.coin)
        if price < 0 or trigger < 0 or (kind == "limit" and not price) or (kind == "plan" and not trigger):
            raise Refused(messages.WRONG_PRICE)
        if kind == "market":
            price = 0
        band = _OPEN_BAND if is_open else _CLOSE_BAND
        if price and abs(price - (trigger if kind == "plan" else now)) * 100 > now * band:
            raise Refused(OUT_OF_BAND)
        volume = _volume(form, contract)
        side: Side = "long" if is_buy is is_open else "short"
        order = Entrust(
            number=0,
            member_id=visit.member.member_id,
            symbol=contract.symbol,
            side=side,
            is_open=is_open,
            kind=kind,
            leverage=0,
            is_cross=False,
            price=price,
            trigger=trigger if kind == "plan" else 0,
            volume=volume,
            created_micros=visit.floor.now,
            current_price=now,
            fires_above=trigger >= now,
        )
        if is_open:
            self._read_mode(form, contract, order)
        else:
            self._check_closable(order)
        return order

    def _read_mode(self, form: Mapping[str, str], contract: Contract, order: Entrust) -> None:
        """Leverage and mode of an opening order, which must be those of what is there."""
        text = form.get("leverage", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= contract.most_leverage):
            raise Refused(WRONG_LEVERAGE)
        order.leverage = int(text)
        order.is_cross = "pattern" in form and ordinal(form, "pattern", 2) == 0
        engine = self.engine
        waiting = [one for one in engine.orders_of(order.member_id) if one.is_open and one.status == "waiting"]
        others: Sequence[Position | Entrust] = [*engine.positions_of(order.member_id), *waiting]
        for other in others:
            if other.symbol != order.symbol:
                continue
            if other.is_cross != order.is_cross or (other.key == order.key and other.leverage != order.leverage):
                raise Refused(OTHER_LEVERAGE)

    def _check_closable(self, order: Entrust) -> None:
        position = self.engine.positions.get(order.key)
        if position is None:
            raise Refused(NO_POSITION)
        if self.engine.closable(order.key) < order.volume:
            raise Refused(TOO_MANY)
        order.leverage, order.is_cross = position.leverage, position.is_cross

    # --- rows -------------------------------------------------------------------------------------------------

    def _order_row(self, order: Entrust) -> dict[str, object]:
        contract = CONTRACTS[order.symbol]
        fees = {"openFee": order.fee if order.is_open else 0, "closeFee": 0 if order.is_open else order.fee}
        return {
            "id": order.number,
            "contractOrderEntrustId": f"CE{order.created_micros // 1_000}{order.number:06d}",
            "contractId": contract.contract_id,
            "memberId": order.member_id,
            "symbol": order.symbol,
            "coinSymbol": contract.coin,
            "baseSymbol": contract.quote,
            "direction": _BUY if order.is_buy else _SELL,
            "entrustType": Word("OPEN", 0) if order.is_open else Word("CLOSE", 1),
            "type": _KIND_WORDS[order.kind],
            "patterns": _CROSSED if order.is_cross else _FIXED,
            "leverage": order.leverage,
            "triggerPrice": _price(order.trigger),
            "entrustPrice": _price(order.price),
            "tradedPrice": _price(order.filled_price),
            "currentPrice": _price(order.current_price),
            "principalUnit": contract.quote,
            "principalAmount": Units(order.margin, SCALE),
            "shareNumber": Units(contract.share, SCALE),
            "volume": order.volume,
            "tradedVolume": order.volume if order.status == "filled" else 0,
            **{name: Units(fee, SCALE) for name, fee in fees.items()},
            "profitAndLoss": Units(order.profit, SCALE),
            "status": _STATUS_WORDS[order.status],
            "createTime": Moment(order.created_micros),
            "triggeringTime": None if order.triggered_micros is None else Moment(order.triggered_micros),
            "isFromSpot": int(order.kind == "plan"),
            "isBlast": int(order.is_blast),
        }

    def _position_row(self, position: Position) -> dict[str, object]:
        contract = CONTRACTS[position.symbol]
        price = self.engine.floor.price(contract.coin)
        return {
            "id": position.number,
            "memberId": position.member_id,
            "contractId": contract.contract_id,
            "symbol": position.symbol,
            "direction": _BUY if position.is_long else _SELL,
            "leverage": position.leverage,
            "price": _price(position.entry),
            "forcePrice": _price(self.engine.force_price(position, price=price)),
            "position": position.volume,
            "frozenPosition": position.frozen_volume,
            "principalAmount": Units(position.margin, SCALE),
            "frozenPrincipalAmount": Units(position.frozen_margin, SCALE),
            "pattern": _CROSSED if position.is_cross else _FIXED,
            "shareNumber": Units(contract.share, SCALE),
            "profit": Units(self.engine.floating(position, price), SCALE),
        }

    def _wallet_row(self, purse: Purse) -> dict[str, object]:
        contract = CONTRACTS[purse.symbol]
        price = self.engine.floor.price(contract.coin)
        available, frozen = self.engine.balances(purse)
        equity = self.engine.equity(purse, price)
        held = [one for one in self.engine.positions_of(purse.member_id) if one.symbol == purse.symbol]
        row: dict[str, object] = {
            "id": contract.contract_id,
            "memberId": purse.member_id,
            "contractCoin": _contract_row(contract),
            "usdtBalance": Units(available, SCALE),
            "usdtFrozenBalance": Units(frozen, SCALE),
            "usdtPattern": _CROSSED if any(one.is_cross for one in held) else _FIXED,
            "usdtShareNumber": Units(contract.share, SCALE),
            "usdtProfit": Units(purse.profit, SCALE),
            "usdtLoss": Units(purse.loss, SCALE),
            "usdtTotalProfitAndLoss": Units(sum(self.engine.floating(one, price) for one in held), SCALE),
            "userQY": Units(equity, SCALE),
            "canUse": Units(available, SCALE),
            "riskRate": f"{frozen * 10_000 // equity / 100 if equity > 0 else 0:.2f}%",
        }
        for side, word in (("long", "Buy"), ("short", "Sell")):
            one = next((one for one in held if one.side == side), None)
            row |= {
                f"usdt{word}Leverage": one.leverage if one else 10,
                f"usdt{word}Position": one.volume - one.frozen_volume if one else 0,
                f"usdtFrozen{word}Position": one.frozen_volume if one else 0,
                f"usdt{word}Price": _price(one.entry if one else 0),
                f"usdt{word}PrincipalAmount": Units(one.margin if one else 0, SCALE),
                f"{word.lower()}ForcePrice": _price(self.engine.force_price(one, price=price) if one else 0),
            }
        return row


def _contract_row(contract: Contract) -> dict[str, object]:
    return {
        "id": contract.contract_id,
        "symbol": contract.symbol,
        "shareNumber": Units(contract.share, SCALE),
        "leverage": f"1,{contract.most_leverage}",
        "openFee": Units(contract.open_fee, 6),
        "closeFee": Units(contract.close_fee, 6),
        "maintenanceMarginRate": Units(contract.maintenance, 6),
    }


def _price(units: int) -> Units:
    return Units(units, PRICE_SCALE)


def _either(form: Mapping[str, str], one: str, other: str) -> str:
    """Which of two names a field has; both at once is an error."""
    if one in form and other in form:
        raise Refused(messages.ILLEGAL)
    return other if other in form else one


def _contract(form: Mapping[str, str]) -> Contract:
    name = _either(form, "contractCoinId", "symbol")
    text = form.get(name, "")
    if not text:
        raise Refused(messages.ILLEGAL)
    if name == "symbol":
        found = CONTRACTS.get(text)
    else:
        found = BY_ID.get(int(text)) if text.isascii() and text.isdigit() and len(text) <= 9 else None
    if found is None:
        raise Refused(messages.UNKNOWN_SYMBOL)
    return found


def _contracts(query: Mapping[str, str]) -> dict[str, Contract]:
    """The contracts that a list is to be about: one, or all."""
    if not (query.get("contractCoinId") or query.get("symbol")):
        return CONTRACTS
    contract = _contract({name: value for name, value in query.items() if value})
    return {contract.symbol: contract}


def _volume(form: Mapping[str, str], contract: Contract) -> int:
    """How many contracts: told as such, or as an amount of the base coin."""
    if _either(form, "volume", "amount") == "volume":
        text = form.get("volume", "")
        if not (text.isascii() and text.isdigit() and len(text) <= 9):
            raise Refused(messages.WRONG_AMOUNT if text else messages.ILLEGAL)
        volume = int(text)
    else:
        volume, rest = divmod(decimal(form, "amount", SCALE), contract.share)
        if rest:
            raise Refused(messages.WRONG_AMOUNT)
    if not 0 < volume <= contract.most_contracts:
        raise Refused(messages.WRONG_AMOUNT)
    return volume
