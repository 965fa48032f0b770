"""Faults: staged, listed, removed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tradehook_sandbox.admin.errands import probability_field, seconds_field, whole_field
from tradehook_sandbox.faults import DEFAULT_DELAY_SECONDS, KINDS, Fault
from tradehook_sandbox.true_markets.calls import Refusal, choice_field, text_field

if TYPE_CHECKING:
    from tradehook_sandbox.admin.errands import Errand

_METHODS: Final = ("*", "GET", "POST", "DELETE")
_MOST_TIMES: Final = 1_000_000
_LONGEST_DELAY: Final = 3_600


def get_faults(errand: Errand) -> object:
    """The faults that wait, and how many requests are held back to be carried out late."""
    faults = errand.sandbox.faults
    return {"data": [fault.as_json() for fault in faults.waiting], "late": len(faults.late)}


def add_fault(errand: Errand) -> object:
    """`{"method": "POST", "path": "/orders", "kind": "error_after", "status": 503, "times": 1}`.

    Only `kind` is needed. `times` null strikes until the fault is removed; `probability` is how likely it strikes at
    all; `field` names what `unknown_enum` and `missing_field` are about.
    """
    content = errand.content("method", "path", "kind", "status", "times", "probability", "delay_seconds", "field")
    kind = choice_field(content, "kind", *KINDS)
    path = text_field({"path": "*", **content}, "path")
    if path != "*" and not path.startswith("/"):
        raise Refusal(400, "path must begin with / as in /orders or /orders/{id}, or be *")
    times = None if content.get("times", 1) is None else whole_field({"times": 1, **content}, "times", 1, _MOST_TIMES)
    fault = Fault(
        kind=next(known for known in KINDS if known == kind),
        method=choice_field({"method": "*", **content}, "method", *_METHODS),
        path=path,
        status=None if content.get("status") is None else whole_field(content, "status", 400, 599),
        times=times,
        probability=probability_field({"probability": 1, **content}, "probability"),
        delay_seconds=seconds_field(
            {"delay_seconds": DEFAULT_DELAY_SECONDS, **content}, "delay_seconds", 0, _LONGEST_DELAY
        ),
        field=None if content.get("field") is None else text_field(content, "field"),
    )
    return errand.sandbox.faults.add(fault).as_json()


def remove_faults(errand: Errand) -> object:
    """All of them, or the one whose id follows in the path."""
    faults = errand.sandbox.faults
    if not errand.rest:
        return {"removed": faults.remove()}
    if not (errand.rest.isascii() and errand.rest.isdigit() and len(errand.rest) < 10):
        raise Refusal(400, "the id of a fault is a number")
    removed = faults.remove(int(errand.rest))
    if not removed:
        raise Refusal(404, "there is no such fault waiting")
    return {"removed": removed}
