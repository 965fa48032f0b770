"""The journal's tables. What a database looks like is decided by the migrations; a test holds the two together."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, MetaData, String, Table, Text

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
    Column("order_id", String(100)),
    Column("order_seen", Text),
    Column("order_is_final", Boolean, nullable=False),
    Column("error", Text),
    Column("created_at", String(40), nullable=False),
    Column("updated_at", String(40), nullable=False),
    Index("intent_by_state", "state", "order_is_final"),
    # One order belongs to one intent, whatever two processes believe.
    Index("intent_by_order", "host", "order_id", unique=True),
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
