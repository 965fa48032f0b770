"""All commands, in the order of the menu."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook_bot.commands import about, account, balance, freeze, orders, quote, trade
from tradehook_bot.commands.command import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.context import Ask, House


async def show_help(ask: Ask) -> None:
    """The person knows what can be typed."""
    await ask.reply_of_all(about.help_text(offered(ask.house), words=ask.words))


COMMANDS: tuple[Command, ...] = (
    Command("quote", "what buying and selling would come to", ("/quote BTC 0.05", "/quote BTC $250"), quote.quote),
    Command(
        "buy",
        "buy; asks before it sends",
        ("/buy BTC 0.01", "/buy BTC $250", "/buy BTC 50%", "/buy BTC 0.01 limit 64000"),
        trade.buy,
        moves_money=True,
    ),
    Command(
        "sell",
        "sell; asks before it sends",
        ("/sell BTC 0.01", "/sell BTC 50%", "/sell ETH max", "/sell BTC 0.01 limit 70000"),
        trade.sell,
        moves_money=True,
    ),
    Command("balance", "what you hold", ("/balance",), balance.balance),
    Command("orders", "what is open", ("/orders",), orders.orders),
    Command("order", "how one order stands", ("/order 3f2a91c0",), orders.order),
    Command(
        "cancel",
        "cancel one order, at once",
        ("/cancel 3f2a91c0",),
        orders.cancel,
        moves_money=True,
        patience_seconds=None,
    ),
    Command(
        "account",
        "choose the account this chat is about",
        ("/account", "/account main"),
        account.account,
        needs_several=True,
    ),
    Command("status", "is everything all right?", ("/status",), about.status),
    Command(
        "freeze",
        "stop all trading, here and in Airflow, at once",
        ("/freeze", "/freeze lost my phone"),
        freeze.freeze,
        patience_seconds=None,
    ),
    Command("resume", "lift a freeze", ("/resume",), freeze.resume, moves_money=True, patience_seconds=None),
    Command("help", "what can be typed", ("/help", "/help buy"), show_help),
    Command("start", "what this is", ("/start",), about.start),
)

BY_NAME = {command.name: command for command in COMMANDS}
_OTHER_WORDS = {
    "balances": "balance", "bal": "balance", "portfolio": "balance", "price": "quote", "q": "quote", "b": "buy",
    "s": "sell", "stop": "freeze", "pause": "freeze", "halt": "freeze", "panic": "freeze", "unfreeze": "resume",
    "open": "orders", "history": "orders", "accounts": "account", "switch": "account", "use": "account",
}  # fmt: skip


def offered(house: House) -> Sequence[Command]:
    """The commands that stand in this bot's menu and help."""
    return [command for command in COMMANDS if house.has_several or not command.needs_several]


def meant(name: str) -> str | None:
    """The command somebody probably meant. It is offered, never carried out."""
    if name in _OTHER_WORDS:
        return _OTHER_WORDS[name]
    close = get_close_matches(name, BY_NAME, n=1, cutoff=0.6)
    return close[0] if close else None
