"""The desk: places orders and sends transfers once, cancels orders, and says truthfully what became of them.

A money operation runs on a thread of the desk's own, over a blocking line, from its start to its end.
Whoever asked only waits: a time-out, a cancellation or a signal interrupts the waiting, never the
sending. A stop is looked at before the step to SENDING, and closing the desk waits for what runs.
"""

from __future__ import annotations

import threading
import uuid
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, TypeVar, cast

from tradehook.desk import canceling, previews, resolving, resting, watch
from tradehook.desk import questions as odd
from tradehook.desk.attempts import DEFAULT, Asked, Attempts
from tradehook.desk.deeds import OrderDeed, Outcome, TransferDeed, TransferOutcome
from tradehook.desk.futures_deed import FuturesDeed, FuturesOutcome
from tradehook.desk.intents import State, check_intent_id, this_owner
from tradehook.desk.threads import Threads
from tradehook.errors import InvalidInput, TradehookError
from tradehook.run import run
from tradehook.session import for_money

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from tradehook.contract import Exchange
    from tradehook.desk.deeds import Deed, Settled
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.desk.previews import Preview
    from tradehook.desk.reconcile import Patience
    from tradehook.desk.watch import Change
    from tradehook.futures import FuturesOrder, NewFuturesOrder, SizedFuturesOrder
    from tradehook.models import NewOrder, Order, SizedOrder
    from tradehook.transfers import NewTransfer, SizedTransfer, Transfer

T = TypeVar("T")

__all__ = ["Desk", "FuturesOutcome", "Outcome", "TransferOutcome"]


class Desk:
    """The door for one account's money. Safe for threads; one for a process and account is enough."""

    def __init__(
        self,
        exchange: Exchange,
        *,
        journal: Journal,
        account: str,
        patience: Patience = DEFAULT,
        check_chosen: Callable[[], None] = lambda: None,
    ) -> None:
        """Open the desk.

        Args:
            exchange: the account, over a blocking line.
            journal: where intents are kept.
            account: what people call the account.
            patience: how long what got no answer is looked for.
            check_chosen: raises when it is open which account is meant; asked before each order and transfer.
        """
        self.exchange = exchange
        self._check_chosen = check_chosen
        self.journal = journal
        self.account = account
        self._threads = Threads()
        self._is_stopping = threading.Event()
        self._attempts = Attempts(
            exchange,
            journal=journal,
            account=account,
            owner=f"{this_owner()}:{uuid.uuid4().hex[:8]}",
            is_stopping=self._is_stopping,
            patience=patience,
        )
        self.watcher = watch.Watcher(exchange, journal)
        self._one_look = threading.Lock()
        self._one_watch = threading.Lock()

    def place_order(
        self,
        order: NewOrder,
        *,
        intent_id: str,
        source: str,
        sized: SizedOrder | None = None,
        approve: Callable[[SizedOrder, Order], bool] | None = None,
        is_unattended: bool = False,
        resends: bool = False,
        preview: str | None = None,
    ) -> Outcome:
        """Place an order at most once for this intent id, and return it as first heard of.

        Calling again with the same id and the same order sends nothing and returns (or raises) what
        is stored. May therefore be repeated freely.

        Args:
            order: what is wanted.
            intent_id: names the deed, not the attempt.
            source: who asks, for the record.
            sized: what was settled and shown to a person already; sent as it is, unless this intent was settled before.
            approve: asked before an on-chain order is signed, with what it would do; `False` leaves it unsigned.
            is_unattended: nobody looks on. The quantity is then a few lots smaller, at most a thousandth, so that a
                person's identical order is never taken for this one.
            resends: a market order at the exchange that got no answer and is proved absent may be sent again by itself.
            preview: the id of the preview that was shown (`preview_order`). Its order is signed if it is less than 20 s
                old and no other intent's; otherwise another one is made, as without it.

        Raises:
            IntentConflict: the id was used for another order.
            InvalidInput: it cannot be traded as asked.
            GuardRefused: one of our limits, or `approve`, said no.
            Rejected: the exchange said no (and its other answers, see `errors.py`).
            NetworkError: it could not be reached, and nothing was sent.
            Interrupted: we were told to stop, or it took too long; nothing was sent.
            JournalUnavailable: the journal cannot be used; nothing was sent.
            OutcomeUnknown: it may or may not have been placed. Never sent again by itself.
        """
        return self.start_order(
            order,
            intent_id=intent_id,
            source=source,
            sized=sized,
            approve=approve,
            is_unattended=is_unattended,
            resends=resends,
            preview=preview,
        ).result()

    def start_order(
        self,
        order: NewOrder,
        *,
        intent_id: str,
        source: str,
        sized: SizedOrder | None = None,
        approve: Callable[[SizedOrder, Order], bool] | None = None,
        is_unattended: bool = False,
        resends: bool = False,
        preview: str | None = None,
    ) -> Future[Outcome]:
        """The same without waiting. Cancelling the future, or not looking at it, does not stop the order."""
        if resends and (order.price is not None or order.chain is not None):
            raise InvalidInput("Only a market order at the exchange may be sent again by itself; leave out `resends`.")
        asked = Asked(intent_id, source, sized, approve, is_unattended=is_unattended, resends=resends, preview=preview)
        return self._begin(order, asked, lambda: OrderDeed(order))

    def preview_order(self, order: NewOrder | SizedOrder, *, source: str) -> Preview:
        """What an order on a chain would do now, from an order that is made for it at the exchange and not signed.

        Moves nothing, whatever becomes of it; may be repeated, six times a minute.

        Args:
            order: what is wanted, or what was settled of it.
            source: who asks, for the record.

        Raises:
            InvalidInput: it cannot be traded as asked, or is no order on a chain.
            GuardRefused: nothing may be sent here or now; `previews`: there were too many, until `frees_at`.
            TradehookError: the exchange made none. Nothing is in doubt.
        """
        self._threads.check_process()
        self._check_chosen()
        return self._threads.do(lambda: _run_for_money(previews.prepare(self._attempts, order, source=source)))

    def create_transfer(
        self,
        transfer: NewTransfer,
        *,
        intent_id: str,
        source: str,
        sized: SizedTransfer | None = None,
        approve: Callable[[SizedTransfer, Transfer], bool] | None = None,
    ) -> TransferOutcome:
        """Send a transfer at most once for this intent id, and return it as first heard of.

        Calling again with the same id and the same transfer sends nothing and returns (or raises) what is stored.
        May therefore be repeated freely. Takes and raises what `place_order` does, and:

        Raises:
            GuardRefused: `rule` is `destination`: the address is not on the list (any more).
        """
        return self.start_transfer(transfer, intent_id=intent_id, source=source, sized=sized, approve=approve).result()

    def start_transfer(
        self,
        transfer: NewTransfer,
        *,
        intent_id: str,
        source: str,
        sized: SizedTransfer | None = None,
        approve: Callable[[SizedTransfer, Transfer], bool] | None = None,
    ) -> Future[TransferOutcome]:
        """The same without waiting. Cancelling the future, or not looking at it, does not stop the transfer."""
        asked = Asked(intent_id=intent_id, source=source, shown=sized, approve=approve)
        return self._begin(transfer, asked, lambda: TransferDeed(transfer, self.journal.destinations))

    def place_futures(
        self, order: NewFuturesOrder, *, intent_id: str, source: str, sized: SizedFuturesOrder | None = None
    ) -> FuturesOutcome:
        """Open or close a position at most once for this intent id, and return the order as first heard of.

        May be repeated freely. Takes and raises what `place_order` does, and:

        Raises:
            GuardRefused: `rule` is `futures`: it is not a sandbox.
        """
        return self.start_futures(order, intent_id=intent_id, source=source, sized=sized).result()

    def start_futures(
        self, order: NewFuturesOrder, *, intent_id: str, source: str, sized: SizedFuturesOrder | None = None
    ) -> Future[FuturesOutcome]:
        """The same without waiting. Cancelling the future, or not looking at it, does not stop the order."""
        asked = Asked(intent_id=intent_id, source=source, shown=sized, approve=None)
        return self._begin(order, asked, lambda: FuturesDeed(order))

    async def size_transfer(self, transfer: NewTransfer) -> SizedTransfer:
        """What would be sent for this transfer, its label looked up. Sends nothing. Raises `InvalidInput`."""
        return await TransferDeed(transfer, self.journal.destinations).settle(self.exchange)

    def questions(self, settled: Settled) -> tuple[str, ...]:
        """What to ask a person before this is sent, in sentences; nothing where nothing is odd. Sends nothing."""
        return run(odd.ask(self.exchange, self.journal.engine, settled))

    def _begin(
        self,
        wanted: NewOrder | NewTransfer | NewFuturesOrder,
        asked: Asked,
        deed: Callable[[], OrderDeed | TransferDeed | FuturesDeed],
    ) -> Future[Any]:
        check_intent_id(asked.intent_id)
        self._threads.check_process()
        self._check_chosen()
        return self._threads.begin(
            asked.intent_id,
            wanted,
            lambda: _run_for_money(self._attempts.carry_out(cast("Deed[Any, Any]", deed()), asked)),
        )

    def cancel_order(self, order_id: str) -> Order:
        """Ask for cancellation and return the order as it stands right after. May be repeated.

        Passes every limit, a freeze included. The order ends a moment later, perhaps filled.

        Raises:
            WrongState: it cannot be canceled (any more); the message says how it stands.
        """
        self._threads.check_process()
        return self._threads.do(lambda: _run_for_money(canceling.cancel(self._attempts, order_id)), is_cancel=True)

    def follow(self, intent_id: str) -> Order:
        """Read an intent's order at the exchange now, record it, return it. Cancels it when its time is up."""
        order = run(self._attempts.follow(self.journal.get(intent_id)))
        if not order.is_final:
            run(resting.expire(self._attempts, only=intent_id))
        return self.journal.get(intent_id).last_order or cast("Order", order)

    def watch(self, intent_id: str) -> Order:
        """An intent's order as last seen, for who asks again and again until it has ended.

        All who wait for orders of this account, in whatever process, share the looks (`sweep`): asking costs no request
        of its own, and more often than `watcher.interval_seconds` not even a look. May be repeated.

        Raises:
            TradehookError: the look failed. Whoever asks next looks again.
            OutcomeUnknown: nobody knows whether there is an order.
        """
        return self._watched(intent_id).last_order or self.follow(intent_id)

    def watch_transfer(self, intent_id: str) -> Transfer:
        """An intent's transfer as last seen; it shares the looks that `watch` shares, and raises the same."""
        return self._watched(intent_id).last_transfer or self.follow_transfer(intent_id)

    def _watched(self, intent_id: str) -> Intent:
        """An intent after a look, if it is time for one; nothing is `seen` of it where no look would find it."""
        intent = self.journal.get(intent_id)
        if intent.is_final and intent.seen:
            return intent
        with self._one_watch:
            if self.watcher.is_due:
                self.sweep()
        intent = self.journal.get(intent_id)
        if intent.reads_as is not State.ACCEPTED or intent.host != self.exchange.host:
            return replace(intent, seen=None)  # reading it says why
        return intent if intent.account_id == run(self.exchange.account_id()) else replace(intent, seen=None)

    def follow_transfer(self, intent_id: str) -> Transfer:
        """Read an intent's transfer at the exchange now, record it, return it."""
        transfer = run(self._attempts.follow(self.journal.get(intent_id)))
        return self.journal.get(intent_id).last_transfer or cast("Transfer", transfer)

    def follow_futures(self, intent_id: str) -> FuturesOrder:
        """Read an intent's futures order at the exchange now, record it, return it."""
        order = run(self._attempts.follow(self.journal.get(intent_id)))
        return self.journal.get(intent_id).last_futures or cast("FuturesOrder", order)

    def sweep(self) -> list[Change]:
        """Look at every open order and transfer of this account, and return what changed since the last time.

        One process asks the exchange, the others read what it wrote down (`watch.py`). How long to wait before the
        next look is told by `watcher.interval_seconds`.

        Cancels first what has rested for as long as it may, and looks for what is in doubt, now and then.

        Raises:
            TradehookError: the list of open orders could not be read.
        """
        self.expire()
        run(self._attempts.look_around())
        with self._one_look:
            return run(self.watcher.look())

    def expire(self) -> list[Intent]:
        """Cancel what has rested for as long as it may (`good_for`); the intents it was asked for. May be repeated."""
        self._threads.check_process()
        return run(resting.expire(self._attempts))

    def open_orders(self) -> list[Order]:
        """Every order that is known to be open, newest first, listed by the exchange or not; see `watch.py`."""
        return run(watch.open_orders(self.exchange, self.journal))

    def reconcile(self) -> list[Intent]:
        """Look once for everything of this account that is in doubt; returns the intents whose doubt ended.

        Reads only; may be repeated. The rest stays in doubt, with what was seen (`Intent.resolution`).

        Raises:
            TradehookError: the exchange could not be read.
        """
        self._threads.check_process()
        return run(self._attempts.catch_up())

    def resolve(self, intent_id: str, word: str, *, by: str, why: str = "") -> Intent:
        """End the doubt about an intent by a person's word, recorded with who and why.

        Args:
            intent_id: whose doubt.
            word: `placed:ID` (the order or transfer is read and must be what was sent), `not-placed`, or `again`: who
                asks next with this intent id sends it.
            by: who says so.
            why: for the record.

        Raises:
            InvalidInput: there is no doubt, it is too early to know, or that order is not what was sent.
            IntentConflict: that order belongs to another intent, or the intent changed meanwhile.
        """
        self._threads.check_process()
        intent = self.journal.get(intent_id)
        return run(resolving.resolve_as(self._attempts, intent, word, by=by, why=why))

    def stop(self) -> None:
        """Begin no new send. What is being sent goes on to its answer."""
        self._is_stopping.set()

    def close(self) -> None:
        """Begin no new send, wait for what is being sent, then let go of connections and journal."""
        self.stop()
        self._threads.close()
        self.exchange.session.rest()
        close = getattr(self.exchange.session.line, "close", None)
        if close is not None:
            close()
        with suppress(TradehookError):  # a journal that is gone holds nothing to give back
            self.watcher.release()
        self.journal.close()


def _run_for_money(operation: Coroutine[Any, Any, T]) -> T:
    """Do it to its end, with what it reads on the way drawn from the share of the budget that money has."""
    with for_money():
        return run(operation)
