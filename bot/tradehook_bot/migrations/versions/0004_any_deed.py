"""A question may be about any deed: its kind, its parameters as JSON, and the topic that it was asked in."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Questions that stand already are about orders; what they knew of them becomes their parameters."""
    op.add_column("bot_proposal", sa.Column("kind", sa.String(20), nullable=False, server_default="order"))
    op.add_column("bot_proposal", sa.Column("thread_id", sa.BigInteger))
    op.execute("ALTER TABLE bot_proposal RENAME COLUMN sized TO parameters")
    _wrap_orders()
    op.drop_column("bot_proposal", "shown_price")
    op.drop_column("bot_proposal", "good_until_price")


def _wrap_orders() -> None:
    columns = ("proposal_id", "parameters", "shown_price", "good_until_price")
    table = sa.table("bot_proposal", *(sa.column(name) for name in columns))
    connection = op.get_bind()
    for row in connection.execute(sa.select(table)).all():
        asked = {
            "sized": json.loads(row.parameters),
            "shown_price": row.shown_price,
            "good_until_price": row.good_until_price,
        }
        connection.execute(
            sa.update(table).where(table.c.proposal_id == row.proposal_id).values(parameters=json.dumps(asked))
        )
