"""Messages that tasks leave for whoever tells people."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make one table."""
    op.create_table(
        "message",
        # SQLite would give the number of a deleted newest row again, and the bot would skip it.
        sa.Column("message_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("key", sa.String(255), nullable=False),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("account", sa.String(255)),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("is_silent", sa.Boolean, nullable=False),
        sa.Column("left_at", sa.String(40), nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("message_once", "message", ["key"], unique=True)
