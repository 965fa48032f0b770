"""All commands, in the order of the menu."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook_bot.access import only_looks
from tradehook_bot.commands import (
    about,
    account,
    alerts,
    approvals,
    audit,
    balance,
    cancel,
    digest,
    freeze,
    groups,
    history,
    limits,
    orders,
    pending,
    portfolio,
    preferences,
    price,
    quote,
    rebalance,
    run,
    status,
    totp,
    trade,
    transfer,
    unknown,
)
from tradehook_bot.commands.command import Command

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.context import Ask, House


async def show_help(ask: Ask) -> None:
    """The person knows what can be typed."""
    user = await ask.house.store.do(ask.house.access.user, ask.user_id)
    found = offered(ask.house, user.role if user is not None else None)
    await ask.reply_of_all(about.help_text(found, words=ask.words))


COMMANDS: tuple[Command, ...] = (
    Command(
        "quote",
        "what buying and selling would come to",
        ("/quote BTC 0.05", "/quote BTC $250"),
        quote.quote,
        in_menu=True,
        only_tells=True,
    ),
    Command(
        "price",
        "what it costs and did cost: a picture",
        ("/price BTC", "/price BTC 7d"),
        price.price,
        in_menu=True,
        only_tells=True,
    ),
    Command(
        "buy",
        "buy; asks before it sends",
        (
            "/buy BTC 0.01",
            "/buy BTC $250",
            "/buy BTC 50%",
            "/buy BTC 0.01 limit 64000 good 3d",
            "/buy SOL $50 on solana",
        ),
        trade.buy,
        moves_money=True,
        in_menu=True,
    ),
    Command(
        "sell",
        "sell; asks before it sends",
        ("/sell BTC 0.01", "/sell BTC 50%", "/sell ETH max", "/sell BTC 0.01 limit 70000", "/sell SOL max on solana"),
        trade.sell,
        moves_money=True,
        in_menu=True,
    ),
    Command(
        "balance", "what you hold", ("/balance",), balance.balance, in_menu=True, shows_holdings=True, only_tells=True
    ),
    Command(
        "portfolio",
        "how it is divided, against your targets: a picture",
        ("/portfolio", "/portfolio main", "/portfolio day"),
        portfolio.portfolio,
        in_menu=True,
        shows_holdings=True,
        only_tells=True,
    ),
    Command("orders", "what is open", ("/orders",), orders.orders, in_menu=True, only_tells=True),
    Command("order", "how one order stands", ("/order 3f2a91c0",), orders.order, only_tells=True),
    Command(
        "cancel",
        "cancel one order, at once; or all, after a question",
        ("/cancel 3f2a91c0", "/cancel all"),
        cancel.cancel,
        moves_money=True,
        patience_seconds=None,
    ),
    Command(
        "transfer",
        "send coins to a destination on the list; asks, and wants a code",
        ("/transfer USDC 5 cold", "/transfer BTC 50% vault"),
        transfer.transfer,
        moves_money=True,
        only_in_private=True,
    ),
    Command(
        "rebalance",
        "trade to your targets, leg by leg; asks with the whole plan",
        ("/rebalance", "/rebalance main"),
        rebalance.rebalance,
        moves_money=True,
        shows_holdings=True,
    ),
    Command(
        "history", "what was done, wherever it came from", ("/history", "/history 20"), history.history, only_tells=True
    ),
    Command("pending", "what waits: for you, or to be sent", ("/pending",), pending.pending, only_tells=True),
    Command(
        "unknown",
        "what nobody knows to exist or not",
        ("/unknown", "/unknown 3f2a not", "/unknown 3f2a placed 8c1d9f00-0000-4000-8000-000000000000"),
        unknown.unknown,
    ),
    Command(
        "approvals",
        "what waits for a person in Airflow, with its answers",
        ("/approvals",),
        approvals.approvals,
        shows_holdings=True,
        needs_airflow=True,
    ),
    Command(
        "run",
        "start something in Airflow; asks first",
        ("/run", "/run daily_report", "/run approve_trade band=2"),
        run.run,
        moves_money=True,
        needs_airflow=True,
    ),
    Command(
        "limits",
        "what the account may do, and what is used of it; change it",
        ("/limits", "/limits order 50 day 200"),
        limits.limits,
    ),
    Command(
        "account",
        "choose the account this chat is about",
        ("/account", "/account main"),
        account.account,
        needs_several=True,
        in_menu=True,
    ),
    Command(
        "alert",
        "wait for a price, or a change of it",
        ("/alert BTC > 70000", "/alert ETH < 3000", "/alert BTC 5%"),
        alerts.alert,
        only_in_private=True,
    ),
    Command(
        "digest",
        "a summary each day, at an hour of your choice",
        ("/digest on 08:00", "/digest off", "/digest now"),
        digest.digest,
        patience_seconds=45.0,
        only_in_private=True,
    ),
    Command(
        "alerts",
        "what prices are waited for; remove some",
        ("/alerts",),
        alerts.alerts,
        in_menu=True,
        only_in_private=True,
    ),
    Command("status", "is everything all right?", ("/status",), status.status, in_menu=True, only_tells=True),
    Command(
        "freeze",
        "stop all trading, here and in Airflow, at once",
        ("/freeze", "/freeze 2h", "/freeze lost my phone"),
        freeze.freeze,
        patience_seconds=None,
        in_menu=True,
    ),
    Command("resume", "lift a freeze", ("/resume",), freeze.resume, moves_money=True, patience_seconds=None),
    Command("audit", "who did what, from where", ("/audit", "/audit 30"), audit.audit, only_tells=True),
    Command(
        "notify",
        "how much you are told",
        ("/notify quiet", "/notify normal", "/notify all"),
        preferences.notify,
        only_in_private=True,
    ),
    Command(
        "timezone",
        "the zone that times are shown in",
        ("/timezone Europe/Berlin", "/timezone UTC"),
        preferences.timezone,
    ),
    Command(
        "whoami", "as whom I know you, and what this chat is about", ("/whoami",), preferences.whoami, only_tells=True
    ),
    Command(
        "totp",
        "set up an authenticator app, for what needs a code",
        ("/totp",),
        totp.totp,
        only_in_private=True,
    ),
    Command(
        groups.ALLOW,
        "let me be used in this group and topic",
        ("/allow_here", "/allow_here balances"),
        groups.allow_here,
        moves_money=True,
    ),
    Command("forbid_here", "let me be used here no more", ("/forbid_here",), groups.forbid_here, moves_money=True),
    Command("help", "what can be typed", ("/help", "/help buy"), show_help, in_menu=True, only_tells=True),
    Command("start", "what this is", ("/start",), about.start),
)

BY_NAME = {command.name: command for command in COMMANDS}
MOST_IN_MENU = 12
_OTHER_WORDS = {
    "balances": "balance", "bal": "balance", "chart": "price", "pf": "portfolio", "q": "quote", "b": "buy",
    "send": "transfer", "withdraw": "transfer", "enroll": "totp", "2fa": "totp",
    "s": "sell", "stop": "freeze", "pause": "freeze", "halt": "freeze", "panic": "freeze", "unfreeze": "resume",
    "open": "orders", "trades": "history", "accounts": "account", "switch": "account", "use": "account",
    "tz": "timezone", "zone": "timezone", "log": "audit", "who": "whoami", "limit": "limits",
    "approve": "approvals", "approval": "approvals", "dags": "run", "trigger": "run",
}  # fmt: skip


def offered(house: House, role: str | None = None) -> Sequence[Command]:
    """The commands that there are here, for somebody of this role: who may only look is offered nothing else."""
    return [
        command
        for command in COMMANDS
        if (house.has_several or not command.needs_several) and not (command.moves_money and only_looks(role))
    ]


def menu(house: House, role: str | None = None, *, is_group: bool = False) -> Sequence[Command]:
    """Those of them that stand in Telegram's menu: the ones one types every day. `/help` lists the rest."""
    found = [command for command in offered(house, role) if not (is_group and command.only_in_private)]
    daily = [command for command in found if command.in_menu]
    more = [command for command in found if command.needs_airflow and house.airflow is not None]
    return [*daily, *more[: MOST_IN_MENU - len(daily)]]


def meant(name: str) -> str | None:
    """The command somebody probably meant. It is offered, never carried out."""
    if name in _OTHER_WORDS:
        return _OTHER_WORDS[name]
    close = get_close_matches(name, BY_NAME, n=1, cutoff=0.6)
    return close[0] if close else None
