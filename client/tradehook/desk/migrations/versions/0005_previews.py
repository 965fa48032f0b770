"""Orders on a chain that were made only to see their price."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make one table."""
    op.create_table(
        "preview",
        sa.Column("preview_id", sa.String(40), primary_key=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("account_id", sa.String(255), nullable=False),
        sa.Column("account", sa.String(255), nullable=False),
        sa.Column("source", sa.String(255), nullable=False),
        sa.Column("request", sa.Text, nullable=False),
        sa.Column("asked_at", sa.String(40), nullable=False),
        sa.Column("exchange_id", sa.String(100)),
        sa.Column("made", sa.Text),
        sa.Column("made_at", sa.String(40)),
        sa.Column("used_by", sa.String(200)),
        sa.Column("used_at", sa.String(40)),
    )
    op.create_index("preview_by_account", "preview", ["host", "account_id", "asked_at"])
    op.create_index("preview_by_exchange_id", "preview", ["host", "exchange_id"], unique=True)
