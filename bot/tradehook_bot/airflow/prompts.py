"""What waits for a person in Airflow: human-in-the-loop tasks, as Airflow tells of them, and answering one.

A task is asked once a try: a try that was lost or cleared asks anew, under another id. An answer names no try, so
whoever answers looks right before (`digest`, `ti_id`) that the question is still the one that was read.
See: airflow.api_fastapi.core_api.routes.public.hitl of Airflow 3.3.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook.models import Value
from tradehook_bot.airflow.rest import AirflowAway, part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.airflow.rest import AirflowApi

YOUNGEST_SECONDS = 3.0
"""A prompt is left alone so long: Airflow may take a task for failed that goes on in the moment it began to wait."""
APPROVER = "approver"
"""The field of a form in which an answer says who is behind it; see the provider's `TradeApprovalOperator`."""
_LONGEST_APPROVER = 200
_WAITING = frozenset({"awaiting_input", "deferred"})
_PAGE, _MOST_PAGES = 100, 5
_OWN_OPERATOR = "TradeApprovalOperator"
_OWN_TIME = re.compile(r"No answer within (\d{1,7}(?:\.\d+)?) minutes is a no\.\s*\Z")


class Place(Value):
    """Which task of which run."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @property
    def path(self) -> str:
        """Where the API has its question."""
        names = f"dags/{part(self.dag_id)}/dagRuns/{part(self.run_id)}/taskInstances/{part(self.task_id)}"
        return f"{names}/{self.map_index}/hitlDetails"

    @property
    def page(self) -> str:
        """Where the page for people stands, below Airflow's address."""
        return (
            f"dags/{part(self.dag_id)}/runs/{part(self.run_id)}/tasks/{part(self.task_id)}/required_actions"
            f"?map_index={self.map_index}"
        )


class Prompt(Value):
    """A question of a task. All of its words are a DAG author's: they are shown, never obeyed."""

    place: Place
    ti_id: str
    try_number: int
    state: str | None
    operator: str | None
    subject: str
    body: str
    options: tuple[str, ...]
    defaults: tuple[str, ...]
    is_multiple: bool
    fields: tuple[str, ...]
    """The names of its form's fields."""
    takes_approver: bool
    assigned: tuple[str, ...]
    """Who may answer, by name; empty: whoever may answer for the DAG."""
    created_at: datetime
    answered_at: datetime | None = None
    answered_by: str | None = None
    """The Airflow account; `None` where nobody answered in time."""
    approver: str = ""
    """Whom the answer itself names."""
    chosen: tuple[str, ...] = ()

    @property
    def is_open(self) -> bool:
        """Whether an answer would count."""
        return self.answered_at is None and self.state in _WAITING

    @property
    def other_fields(self) -> Sequence[str]:
        """What a form asks for beside who answers: that needs Airflow's own page."""
        return [name for name in self.fields if not (name == APPROVER and self.takes_approver)]

    @property
    def ends_at(self) -> datetime | None:
        """When silence counts, where that is known: Airflow does not tell it, our own operator does in its words."""
        if self.operator != _OWN_OPERATOR or (told := _OWN_TIME.search(self.body)) is None:
            return None
        return self.created_at + timedelta(seconds=int(Decimal(told[1]) * 60))

    @property
    def digest(self) -> str:
        """Names what was asked, and of which try. What a person said yes to is this and nothing else."""
        asked = [
            self.place.model_dump(),
            self.ti_id,
            self.try_number,
            self.subject,
            self.body,
            self.options,
            self.defaults,
            self.is_multiple,
            self.fields,
        ]
        return hashlib.sha256(json.dumps(asked).encode()).hexdigest()[:32]


class ApprovalAsked(Value):
    """What is stored of a button under a question: which answer, to which question of which try."""

    place: Place
    ti_id: str
    digest: str
    option: str


class Prompts:
    """The questions of one Airflow."""

    def __init__(self, api: AirflowApi) -> None:
        """Ask nothing yet."""
        self._api = api

    async def open(self) -> Sequence[tuple[Prompt, float]]:
        """All that wait for an answer, the oldest first, each with its age in seconds by Airflow's own clock.

        Raises:
            AirflowError: it cannot be asked.
        """
        found: list[tuple[Prompt, float]] = []
        for page in range(_MOST_PAGES):
            answer = await self._api.ask(
                "GET",
                "dags/~/dagRuns/~/hitlDetails",
                params={
                    "response_received": "false",
                    "order_by": "created_at",
                    "limit": str(_PAGE),
                    "offset": str(page * _PAGE),
                },
            )
            try:
                said = answer.json()["hitl_details"]
                read = [_read(each) for each in said]
            except (KeyError, TypeError, ValueError) as error:
                raise _unreadable(error) from None
            # Airflow's clock is told in whole seconds, so an age is never taken for more than it is.
            found += [(each, answer.at_seconds - each.created_at.timestamp()) for each in read if each.is_open]
            if len(said) < _PAGE:
                break
        return found

    async def get(self, place: Place) -> tuple[Prompt, float]:
        """The question of a task as it stands now, and its age.

        Raises:
            AirflowRefused: with status 404, there is none any more.
            AirflowError: it cannot be asked.
        """
        answer = await self._api.ask("GET", place.path)
        try:
            prompt = _read(answer.json())
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(error) from None
        return prompt, answer.at_seconds - prompt.created_at.timestamp()

    async def answer(self, prompt: Prompt, option: str, *, approver: str) -> None:
        """Airflow has taken this answer. It takes one: a second is a 409, whoever gives it.

        Raises:
            AirflowRefused: 409 answered already, 403 not assigned, 404 gone.
            AirflowAway: it could not be asked, or nobody knows.
        """
        # A form is taken whole or not at all.
        form = {APPROVER: approver[:_LONGEST_APPROVER]} if prompt.takes_approver and not prompt.other_fields else {}
        await self._api.ask("PATCH", prompt.place.path, body={"chosen_options": [option], "params_input": form})


def too_young_seconds(age: float) -> float:
    """How long a question of this age is left alone yet; 0 when it may be answered."""
    # One more second, because Airflow tells its time in whole ones.
    return min(YOUNGEST_SECONDS - age, YOUNGEST_SECONDS) + 1 if age < YOUNGEST_SECONDS else 0.0


def _read(said: Any) -> Prompt:
    task, params = said["task_instance"], said.get("params") or {}
    given, by = said.get("params_input") or {}, said.get("responded_by_user")
    return Prompt(
        place=Place(
            dag_id=task["dag_id"], run_id=task["dag_run_id"], task_id=task["task_id"], map_index=task["map_index"]
        ),
        ti_id=str(task["id"]),
        try_number=task["try_number"],
        state=task.get("state"),
        operator=task.get("operator_name") or task.get("operator"),
        subject=said["subject"],
        body=said.get("body") or "",
        options=tuple(said["options"]),
        defaults=tuple(said.get("defaults") or ()),
        is_multiple=bool(said.get("multiple")),
        fields=tuple(params),
        takes_approver=APPROVER in params and _takes_text(params[APPROVER]),
        assigned=tuple(str(each.get("name") or each["id"]) for each in said.get("assigned_users") or ()),
        created_at=_time(said["created_at"]),
        answered_at=_time(said["responded_at"]) if said.get("responded_at") else None,
        answered_by=str(by.get("name") or by["id"]) if by else None,
        approver=str(given.get(APPROVER) or ""),
        chosen=tuple(said.get("chosen_options") or ()),
    )


def _takes_text(param: Any) -> bool:
    kind = (param.get("schema") or {}).get("type") if isinstance(param, dict) else None
    return kind is None or kind == "string" or (isinstance(kind, list) and "string" in kind)


def _time(text: str) -> datetime:
    at = datetime.fromisoformat(text)
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _unreadable(error: Exception) -> AirflowAway:
    return AirflowAway(f"Airflow told of a question in a way I cannot read ({type(error).__name__}).")
