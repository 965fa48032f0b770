"""The journal's tables. What a database looks like is decided by the migrations; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text, text

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
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    Index("intent_by_state", "state", "is_final"),
    # One order or transfer belongs to one intent, whatever two processes believe.
    Index("intent_by_exchange_id", "host", "exchange_id", unique=True),
)

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
