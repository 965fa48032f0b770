"""Several accounts: which one a chat is about, and which one each question, order message and letter is about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table of chats; rows that stand already belong to the one account there was, so they name none."""
    op.create_table(
        "bot_chat",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("chosen_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "chat_id"),
    )
    for table in ("bot_proposal", "bot_order_message", "bot_outbox"):
        op.add_column(table, sa.Column("account", sa.String(255)))
