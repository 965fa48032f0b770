"""Who the bot is, and how its updates reach it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.shapes import bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.methods.arguments import Arguments
    from tradehook_sandbox.telegram.shapes import Json
    from tradehook_sandbox.telegram.world import World


def get_me(_world: World, bot: Bot, _arguments: Arguments) -> Json:
    """The bot's own `User`. See: https://core.telegram.org/bots/api#getme."""
    return bot.as_me()


def log_out(_world: World, _bot: Bot, _arguments: Arguments) -> bool:
    """Nothing: there is no other server to move to. See: https://core.telegram.org/bots/api#logout."""
    return True


def close(_world: World, _bot: Bot, _arguments: Arguments) -> bool:
    """Nothing: there is no other server to move to. See: https://core.telegram.org/bots/api#close."""
    return True


def set_webhook(world: World, bot: Bot, arguments: Arguments) -> bool:
    """An empty address removes the webhook, which the stand-in never has; any other is refused.

    Raises:
        ApiError: an address was given. The stand-in calls nobody.
    """
    if arguments.text("url"):
        raise bad_request("bad webhook: the sandbox calls nobody; use getUpdates")
    return delete_webhook(world, bot, arguments)


def delete_webhook(_world: World, bot: Bot, arguments: Arguments) -> bool:
    """There is no webhook; waiting updates are gone where the bot asked for that."""
    if arguments.truth("drop_pending_updates"):
        bot.updates.clear()
    return True


def get_webhook_info(_world: World, bot: Bot, _arguments: Arguments) -> Json:
    """No webhook, and how many updates wait."""
    return {"url": "", "has_custom_certificate": False, "pending_update_count": len(bot.updates)}
