"""One voice: models and errors as short plain text, the same on the command line, in chat and in logs.

Plain text only: a front end escapes or colours it. No secrets can pass, since models and errors hold none.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

from tradehook import errors
from tradehook.amounts import plain
from tradehook.models import Order, OrderStatus, Side, Unit
from tradehook.transfers import SizedTransfer, TransferStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.errors import TradehookError
    from tradehook.models import Balance, Quote, SizedOrder
    from tradehook.prices import PriceHistory, Ticker
    from tradehook.transfers import Transfer

DOLLARS = frozenset({"USD", "USDC", "PYUSD", "USDT", "USDG"})
_QUANTITY_PLACES = 4
_BY_CHANCE = re.compile(r"[0-9a-f]{8}-", re.ASCII)


def quantity(value: Decimal, symbol: str) -> str:
    """How much of something: `0.0100 BTC`, `673.67 PYUSD`. Never fewer digits than there are, dollars aside."""
    return f"{bare_quantity(value, symbol)} {symbol}"


def bare_quantity(value: Decimal, symbol: str) -> str:
    """The same without the symbol. Dollars in cents, unless that would hide that there is something."""
    if symbol in DOLLARS:
        cents = value.quantize(Decimal("0.01"), ROUND_HALF_UP)
        if cents or not value:
            return f"{cents:,f}"
    text = f"{value.normalize():,f}"
    whole, _, places = text.partition(".")
    return f"{whole}.{places.ljust(_QUANTITY_PLACES, '0')}"


def price(value: Decimal) -> str:
    """A price: `67,338.1`. Four places from 1 upward, eight digits below: no tick has more, and no average runs on."""
    shown = value.quantize(Decimal("0.0001")) if value >= 1 else Decimal(f"{value:.8g}")
    text = f"{shown.normalize():,f}"
    return text if "." in text else f"{text}.0"


def fee(value: Decimal | None, symbol: str | None) -> str:
    """A fee in words; an unknown one is said, never shown as 0."""
    if value is None:
        return "fee not told by the exchange"
    return f"fee {bare_quantity(value, symbol or 'USD')}"


def deed(order: SizedOrder) -> str:
    """What an order would do: `Buy 0.0100 BTC`, `Sell 5 ETH at 3,500.0 or better`."""
    verb = "Buy" if order.side is Side.BUY else "Sell"
    if order.unit is Unit.BASE:
        what = quantity(order.quantity, order.base)
    else:
        what = f"{order.base} for {quantity(order.quantity, order.quote)}"
    where = f" on {order.chain}" if order.chain else ""
    limit = f" at {price(order.price)} or better" if order.price is not None else ""
    return f"{verb} {what}{limit}{where}"


def kept_words(order: SizedOrder) -> list[str]:
    """What tradehook itself keeps of an order, since the exchange does not know it."""
    words = []
    if order.good_for is not None:
        words.append(f"tradehook cancels what still rests after {duration(order.good_for)}")
    if order.bounded:
        words.append("what does not trade at once is canceled")
    elif order.max_slippage is not None:
        words.append(f"at most {plain(order.max_slippage)} % worse than the market")
    return words


def duration(length: timedelta) -> str:
    """A length of time in its largest whole unit: `7 d`, `90 min`."""
    seconds = int(length.total_seconds())
    for unit, name in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds % unit == 0:
            return f"{seconds // unit} {name}"
    return f"{seconds} s"


def typed_and_sent(settled: SizedOrder | SizedTransfer) -> str:
    """What was typed beside what is sent, so that rounding never happens unseen."""
    asset = settled.asset if isinstance(settled, SizedTransfer) else settled.quantity_asset
    return f"typed {settled.typed}, sent {quantity(settled.quantity, asset)}"


def transfer_words(transfer: SizedTransfer) -> str:
    """What a transfer would do: `Send 5.00 USDC on base to cold (0x1234…abcd on base)`."""
    where = f"on {transfer.chain}" if transfer.chain else "from the exchange"
    return (
        f"Send {quantity(transfer.quantity, transfer.asset)} {where} to {transfer.to} "
        f"({short_address(transfer.address)} on {transfer.network})"
    )


def short_address(address: str) -> str:
    """An address by its ends, for a glance: `0x1234…abcd`. The whole one stands in the list of destinations."""
    return address if len(address) <= 16 else f"{address[:6]}…{address[-4:]}"


def transfer_line(transfer: Transfer) -> str:
    """A transfer in one line that begins with the fact: `Completed: 5.00 USDC to 0x1234…abcd, fee 0.01`."""
    asset = transfer.asset or "?"
    what = quantity(transfer.quantity, asset) if transfer.quantity is not None else asset
    to = f" to {short_address(transfer.to)}" if transfer.to else ""
    costs = f", {fee(transfer.fee, asset)}" if transfer.status is TransferStatus.COMPLETED else ""
    return f"{_TRANSFER_WORDS[transfer.status]}: {what}{to}{costs}"


_TRANSFER_WORDS = {
    TransferStatus.CREATED: "Waits for a signature",
    TransferStatus.PENDING: "On its way",
    TransferStatus.COMPLETED: "Completed",
    TransferStatus.FAILED: "Failed at the exchange",
    TransferStatus.UNRECOGNIZED: "In a state this version does not know",
}


def order_line(order: Order) -> str:
    """An order in one line that begins with the fact: `Filled: bought 0.0100 BTC at 67,338.1, fee 0.27`."""
    base, quote = order.base or "?", order.quote or "?"
    done = {Side.BUY: "bought", Side.SELL: "sold"}.get(order.side or Side.BUY, "traded")
    verb = {Side.BUY: "buy", Side.SELL: "sell"}.get(order.side or Side.BUY, "trade")
    filled = order.filled or Decimal(0)
    at = f" at {price(order.average_price)}" if order.average_price else ""
    costs = f", {fee(order.fee, quote)}" if filled else ""
    match order.status:
        case OrderStatus.FILLED if filled:
            return f"Filled: {done} {quantity(filled, base)}{at}{costs}"
        case OrderStatus.CANCELED if filled:
            return f"Canceled after a part: {done} {quantity(filled, base)}{at}{costs}"
    asked = f"{verb} {_asked(order, base, quote)}{f' at {price(order.price)}' if order.price else ''}"
    part = f", {quantity(filled, base)} done so far" if filled else ""
    seen = f". Evidence: {order.evidence}" if order.evidence else ""
    return f"{_STATUS_WORDS[order.status]}: {asked}{part}{seen}"


_STATUS_WORDS = {
    OrderStatus.CREATED: "Waits for a signature",
    OrderStatus.PENDING: "Accepted",
    OrderStatus.OPEN: "Open",
    OrderStatus.CANCELING: "Being canceled",
    OrderStatus.FILLED: "Filled",
    OrderStatus.CANCELED: "Canceled",
    OrderStatus.FAILED: "Failed at the exchange",
    OrderStatus.ACCEPTED: "Accepted, and the exchange tells no more",
    OrderStatus.PROBABLY_FILLED: "Probably filled",
    OrderStatus.CANNOT_TELL: "Accepted, but what became of it cannot be told",
    OrderStatus.UNRECOGNIZED: "In a state this version does not know",
}


def _asked(order: Order, base: str, quote: str) -> str:
    if order.quantity is None:
        return base
    if order.unit is Unit.QUOTE:
        return f"{base} for {quantity(order.quantity, quote)}"
    if order.unit is None and order.price is None:
        # The list does not say which unit a market order was in; what was filled tells more.
        return base
    return quantity(order.quantity, base)


def quote_lines(quote: Quote) -> Sequence[str]:
    """A quote in words."""
    verb = "Buying" if quote.side is Side.BUY else "Selling"
    return (
        f"{verb} {quantity(quote.base_quantity, quote.base)} at {price(quote.price)}",
        f"comes to {quantity(quote.notional, quote.quote)} before the fee (the exchange does not tell it beforehand)",
    )


def balance_line(balance: Balance) -> str:
    """One balance: `0.5000 BTC (0.1000 held)`, with its chain if it is on one."""
    held = f" ({bare_quantity(balance.held, balance.symbol)} held)" if balance.held else ""
    return f"{quantity(balance.total, balance.symbol)}{held}{f' on {balance.chain}' if balance.chain else ''}"


_NEXT_STEPS: dict[type[TradehookError], str] = {
    errors.NotSent: "Check the address and the network, then try again.",
    errors.TimedOut: "Try again in a moment.",
    errors.Disconnected: "Try again in a moment.",
    errors.Unauthorized: "Check the key with `tradehook doctor`.",
    errors.EdgeBlocked: "Wait a few minutes; if it stays, ask the exchange to allow this address.",
    errors.RateLimited: "Wait a minute, then try again.",
    errors.Unavailable: "Try again in a moment.",
    errors.InsufficientFunds: "Look at `tradehook balances`, or order less.",
    errors.StaleQuote: "Ask for a new price.",
}


def error_line(error: TradehookError) -> str:
    """What happened and what to do next, in at most two sentences more than the error itself."""
    next_step = ""
    if error.details.get("told_at"):
        return error.message  # what to do about it was to be done then
    if error.details.get("code") == errors.UNKNOWN_KEY:
        return f"{error.message} Is it for another environment?"
    for kind in type(error).__mro__:
        if kind in _NEXT_STEPS:
            next_step = " " + _NEXT_STEPS[kind]
            break
    if error.details.get("deed") == "transfer":
        next_step = next_step.replace("order less", "send less")
    return f"{error.message}{next_step}"


# --- for questions and notices, in chat first -----------------------------------------------------------------


def about(value: Decimal, symbol: str) -> str:
    """A quantity that was worked out rather than told: `about 0.0037 BTC`, never with a tail of digits."""
    rounded = value.quantize(Decimal("0.01"), ROUND_HALF_UP) if symbol in DOLLARS else Decimal(f"{value:.6g}")
    return f"about {quantity(rounded, symbol)}"


def percent(value: Decimal) -> str:
    """A percentage with at most two places: `0.5 %`, `0.04 %`, `12 %`."""
    # Adding 0 takes the sign off a 0.
    return f"{(value.quantize(Decimal('0.01'), ROUND_HALF_UP).normalize() + 0):f} %"


def change(value: Decimal | None) -> str:
    """How far a price moved, with its sign: `+0.52 %`, `-3.1 %`; nothing when it is not known."""
    if value is None:
        return ""
    shown = percent(value)
    return shown if shown.startswith(("-", "0 ")) else f"+{shown}"


def percentage(value: Decimal | None) -> str | None:
    """A percentage for programs, with four places at most; `None` when it is not known."""
    return None if value is None else plain(value.quantize(Decimal("0.0001"), ROUND_HALF_UP))


def ticker_line(ticker: Ticker) -> str:
    """What an asset costs, in one line: `BTC 67,340.2 (+0.02 % in 1h, +1.15 % in 24h)`."""
    moves = [
        f"{change(moved)} in {span}" for span in ("1h", "24h") if (moved := ticker.change_percent(span)) is not None
    ]
    told = f" ({', '.join(moves)})" if moves else ""
    return f"{ticker.symbol} {price(ticker.price)}{told}"


_BARS = "▁▂▃▄▅▆▇█"


def sparkline(values: Sequence[Decimal], *, width: int = 60) -> str:
    """A row of bars, oldest first; of more values than there is room for, the last of each stretch."""
    count = min(width, len(values))
    shown = [values[(place + 1) * len(values) // count - 1] for place in range(count)]
    if not shown:
        return ""
    low, high = min(shown), max(shown)
    if low == high:
        return _BARS[len(_BARS) // 2] * count
    return "".join(_BARS[int((value - low) * (len(_BARS) - 1) / (high - low))] for value in shown)


def history_lines(history: PriceHistory) -> Sequence[str]:
    """A price's past in words and bars."""
    low, high = history.low, history.high
    if low is None or high is None:
        return (f"{history.symbol}: no prices in {history.window}{f' ({history.problem})' if history.problem else ''}",)
    first, last = history.points[0], history.points[-1]
    where = " on the exchange's book" if history.venue == "cefi" else ""
    return (
        f"{history.symbol}{where}, {history.window} in steps of {history.resolution}",
        sparkline([point.price for point in history.points]),
        f"from {price(first.price)} to {price(last.price)}, {change(history.change_percent)}",
        f"low {price(low.price)} at {low.at:%m-%d %H:%M}, high {price(high.price)} at {high.at:%m-%d %H:%M} (UTC)",
    )


def clock(at: datetime) -> str:
    """A time of day with the zone it is in: `14:03:22 UTC`."""
    return f"{at:%H:%M:%S} {at.tzname() or 'UTC'}"


def short_id(identity: str, *, length: int = 8) -> str:
    """The beginning of an id, enough to tell one's own apart; commands take it as it stands.

    Only ids made by chance differ at their beginning: others, which count or begin with the time, are shown whole.
    """
    return identity[:length] if _BY_CHANCE.match(identity) else identity


def source_words(source: str) -> str:
    """Where an order came from, in words: `the command line`, `Airflow (rebalance)`."""
    kind, _, rest = source.partition(":")
    match kind:
        case "cli":
            return "the command line"
        case "airflow":
            return f"Airflow ({rest.split('/')[0][:60]})" if rest else "Airflow"
        case "chat":
            return "chat"
        case _:
            return kind[:40].capitalize() or "somewhere"


def deed_for(order: SizedOrder, *, base_quantity: Decimal, total: Decimal) -> str:
    """A deed with what it comes to, short enough for a button: `Buy 0.0100 BTC for 673.67`."""
    verb = "Buy" if order.side is Side.BUY else "Sell"
    where = f" on {order.chain}" if order.chain else ""
    if order.price is not None:
        return f"{verb} {quantity(order.quantity, order.base)} at {price(order.price)}"
    if order.unit is Unit.BASE:
        return f"{verb} {quantity(order.quantity, order.base)} for {bare_quantity(total, order.quote)}{where}"
    return f"{verb} {about(base_quantity, order.base)} for {bare_quantity(total, order.quote)}{where}"


def unknown_lines(deed_words: str, *, exchange: str, sent_at: datetime | None, intent_id: str) -> Sequence[str]:
    """The truth about a write that got no answer, its next step last."""
    when = f" at {clock(sent_at)}" if sent_at is not None else ""
    return (
        f"UNKNOWN: {deed_words}",
        f"It was sent{when}, and no answer came that tells whether {exchange} placed it. It may exist or not.",
        "Do not enter it again. It is never sent again by itself.",
        f"Look at your orders and balances, and on the machine: tradehook intents show {intent_id}",
    )


_IN_CHAT = {
    "Look at `tradehook balances`": "Look at /balance",
    "`tradehook balances`": "/balance",
    "`tradehook orders`": "/orders",
    "/resume in chat or `tradehook resume` lifts it": "/resume lifts it",
    "Check the key with `tradehook doctor`": "Run `tradehook doctor` on the machine",
}


def in_chat(words: str) -> str:
    """A sentence with the commands that chat has in place of those of the command line."""
    for here, there in _IN_CHAT.items():
        words = words.replace(here, there)
    return words


def clock_of(stored: str) -> str:
    """A stored time as people read it: `2026-11-21 14:03:22 UTC`; what is not a time stays as it is."""
    try:
        at = datetime.fromisoformat(stored)
    except ValueError:
        return stored
    return f"{at:%Y-%m-%d} {clock(at)}"


def moved(changes: Mapping[str, object], *, beside: int | None = None) -> str:
    """What balances did, `PYUSD -673.67 (-673.67 available)`, and what else may have done it; empty for nothing.

    Args:
        changes: asset to change.
        beside: how many other intents of the account may have moved the same.
    """
    told = ", ".join(f"{symbol} {change}" for symbol, change in changes.items())
    if not told or not beside:
        return told
    return f"{told}, which {beside} other intent{'s' if beside > 1 else ''} of this account may have done"
