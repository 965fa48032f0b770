"""What a chat prefers: the zone that times are shown in, and how much it is told. A chat may have no account chosen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Chats that stand already keep their account and prefer nothing."""
    with op.batch_alter_table("bot_chat") as chat:
        chat.alter_column("account", existing_type=sa.String(255), nullable=True)
        chat.alter_column("chosen_at", existing_type=sa.String(40), nullable=True)
        chat.add_column(sa.Column("zone", sa.String(64)))
        chat.add_column(sa.Column("loudness", sa.String(10)))
