"""What a question about an order says: everything a person needs to answer it, and nothing that is not known.

Pure: prices and balances are given. A fee the exchange does not tell beforehand is never shown as nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, ROUND_UP, Decimal
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import parse_amount
from tradehook.errors import InvalidInput
from tradehook.models import Side, Unit
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from tradehook.models import Balance, ChainQuote, Quote, SizedOrder
    from tradehook_bot.settings import BotSettings

_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Terms:
    """An order with what it comes to at a price. Money in the quote asset."""

    sized: SizedOrder
    quote: Quote
    """What it would get now."""
    base_quantity: Decimal
    notional: Decimal
    fee: Decimal | None
    """Estimated from a rate seen in practice; `None` where none is known."""
    chain_quote: ChainQuote | None = None
    """What an order on a chain would do, by its preview; the price above then has the fee in it."""

    @classmethod
    def of(cls, sized: SizedOrder, quote: Quote, *, fee_rate: Decimal | None) -> Terms:
        """Work out what an order comes to."""
        if sized.price is not None:
            base, notional = sized.quantity, sized.quantity * sized.price
        else:
            base, notional = quote.base_quantity, quote.notional
        fee = (notional * fee_rate).quantize(_CENT, ROUND_UP) if fee_rate is not None else None
        return cls(sized=sized, quote=quote, base_quantity=base, notional=notional, fee=fee)

    @property
    def is_buy(self) -> bool:
        """Whether the base asset comes in."""
        return self.sized.side is Side.BUY

    @property
    def total(self) -> Decimal:
        """What leaves (a buy) or comes in (a sell), with the fee as far as it is known."""
        fee = self.fee or Decimal(0)
        return self.notional + fee if self.is_buy else self.notional - fee

    @property
    def deed(self) -> str:
        """The button."""
        return render.deed_for(self.sized, base_quantity=self.base_quantity, total=self.total)


def good_until(sized: SizedOrder, quote: Quote, *, tolerance_percent: Decimal) -> Decimal | None:
    """The worst price that needs no new question; `None` for a limit order, whose price is its own."""
    if sized.price is not None:
        return None
    share = tolerance_percent / 100
    if sized.side is Side.BUY:
        return (quote.price * (1 + share)).quantize(_step(quote.price), ROUND_FLOOR)
    return (quote.price * (1 - share)).quantize(_step(quote.price), ROUND_CEILING)


def lifetime(sized: SizedOrder, settings: BotSettings) -> timedelta:
    """How long a question about this order stays open."""
    return settings.market_lasts() if sized.price is None else settings.limit_lasts()


def check_funds(terms: Terms, balances: Sequence[Balance], *, command: str, shows_holdings: bool = True) -> None:
    """Refuse what the account clearly cannot pay, before anybody is asked.

    Raises:
        InvalidInput: says what is there and what is needed.
    """
    needed = terms.notional if terms.is_buy else terms.base_quantity
    check_pays(terms.sized, needed, balances, command=command, shows_holdings=shows_holdings)


def check_pays(
    sized: SizedOrder, needed: Decimal, balances: Sequence[Balance], *, command: str, shows_holdings: bool = True
) -> None:
    """The same where it is known already how much leaves. On a chain the fee is in that."""
    is_buy = sized.side is Side.BUY
    symbol = sized.quote if is_buy else sized.base
    there = available(symbol, balances, chain=sized.chain)
    if needed > there:
        what = "costs" if is_buy else "sells"
        where = f" on {sized.chain}" if sized.chain else ""
        raise InvalidInput(
            f"This {what} {_money(needed, symbol)}{' and a fee' if is_buy and not where else ''}, and "
            f"{_money(there, symbol) if shows_holdings else 'less'} is available{where}.",
            suggestions=(f"/{command} {sized.base} max{where}",) if there else (),
        )


def available(symbol: str, balances: Sequence[Balance], *, chain: str | None = None) -> Decimal:
    """What is free of this: of what the exchange itself holds for us, or of what stands on a chain."""
    return sum((row.available for row in balances if row.symbol == symbol and row.chain == chain), Decimal(0))


def body(
    terms: Terms,
    balances: Sequence[Balance],
    *,
    account: str,
    exchange: str,
    tolerance_percent: Decimal,
    expires_at: datetime,
    seconds: int,
    notes: Sequence[str] = (),
    shows_holdings: bool = True,
) -> str:
    """The whole question as HTML."""
    sized = terms.sized
    lines = [
        f"{text(account)} at {text(exchange)}, {text(sized.market)}{f' on {text(sized.chain)}' if sized.chain else ''}",
        *(text(note) for note in notes),
        bold(f"{render.deed(sized)}{'' if sized.price is not None else ' at the market price'}?"),
        *(text(line) for line in _sizing(sized)),
        "",
        *(text(line) for line in _prices(terms)),
        *((text(_after(terms, balances)),) if shows_holdings else ()),
        *(text(line) for line in _warnings(terms, balances)),
    ]
    until = good_until(sized, terms.quote, tolerance_percent=tolerance_percent)
    if until is not None:
        word, worse = ("up", "above") if terms.is_buy else ("down", "below")
        shown = f"{render.price(until)} ({render.percent(tolerance_percent)})"
        lines.append(f"Good {word} to: {shown}; {worse} it I ask again")
    lines.append(f"Open until: {render.clock(expires_at)} ({_duration(seconds)})")
    return "\n".join(lines)


def drift_note(shown: Decimal, now: Decimal) -> str:
    """Why a question is asked again."""
    share = abs(now - shown) / shown * 100
    return (
        f"The price moved {render.percent(share)} against you, from {render.price(shown)} to {render.price(now)}. "
        "Nothing was sent."
    )


def _sizing(sized: SizedOrder) -> list[str]:
    """What was typed beside what will be sent, where they differ."""
    typed = parse_amount(sized.typed)
    if typed.kind == str(sized.unit) and typed.value == sized.quantity:
        return []
    return [f"Typed {typed}, sends {render.quantity(sized.quantity, sized.quantity_asset)}"]


def _prices(terms: Terms) -> list[str]:
    if terms.chain_quote is not None:
        return _chain_prices(terms, terms.chain_quote)
    return _limit_prices(terms) if terms.sized.price is not None else _market_prices(terms)


def _chain_prices(terms: Terms, found: ChainQuote) -> list[str]:
    sized = terms.sized
    got = (terms.base_quantity, sized.base) if terms.is_buy else (terms.notional, sized.quote)
    fee = "not told by the exchange" if found.fee is None else _money(found.fee, found.fee_asset or sized.quote)
    return [
        f"{'Gets' if terms.is_buy else 'Brings'}: {render.about(*got)}",
        f"Price: {render.price(terms.quote.price)} {sized.quote}, with the fee",
        f"Fee: {fee}",
        f"Contract: {sized.base_address or 'not told'} on {sized.chain}",
        "Prepared at the exchange; nothing is signed yet.",
    ]


def _market_prices(terms: Terms) -> list[str]:
    sized = terms.sized
    lines = [f"Price: {render.price(terms.quote.price)} {sized.quote}"]
    if sized.unit is Unit.QUOTE:
        lines.append(f"{'Gets' if terms.is_buy else 'Gives'}: {render.about(terms.base_quantity, sized.base)}")
    return [*lines, _cost(terms, "Cost" if terms.is_buy else "Brings")]


def _limit_prices(terms: Terms) -> list[str]:
    sized, now = terms.sized, terms.quote.price
    assert sized.price is not None  # noqa: S101 - asked only for limit orders
    is_waiting = sized.price < now if terms.is_buy else sized.price > now
    away = render.percent(abs(now - sized.price) / sized.price * 100)
    if is_waiting:
        where = f"{away} {'above' if terms.is_buy else 'below'} your limit; it waits in the book"
    else:
        where = "your limit is no better than that, so it fills at once, at the book's prices"
    return [
        f"Limit: {render.price(sized.price)} {sized.quote}",
        f"Price now: {render.price(now)}, {where}",
        _cost(terms, "Costs at most" if terms.is_buy else "Brings at least"),
    ]


def _cost(terms: Terms, word: str) -> str:
    shown = render.bare_quantity(terms.notional.quantize(_CENT, ROUND_HALF_UP), terms.sized.quote)
    if terms.fee is None:
        return f"{word}: {shown} {terms.sized.quote} and a fee that the exchange does not tell beforehand"
    sign = "+" if terms.is_buy else "-"
    return (
        f"{word}: {shown} {sign} fee about {render.bare_quantity(terms.fee, terms.sized.quote)} (not promised) "
        f"= {_money(terms.total, terms.sized.quote)}"
    )


def _after(terms: Terms, balances: Sequence[Balance]) -> str:
    sized = terms.sized
    base, quote = (available(symbol, balances, chain=sized.chain) for symbol in (sized.base, sized.quote))
    if sized.price is not None:
        # While it waits, what it will pay with is held and what it will get is not there yet.
        left = (quote - terms.total, sized.quote) if terms.is_buy else (base - terms.base_quantity, sized.base)
        return f"Available while it is open: {_money(max(left[0], Decimal(0)), left[1])}"
    direction = 1 if terms.is_buy else -1
    rest = max(quote - direction * terms.total, Decimal(0))
    return (
        f"Available after: {_money(base + direction * terms.base_quantity, sized.base)}, "
        f"{render.about(rest, sized.quote)}"
    )


def _warnings(terms: Terms, balances: Sequence[Balance]) -> list[str]:
    if terms.is_buy and terms.total > available(terms.sized.quote, balances, chain=terms.sized.chain):
        return ["The fee may not be covered by what is available; the exchange may then say no."]
    return []


def _money(value: Decimal, symbol: str) -> str:
    rounded = (
        value.quantize(_CENT, ROUND_HALF_UP) if symbol in render.DOLLARS else value.quantize(Decimal("0.00000001"))
    )
    return render.quantity(rounded, symbol)


def _step(price: Decimal) -> Decimal:
    """One in the sixth significant digit: as fine as prices are shown."""
    return Decimal(1).scaleb(price.adjusted() - 5)


def _duration(seconds: int) -> str:
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60} min"
