"""The bot's tables, beside the journal's in the same database. A test holds them and the migrations together.

Every row belongs to one bot (`bot_id`): two bots may share a journal, and their people, chats and message numbers
have nothing to do with each other.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, PrimaryKeyConstraint, String, Table, Text

metadata = MetaData()

USER = Table(
    "bot_user",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("role", String(20), nullable=False),
    Column("name", String(130), nullable=False),
    Column("is_reachable", Boolean, nullable=False),
    Column("added_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "user_id"),
)

SETUP_CODE = Table(
    "bot_setup_code",
    metadata,
    Column("code_hash", String(64), primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("made_at", String(40), nullable=False),
    Column("expires_at", String(40), nullable=False),
    Column("used_by", BigInteger),
    Column("used_at", String(40)),
)

SEEN_UPDATE = Table(
    "bot_seen_update",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("update_id", BigInteger, nullable=False),
    Column("seen_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "update_id"),
)

PROPOSAL = Table(
    "bot_proposal",
    metadata,
    Column("proposal_id", String(40), primary_key=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # What people call the account that it is about; none in rows of a version that knew only one.
    Column("account", String(255)),
    # Unknown until Telegram has told it: a proposal without one can never be confirmed.
    Column("message_id", BigInteger),
    Column("token_hash", String(64), nullable=False),
    Column("typed", Text, nullable=False),
    Column("sized", Text, nullable=False),
    Column("shown_price", String(60)),
    Column("good_until_price", String(60)),
    Column("deed", Text, nullable=False),
    Column("state", String(20), nullable=False),
    Column("has_buttons", Boolean, nullable=False),
    Column("made_at", String(40), nullable=False),
    Column("expires_at", String(40), nullable=False),
    Column("closed_at", String(40)),
    # The process that confirmed it, so that after a crash nobody has to guess.
    Column("owner", String(400)),
    Index("bot_proposal_by_token", "token_hash", unique=True),
    Index("bot_proposal_by_state", "bot_id", "state"),
)

ORDER_MESSAGE = Table(
    "bot_order_message",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("intent_id", String(200), nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("account", String(255)),
    Column("message_id", BigInteger, nullable=False),
    # What the message should say and what it says now; where they differ, it is edited.
    Column("wanted", String(120), nullable=False),
    Column("shown", String(120), nullable=False),
    # Words that end the story where the journal has none: it was never sent.
    Column("last_words", Text),
    PrimaryKeyConstraint("bot_id", "intent_id"),
)

OUTBOX = Table(
    "bot_outbox",
    metadata,
    Column("outbox_id", Integer, primary_key=True, autoincrement=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("account", String(255)),
    Column("dedupe_key", String(255), nullable=False),
    Column("body", Text, nullable=False),
    Column("reply_to", BigInteger),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", String(40), nullable=False),
    Column("made_at", String(40), nullable=False),
    Column("sent_at", String(40)),
    Column("message_id", BigInteger),
    Index("bot_outbox_once", "bot_id", "chat_id", "dedupe_key", unique=True),
    Index("bot_outbox_due", "bot_id", "state", "next_try_at"),
)

CHAT = Table(
    "bot_chat",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # The account that commands of this chat are about.
    Column("account", String(255), nullable=False),
    Column("chosen_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "chat_id"),
)

MARK = Table(
    "bot_mark",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("name", String(40), nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("bot_id", "name"),
)
