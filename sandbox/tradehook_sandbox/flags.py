"""The switches of `Rules` as flags of a command, so that each is written down once.

Knows nothing of what a switch does.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook_sandbox.true_markets.rules import SWITCHES, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.true_markets.rules import Switch

_PANEL = "Where the sources contradict each other"


def with_rules(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag for each switch to a command, which gets them together as `rules`."""
    own = [one for one in inspect.signature(command, eval_str=True).parameters.values() if one.name != "rules"]

    @wraps(command)
    def with_flags(**values: Any) -> None:
        rules = Rules(**{switch.name: values.pop(switch.name) for switch in SWITCHES})
        command(rules=rules, **values)

    flags = [
        inspect.Parameter(
            switch.name, inspect.Parameter.KEYWORD_ONLY, default=switch.default, annotation=_annotation(switch)
        )
        for switch in SWITCHES
    ]
    with_flags.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {one.name: one.annotation for one in (*own, *flags)}
    return with_flags


def _annotation(switch: Switch) -> Any:
    name = f"--{switch.name.replace('_', '-')}"
    # The name is given, so that a truth value gets no `--no-` twin.
    option = typer.Option(
        name, help=switch.says.text, min=switch.says.low, max=switch.says.high, rich_help_panel=_PANEL
    )
    return Annotated[switch.kind, option]
