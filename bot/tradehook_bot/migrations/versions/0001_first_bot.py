"""The bot's first tables: people, setup codes, seen updates, proposals, order messages, outbox, marks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the seven tables."""
    _people()
    _questions()
    _messages()


def _people() -> None:
    op.create_table(
        "bot_user",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("role", sa.String(20), nullable=False),
        sa.Column("name", sa.String(130), nullable=False),
        sa.Column("is_reachable", sa.Boolean, nullable=False),
        sa.Column("added_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "user_id"),
    )
    op.create_table(
        "bot_setup_code",
        sa.Column("code_hash", sa.String(64), primary_key=True),
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=False),
        sa.Column("used_by", sa.BigInteger),
        sa.Column("used_at", sa.String(40)),
    )
    op.create_table(
        "bot_seen_update",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("update_id", sa.BigInteger, nullable=False),
        sa.Column("seen_at", sa.String(40), nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "update_id"),
    )


def _questions() -> None:
    op.create_table(
        "bot_proposal",
        sa.Column("proposal_id", sa.String(40), primary_key=True),
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("user_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.BigInteger),
        sa.Column("token_hash", sa.String(64), nullable=False),
        sa.Column("typed", sa.Text, nullable=False),
        sa.Column("sized", sa.Text, nullable=False),
        sa.Column("shown_price", sa.String(60)),
        sa.Column("good_until_price", sa.String(60)),
        sa.Column("deed", sa.Text, nullable=False),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("has_buttons", sa.Boolean, nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("expires_at", sa.String(40), nullable=False),
        sa.Column("closed_at", sa.String(40)),
        sa.Column("owner", sa.String(400)),
    )
    op.create_index("bot_proposal_by_token", "bot_proposal", ["token_hash"], unique=True)
    op.create_index("bot_proposal_by_state", "bot_proposal", ["bot_id", "state"])


def _messages() -> None:
    op.create_table(
        "bot_order_message",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("intent_id", sa.String(200), nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("message_id", sa.BigInteger, nullable=False),
        sa.Column("wanted", sa.String(120), nullable=False),
        sa.Column("shown", sa.String(120), nullable=False),
        sa.Column("last_words", sa.Text),
        sa.PrimaryKeyConstraint("bot_id", "intent_id"),
    )
    op.create_table(
        "bot_outbox",
        sa.Column("outbox_id", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("chat_id", sa.BigInteger, nullable=False),
        sa.Column("dedupe_key", sa.String(255), nullable=False),
        sa.Column("body", sa.Text, nullable=False),
        sa.Column("reply_to", sa.BigInteger),
        sa.Column("state", sa.String(20), nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_try_at", sa.String(40), nullable=False),
        sa.Column("made_at", sa.String(40), nullable=False),
        sa.Column("sent_at", sa.String(40)),
        sa.Column("message_id", sa.BigInteger),
    )
    op.create_index("bot_outbox_once", "bot_outbox", ["bot_id", "chat_id", "dedupe_key"], unique=True)
    op.create_index("bot_outbox_due", "bot_outbox", ["bot_id", "state", "next_try_at"])
    op.create_table(
        "bot_mark",
        sa.Column("bot_id", sa.BigInteger, nullable=False),
        sa.Column("name", sa.String(40), nullable=False),
        sa.Column("value", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("bot_id", "name"),
    )
