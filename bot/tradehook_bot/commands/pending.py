"""`/pending`: what waits: questions for their person, and intents that were not sent yet or are on their way."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.desk.intents import State
from tradehook_bot.commands.orders import unknowns
from tradehook_bot.open_questions import open_questions
from tradehook_bot.replies import bold, code, text
from tradehook_bot.store import now
from tradehook_bot.words import deed_of
from tradehook_bot.zones import clock, moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tradehook.desk.intents import Intent
    from tradehook_bot.context import Ask, House

_UNDER_WAY = (State.CREATED, State.SENDING, State.EXECUTING)
_FORGOTTEN_AFTER = timedelta(days=1)
"""An intent that was never sent and that nobody asked for again since then waits for nothing."""
_SHOWN = 15
_MOST = 500


async def pending(ask: Ask) -> None:
    """The person has seen what waits for them, and what waits for something else."""
    house = ask.house
    zone = await ask.zone()
    asked = await house.store.do(open_questions, house.store, user_id=ask.user_id, chat_id=ask.chat_id)
    waiting = await house.store.do(_waiting, house)
    doubtful = [intent for account in house.accounts for intent in await unknowns(house, account)]
    in_airflow = await house.store.do(_in_airflow, house, ask.chat_id)
    lines = [bold("Waiting for your answer" if asked or in_airflow else "No question waits for you.")]
    for question in asked:
        named = f" · {text(question.account)}" if house.has_several and question.account else ""
        lines.append(f"{text(question.deed)}{named}, until {text(clock(question.expires_at, zone))}")
    if in_airflow:
        lines.append(f"{in_airflow} in Airflow: /approvals")
    if waiting:
        lines += ["", bold("Not sent yet, or on its way")]
        lines += [_line(intent, zone) for intent in waiting[:_SHOWN]]
        lines += [f"and {len(waiting) - _SHOWN} more"] if len(waiting) > _SHOWN else []
    if doubtful:
        lines += ["", f"{len(doubtful)} UNKNOWN: /unknown"]
    lines.append("What rests at the exchange: /orders")
    await ask.reply_of_all("\n".join(lines))


def _in_airflow(house: House, chat_id: int) -> int:
    """How many of Airflow's questions are open in this chat, as far as is known. Blocking."""
    rows = house.airflow.prompt_rows.open() if house.airflow is not None else ()
    return sum(row.where.chat_id == chat_id for row in rows)


def _waiting(house: House) -> Sequence[Intent]:
    unsent = house.journal.list(states=[State.PREPARED], since=now() - _FORGOTTEN_AFTER, limit=_MOST)
    found = [*house.journal.list(states=_UNDER_WAY, limit=_MOST), *(each for each in unsent if not _is_over(each))]
    found.sort(key=lambda intent: intent.created_at, reverse=True)
    return [intent for intent in found if house.account_of(intent) is not None]


def _is_over(intent: Intent) -> bool:
    """Whether it was refused, and nobody can ask for it again: the question that it came from was answered once."""
    return intent.error is not None and intent.source.startswith("chat:")


def _line(intent: Intent, zone: tzinfo) -> str:
    what = {State.SENDING: "being sent", State.EXECUTING: "being sent", State.CREATED: "waits to be signed"}
    stands = what.get(intent.reads_as, "not sent yet")
    why = str((intent.error or {}).get("message", ""))
    head = f"{text(deed_of(intent))}: {stands}{f'. {text(render.in_chat(why))}' if why else ''}"
    named = f"{text(intent.account)} · {text(moment(intent.created_at, zone))}"
    return f"{head}\n{named} · from {text(render.source_words(intent.source))} · {code(intent.intent_id)}"
