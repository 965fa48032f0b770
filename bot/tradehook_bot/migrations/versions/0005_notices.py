"""Notices: one message for each order or DAG run from elsewhere, and letters that say how much they matter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of notices; letters that stand already matter as before: they come with a sound."""
    op.create_table(
        "bot_notice",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("account", sa.String(255)),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("head", sa.Text, nullable=False),
        sa.Column("parts", sa.Text, nullable=False),
        sa.Column("wanted", sa.String(40), nullable=False),
        sa.Column("shown", sa.String(40)),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "chat_id", "subject"),
    )
    op.add_column("bot_outbox", sa.Column("subject", sa.String(255)))
    op.add_column("bot_outbox", sa.Column("weight", sa.String(10)))
    op.add_column("bot_outbox", sa.Column("has_freeze", sa.Boolean))
    op.add_column("bot_outbox", sa.Column("is_silent", sa.Boolean))
