"""`/start`, `/help` and `/status`: what this is, what it understands, and how everything stands."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from tradehook import __version__, render
from tradehook.errors import TradehookError
from tradehook_bot.commands.orders import open_orders, unknowns
from tradehook_bot.failures import words_for
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.accounts import Account
    from tradehook_bot.commands.command import Command
    from tradehook_bot.context import Ask, House

_PATIENCE_SECONDS = 15.0


async def start(ask: Ask) -> None:
    """The person knows where they are and what to try first."""
    house = ask.house
    user = await house.store.do(house.access.user, ask.user_id)
    who = f"You are its {user.role}." if user is not None else ""
    kind = "with play money" if house.environment == "sandbox" else f"in {house.environment}"
    titles = " and ".join(account.title for account in house.accounts)
    which = f"This chat is about {text(ask.account.name)}; /account changes that.\n" if house.has_several else ""
    await ask.reply(
        f"{bold(f'tradehook trades {titles}, {kind}.')}\n{which}"
        f"{text(who)} Nobody else gets an answer.\n\n"
        f"Try {code('/quote BTC 0.05')}, /balance, {code('/buy BTC 0.01')}.\n"
        "Each order is asked about before it is sent, and told of when it is filled.\n"
        "/freeze stops everything at once. /help lists the rest."
    )
    # Somebody who has just become owner has no menu yet.
    await house.show_menu()


async def status(ask: Ask) -> None:
    """The person knows what is reachable, what is open and whether trading is on."""
    house = ask.house
    trading = await house.store.do(house.journal.trading_state)
    waiting = await house.store.do(house.outbox.waiting)
    found = await asyncio.gather(*(_account(house, account) for account in house.accounts))
    lines = [line for account in found for line in account] + [_trading_words(trading)]
    if waiting:
        lines.append(f"Notices waiting for Telegram: {waiting}")
    lines.append(f"tradehook {__version__}")
    await ask.reply_of_all("\n".join(lines))


def help_text(commands: Sequence[Command], *, words: tuple[str, ...] = ()) -> str:
    """What the bot understands, or how one command is written."""
    wanted = words[0].lower().lstrip("/") if words else ""
    found = next((command for command in commands if command.name == wanted), None)
    if found is not None:
        examples = "\n".join(code(example) for example in found.examples)
        return f"{bold(f'/{found.name}')}: {text(found.summary)}\n{examples}"
    lines = [f"/{command.name} - {text(command.summary)}" for command in commands]
    written = "Amounts: 0.01, $250, 50%, max. Write /help buy for examples."
    return "\n".join([bold("What I understand"), *lines, "", written])


async def _account(house: House, account: Account) -> list[str]:
    """How one account stands."""
    doubtful = await unknowns(house, account)
    return [
        bold(f"{account.title} ({account.settings.environment})"),
        *await _exchange(account),
        f"UNKNOWN orders: {len(doubtful)}{' (/orders)' if doubtful else ''}",
    ]


async def _exchange(account: Account) -> list[str]:
    label = text(account.spec.label)
    began = time.monotonic()
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            found = await open_orders(account)
    except TimeoutError:
        return [f"{label}: no answer in {_PATIENCE_SECONDS:.0f} s"]
    except TradehookError as error:
        return [f"{label}: {words_for(error)}"]
    took = time.monotonic() - began
    return [
        f"{label}: reachable, answered in {took * 1000:.0f} ms",
        f"Open orders: {len(found)}{' (/orders)' if found else ''}",
    ]


def _trading_words(trading: dict[str, str]) -> str:
    if trading["state"] == "NORMAL":
        return "Trading: on"
    why = f": {trading['why']}" if trading["why"] else ""
    since = render.clock_of(trading["changed_at"])
    return text(f"Trading: FROZEN since {since} by {trading['changed_by']}{why} (/resume)")
