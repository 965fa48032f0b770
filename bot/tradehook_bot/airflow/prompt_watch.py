"""Follows what waits for a person in Airflow: new questions come as messages, and each message stays true.

What a chat was shown stands in rows, so a restart asks nobody twice and forgets no edit. While Airflow is away it is
asked less and less often, and what is open stays as it is.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook_bot.access import only_looks
from tradehook_bot.airflow import prompt_words
from tradehook_bot.airflow.prompt_messages import show
from tradehook_bot.airflow.prompts import too_young_seconds
from tradehook_bot.airflow.rest import NOT_FOUND, AirflowRefused

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tradehook_bot.airflow.link import AirflowLink
    from tradehook_bot.airflow.prompt_rows import PromptRow
    from tradehook_bot.airflow.prompts import Prompt
    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
POLL_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 60.0
_EDIT_AGAIN_SECONDS = 5.0


class PromptWatch:
    """The questions of one Airflow in every chat. `tick` often."""

    def __init__(self, house: House, link: AirflowLink) -> None:
        """Look at nothing yet."""
        self._house = house
        self._link = link
        self._asks_at = 0.0
        self._failures = 0
        self._edits_at: dict[tuple[int, str], float] = {}
        link.hurry_prompts = self._hurry

    async def tick(self) -> None:
        """What is new in Airflow is told, as far as it is time to look, and messages say what they should."""
        if not self._house.may_send():
            return
        if time.monotonic() >= self._asks_at:
            await self._ask()
        await self._show_due()

    def _hurry(self) -> None:
        """Look at the next tick: something was answered."""
        if self._failures == 0:
            self._asks_at = 0.0

    async def _ask(self) -> None:
        try:
            await self._look()
        except TradehookError as error:
            self._failures += 1
            if self._failures == 1:
                _log.warning("What waits in Airflow is not known for now: %s", error.message)
        else:
            if self._failures:
                _log.info("Airflow answers again.")
            self._failures = 0
        pause = min(POLL_SECONDS * 2 ** min(self._failures, 10), LONGEST_PAUSE_SECONDS)
        self._asks_at = time.monotonic() + (pause if self._failures else POLL_SECONDS)

    async def _look(self) -> None:
        house, link = self._house, self._link
        found = await link.prompts.open()
        ready = [prompt for prompt, age in found if not too_young_seconds(age)]
        if await house.store.do(self._take_in, ready):
            await house.look()
        listed = {prompt.ti_id for prompt, _ in found}
        missing: dict[str, list[PromptRow]] = {}
        for row in await house.store.do(link.prompt_rows.open):
            if row.prompt.ti_id not in listed:
                missing.setdefault(row.prompt.ti_id, []).append(row)
        for rows in missing.values():
            await self._end(rows)

    def _take_in(self, prompts: Sequence[Prompt]) -> bool:
        """New questions are letters to everybody who may answer; whether there were any. Blocking."""
        house = self._house
        chats = [user.user_id for user in house.access.users() if not only_looks(user.role)]
        return self._link.prompt_rows.take_in(prompts, chats=chats, outbox=house.outbox, words=self._words)

    def _words(self, chat_id: int, prompt: Prompt) -> str:
        return prompt_words.asked(prompt, zone=self._house.chats.zone(chat_id), url=self._link.url)

    async def _end(self, rows: Sequence[PromptRow]) -> None:
        """A question is not listed any more: its messages say what became of it, if it is over."""
        before = rows[0].prompt
        try:
            prompt, _ = await self._link.prompts.get(before.place)
        except AirflowRefused as error:
            if error.status != NOT_FOUND:
                raise
            await self._house.store.do(self._link.prompt_rows.end, rows, prompt_words.gone(before))
            return
        if prompt.ti_id != before.ti_id:
            await self._house.store.do(self._link.prompt_rows.end, rows, prompt_words.asked_anew(before))
        elif not prompt.is_open:
            for row in rows:
                zone: tzinfo = await self._house.store.do(self._house.chats.zone, row.where.chat_id)
                ending = prompt_words.ended(prompt, zone=zone)
                await self._house.store.do(self._link.prompt_rows.end, [row], ending)

    async def _show_due(self) -> None:
        due = await self._house.store.do(self._link.prompt_rows.due)
        people = {user.user_id for user in await self._house.store.do(self._house.access.users)} if due else set()
        for row in due:
            if row.where.user_id not in people:
                continue  # whoever may not use the bot any more is told nothing more
            key = (row.where.chat_id, row.prompt.ti_id)
            if time.monotonic() < self._edits_at.get(key, 0.0):
                continue
            if await show(self._house, self._link, row):
                self._edits_at.pop(key, None)
            else:
                self._edits_at[key] = time.monotonic() + _EDIT_AGAIN_SECONDS
