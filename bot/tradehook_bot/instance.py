"""One process speaks for a bot: the one that holds its lease in the journal's database, with a heartbeat.

Telegram delivers each update to whoever asks first, so two processes would each hear half. The lock does not guard
money: what must not happen twice is guarded by the rows themselves. A process that cannot renew its lease in time takes
it for lost, stops asking Telegram and sends nothing more, before anybody else can have taken it.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import time
from typing import TYPE_CHECKING

from tradehook.desk.intents import is_alive, this_owner
from tradehook.errors import GuardRefused, TradehookError
from tradehook.render import clock, clock_of
from tradehook_bot.store import now, stamp

if TYPE_CHECKING:
    from tradehook.desk.leases import Lease, Leases
    from tradehook_bot.context import House
    from tradehook_bot.store import Store

LEASE_SECONDS = 30.0
BEAT_SECONDS = 5.0
_MARGIN_SECONDS = 5.0
"""So long before others may take it, it counts as lost here: clocks of two machines differ."""


class Instance:
    """This process's claim to be the one."""

    def __init__(self, leases: Leases, *, bot_id: int) -> None:
        """Claim nothing yet."""
        self._leases = leases
        self._name = _name(bot_id)
        # With a part of its own: one process may hold two bots, as tests do.
        self.owner = f"{this_owner()}:{secrets.token_hex(4)}"
        self._detail = {"host": socket.gethostname(), "pid": os.getpid(), "since": stamp(now())}
        self._good_until = 0.0
        self.is_lost = False

    @property
    def is_ours(self) -> bool:
        """Whether this process may ask Telegram and send."""
        return not self.is_lost and time.monotonic() < self._good_until

    @property
    def age_seconds(self) -> float:
        """How long ago the heart beat last."""
        return max(time.monotonic() - (self._good_until - LEASE_SECONDS + _MARGIN_SECONDS), 0.0)

    def take(self) -> None:
        """It is ours. Blocking; may be repeated.

        Raises:
            GuardRefused: `rule` is `instance`: another process holds it; names its machine and number.
        """
        began = time.monotonic()
        lease = self._take()
        if lease.owner != self.owner:
            raise GuardRefused(_words(lease), rule="instance", actual=str(lease.detail.get("host", "")))
        self._good_until = began + LEASE_SECONDS - _MARGIN_SECONDS

    def beat(self) -> bool:
        """Whether it is still ours, renewed where that could be done. Once lost, it stays lost. Blocking."""
        if self.is_lost:
            return False
        began = time.monotonic()
        if began >= self._good_until:
            # Stopped or cut off for too long: others may have taken it and given it back meanwhile.
            self.is_lost = True
            return False
        try:
            lease = self._take()
        except TradehookError:
            return True  # the database is away for a moment; until the time is over it is ours
        if lease.owner == self.owner:
            self._good_until = began + LEASE_SECONDS - _MARGIN_SECONDS
        else:
            self.is_lost = True
        return not self.is_lost

    def release(self) -> None:
        """Give it back, so that the next one need not wait. Blocking; may be repeated."""
        self._good_until = 0.0
        self._leases.release(self._name, owner=self.owner)

    def _take(self) -> Lease:
        return self._leases.take(self._name, owner=self.owner, seconds=LEASE_SECONDS, now=now(), detail=self._detail)


def open_instance(house: House) -> Instance:
    """The claim of this house's process."""
    return Instance(house.journal.leases, bot_id=house.store.bot_id)


async def release(instance: Instance, store: Store) -> None:
    """Give it back, if that can be done within a moment."""
    try:
        async with asyncio.timeout(_MARGIN_SECONDS):
            await store.do(instance.release)
    except (TradehookError, TimeoutError):
        return  # it runs out by itself


def running_words(leases: Leases, *, bot_id: int) -> str:
    """Which process speaks for a bot, as far as its lease tells. Blocking."""
    lease = leases.get(_name(bot_id))
    if lease is None or lease.until <= now() or not is_alive(lease.owner, sending_at=now()):
        return "none runs"
    told = lease.detail
    return f"{told.get('pid', '?')} on {told.get('host', '?')}, since {clock_of(str(told.get('since', '')))}"


def _name(bot_id: int) -> str:
    return f"telegram bot {bot_id}"


def _words(lease: Lease) -> str:
    told = lease.detail
    since = clock_of(str(told.get("since", "")))
    return (
        f"This bot runs already: process {told.get('pid', '?')} on {told.get('host', '?')}, since {since}. "
        "Only one may. Stop that one first; if that machine is gone, its place is free at "
        f"{clock(lease.until)}."
    )
