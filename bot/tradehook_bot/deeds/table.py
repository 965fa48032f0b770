"""All kinds of deeds that a question can be about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot import placing
from tradehook_bot.deeds import airflow_run, approval, cancel_all, rebalance, resolve, resume, set_limits, transfer

if TYPE_CHECKING:
    from tradehook_bot.deeds.kind import Kind
    from tradehook_bot.proposals import Proposal

KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        placing.KIND,
        cancel_all.KIND,
        resume.KIND,
        resolve.KIND,
        transfer.KIND,
        rebalance.KIND,
        approval.KIND,
        airflow_run.KIND,
        set_limits.KIND,
    )
}


def kind_of(proposal: Proposal) -> Kind:
    """The kind of a question. Raises `KeyError` for one that this version does not know."""
    return KINDS[proposal.kind]
