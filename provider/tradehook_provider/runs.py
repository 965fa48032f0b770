"""Which deed a task instance stands for: its intent id, its name in the journal, and whether it may trade at all.

A task instance is one deed, however often it is tried, cleared or killed. So the id is made of what stays the same
over all of that, never of the try number or of `ti.id`, which is new on every try.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tradehook.errors import GuardRefused

if TYPE_CHECKING:
    from airflow.sdk import Context

    from tradehook_provider.hooks.exchange import ExchangeHook

_SHORTEST_INTERVAL = timedelta(hours=1)


def task_intent_id(context: Context, *, hook: ExchangeHook, leg: str, generation: int = 0) -> str:
    """The id of what this task instance does. Signs in, because the account belongs to it.

    Args:
        context: of the running task.
        hook: the account's hook. The account is host and user, so two connections to it share the deed.
        leg: which of the task's deeds.
        generation: how often somebody decided to do it again on purpose.
    """
    from tradehook.desk.intents import derived_id
    from tradehook.run import run

    exchange = hook.get_conn().exchange
    account = f"{exchange.host}/{run(exchange.account_id())}"
    ti = context["ti"]
    first = derived_id(
        hook.desk.journal.namespace(),
        account,
        ti.dag_id,
        ti.run_id,
        ti.task_id,
        str(ti.map_index if ti.map_index is not None else -1),
        leg,
        str(generation),
    )
    return hook.desk.journal.doubts.newest_id(first)


def task_source(context: Context) -> str:
    """Who asked, for the journal: `airflow:dag/run/task`, with the map index where there is one."""
    ti = context["ti"]
    index = f"[{ti.map_index}]" if ti.map_index is not None and ti.map_index >= 0 else ""
    return f"airflow:{ti.dag_id}/{ti.run_id}/{ti.task_id}{index}"


def refuse_backfill(context: Context, *, is_allowed: bool) -> None:
    """A backfill, or a run that catches up, asks for what should have been done long ago; it could only be done now.

    Raises:
        GuardRefused: it is one, and nobody allowed that.
    """
    if is_allowed:
        return
    run_type = str(getattr(context["dag_run"].run_type, "value", context["dag_run"].run_type))
    what = "a backfill run" if run_type == "backfill" else None
    if run_type == "scheduled" and _catches_up(context):
        what = "a run that catches up: a later one is due already"
    if what is not None:
        raise GuardRefused(
            f"This is {what}, and an order cannot be placed in the past. Nothing was sent. Set allow_backfill=True on "
            "the task if you mean it, or catchup=False on the DAG.",
            rule="backfill",
        )


def _catches_up(context: Context) -> bool:
    """Whether the DAG makes up for missed runs, and this is not the newest of them.

    A run that waited for its turn is not taken for one, unless the DAG has `catchup` on.
    """
    dag: Any = context.get("dag")
    run: Any = context["dag_run"]
    if not getattr(dag, "catchup", False) or run.data_interval_end is None or run.data_interval_start is None:
        return False
    # Schedules that name moments have intervals without a length.
    length = max(run.data_interval_end - run.data_interval_start, _SHORTEST_INTERVAL)
    return bool(datetime.now(UTC) >= run.data_interval_end + length)
