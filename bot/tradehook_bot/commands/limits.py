"""`/limits`: what the chat's account may do, how much of it is used, and when that frees; with words, changes it."""

from __future__ import annotations

from decimal import Decimal
from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook.desk import guard
from tradehook.desk.limit_changes import WORDS, made_of, option
from tradehook.desk.limit_changes import read as read_limit
from tradehook.desk.limits import Limits
from tradehook.desk.usage import usage
from tradehook.errors import InvalidInput
from tradehook_bot.access import LOOKS_ONLY, only_looks
from tradehook_bot.deeds import set_limits
from tradehook_bot.replies import bold, code, text
from tradehook_bot.zones import day_and_clock, moment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo
    from typing import Any

    from tradehook.desk.limits import SetLimits
    from tradehook.desk.usage import Usage
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House

_BARS = 8
_NAMES = {written.replace("-", "").replace("_", ""): name for name in WORDS for written in (name, option(name))}
"""How each limit may be written; dashes and underscores do not count."""


async def limits(ask: Ask) -> None:
    """The person has seen the limits of the chat's account, or is asked whether they shall be changed."""
    house, account = ask.house, ask.account
    if ask.words:
        await _change(ask)
        return
    zone = await ask.zone()
    newest, used = await read(house, account)
    is_live = guard.is_live(account.client.exchange)
    if newest is None:
        says = "nothing is sent there without limits" if is_live else "nothing is limited"
        lines = [bold(f"Nobody set limits for {account.title}, so {says}.")]
        lines.append(f"Sent today: {used.day:,.2f}, in the last hour {used.hour:,.2f} in {_orders(used.orders_hour)}.")
        lines.append(f"To set some: {code('/limits order 50 day 200')}")
        await ask.reply("\n".join(lines))
        return
    held = newest.limits
    lines = [bold(f"Limits of {account.title}"), *_rows(held, used, zone)]
    if is_live:
        lines.append("Live: orders are sent." if held.live else "Not live: nothing is sent. tradehook go-live.")
    why = f": {newest.why}" if newest.why else ""
    lines.append(text(f"Version {newest.version}, set {day_and_clock(newest.set_at, zone)} by {newest.set_by}{why}."))
    lines.append(f"Sent or perhaps sent counts as used. To change one: {code('/limits order 50')}")
    await ask.reply("\n".join(lines))


async def _change(ask: Ask) -> None:
    ask.check_chosen()
    wanted = _wanted(ask.words)
    user = await ask.house.store.do(ask.house.access.user, ask.user_id)
    if user is None or only_looks(user.role):
        await ask.reply_of_all(LOOKS_ONLY)
        return
    await set_limits.ask(ask.house, ask.account, wanted, where=ask.where, typed=ask.text)


def _wanted(typed: Sequence[str]) -> Mapping[str, Any]:
    """What was typed: `order 50 day 200`, `orders-hour none`; a `set` in front may be.

    Raises:
        InvalidInput: it cannot be read.
    """
    words = list(typed[1:] if typed[0].lower() == "set" else typed)
    names = [word.lower().lstrip("-").replace("-", "").replace("_", "") for word in words[::2]]
    for word, name in zip(words[::2], names, strict=True):
        if name not in _NAMES:
            close = get_close_matches(name, _NAMES, n=1, cutoff=0.6)
            offers = [_NAMES[close[0]]] if close else ["order", "day", "transfer"]
            raise InvalidInput(
                f"There is no limit {word[:40]!r}. There are: {', '.join(WORDS)}.",
                suggestions=tuple(_example(offer) for offer in offers),
            )
    if not words or len(words) % 2:
        example = _example(_NAMES[names[-1]] if names else "order")
        raise InvalidInput(f"How much? Write {example}, or none.", suggestions=(example,))
    wanted = {_NAMES[name]: _read_one(_NAMES[name], amount) for name, amount in zip(names, words[1::2], strict=True)}
    if len(wanted) < len(names):
        raise InvalidInput("Name each limit once.", suggestions=("/limits order 50 day 200",))
    return wanted


def _read_one(name: str, amount: str) -> Any:
    """A limit, checked by itself. Raises `InvalidInput`, which offers whole commands."""
    try:
        return getattr(made_of(Limits(), {name: read_limit(name, amount)}), name)
    except InvalidInput as error:
        offers = [offer for offer in error.details.get("suggestions", ()) if " " not in offer]
        whole = tuple(f"/limits {name} {offer}" for offer in offers) or (_example(name),)
        raise InvalidInput(error.message, suggestions=whole) from None


def _example(name: str) -> str:
    return f"/limits {name} {'Europe/Berlin' if name == 'zone' else '50'}"


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
