"""From boot to stop: what a restart owes is made up for, the jobs run, and what is being sent is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from telegram import BotCommand, BotCommandScopeChat
from telegram.error import TelegramError

from tradehook.desk.intents import State as IntentState
from tradehook.errors import InvalidInput, TradehookError
from tradehook_bot.alerts import Alerts
from tradehook_bot.commands.table import offered
from tradehook_bot.confirm import Buttons
from tradehook_bot.placing import never_sent
from tradehook_bot.proposals import State
from tradehook_bot.sweeping import Sweeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
"""How often the database is looked at; how often the exchange is asked is the sweeper's to say."""
_DAY_SECONDS = 86_400.0
_IDENTIFY_SECONDS = 10.0
_JOB: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
"""A late job runs late instead of not at all, once instead of many times, and never twice at once."""


class Life:
    """One run of the bot. What its jobs need stands in the database, so each boot begins where the last ended."""

    def __init__(self, house: House) -> None:
        """Live in this house."""
        self._house = house
        self.alerts = Alerts(house)
        self._buttons = Buttons(house)
        self._sweepers = {account.name: Sweeper(house, account) for account in house.accounts}

    async def begin(self, application: Any) -> None:
        """Settle what a former run left behind and start the jobs. Called once, before the first update is fetched."""
        house = self._house
        await house.store.do(self.alerts.begin)
        for proposal in await house.store.do(house.proposals.orphans):
            await self._make_up_for(proposal)
        await self._buttons.put_away_dead()
        await self.show_menu()
        self._start_jobs(application.job_queue)
        titles = ", ".join(account.title for account in house.accounts)
        _log.info("@%s serves %s (%s).", application.bot.username, titles, house.environment)
        if house.served.left_out:
            _log.info("Left out, being of another environment: %s.", ", ".join(house.served.left_out))

    async def end(self, _application: Any) -> None:
        """Wait for what is being sent, and let go of everything."""
        await self._house.close()
        _log.info("Stopped.")

    def hurry(self, account: Account) -> None:
        """Look at an account's open orders more often for a moment."""
        self._sweepers[account.name].hurry()

    async def show_menu(self) -> None:
        """Those who may use the bot have its commands in their menu; nobody else has. Failing here stops nothing."""
        house = self._house
        menu = [BotCommand(command.name, command.summary) for command in offered(house) if command.name != "start"]
        for user in await house.store.do(house.access.users):
            try:
                await house.voice.bot.set_my_commands(menu, scope=BotCommandScopeChat(user.user_id))
            except TelegramError as error:
                _log.info("The menu of user %s could not be set: %s", user.user_id, error)

    def _start_jobs(self, jobs: Any) -> None:
        every: tuple[tuple[str, Callable[[], Awaitable[None]], float], ...] = (
            ("tell", self.alerts.look, _TICK_SECONDS),
            *((f"sweep {name}", sweeper.tick, _TICK_SECONDS) for name, sweeper in self._sweepers.items()),
            *((("identify", self._identify, _IDENTIFY_SECONDS),) if self._house.has_several else ()),
            ("put away", self._buttons.put_away_dead, _TICK_SECONDS),
            ("forget", self._forget, _DAY_SECONDS),
        )
        for name, work, seconds in every:
            jobs.run_repeating(_job(work), seconds, first=0.1, name=name, job_kwargs=_JOB)

    async def _identify(self) -> None:
        """Learn whose money each account is, so that what others did with it is told under its name."""
        for account in self._house.accounts:
            with contextlib.suppress(TradehookError, TimeoutError):
                async with asyncio.timeout(_IDENTIFY_SECONDS):
                    await account.identify()

    async def _forget(self) -> None:
        await self._house.store.do(self._house.access.forget_updates)

    async def _make_up_for(self, proposal: Proposal) -> None:
        """A confirmed question whose process died: the journal says whether anything was sent. Nothing is sent now."""
        house = self._house
        try:
            intent = await house.store.do(house.journal.get, proposal.proposal_id)
            is_untouched = intent.reads_as is IntentState.PREPARED
        except InvalidInput:
            is_untouched = True
        if is_untouched:
            await never_sent(house, proposal, "I was stopped before it could be sent.")
        else:
            await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)


def _job(work: Callable[[], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def job(_context: Any) -> None:
        await work()

    return job
