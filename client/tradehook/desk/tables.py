"""The journal's tables. What a database looks like is decided by the migrations; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    select,
    text,
    update,
)

metadata = MetaData()

META = Table(
    "meta",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
)

INTENT = Table(
    "intent",
    metadata,
    Column("intent_id", String(200), primary_key=True),
    Column("kind", String(20), nullable=False),
    Column("exchange", String(40), nullable=False),
    Column("host", String(255), nullable=False),
    Column("environment", String(20), nullable=False),
    Column("account", String(255), nullable=False),
    Column("account_id", String(255)),
    Column("source", String(255), nullable=False),
    Column("asked", Text, nullable=False),
    Column("asked_hash", String(64), nullable=False),
    Column("request", Text),
    Column("state", String(20), nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("owner", String(400)),
    Column("sending_at", String(40)),
    # What the exchange calls the order or transfer that came of it, and how that was last seen.
    Column("exchange_id", String(100)),
    Column("seen", Text),
    Column("is_final", Boolean, nullable=False),
    Column("error", Text),
    # What the guard set aside for it, in the account's money; what tells it from others at the exchange; what was
    # there before it was sent; how long it is looked for, and how the doubt ended.
    Column("notional", String(60)),
    Column("fingerprint", String(64)),
    Column("baseline", Text),
    Column("looking_until", String(40)),
    Column("resolution", Text),
    # When tradehook itself cancels what still rests; and the plan that a leg belongs to.
    Column("good_until", String(40)),
    Column("parent_id", String(200)),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    Index("intent_by_state", "state", "is_final"),
    Index("intent_by_account", "host", "account_id", "sending_at"),
    # One order or transfer belongs to one intent, whatever two processes believe.
    Index("intent_by_exchange_id", "host", "exchange_id", unique=True),
)

# Made once: every order needs them several times, and making one costs as much as carrying it out.
INTENT_BY_ID = select(INTENT).where(INTENT.c.intent_id == bindparam("its_id"))
CHANGE_INTENT = update(INTENT).where(INTENT.c.intent_id == bindparam("its_id")).returning(INTENT)

EVENT = Table(
    "intent_event",
    metadata,
    Column("event_id", Integer, primary_key=True, autoincrement=True),
    Column("intent_id", String(200), ForeignKey("intent.intent_id"), nullable=False),
    Column("at", String(40), nullable=False),
    Column("what", String(40), nullable=False),
    Column("detail", Text, nullable=False),
    Index("event_by_intent", "intent_id", "event_id"),
)

TRADING = Table(
    "trading_state",
    metadata,
    Column("scope", String(255), primary_key=True),
    Column("state", String(20), nullable=False),
    Column("changed_by", String(255), nullable=False),
    Column("why", Text, nullable=False),
    Column("changed_at", String(40), nullable=False),
)

DESTINATION = Table(
    "destination",
    metadata,
    Column("destination_id", Integer, primary_key=True, autoincrement=True),
    Column("host", String(255), nullable=False),
    Column("label", String(40), nullable=False),
    Column("network", String(40), nullable=False),
    Column("address", String(120), nullable=False),
    Column("added_by", String(255), nullable=False),
    Column("added_at", String(40), nullable=False),
    Column("removed_by", String(255)),
    Column("removed_at", String(40)),
    Column("day_cap", String(60)),
    # A label stands for one address at a time; those that were taken off stay for the record.
    Index(
        "destination_by_label",
        "host",
        "label",
        unique=True,
        sqlite_where=text("removed_at IS NULL"),
        postgresql_where=text("removed_at IS NULL"),
    ),
)

PROOF = Table(
    "proof",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("account_id", String(255), primary_key=True),
    Column("name", String(40), primary_key=True),
    Column("value", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("proved_at", String(40), nullable=False),
)

# The limits of an account, a row for each time somebody set them; the highest version holds.
LIMITS = Table(
    "limits",
    metadata,
    Column("host", String(255), primary_key=True),
    Column("account_id", String(255), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("limits", Text, nullable=False),
    Column("set_by", String(255), nullable=False),
    Column("why", Text, nullable=False),
    Column("set_at", String(40), nullable=False),
)

# The assets that may be traded, each by where it stands and its address there, never by symbol alone.
ASSET = Table(
    "asset",
    metadata,
    Column("asset_row", Integer, primary_key=True, autoincrement=True),
    Column("host", String(255), nullable=False),
    Column("symbol", String(40), nullable=False),
    Column("venue", String(40), nullable=False),
    Column("chain", String(40)),
    Column("address", String(120)),
    Column("allowed_by", String(255), nullable=False),
    Column("allowed_at", String(40), nullable=False),
    Column("removed_by", String(255)),
    Column("removed_at", String(40)),
    Index("asset_by_symbol", "host", "symbol"),
)

# Who does something that only one process may do, and until when unless it says so again.
LEASE = Table(
    "lease",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("owner", String(400), nullable=False),
    Column("until", String(40), nullable=False),
    Column("detail", Text, nullable=False),
)

# Named targets of a rebalance, a row for each time somebody set them; the highest version holds.
TARGETS = Table(
    "targets",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("goal", Text, nullable=False),
    Column("set_by", String(255), nullable=False),
    Column("set_at", String(40), nullable=False),
)

# An intent that is to happen once more on purpose: its id leads to the newest generation.
GENERATION = Table(
    "generation",
    metadata,
    Column("intent_id", String(200), primary_key=True),
    Column("generation", Integer, nullable=False),
    Column("asked_by", String(255), nullable=False),
    Column("why", Text, nullable=False),
    Column("asked_at", String(40), nullable=False),
)

# What tasks leave for whoever tells people.
MESSAGE = Table(
    "message",
    metadata,
    Column("message_id", Integer, primary_key=True, autoincrement=True),
    Column("key", String(255), nullable=False),
    Column("title", String(200), nullable=False),
    Column("body", Text, nullable=False),
    Column("account", String(255)),
    Column("source", String(255), nullable=False),
    Column("is_silent", Boolean, nullable=False),
    Column("left_at", String(40), nullable=False),
    Index("message_once", "key", unique=True),
    sqlite_autoincrement=True,
)

# Orders on a chain that were made only to see their price. The exchange may list one for good, so its id is kept for
# good; what is to be signed goes after a while.
PREVIEW = Table(
    "preview",
    metadata,
    Column("preview_id", String(40), primary_key=True),
    Column("host", String(255), nullable=False),
    Column("account_id", String(255), nullable=False),
    Column("account", String(255), nullable=False),
    Column("source", String(255), nullable=False),
    Column("request", Text, nullable=False),
    Column("asked_at", String(40), nullable=False),
    Column("exchange_id", String(100)),
    Column("made", Text),
    Column("made_at", String(40)),
    # The one intent that may sign it.
    Column("used_by", String(200)),
    Column("used_at", String(40)),
    Index("preview_by_account", "host", "account_id", "asked_at"),
    Index("preview_by_exchange_id", "host", "exchange_id", unique=True),
)
