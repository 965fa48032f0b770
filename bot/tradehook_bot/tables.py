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
    # What whoever brings it becomes.
    Column("role", String(20), nullable=False, server_default="owner"),
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
    # The topic of a forum; none outside of forums.
    Column("thread_id", BigInteger),
    # What people call the account that it is about; none in rows of a version that knew only one, and where it is
    # about all of them.
    Column("account", String(255)),
    # Unknown until Telegram has told it: a proposal without one can never be confirmed.
    Column("message_id", BigInteger),
    Column("token_hash", String(64), nullable=False),
    Column("typed", Text, nullable=False),
    # What will be done: a kind of deed, and its parameters as JSON.
    Column("kind", String(20), nullable=False, server_default="order"),
    Column("parameters", Text, nullable=False),
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
    # The notice that this letter begins: what it says is read when it is sent, and its message edited later.
    Column("subject", String(255)),
    # The forum's topic that it belongs to; and, in a group, whose it is if that cannot be written to.
    Column("thread_id", BigInteger),
    Column("user_id", BigInteger),
    # How much it matters: `urgent`, `news`, `routine`. None in rows of a version that did not say.
    Column("weight", String(10)),
    # Whether "Not me: freeze" stands below it; and whether it comes without a sound.
    Column("has_freeze", Boolean),
    Column("is_silent", Boolean),
    Column("state", String(20), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_try_at", String(40), nullable=False),
    Column("made_at", String(40), nullable=False),
    Column("sent_at", String(40)),
    Column("message_id", BigInteger),
    Index("bot_outbox_once", "bot_id", "chat_id", "dedupe_key", unique=True),
    Index("bot_outbox_due", "bot_id", "state", "next_try_at"),
)

NOTICE = Table(
    "bot_notice",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # One order, transfer, plan or DAG run that did not come from this chat.
    Column("subject", String(255), nullable=False),
    Column("account", String(255)),
    # Unknown until its letter has arrived.
    Column("message_id", BigInteger),
    Column("head", Text, nullable=False),
    # JSON: each of its orders with what there is to say of it, as HTML.
    Column("parts", Text, nullable=False),
    # A digest of what the message should say, and of what it says; where they differ, it is edited.
    Column("wanted", String(40), nullable=False),
    Column("shown", String(40)),
    Column("made_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "chat_id", "subject"),
)

PRICE_ALERT = Table(
    "bot_price_alert",
    metadata,
    Column("alert_id", Integer, primary_key=True, autoincrement=True),
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("account", String(255), nullable=False),
    Column("symbol", String(40), nullable=False),
    Column("kind", String(10), nullable=False),
    Column("level", String(60), nullable=False),
    # Where a change in percent is measured from.
    Column("reference", String(60)),
    Column("is_armed", Boolean, nullable=False),
    # How often it was told; part of the letter's key, so that each time is told once.
    Column("told", Integer, nullable=False),
    Column("told_at", String(40)),
    Column("made_at", String(40), nullable=False),
    Index("bot_price_alert_by_chat", "bot_id", "chat_id"),
)

DIGEST = Table(
    "bot_digest",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # The time of day in the chat's own zone, `08:00`; and the day it was last sent for, there.
    Column("at", String(5), nullable=False),
    Column("told_on", String(10)),
    PrimaryKeyConstraint("bot_id", "chat_id"),
)

CHAT = Table(
    "bot_chat",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # The account that commands of this chat are about, once one was chosen.
    Column("account", String(255)),
    Column("chosen_at", String(40)),
    # The zone that times are shown in, an IANA name; and how much is told. None: nobody said.
    Column("zone", String(64)),
    Column("loudness", String(10)),
    # What a group was called when the bot was let in, to be named when it is out again.
    Column("title", String(255)),
    PrimaryKeyConstraint("bot_id", "chat_id"),
)

GROUP = Table(
    "bot_group",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # The forum's topic; 0 where there is none, since a key has no holes.
    Column("thread_id", BigInteger, nullable=False),
    Column("title", String(255), nullable=False),
    Column("shows_holdings", Boolean, nullable=False),
    Column("allowed_by", BigInteger, nullable=False),
    Column("allowed_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "chat_id", "thread_id"),
)

FREEZE_END = Table(
    "bot_freeze_end",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    # Who froze, and where they are asked whether it shall end.
    Column("user_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger),
    Column("who", String(255), nullable=False),
    # Which freeze is meant: when it was written down, as the journal has it.
    Column("frozen_at", String(40), nullable=False),
    Column("said", String(20), nullable=False),
    Column("asks_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id"),
)

TOTP = Table(
    "bot_totp",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    # Encrypted with a key that is made from the bot's token.
    Column("secret", Text, nullable=False),
    # The step of time whose code was used last: a code works once.
    Column("last_step", BigInteger, nullable=False),
    Column("wrong", Integer, nullable=False),
    Column("made_at", String(40), nullable=False),
    # When a first code was right; none while the app is being set up.
    Column("proved_at", String(40)),
    # The picture of the secret, while it is to be taken away.
    Column("message_id", BigInteger),
    PrimaryKeyConstraint("bot_id", "user_id"),
)

AIRFLOW_PROMPT = Table(
    "bot_airflow_prompt",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    # The task's try that asks: each try has an id of its own in Airflow.
    Column("ti_id", String(60), nullable=False),
    # Who may answer in this chat, and in which topic.
    Column("user_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger),
    # The question as JSON, as Airflow told it last.
    Column("prompt", Text, nullable=False),
    # Unknown until its letter has arrived.
    Column("message_id", BigInteger),
    # What the message should say and what it says; where they differ, it is edited.
    Column("wanted", String(60), nullable=False),
    Column("shown", String(60)),
    Column("note", Text, nullable=False),
    # What it says for good, once there is nothing left to answer.
    Column("ending", Text),
    Column("made_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "chat_id", "ti_id"),
)

AIRFLOW_RUN = Table(
    "bot_airflow_run",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    # The question that was confirmed; the run's id in Airflow is made from it.
    Column("proposal_id", String(40), nullable=False),
    Column("chat_id", BigInteger, nullable=False),
    Column("user_id", BigInteger, nullable=False),
    Column("thread_id", BigInteger),
    Column("message_id", BigInteger, nullable=False),
    Column("dag_id", String(250), nullable=False),
    Column("run_id", String(250), nullable=False),
    # `asked` until Airflow is known to have it, then Airflow's own word, and `over` when nobody looks any more.
    Column("state", String(20), nullable=False),
    # What its message should say, as HTML, and what it says; where they differ, it is edited.
    Column("words", Text, nullable=False),
    Column("shown", Text),
    Column("made_at", String(40), nullable=False),
    PrimaryKeyConstraint("bot_id", "proposal_id"),
)

MARK = Table(
    "bot_mark",
    metadata,
    Column("bot_id", BigInteger, nullable=False),
    Column("name", String(40), nullable=False),
    Column("value", BigInteger, nullable=False),
    PrimaryKeyConstraint("bot_id", "name"),
)
