"""A DAG is started in Airflow, once: the run's id is made from the question's, and Airflow takes an id once."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from tradehook.errors import ConfigurationError, GuardRefused
from tradehook.models import Value
from tradehook.wire import decode_json
from tradehook_bot.airflow import exact_json, run_words
from tradehook_bot.airflow.rest import CONFLICT, AirflowAway, AirflowRefused
from tradehook_bot.airflow.run_rows import ASKED
from tradehook_bot.airflow.settings import HOW_TO_SET
from tradehook_bot.deeds import asking
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.proposals import State
from tradehook_bot.replies import text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_bot.accounts import Account
    from tradehook_bot.airflow.dags import Dag
    from tradehook_bot.airflow.link import AirflowLink
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal, Where

_log = logging.getLogger(__name__)
NAME = "airflow_run"
_TRIES = 2
"""How often Airflow is asked for the same run: the second time finds out what became of the first."""


class RunAsked(Value):
    """What is stored of the question."""

    dag_id: str
    conf: str
    """What was typed, as JSON."""
    digest: str
    """What the card showed beside it."""


async def ask(house: House, dag: Dag, conf: Mapping[str, Any], *, where: Where, typed: str) -> None:
    """Ask whether this DAG shall be started so.

    Raises:
        GuardRefused: no run of it would begin now.
    """
    _check(dag)
    lines = [*run_words.card(dag, conf)]
    if await house.is_frozen():
        lines.append("Trading is frozen: whatever this run would send through tradehook is refused.")
    question = asking.Question(
        kind=NAME,
        parameters=RunAsked(dag_id=dag.dag_id, conf=exact_json.write(conf), digest=dag.digest),
        deed=f"Start {dag.dag_id[:50]}",
        typed=typed,
        lifetime=house.settings.limit_lasts(),
    )
    await asking.ask(
        house,
        question,
        where=where,
        body=asking.until(lines),
    )


async def carry_out(house: House, _account: Account, proposal: Proposal) -> None:
    """Airflow has the run, or may have it and is looked at. Raises when it certainly has not."""
    link, asked = house.airflow, proposal.read(RunAsked)
    if link is None:
        raise ConfigurationError(HOW_TO_SET)
    dag = await link.dags.get(asked.dag_id)
    if dag is None:
        raise GuardRefused(f"Airflow has no {asked.dag_id} to start any more.", rule="airflow")
    _check(dag)
    if dag.digest != asked.digest:
        raise GuardRefused(f"{dag.dag_id} takes other parameters than when it was shown.", rule="airflow")
    run_id = f"tradehook__{proposal.proposal_id}"
    words = run_words.starting(dag.dag_id)
    await house.store.do(link.run_rows.begin, proposal, dag_id=dag.dag_id, run_id=run_id, words=words)
    user = await house.store.do(house.access.user, proposal.user_id)
    note = f"Started in Telegram by {user.name if user else 'somebody'} (user {proposal.user_id})."
    try:
        doubt = await _started(link, dag.dag_id, run_id, conf=decode_json(asked.conf.encode()), note=note)
    except (AirflowRefused, AirflowAway):
        # It says no, or was never reached.
        await house.store.do(link.run_rows.forget, proposal.proposal_id)
        raise
    if doubt:
        await _tell_doubt(house, link, proposal, text(doubt))
    else:
        _log.info("User %s started %s in Airflow as %s.", proposal.user_id, dag.dag_id, run_id)
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)


def is_untouched(house: House, proposal: Proposal) -> bool:
    """Whether Airflow was certainly not asked."""
    return house.airflow is None or house.airflow.run_rows.get(proposal.proposal_id) is None


async def tell(house: House, proposal: Proposal, why: str) -> None:
    """Airflow may have been asked: the message says so, and the run is looked for."""
    if house.airflow is not None:
        await _tell_doubt(house, house.airflow, proposal, why)
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)


async def _started(link: AirflowLink, dag_id: str, run_id: str, *, conf: Mapping[str, Any], note: str) -> str:
    """Empty when there is such a run; otherwise why nobody knows. Raises when there certainly is none."""
    doubt = ""
    for _ in range(_TRIES):
        try:
            await link.dags.start(dag_id, run_id, conf=conf, note=note)
        except AirflowRefused as error:
            if error.status == CONFLICT:
                return ""  # it is this one: nobody else makes such an id
            if doubt:
                return doubt
            why = f" Airflow says: {error.why}" if error.why else ""
            raise AirflowRefused(f"{error.message}{why}", status=error.status) from None
        except AirflowAway as error:
            if not error.may_be_done and not doubt:
                raise
            doubt = doubt or error.message
        else:
            return ""
    return doubt


async def _tell_doubt(house: House, link: AirflowLink, proposal: Proposal, why: str) -> None:
    row = await house.store.do(link.run_rows.get, proposal.proposal_id)
    if row is not None and row.state == ASKED:
        words = run_words.unknown(row, why)
        await house.store.do(link.run_rows.tell, row, ASKED, words, outbox=house.outbox)


def _check(dag: Dag) -> None:
    """Refuse what would not begin, or begin at a time that nobody expects."""
    if dag.is_paused:
        raise GuardRefused(
            f"{dag.dag_id} is paused in Airflow: a run would begin whenever somebody switches it on. Switch it on "
            "there first.",
            rule="airflow",
        )
    if dag.is_broken:
        raise GuardRefused(f"The file of {dag.dag_id} cannot be read by Airflow just now.", rule="airflow")


KIND = Kind(
    name=NAME,
    carry_out=carry_out,
    is_untouched=is_untouched,
    tell=tell,
    is_of_one_account=False,
    not_done="Not started",
    nothing="Nothing was started.",
)
