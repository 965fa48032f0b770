"""How one intent is carried out, step by step, each step in the journal before the next.

Runs over a blocking line on a thread of the desk (`submit.py`). What a failure means is decided by the
one table in `retry.py`; this file only obeys it. Signed orders take their second step in `signing.py`.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tradehook.desk import guard
from tradehook.desk.intents import Intent, Outcome, State, error_from_dict, error_to_dict
from tradehook.desk.signing import sign_and_execute
from tradehook.errors import (
    GuardRefused,
    IntentConflict,
    Interrupted,
    JournalUnavailable,
    OutcomeUnknown,
    TradehookError,
    UnexpectedResponse,
)
from tradehook.models import NewOrder, Order, OrderStatus, SizedOrder
from tradehook.render import deed
from tradehook.retry import ATTEMPTS, Verdict, delay_seconds, verdict

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tradehook.contract import Exchange
    from tradehook.desk.journal import Journal
    from tradehook.session import Token
    from tradehook.wire import Write

_log = logging.getLogger(__name__)

OTHERS_SECONDS = 60.0
"""How long to wait for another process that has the same intent."""
SERIES_SECONDS = 60.0
"""How long after it was asked for an order may still be sent: later, the price is another one."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """What a caller gave beside the order itself."""

    intent_id: str
    source: str
    shown: SizedOrder | None
    approve: Callable[[SizedOrder, Order], bool] | None


class Attempts:
    """Carries intents of one account out."""

    def __init__(
        self, exchange: Exchange, *, journal: Journal, account: str, owner: str, is_stopping: threading.Event
    ) -> None:
        self.exchange = exchange
        self.journal = journal
        self.account = account
        self.owner = owner
        self.is_stopping = is_stopping

    async def place(self, order: NewOrder, asked: Asked) -> Outcome:
        """Bring an intent to its end or to a doubt, from wherever it stands; see `Desk.place_order`."""
        line = self.exchange.session.line
        intent, is_new = self.journal.prepare(
            asked.intent_id,
            kind="order",
            exchange=self.exchange.spec.name,
            host=self.exchange.host,
            environment=self.exchange.environment,
            account=self.account,
            source=asked.source,
            asked=order.to_dict(),
        )
        if not is_new:
            await self._check_account(intent)
        started = line.monotonic()
        waiting_since = time.monotonic()
        attempt = 0
        has_sent = False
        while True:
            match intent.reads_as:
                case State.ACCEPTED:
                    return _outcome(intent, is_stored=not has_sent)
                case State.REJECTED:
                    raise error_from_dict(intent.error or {})
                case State.UNKNOWN:
                    # Only an order with an id can be looked at; then its own status ends the doubt.
                    if intent.order_id is None or not await self.look(intent):
                        raise unknown(intent)
                case State.SENDING | State.CREATED | State.EXECUTING if self._is_elsewhere(intent):
                    if time.monotonic() - waiting_since > OTHERS_SECONDS:
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
                    sent = await self._attempt(intent, order, asked, attempt=attempt, until=started + SERIES_SECONDS)
                    has_sent = has_sent or sent
            intent = self.journal.get(asked.intent_id)

    def _is_elsewhere(self, intent: Intent) -> bool:
        return intent.has_living_owner and intent.owner != self.owner

    async def _check_account(self, intent: Intent) -> None:
        """The same id under another account's name must be the same person's account, or it is another deed."""
        if intent.account != self.account and intent.account_id != await self.exchange.account_id():
            raise IntentConflict(
                f"Intent {intent.intent_id} belongs to account {intent.account}, not to {self.account}. "
                "Use a new intent id.",
                exchange=self.exchange.spec.name,
            )

    async def _attempt(self, intent: Intent, order: NewOrder, asked: Asked, *, attempt: int, until: float) -> bool:
        """One attempt from PREPARED; whether it sent. Raises when it is over, else the loop looks again."""
        session = self.exchange.session
        try:
            guard.check_address(self.exchange)
            sized = await self._settled(intent, order, asked)
            await guard.check(self.exchange)
            write = self.exchange.new_order(sized)
            account_id = await self.exchange.account_id()
            request, token = await session.prepare(write.request)
            session.check_clock()
            self.check_running()
            if session.line.monotonic() > until:
                raise Interrupted(
                    f"Not sent: it could not be sent within {SERIES_SECONDS:.0f} s, and the price may be another one "
                    "now. Nothing was traded.",
                    exchange=self.exchange.spec.name,
                )
        except TradehookError as error:
            self.journal.refuse(intent, error_to_dict(error))
            raise
        sending = self._start(intent, account_id=account_id)
        if sending is None:
            return False  # another process was faster
        try:
            created = session.understand(await session.send_once(request), write.read)
        except TradehookError as error:
            await self._failed(sending, write, error, token=token, attempt=attempt)
            return True
        except BaseException:
            self.record(sending, State.UNKNOWN, what="interrupted")
            raise
        if created.status is not OrderStatus.CREATED:
            self.record(sending, State.ACCEPTED, order=created)
        elif write.kind == "create":
            await sign_and_execute(self, sending, sized=sized, created=created, approve=asked.approve)
        else:
            refused = GuardRefused(
                f"Not signed: to pay for this, {self.exchange.spec.label} wants to move coins from a chain first (a "
                "funding bridge), and nobody allowed that. Nothing was traded. Deposit first, or order less.",
                rule="bridge",
                exchange=self.exchange.spec.name,
            )
            self.record(sending, State.REJECTED, order=created, error=refused)
        return True

    def _start(self, intent: Intent, *, account_id: str) -> Intent | None:
        try:
            return self.journal.start(intent, to=State.SENDING, owner=self.owner, account_id=account_id)
        except GuardRefused as error:
            self.journal.refuse(intent, error_to_dict(error))
            raise

    async def _settled(self, intent: Intent, order: NewOrder, asked: Asked) -> SizedOrder:
        """What will be sent: settled once, by whoever was first; a rerun continues it."""
        sized = intent.sized
        if sized is None:
            settled = asked.shown or await self.exchange.size_order(order)
            sized = self.journal.settle(intent, settled.to_dict()).sized or settled
        if asked.shown is not None and _terms(asked.shown) != _terms(sized):
            raise IntentConflict(
                f"Intent {intent.intent_id} was settled before as: {deed(sized)}. You were shown: {deed(asked.shown)}. "
                "Nothing was sent. Use a new intent id.",
                exchange=self.exchange.spec.name,
            )
        return sized

    async def _failed(
        self, sending: Intent, write: Write[Order], error: TradehookError, *, token: Token, attempt: int
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
            raise Interrupted("Stopped before sending; nothing was traded.", exchange=self.exchange.spec.name)

    async def look(self, intent: Intent) -> bool:
        """Whether a doubtful order's status, really read, shows that it went to market; then it is recorded.

        What could not be read, or still waits for a signature, changes nothing.
        """
        try:
            order = await self.exchange.get_order(intent.order_id or "")
        except TradehookError:
            return False
        if order.status in (OrderStatus.CREATED, OrderStatus.UNRECOGNIZED):
            return False
        return self.record(intent, State.ACCEPTED, order=order, what="found") is not None

    def record(
        self,
        intent: Intent,
        to: State,
        *,
        order: Order | None = None,
        error: TradehookError | None = None,
        what: str | None = None,
    ) -> Intent | None:
        """Write what is known now.

        Raises:
            OutcomeUnknown: the journal cannot be written after a send; names the order id that was heard.
        """
        stored = error_to_dict(error) if error is not None else None
        for attempt in range(3):
            try:
                return self.journal.move(intent, to, order=order, error=stored, what=what)
            except IntentConflict as conflict:
                # An order id that is another intent's cannot be ours: what we sent is in doubt.
                return self.journal.move(intent, State.UNKNOWN, error=error_to_dict(conflict))
            except JournalUnavailable as trouble:
                heard = f", order {order.order_id}" if order is not None else ""
                _log.error("Intent %s is %s%s, but: %s", intent.intent_id, to, heard, trouble)
                time.sleep(0.2 * 2**attempt)
        raise unknown(intent, order_id=order.order_id if order is not None else None)

    async def cancel(self, order_id: str) -> Order:
        """Ask for cancellation; see `Desk.cancel_order`."""
        await guard.check(self.exchange)
        write = self.exchange.cancel_order(order_id)
        session = self.exchange.session
        refusal: TradehookError | None = None
        try:
            await session.read(write.request, write.read, kind="cancel")
        except TradehookError as error:
            if error.may_have_happened or getattr(error, "status", 0) not in (400, 409, 422):
                raise
            refusal = error
        order = await self.exchange.get_order(order_id)
        intent = self.journal.by_order(self.exchange.host, order_id)
        if intent is not None:
            self.journal.note(intent.intent_id, "cancel", {"accepted": refusal is None, "status": str(order.status)})
            self.journal.see_order(intent.intent_id, order)
        if refusal is not None and order.status not in (OrderStatus.CANCELING, OrderStatus.CANCELED):
            refusal.message = f"{refusal.message} It is {order.status} now."
            refusal.args = (refusal.message,)
            raise refusal
        return order


def unknown(intent: Intent, *, order_id: str | None = None) -> OutcomeUnknown:
    """The error for an intent whose order may or may not exist."""
    order_id = order_id or intent.order_id
    named = f" If it exists, it is order {order_id}." if order_id else ""
    return OutcomeUnknown(
        "The order was sent, and no answer came that tells whether it was placed. It may exist or not: "
        f"do not enter it again.{named} Look at `tradehook orders` and `tradehook intents show {intent.intent_id}`.",
        intent_id=intent.intent_id,
        next_step=f"tradehook intents show {intent.intent_id}",
        exchange=intent.exchange,
        order_id=order_id,
    )


def _busy(intent: Intent) -> TradehookError:
    """Another process has had it for too long: in doubt once it has sent, else just in use."""
    if intent.state is State.CREATED:
        return Interrupted(
            f"Another process is asking for approval of intent {intent.intent_id}. Nothing was traded yet.",
            exchange=intent.exchange,
        )
    return unknown(intent)


def _terms(order: SizedOrder) -> tuple[object, ...]:
    """What a person approves."""
    return (
        order.base,
        order.quote,
        order.side,
        order.quantity,
        order.unit,
        order.price,
        order.chain,
        order.base_address,
    )


def _outcome(intent: Intent, *, is_stored: bool) -> Outcome:
    order, sized = intent.last_order, intent.sized
    if order is None or sized is None:
        raise UnexpectedResponse(f"Intent {intent.intent_id} was accepted, but its order is not in the journal.")
    return Outcome(intent_id=intent.intent_id, order=order, sized=sized, is_stored=is_stored)
