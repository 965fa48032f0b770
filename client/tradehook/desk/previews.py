"""Previews of orders on a chain: made at the exchange to see their price, and signed only if somebody wants that.

Where a price on a chain exists only inside an order that was created, that order is the preview: it moves nothing until
it is signed. Its row stands in the journal before it is asked for, so that all processes together ask for six a minute
at most; what came is in no list of open orders, is taken for nobody's lost order, and is signed for one intent at most,
while it is young.
See: docs/explanation/money-moves-once.md.
"""

from __future__ import annotations

import json
import logging
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from tradehook.desk import assets, guard, keeping, sightings
from tradehook.desk.events import add_event
from tradehook.desk.fingerprint import is_two_phase
from tradehook.desk.intents import iso
from tradehook.desk.reserve import check_open
from tradehook.desk.schema import reading, writing
from tradehook.desk.tables import EVENT, INTENT, PREVIEW
from tradehook.errors import GuardRefused, InvalidInput, InvalidOrder, Unauthorized, UnexpectedResponse
from tradehook.models import Order, SizedOrder
from tradehook.render import deed as deed_words

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection, Engine

    from tradehook.contract import Exchange
    from tradehook.desk.attempts import Attempts
    from tradehook.desk.deeds import Deed, Settled
    from tradehook.desk.intents import Intent
    from tradehook.models import ChainQuote, NewOrder

_log = logging.getLogger(__name__)

PREVIEW_SECONDS = 20.0
"""So old a preview may be when it is signed; the exchange's own example prepares anew after that."""
A_MINUTE = 6
"""How many an account may ask for: each leaves an order behind at the exchange."""
_MINUTE = timedelta(minutes=1)
_SIGNABLE = timedelta(hours=1)
"""After this, what was to be signed is dropped: it could not be used, and it is most of a row."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What an order on a chain would do, held ready at the exchange and unsigned."""

    preview_id: str
    sized: SizedOrder
    """What would be sent."""
    made: Order
    """The order that was made for it."""
    quote: ChainQuote
    """What goes in, what comes out after the fee, and the fee."""
    asked_at: datetime
    """When it was asked for, by the clock of the line: its price is no older."""


def is_young(asked_at: datetime, *, now: float) -> bool:
    """Whether what was asked for then may still be signed. A clock that was set back makes nothing young."""
    return 0 <= now - asked_at.timestamp() < PREVIEW_SECONDS


async def prepare(attempts: Attempts, order: NewOrder | SizedOrder, *, source: str) -> Preview:
    """A preview of this order; see `Desk.preview_order`. Nothing is in doubt when it fails: it moves nothing."""
    exchange, journal = attempts.exchange, attempts.journal
    session, label = exchange.session, exchange.spec.label
    guard.check_address(exchange, limits=journal.limits)
    sized = order if isinstance(order, SizedOrder) else await exchange.size_order(order)
    await guard.check(exchange, limits=journal.limits)
    write = exchange.new_order(sized)
    if not is_two_phase(sized) or write.kind != "create":
        raise InvalidInput(
            "Only an order on a chain has a preview: any other would be placed by asking. Ask for a quote instead.",
            exchange=exchange.spec.name,
        )
    account_id = await exchange.account_id()
    rows = Previews(journal.engine)
    request, token = await session.prepare(write.request)
    session.check_clock()
    attempts.check_running()
    asked_at = datetime.fromtimestamp(session.line.now(), UTC)
    preview_id = rows.begin(
        exchange, sized, account_id=account_id, account=attempts.account, source=source, asked_at=asked_at
    )
    try:
        made = session.understand(await session.send_once(request), write.read)
    except Unauthorized:
        # The token may just have died. A second one goes out under the same row, as the first made nothing.
        session.drop(token)
        made = await session.read(write.request, write.read, kind="create", attempts=1)
    rows.finish(preview_id, made, host=exchange.host, at=datetime.fromtimestamp(session.line.now(), UTC))
    if not made.awaits_signature:
        _log.error("Preview %s came back as order %s, which needs no signature.", preview_id, made.order_id)
        raise UnexpectedResponse(
            f"{label} was asked only what this would do ({deed_words(sized)}), and answered with an order that needs "
            f"no signature: it may have been carried out. Look at it before you ask again: `tradehook order show "
            f"{made.order_id}`.",
            exchange=exchange.spec.name,
        )
    quote = made.chain_quote
    if quote is None or quote.issues or quote.output <= 0:
        why = "; ".join(quote.issues) if quote is not None and quote.issues else "it did not say what comes out"
        raise InvalidOrder(
            f"{label} made no order that could be signed: {why}. Nothing was traded.",
            status=201,
            code="issues",
            exchange=exchange.spec.name,
        )
    return Preview(preview_id, sized, made, quote, asked_at)


def claim(
    attempts: Attempts,
    intent: Intent,
    deed: Deed[Any, Any],
    settled: Settled,
    *,
    preview_id: str | None,
    account_id: str,
) -> Any:
    """The order of a preview, which this intent alone may sign from now on; `None` where one has to be made.

    It has to be made where the preview is another account's, of other terms, too old, or was claimed before: by this
    very intent as well, since whoever claimed it may have died with it.
    """
    if preview_id is None:
        return None
    now = attempts.exchange.session.line.now()
    free = (PREVIEW.c.preview_id == preview_id, PREVIEW.c.used_by.is_(None))
    with writing(attempts.journal.engine) as connection:
        row = connection.execute(
            select(PREVIEW)
            .where(*free, PREVIEW.c.host == attempts.exchange.host, PREVIEW.c.account_id == account_id)
            .where(PREVIEW.c.exchange_id.is_not(None), PREVIEW.c.made.is_not(None))
        ).one_or_none()
        if row is None or not is_young(datetime.fromisoformat(row.asked_at), now=now):
            return None
        used = {"used_by": intent.intent_id, "used_at": iso(datetime.fromtimestamp(now, UTC))}
        is_same = deed.terms(deed.restore(json.loads(row.request))) == deed.terms(settled)
        if not is_same or connection.execute(update(PREVIEW).where(*free).values(used)).rowcount != 1:
            return None
        add_event(connection, intent.intent_id, "preview", {"preview_id": preview_id, "order_id": row.exchange_id})
    return Order.model_validate_json(row.made)


class Previews:
    """The previews in one journal."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def begin(
        self, exchange: Exchange, sized: SizedOrder, *, account_id: str, account: str, source: str, asked_at: datetime
    ) -> str:
        """The id of a new preview, whose row stands before it is asked for.

        Raises:
            GuardRefused: nothing may be sent here or now, the asset may not be traded, or there were too many.
        """
        host, live = exchange.host, guard.is_live(exchange)
        preview_id = uuid.uuid4().hex
        mine = (PREVIEW.c.host == host, PREVIEW.c.account_id == account_id)
        with writing(self._engine) as connection:
            keeping.check_may_send(connection)
            check_open(connection, sized, host=host, account_id=account_id, exchange=exchange.spec.name, is_live=live)
            assets.check(connection, host=host, order=sized, is_live=live)
            _check_count(connection, mine, now=asked_at)
            connection.execute(
                insert(PREVIEW).values(
                    preview_id=preview_id,
                    host=host,
                    account_id=account_id,
                    account=account,
                    source=source[:255],
                    request=json.dumps(sized.to_dict()),
                    asked_at=iso(asked_at),
                )
            )
            old = (*mine, PREVIEW.c.made.is_not(None), PREVIEW.c.asked_at < iso(asked_at - _SIGNABLE))
            connection.execute(update(PREVIEW).where(*old).values(made=None))
        return preview_id

    def finish(self, preview_id: str, made: Order, *, host: str, at: datetime) -> None:
        """What was made for a preview is known.

        Raises:
            UnexpectedResponse: the exchange named the order of another preview.
        """
        values: dict[str, Any] = {"made": json.dumps(sightings.as_kept(made)), "made_at": iso(at)}
        if made.awaits_signature:
            values["exchange_id"] = made.order_id  # what may have been carried out is hidden from nobody
        with writing(self._engine) as connection:
            try:
                connection.execute(update(PREVIEW).where(PREVIEW.c.preview_id == preview_id).values(values))
            except IntegrityError:
                raise UnexpectedResponse(
                    f"{host} named an order that it had made before, {made.order_id}. Nothing was traded."
                ) from None

    def unsigned(self, host: str, ids: Sequence[str]) -> Collection[str]:
        """Those of the exchange's ids that are only previews: no intent's order, and none that was perhaps signed."""
        query = select(PREVIEW.c.exchange_id).where(PREVIEW.c.host == host, PREVIEW.c.exchange_id.in_(ids))
        taken = select(INTENT.c.intent_id).where(INTENT.c.host == host, INTENT.c.exchange_id == PREVIEW.c.exchange_id)
        # Its intent may have another order by now, because a person said so: this one may be there all the same.
        signed = select(EVENT.c.event_id).where(EVENT.c.intent_id == PREVIEW.c.used_by, EVENT.c.what == "executing")
        with reading(self._engine) as connection:
            return {*connection.execute(query.where(~taken.exists(), ~signed.exists())).scalars()}


def _check_count(connection: Connection, mine: Sequence[Any], *, now: datetime) -> None:
    query = select(PREVIEW.c.asked_at).where(*mine, PREVIEW.c.asked_at > iso(now - _MINUTE))
    recent = connection.execute(query.order_by(PREVIEW.c.asked_at)).scalars().all()
    if len(recent) < A_MINUTE:
        return
    frees = datetime.fromisoformat(recent[len(recent) - A_MINUTE]) + _MINUTE
    raise GuardRefused(
        f"{len(recent)} previews were asked for in the last minute, and each leaves an order behind at the exchange. "
        f"Nothing was sent. The next is possible at {frees:%H:%M:%S} UTC.",
        rule="previews",
        limit=str(A_MINUTE),
        actual=str(len(recent)),
        frees_at=iso(frees),
    )
