"""The first journal: intents, their events, the trading state, and what the database knows of itself."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "meta",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
    )
    op.create_table(
        "intent",
        sa.Column("intent_id", sa.String(200), primary_key=True),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("exchange", sa.String(40), nullable=False),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("environment", sa.String(20), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("account_id", sa.String(255)),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("asked", sa.Text, nullable=False),
        sa.Column("asked_hash", sa.String(64), nullable=False),
        sa.Column("request", sa.Text),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("owner", sa.String(400)),
        sa.Column("sending_at", sa.String(40)),
        sa.Column("order_id", sa.String(100)),
        sa.Column("order_seen", sa.Text),
        sa.Column("order_is_final", sa.Boolean, nullable=False),
        sa.Column("error", sa.Text),
        sa.Column("created_at", sa.String(40), nullable=False),
        sa.Column("updated_at", sa.String(40), nullable=False),
    )
    op.create_index("intent_by_state", "intent", ["state", "order_is_final"])
    op.create_index("intent_by_order", "intent", ["host", "order_id"], unique=True)
    op.create_table(
        "intent_event",
        sa.Column("event_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("intent_id", sa.String(200), sa.ForeignKey("intent.intent_id"), nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("what", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_index("event_by_intent", "intent_event", ["intent_id", "event_id"])
    op.create_table(
        "trading_state",
        sa.Column("scope", sa.String(255), primary_key=True),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("changed_by", sa.String(255), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("changed_at", sa.String(40), nullable=False),
    )
