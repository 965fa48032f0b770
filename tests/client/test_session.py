"""Tokens: renewed once for everybody, before they die, whatever the clocks say."""

from __future__ import annotations

import asyncio
import json
import threading
from dataclasses import replace

import pytest

from tradehook import errors
from tradehook.exchanges.true_markets import TrueMarkets, keys
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.run import run
from tradehook.testing import MemoryLine
from tradehook.wire import Response

MINT, REFRESH = "/api-key/token", "/token/refresh"


def test_one_token_serves_many_calls(world):
    exchange = world.exchange()
    for _ in range(5):
        run(exchange.balances())
    assert (world.sends("POST", MINT), world.sends("POST", REFRESH)) == (1, 0)


def test_renewed_by_refresh_when_a_fifth_of_its_life_is_left(world):
    exchange = world.exchange()
    run(exchange.balances())
    world.sandbox.clock.advance(2800)
    run(exchange.balances())
    assert world.sends("POST", REFRESH) == 0
    world.sandbox.clock.advance(100)
    run(exchange.balances())
    assert (world.sends("POST", MINT), world.sends("POST", REFRESH)) == (1, 1)


def test_an_old_token_serves_on_while_renewal_fails(world):
    exchange = world.exchange()
    run(exchange.balances())
    world.sandbox.clock.advance(3000)
    for path in (MINT, REFRESH):
        world.fault("error_before", path=f"/v1/auth{path}", times=50)
    assert run(exchange.balances())


def test_a_spent_refresh_token_leads_to_a_new_mint(world):
    exchange = world.exchange()
    run(exchange.balances())
    token = run(exchange.session.token())
    exchange.session._token = replace(token, refresh="not.a.token")
    world.sandbox.clock.advance(3590)
    assert run(exchange.balances())
    assert world.sends("POST", MINT) == 2


def test_a_token_that_was_dropped_by_the_server_is_renewed_once(world):
    exchange = world.exchange()
    run(exchange.balances())
    world.fault("error_before", method="GET", path="/balances/unified", status=401)
    assert run(exchange.balances())
    world.fault("error_before", method="GET", path="/balances/unified", status=401, times=10)
    with pytest.raises(errors.Unauthorized):
        run(exchange.balances())
    assert world.sends("GET", "/balances/unified") == 5


@pytest.mark.parametrize("skew", [-4000, -290, -40, -29, 29, 40, 290, 4000])
def test_a_wrong_clock_is_corrected_from_the_servers_date(world, skew):
    class Skewed(MemoryLine):
        def now(self):
            return super().now() + skew

    signer = keys.parse(json.dumps(world.key).encode(), where="test")
    exchange = TrueMarkets(Skewed(world.sandbox.respond, clock=world.sandbox.clock), signer=signer)
    assert run(exchange.balances())
    assert abs(exchange.session.skew_seconds + skew) < 2
    if abs(skew) > 300:
        with pytest.raises(errors.ConfigurationError, match="clock"):
            exchange.session.check_clock()
    else:
        exchange.session.check_clock()


def _slow_exchange(world, line_class):
    """An exchange whose answers take a moment, so that callers really meet."""

    class Line(line_class):
        async def send(self, request):
            await self.pause(0.01)
            world.lines[0].sent.append(request)
            response = world.sandbox.respond(request).response
            # The sandbox's clock stands still; without its date the session goes by this machine's.
            return Response(response.status, {}, response.body)

        def now(self):
            return world.sandbox.clock.now()

    world.exchange()
    signer = keys.parse(json.dumps(world.key).encode(), where="test")
    return TrueMarkets(Line(), signer=signer)


def test_two_hundred_tasks_cause_one_mint(world):
    async def main():
        exchange = _slow_exchange(world, AsyncLine)
        tokens = await asyncio.gather(*(exchange.session.token() for _ in range(200)))
        assert len({token.access for token in tokens}) == 1

    asyncio.run(main())
    assert world.sends("POST", MINT) == 1


def test_a_cancelled_caller_does_not_take_the_renewal_with_it(world):
    async def main():
        exchange = _slow_exchange(world, AsyncLine)
        first = asyncio.ensure_future(exchange.session.token())
        second = asyncio.ensure_future(exchange.session.token())
        await asyncio.sleep(0.001)
        first.cancel()
        assert (await second).access

    asyncio.run(main())
    assert world.sends("POST", MINT) == 1


def test_two_hundred_threads_cause_one_mint(world):
    exchange = _slow_exchange(world, BlockingLine)
    barrier = threading.Barrier(200)
    tokens: list[str] = []

    def ask():
        barrier.wait()
        tokens.append(run(exchange.session.token()).access)

    threads = [threading.Thread(target=ask) for _ in range(200)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(tokens) == 200
    assert len(set(tokens)) == 1
    assert world.sends("POST", MINT) == 1


def test_a_failed_renewal_is_shared_too(world):
    async def main():
        exchange = _slow_exchange(world, AsyncLine)
        world.fault("error_before", path=f"/v1/auth{MINT}", status=400, times=1)
        results = await asyncio.gather(*(exchange.session.token() for _ in range(20)), return_exceptions=True)
        assert all(isinstance(result, errors.InvalidOrder) for result in results)

    asyncio.run(main())
    assert world.sends("POST", MINT) == 1


def test_reads_are_repeated_through_passing_faults(world):
    exchange = world.exchange()
    for kind in ("error_before", "garbled", "timeout_after", "rate_limited"):
        world.fault(kind, method="GET", path="/balances/unified")
        assert run(exchange.balances())
    world.fault("error_before", method="GET", path="/balances/unified", times=50)
    with pytest.raises(errors.Unavailable):
        run(exchange.balances())


def test_token_repr_shows_nothing(world):
    exchange = world.exchange()
    token = run(exchange.session.token())
    assert token.access not in repr(token)
    request, _ = run(exchange.session.prepare(exchange.cancel_order("x").request))
    assert token.access not in repr(request)
