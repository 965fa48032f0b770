"""What somebody wants to hold: shares, and how far from them is near enough. Checked once, then frozen."""

from __future__ import annotations

import re
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tradehook.amounts import parse_symbol, plain
from tradehook.errors import InvalidInput
from tradehook.models import Value

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

WHOLE = Decimal(100)
_NUMBER = re.compile(r"\d{1,18}(?:\.\d{1,18})?", re.ASCII)
_CASH = "CASH"
"""Names the quote asset, whichever that is."""

Number = Decimal | int | str


class OnChain(StrEnum):
    """What becomes of holdings on a chain."""

    LEAVE = "leave"
    """They are no part of it."""
    COUNT = "count"
    """They count, and stay where they are."""
    TRADE = "trade"
    """They count, and may be traded where they are."""


class Goal(Value):
    """What somebody asked for. Shares, bands, fee, reserve and turnover in percent, the rest in quote."""

    targets: dict[str, Decimal]
    """Symbol to percent of the portfolio; may name the quote asset."""
    quote: str
    """Cash: what everything is traded against and valued in."""
    band: Decimal
    """Percent points an asset may be off its target."""
    min_trade: Decimal
    reserve: Decimal
    """Percent of the portfolio that buys leave in cash, for prices that move."""
    relative_band: Decimal | None = None
    """Percent of its own target an asset may be off; the narrower of the two bands holds."""
    buffer: Decimal = Decimal(0)
    """Cash that is set aside before the rest is divided."""
    fee: Decimal = Decimal(0)
    """What a trade is taken to cost."""
    max_turnover: Decimal | None = None
    """Percent of the portfolio that one run trades at most, sells and buys together."""
    coins: tuple[str, ...] = ()
    """Other coins that buys may be paid with after the quote asset, in this order, each worth one of it."""
    on_chain: OnChain = OnChain.LEAVE

    @classmethod
    def of(
        cls,
        targets: Mapping[str, Number],
        *,
        quote: str,
        band: Number = "1",
        min_trade: Number = "10",
        reserve: Number = "0.5",
        relative_band: Number | None = None,
        buffer: Number = "0",
        fee: Number = "0",
        max_turnover: Number | None = None,
        coins: Sequence[str] = (),
        on_chain: OnChain | str = OnChain.LEAVE,
    ) -> Goal:
        """Check and make one.

        Raises:
            InvalidInput: something cannot be meant; says what, and what to write instead.
        """
        quote = parse_symbol(quote)
        read = _shares(targets, quote=quote)
        if on_chain not in list(OnChain):
            words = ", ".join(OnChain)
            raise InvalidInput(f"{str(on_chain)[:40]!r} says nothing about holdings on a chain: write one of {words}.")
        paid_with = tuple(dict.fromkeys(parse_symbol(coin) for coin in coins))
        for coin in paid_with:
            if coin == quote or coin in read:
                raise InvalidInput(f"{coin} is named twice: it is {'cash already' if coin == quote else 'a target'}.")
        turnover = _optional(max_turnover, what="turnover cap", most=WHOLE * 2)
        if turnover == 0:
            raise InvalidInput("A turnover cap of 0 trades nothing; leave it out for none.")
        return cls(
            targets=read,
            quote=quote,
            band=_number(band, what="drift band", most=WHOLE),
            min_trade=_number(min_trade, what="smallest trade"),
            reserve=_number(reserve, what="reserve", most=Decimal(50)),
            relative_band=_optional(relative_band, what="relative band", most=WHOLE),
            buffer=_number(buffer, what="cash buffer"),
            fee=_number(fee, what="fee", most=Decimal(10)),
            max_turnover=turnover,
            coins=paid_with,
            on_chain=OnChain(on_chain),
        )

    @property
    def symbols(self) -> list[str]:
        """The assets to trade: every target but cash, by name."""
        return sorted(set(self.targets) - {self.quote})

    @property
    def cash_target(self) -> Decimal:
        """The percentage that stays in cash."""
        return WHOLE - sum((self.targets[symbol] for symbol in self.symbols), Decimal(0))

    def band_of(self, symbol: str) -> Decimal:
        """Percent points this asset may be off its target. Cash has no relative band: its target is often 0."""
        if self.relative_band is None or symbol == self.quote:
            return self.band
        return min(self.band, self.targets[symbol] * self.relative_band / WHOLE)

    def in_words(self) -> str:
        """The goal in one line: `BTC 60 %, ETH 30 %, PYUSD 10 %`."""
        parts = [f"{symbol} {plain(self.targets[symbol])} %" for symbol in self.symbols]
        return ", ".join([*parts, f"{self.quote} {plain(self.cash_target)} %"])

    def rules(self) -> str:
        """The rest of it in one line: `band 2 points, smallest trade 25 PYUSD`."""
        told = [f"band {plain(self.band)} points"]
        if self.relative_band is not None:
            told.append(f"or {plain(self.relative_band)} % of the target")
        told.append(f"smallest trade {plain(self.min_trade)} {self.quote}")
        told.append(f"{plain(self.reserve)} % kept back from buys")
        if self.buffer:
            told.append(f"{plain(self.buffer)} {self.quote} set aside")
        if self.fee:
            told.append(f"fee {plain(self.fee)} %")
        if self.max_turnover is not None:
            told.append(f"at most {plain(self.max_turnover)} % traded in a run")
        if self.coins:
            told.append(f"also paid with {', '.join(self.coins)}")
        if self.on_chain is not OnChain.LEAVE:
            told.append(f"holdings on a chain: {self.on_chain}")
        return ", ".join(told)

    def settled_in(self, quote: str) -> Goal:
        """The same goal with cash under the name it settles as: `USD` is a way to write `PYUSD`."""
        if quote == self.quote:
            return self
        targets = {quote if symbol == self.quote else symbol: share for symbol, share in self.targets.items()}
        coins = tuple(coin for coin in self.coins if coin != quote)
        return self.model_copy(update={"quote": quote, "targets": targets, "coins": coins})

    def to_dict(self) -> dict[str, Any]:
        """A plain dict. What is not asked for is left out, so that a goal asked earlier keeps its hash."""
        stored = super().to_dict()
        for name, field in type(self).model_fields.items():
            if not field.is_required() and getattr(self, name) == field.default:
                del stored[name]
        return stored


def _shares(targets: Mapping[str, Number], *, quote: str) -> dict[str, Decimal]:
    if not targets:
        raise InvalidInput("There are no targets: write them like {'BTC': '60', 'ETH': '30'}.")
    read: dict[str, Decimal] = {}
    for name, percent in targets.items():
        symbol = parse_symbol(str(name))
        symbol = quote if symbol == _CASH else symbol
        if symbol in read:
            raise InvalidInput(f"{symbol} is named twice in the targets.")
        read[symbol] = _number(percent, what=f"target of {symbol}", most=WHOLE)
    named = sum(read.values(), Decimal(0))
    if named > WHOLE:
        raise InvalidInput(f"The targets add up to {plain(named)} %, which is more than everything.")
    if quote in read and named != WHOLE:
        raise InvalidInput(
            f"The targets add up to {plain(named)} % and name {quote}, so {plain(WHOLE - named)} % is nowhere: "
            f"make them 100 %, or leave {quote} out and it takes what is left."
        )
    if not set(read) - {quote}:
        raise InvalidInput(f"The targets name nothing but {quote}; to sell an asset, give it the target 0.")
    return read


def _optional(number: object, *, what: str, most: Decimal) -> Decimal | None:
    return None if number is None else _number(number, what=what, most=most)


def _number(number: object, *, what: str, most: Decimal | None = None) -> Decimal:
    """A decimal from 0 up to `most`. A float is refused: 33.3 as a float is not 33.3."""
    if isinstance(number, float):
        raise InvalidInput(f"The {what} is a float; write it as text: '{number}'.", suggestions=(f"'{number}'",))
    text = plain(number) if isinstance(number, Decimal) and number.is_finite() else str(number).strip()
    if isinstance(number, bool) or not _NUMBER.fullmatch(text):
        raise InvalidInput(f"The {what} is {text[:40]!r}; write a number like 12.5.")
    read = Decimal(text)
    if most is not None and read > most:
        raise InvalidInput(f"The {what} is {plain(read)} %; it goes up to {plain(most)} %.")
    return read
