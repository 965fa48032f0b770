"""Codes that make somebody a trader or a viewer, and the groups and topics that the bot may be used in."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Every code there is makes an owner, and no group is allowed yet."""
    op.add_column("bot_setup_code", sa.Column("role", sa.String(20), nullable=False, server_default="owner"))
    op.create_table(
        "bot_group",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("thread_id", sa.BigInteger, nullable=False),
        sa.Column("title", sa.String(255), nullable=False),
        sa.Column("shows_holdings", sa.Boolean, nullable=False),
        sa.Column("allowed_by", sa.BigInteger, nullable=False),
        sa.Column("allowed_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "chat_id", "thread_id"),
    )
