"""Limits, allowed assets, leases, target sets, generations; and what an intent needs to be found again."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_INTENT = {
    "notional": sa.String(60),
    "fingerprint": sa.String(64),
    "baseline": sa.Text,
    "looking_until": sa.String(40),
    "resolution": sa.Text,
    "good_until": sa.String(40),
    "parent_id": sa.String(200),
}


def upgrade() -> None:
    """Add columns to two tables and make five."""
    for name, kind in _INTENT.items():
        op.add_column("intent", sa.Column(name, kind))
    op.create_index("intent_by_account", "intent", ["host", "account_id", "sending_at"])
    op.add_column("destination", sa.Column("day_cap", sa.String(60)))
    op.create_table(
        "limits",
        sa.Column("host", sa.String(255), primary_key=True),
        sa.Column("account_id", sa.String(255), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("limits", sa.Text, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("set_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "asset",
        sa.Column("asset_row", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("host", sa.String(255), nullable=False),
        sa.Column("symbol", sa.String(40), nullable=False),
        sa.Column("venue", sa.String(40), nullable=False),
        sa.Column("chain", sa.String(40)),
        sa.Column("address", sa.String(120)),
        sa.Column("allowed_by", sa.String(255), nullable=False),
        sa.Column("allowed_at", sa.String(40), nullable=False),
        sa.Column("removed_by", sa.String(255)),
        sa.Column("removed_at", sa.String(40)),
    )
    op.create_index("asset_by_symbol", "asset", ["host", "symbol"])
    op.create_table(
        "lease",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("owner", sa.String(400), nullable=False),
        sa.Column("until", sa.String(40), nullable=False),
        sa.Column("detail", sa.Text, nullable=False),
    )
    op.create_table(
        "targets",
        sa.Column("name", sa.String(40), primary_key=True),
        sa.Column("version", sa.Integer, primary_key=True),
        sa.Column("goal", sa.Text, nullable=False),
        sa.Column("set_by", sa.String(255), nullable=False),
        sa.Column("set_at", sa.String(40), nullable=False),
    )
    op.create_table(
        "generation",
        sa.Column("intent_id", sa.String(200), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("asked_by", sa.String(255), nullable=False),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("asked_at", sa.String(40), nullable=False),
    )
