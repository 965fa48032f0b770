"""Ends doubts: looks through the exchange's lists for what was sent and never answered.

Only orders and transfers that are done in one step get here without an id. What is looked for has the fingerprint
(`fingerprint.py`), was made in the time window, was not there before, and belongs to nobody. Then:

- exactly one: it is ours (MATCHED), unless others use the account and ours has nothing that tells it apart;
- several, or one that the list tells too little of: a person decides (NEEDS_HUMAN);
- none: nothing is concluded before the horizon, when the token it was sent with is long dead; after it, two clean
  scans and unchanged balances prove it absent, if the account's list is proved to show open orders (`proofs.py`).
  It is held all the same (PROVED_ABSENT), unless the caller asked for market orders to be sent again.

Whatever was decided, looking again may still find it. Reads only.
"""

from __future__ import annotations

import json
import logging
from contextlib import aclosing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook.amounts import plain
from tradehook.desk import futures_deed
from tradehook.desk.fingerprint import Likeness, fingerprint, is_two_phase, likeness, moved_by, settled_from
from tradehook.desk.intents import State, iso
from tradehook.desk.proofs import LISTS_OPEN_ORDERS
from tradehook.desk.resting import good_until
from tradehook.desk.standing import held
from tradehook.errors import OutcomeUnknown
from tradehook.futures import SizedFuturesOrder
from tradehook.models import SizedOrder
from tradehook.render import moved

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.contract import Exchange
    from tradehook.desk.attempts import Attempts
    from tradehook.desk.deeds import Made, Settled
    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.models import Balance
    from tradehook.session import Token

_log = logging.getLogger(__name__)

_BEFORE_SECONDS = 60.0
"""How much earlier than sent something may be dated, for clocks that differ."""
_TOKEN_MARGIN_SECONDS = 30.0
_NEWEST = 100
"""One page: what was there before is looked for among so many."""
_FIRST_PAUSE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Patience:
    """How long and how often is looked."""

    horizon_seconds: float = 600.0
    """After a send, how long it can still appear; longer where the token it was sent with lives longer."""
    look_seconds: float = 10.0
    """How long the caller of a fresh doubt waits for it to be found."""
    scans: int = 2
    """Clean scans after the horizon that prove absence."""
    apart_seconds: float = 10.0
    """Least time between two of them."""


# --- before it is sent ------------------------------------------------------------------------------------------


async def take_baseline(exchange: Exchange, journal: Journal, *, settled: Settled) -> dict[str, Any]:
    """What is there now: the newest ids, the balances of what it moves, and whether others use the account.

    Two reads. Nothing is sent when they fail.
    """
    newest = await _newest(exchange, settled)
    bound = journal.doubts.bound(exchange.host, [made.exchange_id for made in newest])
    return {
        "at": iso(datetime.fromtimestamp(exchange.session.server_now(), UTC)),
        "noted_at": iso(datetime.now(UTC)),  # the same moment by the journal's clock, which may be another
        "ids": [made.exchange_id for made in newest],
        "is_shared": any(made.exchange_id not in bound for made in newest),
        "balances": await Lists(exchange, ()).balances(settled),
    }


def facts(
    exchange: Exchange,
    *,
    kind: str,
    settled: Settled,
    baseline: dict[str, Any] | None,
    token: Token,
    patience: Patience,
) -> dict[str, Any]:
    """The columns that a send needs to be found again."""
    line = exchange.session.line
    token_seconds = token.left_seconds(now=line.monotonic()) + _TOKEN_MARGIN_SECONDS
    seconds = max(patience.horizon_seconds, token_seconds)
    return {
        "good_until": good_until(settled, now=line.now()) if isinstance(settled, SizedOrder) else None,
        "fingerprint": fingerprint(kind, settled.to_dict()),
        "baseline": json.dumps(baseline) if baseline is not None else None,
        "looking_until": iso(datetime.fromtimestamp(line.now() + seconds, UTC)),
    }


# --- after doubt ------------------------------------------------------------------------------------------------


async def resolve(attempts: Attempts, intent: Intent, *, is_fresh: bool) -> Intent:
    """Look for what is in doubt, and return the intent as it stands then.

    A fresh one is looked for several times within `Patience.look_seconds`, since it may be listed late; an older one
    once, or as often as absence needs after its horizon.
    """
    line, patience = attempts.exchange.session.line, attempts.patience
    deadline = line.monotonic() + patience.look_seconds
    pause = _FIRST_PAUSE_SECONDS
    while True:
        intent = await look_for(attempts, intent)
        if intent.reads_as is not State.UNKNOWN or intent.state is State.NEEDS_HUMAN or attempts.is_stopping.is_set():
            return intent
        if is_over(intent, now=line.now()) and _scans(intent) and intent.state is State.UNKNOWN:
            await line.pause(patience.apart_seconds)
            return await look_for(attempts, intent)
        if not is_fresh or line.monotonic() + pause > deadline:
            return intent
        await line.pause(pause)
        pause *= 2


class Lists:
    """What the exchange shows, read once for several doubts that are looked for together."""

    def __init__(self, exchange: Exchange, intents: Sequence[Intent]) -> None:
        """Prepare to look for these; nothing is read before it is asked for."""
        self._exchange = exchange
        starts = [_window_start(intent) for intent in intents if intent.baseline is not None]
        self._since = min(starts, default=None)
        self._found: dict[type[Settled], Sequence[Made]] = {}
        self._balances: Sequence[Balance] | None = None

    async def since(self, settled: Settled, start: datetime) -> Sequence[Made]:
        """Orders, or transfers, that were made from this moment on or have no time."""
        kind = type(settled)
        if kind not in self._found:
            rows = _listed(self._exchange, settled, since=self._since or start)
            self._found[kind] = [made async for made in rows]
        return [made for made in self._found[kind] if made.created_at is None or made.created_at >= start]

    async def balances(self, settled: Settled) -> dict[str, str]:
        """What the exchange itself holds of the assets that it moves; of futures the wallet, and the position."""
        if isinstance(settled, SizedFuturesOrder):
            return await futures_deed.held(self._exchange, settled)
        if self._balances is None:
            self._balances = await self._exchange.balances()
        return held(self._balances, moved_by(settled))


async def look_for(attempts: Attempts, intent: Intent, *, lists: Lists | None = None) -> Intent:
    """One look for an intent in doubt; records what it shows, and returns the intent as it stands then.

    `lists` shares what is read between several that are looked for together.

    Raises:
        TradehookError: the lists or balances could not be read; nothing is concluded.
    """
    if intent.exchange_id is not None:
        await attempts.look(intent)
        return attempts.journal.get(intent.intent_id)
    settled = settled_from(intent.kind, intent.request or {})
    if is_two_phase(settled):
        # Whatever came into being waits for a signature that nobody gave: it moves nothing.
        attempts.record(intent, State.PREPARED, what="abandoned")
        return attempts.journal.get(intent.intent_id)
    if intent.state in (State.SENDING, State.EXECUTING):
        attempts.record(intent, State.UNKNOWN, what="interrupted")
        intent = attempts.journal.get(intent.intent_id)
    if intent.baseline is None or intent.reads_as is not State.UNKNOWN:
        return intent
    await _conclude(attempts, intent, settled, lists=lists or Lists(attempts.exchange, [intent]))
    return attempts.journal.get(intent.intent_id)


async def _conclude(attempts: Attempts, intent: Intent, settled: Settled, *, lists: Lists) -> None:
    exchange, baseline = attempts.exchange, intent.baseline or {}
    listed = await lists.since(settled, _window_start(intent))
    bound = attempts.journal.doubts.bound(exchange.host, [made.exchange_id for made in listed])
    known = {*bound, *baseline["ids"]}
    strangers = [made for made in listed if made.exchange_id not in known and not _is_later(made, intent)]
    same = [made for made in strangers if likeness(settled, made) is Likeness.SAME]
    perhaps = [made for made in strangers if likeness(settled, made) is Likeness.PERHAPS]
    is_shared = baseline["is_shared"] or len(strangers) > len(same)
    is_tagged = isinstance(settled, SizedOrder) and bool(settled.tag)
    changed = _changes(baseline["balances"], await lists.balances(settled))
    now = exchange.session.line.now()
    evidence: dict[str, Any] = {
        "how": "looked",
        "looked_at": iso(datetime.fromtimestamp(now, UTC)),
        "found": [made.exchange_id for made in (*same, *perhaps)],
        "balances_changed": changed,
        "clean_scans": list((intent.resolution or {}).get("clean_scans", [])),
    }
    if others := attempts.journal.doubts.moved_beside(intent, changed):
        evidence["moved_beside"] = others
    if why := (intent.resolution or {}).get("why_not_absent"):
        evidence["why_not_absent"] = why
    if len(same) == 1 and not perhaps and (is_tagged or not is_shared):
        attempts.record(intent, State.MATCHED, made=same[0], what="matched", resolution=evidence)
    elif same or perhaps:
        if intent.state is not State.NEEDS_HUMAN:
            attempts.record(intent, State.NEEDS_HUMAN, error=intent.stored_error, what="looked", resolution=evidence)
    elif intent.state is State.UNKNOWN and is_over(intent, now=now):
        _nothing_there(attempts, intent, evidence, now=now, is_order=isinstance(settled, SizedOrder))
    else:
        attempts.journal.doubts.keep(intent, evidence)


def _nothing_there(attempts: Attempts, intent: Intent, evidence: dict[str, Any], *, now: float, is_order: bool) -> None:
    """The horizon has passed and nothing is listed: one clean scan more, or the end of looking."""
    exchange, patience = attempts.exchange, attempts.patience
    if is_order and not exchange.spec.capabilities.can("orders"):
        evidence["why_not_absent"] = f"{exchange.spec.label} tells of no orders; its own page may"
        attempts.record(intent, State.NEEDS_HUMAN, error=intent.stored_error, what="looked", resolution=evidence)
        return
    proof = attempts.journal.proofs.get(exchange.host, intent.account_id or "", LISTS_OPEN_ORDERS)
    if not is_order or proof is None or not proof.is_true:
        evidence["why_not_absent"] = (
            "nothing proves that this account's list shows open orders (tradehook doctor --place-test does)"
            if is_order
            else f"the list of {intent.noun}s is not proved to be complete"
        )
        attempts.journal.doubts.keep(intent, evidence)
        return
    if evidence["balances_changed"]:
        attempts.record(intent, State.NEEDS_HUMAN, error=intent.stored_error, what="looked", resolution=evidence)
        return
    scans: list[float] = evidence["clean_scans"]
    if not scans or now - scans[-1] >= patience.apart_seconds:
        scans.append(now)
    if len(scans) >= patience.scans:
        attempts.record(intent, State.PROVED_ABSENT, error=intent.stored_error, what="absent", resolution=evidence)
    else:
        attempts.journal.doubts.keep(intent, evidence)


def _is_later(made: Made, intent: Intent) -> bool:
    """Whether it was made when nothing of ours could arrive any more."""
    at, until = made.created_at, intent.looking_until
    return at is not None and until is not None and at > until + timedelta(seconds=_BEFORE_SECONDS)


def is_over(intent: Intent, *, now: float) -> bool:
    """Whether nothing that was sent for it can arrive any more: the token it was sent with is dead."""
    return intent.looking_until is not None and now > intent.looking_until.timestamp()


def is_worth_a_look(intent: Intent, *, now: float) -> bool:
    """Whether looking can still change something by itself; if not, the question waits for a person."""
    looked_at = (intent.resolution or {}).get("looked_at")
    if intent.state in (State.NEEDS_HUMAN, State.PROVED_ABSENT):
        return False
    return not is_over(intent, now=now) or looked_at is None or not _is_looked_over(intent, looked_at)


def _is_looked_over(intent: Intent, looked_at: str) -> bool:
    return intent.looking_until is not None and datetime.fromisoformat(looked_at) > intent.looking_until


def _window_start(intent: Intent) -> datetime:
    """From when on something at the exchange can be what was sent."""
    return datetime.fromisoformat((intent.baseline or {})["at"]) - timedelta(seconds=_BEFORE_SECONDS)


def may_go_again(intent: Intent) -> bool:
    """Whether it may be sent again by itself: a market order at the exchange that was proved absent."""
    sized = intent.sized
    return intent.state is State.PROVED_ABSENT and sized is not None and sized.price is None and sized.chain is None


def unknown(intent: Intent, *, exchange_id: str | None = None) -> OutcomeUnknown:
    """The error for an intent whose order or transfer may or may not exist: what was seen, and what to do."""
    exchange_id = exchange_id or intent.exchange_id
    what, look = intent.noun, f"tradehook {intent.noun}s"
    show = f"tradehook intents show {intent.intent_id}"
    named = f" If it exists, it is {what} {exchange_id}." if exchange_id else ""
    # The exchange knows no expiry: who cannot name an order cannot cancel it.
    rests = " Until that is known, nothing cancels what rests of it." if intent.good_until else ""
    until = f"{intent.looking_until:%Y-%m-%d %H:%M:%S} UTC" if intent.looking_until else None
    match intent.state:
        case State.PROVED_ABSENT:
            step = f"tradehook intents resolve {intent.intent_id} --as again"
            says = (
                f"The {what} was sent, no answer came, and it is not at the exchange: nothing can arrive any more, it "
                f"is in no list, and balances have not changed. It is held. `{step}` lets it be sent again, `--as "
                "not-placed` ends it."
            )
        case State.NEEDS_HUMAN:
            step = f"tradehook intents resolve {intent.intent_id} --as placed:ID"
            says = (
                f"The {what} was sent, and no answer came. What the exchange shows does not tell whether it is there: "
                f"do not enter it again.{_seen_words(intent)}{rests} Compare `{look}` and `{show}`, then say what "
                f"is so: `{step}`, or `--as not-placed`."
            )
        case _:
            step = show
            # These words are kept and read later, so they hold before that moment and after it.
            looking = f" Until {until} it can appear; `tradehook intents reconcile` looks again." if until else ""
            says = (
                f"The {what} was sent, and no answer came that tells whether the exchange took it. It may "
                f"exist or not: do not enter it again.{named}{_seen_words(intent)}{looking}{rests} Look at "
                f"`{look}` and `{show}`."
            )
    return OutcomeUnknown(
        says,
        intent_id=intent.intent_id,
        next_step=step,
        exchange=intent.exchange,
        looking_until_at=iso(intent.looking_until) if intent.looking_until else None,
        **{f"{intent.kind}_id": exchange_id},
    )


def _seen_words(intent: Intent) -> str:
    seen = intent.resolution or {}
    if seen.get("how") != "looked":
        return ""
    found = seen.get("found") or []
    changed = moved(seen.get("balances_changed") or {}, beside=seen.get("moved_beside"))
    why = seen.get("why_not_absent")
    listed = f"{', '.join(found)} could be it" if found else f"it is in no list{f' ({why})' if why else ' yet'}"
    return f" Seen so far: {listed}; balances {f'changed by {changed}' if changed else 'have not changed'}."


def _scans(intent: Intent) -> list[float]:
    return list((intent.resolution or {}).get("clean_scans", []))


# --- reading the exchange ---------------------------------------------------------------------------------------


async def _newest(exchange: Exchange, settled: Settled) -> list[Made]:
    found: list[Made] = []
    async with aclosing(_listed(exchange, settled, since=None)) as rows:
        async for made in rows:
            found.append(made)
            if len(found) >= _NEWEST:
                break
    return found


def _listed(exchange: Exchange, settled: Settled, *, since: datetime | None) -> Any:
    if isinstance(settled, SizedFuturesOrder):
        return futures_deed.listed(exchange, since=since)
    return (
        exchange.list_orders(since=since) if isinstance(settled, SizedOrder) else exchange.list_transfers(since=since)
    )


def _changes(before: dict[str, str], after: dict[str, str]) -> dict[str, str]:
    """Symbol to how its total and what is available of it changed; only those that did."""
    changes = {}
    for symbol, was in before.items():
        pairs = zip(was.split("/"), after.get(symbol, "0/0").split("/"), strict=True)
        total, available = (Decimal(now) - Decimal(then) for then, now in pairs)
        if total or available:
            changes[symbol] = f"{_signed(total)} ({_signed(available)} available)"
    return changes


def _signed(change: Decimal) -> str:
    return f"{'+' if change > 0 else ''}{plain(change)}"
