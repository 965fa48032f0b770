"""The application: python-telegram-bot put together, with every handler behind the gate."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Any

from telegram import LinkPreviewOptions, Update
from telegram.constants import ParseMode
from telegram.ext import (
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    Defaults,
    MessageHandler,
    TypeHandler,
    filters,
)

from tradehook.errors import ConfigurationError, GuardRefused
from tradehook_bot.confirm import Buttons
from tradehook_bot.failures import Failures
from tradehook_bot.gate import Gate
from tradehook_bot.health import Polls
from tradehook_bot.instance import open_instance
from tradehook_bot.life import Life
from tradehook_bot.ordering import PerChat
from tradehook_bot.pace import PerChatPace
from tradehook_bot.replies import Voice
from tradehook_bot.router import Router

if TYPE_CHECKING:
    from telegram.request import BaseRequest

    from tradehook_bot.context import House

_log = logging.getLogger(__name__)

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
"""What Telegram delivers at all: no edits, no channels, no inline queries."""
GATE_GROUP = -5
BOOT_RETRIES = 10

App = Application[Any, Any, Any, Any, Any, Any]


def build(house: House, *, pace: PerChatPace | None = None, request: BaseRequest | None = None) -> App:
    """The application of this house, ready to run. Sends nothing yet.

    Args:
        house: what it is built for.
        pace: how fast it may speak; Telegram's limits when it is left out.
        request: how it reaches Telegram; by HTTP when it is left out.
    """
    # Otherwise each 429 comes with a warning about python-telegram-bot's next version; `pace` reads both.
    os.environ.setdefault("PTB_TIMEDELTA", "true")
    house.instance = open_instance(house)
    polls = Polls()
    life = Life(house, polls=polls)
    builder = ApplicationBuilder() if request is None else ApplicationBuilder().request(request)
    application: App = (
        builder.token(house.token)
        .base_url(f"{house.settings.telegram_url}/bot")
        .base_file_url(f"{house.settings.telegram_url}/file/bot")
        .defaults(Defaults(parse_mode=ParseMode.HTML, link_preview_options=LinkPreviewOptions(is_disabled=True)))
        .rate_limiter(pace or PerChatPace())
        .get_updates_request(polls)
        .concurrent_updates(PerChat())
        .post_init(life.begin)
        .post_stop(life.settle)
        .post_shutdown(life.end)
        .build()
    )
    house.voice = Voice(
        application.bot,
        environment=house.environment,
        account=house.accounts[0].name,
        has_several=house.has_several,
    )
    house.look = life.alerts.look
    house.hurry = life.hurry
    house.sweep_age = life.sweep_age
    house.in_background = application.create_task
    house.show_menu = life.show_menu

    application.add_handler(TypeHandler(Update, Gate(house).check), group=GATE_GROUP)
    # Edits, forwards and messages by way of bots do nothing: the gate says no, and so do these filters.
    somewhere = filters.ChatType.PRIVATE | filters.ChatType.GROUPS
    typed = filters.UpdateType.MESSAGE & ~filters.FORWARDED & ~filters.VIA_BOT & somewhere
    application.add_handler(MessageHandler(typed, Router(house).on_message))
    application.add_handler(CallbackQueryHandler(Buttons(house).on_press))
    application.add_error_handler(Failures(house).handle)
    return application


def run(house: House) -> None:
    """Poll Telegram until the process is told to stop; what runs is finished first.

    Raises:
        ConfigurationError: nobody may use the bot.
        GuardRefused: another process speaks for it, or took it over.
        TelegramError: Telegram cannot be reached, or does not know the token.
    """
    if not house.access.users() and not house.access.has_open_code():
        raise ConfigurationError("Nobody may use this bot yet. Run `tradehook-bot setup` and open its link.")
    _log.info("Connecting to %s…", house.settings.telegram_url)
    asyncio.set_event_loop(asyncio.new_event_loop())
    application = build(house)
    house.instance.take()
    application.run_polling(
        allowed_updates=list(ALLOWED_UPDATES), bootstrap_retries=BOOT_RETRIES, drop_pending_updates=False
    )
    if house.instance.is_lost:
        raise GuardRefused(
            "This process could not say in time that it runs, so another may speak for the bot by now. It stopped.",
            rule="instance",
        )
