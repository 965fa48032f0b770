"""The journal: what was to happen, what was sent, what was heard. The only thing trusted after a crash.

Every change is one short transaction that names the state it expects; if somebody else was faster,
it changes nothing and says so. No exchange is called inside a transaction.
See: docs/explanation/money-moves-once.md.
"""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, Unpack

from sqlalchemy import Engine, bindparam, insert, select, update
from sqlalchemy.exc import IntegrityError

from tradehook.amounts import plain
from tradehook.desk import events, generations, keeping, review, sightings
from tradehook.desk.assets import Assets
from tradehook.desk.destinations import Destinations
from tradehook.desk.doubts import Doubts
from tradehook.desk.events import add_event
from tradehook.desk.intents import PLACED, Intent, State, hash_of, iso, read_intent
from tradehook.desk.leases import Leases
from tradehook.desk.limits import LimitsBook
from tradehook.desk.listing import listed
from tradehook.desk.proofs import Proofs
from tradehook.desk.reserve import ground_of, reserve
from tradehook.desk.schema import open_database, reading, upgrade, writing
from tradehook.desk.tables import EVENT, INTENT, INTENT_BY_ID, META
from tradehook.desk.targets import Targets
from tradehook.desk.trading import Trading
from tradehook.errors import IntentConflict, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from tradehook.desk.deeds import Made
    from tradehook.desk.events import Event
    from tradehook.desk.listing import Which
    from tradehook.desk.worth import Ground

NEWEST = "0005"

# Statements of every order are made once: making one costs as much as SQLite takes to carry it out.
_AS_HELD = (
    INTENT.c.intent_id == bindparam("its_id"),
    INTENT.c.state == bindparam("its_state"),
    INTENT.c.attempt == bindparam("its_attempt"),
)
_HELD = select(INTENT).where(*_AS_HELD)
_CHANGE_HELD = update(INTENT).where(*_AS_HELD).returning(INTENT)
_ADD = insert(INTENT).returning(INTENT)
_SETTLE = update(INTENT).where(INTENT.c.intent_id == bindparam("its_id"), INTENT.c.request.is_(None)).returning(INTENT)


class Journal:
    """One database of intents. Safe for threads and processes; make it after a fork, not before."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.destinations = Destinations(engine)
        self.proofs = Proofs(engine)
        self.targets = Targets(engine)
        self.trading = Trading(engine)
        self.limits = LimitsBook(engine)
        self.assets = Assets(engine)
        self.doubts = Doubts(engine)
        self.leases = Leases(engine)

    @classmethod
    def open(cls, url: str, *, may_upgrade: bool = True) -> Journal:
        """Open a journal, making or upgrading it where that is needed.

        Args:
            url: where it is.
            may_upgrade: whether one that exists may be brought up to this version. A task never may.

        Raises:
            ConfigurationError: it cannot be used, with the reason.
            JournalUnavailable: a server that does not answer now.
        """
        engine = open_database(url)
        scripts = Path(__file__).parent / "migrations"
        try:
            keeping.check_place(engine)
            upgrade(engine, scripts=scripts, version_table="tradehook_version", newest=NEWEST, may_upgrade=may_upgrade)
            keeping.settle(engine)
        except BaseException:
            engine.dispose()
            raise
        return cls(engine)

    def close(self) -> None:
        """Let go of the database."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        """Use it in a `with` block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def namespace(self) -> str:
        """What tells this deployment apart from every other, made once."""
        return self._made_once("namespace", lambda: uuid.uuid4().hex)

    # --- intents --------------------------------------------------------------------------------------------

    def prepare(
        self,
        intent_id: str,
        *,
        kind: str,
        exchange: str,
        host: str,
        environment: str,
        account: str,
        source: str,
        asked: Mapping[str, Any],
        parent_id: str | None = None,
    ) -> tuple[Intent, bool]:
        """The intent of this id (of its newest generation, see `again`), and whether it is new.

        Raises:
            IntentConflict: the id stands for another request already.
        """
        wanted = {"kind": kind, "exchange": exchange, "host": host, "asked": dict(asked)}
        digest = hash_of(wanted)
        now = _now()
        row = {
            "intent_id": intent_id,
            "kind": kind,
            "exchange": exchange,
            "host": host,
            "environment": environment,
            "account": account,
            "source": source[:255],
            "asked": json.dumps(dict(asked)),
            "asked_hash": digest,
            "state": str(State.PREPARED),
            "attempt": 0,
            "is_final": False,
            "parent_id": parent_id,
            "created_at": now,
            "updated_at": now,
        }
        with writing(self.engine) as connection:
            intent_id = row["intent_id"] = generations.current_id(connection, intent_id)
            intent = _found(connection, intent_id)
            if intent is None:
                generations.check_new(connection, intent_id)
                # Once more means the same once more: what a new generation asks is held against the first.
                first = generations.first_id(intent_id)
                intent = _found(connection, first) if first != intent_id else None
                if intent is None or intent.asked_hash == digest:
                    added = connection.execute(_ADD, row).one()
                    add_event(connection, intent_id, "prepared", {"source": source})
                    return read_intent(added), True
        if intent.asked_hash != digest:
            asked_words = " ".join(str(value) for value in intent.asked.values() if isinstance(value, str))[:120]
            raise IntentConflict(
                f"Intent {intent_id} stands for another request already: it asked for {asked_words}. "
                "Use a new intent id for a new request.",
                exchange=exchange,
            )
        return intent, False

    def get(self, intent_id: str) -> Intent:
        """The intent of this id.

        Raises:
            InvalidInput: there is none.
        """
        found = self.find_exactly(intent_id)
        if found is None:
            raise InvalidInput(f"There is no intent {intent_id[:80]}. `tradehook intents list` shows them.")
        return found

    def find_exactly(self, intent_id: str) -> Intent | None:
        """The intent of this id, if there is one."""
        with reading(self.engine) as connection:
            return _found(connection, intent_id)

    def find(self, beginning: str) -> Intent:
        """The one intent whose id is this or begins so.

        Raises:
            InvalidInput: there is none, or several.
        """
        begins = INTENT.c.intent_id.startswith(beginning, autoescape=True)
        # The id itself first, however many others begin with it.
        query = select(INTENT.c.intent_id).where(begins).order_by(INTENT.c.intent_id != beginning).limit(3)
        with reading(self.engine) as connection:
            found = [*connection.execute(query).scalars()]
        if len(found) > 1 and beginning not in found:
            raise InvalidInput(f"Several intents begin with {beginning[:80]}: {', '.join(found)}. Write more of it.")
        return self.get(found[0] if found else beginning)

    def list(self, *, states: Collection[State] = (), limit: int = 50, **which: Unpack[Which]) -> Sequence[Intent]:
        """Intents, newest first. A state is what the row reads as, so `UNKNOWN` finds dead senders too.

        Args:
            states: how they stand; all where it is empty.
            limit: how many at most.
            **which: see `Which`.
        """
        return listed(self.engine, states=states, limit=limit, **which)

    def open_orders(self, host: str, *, account_id: str | None = None, kind: str = "order") -> Sequence[Intent]:
        """Accepted orders (or transfers) at this host that have not come to their end, oldest first.

        One account's, if it is named.
        """
        query = (
            select(INTENT)
            .where(INTENT.c.state.in_([str(state) for state in PLACED]), INTENT.c.is_final.is_(False))
            .where(INTENT.c.kind == kind, INTENT.c.host == host)
            .order_by(INTENT.c.created_at)
        )
        if account_id is not None:
            query = query.where(INTENT.c.account_id == account_id)
        with reading(self.engine) as connection:
            return [read_intent(row) for row in connection.execute(query)]

    def by_order(self, host: str, order_id: str) -> Intent | None:
        """The intent that an order came from, if it came from here."""
        query = select(INTENT).where(INTENT.c.host == host, INTENT.c.exchange_id == order_id)
        with reading(self.engine) as connection:
            found = connection.execute(query).one_or_none()
        return read_intent(found) if found is not None else None

    def settle(self, intent: Intent, request: Mapping[str, Any], *, account_id: str | None = None) -> Intent:
        """Store what will be sent for what was asked, with whose money. The first to settle wins; a rerun goes on."""
        with writing(self.engine) as connection:
            values = {"request": json.dumps(dict(request)), "account_id": account_id, "updated_at": _now()}
            row = connection.execute(_SETTLE, {"its_id": intent.intent_id, **values}).one_or_none()
            return read_intent(row or connection.execute(INTENT_BY_ID, {"its_id": intent.intent_id}).one())

    def start(
        self,
        intent: Intent,
        *,
        to: State,
        owner: str,
        account_id: str,
        facts: Mapping[str, Any] | None = None,
        ground: Ground | None = None,
    ) -> Intent | None:
        """Take an intent for sending; `None` when somebody else was faster.

        Args:
            intent: as the caller holds it.
            to: SENDING or EXECUTING.
            owner: who sends.
            account_id: whose money it is.
            facts: what finds it again: `fingerprint`, `baseline`, `looking_until`, as the columns hold them.
            ground: what the guard found out before; `None` for what was found out at the first step.

        Raises:
            GuardRefused: trading is frozen, the journal is older than it was, or a limit said no. Looked at in the
                same transaction, so a freeze or a limit that was set is obeyed by every send that begins after it.
        """
        with writing(self.engine) as connection:
            row = connection.execute(_HELD, _as_held(intent)).one_or_none()
            if row is None:
                return None
            keeping.check_may_send(connection)
            ground = ground or ground_of(connection, intent)
            aside = reserve(connection, read_intent(row), account_id=account_id, ground=ground)
            values: dict[str, Any] = {"state": str(to), "attempt": intent.attempt + 1, "owner": owner, "error": None}
            values |= {"account_id": account_id, "sending_at": _now(), "updated_at": _now(), **(facts or {})}
            values["notional"] = plain(aside) if aside is not None else None
            row = connection.execute(_CHANGE_HELD, {**_as_held(intent), **values}).one()
            detail = {"attempt": intent.attempt + 1, "owner": owner, "ground": ground.to_dict()}
            add_event(connection, intent.intent_id, str(to).lower(), detail)
            return read_intent(row)

    def check(self, intent: Intent) -> None:
        """Raises `GuardRefused` when what is being sent must not be sent once more: a freeze, or a new limit."""
        with writing(self.engine) as connection:
            reserve(connection, intent, account_id=intent.account_id or "", ground=ground_of(connection, intent))

    def move(
        self,
        intent: Intent,
        to: State,
        *,
        made: Made | None = None,
        error: Mapping[str, Any] | None = None,
        what: str | None = None,
        resolution: Mapping[str, Any] | None = None,
    ) -> Intent | None:
        """Change the state, if it still is what the caller holds; `None` when it is not.

        A sender that was paused and woke up late can therefore never undo what was found out meanwhile.
        """
        values: dict[str, Any] = {"state": str(to), "updated_at": _now(), "error": json.dumps(error) if error else None}
        if made is not None:
            values |= {
                "exchange_id": made.exchange_id,
                "seen": json.dumps(sightings.as_kept(made)),
                "is_final": made.is_final,
            }
        if resolution is not None:
            values["resolution"] = json.dumps(dict(resolution))
        with writing(self.engine) as connection:
            try:
                row = connection.execute(_CHANGE_HELD, {**_as_held(intent), **values}).one_or_none()
            except IntegrityError:
                named = made.exchange_id if made else ""
                raise IntentConflict(f"{intent.kind.capitalize()} {named} belongs to another intent.") from None
            if row is None:
                return None
            detail: dict[str, Any] = {"from": str(intent.state)}
            if made is not None:
                detail |= {f"{intent.kind}_id": made.exchange_id, "status": str(made.status)}
            if error:
                detail["error"] = dict(error)
            if resolution is not None:
                detail |= dict(resolution)
            add_event(connection, intent.intent_id, what or str(to).lower(), detail)
            return read_intent(review.conclude(connection, row))

    def see(self, intent_id: str, made: Made) -> bool:
        """Record how an accepted order or transfer stands now; whether that is news. One that ended never changes."""
        with writing(self.engine) as connection:
            return sightings.see(connection, intent_id, made)

    def refuse(self, intent: Intent, error: Mapping[str, Any]) -> None:
        """Record why an intent was not sent. It stays PREPARED: what was in the way may pass."""
        with writing(self.engine) as connection:
            connection.execute(
                update(INTENT)
                .where(INTENT.c.intent_id == intent.intent_id, INTENT.c.state == str(State.PREPARED))
                .values(error=json.dumps(dict(error)), updated_at=_now())
            )
            add_event(connection, intent.intent_id, "not sent", {"error": dict(error)})

    # --- events, meta, trading state ------------------------------------------------------------------------

    def note(self, intent_id: str, what: str, detail: Mapping[str, Any]) -> None:
        """Add to an intent's story without changing it."""
        with writing(self.engine) as connection:
            add_event(connection, intent_id, what, dict(detail))

    def events(self, intent_id: str) -> Sequence[dict[str, Any]]:
        """An intent's story, oldest first."""
        query = select(EVENT).where(EVENT.c.intent_id == intent_id).order_by(EVENT.c.event_id)
        with reading(self.engine) as connection:
            return [
                {"at": row.at, "what": row.what, **json.loads(row.detail)} for row in connection.execute(query).all()
            ]

    def events_after(self, event_id: int, *, kinds: Collection[str] = (), limit: int = 200) -> Sequence[Event]:
        """What happened after an event (0: from the first), oldest first, to whatever intent; `kinds` names which.

        Who keeps the number of the last event it was told of is told each one once, after a restart as well.
        """
        return events.events_after(self.engine, event_id, kinds=kinds, limit=limit)

    def trading_state(self) -> dict[str, str]:
        """How it stands for everything, see `Trading.get`."""
        return self.trading.get()

    def set_trading_state(self, state: str, *, by: str, why: str = "") -> None:
        """Freeze (`HALTED`) or resume (`NORMAL`) everything that uses this journal, see `Trading.set`."""
        self.trading.set(state, by=by, why=why)

    def _made_once(self, name: str, make: Any) -> str:
        with writing(self.engine) as connection:
            found = connection.execute(select(META.c.value).where(META.c.name == name)).scalar_one_or_none()
            if found is None:
                found = make()
                connection.execute(insert(META).values(name=name, value=found))
        return str(found)


def _found(connection: Connection, intent_id: str) -> Intent | None:
    row = connection.execute(INTENT_BY_ID, {"its_id": intent_id}).one_or_none()
    return read_intent(row) if row is not None else None


def _as_held(intent: Intent) -> dict[str, Any]:
    """What names an intent in the state in which its caller knows it."""
    return {"its_id": intent.intent_id, "its_state": str(intent.state), "its_attempt": intent.attempt}


def _now() -> str:
    return iso(datetime.now(UTC))
