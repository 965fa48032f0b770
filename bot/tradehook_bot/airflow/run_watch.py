"""Follows the runs that were started from chat: each one's message says how it stands, until it has ended."""

from __future__ import annotations

import logging
import time
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook_bot.airflow import run_words
from tradehook_bot.airflow.dags import ENDED
from tradehook_bot.airflow.rest import NOT_FOUND, UNAUTHORIZED, AirflowAway, AirflowRefused, AirflowUnreadable
from tradehook_bot.airflow.run_rows import ASKED, OVER
from tradehook_bot.chats import Loudness
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.airflow.link import AirflowLink
    from tradehook_bot.airflow.run_rows import RunRow
    from tradehook_bot.context import House

_log = logging.getLogger(__name__)
POLL_SECONDS = 3.0
LONGEST_PAUSE_SECONDS = 60.0
LOOKED_FOR = timedelta(minutes=2)
"""A run that Airflow may have been asked for and does not have by then was never started."""
_WORTH_A_MESSAGE = timedelta(seconds=10)
"""Whoever waits for a run that takes less still looks at its message."""


class RunWatch:
    """The runs of one Airflow. `tick` often; it asks nothing where nothing runs."""

    def __init__(self, house: House, link: AirflowLink) -> None:
        """Look at nothing yet."""
        self._house = house
        self._link = link
        self._asks_at = 0.0
        self._failures = 0
        self._doubts: dict[str, tuple[int, float]] = {}
        """Of a run that cannot be read: how often in a row, and when it is its turn again."""
        self._edits_at: dict[str, float] = {}

    async def tick(self) -> None:
        """How runs stand is told, as far as it is time to look."""
        house, link = self._house, self._link
        if not house.may_send():
            return
        rows = await house.store.do(link.run_rows.open)
        if rows and time.monotonic() >= self._asks_at:
            await self._round(rows)
            self._asks_at = time.monotonic() + _pause_seconds(self._failures)
        due = await house.store.do(link.run_rows.due)
        people = {user.user_id for user in await house.store.do(house.access.users)} if due else set()
        for row in due:
            if row.where.user_id not in people:
                continue  # whoever may not use the bot any more is told nothing more
            if time.monotonic() < self._edits_at.get(row.proposal_id, 0.0):
                continue
            if await house.voice.edit(row.where.chat_id, row.message_id, row.words, is_patient=False):
                self._edits_at.pop(row.proposal_id, None)
                await house.store.do(link.run_rows.shows, row)
            else:
                self._edits_at[row.proposal_id] = time.monotonic() + POLL_SECONDS

    async def _round(self, rows: Sequence[RunRow]) -> None:
        """Each run is looked at. One that cannot be read waits by itself; where Airflow is away, all of them do."""
        for row in rows:
            failures, due_at = self._doubts.get(row.proposal_id, (0, 0.0))
            if time.monotonic() < due_at:
                continue
            try:
                await self._look(row)
            except TradehookError as error:
                if _is_about_all(error):
                    self._failures += 1
                    if self._failures == 1:
                        _log.warning("How runs in Airflow stand is not known for now: %s", error.message)
                    return
                if not failures:
                    _log.warning("How run %s in Airflow stands is not known for now: %s", row.run_id, error.message)
                self._doubts[row.proposal_id] = failures + 1, time.monotonic() + _pause_seconds(failures + 1)
            else:
                self._doubts.pop(row.proposal_id, None)
        self._failures = 0

    async def _look(self, row: RunRow) -> None:
        link = self._link
        try:
            state = await link.dags.state(row.dag_id, row.run_id)
        except AirflowRefused as error:
            if error.status != NOT_FOUND:
                raise
            if row.state != ASKED:
                await self._end(row, run_words.gone(row), Weight.NEWS)
            elif now() - row.made_at > LOOKED_FOR:
                await self._end(row, run_words.never(row), Weight.URGENT)
            return
        if state not in ENDED:
            if state != row.state:
                await self._tell(row, state, run_words.under_way(row, state))
            return
        troubles = await link.dags.troubles(row.dag_id, row.run_id) if state != "success" else ()
        words = run_words.over(row, state, troubles, url=link.url, seconds=(now() - row.made_at).total_seconds())
        await self._end(row, words, Weight.URGENT if state != "success" else Weight.NEWS)

    async def _end(self, row: RunRow, words: str, weight: Weight) -> None:
        """It says so for good; whoever may not be looking any more gets a message."""
        house = self._house
        is_quiet = await house.store.do(house.chats.loudness, row.where.chat_id) is Loudness.QUIET
        is_worth_it = weight is Weight.URGENT or (not is_quiet and now() - row.made_at > _WORTH_A_MESSAGE)
        letter = Letter(row.where.chat_id, f"{row.proposal_id}:run over", words, row.message_id, weight=weight)
        letter = letter.at(row.where)
        await self._tell(row, OVER, words, letter=letter if is_worth_it else None)
        if is_worth_it:
            await house.look()

    async def _tell(self, row: RunRow, state: str, words: str, *, letter: Letter | None = None) -> None:
        house = self._house
        await house.store.do(self._link.run_rows.tell, row, state, words, outbox=house.outbox, letter=letter)


def _is_about_all(error: TradehookError) -> bool:
    """Whether the next run would fare no better: Airflow is away, or does not let us in."""
    if isinstance(error, AirflowRefused):
        return bool(error.status == UNAUTHORIZED)
    return isinstance(error, AirflowAway) and not isinstance(error, AirflowUnreadable)


def _pause_seconds(failures: int) -> float:
    return min(POLL_SECONDS * 2.0 ** min(failures, 10), LONGEST_PAUSE_SECONDS)
