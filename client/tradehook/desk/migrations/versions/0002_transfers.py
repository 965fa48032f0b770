"""Transfers beside orders: neutral names for what an intent made; destinations; what was proved of an account."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_RENAMED = {"order_id": "exchange_id", "order_seen": "seen", "order_is_final": "is_final"}


def upgrade() -> None:
    """Rename three columns and make two tables."""
    op.drop_index("intent_by_state", "intent")
    op.drop_index("intent_by_order", "intent")
    for old, new in _RENAMED.items():
        op.execute(f"ALTER TABLE intent RENAME COLUMN {old} TO {new}")
    op.create_index("intent_by_state", "intent", ["state", "is_final"])
    op.create_index("intent_by_exchange_id", "intent", ["host", "exchange_id"], unique=True)
    op.create_table(
        "destination",
        sa.Column("destination_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("label", sa.String(40), nullable=False),
        sa.Column("network", sa.String(40), nullable=False),
        sa.Column("address", sa.String(120), nullable=False),
        sa.Column("added_by", sa.String(255), nullable=False),
        sa.Column("added_at", sa.String(40), nullable=False),
        sa.Column("removed_by", sa.String(255)),
        sa.Column("removed_at", sa.String(40)),
    )
    op.create_index(
        "destination_by_label",
        "destination",
        ["host", "label"],
        unique=True,
        sqlite_where=sa.text("removed_at IS NULL"),
        postgresql_where=sa.text("removed_at IS NULL"),
    )
    op.create_table(
        "proof",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("account_id", sa.String(255), primary_key=True),
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("value", sa.Text, nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
        sa.Column("proved_at", sa.String(40), nullable=False),
    )
