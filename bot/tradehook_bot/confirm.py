"""A press of a button: answered at once, decided by one UPDATE, then carried out or put away."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from telegram import Message
from telegram.error import TelegramError

from tradehook_bot import doubt_buttons, keyboards, offers
from tradehook_bot.access import LOOKS_ONLY, only_looks
from tradehook_bot.commands import account, alerts, freeze, unknown
from tradehook_bot.context import Ask
from tradehook_bot.deeds import carrying
from tradehook_bot.deeds.table import kind_of
from tradehook_bot.proposals import State, Where
from tradehook_bot.replies import bold, code, text
from tradehook_bot.store import now
from tradehook_bot.zones import clock

if TYPE_CHECKING:
    from telegram import CallbackQuery, Update, User

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
        where = Where(query.from_user.id, chat_id, _topic(query))
        press = keyboards.read(query.data)
        if press is None or press.verb not in ("confirm", "decline"):
            await self._without_question(query, press, where=where, message_id=message_id)
            return
        if press.verb == "confirm":
            proposal = await self._confirm(press.token, where=where, message_id=message_id)
        else:
            proposal = await house.store.do(house.proposals.decline, press.token, where=where, message_id=message_id)
        if proposal is None and press.verb == "confirm":
            waiting = await house.store.do(house.proposals.awaits_code, press.token, where=where, message_id=message_id)
            if waiting is not None:
                await self._ask_for_code(waiting, press.token)
                return
        if proposal is None:
            # Used, over, somebody else's or made up. If a question is over, its buttons go; the rest is nothing.
            await house.store.do(house.proposals.cut_off, press.token, where=where, message_id=message_id)
            await self.put_away_dead()
            return
        if press.verb == "decline":
            await self._close(proposal, _over(proposal))
            return
        if proposal.state is State.CODE:
            await self._ask_for_code(proposal, press.token)
            return
        await self.carry_out(proposal)

    async def _without_question(
        self, query: CallbackQuery, press: keyboards.Press | None, *, where: Where, message_id: int
    ) -> None:
        """The press of a button that answers no question."""
        house, user = self._house, query.from_user
        if press is not None and press.verb == "account":
            await self._switch(press.token, chat_id=where.chat_id, message_id=message_id)
        elif press is not None and press.verb == "freeze":
            await self._freeze(user, where=where)
        elif press is not None and press.verb == "alert":
            await alerts.remove(house, press.token, chat_id=where.chat_id, message_id=message_id)
        elif (typed := offers.read(query.data)) is not None:
            from tradehook_bot.router import type_for  # which takes codes, and so knows these buttons

            await type_for(house, typed, where=where, name=user.full_name)
        elif (about := doubt_buttons.read(query.data)) is not None:
            await unknown.on_press(house, about, where=where, message_id=message_id)
        else:
            _log.warning("User %s pressed a button that no message of ours has.", user.id)

    async def _confirm(self, token: str, *, where: Where, message_id: int) -> Proposal | None:
        """The question, if this press answers it with yes; it may want a code yet."""
        house = self._house
        asked = await house.store.do(house.proposals.of_token, token)
        if asked is None:
            return None
        user = await house.store.do(house.access.user, where.user_id)
        if user is None or only_looks(user.role):
            await house.voice.say(where.chat_id, LOOKS_ONLY, thread_id=where.thread_id)
            return None
        needs_code = kind_of(asked).needs_code(house, asked)
        if needs_code and where.chat_id != where.user_id:
            await self._only_in_private(token, where=where, message_id=message_id)
            return None
        code_within = house.settings.code_lasts() if needs_code else None
        return await house.store.do(
            house.proposals.confirm, token, where=where, message_id=message_id, code_within=code_within
        )

    async def _only_in_private(self, token: str, *, where: Where, message_id: int) -> None:
        """The question is over: it wants a code, which nobody types where others read along."""
        house = self._house
        proposal = await house.store.do(house.proposals.decline, token, where=where, message_id=message_id)
        if proposal is not None:
            await self._close(
                proposal,
                f"{bold(f'{kind_of(proposal).not_done}: {proposal.deed}')}\nIt takes a code from your authenticator "
                f"app, and everybody here would read it. Ask me in private: {code(proposal.typed)}",
            )

    async def _ask_for_code(self, proposal: Proposal, token: str) -> None:
        """The message says that a code is wanted, and how long; it can still be left."""
        house = self._house
        assert proposal.message_id is not None  # noqa: S101 - a question without a message cannot be confirmed
        zone = await house.store.do(house.chats.zone, proposal.chat_id)
        lines = [
            bold(proposal.deed),
            *kind_of(proposal).details(proposal),
            "Now type the six digits that your authenticator app shows. I delete your message.",
            f"Open until: {text(clock(proposal.expires_at, zone))}",
        ]
        keyboard, body = keyboards.only_no(token), "\n".join(lines)
        if not await house.voice.edit(
            proposal.chat_id,
            proposal.message_id,
            body,
            account=proposal.account,
            keyboard=keyboard,
            is_patient=False,
        ):
            await house.voice.say(proposal.chat_id, body, account=proposal.account, thread_id=proposal.where.thread_id)
        await self.put_away_dead()  # another one may have waited for a code until now

    async def carry_out(self, proposal: Proposal) -> None:
        """What was confirmed is being done. No buttons from here on, whatever happens."""
        house = self._house
        words = f"{bold('Confirmed')}: {text(proposal.deed)}\nOne moment…"
        # Where Telegram asks this chat to wait, the deed does not: by then the price would be another.
        if proposal.message_id is not None and await house.voice.edit(
            proposal.chat_id, proposal.message_id, words, account=proposal.account, is_patient=False
        ):
            await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)
        placed = house.in_background(carrying.carry_out(house, proposal))
        await asyncio.wait({placed}, timeout=_CHAT_WAITS_SECONDS)

    async def put_away_dead(self) -> None:
        """Questions whose time is over are closed, and no message of a question that is over shows buttons."""
        house = self._house
        await house.store.do(house.proposals.expire)
        for proposal in await house.store.do(house.proposals.with_dead_buttons):
            await self._close(proposal, _over(proposal))

    async def _freeze(self, user: User, *, where: Where) -> None:
        """Everything stops at this one tap, as by /freeze."""
        house = self._house
        choice = await house.choice(where.chat_id)
        await freeze.freeze(
            Ask(
                house=house,
                account=choice.account,
                choice_problem=choice.problem,
                user_id=user.id,
                chat_id=where.chat_id,
                thread_id=where.thread_id,
                name=user.full_name,
                words=("not", "me"),
                text="/freeze not me",
                sent_at=now(),
            )
        )

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
        # Where Telegram asks this chat to wait, the others' do not: the next look tries again.
        if await house.voice.edit(
            proposal.chat_id, proposal.message_id, body, account=proposal.account, is_patient=False
        ):
            await house.store.do(house.proposals.buttons_are_gone, proposal.proposal_id)


def _over(proposal: Proposal) -> str:
    """What the message of a question says that ended without its deed."""
    kind = kind_of(proposal)
    if kind.over is not None:
        return kind.over(proposal)
    match proposal.state:
        case "declined":
            return f"{bold(f'{kind.not_done}: {proposal.deed}')}\nYou said no."
        case "expired":
            return (
                f"{bold(f'Expired: {proposal.deed}')}\nNobody answered in time. {kind.nothing} "
                f"To ask again: {code(proposal.typed)}"
            )
        case "cut_off":
            return (
                f"{bold(f'Cut off: {proposal.deed}')}\nI was stopped while I asked, so this cannot be answered. "
                f"{kind.nothing} To ask again: {code(proposal.typed)}"
            )
        case "asked_again":
            return f"{bold(f'{kind.not_done}: {proposal.deed}')}\nAsked again below."
        case _:
            return bold(f"Over: {proposal.deed}")


def _topic(query: CallbackQuery) -> int | None:
    """The forum's topic that a pressed message stands in. Replies in other groups have a thread that is none."""
    message = query.message
    is_topic = isinstance(message, Message) and message.is_topic_message
    return message.message_thread_id if isinstance(message, Message) and is_topic else None


async def _answer(query: CallbackQuery) -> None:
    """The person's client stops waiting. Late or not, the press itself still counts or not by its row."""
    try:
        await query.answer()
    except TelegramError as error:
        _log.info("A press could not be answered: %s", error)
