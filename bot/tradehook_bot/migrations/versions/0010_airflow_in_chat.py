"""What chats were shown of Airflow: its questions, and the runs that were started from here."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables. Nothing was shown yet."""
    op.create_table(
        "bot_airflow_prompt",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("ti_id", sa.String(60), nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("thread_id", sa.BigInteger),
        sa.Column("prompt", sa.Text, nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("wanted", sa.String(60), nullable=False),
        sa.Column("shown", sa.String(60)),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("ending", sa.Text),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "chat_id", "ti_id"),
    )
    op.create_table(
        "bot_airflow_run",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("proposal_id", sa.String(40), nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("thread_id", sa.BigInteger),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("dag_id", sa.String(250), nullable=False),
        sa.Column("run_id", sa.String(250), nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("words", sa.Text, nullable=False),
        sa.Column("shown", sa.Text),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "proposal_id"),
    )
