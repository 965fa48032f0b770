"""`/alert` and `/alerts`: wait for a price, and see or end what is waited for. Moves no money."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.amounts import parse_decimal
from tradehook.errors import InvalidInput
from tradehook_bot import keyboards
from tradehook_bot.price_alerts import Kind
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from collections.abc import Sequence
    from decimal import Decimal

    from telegram import InlineKeyboardMarkup

    from tradehook_bot.context import Ask, House

_SIGNS = {
    ">": Kind.ABOVE,
    "above": Kind.ABOVE,
    "over": Kind.ABOVE,
    "<": Kind.BELOW,
    "below": Kind.BELOW,
    "under": Kind.BELOW,
}
_EXAMPLES = ("/alert BTC > 70000", "/alert ETH < 3000", "/alert BTC 5%")
_MOST_PERCENT = 1000


async def alert(ask: Ask) -> None:
    """The person is told when the price is there."""
    house, account = ask.house, ask.account
    symbol, kind, level = read(ask.words)
    ticker = await account.client.price(symbol)
    made = await house.store.do(
        house.price_alerts.add,
        ask.chat_id,
        user_id=ask.user_id,
        account=account.name,
        symbol=ticker.symbol,
        kind=kind,
        level=level,
        price=ticker.price,
    )
    lines = [bold(f"I wait for {made}."), text(f"{made.symbol} is at {render.price(ticker.price)} now.")]
    if not made.is_armed:
        lines.append("It is there already, so I tell it when it comes back from the other side.")
    await ask.reply("\n".join([*lines, "/alerts shows and removes."]))


async def alerts(ask: Ask) -> None:
    """The person has seen what is waited for in this chat, with a button to end each."""
    if ask.words:
        raise InvalidInput("/alerts takes no words; it lists. A new one:", suggestions=_EXAMPLES)
    body, keyboard = await listing(ask.house, ask.chat_id)
    await ask.reply_of_all(body, keyboard=keyboard)


async def remove(house: House, alert_id: str, *, chat_id: int, message_id: int) -> None:
    """What was waited for is waited for no more, and the list says so. May be repeated."""
    await house.store.do(house.price_alerts.remove, int(alert_id), chat_id=chat_id)
    body, keyboard = await listing(house, chat_id)
    await house.voice.edit(chat_id, message_id, body, keyboard=keyboard)


async def listing(house: House, chat_id: int) -> tuple[str, InlineKeyboardMarkup | None]:
    """What is waited for in a chat, as HTML, and the buttons."""
    found = await house.store.do(house.price_alerts.of_chat, chat_id)
    if not found:
        return f"{bold('No price is waited for.')}\n{code(_EXAMPLES[0])}", None
    lines = [bold(f"{len(found)} price{'s are' if len(found) > 1 else ' is'} waited for")]
    for each in found:
        where = f" ({each.account})" if house.has_several else ""
        rests = "" if each.is_armed else "; waits for the price to go back"
        told = f"; told {each.told} time{'s' if each.told > 1 else ''}" if each.told else ""
        lines.append(text(f"{each}{where}{told}{rests}"))
    return "\n".join(lines), keyboards.alerts({each.alert_id: f"Remove {each}" for each in found})


def read(words: Sequence[str]) -> tuple[str, Kind, Decimal]:
    """Asset, kind and level of what was typed: `BTC > 70000`, `BTC>70000`, `ETH below 3000`, `BTC 5%`.

    Raises:
        InvalidInput: it cannot be meant; `suggestions` are commands.
    """
    whole = re.sub(r"([<>])", r" \1 ", " ".join(words)).replace("%", " % ").split()
    match whole:
        case [symbol, sign, level] if sign.lower() in _SIGNS:
            return _symbol(symbol), _SIGNS[sign.lower()], _number(symbol, level.removeprefix("$"), sign=sign)
        case [symbol, level, "%"]:
            percent = _number(symbol, level, sign="")
            if percent > _MOST_PERCENT:
                raise InvalidInput("A change is at most 1000 %.", suggestions=(f"/alert {symbol.upper()} 5%",))
            return _symbol(symbol), Kind.CHANGE, percent
        case [symbol, level] if level.removeprefix("$")[:1].isdigit():
            name, level = _symbol(symbol), level.removeprefix("$")[:20]
            raise InvalidInput(
                "Above or below that price, or a change in percent?",
                suggestions=(f"/alert {name} > {level}", f"/alert {name} < {level}", f"/alert {name} 5%"),
            )
    raise InvalidInput("Write an asset and a price, or a change in percent.", suggestions=_EXAMPLES)


def _symbol(word: str) -> str:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9]{0,19}", word, re.ASCII):
        raise InvalidInput(f"{word[:20]!r} is no asset.", suggestions=_EXAMPLES)
    return word.upper()


def _number(symbol: str, word: str, *, sign: str) -> Decimal:
    try:
        return parse_decimal(word, what="price" if sign else "change in percent")
    except InvalidInput as error:
        offers = (offer for offer in error.details.get("suggestions", ()) if sign)
        commands = tuple(f"/alert {symbol.upper()[:20]} {sign} {offer}" for offer in offers)
        raise InvalidInput(error.message, suggestions=commands or _EXAMPLES) from None
