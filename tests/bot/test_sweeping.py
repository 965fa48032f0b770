"""How often the bot asks the exchange: fast for who looks at the screen, and never more often than the budget allows."""

from __future__ import annotations

import asyncio

import pytest

from tradehook.budget import Budget
from tradehook.client import connect
from tradehook.models import NewOrder
from tradehook_bot.accounts import Served
from tradehook_bot.context import House
from tradehook_bot.sweeping import Sweeper


@pytest.fixture
def house(make_bot):
    """A bot that does not run, whose journal knows an order that rests."""
    bot = make_bot()
    with connect(bot.account) as client:
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001", price="40000"))
    house = House.open(bot.settings, Served((bot.account,)), token=bot.token)
    house.look = nothing
    yield house
    asyncio.run(house.close())


async def nothing():
    """Nobody is told here."""


def lists_while_somebody_waits(house) -> int:
    """How often the list of orders was read in a second in which somebody looks at the screen."""
    line, reads = house.accounts[0].client.desk.exchange.session.line, []
    send = line.send

    async def counted(request):
        if request.method == "GET" and request.path.endswith("/orders"):
            reads.append(request)
        return await send(request)

    line.send = counted

    async def ticks():
        sweeper = Sweeper(house, house.accounts[0])
        sweeper.hurry()
        for _ in range(4):
            await sweeper.tick()
            await asyncio.sleep(0.45)

    asyncio.run(ticks())
    return len(reads)


def test_who_has_just_confirmed_is_told_soon(house):
    assert lists_while_somebody_waits(house) > 1


def test_where_a_look_is_dear_nobody_hurries_it(house):
    # 5 reads a minute, of which watching takes half: one list every 24 seconds.
    house.accounts[0].client.desk.exchange.session.budget = Budget(requests=15, reserve=10)
    assert lists_while_somebody_waits(house) == 1
    assert house.accounts[0].client.desk.watcher.interval_seconds > 15
