"""`/approvals`: what waits for a person in Airflow, each with a button for every answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import ConfigurationError
from tradehook_bot.access import only_looks
from tradehook_bot.airflow import prompt_words
from tradehook_bot.airflow.prompt_messages import show
from tradehook_bot.airflow.prompts import too_young_seconds
from tradehook_bot.airflow.settings import HOW_TO_SET
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from tradehook_bot.airflow.link import AirflowLink
    from tradehook_bot.airflow.prompts import Prompt
    from tradehook_bot.context import Ask

_SHOWN = 5


async def approvals(ask: Ask) -> None:
    """The person has every open question before them, and can answer it if they may trade."""
    link = link_of(ask)
    found = await link.prompts.open()
    ready = [prompt for prompt, age in found if not too_young_seconds(age)]
    user = await ask.house.store.do(ask.house.access.user, ask.user_id)
    may_answer = user is not None and not only_looks(user.role)
    lines = [bold(_count(len(ready)))]
    if len(found) > len(ready):
        lines.append(f"{len(found) - len(ready)} more came just now; I show it in a moment.")
    if len(ready) > _SHOWN:
        lines.append(f"Here are the oldest {_SHOWN}; /approvals shows more when those are answered.")
    if ready and not may_answer:
        lines.append("You may look, not answer.")
    await ask.reply_of_all("\n".join(lines))
    for prompt in ready[:_SHOWN]:
        await _show(ask, link, prompt, may_answer=may_answer)


def link_of(ask: Ask) -> AirflowLink:
    """The house's Airflow.

    Raises:
        ConfigurationError: none is set; says how.
    """
    if ask.house.airflow is None:
        raise ConfigurationError(HOW_TO_SET)
    return ask.house.airflow


async def _show(ask: Ask, link: AirflowLink, prompt: Prompt, *, may_answer: bool) -> None:
    """The question stands in the chat's newest message, and only there can it be answered."""
    house = ask.house
    body = prompt_words.asked(prompt, zone=await ask.zone(), url=link.url, has_buttons=may_answer)
    message_id = await ask.reply_of_all(body)
    if not may_answer:
        return
    before = await house.store.do(link.prompt_rows.put, prompt, where=ask.where, message_id=message_id)
    if before is not None and before != message_id:
        await house.store.do(link.prompt_rows.void_buttons, ask.chat_id, before)
        words = f"{bold('Shown again below')}: {text(prompt_words.subject(prompt))}"
        await house.voice.edit(ask.chat_id, before, words)
    row = await house.store.do(link.prompt_rows.get, ask.chat_id, prompt.ti_id)
    if row is not None:
        await show(house, link, row)


def _count(number: int) -> str:
    if number == 0:
        return "Nothing waits for a person in Airflow."
    return "One question waits in Airflow." if number == 1 else f"{number} questions wait in Airflow."
