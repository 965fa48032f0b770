"""Lets a question's message say what it should, with a button for each answer as long as it is open.

Each button is a proposal of its own, made and bound before it can be seen. Buttons that a message had before are void.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook_bot import keyboards
from tradehook_bot.airflow import prompt_words
from tradehook_bot.airflow.prompt_rows import APPROVAL
from tradehook_bot.airflow.prompts import ApprovalAsked

if TYPE_CHECKING:
    from telegram import InlineKeyboardMarkup

    from tradehook_bot.airflow.link import AirflowLink
    from tradehook_bot.airflow.prompt_rows import PromptRow
    from tradehook_bot.context import House

TYPED = "/approvals"
_LIFETIME = timedelta(days=30)
"""Airflow says when a question is over; this only ends what it forgot."""
_LONGEST_DEED = 200


async def show(house: House, link: AirflowLink, row: PromptRow) -> bool:
    """The message says what is wanted of it, if Telegram takes that now. May be repeated."""
    async with link.showing:
        fresh = await house.store.do(link.prompt_rows.get, row.where.chat_id, row.prompt.ti_id)
        if fresh is None or fresh.message_id is None or fresh.shown == fresh.wanted:
            return True
        return await _show(house, link, fresh, message_id=fresh.message_id)


async def _show(house: House, link: AirflowLink, row: PromptRow, *, message_id: int) -> bool:
    chat_id = row.where.chat_id
    await house.store.do(link.prompt_rows.void_buttons, chat_id, message_id)
    keyboard = None
    if row.ending is not None:
        words = row.ending
    else:
        zone = await house.store.do(house.chats.zone, chat_id)
        words = prompt_words.asked(row.prompt, zone=zone, url=link.url, note=row.note)
        if not prompt_words.why_not_here(row.prompt):
            keyboard = await house.store.do(_keyboard, house, row, message_id)
    if not await house.voice.edit(chat_id, message_id, words, keyboard=keyboard, is_patient=False):
        return False
    await house.store.do(link.prompt_rows.shows, row)
    return True


def _keyboard(house: House, row: PromptRow, message_id: int) -> InlineKeyboardMarkup:
    """A button for each answer. Blocking."""
    prompt = row.prompt
    choices: list[tuple[str, str]] = []
    for option in prompt.options:
        label = prompt_words.option(option)
        proposal, token = house.proposals.make(
            APPROVAL,
            ApprovalAsked(place=prompt.place, ti_id=prompt.ti_id, digest=prompt.digest, option=option),
            where=row.where,
            account=None,
            typed=TYPED,
            deed=f"{label}: {prompt_words.subject(prompt)}"[:_LONGEST_DEED],
            lifetime=_LIFETIME,
        )
        # The message belongs to the question, which outlives each of its buttons: they are not put away one by one.
        house.proposals.buttons_are_gone(proposal.proposal_id)
        house.proposals.bind(proposal.proposal_id, message_id=message_id)
        choices.append((label, token))
    return keyboards.choices(choices)
