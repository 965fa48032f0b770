"""`/freeze` and `/resume`: stop everything that uses this journal, and let it go on.

Freezing waits for nobody: no confirmation, no exchange, no other command of the chat. What is live at the exchange is
looked up only after the stop has been written down. A freeze never ends by itself: one for two hours asks after two.
"""

from __future__ import annotations

import asyncio
import logging
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from telegram.error import BadRequest, Forbidden

from tradehook import render
from tradehook.desk.intents import State
from tradehook.errors import TradehookError
from tradehook_bot import diverting
from tradehook_bot.access import only_looks
from tradehook_bot.commands.orders import handles, open_orders, unknowns
from tradehook_bot.deeds import cancel_all
from tradehook_bot.deeds import resume as resuming
from tradehook_bot.failures import words_for
from tradehook_bot.freeze_end import FreezeEnd, FreezeEnds
from tradehook_bot.proposals import Where
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now
from tradehook_bot.words import in_chat
from tradehook_bot.zones import moment

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House
    from tradehook_bot.deeds.cancel_all import OrderToCancel

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 20.0
_SHOWN = 15
_LONGEST_WHY = 200
_DURATION = re.compile(r"(\d{1,4})([smhd])", re.ASCII)
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_REMINDER_LASTS = timedelta(hours=12)
_ASKED_AGAIN_AFTER = timedelta(minutes=1)


async def freeze(ask: Ask) -> None:
    """Nothing new is sent any more, from anywhere that uses this journal, until `/resume`."""
    house = ask.house
    length, words = _read(ask.words)
    why = " ".join(words)[:_LONGEST_WHY]
    try:
        await house.store.do(house.journal.set_trading_state, "HALTED", by=_who(ask), why=why)
    except TradehookError as error:
        _log.exception("The freeze could not be written down.")
        await ask.reply_of_all(
            f"{bold('Trading is NOT frozen.')} {words_for(error)}\nTry again, or stop the programs that trade."
        )
        return
    _log.warning("User %s froze trading.", ask.user_id)
    lines = [
        bold("Frozen. Nothing new will be sent from chat, Airflow or the command line."),
        "It stays so until /resume, also over restarts. Cancels still go through.",
    ]
    if length is not None:
        lines.append(await _ask_later(ask, length))
    elif words and words[0][0].isdigit():
        lines.append(
            f"I read {text(repr(words[0][:20]))} as your reason: a length of time is written 90s, 30m, 2h or 1d."
        )
    message_id = await ask.reply_of_all("\n".join([*lines, "", "Looking up what is still live at the exchange…"]))
    live, found = await _live_anywhere(house)
    told = "\n".join([*lines, "", *live])
    user = await house.store.do(house.access.user, ask.user_id)
    if found and user is not None and not only_looks(user.role):
        above = f"{told}\n\nShall I cancel {'them' if len(found) > 1 else 'it'}?"
        await cancel_all.offer(
            house, found, where=ask.where, typed="/cancel all", above=told, body=above, instead_of=message_id
        )
    elif not await house.voice.edit(ask.chat_id, message_id, told):
        await ask.reply_of_all("\n".join(live))


async def resume(ask: Ask) -> None:
    """Trading goes on; where money is real, after a question and a code."""
    house = ask.house
    before = await house.store.do(house.journal.trading_state)
    if before["state"] == "NORMAL":
        await ask.reply_of_all("Trading is not frozen; nothing to lift.")
        return
    if house.environment == "live":
        await house.store.do(house.totp.check_ready, ask.user_id, what="Letting live trading go on")
        lifetime = house.settings.limit_lasts()
        await resuming.ask(house, where=ask.where, who=_who(ask), frozen=before, lifetime=lifetime)
        return
    await resuming.lift(house, who=_who(ask), frozen_at=before["changed_at"])
    await ask.reply_of_all(resuming.lifted(before))


async def ask_whether_it_ends(house: House) -> None:
    """Whoever froze for a while has been asked whether trading shall go on, now that the while is over."""
    ends = FreezeEnds(house.store)
    end = await house.store.do(ends.due)
    if end is None:
        return
    frozen = await house.store.do(house.journal.trading_state)
    if frozen["state"] != "NORMAL" and frozen["changed_at"] == end.frozen_at:
        # If Telegram is away now, it is asked again, but not at every tick.
        await house.store.do(ends.set, end, asks_at=now() + _ASKED_AGAIN_AFTER)
        lead = f"The {text(end.said)} of your freeze are over. It still holds."
        await _ask_whether(house, end, frozen, lead=lead)
    await house.store.do(ends.forget, end)


async def _ask_whether(house: House, end: FreezeEnd, frozen: dict[str, str], *, lead: str) -> None:
    """The question stands where the freeze was typed, or else in its person's own chat."""
    own = Where(end.where.user_id, end.where.user_id)
    about: dict[str, Any] = {"who": end.who, "frozen": frozen, "lifetime": _REMINDER_LASTS}
    try:
        await resuming.ask(house, where=end.where, lead=lead, **about)
    except (Forbidden, BadRequest):
        if end.where == own:
            raise
        meant = await house.store.do(diverting.lead, house, end.where.chat_id, thread_id=end.where.thread_id)
        await resuming.ask(house, where=own, lead=f"{meant}{lead}", **about)


def _read(words: Sequence[str]) -> tuple[str | None, Sequence[str]]:
    """How long it is to last, if that comes first, and why."""
    if words and _DURATION.fullmatch(words[0].lower()):
        return words[0].lower(), words[1:]
    return None, words


async def _ask_later(ask: Ask, length: str) -> str:
    """Write down when to ask whether the freeze shall end, and say so."""
    house = ask.house
    found = _DURATION.fullmatch(length)
    assert found is not None  # noqa: S101 - it was read so
    at = now() + timedelta(**{_UNITS[found[2]]: int(found[1])})
    try:
        frozen = await house.store.do(house.journal.trading_state)
        end = FreezeEnd(ask.where, _who(ask), frozen["changed_at"], length)
        await house.store.do(FreezeEnds(house.store).set, end, asks_at=at)
    except Exception:  # noqa: BLE001 - the freeze itself holds, and that is what counts: its answer goes on
        _log.exception("When to ask about the end of the freeze could not be written down.")
        return f"I could not note to ask you after {length}: it holds until /resume."
    return f"It does not end by itself: at {moment(at, await ask.zone())} I ask whether trading shall go on."


async def _live_anywhere(house: House) -> tuple[list[str], list[OrderToCancel]]:
    """What is live in every account, each under its name where there are several; and what of it can be canceled."""
    found = await asyncio.gather(*(_live(house, account) for account in house.accounts))
    orders = [each for _, live in found for each in live]
    if not house.has_several:
        return found[0][0], orders
    return [
        line
        for account, (lines, _) in zip(house.accounts, found, strict=True)
        for line in (bold(f"{account.title}:"), *lines)
    ], orders


async def _live(house: House, account: Account) -> tuple[list[str], Sequence[OrderToCancel]]:
    """What a freeze does not stop: orders that lie at the exchange, and one that is on its way."""
    under_way = await house.store.do(house.journal.list, states=[State.SENDING, State.EXECUTING])
    lines = [
        text(f"Was being sent already: {render.deed(intent.sized)}")
        for intent in under_way
        if house.account_of(intent) is account and intent.sized is not None
    ]
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            found = await open_orders(account)
    except (TradehookError, TimeoutError):
        return [*lines, *await _last_seen(house, account)], ()
    doubtful = await unknowns(house, account)
    if doubtful:
        lines.append(f"{bold(f'{len(doubtful)} UNKNOWN: may exist or not.')} /unknown")
    if not found:
        return [*lines, f"No {'other ' if doubtful else ''}order is live at the exchange."], ()
    lines.append(bold(f"STILL LIVE at the exchange: {len(found)} order{'s' if len(found) > 1 else ''}"))
    lines += [f"{text(render.order_line(order))}\n{handles(order)}" for order in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more: /orders")
    return lines, cancel_all.named(account, found)


async def _last_seen(house: House, account: Account) -> list[str]:
    """The journal's word, where the exchange cannot be asked."""
    host, whose = account.client.exchange.host, account.account_id
    known = await house.store.do(house.journal.open_orders, host, account_id=whose)
    lines = ["The exchange does not answer, so I cannot tell what is live there. Look again with /orders."]
    if known:
        lines.append(bold(f"When last seen, {len(known)} were STILL LIVE:"))
        lines += [text(render.order_line(intent.last_order)) for intent in known[:_SHOWN] if intent.last_order]
    return lines


def _who(ask: Ask) -> str:
    return in_chat(ask.name, ask.user_id)
