"""`/freeze` and `/resume`: stop everything that uses this journal, and let it go on.

Freezing waits for nobody: no confirmation, no exchange, no other command of the chat. What is live at the exchange is
looked up only after the stop has been written down.
"""

from __future__ import annotations

import asyncio
import logging
import re
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.desk.intents import State
from tradehook.errors import TradehookError
from tradehook_bot.commands.orders import handles, open_orders
from tradehook_bot.failures import words_for
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, House

_log = logging.getLogger(__name__)
_LOOK_SECONDS = 20.0
_SHOWN = 15
_LONGEST_WHY = 200
_DURATION = re.compile(r"\d+\s?[smhd]", re.ASCII)


async def freeze(ask: Ask) -> None:
    """Nothing new is sent any more, from anywhere that uses this journal, until `/resume`."""
    house = ask.house
    why = " ".join(ask.words)[:_LONGEST_WHY]
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
    if _DURATION.fullmatch(why):
        lines.append(f"It does not end by itself after {text(why)}: only /resume lifts it.")
    message_id = await ask.reply_of_all("\n".join([*lines, "", "Looking up what is still live at the exchange…"]))
    live = await _live_anywhere(house)
    if not await house.voice.edit(ask.chat_id, message_id, "\n".join([*lines, "", *live])):
        await ask.reply_of_all("\n".join(live))


async def resume(ask: Ask) -> None:
    """Trading goes on."""
    house = ask.house
    before = await house.store.do(house.journal.trading_state)
    if before["state"] == "NORMAL":
        await ask.reply_of_all("Trading is not frozen; nothing to lift.")
        return
    await house.store.do(house.journal.set_trading_state, "NORMAL", by=_who(ask))
    _log.warning("User %s lifted the freeze.", ask.user_id)
    await ask.reply_of_all(
        f"{bold('Trading goes on.')}\nThe freeze by {text(before['changed_by'])} is lifted. "
        "What was refused meanwhile is not made up for."
    )


async def _live_anywhere(house: House) -> list[str]:
    """The same of every account, each under its name where there are several."""
    found = await asyncio.gather(*(_live(house, account) for account in house.accounts))
    if not house.has_several:
        return found[0]
    return [
        line
        for account, lines in zip(house.accounts, found, strict=True)
        for line in (bold(f"{account.title}:"), *lines)
    ]


async def _live(house: House, account: Account) -> list[str]:
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
        return [*lines, *await _last_seen(house, account)]
    if not found:
        return [*lines, "No order is live at the exchange."]
    lines.append(bold(f"STILL LIVE at the exchange: {len(found)} order{'s' if len(found) > 1 else ''}"))
    lines += [f"{text(render.order_line(order))}\n{handles(order)}" for order in found[:_SHOWN]]
    if len(found) > _SHOWN:
        lines.append(f"and {len(found) - _SHOWN} more: /orders")
    return lines


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
    """Who did it, for the record: the name for people, the number for certainty."""
    name = "".join(letter for letter in ask.name if letter.isprintable()).strip()[:60]
    return f"{name or 'somebody'} in chat (user {ask.user_id})"
