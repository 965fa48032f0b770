"""Groups and supergroups: who is in them, their topics, and what a bot hears there.

A group belongs to one bot, as everything else in this stand-in does; two bots never meet in one.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tradehook_sandbox.telegram.shapes import ApiError, bad_request

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.bots import Bot
    from tradehook_sandbox.telegram.messages import Message
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Json

GENERAL: Final = 1  # the topic that every forum has; its messages carry no thread
SUPERGROUPS_BEGIN: Final = 1_000_000_000_000  # their ids are below minus this
# The three accounts behind which Telegram hides a sender.
GROUP_ANONYMOUS_BOT: Final = {
    "id": 1087968824,
    "is_bot": True,
    "first_name": "Group",
    "username": "GroupAnonymousBot",
}
CHANNEL_BOT: Final = {"id": 136817688, "is_bot": True, "first_name": "Channel", "username": "Channel_Bot"}
_RIGHTS: Final = (
    "can_manage_chat", "can_delete_messages", "can_manage_video_chats", "can_restrict_members", "can_promote_members",
    "can_change_info", "can_invite_users", "can_post_stories", "can_edit_stories", "can_delete_stories",
    "can_pin_messages",
)  # fmt: skip


class Standing(StrEnum):
    """What somebody is in a group."""

    CREATOR = "creator"
    ADMINISTRATOR = "administrator"
    MEMBER = "member"
    LEFT = "left"
    KICKED = "kicked"


INSIDE: Final = frozenset({Standing.CREATOR, Standing.ADMINISTRATOR, Standing.MEMBER})


@dataclass(slots=True)
class Group:
    """A group chat; a supergroup where `is_super`, with topics where `is_forum`."""

    id: int
    title: str
    is_super: bool = False
    is_forum: bool = False
    people: dict[int, User] = field(default_factory=dict)
    standings: dict[int, Standing] = field(default_factory=dict)
    bot_is: Standing = Standing.LEFT
    topics: dict[int, str] = field(default_factory=dict)
    migrated_to: int | None = None

    @property
    def kind(self) -> str:
        """The Bot API's word for it."""
        return "supergroup" if self.is_super else "group"

    def as_chat(self) -> Json:
        """The Bot API's `Chat`."""
        chat: Json = {"id": self.id, "type": self.kind, "title": self.title}
        return chat | ({"is_forum": True} if self.is_forum else {})

    def as_json(self) -> Json:
        """The group as the person's side lists it."""
        return {
            "id": self.id,
            "title": self.title,
            "type": self.kind,
            "is_forum": self.is_forum,
            "people": [{"id": person.id, "name": person.first_name} for person in self.people.values()],
            "bot_is": self.bot_is.value,
            "topics": [{"id": number, "name": name} for number, name in self.topics.items()],
            "migrated_to": self.migrated_to,
        }

    def standing(self, user_id: int) -> Standing:
        """What this person is here."""
        return self.standings.get(user_id, Standing.LEFT)

    def check_reachable(self, *, to_write: bool) -> None:
        """The bot may ask about the group, or write to it.

        Raises:
            ApiError: it became a supergroup with another id, which the error names; or the bot is not in it.
        """
        if self.migrated_to is not None:
            raise ApiError(
                400, "Bad Request: group chat was upgraded to a supergroup chat", migrate_to=self.migrated_to
            )
        if self.bot_is is Standing.KICKED:
            raise ApiError(403, f"Forbidden: bot was kicked from the {self.kind} chat")
        if to_write and self.bot_is not in INSIDE:
            raise ApiError(403, f"Forbidden: bot is not a member of the {self.kind} chat")

    def hears(self, bot: Bot, message: Message) -> bool:
        """Whether the bot is told of a person's message: all of them as an administrator, else what is meant for it.

        That is privacy mode, which every bot has unless its owner turned it off: commands without a name or with this
        bot's, replies to this bot, and what the group itself says.
        """
        if self.bot_is not in INSIDE:
            return False
        if self.bot_is is Standing.ADMINISTRATOR or message.service:
            return True
        if message.reply_to is not None and message.reply_to.from_bot:
            return True
        command, _, name = message.text.split(maxsplit=1)[0].partition("@") if message.text else ("", "", "")
        return command.startswith("/") and name.casefold() in {"", bot.username.casefold()}

    def thread(self, bot: Bot, number: int | None) -> int | None:
        """The thread that a bot's message goes to.

        Raises:
            ApiError: there is no such thread. That is said of the General topic, too, whose number is 1.
        """
        if not number:
            return None
        if self.is_forum and number in self.topics:
            return number
        root = bot.messages.get(number)
        if self.is_super and not self.is_forum and root is not None and root.chat is self and not root.deleted:
            return number
        raise bad_request("message thread not found")


def as_member(user: Json, standing: Standing) -> Json:
    """The Bot API's `ChatMember`."""
    member: Json = {"user": user, "status": standing.value}
    if standing is Standing.CREATOR:
        member["is_anonymous"] = False
    elif standing is Standing.ADMINISTRATOR:
        member |= {"can_be_edited": False, "is_anonymous": False, **dict.fromkeys(_RIGHTS, True)}
    elif standing is Standing.KICKED:
        member["until_date"] = 0
    return member


def group_id(bot_id: int, title: str, *, is_super: bool) -> int:
    """The same group has the same id after every restart, so that an allow-list still holds it."""
    digest = hashlib.sha256(f"{bot_id} {title.strip().casefold()}".encode()).digest()
    number = 100_000_000 + int.from_bytes(digest[:8], "big") % 900_000_000
    return -(SUPERGROUPS_BEGIN + number) if is_super else -number
