"""Letters to groups: in which topic they belong, and whose they are where the group cannot be written to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Letters that wait already belong outside of topics, and to whoever let the bot in; chats get their titles."""
    op.add_column("bot_outbox", sa.Column("thread_id", sa.BigInteger))
    op.add_column("bot_outbox", sa.Column("user_id", sa.BigInteger))
    op.add_column("bot_chat", sa.Column("title", sa.String(255)))
    group = sa.table(
        "bot_group",
        *(sa.column(name) for name in ("bot_id", "chat_id", "title")),
    )
    chat = sa.table("bot_chat", *(sa.column(name) for name in ("bot_id", "chat_id", "title")))
    connection = op.get_bind()
    for row in connection.execute(
        sa.select(group.c.bot_id, group.c.chat_id, sa.func.max(group.c.title)).group_by(group.c.bot_id, group.c.chat_id)
    ).all():
        here = (chat.c.bot_id == row[0]) & (chat.c.chat_id == row[1])
        if connection.execute(sa.update(chat).where(here).values(title=row[2])).rowcount == 0:
            connection.execute(sa.insert(chat).values(bot_id=row[0], chat_id=row[1], title=row[2]))
