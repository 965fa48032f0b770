"""What Telegram would know: bots, chats, messages, presses. In memory, and without I/O.

The bot's verbs are here; the person's are in `persons`. Nothing waits and nothing locks: one thread uses a world
(`stop` excepted), and whoever wants to know of a change leaves a callback with `watch`.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram import callbacks
from tradehook_sandbox.telegram.bots import Bot, new_bot, token_parts
from tradehook_sandbox.telegram.events import EventLog
from tradehook_sandbox.telegram.faults import FaultTable
from tradehook_sandbox.telegram.groups import Group, Standing
from tradehook_sandbox.telegram.messages import Message
from tradehook_sandbox.telegram.pace import PaceKeeper
from tradehook_sandbox.telegram.shapes import ApiError, bad_request, utc_now

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook_sandbox.telegram.content.keyboards import Markup
    from tradehook_sandbox.telegram.content.texts import FormattedText
    from tradehook_sandbox.telegram.files import Document, Photo
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.shapes import Clock, Json

NOT_MODIFIED = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current content "
    "and reply markup of the message"
)
DELETABLE_FOR = timedelta(hours=48)
log = logging.getLogger(__name__)


class World:
    """One Telegram, with nobody in it at first.

    Args:
        now: the clock; messages, expiry of presses and of updates follow it.
        answer_within_seconds: how long a press may stay unanswered before its answer is refused. Telegram does not say;
            in practice it is some seconds.
    """

    def __init__(self, *, now: Clock = utc_now, answer_within_seconds: float = 15.0) -> None:
        """There are no bots and no chats."""
        self.now = now
        self.answer_within = timedelta(seconds=answer_within_seconds)
        self.bots: dict[int, Bot] = {}
        self.events = EventLog()
        self.faults = FaultTable()
        self.pace = PaceKeeper()
        self.stopped = False
        self._watchers: set[Callable[[], object]] = set()

    # Who waits for what.

    def watch(self, callback: Callable[[], object]) -> Callable[[], None]:
        """The callback is called after every change, until the returned function is called."""
        self._watchers.add(callback)
        return lambda: self._watchers.discard(callback)

    def changed(self) -> None:
        """Every watcher has been called."""
        for callback in list(self._watchers):
            callback()

    def stop(self) -> None:
        """Everybody who waits goes home at once, and nobody waits from now on.

        For the server, when it shuts down; a signal handler or another thread may call it too.
        """
        self.stopped = True
        self.changed()

    # Bots.

    def connect(self, token: str) -> Bot:
        """The bot that owns the token; a token seen for the first time makes a bot, or claims the one with its id.

        Raises:
            ApiError: the token is no token, or another secret than the one this bot first connected with.
        """
        bot_id, token = token_parts(token)
        bot = self.add_bot(bot_id)
        if bot.token is None:
            bot.token = token
            log.info("bot %s connected as @%s", bot.id, bot.username)
            self.changed()
        if bot.token != token:
            raise ApiError(401, "Unauthorized")
        return bot

    def add_bot(self, bot_id: int, *, username: str | None = None, name: str | None = None) -> Bot:
        """The bot is known, with the given names if it is new; a known bot only takes names that are given."""
        bot = self.bots.get(bot_id)
        if bot is None:
            bot = self.bots[bot_id] = new_bot(bot_id, now=self.now(), username=username, name=name)
            self.changed()
        bot.username = username or bot.username
        bot.first_name = name or bot.first_name
        return bot

    # What a bot does.

    def post(
        self,
        bot: Bot,
        chat_id: int,
        content: FormattedText,
        *,
        markup: Markup,
        photo: Photo | None = None,
        document: Document | None = None,
        reply_to: Message | None = None,
        thread: int | None = None,
    ) -> Message:
        """The bot's message is in the chat.

        Not to be repeated blindly: like Telegram's, this has no idempotency key.

        Raises:
            ApiError: no such chat, or the bot must not write there.
        """
        chat = self.chat(bot, chat_id)
        message = Message(
            id=bot.take_message_id(),
            chat=chat,
            sender=bot.as_user(),
            from_bot=True,
            date=self.now(),
            text=content.text,
            entities=content.entities,
            photo=photo,
            document=document,
            keyboard=markup.inline,
            reply_keyboard=markup.reply_keyboard,
            reply_to=reply_to,
            thread=thread,
        )
        bot.messages[message.id] = message
        self.tell("message", bot, message)
        return message

    def edit(
        self,
        bot: Bot,
        message: Message,
        *,
        content: FormattedText | None = None,
        keyboard: list[list[Json]] | None = None,
    ) -> Message:
        """The message shows the new content and exactly the given inline keyboard. May be repeated.

        Raises:
            ApiError: nothing would change.
        """
        text, entities = (message.text, message.entities) if content is None else (content.text, content.entities)
        keyboard = keyboard or []
        if (text, entities, keyboard) == (message.text, message.entities, message.keyboard):
            raise bad_request(NOT_MODIFIED)
        message.text, message.entities, message.keyboard = text, entities, keyboard
        message.edited_at = self.now()
        message.edits += 1
        self.tell("edit", bot, message)
        return message

    def delete(self, bot: Bot, message: Message) -> None:
        """The message is gone for everybody.

        Raises:
            ApiError: it is older than 48 hours, or a member's of a group where the bot is no administrator.
        """
        chat = message.chat
        if not message.from_bot and isinstance(chat, Group) and chat.bot_is is not Standing.ADMINISTRATOR:
            raise bad_request("message can't be deleted")
        if self.now() - message.date > DELETABLE_FOR:
            raise bad_request("message can't be deleted for everyone")
        message.deleted = True
        self.tell("delete", bot, message)

    def answer(self, bot: Bot, callback_query_id: str, answer: Json) -> None:
        """The press is answered, and the person sees the answer.

        Raises:
            ApiError: unknown, stale or answered before; or the text is longer than 200 characters.
        """
        press = bot.presses.get(callback_query_id)
        press = callbacks.answer(press, answer, now=self.now(), within=self.answer_within)
        self.events.add(
            "answer",
            bot_id=bot.id,
            chat_id=press.message.chat.id,
            at=self.now(),
            details={"press": press.as_transcript()},
        )
        self.changed()

    def act(self, bot: Bot, chat_id: int, action: str) -> None:
        """The person sees the bot typing, or the like.

        Raises:
            ApiError: no such chat, or the person blocked the bot.
        """
        chat = self.chat(bot, chat_id)
        self.events.add("action", bot_id=bot.id, chat_id=chat.id, at=self.now(), details={"action": action})
        self.changed()

    # Finding.

    def chat(self, bot: Bot, chat_id: int, *, to_write: bool = True) -> User | Group:
        """The person in this chat with this bot, or the group.

        Raises:
            ApiError: they never wrote to the bot, so that the bot must not write to them; or they blocked it; or the
                bot is not in the group, or the group has another id now.
        """
        group = bot.groups.get(chat_id)
        if group is not None:
            group.check_reachable(to_write=to_write)
            return group
        chat = bot.chats.get(chat_id)
        if chat is None:
            raise bad_request("chat not found")
        if to_write and chat_id in bot.blocked_by:
            raise ApiError(403, "Forbidden: bot was blocked by the user")
        return chat

    def message(self, bot: Bot, chat_id: int, message_id: int, otherwise: str) -> Message:
        """The message, if it stands in this chat.

        Raises:
            ApiError: no such chat, or no such message, in the words of `otherwise`.
        """
        chat = self.chat(bot, chat_id)
        message = bot.messages.get(message_id)
        if message is None or message.deleted or message.chat.id != chat.id:
            raise bad_request(otherwise)
        return message

    def own_message(self, bot: Bot, chat_id: int, message_id: int) -> Message:
        """The bot's own message, which it may edit.

        Raises:
            ApiError: not found, or written by the person.
        """
        message = self.message(bot, chat_id, message_id, "message to edit not found")
        if not message.from_bot:
            raise bad_request("message can't be edited")
        return message

    def tell(self, kind: str, bot: Bot, message: Message) -> None:
        """The message's change is in the event log, and watchers know."""
        message.change = self.events.last + 1
        self.events.add(
            kind, bot_id=bot.id, chat_id=message.chat.id, at=self.now(), details={"message": message.as_transcript()}
        )
        self.changed()
