"""Airflow's DAGs that may be started from chat, and their runs. Only those that carry the tag `tradehook`.

See: airflow.api_fastapi.core_api.routes.public.dags and dag_run of Airflow 3.3.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradehook_bot.airflow.rest import NOT_FOUND, AirflowRefused, AirflowUnreadable, part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook_bot.airflow.rest import AirflowApi

TAG = "tradehook"
ENDED = ("success", "failed")
_NAME = re.compile(r"(?=.*[A-Za-z0-9])[\w.-]{1,250}", re.ASCII)
_MOST = "100"
_FAILED = ("failed", "upstream_failed")


@dataclass(frozen=True, slots=True)
class Param:
    """One of a DAG's parameters."""

    name: str
    default: Any
    kinds: tuple[str, ...]
    """The types that its schema takes; of one that names none, the type of its default."""
    choices: tuple[Any, ...]
    description: str


@dataclass(frozen=True, slots=True)
class Dag:
    """A DAG that may be started."""

    dag_id: str
    description: str
    is_paused: bool
    is_broken: bool
    """Whether its file cannot be read just now."""
    params: tuple[Param, ...] = ()

    @property
    def digest(self) -> str:
        """Names what a run with these defaults is. What a person said yes to is this."""
        shown = [[each.name, each.default, each.kinds, each.choices] for each in self.params]
        return hashlib.sha256(json.dumps([self.dag_id, shown], default=str).encode()).hexdigest()[:32]


class Dags:
    """The DAGs of one Airflow."""

    def __init__(self, api: AirflowApi) -> None:
        """Ask nothing yet."""
        self._api = api

    async def list(self) -> Sequence[Dag]:
        """All that may be started from chat, by name.

        Raises:
            AirflowError: it cannot be asked.
        """
        said = await self._api.get("dags", tags=TAG, exclude_stale="true", order_by="dag_id", limit=_MOST)
        try:
            return [_read(each) for each in said["dags"]]
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(error) from None

    async def get(self, dag_id: str) -> Dag | None:
        """One of them with its parameters; `None` where there is none, or it does not carry the tag.

        Raises:
            AirflowError: it cannot be asked.
        """
        if not _NAME.fullmatch(dag_id):
            return None
        try:
            said = await self._api.get(f"dags/{part(dag_id)}/details")
        except AirflowRefused as error:
            if error.status == NOT_FOUND:
                return None
            raise
        try:
            is_ours = not said.get("is_stale") and any(tag["name"] == TAG for tag in said["tags"])
            return _read(said, params=said.get("params") or {}) if is_ours else None
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(error) from None

    async def start(self, dag_id: str, run_id: str, *, conf: Mapping[str, Any], note: str) -> str:
        """There is a run of this id, and how it stands. A run id is taken once, so that a repeat starts nothing.

        Raises:
            AirflowRefused: 409 there is one of this id already; 400 with these parameters there can be none.
            AirflowAway: it could not be asked, or nobody knows.
        """
        body = {"dag_run_id": run_id, "logical_date": None, "conf": dict(conf), "note": note[:1000]}
        answer = await self._api.ask("POST", f"dags/{part(dag_id)}/dagRuns", body=body)
        return _state(answer.json())

    async def state(self, dag_id: str, run_id: str) -> str:
        """How a run stands: `queued`, `running`, `success`, `failed`.

        Raises:
            AirflowRefused: 404, there is none.
            AirflowError: it cannot be asked.
        """
        return _state(await self._api.get(f"dags/{part(dag_id)}/dagRuns/{part(run_id)}"))

    async def troubles(self, dag_id: str, run_id: str) -> Sequence[tuple[str, str]]:
        """The tasks of a run that failed, or never came to their turn for that, each with its state.

        Raises:
            AirflowError: it cannot be asked.
        """
        path = f"dags/{part(dag_id)}/dagRuns/{part(run_id)}/taskInstances"
        said = await self._api.get(path, limit=_MOST, order_by="start_date")
        try:
            tasks = [(_task_name(each), each.get("state")) for each in said["task_instances"]]
        except (KeyError, TypeError, ValueError) as error:
            raise _unreadable(error) from None
        return [(name, state) for name, state in tasks if state in _FAILED]


def _read(said: Any, *, params: Mapping[str, Any] | None = None) -> Dag:
    return Dag(
        dag_id=str(said["dag_id"]),
        description=str(said.get("description") or ""),
        is_paused=bool(said["is_paused"]),
        is_broken=bool(said.get("has_import_errors")),
        params=tuple(_param(name, each) for name, each in (params or {}).items()),
    )


def _param(name: str, said: Any) -> Param:
    schema = said.get("schema") or {}
    kinds, default = schema.get("type"), said.get("value")
    if kinds is None:
        kinds = _kind_of(default) if "enum" not in schema else ()
    return Param(
        name=name,
        default=default,
        kinds=(kinds,) if isinstance(kinds, str) else tuple(kinds),
        choices=tuple(schema.get("enum") or ()),
        description=str(said.get("description") or ""),
    )


def _kind_of(default: Any) -> str:
    if isinstance(default, bool):
        return "boolean"
    if isinstance(default, dict | list):
        return "object" if isinstance(default, dict) else "array"
    return "string" if default is None or isinstance(default, str) else "number"


def _task_name(said: Any) -> str:
    index = said["map_index"]
    return f"{said['task_id']}[{index}]" if index >= 0 else str(said["task_id"])


def _state(said: Any) -> str:
    state = said.get("state") if isinstance(said, dict) else None
    if not isinstance(state, str):
        raise AirflowUnreadable("Airflow told of a run in a way I cannot read.", may_be_done=True)
    return state


def _unreadable(error: Exception) -> AirflowUnreadable:
    return AirflowUnreadable(f"Airflow told of its DAGs in a way I cannot read ({type(error).__name__}).")
