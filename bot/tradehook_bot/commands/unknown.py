"""`/unknown`: everything of which nobody knows whether it exists, with what is known of it and what can be said."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradehook.errors import GuardRefused, InvalidInput, TradehookError
from tradehook_bot import doubt_buttons, doubts
from tradehook_bot.commands.orders import unknowns
from tradehook_bot.deeds import resolve
from tradehook_bot.failures import words_for
from tradehook_bot.replies import bold, code
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Mapping

    from telegram import InlineKeyboardMarkup

    from tradehook.desk.intents import Intent
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House
    from tradehook_bot.doubt_buttons import DoubtPress
    from tradehook_bot.proposals import Where

_SHOWN = 5
_PATIENCE_SECONDS = 10.0
_SHORTEST = 4
_NOT_PLACED = ("not", "not-placed", "no")


async def unknown(ask: Ask) -> None:
    """The person has seen every doubt; or, with words, is asked whether theirs shall end one."""
    house = ask.house
    if ask.words:
        await _say(ask)
        return
    found = [(account, intent) for account in house.accounts for intent in await unknowns(house, account)]
    if not found:
        await ask.reply_of_all(f"{bold('Nothing is in doubt.')} Everything that was sent got an answer or was found.")
        return
    for account, intent in found[:_SHOWN]:
        house.hurry(account)
        body, keyboard = await shown(house, account, intent, chat_id=ask.chat_id)
        await house.voice.say(ask.chat_id, body, account=account.name, keyboard=keyboard, thread_id=ask.thread_id)
    if len(found) > _SHOWN:
        await ask.reply_of_all(f"{len(found) - _SHOWN} more are in doubt; these are the newest.")


async def shown(
    house: House, account: Account, intent: Intent, *, chat_id: int, with_evidence: bool = False
) -> tuple[str, InlineKeyboardMarkup]:
    """A doubt as its message shows it, as HTML, and its buttons."""
    zone = await house.store.do(house.chats.zone, chat_id)
    moves = await _moves(account, intent)
    beside = await house.store.do(house.journal.doubts.moved_beside, intent, moves or ())
    body = doubts.card(intent, exchange=account.spec.label, zone=zone, at=now(), moves=moves, beside=beside)
    if with_evidence:
        events = await house.store.do(house.journal.events, intent.intent_id)
        body = f"{body}\n\n{doubts.evidence(intent, events, zone=zone)}"
    buttons = doubt_buttons.keyboard(intent, secret=house.token, at=now(), shows_evidence=with_evidence)
    return body, buttons


async def on_press(house: House, press: DoubtPress, *, where: Where, message_id: int) -> None:
    """The press has done what it may. Whether the doubt still stands is looked up now; the message may be old."""
    found = await _named(house, press)
    if found is None:
        await house.voice.strip(where.chat_id, message_id)
        await house.voice.say(where.chat_id, "That is not in doubt any more. /history", thread_id=where.thread_id)
        return
    account, intent, identity = found
    try:
        match press.verb:
            case doubt_buttons.EVIDENCE:
                body, keyboard = await shown(house, account, intent, chat_id=where.chat_id, with_evidence=True)
                await house.voice.edit(where.chat_id, message_id, body, account=account.name, keyboard=keyboard)
            case doubt_buttons.PLACED if not identity:
                await house.voice.say(where.chat_id, _which(intent), account=account.name, thread_id=where.thread_id)
            case doubt_buttons.PLACED:
                await resolve.ask(house, account, intent, f"placed:{identity}", where=where)
            case _:
                await resolve.ask(house, account, intent, resolve.NOT_PLACED, where=where)
    except (InvalidInput, GuardRefused) as error:
        await house.voice.say(where.chat_id, words_for(error), account=account.name, thread_id=where.thread_id)


async def _moves(account: Account, intent: Intent) -> Mapping[str, str] | None:
    """What the balances did since it was sent, asked now; `None` where that cannot be told."""
    if intent.baseline is None or intent.kind == "futures":
        return None
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            return doubts.moves_since(intent, await account.client.balances())
    except (TradehookError, TimeoutError):
        return None


async def _say(ask: Ask) -> None:
    """`/unknown 3f2a placed ORDER` and `/unknown 3f2a not`; the doubt alone shows it."""
    house = ask.house
    account, intent = await _beginning(house, ask.words[0])
    match tuple(word.lower() for word in ask.words[1:]):
        case ():
            body, keyboard = await shown(house, account, intent, chat_id=ask.chat_id, with_evidence=True)
            await house.voice.say(ask.chat_id, body, account=account.name, keyboard=keyboard, thread_id=ask.thread_id)
        case ("placed", _):
            await resolve.ask(house, account, intent, f"placed:{ask.words[2]}", where=ask.where)
        case (word,) if word in _NOT_PLACED:
            await resolve.ask(house, account, intent, resolve.NOT_PLACED, where=ask.where)
        case _:
            raise InvalidInput("What is so?", suggestions=_says(intent))


async def _beginning(house: House, typed: str) -> tuple[Account, Intent]:
    """The doubt whose id begins so.

    Raises:
        InvalidInput: none does, or several do.
    """
    every = [(account, intent) for account in house.accounts for intent in await unknowns(house, account)]
    exact = [pair for pair in every if pair[1].intent_id == typed]
    found = exact or [pair for pair in every if len(typed) >= _SHORTEST and _begins(pair[1].intent_id, typed)]
    if len(found) != 1:
        which = f"Several doubts begin with {typed[:40]!r}" if found else f"No doubt begins with {typed[:40]!r}"
        raise InvalidInput(f"{which}.", suggestions=("/unknown",))
    return found[0]


def _begins(intent_id: str, typed: str) -> bool:
    """Questions of this chat have ids of a common beginning, which nobody wants to type."""
    return intent_id.startswith(typed) or intent_id.removeprefix("chat-").startswith(typed)


async def _named(house: House, press: DoubtPress) -> tuple[Account, Intent, str] | None:
    for account in house.accounts:
        for intent in await unknowns(house, account):
            identity = doubt_buttons.meant(press, intent, secret=house.token)
            if identity is not None:
                return account, intent, identity
    return None


def _which(intent: Intent) -> str:
    return (
        f"{bold('Which one is it?')}\nNothing in the exchange's list could be it as far as I see. /history shows what "
        f"is there. Write its whole id:\n{code(_says(intent)[0])}"
    )


def _says(intent: Intent) -> tuple[str, str]:
    return f"/unknown {intent.intent_id} placed ORDER", f"/unknown {intent.intent_id} not"
