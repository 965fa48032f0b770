"""From boot to stop: what a restart owes is made up for, the jobs run, and what is being sent is waited for."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

from telegram import BotCommand, BotCommandScopeChat
from telegram.error import TelegramError

from tradehook.errors import TradehookError
from tradehook_bot import digest
from tradehook_bot.airflow.prompt_watch import PromptWatch
from tradehook_bot.airflow.run_watch import RunWatch
from tradehook_bot.alerts import Alerts
from tradehook_bot.codes import Codes
from tradehook_bot.commands.freeze import ask_whether_it_ends
from tradehook_bot.commands.table import menu
from tradehook_bot.confirm import Buttons
from tradehook_bot.deeds.carrying import make_up_for
from tradehook_bot.health import Health
from tradehook_bot.instance import BEAT_SECONDS, release
from tradehook_bot.price_watch import PriceWatch
from tradehook_bot.sweeping import Sweeper

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import House
    from tradehook_bot.health import Polls

_log = logging.getLogger(__name__)
_TICK_SECONDS = 0.5
"""How often the database is looked at; how often the exchange is asked is the sweeper's to say."""
_SWEEP_SECONDS = 0.1
"""How exactly a look begins when it is due."""
_PRICES_SECONDS = 1.0
_DIGEST_SECONDS = 30.0
_ORPHANS_SECONDS = 60.0
_DAY_SECONDS = 86_400.0
_IDENTIFY_SECONDS = 10.0
_JOB: dict[str, Any] = {"misfire_grace_time": None, "coalesce": True, "max_instances": 1}
"""A late job runs late instead of not at all, once instead of many times, and never twice at once."""


class Life:
    """One run of the bot. What its jobs need stands in the database, so each boot begins where the last ended."""

    def __init__(self, house: House, *, polls: Polls) -> None:
        """Live in this house."""
        self._house = house
        self._application: Any = None
        self.alerts = Alerts(house)
        self._buttons = Buttons(house)
        self._sweepers = {account.name: Sweeper(house, account) for account in house.accounts}
        self._health = Health(house, polls=polls, sweepers=self._sweepers, instance=house.instance)
        self._prompts = PromptWatch(house, house.airflow) if house.airflow is not None else None
        self._runs = RunWatch(house, house.airflow) if house.airflow is not None else None
        self._price_watches = {
            account.name: PriceWatch(house, account)
            for account in house.accounts
            if account.spec.capabilities.has_prices
        }

    async def begin(self, application: Any) -> None:
        """Settle what a former run left behind and start the jobs. Called once, before the first update is fetched."""
        house = self._house
        self._application = application
        await house.store.do(house.instance.take)
        house.may_send = lambda: house.instance.is_ours
        if house.settings.health_port is not None:
            await self._health.start(house.settings.health_port)
        await house.store.do(self.alerts.begin)
        await self._make_up_for_dead()
        await self._buttons.put_away_dead()
        await self.show_menu()
        self._start_jobs(application.job_queue)
        titles = ", ".join(account.title for account in house.accounts)
        _log.info("@%s serves %s (%s).", application.bot.username, titles, house.environment)
        if house.served.left_out:
            _log.info("Left out, being of another environment: %s.", ", ".join(house.served.left_out))

    async def settle(self, _application: Any) -> None:
        """Wait for what is on its way to Telegram, as long as Telegram can be asked."""
        await self.alerts.finish()

    async def end(self, _application: Any) -> None:
        """Wait for what is being sent, and let go of everything."""
        for watch in self._price_watches.values():
            await watch.stop()
        await self._health.stop()
        if self._house.airflow is not None:
            await self._house.airflow.close()
        await release(self._house.instance, self._house.store)
        await self._house.close()
        _log.info("Stopped.")

    def hurry(self, account: Account) -> None:
        """Look at an account's open orders more often for a moment."""
        self._sweepers[account.name].hurry()

    def sweep_age(self, account: Account) -> float:
        """How many seconds ago all that is open in an account was known to be looked after."""
        return self._sweepers[account.name].age_seconds

    async def show_menu(self) -> None:
        """Those who may use the bot have its commands in their menu; nobody else has. Failing here stops nothing."""
        house = self._house
        for user in await house.store.do(house.access.users):
            shown = [BotCommand(command.name, command.summary) for command in menu(house, user.role)]
            try:
                await house.voice.bot.set_my_commands(shown, scope=BotCommandScopeChat(user.user_id))
            except TelegramError as error:
                _log.info("The menu of user %s could not be set: %s", user.user_id, error)
        for chat_id in {group.chat_id for group in await house.store.do(house.groups.every)}:
            shown = [BotCommand(command.name, command.summary) for command in menu(house, is_group=True)]
            try:
                await house.voice.bot.set_my_commands(shown, scope=BotCommandScopeChat(chat_id))
            except TelegramError as error:
                _log.info("The menu of chat %s could not be set: %s", chat_id, error)

    def _start_jobs(self, jobs: Any) -> None:
        every: tuple[tuple[str, Callable[[], Awaitable[None]], float], ...] = (
            ("heartbeat", self._beat, BEAT_SECONDS),
            ("tell", self.alerts.look, _TICK_SECONDS),
            *((f"sweep {name}", sweeper.tick, _SWEEP_SECONDS) for name, sweeper in self._sweepers.items()),
            *((f"prices {name}", watch.tick, _PRICES_SECONDS) for name, watch in self._price_watches.items()),
            *((("identify", self._identify, _IDENTIFY_SECONDS),) if self._house.has_several else ()),
            ("put away", self._buttons.put_away_dead, _TICK_SECONDS),
            ("pictures of secrets", Codes(self._house).put_away_pictures, _TICK_SECONDS),
            ("end of a freeze", lambda: ask_whether_it_ends(self._house), _TICK_SECONDS),
            *((("questions of Airflow", self._prompts.tick, _TICK_SECONDS),) if self._prompts is not None else ()),
            *((("runs in Airflow", self._runs.tick, _TICK_SECONDS),) if self._runs is not None else ()),
            ("confirmed by the dead", self._make_up_for_dead, _ORPHANS_SECONDS),
            ("digests", lambda: digest.send_due(self._house), _DIGEST_SECONDS),
            ("forget", self._forget, _DAY_SECONDS),
        )
        for name, work, seconds in every:
            jobs.run_repeating(_job(work), seconds, first=0.1, name=name, job_kwargs=_JOB)

    async def _make_up_for_dead(self) -> None:
        """What was confirmed and never told is told: its process died, or could not. Tried until it is done.

        One on another machine counts as dead after a while.
        """
        house = self._house
        if not house.may_send():
            return
        for proposal in await house.store.do(house.proposals.orphans, under_way=frozenset(house.under_way)):
            try:
                await make_up_for(house, proposal)
            except Exception:  # noqa: BLE001 - one that cannot be told of now keeps no other from it
                _log.exception("Proposal %s, which was confirmed, could not be told of yet.", proposal.proposal_id)

    async def _identify(self) -> None:
        """Learn whose money each account is, so that what others did with it is told under its name."""
        for account in self._house.accounts:
            with contextlib.suppress(TradehookError, TimeoutError):
                async with asyncio.timeout(_IDENTIFY_SECONDS):
                    await account.identify()

    async def _beat(self) -> None:
        """Say that this process runs; one that could not say so in time asks Telegram no more, and ends."""
        if await self._house.store.do(self._house.instance.beat):
            return
        _log.error("Another process may speak for this bot by now. This one asks and sends nothing more, and ends.")
        if self._application.updater.running:
            await self._application.updater.stop()
            self._application.stop_running()

    @property
    def health(self) -> Health:
        """What is told of this process."""
        return self._health

    async def _forget(self) -> None:
        await self._house.store.do(self._house.access.forget_updates)


def _job(work: Callable[[], Awaitable[None]]) -> Callable[[Any], Awaitable[None]]:
    async def job(_context: Any) -> None:
        await work()

    return job
