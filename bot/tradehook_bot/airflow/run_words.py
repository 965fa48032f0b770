"""What is said of runs that were started from chat, as HTML."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot.airflow.conf import shown
from tradehook_bot.airflow.prompt_words import one_line
from tradehook_bot.airflow.rest import part
from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook_bot.airflow.dags import Dag
    from tradehook_bot.airflow.run_rows import RunRow

_LONGEST_DESCRIPTION, _LONGEST_VALUE, _LONGEST_NAME = 300, 200, 80
_MOST_PARAMS, _MOST_TASKS = 25, 10


def listed(dags: Sequence[Dag]) -> str:
    """Every DAG that may be started, with what it is for."""
    if not dags:
        return f"{bold('Airflow has nothing to start from here.')}\nA DAG needs the tag {code('tradehook')}."
    lines = [bold("What can be started in Airflow")]
    for dag in dags:
        stands = " (paused)" if dag.is_paused else " (its file is broken)" if dag.is_broken else ""
        about = f": {text(one_line(dag.description, _LONGEST_DESCRIPTION))}" if dag.description else ""
        lines.append(f"{code(f'/run {dag.dag_id}')}{stands}{about}")
    return "\n".join(lines)


def card(dag: Dag, conf: Mapping[str, object]) -> Sequence[str]:
    """The question whether a DAG shall be started so."""
    lines = [bold(f"Start {dag.dag_id} in Airflow?")]
    if dag.description:
        lines.append(f"│ {text(one_line(dag.description, _LONGEST_DESCRIPTION))}")
    for param in dag.params[:_MOST_PARAMS]:
        value = conf.get(param.name, param.default)
        said = one_line(shown(value), _LONGEST_VALUE) or "(empty)"
        name = text(one_line(param.name, _LONGEST_NAME))
        lines.append(f"{name} = {bold(said)} (typed)" if param.name in conf else f"{name} = {text(said)}")
    if len(dag.params) > _MOST_PARAMS:
        lines.append(f"and {len(dag.params) - _MOST_PARAMS} more as they stand in the DAG")
    return lines


def starting(dag_id: str) -> str:
    """Airflow is being asked."""
    return f"{bold(f'Starting {dag_id} in Airflow')}…"


def unknown(row: RunRow, why: str) -> str:
    """Airflow was asked, and nobody knows."""
    return (
        f"{bold(f'UNKNOWN: {row.dag_id}')}\n{why} It may have started or not. I look for it, and say what I find here. "
        f"A run of this id can only start once.\n{code(row.run_id)}"
    )


def under_way(row: RunRow, state: str) -> str:
    """It exists and has not ended."""
    stands = {"queued": "waits to begin", "running": "runs"}.get(state, state)
    return f"{bold(f'{row.dag_id} {one_line(stands, 40)}')} in Airflow\n{code(row.run_id)}"


def over(row: RunRow, state: str, troubles: Sequence[tuple[str, str]], *, url: str, seconds: float) -> str:
    """It has ended."""
    if state == "success":
        return f"{bold(f'{row.dag_id} is done')} in Airflow, after {_span(seconds)}\n{code(row.run_id)}"
    failed = [name for name, how in troubles if how == "failed"]
    never = [name for name, how in troubles if how != "failed"]
    lines = [f"{bold(f'{row.dag_id} failed')} in Airflow, after {_span(seconds)}"]
    if failed:
        lines.append(f"Failed: {text(_names(failed))}")
    if never:
        lines.append(f"Never came to their turn: {text(_names(never))}")
    page = f"{url}/dags/{part(row.dag_id)}/runs/{part(row.run_id)}"
    return "\n".join([*lines, "What it did before that stands: /history", code(page)])


def gone(row: RunRow) -> str:
    """Somebody deleted it."""
    return f"{bold(f'{row.dag_id}: the run is gone from Airflow')}\nSomebody deleted it.\n{code(row.run_id)}"


def never(row: RunRow) -> str:
    """It was never started."""
    return f"{bold(f'Not started: {row.dag_id}')}\nAirflow does not have this run.\n{code(row.run_id)}"


def _names(names: Sequence[str]) -> str:
    more = f" and {len(names) - _MOST_TASKS} more" if len(names) > _MOST_TASKS else ""
    return ", ".join(one_line(name, _LONGEST_NAME) for name in names[:_MOST_TASKS]) + more


def _span(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
