"""How one intent is carried out, step by step, each step in the journal before the next.

What is carried out, an order or a transfer, is a `Deed` (`deeds.py`). Runs over a blocking line on a thread of the
desk (`submit.py`). What a failure means is decided by the one table in `retry.py`; this file only obeys it. What has
to be signed takes its second step in `signing.py`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tradehook.desk import futures_deed, guard, previews, reconcile, resting
from tradehook.desk.fingerprint import is_two_phase
from tradehook.desk.intents import SENDERS, Intent, State, error_from_dict, error_to_dict
from tradehook.desk.reconcile import Patience, unknown
from tradehook.desk.signing import resume, sign_and_execute
from tradehook.desk.standing import Orders
from tradehook.errors import (
    GuardRefused,
    IntentConflict,
    Interrupted,
    InvalidInput,
    JournalUnavailable,
    NetworkError,
    TradehookError,
)
from tradehook.retry import ATTEMPTS, Verdict, delay_seconds, verdict

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Mapping

    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Deed, Made, MadeT, SettledT
    from tradehook.desk.journal import Journal
    from tradehook.desk.worth import Ground
    from tradehook.session import Token
    from tradehook.wire import Write

_log = logging.getLogger(__name__)

DEFAULT = Patience()

OTHERS_SECONDS = 60.0
"""How long to wait for another process that has the same intent."""
SERIES_SECONDS = 60.0
"""How long after it was asked for something may still be sent: later, the price is another one."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller gave beside the deed itself."""

    intent_id: str
    source: str
    shown: Any
    """What was settled and shown to a person already."""
    approve: Callable[[Any, Any], bool] | None
    """Asked before anything is signed, with what was settled and what was made."""
    is_unattended: bool = False
    """Whether nobody looks on: a scheduler, or a job."""
    resends: bool = False
    """Whether a market order that is proved absent may be sent again by itself."""
    preview: str | None = None
    """The preview whose order is signed, if it is still young."""


class Attempts:
    """Carries intents of one account out."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        journal: Journal,
        account: str,
        owner: str,
        is_stopping: threading.Event,
        patience: Patience = DEFAULT,
    ) -> None:
        self.patience = patience
        self._has_caught_up = False
        self._look_again_at = 0.0
        self.exchange = exchange
        self.journal = journal
        self.account = account
        self.owner = owner
        self.is_stopping = is_stopping

    async def carry_out(self, deed: Deed[SettledT, MadeT], asked: Asked) -> Any:
        """Bring an intent to its end or to a doubt, from wherever it stands; see `Desk.place_order`."""
        line = self.exchange.session.line
        intent, is_new = self.journal.prepare(
            asked.intent_id,
            kind=deed.kind,
            exchange=self.exchange.spec.name,
            host=self.exchange.host,
            environment=self.exchange.environment,
            account=self.account,
            source=asked.source,
            asked=deed.asked(),
        )
        asked = replace(asked, intent_id=intent.intent_id)
        if not is_new:
            await self._check_account(intent)
        started = line.monotonic()
        waiting_since = time.monotonic()
        attempt = 0
        has_sent = False
        while True:
            match intent.reads_as:
                case State.ACCEPTED:
                    if not intent.is_final:
                        intent = await resting.cancel_rest(self, intent)
                    return deed.outcome(intent, is_stored=not has_sent)
                case State.REJECTED:
                    raise error_from_dict(intent.error or {})
                case State.UNKNOWN if await resume(self, intent, deed):
                    pass  # what was signed before went out once more, the very same bytes
                case State.UNKNOWN:
                    await self._resolve(intent, asked, is_fresh=has_sent)
                case State.SENDING | State.CREATED | State.EXECUTING if self._is_elsewhere(intent):
                    if intent.state in SENDERS and reconcile.is_over(intent, now=line.now()):
                        # Its sender lives, but is stopped: the token it would send with is dead by now.
                        self.record(intent, State.UNKNOWN, what="overdue")
                    elif time.monotonic() - waiting_since > OTHERS_SECONDS:
                        raise _busy(intent)
                    await line.pause(_POLL_SECONDS)
                case State.SENDING | State.EXECUTING:
                    # Ours, and nobody here is sending it any more.
                    self.record(intent, State.UNKNOWN, what="interrupted")
                case State.CREATED:
                    # Whoever created it is gone, unsigned: it moves nothing, so begin again.
                    self.record(intent, State.PREPARED, what="abandoned")
                case _:
                    attempt += 1
                    sent = await self._attempt(intent, deed, asked, attempt=attempt, until=started + SERIES_SECONDS)
                    has_sent = has_sent or sent
            intent = self.journal.get(asked.intent_id)

    async def _resolve(self, intent: Intent, asked: Asked, *, is_fresh: bool) -> None:
        """Look for what is in doubt. Returns when the doubt has ended, or it may be sent again.

        Raises:
            OutcomeUnknown: it has not.
        """
        try:
            intent = await reconcile.resolve(self, intent, is_fresh=is_fresh)
        except TradehookError as error:
            _log.warning("Intent %s could not be looked for: %s", intent.intent_id, error.message)
            raise unknown(intent) from None
        if intent.reads_as is not State.UNKNOWN:
            return
        if not (asked.resends and reconcile.may_go_again(intent)):
            raise unknown(intent)
        self.check_running()
        self.record(intent, State.PREPARED, what="sent again")

    async def catch_up(self, *, but: str | None = None) -> list[Intent]:
        """Look once for everything of this account that is in doubt; the intents whose doubt ended.

        `but` names the intent that is about to be sent: then only what a look can still change is looked for.

        Raises:
            TradehookError: the exchange could not be read.
        """
        account_id = await self.exchange.account_id()
        now = self.exchange.session.line.now()
        doubts = self.journal.doubts.list(
            self.exchange.host, account_id=account_id, at=datetime.fromtimestamp(now, UTC)
        )
        # Before an order only what a look can still change counts: old questions wait for a person, not for orders.
        wanted = [
            one for one in doubts if but is None or (one.intent_id != but and reconcile.is_worth_a_look(one, now=now))
        ]
        lists = reconcile.Lists(self.exchange, wanted)
        looked = [await reconcile.look_for(self, intent, lists=lists) for intent in wanted]
        return [found for found in looked if found.reads_as is not State.UNKNOWN]

    async def look_around(self) -> None:
        """Look for what is in doubt, if that was not done a moment ago. What cannot be read now is read later."""
        now = self.exchange.session.line.monotonic()
        if now < self._look_again_at or not self.journal.doubts.list(self.exchange.host):
            return
        self._look_again_at = now + self.patience.apart_seconds
        try:
            await self.catch_up(but="")
        except TradehookError as error:
            _log.warning("What is in doubt could not be looked for: %s", error.message)

    def _is_elsewhere(self, intent: Intent) -> bool:
        return intent.has_living_owner and intent.owner != self.owner

    async def _check_account(self, intent: Intent) -> None:
        """The same id must be for the same person's account, whatever it is called, or it is another deed."""
        try:
            is_ours = intent.account_id == await self.exchange.account_id()
        except NetworkError:
            # What has ended is told without the exchange as well.
            if intent.reads_as not in (State.ACCEPTED, State.REJECTED):
                raise
            is_ours = intent.account == self.account
        if not is_ours and (intent.account_id is not None or intent.account != self.account):
            raise IntentConflict(
                f"Intent {intent.intent_id} belongs to another account than the one in use now (called "
                f"{intent.account} then, {self.account} now). Use a new intent id.",
                exchange=self.exchange.spec.name,
            )

    async def _attempt(
        self, intent: Intent, deed: Deed[SettledT, MadeT], asked: Asked, *, attempt: int, until: float
    ) -> bool:
        """One attempt from PREPARED; whether it sent. Raises when it is over, else the loop looks again."""
        session = self.exchange.session
        try:
            guard.check_address(self.exchange, limits=self.journal.limits)
            settled = await self._settled(intent, deed, asked)
            await guard.check(self.exchange, limits=self.journal.limits)
            write = deed.write(self.exchange, settled)
            account_id = await self.exchange.account_id()
            if not self._has_caught_up:
                await self.catch_up(but=intent.intent_id)
                self._has_caught_up = True
            baseline = None
            if not is_two_phase(settled):
                baseline = await reconcile.take_baseline(self.exchange, self.journal, settled=settled)
            await deed.check(self.exchange, settled)
            ground = await guard.survey(self.exchange, self.journal, settled=settled)
            request, token = await session.prepare(write.request)
            session.check_clock()
            guard.check_budget(self.exchange)
            self.check_running()
            if session.line.monotonic() > until:
                raise Interrupted(
                    f"Not sent: it could not be sent within {SERIES_SECONDS:.0f} s, and the price may be another one "
                    "now. Nothing was sent.",
                    exchange=self.exchange.spec.name,
                )
            prepared = previews.claim(self, intent, deed, settled, preview_id=asked.preview, account_id=account_id)
        except TradehookError as error:
            self.journal.refuse(intent, error_to_dict(error))
            raise
        facts = reconcile.facts(
            self.exchange, kind=deed.kind, settled=settled, baseline=baseline, token=token, patience=self.patience
        )
        sending = self._start(intent, account_id=account_id, facts=facts, ground=ground)
        if sending is None:
            return False  # another process was faster
        try:
            created = prepared or session.understand(await session.send_once(request), write.read)
        except TradehookError as error:
            await self._failed(sending, write, error, token=token, attempt=attempt)
            return True
        except BaseException:
            self.record(sending, State.UNKNOWN, what="interrupted")
            raise
        if not created.awaits_signature:
            self.record(sending, State.ACCEPTED, made=created)
        elif write.kind == "create":
            await sign_and_execute(self, sending, deed, settled=settled, created=created, approve=asked.approve)
        else:
            refused = GuardRefused(
                f"Not signed: {self.exchange.spec.label} wants a signature for something that needs none here, to move "
                f"coins from a chain first (a funding bridge), and nobody allowed that. Nothing was sent. Deposit "
                f"first, or make the {deed.kind} smaller.",
                rule="bridge",
                exchange=self.exchange.spec.name,
            )
            self.record(sending, State.REJECTED, made=created, error=refused)
        return True

    def _start(self, intent: Intent, *, account_id: str, facts: dict[str, Any], ground: Ground) -> Intent | None:
        try:
            return self.journal.start(
                intent, to=State.SENDING, owner=self.owner, account_id=account_id, facts=facts, ground=ground
            )
        except GuardRefused as error:
            self.journal.refuse(intent, error_to_dict(error))
            raise

    async def _settled(self, intent: Intent, deed: Deed[SettledT, MadeT], asked: Asked) -> SettledT:
        """What will be sent: settled once, by whoever was first; a rerun continues it."""
        if intent.request is None:
            settled = asked.shown or await deed.settle(self.exchange)
            if asked.is_unattended and asked.shown is None:
                settled = deed.tagged(self.exchange, settled, by=intent.intent_id)
            account_id = await self.exchange.account_id()
            intent = self.journal.settle(intent, settled.to_dict(), account_id=account_id)
        stored = deed.restore(intent.request or {})
        if asked.shown is not None and deed.terms(asked.shown) != deed.terms(stored):
            raise IntentConflict(
                f"Intent {intent.intent_id} was settled before as: {deed.words(stored)}. You were shown: "
                f"{deed.words(asked.shown)}. Nothing was sent. Use a new intent id.",
                exchange=self.exchange.spec.name,
            )
        return stored

    async def _failed(
        self, sending: Intent, write: Write[Any], error: TradehookError, *, token: Token, attempt: int
    ) -> None:
        """What the table says about a failed send: back to PREPARED, UNKNOWN, or REJECTED."""
        session = self.exchange.session
        match verdict(write.kind, error):
            case Verdict.AGAIN | Verdict.WAIT | Verdict.NEW_TOKEN as word:
                self.record(sending, State.PREPARED, error=error, what="not carried out")
                if word is Verdict.NEW_TOKEN:
                    session.drop(token)
                if attempt >= ATTEMPTS or (word is Verdict.NEW_TOKEN and attempt > 1):
                    raise error
                if word is not Verdict.NEW_TOKEN:
                    pause = delay_seconds(attempt, error)
                    if pause > SERIES_SECONDS:
                        raise error
                    await session.line.pause(pause)
            case Verdict.NO:
                self.record(sending, State.REJECTED, error=error)
            case _:
                self.record(sending, State.UNKNOWN, error=error)

    # --- shared with signing.py -----------------------------------------------------------------------------

    def check_running(self) -> None:
        """Raises `Interrupted` when we were told to begin no new send."""
        if self.is_stopping.is_set():
            raise Interrupted("Stopped before anything was sent.", exchange=self.exchange.spec.name)

    async def look(self, intent: Intent) -> bool:
        """Whether the status of something in doubt, really read, shows that it went out; then it is recorded.

        What could not be read, or still waits for a signature, changes nothing.
        """
        try:
            made = await self._read(intent)
        except TradehookError:
            return False
        return made.went_out and self.record(intent, State.ACCEPTED, made=made, what="found") is not None

    async def follow(self, intent: Intent) -> Made:
        """How what came of an intent stands now, recorded; see `Desk.follow`."""
        if intent.exchange_id is None:
            raise unknown(intent)
        made = await self._read(intent)
        if intent.reads_as is State.UNKNOWN and made.went_out:
            self.record(intent, State.ACCEPTED, made=made, what="found")
        self.journal.see(intent.intent_id, made)
        return made

    async def _read(self, intent: Intent) -> Made:
        identity = intent.exchange_id or ""
        if intent.kind == "transfer":
            return await self.exchange.get_transfer(identity)
        if intent.kind == futures_deed.KIND:
            return await futures_deed.standing(self.exchange, identity)
        return await Orders(self.exchange, self.journal).get(identity)

    def record(
        self,
        intent: Intent,
        to: State,
        *,
        made: Made | None = None,
        error: TradehookError | None = None,
        what: str | None = None,
        resolution: Mapping[str, Any] | None = None,
    ) -> Intent | None:
        """Write what is known now; `None` when it is no longer as the caller holds it.

        Raises:
            OutcomeUnknown: the journal cannot be written after a send; names the id that was heard.
        """
        stored = error_to_dict(error) if error is not None else None
        for attempt in range(3):
            try:
                return self.journal.move(intent, to, made=made, error=stored, what=what, resolution=resolution)
            except (IntentConflict, InvalidInput) as trouble:
                # An id that is another intent's, or that cannot be one, is not ours: what we sent is in doubt.
                return self.journal.move(intent, State.UNKNOWN, error=error_to_dict(trouble))
            except JournalUnavailable as trouble:
                heard = f", {intent.kind} {made.exchange_id}" if made is not None else ""
                _log.error("Intent %s is %s%s, but: %s", intent.intent_id, to, heard, trouble)
                time.sleep(0.2 * 2**attempt)
        raise unknown(intent, exchange_id=made.exchange_id if made is not None else None)


def _busy(intent: Intent) -> TradehookError:
    """Another process has had it for too long: in doubt once it has sent, else just in use."""
    if intent.state is State.CREATED:
        return Interrupted(
            f"Another process is asking for approval of intent {intent.intent_id}. Nothing was sent yet.",
            exchange=intent.exchange,
        )
    return unknown(intent)
