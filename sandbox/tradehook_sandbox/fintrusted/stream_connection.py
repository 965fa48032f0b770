"""One connection to FinTrusted's stream: what it subscribed to, and what it has been told. Knows no sockets.

Whatever comes in gets an answer, and nothing it is given makes it raise. What is told follows from the moment and from
what was told before; a channel begins with a snapshot, so whoever comes back has what they missed, as far as the
snapshot goes. A private channel tells of the member whose token was shown, and of nobody else.
See: fintrusted-api 9.3.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.fintrusted import quotations, stream_quotes
from tradehook_sandbox.fintrusted.coins import BY_COIN, SCALE
from tradehook_sandbox.fintrusted.shapes import Moment, Text, Units
from tradehook_sandbox.fintrusted.stream_frames import (
    STYLES,
    Channel,
    Kind,
    UnreadableError,
    Wish,
    read_channel,
    read_frame,
    write_frame,
)
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.fintrusted.exchange import FinTrusted
    from tradehook_sandbox.fintrusted.members import Member

PATH: Final = "/ws"
_LEVELS: Final = 20
_MOST_TRADES: Final = 50
_OWED_PINGS: Final = 2

Row = dict[str, Any]


@dataclass(slots=True)
class _Told:
    """What a connection knows of one channel."""

    channel: Channel
    seq: int = 0
    step: int = 0
    """The market's step up to which trades were told."""
    opened: int = 0
    """When the candle began that was told last, still open then."""
    plate: dict[str, dict[int, int]] = field(default_factory=dict)
    last: object = None
    """What was told last, where the same is not told again."""


class Connection:
    """One listener."""

    def __init__(self, exchange: FinTrusted) -> None:
        self._exchange = exchange
        self._rules = exchange.floor.rules
        self._style = STYLES[self._rules.stream_profile]
        self._told: dict[str, _Told] = {}
        self._token = ""
        self._pinged_at: int | None = None
        self._owed = 0

    @property
    def is_overdue(self) -> bool:
        """Whether the peer owes so many pongs that it is taken for gone."""
        return self._owed > _OWED_PINGS

    def hear(self, text: str | None) -> list[str]:
        """What is answered to a frame; `None` stands for a frame that is not text."""
        wish = None
        try:
            if text is None:
                raise UnreadableError("text frames only")
            wish = read_frame(text, self._style)
            answers = self._do(wish)
        except UnreadableError as problem:
            answers = [self._style.refused(wish, 400, str(problem))]
        return [write_frame(answer, self._rules) for answer in answers]

    def tell(self) -> list[str]:
        """Everything that is new since the last time, one frame a channel at most."""
        frames = []
        seconds = self._rules.stream_ping_seconds
        if seconds and (self._pinged_at is None or self._now - self._pinged_at >= seconds * MICROS):
            self._pinged_at = self._now
            self._owed += 1
            frames.append(self._style.ping(self._now // 1_000))
        for told in self._told.values():
            for kind, data in self._news(told):
                told.seq += 1
                frames.append(self._style.data(told.channel.name, kind, told.seq, self._now // 1_000, data))
        return [write_frame(frame, self._rules) for frame in frames]

    @property
    def _now(self) -> int:
        return self._exchange.floor.now

    def _do(self, wish: Wish) -> list[Row]:
        match wish.verb:
            case "ping":
                return [self._style.pong(wish, self._now // 1_000)]
            case "pong":
                self._owed = 0
                return []
            case "auth":
                if self._member(wish.token) is None:
                    return [self._style.refused(wish, 401, "please login")]
                self._token = wish.token
                return self._style.done(wish)
            case "unsubscribe":
                for name in wish.channels:
                    self._told.pop(name, None)
                return self._style.done(wish)
            case _:
                return self._subscribe(wish)

    def _subscribe(self, wish: Wish) -> list[Row]:
        """All of the channels, or none of them."""
        found = []
        for name in wish.channels:
            channel = read_channel(name, self._rules)
            if channel is None:
                return [self._style.refused(wish, 404, f"no such channel: {name[:60]}")]
            if channel.is_private and self._member(self._token) is None:
                return [self._style.refused(wish, 401, "please login")]
            found.append(channel)
        # A channel that is asked for again begins anew.
        self._told |= {channel.name: _Told(channel) for channel in found}
        return self._style.done(wish)

    def _member(self, token: str) -> Member | None:
        return self._exchange.sessions.member_of(token, now_micros=self._now) if token else None

    def _news(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        match told.channel.kind:
            case "ticker":
                return self._ticker(told)
            case "trades":
                return self._trades(told)
            case "depth":
                return self._depth(told)
            case "kline":
                return self._candles(told)
            case "orders":
                return self._orders(told)
            case _:
                return self._account(told)

    # --- everybody's ----------------------------------------------------------------------------------------------

    def _ticker(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        row = quotations.ticker(self._exchange.floor, BY_COIN[told.channel.coin])
        if row != told.last:
            told.last = row
            yield _kind(told), row

    def _trades(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        coin, floor = told.channel.coin, self._exchange.floor
        step = floor.market.step_at(self._now)
        if told.seq and step < told.step:
            told.step = step  # The clock was turned back.
        found = stream_quotes.trades(
            floor,
            coin,
            after_step=told.step if told.seq else step - _MOST_TRADES,
            until_step=step,
            limit=_MOST_TRADES,
        )
        told.step = step
        if found or not told.seq:
            yield _kind(told), [_trade(coin, one) for one in found]

    def _depth(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        pair = BY_COIN[told.channel.coin]
        plate = {
            "bids": self._levels(pair.symbol, is_buy=True),
            "asks": self._levels(pair.symbol, is_buy=False),
        }
        if plate == told.plate:
            return
        if not told.seq or self._rules.stream_depth == "whole":
            kind: Kind = "snapshot"
            shown = plate
        else:
            kind = "update"
            shown = {side: _changes(told.plate[side], levels) for side, levels in plate.items()}
        told.plate = plate
        sides = {
            side: [[Text(Units(price, PRICE_SCALE)), Text(Units(amount, SCALE))] for price, amount in levels.items()]
            for side, levels in shown.items()
        }
        yield kind, {"symbol": pair.symbol, **sides, "ts": Moment(self._now)}

    def _levels(self, symbol: str, *, is_buy: bool) -> dict[int, int]:
        """Prices with what stands there, best first."""
        levels: dict[int, int] = {}
        for offer in self._exchange.spot.books[symbol].offers("buy" if is_buy else "sell"):
            if offer.price not in levels and len(levels) == _LEVELS:
                break
            levels[offer.price] = levels.get(offer.price, 0) + offer.quantity
        return levels

    def _candles(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        coin, interval = told.channel.coin, told.channel.interval
        begin = stream_quotes.begin_of(interval, self._now)
        if told.opened > begin:
            told.seq, told.last = 0, None  # The clock was turned back: the channel begins anew.
        found = stream_quotes.candles(
            self._exchange.floor,
            coin,
            interval,
            now=self._now,
            last=self._rules.stream_candles,
            since=told.opened if told.seq else 0,
        )
        told.opened = begin
        rows = [_candle(one, told.channel, now=self._now) for one in found]
        if not told.seq:
            yield "snapshot", rows
        elif rows != told.last:
            for row in rows:
                yield "update", row
        told.last = rows[-1:]

    # --- a member's own -------------------------------------------------------------------------------------------

    def _orders(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        """Open orders at first, then each order that changed. Nothing for a token that is no longer good."""
        member = self._member(self._token)
        if member is None:
            return
        known: dict[str, object] = told.last if isinstance(told.last, dict) else {}
        rows = {
            order.order_id: order.row(is_reversed=self._rules.family_enums)
            for order in self._exchange.spot.orders
            if order.member_id == member.member_id and (not order.is_final or order.order_id in known or told.seq)
        }
        if not told.seq:
            told.last = rows
            yield "snapshot", list(rows.values())
            return
        changed = [row for order_id, row in rows.items() if known.get(order_id) != row]
        told.last = rows
        if changed:
            yield "update", changed

    def _account(self, told: _Told) -> Iterator[tuple[Kind, object]]:
        member = self._member(self._token)
        if member is None:
            return
        wallets = self._exchange.floor.members.wallets(member)
        if wallets != told.last:
            told.last = wallets
            yield (
                _kind(told),
                [
                    {"coin": coin, "available": Units(available, SCALE), "frozen": Units(frozen, SCALE)}
                    for coin, (available, frozen) in wallets.items()
                ],
            )


def _kind(told: _Told) -> Kind:
    return "update" if told.seq else "snapshot"


def _changes(before: dict[int, int], after: dict[int, int]) -> dict[int, int]:
    """Levels that are new or otherwise than before; what is gone has no amount."""
    gone = dict.fromkeys(before.keys() - after.keys(), 0)
    return gone | {price: amount for price, amount in after.items() if before.get(price) != amount}


def _trade(coin: str, trade: stream_quotes.Trade) -> Row:
    return {
        "symbol": BY_COIN[coin].symbol,
        "price": Units(trade.price, PRICE_SCALE),
        "amount": Units(trade.amount, SCALE),
        "direction": trade.direction,
        "time": Moment(trade.at),
        "id": trade.number,
    }


def _candle(candle: stream_quotes.Candle, channel: Channel, *, now: int) -> Row:
    return {
        "time": Moment(candle.opened),
        "open": Units(candle.open, PRICE_SCALE),
        "high": Units(candle.high, PRICE_SCALE),
        "low": Units(candle.low, PRICE_SCALE),
        "close": Units(candle.close, PRICE_SCALE),
        "volume": Units(candle.volume, SCALE),
        "turnover": Units(candle.turnover, SCALE),
        "interval": channel.name.rpartition(".")[2],
        "closed": candle.ends <= now,
    }
