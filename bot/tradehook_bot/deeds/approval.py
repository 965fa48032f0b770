"""A question of Airflow's is answered as its person tapped, once: Airflow takes one answer, and says whose it was.

The question is read again right before. A task that runs again asks under another id, and never gets an answer that was
meant for what it asked before. What got no answer is looked at before anything is said.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook_bot.airflow import prompt_words
from tradehook_bot.airflow.prompt_messages import show
from tradehook_bot.airflow.prompt_rows import APPROVAL
from tradehook_bot.airflow.prompts import ApprovalAsked, too_young_seconds
from tradehook_bot.airflow.rest import CONFLICT, FORBIDDEN, NOT_FOUND, AirflowAway, AirflowError, AirflowRefused
from tradehook_bot.airflow.settings import HOW_TO_SET
from tradehook_bot.deeds.kind import Kind
from tradehook_bot.proposals import State
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now
from tradehook_bot.zones import moment

if TYPE_CHECKING:
    from tradehook_bot.accounts import Account
    from tradehook_bot.airflow.link import AirflowLink
    from tradehook_bot.airflow.prompts import Prompt
    from tradehook_bot.context import House
    from tradehook_bot.proposals import Proposal

_log = logging.getLogger(__name__)
_LOOKS = 3
_BETWEEN_LOOKS_SECONDS = 1.0
_SAFE = "Answering again is safe: Airflow takes one answer."


@dataclass(frozen=True, slots=True)
class _Tap:
    """Which answer somebody tapped, and where."""

    house: House
    link: AirflowLink
    proposal: Proposal
    asked: ApprovalAsked


class _NotAnsweredError(Exception):
    """It is open as before, and its message should say this as well (HTML)."""


class _Over(Exception):
    """There is nothing left to answer; the words for it as HTML."""


async def carry_out(house: House, _account: Account, proposal: Proposal) -> None:
    """Airflow has the answer, or the message says why not and can be answered again."""
    link = house.airflow
    assert proposal.message_id is not None  # noqa: S101 - a question without a message cannot be confirmed
    if link is None:
        await house.voice.edit(proposal.chat_id, proposal.message_id, text(f"Not answered. {HOW_TO_SET}"))
        await house.store.do(house.proposals.close, proposal.proposal_id, State.NOT_SENT)
        return
    asked = proposal.read(ApprovalAsked)
    await house.store.do(link.prompt_rows.void_buttons, proposal.chat_id, proposal.message_id)
    state = State.NOT_SENT
    try:
        prompt = await _answered(_Tap(house, link, proposal, asked))
    except _NotAnsweredError as why:
        await _note(house, link, proposal, str(why))
    except _Over as how:
        await _end(house, link, proposal, str(how))
    else:
        state = State.SENT
        _log.info("User %s answered %r to %s in Airflow.", proposal.user_id, asked.option, prompt.place.path)
        await _end(house, link, proposal, await _ended(house, proposal, prompt))
    await house.store.do(house.proposals.close, proposal.proposal_id, state)
    link.hurry_prompts()


async def tell(house: House, proposal: Proposal, why: str) -> None:
    """It did not come to its end here: nobody knows, and the message says so and can be answered again."""
    if house.airflow is not None:
        await _note(house, house.airflow, proposal, _unknown(proposal.read(ApprovalAsked).option, why))
    await house.store.do(house.proposals.close, proposal.proposal_id, State.SENT)


async def _answered(tap: _Tap) -> Prompt:
    """The question with its answer. Raises what else there is to say."""
    house, link, proposal, asked = tap.house, tap.link, tap.proposal, tap.asked
    try:
        prompt = await _still(tap)
    except AirflowRefused as error:
        if error.status == NOT_FOUND:
            raise _Over(await _gone(tap)) from None
        raise _NotAnsweredError(_not(asked, error)) from None
    except AirflowError as error:
        raise _NotAnsweredError(_not(asked, error)) from None
    user = await house.store.do(house.access.user, proposal.user_id)
    name = " ".join("".join(each if each.isprintable() else " " for each in (user.name if user else "")).split())
    try:
        await link.prompts.answer(prompt, asked.option, approver=f"tg:{proposal.user_id} {name}".strip())
    except AirflowRefused as error:
        raise await _refused(tap, prompt, error) from None
    except AirflowAway as error:
        if not error.may_be_done:
            raise _NotAnsweredError(_not(asked, error)) from None
        return await _looked(tap, error)
    try:
        done, _ = await link.prompts.get(asked.place)
    except AirflowError:
        # It was taken; only how it stands by now is not known.
        return prompt.model_copy(update={"answered_at": now(), "answered_by": "me", "chosen": (asked.option,)})
    return done


async def _still(tap: _Tap) -> Prompt:
    """The question, if it is the one that was read, open, and old enough to be answered."""
    asked = tap.asked
    waited = False
    while True:
        prompt, age = await tap.link.prompts.get(asked.place)
        if prompt.ti_id != asked.ti_id:
            raise _Over(prompt_words.asked_anew(prompt))
        if not prompt.is_open:
            raise _Over(await _ended(tap.house, tap.proposal, prompt))
        if prompt.digest != asked.digest:
            raise _NotAnsweredError(f"{bold('Not answered')}: the question changed meanwhile. Read it again.")
        left = too_young_seconds(age)
        if waited or not left:
            return prompt
        await asyncio.sleep(left)
        waited = True


async def _refused(tap: _Tap, prompt: Prompt, error: AirflowRefused) -> Exception:
    """What to say of a no from Airflow."""
    link, asked = tap.link, tap.asked
    if error.status == NOT_FOUND:
        return _Over(prompt_words.gone(prompt))
    if error.status == CONFLICT:
        try:
            other, _ = await link.prompts.get(asked.place)
        except AirflowError:
            return _NotAnsweredError(f"{bold('Already answered')} by somebody else; I could not read by whom.")
        if other.ti_id == asked.ti_id and other.answered_at is not None:
            words = f"{bold('Already answered when you tapped.')}\n{await _ended(tap.house, tap.proposal, other)}"
            return _Over(words)
        return _Over(prompt_words.asked_anew(prompt))
    if error.status == FORBIDDEN:
        only = f" It is only for {text(', '.join(prompt.assigned[:10]))}." if prompt.assigned else ""
        who = link.api.settings.user
        account = f"My account in Airflow ({text(who)})" if who else "My account in Airflow"
        return _NotAnsweredError(f"{bold('Not answered')}: {account} may not answer this.{only}")
    return _NotAnsweredError(_not(asked, error))


async def _looked(tap: _Tap, error: AirflowAway) -> Prompt:
    """What became of an answer that nobody confirmed: the question itself tells, if it can be read."""
    house, asked = tap.house, tap.asked
    for _ in range(_LOOKS):
        await asyncio.sleep(_BETWEEN_LOOKS_SECONDS)
        try:
            prompt, _age = await tap.link.prompts.get(asked.place)
        except AirflowError:
            continue
        if prompt.ti_id != asked.ti_id:
            raise _Over(prompt_words.asked_anew(prompt))
        if prompt.answered_at is not None and asked.option not in prompt.chosen:
            raise _Over(await _ended(house, tap.proposal, prompt))
        if prompt.answered_at is not None:
            return prompt
    zone = await house.store.do(house.chats.zone, tap.proposal.chat_id)
    raise _NotAnsweredError(f"{_unknown(asked.option, text(error.message))} ({text(moment(now(), zone))})")


async def _gone(tap: _Tap) -> str:
    row = await tap.house.store.do(tap.link.prompt_rows.get, tap.proposal.chat_id, tap.asked.ti_id)
    return prompt_words.gone(row.prompt) if row is not None else bold("Gone from Airflow. Nothing was answered.")


async def _ended(house: House, proposal: Proposal, prompt: Prompt) -> str:
    zone = await house.store.do(house.chats.zone, proposal.chat_id)
    return prompt_words.ended(prompt, zone=zone)


def _not(asked: ApprovalAsked, error: AirflowError) -> str:
    why = f" ({text(error.why)})" if isinstance(error, AirflowRefused) and error.why else ""
    return f"{bold('Not answered')}: {text(prompt_words.option(asked.option))}. {text(error.message)}{why}"


def _unknown(option: str, why: str) -> str:
    return f"{bold('UNKNOWN')}: whether Airflow took {text(prompt_words.option(option))}. {why} {_SAFE}"


async def _note(house: House, link: AirflowLink, proposal: Proposal, words: str) -> None:
    """The message is open as before, with buttons that work, and says this as well."""
    await _become(house, link, proposal, note=words)


async def _end(house: House, link: AirflowLink, proposal: Proposal, words: str) -> None:
    """The message says this for good."""
    await _become(house, link, proposal, ending=words)


async def _become(
    house: House, link: AirflowLink, proposal: Proposal, *, note: str | None = None, ending: str | None = None
) -> None:
    ti_id = proposal.read(ApprovalAsked).ti_id
    row = await house.store.do(link.prompt_rows.get, proposal.chat_id, ti_id)
    if row is None or row.message_id != proposal.message_id:
        # Another message shows it by now; this one says only what came of the tap.
        if proposal.message_id is not None:
            await house.voice.edit(proposal.chat_id, proposal.message_id, ending or note or "")
        return
    if ending is not None:
        await house.store.do(link.prompt_rows.end, [row], ending)
    else:
        await house.store.do(link.prompt_rows.note, row, note or "")
    fresh = await house.store.do(link.prompt_rows.get, proposal.chat_id, ti_id)
    if fresh is not None:
        await show(house, link, fresh)


KIND = Kind(
    name=APPROVAL,
    carry_out=carry_out,
    # Airflow alone knows, and it is asked before anything is said.
    is_untouched=lambda _house, _proposal: False,
    tell=tell,
    is_of_one_account=False,
    not_done="Not answered",
    nothing="Nothing was answered.",
)
