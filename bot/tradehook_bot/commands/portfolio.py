"""`/portfolio`: what the account holds against its targets, and what it did in a day, as pictures. Changes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradehook import charts, render
from tradehook.charts import Share
from tradehook.desk import plans
from tradehook.errors import InvalidInput
from tradehook_bot import pictures
from tradehook_bot.holdings import Day, day_of, histories
from tradehook_bot.replies import bold, text
from tradehook_bot.sweeping import in_thread

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.targets import TargetSet
    from tradehook_bot.context import Ask

_USUAL = "main"
_MONEY = "USD"
"""What prices are in."""
_DAY_WORDS = ("day", "24h")


async def portfolio(ask: Ask) -> None:
    """The person has seen how the account is divided, or with `day` what it did in the last 24 hours."""
    word = ask.words[0].lower() if ask.words else ""
    if len(ask.words) > 1:
        raise InvalidInput("Name one set of targets, or day.", suggestions=("/portfolio", "/portfolio day"))
    if word in _DAY_WORDS:
        await _day(ask)
        return
    named = await ask.house.store.do(ask.house.journal.targets.list)
    found = _chosen(named, word)
    if found is None:
        await _all(ask, named)
    else:
        await _against(ask, found)


def _chosen(named: Sequence[TargetSet], word: str) -> TargetSet | None:
    """The targets of this name; without one the only ones, or those called main.

    Raises:
        InvalidInput: nothing has that name.
    """
    if word:
        wanted = next((each for each in named if each.name == word), None)
        if wanted is None:
            offers = tuple(f"/portfolio {each.name}" for each in named) or ("/portfolio",)
            raise InvalidInput(f"No targets are called {word[:40]!r}.", suggestions=offers)
        return wanted
    return named[0] if len(named) == 1 else next((each for each in named if each.name == _USUAL), None)


async def _against(ask: Ask, found: TargetSet) -> None:
    """What takes part in these targets, as `/rebalance` would reckon it now."""
    exchange = ask.account.client.desk.exchange
    made = await asyncio.wrap_future(in_thread(lambda: plans.make(exchange, found.goal)))
    past = await histories(ask.account, {held.symbol for held in made.holdings if held.symbol != made.quote})
    shares = [
        Share(
            symbol=held.symbol,
            value=held.value,
            percent=held.percent,
            target=held.target,
            change_percent=past[held.symbol].change_percent if held.symbol in past else None,
        )
        for held in sorted(made.holdings, key=lambda each: -each.value)
    ]
    title = render.quantity(made.total, made.quote)
    trades = f"{len(made.legs)} to trade: /rebalance {found.name}" if made.legs else "Nothing is to be traded."
    left = [f"not in it: {skip.in_words()}" for skip in made.skips if skip.symbol not in found.goal.targets]
    await pictures.show(
        ask,
        lambda: charts.allocation(shares, title=title, subtitle=f"against targets: {found.title}"),
        "\n".join([bold(title), *map(text, map(_line, shares)), text(trades), *map(text, left)]),
    )


async def _all(ask: Ask, named: Sequence[TargetSet]) -> None:
    """Everything that is held, where no targets are meant."""
    day = await day_of(ask.account)
    if not day.held:
        await ask.reply("Nothing is held here.")
        return
    shares = _shares(day)
    title = render.quantity(day.total, _MONEY)
    moved = f"{render.change(day.change_percent)} in 24 h" if day.change_percent is not None else ""
    names = " ".join(f"/portfolio {each.name}" for each in named)
    about = f"Against targets: {names}" if named else "There are no targets: tradehook targets set main BTC=50 ETH=30"
    await pictures.show(
        ask,
        lambda: charts.allocation(shares, title=title, subtitle=moved),
        "\n".join([bold(f"{title}{f' ({moved})' if moved else ''}"), *_lines(day, shares), text(about)]),
    )


async def _day(ask: Ask) -> None:
    """What is held now, at the prices of the last day."""
    day = await day_of(ask.account)
    zone = await ask.zone()
    title = render.quantity(day.total, _MONEY)
    if len(day.worth) < 2:
        none = f"{text(ask.account.spec.label)} tells no past prices of what is held here."
        await ask.reply("\n".join([bold(title), *_lines(day, _shares(day)), none]))
        return
    moved = f"{render.change(day.change_percent)} in 24 h"
    await pictures.show(
        ask,
        lambda: charts.worth_line(day.worth, title=title, subtitle=f"{moved}, with what is held now", zone=zone),
        "\n".join([bold(f"{title} ({moved})"), *_lines(day, _shares(day)), "What is held now, at the day's prices."]),
    )


def _shares(day: Day) -> list[Share]:
    return [
        Share(
            symbol=each.label,
            value=each.value,
            percent=each.value / day.total * 100,
            change_percent=each.change_percent,
        )
        for each in day.held
        if each.value is not None and day.total
    ]


def _lines(day: Day, shares: Sequence[Share]) -> list[str]:
    unpriced = [render.quantity(each.quantity, each.label) for each in day.held if each.value is None]
    missing = [f"no price known: {', '.join(unpriced)}"] if unpriced else []
    return [text(line) for line in [*map(_line, shares), *missing]]


def _line(share: Share) -> str:
    """`BTC 55.3 % (target 50 %), 33,670.12, +1.15 % in 24 h`."""
    aim = f" (target {render.percent(share.target)})" if share.target is not None else ""
    moved = f", {render.change(share.change_percent)} in 24 h" if share.change_percent is not None else ""
    return f"{share.symbol} {share.percent:.1f} %{aim}, {share.value:,.2f}{moved}"
