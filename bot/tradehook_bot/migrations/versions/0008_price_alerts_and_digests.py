"""Prices that people wait for, and the hour at which a chat wants its digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables. Nobody waits for anything yet."""
    op.create_table(
        "bot_price_alert",
        sa.Column("alert_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("symbol", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("level", sa.String(60), nullable=False),
        sa.Column("reference", sa.String(60)),
        sa.Column("is_armed", sa.Boolean, nullable=False),
        sa.Column("told", sa.Integer, nullable=False),
        sa.Column("told_at", sa.String(40)),
        sa.Column("made_at", sa.String(40), nullable=False),
    )
    op.create_index("bot_price_alert_by_chat", "bot_price_alert", ["bot_id", "chat_id"])
    op.create_table(
        "bot_digest",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("at", sa.String(5), nullable=False),
        sa.Column("told_on", sa.String(10)),
        sa.PrimaryKeyConstraint("bot_id", "chat_id"),
    )
