"""The application: python-telegram-bot put together, with every handler behind the gate."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Any

from telegram import LinkPreviewOptions, Update
from telegram.constants import ParseMode
from telegram.ext import (
    AIORateLimiter,
    Application,
    ApplicationBuilder,
    CallbackQueryHandler,
    Defaults,
    MessageHandler,
    TypeHandler,
    filters,
)

from tradehook.errors import ConfigurationError
from tradehook_bot.confirm import Buttons
from tradehook_bot.failures import Failures
from tradehook_bot.gate import Gate
from tradehook_bot.life import Life
from tradehook_bot.ordering import PerChat
from tradehook_bot.replies import Voice
from tradehook_bot.router import Router

if TYPE_CHECKING:
    from tradehook_bot.context import House

_log = logging.getLogger(__name__)

ALLOWED_UPDATES = ("message", "callback_query", "my_chat_member")
"""What Telegram delivers at all: no edits, no channels, no inline queries."""
GATE_GROUP = -5
BOOT_RETRIES = 10

App = Application[Any, Any, Any, Any, Any, Any]


def build(house: House) -> App:
    """The application of this house, ready to run. Sends nothing yet."""
    life = Life(house)
    application: App = (
        ApplicationBuilder()
        .token(house.token)
        .base_url(f"{house.settings.telegram_url}/bot")
        .base_file_url(f"{house.settings.telegram_url}/file/bot")
        .defaults(Defaults(parse_mode=ParseMode.HTML, link_preview_options=LinkPreviewOptions(is_disabled=True)))
        .rate_limiter(AIORateLimiter(max_retries=3))
        .concurrent_updates(PerChat())
        .post_init(life.begin)
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
    house.in_background = application.create_task
    house.show_menu = life.show_menu

    application.add_handler(TypeHandler(Update, Gate(house).check), group=GATE_GROUP)
    # Edits, forwards and messages by way of bots do nothing: the gate says no, and so do these filters.
    typed = filters.UpdateType.MESSAGE & ~filters.FORWARDED & ~filters.VIA_BOT & filters.ChatType.PRIVATE
    application.add_handler(MessageHandler(typed, Router(house).on_message))
    application.add_handler(CallbackQueryHandler(Buttons(house).on_press))
    application.add_error_handler(Failures(house).handle)
    return application


def run(house: House) -> None:
    """Poll Telegram until the process is told to stop; what runs is finished first.

    Raises:
        ConfigurationError: nobody may use the bot.
        TelegramError: Telegram cannot be reached, or does not know the token.
    """
    if not house.access.users() and not house.access.has_open_code():
        raise ConfigurationError("Nobody may use this bot yet. Run `tradehook-bot setup` and open its link.")
    _log.info("Connecting to %s…", house.settings.telegram_url)
    asyncio.set_event_loop(asyncio.new_event_loop())
    build(house).run_polling(
        allowed_updates=list(ALLOWED_UPDATES), bootstrap_retries=BOOT_RETRIES, drop_pending_updates=False
    )
