"""When to ask whether a freeze that was for a while shall end."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; it has a row at most for each bot."""
    op.create_table(
        "bot_freeze_end",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("thread_id", sa.BigInteger),
        sa.Column("who", sa.String(255), nullable=False),
        sa.Column("frozen_at", sa.String(40), nullable=False),
        sa.Column("said", sa.String(20), nullable=False),
        sa.Column("asks_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id"),
    )
