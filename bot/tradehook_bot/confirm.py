"""A press of a button: answered at once, decided by one UPDATE, then carried out or put away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram.error import TelegramError

from tradehook_bot import keyboards, placing
from tradehook_bot.commands import account
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from telegram import CallbackQuery, Update

    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal

_log = logging.getLogger(__name__)
_CHAT_WAITS_SECONDS = 12.0
"""How long a chat's next command waits for an order that is being placed; after that both go on."""


class Buttons:
    """Answers presses."""

    def __init__(self, house: House) -> None:
        """Answer in this house."""
        self._house = house

    async def on_press(self, update: Update, _context: object) -> None:
        """The press has done what it may, once. The gate has let it through."""
        query = update.callback_query
        if query is None or query.message is None:
            return
        await _answer(query)
        house = self._house
        chat_id, message_id = query.message.chat.id, query.message.message_id
        press = keyboards.read(query.data)
        if press is not None and press.verb == "account":
            await self._switch(press.token, chat_id=chat_id, message_id=message_id)
            return
        if press is None:
            _log.warning("User %s pressed a button that no message of ours has.", query.from_user.id)
            return
        decide = house.proposals.confirm if press.verb == "confirm" else house.proposals.decline
        proposal = await house.store.do(
            decide, press.token, user_id=query.from_user.id, chat_id=chat_id, message_id=message_id
        )
        if proposal is None:
            # Used, over, somebody else's or made up. If a question is over, its buttons go; the rest is nothing.
            await house.store.do(
                house.proposals.cut_off,
                press.token,
                user_id=query.from_user.id,
                chat_id=chat_id,
                message_id=message_id,
            )
            await self.put_away_dead()
            return
        if press.verb == "decline":
            await self._close(proposal, _over(proposal))
            return
        # No buttons from here on, whatever happens.
        words = f"{bold('Confirmed')}: {text(proposal.deed)}\nOne moment…"
        if await house.voice.edit(chat_id, message_id, words, account=proposal.account):
            await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)
        placed = house.in_background(placing.carry_out(house, proposal))
        await asyncio.wait({placed}, timeout=_CHAT_WAITS_SECONDS)

    async def put_away_dead(self) -> None:
        """Questions whose time is over are closed, and no message of a question that is over shows buttons."""
        house = self._house
        await house.store.do(house.proposals.expire)
        for proposal in await house.store.do(house.proposals.with_dead_buttons):
            await self._close(proposal, _over(proposal))

    async def _switch(self, name: str, *, chat_id: int, message_id: int) -> None:
        """The chat is about this account, and the list says so. A name that is not served changes nothing."""
        house = self._house
        if house.named(name) is not None:
            await house.store.do(house.chats.choose, chat_id, name)
        choice = await house.choice(chat_id)
        body, keyboard = account.listing(house, choice)
        await house.voice.edit(chat_id, message_id, body, account=choice.account.name, keyboard=keyboard)

    async def _close(self, proposal: Proposal, body: str) -> None:
        house = self._house
        if proposal.message_id is None:
            return
        if await house.voice.edit(proposal.chat_id, proposal.message_id, body, account=proposal.account):
            await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)


def _over(proposal: Proposal) -> str:
    match proposal.state:
        case "declined":
            return f"{bold(f'Not sent: {proposal.deed}')}\nYou said no."
        case "expired":
            return (
                f"{bold(f'Expired: {proposal.deed}')}\nNobody answered in time, and nothing was sent. "
                f"To ask again: {code(proposal.typed)}"
            )
        case "cut_off":
            return (
                f"{bold(f'Cut off: {proposal.deed}')}\nI was stopped while I asked, so this cannot be answered. "
                f"Nothing was sent. To ask again: {code(proposal.typed)}"
            )
        case "asked_again":
            return f"{bold(f'Not sent: {proposal.deed}')}\nAsked again below."
        case _:
            return bold(f"Over: {proposal.deed}")


async def _answer(query: CallbackQuery) -> None:
    """The person's client stops waiting. Late or not, the press itself still counts or not by its row."""
    try:
        await query.answer()
    except TelegramError as error:
        _log.info("A press could not be answered: %s", error)
