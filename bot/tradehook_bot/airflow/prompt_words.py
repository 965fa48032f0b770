"""What is said of Airflow's questions. Their author's lines are marked as such, and nothing in them acts.

No markup of theirs is markup here, no letter of theirs turns the line around, and what looks like one of our commands
cannot be tapped.
"""

from __future__ import annotations

import re
from datetime import UTC
from typing import TYPE_CHECKING

from tradehook_bot.replies import bold, code, text
from tradehook_bot.store import now
from tradehook_bot.zones import moment

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import tzinfo

    from tradehook_bot.airflow.prompts import Prompt

_LONGEST_SUBJECT, _LONGEST_BODY, _LONGEST_NAME = 200, 1500, 60
_MOST_NAMES = 5
LONGEST_OPTION = 40
MOST_BUTTONS = 8
_COMMAND = re.compile(r"(?<![\w/<])/(?=\w)")
_WORD_JOINER = "\u2060"


def asked(prompt: Prompt, *, zone: tzinfo, url: str, note: str = "", has_buttons: bool = True) -> str:
    """An open question as HTML.

    Args:
        prompt: what Airflow asks.
        zone: the chat's.
        url: Airflow's address.
        note: HTML, what happened to it before.
        has_buttons: whether it can be answered below.
    """
    lines = [bold(subject(prompt)), f"Airflow asks · {_where(prompt)}"]
    lines += [f"│ {text(line)}" for line in _body(prompt.body)]
    if prompt.assigned:
        lines.append(
            f"Only for: {text(', '.join(one_line(name, _LONGEST_NAME) for name in prompt.assigned[:_MOST_NAMES]))}"
        )
    lines.append(_silence(prompt, zone))
    if note:
        lines.append(note)
    if why := why_not_here(prompt):
        lines.append(f"{why} {code(f'{url}/{prompt.place.page}')}")
    elif has_buttons and prompt.is_multiple:
        lines.append(f"A tap answers with that one alone; several: {code(f'{url}/{prompt.place.page}')}")
    return "\n".join(lines)


def why_not_here(prompt: Prompt) -> str:
    """Why a question has no buttons in chat; empty where it has."""
    if prompt.other_fields:
        fields = ", ".join(one_line(name, _LONGEST_NAME) for name in prompt.other_fields[:_MOST_NAMES])
        return f"It asks for more than a choice ({text(fields)}). Answer it in Airflow:"
    if len(prompt.options) > MOST_BUTTONS:
        return f"It has {len(prompt.options)} answers, too many for buttons. Answer it in Airflow:"
    return ""


def ended(prompt: Prompt, *, zone: tzinfo) -> str:
    """A question that is over, as HTML: how, by whom, when."""
    if prompt.answered_at is None:
        fact = f"Over without an answer ({text(one_line(prompt.state or 'no state', 30))})"
        return f"{bold(fact)}: {text(subject(prompt))}\n{_where(prompt)}"
    chosen = ", ".join(one_line(each, LONGEST_OPTION) for each in prompt.chosen) or "nothing"
    at = text(moment(prompt.answered_at.astimezone(UTC), zone))
    if prompt.answered_by is None:
        return f"{bold(f'{chosen}: nobody answered in time')}\n{text(subject(prompt))}\n{_where(prompt)} · {at}"
    return f"{bold(f'{chosen}: answered')} by {who(prompt)} at {at}\n{text(subject(prompt))}\n{_where(prompt)}"


def who(prompt: Prompt) -> str:
    """Who answered, as HTML: the person whom the answer names, and the account that Airflow recorded."""
    account = text(one_line(prompt.answered_by or "nobody", _LONGEST_NAME))
    return f"{text(one_line(prompt.approver, _LONGEST_NAME))} ({account})" if prompt.approver else account


def gone(prompt: Prompt) -> str:
    """A question that Airflow does not have any more, as HTML."""
    return f"{bold('Gone from Airflow')}: {text(subject(prompt))}\n{_where(prompt)}\nNothing was answered here."


def asked_anew(prompt: Prompt) -> str:
    """A question whose task runs again, as HTML."""
    return (
        f"{bold('Void: the task runs again')}: {text(subject(prompt))}\n{_where(prompt)}\n"
        "Nothing was answered here. If it asks again, that comes as a new message."
    )


def subject(prompt: Prompt) -> str:
    """The question in a line."""
    return one_line(prompt.subject, _LONGEST_SUBJECT) or "(a question without words)"


def option(words: str) -> str:
    """An answer as it stands on its button."""
    return one_line(words, LONGEST_OPTION) or "(empty)"


def _where(prompt: Prompt) -> str:
    place = prompt.place
    index = f"[{place.map_index}]" if place.map_index >= 0 else ""
    names = [one_line(place.dag_id, _LONGEST_NAME), one_line(place.task_id, _LONGEST_NAME) + index]
    return text(" · ".join([*names, one_line(place.run_id, _LONGEST_NAME)]))


def _silence(prompt: Prompt, zone: tzinfo) -> str:
    since = f"Asked {moment(prompt.created_at, zone)}."
    silence = ", ".join(one_line(each, LONGEST_OPTION) for each in prompt.defaults) or "the task fails"
    if prompt.ends_at is None:
        return text(f"{since} Silence, if its time is limited: {silence}.")
    over = " (about now)" if prompt.ends_at <= now() else ""
    return text(f"{since} Silence until {moment(prompt.ends_at, zone)}{over}: {silence}.")


def _body(body: str) -> Sequence[str]:
    """Line by line, as much as fits."""
    lines: list[str] = []
    left = _LONGEST_BODY
    for raw in body.splitlines():
        line = one_line(raw, _LONGEST_BODY)
        # What it takes as HTML counts, and a line has a mark in front.
        left -= len(text(line)) + 3
        if left < 0:
            return [*lines, "… (cut; the rest stands in Airflow)"]
        if line or (lines and lines[-1]):
            lines.append(line)
    return lines


def one_line(words: str, longest: int) -> str:
    """One line of somebody else's words: no letters that hide or turn others, no command to tap."""
    visible = "".join(letter if letter.isprintable() else " " for letter in words)
    short = " ".join(visible.split())
    short = short if len(short) <= longest else f"{short[: longest - 1]}…"
    return _COMMAND.sub(f"/{_WORD_JOINER}", short)
