"""What the house has of Airflow: one API, the questions and DAGs in it, and what chats were shown."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from tradehook_bot.airflow.dags import Dags
from tradehook_bot.airflow.prompt_rows import PromptRows
from tradehook_bot.airflow.prompts import Prompts
from tradehook_bot.airflow.rest import AirflowApi
from tradehook_bot.airflow.run_rows import RunRows

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_bot.airflow.settings import AirflowSettings
    from tradehook_bot.store import Store


def _nothing() -> None:
    """Until somebody follows it."""


class AirflowLink:
    """One Airflow, for one bot."""

    def __init__(self, settings: AirflowSettings, store: Store) -> None:
        """Ask nothing yet."""
        self.api = AirflowApi(settings)
        self.url = settings.url
        self.prompts = Prompts(self.api)
        self.prompt_rows = PromptRows(store)
        self.dags = Dags(self.api)
        self.run_rows = RunRows(store)
        self.showing = asyncio.Lock()
        """Held while a question's message is edited: two at once would show buttons that are void."""
        self.hurry_prompts: Callable[[], None] = _nothing
        """Look at what is asked now rather than at the next time. Set by whoever follows it."""

    async def close(self) -> None:
        """Let go of the connection. May be repeated."""
        await self.api.close()
