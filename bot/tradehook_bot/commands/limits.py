"""`/limits`: what the chat's account may do, how much of it is used, and when that frees. Changes nothing."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.desk import guard
from tradehook.desk.limits import Limits
from tradehook.desk.usage import usage
from tradehook_bot.replies import bold, code, text
from tradehook_bot.zones import day_and_clock, moment

if TYPE_CHECKING:
    from datetime import tzinfo

    from tradehook.desk.limits import SetLimits
    from tradehook.desk.usage import Usage
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House

_BARS = 8


async def limits(ask: Ask) -> None:
    """The person has seen the limits of the chat's account."""
    house, account = ask.house, ask.account
    zone = await ask.zone()
    newest, used = await read(house, account)
    is_live = guard.is_live(account.client.exchange)
    if newest is None:
        says = "nothing is sent there without limits" if is_live else "nothing is limited"
        lines = [bold(f"Nobody set limits for {account.title}, so {says}.")]
        lines.append(f"Sent today: {used.day:,.2f}, in the last hour {used.hour:,.2f} in {_orders(used.orders_hour)}.")
        lines.append(f"On the machine: {code('tradehook limits set --order 50 --day 200')}")
        await ask.reply("\n".join(lines))
        return
    held = newest.limits
    lines = [bold(f"Limits of {account.title}"), *_rows(held, used, zone)]
    if is_live:
        lines.append("Live: orders are sent." if held.live else "Not live: nothing is sent. tradehook go-live.")
    why = f": {newest.why}" if newest.why else ""
    lines.append(text(f"Version {newest.version}, set {day_and_clock(newest.set_at, zone)} by {newest.set_by}{why}."))
    lines.append("Sent or perhaps sent counts as used. On the machine: tradehook limits set")
    await ask.reply("\n".join(lines))


async def read(house: House, account: Account) -> tuple[SetLimits | None, Usage]:
    """The limits of an account and what is used of them.

    Raises:
        GuardRefused: they cannot be read, and nothing is sent.
        TradehookError: whose account it is could not be asked.
    """
    host, account_id = account.client.exchange.host, await account.identify()
    newest = await house.store.do(house.journal.limits.newest, host, account_id)
    zone = (newest.limits if newest is not None else Limits()).zone
    used = await house.store.do(usage, house.journal.engine, host=host, account_id=account_id, zone=zone)
    return newest, used


def fullest(held: Limits, used: Usage) -> str:
    """How much of what is limited by the day or the hour is used, in a few words; empty where neither is."""
    pairs = (("today", used.day, held.day), ("this hour", used.hour, held.hour))
    told = [f"{_share(spent, most)} of {most:,.0f} {when}" for when, spent, most in pairs if most]
    return ", ".join(told)


def _rows(held: Limits, used: Usage, zone: tzinfo) -> list[str]:
    day_ends = f"frees {moment(used.day_ends, zone)}"
    hour_frees = f"frees from {moment(used.hour_frees_at, zone)}" if used.hour_frees_at is not None else ""
    rows = [
        _single("One order", held.order),
        *_window("Today", held.day, used.day, day_ends),
        *_window("Last hour", held.hour, used.hour, hour_frees),
        *_window("Orders in an hour", held.orders_hour, used.orders_hour, hour_frees),
        *_window("Under way at once", held.in_flight, used.in_flight, "frees when they end"),
        *_window("In doubt at once", held.unknowns, used.unknowns, "frees when they are resolved: /unknown"),
        _single("One transfer", held.transfer),
        *_window("Transfers today", held.transfer_day, used.transfer_day, day_ends),
    ]
    if held.collar is not None:
        rows.append(f"A price: at most {held.collar.normalize():f} % worse than the market")
    if held.zone != "UTC":
        rows.append(f"A day begins at midnight in {text(held.zone)}")
    return rows


def _single(name: str, most: Decimal | None) -> str:
    return f"{name}: {f'at most {most:,.2f}' if most is not None else 'not limited'}"


def _window(name: str, most: Decimal | int | None, spent: Decimal | int, frees: str) -> list[str]:
    """A limit on what adds up: how much is used, how much is left, and when there is more again."""
    if most is None:
        return [f"{name}: {_figure(spent)}, not limited"]
    left = max(most - spent, type(most)(0))
    tail = f", {frees}" if spent and frees else ""
    return [f"{name}: {_bar(spent, most)} {_figure(spent)} of {_figure(most)}, {_figure(left)} left{tail}"]


def _figure(value: Decimal | int) -> str:
    return f"{value:,.2f}" if isinstance(value, Decimal) else str(value)


def _bar(spent: Decimal | int, most: Decimal | int) -> str:
    full = min(_BARS, int(Decimal(spent) / Decimal(most) * _BARS)) if most else _BARS
    # What is used at all is seen, and what is not full does not look so.
    full = max(full, 1) if spent else full
    return "▰" * full + "▱" * (_BARS - full)


def _share(spent: Decimal, most: Decimal) -> str:
    return f"{spent / most * 100:.0f} %"


def _orders(count: int) -> str:
    return f"{count} order{'' if count == 1 else 's'}"
