"""How one intent is carried out, step by step, each step in the journal before the next.

Runs over a blocking line on a thread of the desk (`submit.py`). What a failure means is decided by the
one table in `retry.py`; this file only obeys it.
"""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from sqlalchemy.exc import SQLAlchemyError

from tradehook.desk import guard
from tradehook.desk.intents import Intent, Outcome, State, error_from_dict, error_to_dict
from tradehook.errors import GuardRefused, NotSent, OutcomeUnknown, TradehookError, UnexpectedResponse
from tradehook.models import NewOrder, Order, OrderStatus, SizedOrder
from tradehook.retry import ATTEMPTS, Verdict, delay_seconds, verdict

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from tradehook.contract import Exchange
    from tradehook.desk.journal import Journal
    from tradehook.session import Token
    from tradehook.wire import Write

_log = logging.getLogger(__name__)

_OTHERS_SECONDS = 60.0
_POLL_SECONDS = 0.1


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

    async def place(
        self,
        order: NewOrder,
        *,
        intent_id: str,
        source: str,
        shown: SizedOrder | None,
        approve: Callable[[SizedOrder, Order], bool] | None,
    ) -> Outcome:
        """Bring an intent to its end or to a doubt, from wherever it stands; see `Desk.place_order`."""
        intent, is_new = self.journal.prepare(
            intent_id,
            kind="order",
            exchange=self.exchange.spec.name,
            host=self.exchange.host,
            environment=self.exchange.environment,
            account=self.account,
            source=source,
            asked=order.to_dict(),
        )
        waiting_since = time.monotonic()
        attempt = 0
        while True:
            match intent.reads_as:
                case State.ACCEPTED:
                    return _outcome(intent, is_stored=not is_new and attempt == 0)
                case State.REJECTED:
                    raise error_from_dict(intent.error or {})
                case State.UNKNOWN:
                    raise unknown(intent)
                case State.SENDING | State.CREATED | State.EXECUTING if self._is_elsewhere(intent):
                    if time.monotonic() - waiting_since > _OTHERS_SECONDS:
                        raise unknown(intent)
                    await self.exchange.session.line.pause(_POLL_SECONDS)
                case State.SENDING:
                    raise unknown(intent)  # ours, and nobody here is sending it any more
                case State.CREATED:
                    # Whoever created it is gone, unsigned: it moves nothing, so begin again.
                    self.journal.move(intent, State.PREPARED, what="abandoned")
                case State.EXECUTING:
                    await self._resume_execute(intent)
                case _:
                    attempt += 1
                    await self._attempt(intent, order, shown, approve, attempt=attempt)
            intent = self.journal.get(intent_id)

    def _is_elsewhere(self, intent: Intent) -> bool:
        return intent.has_living_owner and intent.owner != self.owner

    async def _attempt(
        self,
        intent: Intent,
        order: NewOrder,
        shown: SizedOrder | None,
        approve: Callable[[SizedOrder, Order], bool] | None,
        *,
        attempt: int,
    ) -> None:
        """One attempt from PREPARED; returns when the loop should look again, raises when it is over."""
        session = self.exchange.session
        try:
            guard.check_address(self.exchange)
            sized = intent.sized
            if sized is None:
                settled = shown or await self.exchange.size_order(order)
                # Another process may have settled it meanwhile; what is stored is what is sent.
                sized = self.journal.settle(intent, settled.to_dict()).sized or settled
            await guard.check(self.exchange)
            write = self.exchange.new_order(sized)
            account_id = await self.exchange.account_id()
            request, token = await session.prepare(write.request)
            session.check_clock()
        except TradehookError as error:
            self.journal.note(intent.intent_id, "not sent", {"error": error_to_dict(error)})
            raise
        if self.is_stopping.is_set():
            raise NotSent("Stopped before sending; nothing was sent.", exchange=self.exchange.spec.name)
        sending = self.journal.start(intent, to=State.SENDING, owner=self.owner, account_id=account_id)
        if sending is None:
            return  # another process was faster
        try:
            created = session.understand(await session.send_once(request), write.read)
        except TradehookError as error:
            await self._failed(sending, write, error, token=token, attempt=attempt)
            return
        except BaseException:
            self._record(sending, State.UNKNOWN, what="interrupted")
            raise
        if created.status is not OrderStatus.CREATED:
            self._record(sending, State.ACCEPTED, order=created)
            return
        if write.kind != "create":
            refused = GuardRefused(
                f"Not signed: to pay for this, {self.exchange.spec.label} wants to move coins from a chain first (a "
                "funding bridge), and nobody allowed that. Nothing was traded. Deposit first, or order less.",
                rule="bridge",
                exchange=self.exchange.spec.name,
            )
            self._record(sending, State.REJECTED, order=created, error=refused)
            return
        await self._sign_and_execute(sending, sized, created, approve)

    async def _failed(
        self, sending: Intent, write: Write[Order], error: TradehookError, *, token: Token, attempt: int
    ) -> None:
        """What the table says about a failed send: back to PREPARED, UNKNOWN, or REJECTED."""
        session = self.exchange.session
        match verdict(write.kind, error):
            case Verdict.AGAIN | Verdict.WAIT | Verdict.NEW_TOKEN as word:
                self._record(sending, State.PREPARED, error=error, what="not carried out")
                if word is Verdict.NEW_TOKEN:
                    session.drop(token)
                if attempt >= ATTEMPTS or (word is Verdict.NEW_TOKEN and attempt > 1):
                    raise error
                if word is not Verdict.NEW_TOKEN:
                    await session.line.pause(delay_seconds(attempt, error))
            case Verdict.NO:
                self._record(sending, State.REJECTED, error=error)
            case _:
                self._record(sending, State.UNKNOWN, error=error)

    async def _sign_and_execute(
        self,
        sending: Intent,
        sized: SizedOrder,
        created: Order,
        approve: Callable[[SizedOrder, Order], bool] | None,
    ) -> None:
        intent = self._record(sending, State.CREATED, order=created)
        if intent is None:
            return
        try:
            write = self.exchange.execute_order(sized, created=created)
            if approve is not None and not approve(sized, created):
                raise GuardRefused("Not approved; nothing was signed or traded.", rule="approval")
        except TradehookError as error:
            self._record(intent, State.REJECTED, error=error)
            return
        except BaseException:
            self._record(intent, State.PREPARED, what="abandoned")
            raise
        executing = self.journal.start(intent, to=State.EXECUTING, owner=self.owner, account_id=intent.account_id or "")
        if executing is not None:
            await self._execute(executing, write)

    async def _execute(self, executing: Intent, write: Write[Order]) -> None:
        """Send the signatures; after doubt look at the status, and only if it still waits send the same bytes."""
        session = self.exchange.session
        last: TradehookError | None = None
        for attempt in range(1, ATTEMPTS + 1):
            token = None
            try:
                request, token = await session.prepare(write.request)
                order = session.understand(await session.send_once(request), write.read)
            except TradehookError as error:
                last = error
                match verdict("execute", error):
                    case Verdict.NEW_TOKEN if attempt == 1 and token is not None:
                        session.drop(token)
                    case Verdict.AGAIN | Verdict.WAIT | Verdict.LOOK:
                        await session.line.pause(delay_seconds(attempt, error))
                        if await self._looked(executing):
                            return
                    case _:
                        self._record(executing, State.REJECTED, error=error)
                        return
            except BaseException:
                self._record(executing, State.UNKNOWN, what="interrupted")
                raise
            else:
                self._record(executing, State.ACCEPTED, order=order)
                return
        self._record(executing, State.UNKNOWN, error=last)

    async def _looked(self, executing: Intent) -> bool:
        """Whether the order has left the state that waits for signatures; if so, it is recorded."""
        try:
            order = await self.exchange.get_order(executing.order_id or "")
        except TradehookError:
            return False
        if order.status in (OrderStatus.CREATED, OrderStatus.UNRECOGNIZED):
            return False
        self._record(executing, State.ACCEPTED, order=order)
        return True

    async def _resume_execute(self, intent: Intent) -> None:
        """An execute whose process died. Its status tells; the payloads are gone, so it is not sent again."""
        taken = self.journal.start(intent, to=State.EXECUTING, owner=self.owner, account_id=intent.account_id or "")
        if taken is not None and not await self._looked(taken):
            self._record(taken, State.UNKNOWN, what="interrupted")

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

    def _record(
        self,
        intent: Intent,
        to: State,
        *,
        order: Order | None = None,
        error: TradehookError | None = None,
        what: str | None = None,
    ) -> Intent | None:
        """Write what is known now. If the journal fails after a send, say so: the row then reads as UNKNOWN."""
        stored = error_to_dict(error) if error is not None else None
        for attempt in range(3):
            try:
                return self.journal.move(intent, to, order=order, error=stored, what=what)
            except SQLAlchemyError:
                _log.exception("The journal could not record %s of intent %s.", to, intent.intent_id)
                time.sleep(0.2 * 2**attempt)
        raise unknown(intent)


def unknown(intent: Intent) -> OutcomeUnknown:
    """The error for an intent whose order may or may not exist."""
    return OutcomeUnknown(
        f"The order was sent, and no answer came that tells whether it was placed. It may exist or not: "
        f"do not enter it again. Look at `tradehook orders` and `tradehook intents show {intent.intent_id}`.",
        intent_id=intent.intent_id,
        next_step=f"tradehook intents show {intent.intent_id}",
        exchange=intent.exchange,
    )


def _outcome(intent: Intent, *, is_stored: bool) -> Outcome:
    order, sized = intent.last_order, intent.sized
    if order is None or sized is None:
        raise UnexpectedResponse(f"Intent {intent.intent_id} was accepted, but its order is not in the journal.")
    return Outcome(intent_id=intent.intent_id, order=order, sized=sized, is_stored=is_stored)
