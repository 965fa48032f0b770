"""`/status`: is everything all right? Each account at its exchange, and what this bot itself stands on."""

from __future__ import annotations

import asyncio
import platform
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import telegram

from tradehook import __version__
from tradehook.desk.trading import scope_of
from tradehook.errors import TradehookError
from tradehook_bot.commands import limits
from tradehook_bot.commands.orders import open_orders, unknowns
from tradehook_bot.failures import words_for
from tradehook_bot.replies import bold, plain, text
from tradehook_bot.store import now
from tradehook_bot.zones import day_and_clock

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House

_PATIENCE_SECONDS = 15.0
_WORTH_SAYING_SECONDS = 2.0
"""A clock that is less off than this is right."""
_LONG_AGO = timedelta(days=7)
"""What could not be told before that is no news any more."""
_JOURNALS = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


async def status(ask: Ask) -> None:
    """The person knows what is reachable, what is open, what is in doubt and whether trading is on."""
    house = ask.house
    zone = await ask.zone()
    began = time.monotonic()
    trading = await house.store.do(house.journal.trading_state)
    took = time.monotonic() - began
    notices = await house.store.do(_notices, house)
    found = await asyncio.gather(*(_account(house, account, zone) for account in house.accounts))
    lines = [
        *(line for account in found for line in account),
        _trading_words("Trading", trading, zone, lifts="/resume"),
        f"Journal: {_journal(house)}, answered in {took * 1000:.0f} ms",
        notices,
        f"tradehook {__version__}, python-telegram-bot {telegram.__version__}, Python {platform.python_version()}",
    ]
    await ask.reply_of_all("\n".join(lines))


async def _account(house: House, account: Account, zone: tzinfo) -> list[str]:
    """How one account stands."""
    doubtful = await unknowns(house, account)
    return [
        bold(f"{account.title} ({account.settings.environment})"),
        *await _exchange(house, account),
        f"UNKNOWN orders: {len(doubtful)}{' (/unknown)' if doubtful else ''}",
        *await _limits(house, account),
        *await _halted(house, account, zone),
    ]


async def _exchange(house: House, account: Account) -> list[str]:
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
    looked = f", looked after {house.sweep_age(account):.0f} s ago" if found else ""
    return [
        f"{label}: reachable, answered in {took * 1000:.0f} ms",
        _clock(account),
        f"Open orders: {len(found)}{looked}{' (/orders)' if found else ''}",
    ]


def _clock(account: Account) -> str:
    """How this machine's clock stands to the exchange's, by its own answers."""
    skews = [each.session.skew_seconds for each in (account.client.exchange, account.client.desk.exchange)]
    skew = max(skews, key=abs)
    if abs(skew) < _WORTH_SAYING_SECONDS:
        return "Clock: as the exchange's"
    return f"Clock: {abs(skew):.0f} s {'behind' if skew > 0 else 'ahead of'} the exchange's; set it right"


async def _limits(house: House, account: Account) -> list[str]:
    """How much of its limits an account has used; nothing where they cannot be asked for now."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            newest, used = await limits.read(house, account)
    except (TradehookError, TimeoutError):
        return []
    if newest is None:
        return ["Limits: none (/limits)"]
    told = limits.fullest(newest.limits, used)
    return [f"Limits: {f'{told} used' if told else 'none by the day or hour'} (/limits)"]


async def _halted(house: House, account: Account, zone: tzinfo) -> list[str]:
    """Whether this account alone is stopped, by a person or because too much failed in a row."""
    if account.account_id is None:
        return []
    scope = scope_of(account.client.exchange.host, account.account_id)
    trading = await house.store.do(house.journal.trading.get, scope)
    lifts = "on the machine: tradehook resume --account-only"
    return [] if trading["state"] == "NORMAL" else [_trading_words("This account", trading, zone, lifts=lifts)]


def _notices(house: House) -> str:
    """What was to be told and was not, as HTML. Blocking."""
    said = [f"Notices waiting for Telegram: {house.outbox.waiting()}"]
    if kept := house.outbox.kept():
        said.append(f"{kept} kept for whoever blocked me")
    if refused := house.outbox.refused(since=now() - _LONG_AGO):
        fact = plain(refused[0]).split("\n", 1)[0]
        said.append(f"{len(refused)} that Telegram did not take: {text(fact)}{', …' if len(refused) > 1 else ''}")
    return "; ".join(said)


def _journal(house: House) -> str:
    name = house.journal.engine.dialect.name
    return _JOURNALS.get(name, name)


def _trading_words(what: str, trading: Mapping[str, str], zone: tzinfo, *, lifts: str) -> str:
    if trading["state"] == "NORMAL":
        return f"{what}: on"
    why = f": {trading['why']}" if trading["why"] else ""
    since = day_and_clock(datetime.fromisoformat(trading["changed_at"]), zone)
    state = "FROZEN" if trading["state"] == "HALTED" else "only sells and cancels"
    return text(f"{what}: {state} since {since} by {trading['changed_by']}{why} ({lifts})")
