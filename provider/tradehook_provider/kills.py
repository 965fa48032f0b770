"""Who ended a task: a person, who gave it up by marking it (or its run) failed, or somebody who meant nothing by it.

Airflow tells a task that it is ended, and no more than that: marking it successful, clearing it, restarting a worker, a
timeout and moving to another triggerer look alike. What tells them apart is the task's state in Airflow's own books.
Where it cannot be read, nothing is taken for a person's word.

A task that is cleared is not given up: it begins anew and goes on with its order. By the time a triggerer hears of it,
it may be deferred again, and looks like one that moved.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Coroutine, Mapping

    from tradehook.desk.submit import Desk
    from tradehook_provider.failures import Log

_GIVEN_UP = "failed"

_deeds: set[asyncio.Task[None]] = set()
"""Held here, since a loop holds its tasks only weakly."""


def was_killed_at_work(ti: Any, *, log: Log) -> bool:
    """Whether a person gave this task up while it runs in a worker. Not to be called in a signal's handler.

    Args:
        ti: the running task's instance.
        log: where it says that nobody could be asked.
    """
    try:
        return _state_in(ti.get_task_states(**_which(ti)), ti) == _GIVEN_UP
    except Exception as error:  # noqa: BLE001 - whatever keeps Airflow from telling, an order must not hang on it
        _say_unread(error, log=log)
        return False


async def was_killed_while_deferred(ti: Any, *, log: Log) -> bool:
    """Whether a person gave this task up while it waits in a triggerer; `False` where Airflow cannot tell.

    Args:
        ti: the waiting task's instance.
        log: where it says that nobody could be asked.
    """
    from airflow.sdk.execution_time.task_runner import RuntimeTaskInstance
    from asgiref.sync import sync_to_async

    try:
        states = await sync_to_async(RuntimeTaskInstance.get_task_states)(**_which(ti))
        return _state_in(states, ti) == _GIVEN_UP
    except Exception as error:  # noqa: BLE001 - as above
        _say_unread(error, log=log)
        return False


async def to_its_end(deed: Coroutine[Any, Any, None]) -> None:
    """Has done the deed when it returns; when the caller is canceled, the deed goes on without it.

    Airflow 3.3 cancels a trigger anew with every heartbeat for as long as its `on_kill` runs, which ends whatever takes
    longer than a second.

    Args:
        deed: what must not be left half done.
    """
    task = asyncio.get_running_loop().create_task(deed)
    _deeds.add(task)
    task.add_done_callback(_deeds.discard)
    await asyncio.shield(task)


def cancel_for_a_person(desk: Desk, order_id: str, *, log: Log) -> None:
    """Has asked for the cancel of an order whose task a person gave up; what goes wrong is told, never raised."""
    from tradehook.errors import TradehookError
    from tradehook.render import order_line
    from tradehook_provider.failures import reason

    try:
        order = desk.cancel_order(order_id)
    except TradehookError as error:
        log.warning(
            "This task was given up by a person, but its order %s was not canceled: %s", order_id, reason(error)
        )
    else:
        log.warning(
            "This task was given up by a person, so the cancel of its order was asked for: %s", order_line(order)
        )


def _which(ti: Any) -> dict[str, Any]:
    return {
        "dag_id": ti.dag_id,
        "task_ids": [ti.task_id],
        "run_ids": [ti.run_id],
        "map_index": ti.map_index if ti.map_index is not None else -1,
    }


def _state_in(states: Mapping[str, Mapping[str, Any]], ti: Any) -> str | None:
    """Raises `KeyError` when Airflow says nothing of it."""
    is_mapped = ti.map_index is not None and ti.map_index >= 0
    state = states[ti.run_id][f"{ti.task_id}_{ti.map_index}" if is_mapped else ti.task_id]
    return None if state is None else str(getattr(state, "value", state))


def _say_unread(error: Exception, *, log: Log) -> None:
    log.warning(
        "Airflow did not tell who ended this task (%s), so its order is left as it is. `tradehook orders` shows it.",
        type(error).__name__,
    )
