"""The switches of both exchanges as flags of a command, so that each is written down once.

Knows nothing of what a switch does.
"""

from __future__ import annotations

import inspect
from functools import wraps
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tradehook_sandbox.fintrusted.rules import SWITCHES as FINTRUSTED_SWITCHES
from tradehook_sandbox.fintrusted.rules import FinTrustedRules
from tradehook_sandbox.true_markets.rules import SWITCHES, Rules

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.switches import Switch

_PANELS = {"": "Where the sources contradict each other", "fintrusted_": "FinTrusted, of which little is known"}


def with_rules(command: Callable[..., None]) -> Callable[..., None]:
    """Add a flag for each switch to a command, which gets them together as `rules` and `fintrusted`."""
    taken = inspect.signature(command, eval_str=True).parameters.values()
    own = [one for one in taken if one.name not in ("rules", "fintrusted")]
    switches = (*SWITCHES, *FINTRUSTED_SWITCHES)

    @wraps(command)
    def with_flags(**values: Any) -> None:
        rules = Rules(**{switch.name: values.pop(switch.full_name) for switch in SWITCHES})
        fintrusted = FinTrustedRules(**{switch.name: values.pop(switch.full_name) for switch in FINTRUSTED_SWITCHES})
        command(rules=rules, fintrusted=fintrusted, **values)

    flags = [
        inspect.Parameter(
            switch.full_name, inspect.Parameter.KEYWORD_ONLY, default=switch.default, annotation=_annotation(switch)
        )
        for switch in switches
    ]
    with_flags.__signature__ = inspect.Signature([*own, *flags])  # type: ignore[attr-defined]
    with_flags.__annotations__ = {one.name: one.annotation for one in (*own, *flags)}
    return with_flags


def _annotation(switch: Switch) -> Any:
    name = f"--{switch.full_name.replace('_', '-')}"
    # The name is given, so that a truth value gets no `--no-` twin.
    option = typer.Option(
        name, help=switch.says.text, min=switch.says.low, max=switch.says.high, rich_help_panel=_PANELS[switch.prefix]
    )
    return Annotated[switch.kind, option]
