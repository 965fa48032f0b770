"""What a DAG does with the events that started it: each completion once. Plain functions; import nothing heavy.

@task
def act(triggering_asset_events=None):
    for completion in new_completions(triggering_asset_events):
        ...
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Mapping


def new_completions(
    triggering_asset_events: Mapping[Any, Iterable[Any]] | None, *, known: Container[str] = ()
) -> list[dict[str, Any]]:
    """Every completion that these events tell of, each once, in the order in which they came.

    One run may be started by several events, one event tells of several completions, and after a restart of the
    triggerer the last minutes are told again. What another run was told, only `known` can say.

    Args:
        triggering_asset_events: what Airflow gives a task under this name.
        known: event ids that were dealt with before.
    """
    found: dict[str, dict[str, Any]] = {}
    for events in (triggering_asset_events or {}).values():
        for event in events:
            for completion in _told_in(event):
                event_id = completion.get("event_id")
                if isinstance(event_id, str) and event_id not in known:
                    found.setdefault(event_id, completion)
    return list(found.values())


def _told_in(event: Any) -> list[dict[str, Any]]:
    """What one asset event tells; nothing where it is from somebody else, such as a person at the page."""
    extra = getattr(event, "extra", None)
    payload = extra.get("payload") if isinstance(extra, dict) else None
    told = payload.get("completions") if isinstance(payload, dict) else None
    return [one for one in told if isinstance(one, dict)] if isinstance(told, list) else []
