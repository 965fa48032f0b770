"""Authenticator apps: a secret for each person who set one up, encrypted, and what was tried."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table; nobody has set up an app yet."""
    op.create_table(
        "bot_totp",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("secret", sa.Text, nullable=False),
        sa.Column("last_step", sa.BigInteger, nullable=False),
        sa.Column("wrong", sa.Integer, nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("proved_at", sa.String(40)),
        sa.Column("message_id", sa.BigInteger),
        sa.PrimaryKeyConstraint("bot_id", "user_id"),
    )
