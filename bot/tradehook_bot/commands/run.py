"""`/run`: what can be started in Airflow; with a name, the question whether to start it."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_bot.airflow import run_words
from tradehook_bot.airflow.conf import read_conf
from tradehook_bot.commands.approvals import link_of
from tradehook_bot.deeds import airflow_run

if TYPE_CHECKING:
    from tradehook_bot.context import Ask


async def run(ask: Ask) -> None:
    """The person knows what can be started, or is asked whether to start it."""
    link = link_of(ask)
    if not ask.words:
        await ask.reply_of_all(run_words.listed(await link.dags.list()))
        return
    name = ask.words[0]
    dag = await link.dags.get(name)
    if dag is None:
        names = [each.dag_id for each in await link.dags.list()]
        close = get_close_matches(name, names, n=3, cutoff=0.5)
        raise InvalidInput(
            f"Airflow has no {name[:60]!r} that can be started from here. /run lists what can.",
            suggestions=tuple(f"/run {each}" for each in close),
            needs_example=False,
        )
    await airflow_run.ask(ask.house, dag, read_conf(dag, ask.words[1:]), where=ask.where, typed=ask.text)
