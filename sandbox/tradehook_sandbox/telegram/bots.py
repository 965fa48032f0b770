"""A bot: its name, its token, its chats, and everything Telegram keeps for it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.commands import CommandMenus
from tradehook_sandbox.telegram.files import new_photo
from tradehook_sandbox.telegram.people import LARGEST_ID
from tradehook_sandbox.telegram.shapes import ApiError
from tradehook_sandbox.telegram.updates import UpdateQueue

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.callbacks import Press
    from tradehook_sandbox.telegram.content.images import Picture
    from tradehook_sandbox.telegram.files import Document, Photo
    from tradehook_sandbox.telegram.groups import Group
    from tradehook_sandbox.telegram.messages import Message
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json

TOKEN = re.compile(r"(?P<id>[1-9]\d{0,15}):(?P<secret>[\w-]{30,64})", re.ASCII)
LIKE_A_TOKEN = re.compile(r"\d+:", re.ASCII)
BETWEEN_POLLS = timedelta(seconds=3)  # a bot that is busy with what it fetched still counts as there
EPOCH = datetime(2025, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class Bot:
    """One bot. `token` is None until a program has connected with it."""

    id: int
    username: str
    first_name: str
    token: str | None
    updates: UpdateQueue
    next_message_id: int
    chats: dict[int, User] = field(default_factory=dict)
    groups: dict[int, Group] = field(default_factory=dict)
    blocked_by: set[int] = field(default_factory=set)
    messages: dict[int, Message] = field(default_factory=dict)
    photos: dict[str, Photo] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    presses: dict[str, Press] = field(default_factory=dict)
    commands: CommandMenus = field(default_factory=CommandMenus)
    polls: int = 0  # long polls ever begun; the last one begun is the one that may wait
    polling: int = 0  # long polls open now
    last_polled_at: datetime | None = None

    def as_user(self) -> Json:
        """The Bot API's `User` of the bot, as messages carry it."""
        return {"id": self.id, "is_bot": True, "first_name": self.first_name, "username": self.username}

    def as_me(self) -> Json:
        """The answer to getMe."""
        return {
            **self.as_user(),
            "can_join_groups": True,
            "can_read_all_group_messages": False,
            "supports_inline_queries": False,
            "can_connect_to_business": False,
            "has_main_web_app": False,
        }

    def as_listed(self, now: datetime) -> Json:
        """The bot as the person's side lists it; of the token only the public half is shown."""
        recently = self.last_polled_at is not None and now - self.last_polled_at < BETWEEN_POLLS
        return {
            "id": self.id,
            "username": self.username,
            "name": self.first_name,
            "token": None if self.token is None else f"{self.id}:…",
            "polling": self.polling > 0 or recently,
            "pending_updates": len(self.updates),
            "chats": list(self.chats),
            "people": [{"id": person.id, "name": person.first_name} for person in self.chats.values()],
            "groups": [group.id for group in self.groups.values() if group.migrated_to is None],
        }

    def take_message_id(self) -> int:
        """A number no other message of this bot has."""
        self.next_message_id += 1
        return self.next_message_id - 1

    def store_photo(self, content: bytes, picture: Picture) -> Photo:
        """The picture has a file id this bot can send it by again."""
        photo = new_photo(content, picture)
        self.photos[photo.file_id] = photo
        return photo

    def store_document(self, document: Document) -> Document:
        """The bot can send the document again by its id."""
        self.documents[document.file_id] = document
        return document

    def file(self, file_id: str) -> Photo | Document | None:
        """What this bot uploaded under this id."""
        return self.photos.get(file_id) or self.documents.get(file_id)


def new_bot(bot_id: int, *, now: datetime, username: str | None = None, name: str | None = None) -> Bot:
    """A bot nobody has connected to yet.

    Ids of updates and messages begin at the number of seconds since 2025, so that they grow from one run of the sandbox
    to the next: a bot that outlives the sandbox must neither skip new updates nor edit a message that is not the one it
    remembers.
    """
    first_id = max(int((now - EPOCH).total_seconds()), 1)
    username = username or f"sandbox_{bot_id}_bot"
    return Bot(bot_id, username, name or username, None, UpdateQueue(first_id), first_id)


def token_parts(token: str) -> tuple[int, str]:
    """The bot's id and the whole token.

    Raises:
        ApiError: 404 where it does not look like a token at all, 401 where it looks like a wrong one.
    """
    match = TOKEN.fullmatch(token)
    if match is None or int(match["id"]) > LARGEST_ID:
        raise ApiError(401, "Unauthorized") if LIKE_A_TOKEN.match(token) else ApiError(404, "Not Found")
    return int(match["id"]), token
