"""The second step of a signed order or transfer: compare, ask, sign, execute.

Until the execute leaves, nothing has moved, and everything that stops it leads back to PREPARED. Once one
may have arrived, no later answer can make that undone: doubt ends only by its own status.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, cast

from tradehook.desk import reconcile
from tradehook.desk.intents import State
from tradehook.errors import GuardRefused, PayloadMismatch, TradehookError
from tradehook.retry import ATTEMPTS, Verdict, delay_seconds, verdict

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.desk.attempts import Attempts
    from tradehook.desk.deeds import Deed, MadeT, SettledT
    from tradehook.desk.intents import Intent
    from tradehook.session import Token
    from tradehook.wire import Request, Write


_log = logging.getLogger(__name__)


async def sign_and_execute(
    attempts: Attempts,
    sending: Intent,
    deed: Deed[SettledT, MadeT],
    *,
    settled: SettledT,
    created: MadeT,
    approve: Callable[[Any, Any], bool] | None,
) -> None:
    """Send what was created on its way, or leave it unsigned.

    Raises:
        GuardRefused: trading was frozen meanwhile, or it would trade worse than it may; nothing was signed.
        Interrupted: we were told to stop; nothing was signed.
        NetworkError: the exchange could not be reached; nothing was signed.
    """
    intent = attempts.record(sending, State.CREATED, made=created)
    if intent is None:
        return
    try:
        await deed.check_created(attempts.exchange, settled, created)
    except TradehookError as error:
        attempts.record(intent, State.PREPARED, error=error, what="abandoned")
        raise
    try:
        write = deed.execute(attempts.exchange, settled, created)
        if approve is not None and not approve(settled, created):
            raise GuardRefused("Not approved; nothing was signed or sent.", rule="approval")
    except (PayloadMismatch, GuardRefused) as error:
        attempts.record(intent, State.REJECTED, error=error)
        return
    except BaseException:
        attempts.record(intent, State.PREPARED, what="abandoned")
        raise
    try:
        request, token = await attempts.exchange.session.prepare(write.request)
        attempts.check_running()
        executing = attempts.journal.start(
            intent, to=State.EXECUTING, owner=attempts.owner, account_id=intent.account_id or ""
        )
    except TradehookError as error:
        attempts.record(intent, State.PREPARED, error=error, what="abandoned")
        raise
    if executing is not None:
        await _execute(attempts, executing, write, request=request, token=token)


async def resume(attempts: Attempts, intent: Intent, deed: Deed[SettledT, MadeT]) -> bool:
    """Whether a doubt about an execute was taken up again: its status first, and if it still waits, the same bytes.

    That is safe at any time: it was approved, it is addressed by its id, and the exchange executes an id once.
    """
    made = intent.last_transfer if intent.kind == "transfer" else intent.last_order
    if intent.exchange_id is None or made is None or not made.awaits_signature or not made.payloads:
        return False
    if await attempts.look(intent):
        return True
    if attempts.is_stopping.is_set() or reconcile.is_over(intent, now=attempts.exchange.session.line.now()):
        return False
    try:
        settled = deed.restore(intent.request or {})
        write = deed.execute(attempts.exchange, settled, cast("MadeT", made))
        request, token = await attempts.exchange.session.prepare(write.request)
        executing = attempts.journal.start(
            intent, to=State.EXECUTING, owner=attempts.owner, account_id=intent.account_id or ""
        )
    except TradehookError as error:
        _log.warning("Intent %s could not be taken up again: %s", intent.intent_id, error.message)
        return False
    if executing is not None:
        await _execute(attempts, executing, write, request=request, token=token, may_have_arrived=True)
        return attempts.journal.get(intent.intent_id).reads_as is not State.UNKNOWN
    return True


async def _execute(
    attempts: Attempts,
    executing: Intent,
    write: Write[MadeT],
    *,
    request: Request,
    token: Token,
    may_have_arrived: bool = False,
) -> None:
    """Send the signatures; after doubt look at the status, and only if it still waits send the same bytes.

    Raises:
        TradehookError: it was certainly not carried out, and may be tried again; the last reason.
    """
    session = attempts.exchange.session
    last: TradehookError | None = None
    for attempt in range(1, ATTEMPTS + 1):
        try:
            if attempt > 1:
                await _check_still_wanted(attempts, executing, may_have_arrived=may_have_arrived)
                request, token = await session.prepare(write.request)
        except TradehookError as error:
            # Nothing left this time: whether it is a doubt was decided by what went before.
            _end(attempts, executing, error, may_have_arrived=may_have_arrived, is_final=False)
            return
        try:
            made = session.understand(await session.send_once(request), write.read)
        except TradehookError as error:
            last = error
            word = verdict("execute", error)
            may_have_arrived = may_have_arrived or word is Verdict.LOOK
            if may_have_arrived and await attempts.look(executing):
                return
            if word is Verdict.NEW_TOKEN and attempt == 1:
                session.drop(token)
            elif word in (Verdict.AGAIN, Verdict.WAIT, Verdict.LOOK):
                await session.line.pause(delay_seconds(attempt, error))
            else:
                break
        except BaseException:
            attempts.record(executing, State.UNKNOWN, what="interrupted")
            raise
        else:
            attempts.record(executing, State.ACCEPTED, made=made)
            return
    if last is not None and not (may_have_arrived and await attempts.look(executing)):
        is_final = verdict("execute", last) is Verdict.NO
        _end(attempts, executing, last, may_have_arrived=may_have_arrived, is_final=is_final)


async def _check_still_wanted(attempts: Attempts, executing: Intent, *, may_have_arrived: bool) -> None:
    """A stop, a freeze or a new limit holds between two sends, as long as nothing can have arrived yet."""
    if not may_have_arrived:
        attempts.check_running()
        attempts.journal.check(executing)


def _end(
    attempts: Attempts, executing: Intent, error: TradehookError, *, may_have_arrived: bool, is_final: bool
) -> None:
    """Doubt if any of them may have arrived; else the exchange's no, or back to where it can be tried again."""
    if may_have_arrived:
        attempts.record(executing, State.UNKNOWN, error=error)
    elif is_final:
        attempts.record(executing, State.REJECTED, error=error)
    else:
        attempts.record(executing, State.PREPARED, error=error, what="not carried out")
        raise error
