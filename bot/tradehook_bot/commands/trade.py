"""`/buy` and `/sell`: from words to a question. Nothing is sent from here."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook.amounts import Amount, parse_asset_amount, parse_decimal, parse_duration
from tradehook.errors import InvalidInput
from tradehook.models import NewOrder, Side
from tradehook_bot import questions
from tradehook_bot.markets import find_market, find_on_chain, namesakes, take_chain

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from tradehook_bot.context import Ask

_GOOD_FOR = timedelta(days=7)
"""How long a limit order from chat may rest before tradehook cancels it, unless its person says `good 3d`."""
_LONGEST = timedelta(days=90)
_GOOD_WORD = "good"
_LIMIT_WORDS = ("limit", "at", "@")


@dataclass(frozen=True, slots=True)
class Wish:
    """What a person typed after `/buy` or `/sell`."""

    market: str
    amount: Amount
    price: Decimal | None
    chain: str | None
    good_for: timedelta | None = None
    """How long a limit order may rest; `None`: not said."""


async def buy(ask: Ask) -> None:
    """The person is asked whether to buy."""
    await _trade(ask, Side.BUY)


async def sell(ask: Ask) -> None:
    """The person is asked whether to sell."""
    await _trade(ask, Side.SELL)


async def _trade(ask: Ask, side: Side) -> None:
    ask.check_chosen()
    account = ask.account
    capabilities = account.spec.capabilities
    wish = read_wish(ask.words, side=side, chains=capabilities.chains)
    retry = retry_line(side, wish)
    if wish.chain is not None:
        base, quote = await find_on_chain(account.client, wish.market, chain=wish.chain)
        notes: tuple[str, ...] = ()
    else:
        base, quote = await find_market(account.client, wish.market, retry=retry, elsewhere=retry)
        notes = await namesakes(account.client, base, command=retry)
    lasts = (wish.good_for or _GOOD_FOR) if wish.price is not None else None
    order = NewOrder(
        base=base, quote=quote, side=side, amount=wish.amount, price=wish.price, chain=wish.chain, good_for=lasts
    )
    try:
        await questions.ask(ask.house, account, order, where=ask.where, typed=ask.text, notes=notes)
    except InvalidInput as error:
        # What is offered of a limit order may be another price, and a price is no amount.
        offers = error.details.get("suggestions", ()) if wish.price is None else ()
        where = f" on {wish.chain}" if wish.chain else ""
        raise with_amounts(error, offers, command=f"/{side} {wish.market.upper()[:20]} {{amount}}{where}") from None


def read_wish(words: Sequence[str], *, side: Side, chains: Sequence[str] = ()) -> Wish:
    """Read `BTC 0.01`, `0.01 BTC`, `BTC $250`, `BTC 50%`, `BTC max`, each perhaps with `limit 64000` and `good 3d`.

    Raises:
        InvalidInput: it cannot be read; `suggestions` are whole commands where one can be guessed.
    """
    without, chain = take_chain(words, chains)
    rest = list(without)
    good_for = _take_good(rest, side=side)
    price = _take_price(rest, side=side)
    if good_for is not None and price is None:
        asked = " ".join(rest[:2]) or "BTC 0.01"
        raise InvalidInput(
            "Only a limit order rests, so only one can be good for a while.",
            suggestions=(f"/{side} {asked[:60]} limit 64000 {_GOOD_WORD} 3d",),
        )
    if len(rest) > 2:
        raise InvalidInput(f"I do not understand {' '.join(rest[2:])[:40]!r}.")
    if len(rest) == 1:
        raise _half_a_wish(rest[0], side=side, chain=chain)
    try:
        market, amount = parse_asset_amount(rest)
    except InvalidInput as error:
        raise _with_whole_commands(error, rest, side=side, price=price, chain=chain) from None
    return Wish(market=market, amount=amount, price=price, chain=chain, good_for=good_for)


def retry_line(side: Side, wish: Wish) -> str:
    """The same command with another `{market}`."""
    return f"/{side} {{market}} {wish.amount}{_tail(wish)}"


def _tail(wish: Wish) -> str:
    """The limit and how long it is good, as they are typed."""
    if wish.price is None:
        return ""
    seconds = round(wish.good_for.total_seconds()) if wish.good_for is not None else 0
    return f" limit {wish.price:f}{f' {_GOOD_WORD} {seconds}s' if seconds else ''}"


def with_amounts(error: InvalidInput, offers: Sequence[str], *, command: str) -> InvalidInput:
    """The same error; where it offers amounts, as whole commands: `command` with `{amount}` filled in."""
    if not offers or not all(offer[:1] in "$0123456789" and " " not in offer for offer in offers):
        return error
    return InvalidInput(error.message, suggestions=tuple(command.replace("{amount}", offer) for offer in offers))


def _take_good(rest: list[str], *, side: Side) -> timedelta | None:
    """Take `good 3d` out of the end of the words."""
    at = next((index for index, word in enumerate(rest) if word.lower() == _GOOD_WORD), None)
    if at is None:
        return None
    after, before = rest[at + 1 :], rest[:at]
    del rest[at:]
    offer = f"/{side} {' '.join(before)[:80] or 'BTC 0.01 limit 64000'} {_GOOD_WORD} 3d"
    if len(after) != 1:
        what = f"one length of time, not {' '.join(after)[:40]!r}" if after else "how long?"
        raise InvalidInput(f"Good: {what}", suggestions=(offer,))
    try:
        found = parse_duration(after[0].lower())
    except InvalidInput as error:
        raise InvalidInput(error.message, suggestions=(offer,)) from None
    if found > _LONGEST:
        raise InvalidInput(f"An order may rest for {_LONGEST.days} days at most.", suggestions=(offer,))
    return found


def _take_price(rest: list[str], *, side: Side) -> Decimal | None:
    """Take `limit 64000` out of the words."""
    at = next((index for index, word in enumerate(rest) if word.lower() in _LIMIT_WORDS), None)
    if at is None:
        return None
    after = rest[at + 1 :]
    before = rest[:at]
    del rest[at:]
    whole = f"/{side} {' '.join(before) or 'BTC 0.01'} limit"
    if len(after) != 1:
        what = "which price?" if not after else f"one price, not {' '.join(after)[:40]!r}."
        raise InvalidInput(f"Limit: {what}", suggestions=(f"{whole} 64000",))
    try:
        return parse_decimal(after[0].removeprefix("$"), what="price")
    except InvalidInput as error:
        offers = tuple(f"{whole} {offer}" for offer in error.details.get("suggestions", ()))
        raise InvalidInput(error.message, suggestions=offers) from None


def _half_a_wish(word: str, *, side: Side, chain: str | None) -> InvalidInput:
    if not word[:1].isalpha() or word.lower() == "max":
        return InvalidInput("Which asset?", suggestions=(f"/{side} BTC {word[:20]}",))
    symbol = word.upper()[:20]
    amounts = ("0.01", "$250", "50%") if chain is None else ("$50", "50%") if side is Side.BUY else ("0.5", "50%")
    where = f" on {chain}" if chain else ""
    return InvalidInput(f"How much {symbol}?", suggestions=tuple(f"/{side} {symbol} {much}{where}" for much in amounts))


def _with_whole_commands(
    error: InvalidInput, rest: Sequence[str], *, side: Side, price: Decimal | None, chain: str | None
) -> InvalidInput:
    """The same error, its offers as commands that can be sent as they stand."""
    amounts = [offer for offer in error.details.get("suggestions", ()) if " " not in offer]
    asset = next((word for word in rest if word[:1].isalpha() and word.lower() != "max"), None)
    if asset is None or not amounts:
        return error
    tail = f" limit {price:f}" if price is not None else ""
    tail += f" on {chain}" if chain else ""
    return InvalidInput(
        error.message, suggestions=tuple(f"/{side} {asset.upper()[:20]} {amount}{tail}" for amount in amounts)
    )
