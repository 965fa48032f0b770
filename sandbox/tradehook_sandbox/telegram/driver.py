"""A person for tests and demos: says things, presses buttons, waits for the bot. Blocking, over a socket.

    ann = Person(url, user="Ann")
    ann.say("/quote BTC 0.01")
    card = ann.wait_for("Buy 0.01 BTC")
    ann.tap("Buy", card)
    ann.wait_for("filled")

Waiting looks at everything the bot sent or edited since the person last did something, each version of a message by
itself, so a text that stood for a moment only is seen as well.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from tradehook_sandbox.telegram.driver_group import Group
from tradehook_sandbox.telegram.phone.remote import Remote, start_command
from tradehook_sandbox.telegram.phone.views import SeenMessage, seen_message
from tradehook_sandbox.telegram.readings import person_in

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from tradehook_sandbox.telegram.shapes import Json

    Wanted: TypeAlias = str | Callable[[SeenMessage], bool]

T = TypeVar("T")
LONGEST_LOOK_SECONDS = 20.0


class NeverCame(AssertionError):
    """What a person waited for did not come in time; the text holds the transcript."""


class Person:
    """Somebody with a phone.

    Args:
        url: the sandbox.
        user: a name (the same name is the same person on every run), an id, or an object with `id` and `name`.
        token: the bot by token, id or username; None is the only one there is.
    """

    def __init__(self, url: str, *, user: str | int | Json = "you", token: str | int | None = None) -> None:
        """Nothing has been said. Waiting begins with what happens from now on."""
        self.url = url
        self.remote = Remote(url)
        self.user = user
        # The secret half is nobody's business here, and addresses end up in logs.
        self.token = token.partition(":")[0] if isinstance(token, str) else token
        self.chat = person_in(user).id
        self._where = self.chat  # of the last deed
        self._since: int = self.remote.get("/events", chat=self.chat)["next"]
        self._pressed: str | None = None

    def say(
        self, text: str, *, chat: Group | int | None = None, topic: int | None = None, **circumstances: object
    ) -> SeenMessage:
        """The text is sent, to the bot alone or to a group.

        Args:
            text: what is said.
            chat: the group; None is the private chat.
            topic: the thread of a forum.
            circumstances: `edits=`, `edited=True`, `forwarded=True`, `via_bot=True`, `ago_seconds=`, `reply_to=`,
                `anonymous=True`, `as_channel=`; see POST say.
        """
        there = _chat(chat)
        answer = self.remote.post(
            "/say", text=text, user=self.user, token=self.token, chat=there, topic=topic, **circumstances
        )
        self._since = answer["next"]
        self._where = self.chat if there is None else there
        return seen_message(answer["message"])

    def group(
        self,
        title: str,
        *,
        people: Sequence[Person] = (),
        supergroup: bool = False,
        forum: bool = False,
        bot: str = "member",
    ) -> Group:
        """A group that this person founds, with the people and the bot in it; a forum is a supergroup with topics."""
        answer = self.remote.post(
            "/groups",
            title=title,
            user=self.user,
            token=self.token,
            people=[person.user for person in people],
            supergroup=supergroup,
            forum=forum,
            bot=bot,
        )
        return Group(self, answer["group"])

    def open(self, link: str) -> SeenMessage:
        """A `t.me/<bot>?start=<code>` link was opened, which says `/start <code>`.

        Raises:
            ValueError: that is no such link.
        """
        command = start_command(link)
        if command is None:
            message = f"{link!r} is no t.me/<bot>?start=<code> link"
            raise ValueError(message)
        return self.say(command)

    def tap(self, button: str | int, message: SeenMessage | int | None = None) -> None:
        """The button is pressed: its text, the beginning of its text, its data, or its number from 1.

        Args:
            button: which.
            message: on which message; None is the newest one with buttons, where this person spoke or pressed last.
        """
        target = self._newest_with_buttons().id if message is None else _id(message)
        self._press(target, button=button)

    def forge(self, data: str, message: SeenMessage | int) -> None:
        """The bot receives a press with this data, whether or not the message has such a button."""
        self._press(_id(message), forge=data)

    def _press(self, message_id: int, **press: object) -> None:
        answer = self.remote.post("/tap", message_id=message_id, user=self.user, token=self.token, **press)
        self._since = answer["next"]
        self._where = answer["press"]["chat"]
        self._pressed = answer["press"]["callback_query_id"]

    def wait_for(
        self,
        wanted: Wanted,
        *,
        timeout_seconds: float = 15.0,
        since: int | None = None,
        chat: Group | int | None = None,
    ) -> SeenMessage:
        """The bot's first message or edit that holds the text, or for which the predicate holds.

        It is looked for in the private chat and in all groups this person is in.

        Args:
            wanted: a part of the text, upper and lower case as written, or a predicate.
            timeout_seconds: how long at most.
            since: look at everything after this event; 0 is from the beginning, None since this person's last deed.
            chat: only in this group, or only in the chat of this id.

        Raises:
            NeverCame: it did not come in time.
        """
        fits = (lambda message: wanted in message.text) if isinstance(wanted, str) else wanted

        def found(event: Json) -> SeenMessage | None:
            if event["kind"] not in {"message", "edit"} or event["message"]["from"] != "bot":
                return None
            message = seen_message(event["message"])
            return message if fits(message) else None

        what = repr(wanted) if isinstance(wanted, str) else f"a message that fits {wanted!r}"
        begin = self._since if since is None else since
        return self._until(found, what, timeout_seconds, begin, chat=_chat(chat))

    def wait_for_answer(self, *, timeout_seconds: float = 15.0) -> str:
        """What the bot answered to the last press: the text of the notice, perhaps empty.

        Raises:
            NeverCame: it did not answer in time.
        """

        def found(event: Json) -> str | None:
            mine = event["kind"] == "answer" and event["press"]["callback_query_id"] == self._pressed
            return str(event["press"]["answer"]["text"]) if mine else None

        return self._until(found, "an answer to the last press", timeout_seconds, self._since)

    def picture(self, message: SeenMessage) -> bytes:
        """The bytes of the message's picture, as the bot uploaded them.

        Raises:
            ValueError: the message has no picture.
        """
        if message.photo is None:
            nothing = f"message {message.id} has no picture"
            raise ValueError(nothing)
        return self.remote.photo(message.photo["file_id"])

    def document(self, message: SeenMessage) -> bytes:
        """The bytes of the file that the message carries.

        Raises:
            ValueError: the message carries no file.
        """
        if message.document is None:
            nothing = f"message {message.id} has no file"
            raise ValueError(nothing)
        return self.remote.document(message.document["file_id"])

    def wait_until_gone(self, message: SeenMessage | int, *, timeout_seconds: float = 15.0) -> None:
        """The bot has deleted the message, its own or this person's.

        Raises:
            NeverCame: it still stands.
        """
        gone = _id(message)

        def found(event: Json) -> bool | None:
            return True if event["kind"] == "delete" and event["message"]["message_id"] == gone else None

        self._until(found, f"the end of message {gone}", timeout_seconds, 0)

    def fault(self, kind: str, method: str = "*", *, chat: Group | int | None = None, **more: object) -> None:
        """Something goes wrong with the bot's next call of this method, or `times=` calls; see POST faults."""
        self.remote.post("/faults", kind=kind, method=method, token=self.token, chat=_chat(chat), **more)

    def replay(self, update_id: int | None = None, *, is_new: bool = False) -> int:
        """The bot gets this update, or its newest, once more, under its own id or a new one; returns that id."""
        return int(self.remote.post("/replay", update_id=update_id, token=self.token, as_new=is_new)["update_id"])

    def messages(self, *, chat: Group | int | None = None) -> list[SeenMessage]:
        """Everything in the private chat, or in this one, as it stands now, oldest first, without what was deleted."""
        there = self.chat if chat is None else _chat(chat)
        found = self.remote.get("/transcript", chat=there, token=self.token)["messages"]
        return [seen_message(message) for message in found if not message["deleted"]]

    def transcript(self, *, chat: Group | int | None = None) -> str:
        """The private chat, or this one, as text, for a failure's message."""
        return "\n".join(map(_line, self.messages(chat=chat))) or "(nobody has said anything)"

    def _newest_with_buttons(self) -> SeenMessage:
        for message in reversed(self.messages(chat=self._where)):
            if message.pressable:
                return message
        missing = f"no message has buttons to press\n{self.transcript(chat=self._where)}"
        raise NeverCame(missing)

    def _until(
        self,
        found: Callable[[Json], T | None],
        what: str,
        timeout_seconds: float,
        since: int,
        *,
        chat: int | None = None,
    ) -> T:
        deadline = time.monotonic() + timeout_seconds
        at = since
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            look = self.remote.get(
                "/events",
                since=at,
                user=self.chat,
                chat=chat,
                token=self.token,
                waits_seconds=min(left, LONGEST_LOOK_SECONDS),
            )
            for event in look["events"]:
                result = found(event)
                if result is not None:
                    return result
            at = look["next"]
            if look["stopping"] or time.monotonic() >= deadline:
                message = f"{what} did not come within {timeout_seconds:g} seconds\n"
                message += self.transcript(chat=self._where if chat is None else chat)
                raise NeverCame(message)


def _chat(chat: Group | int | None) -> int | None:
    return chat.id if isinstance(chat, Group) else chat


def _id(message: SeenMessage | int) -> int:
    return message if isinstance(message, int) else message.id


def _line(message: SeenMessage) -> str:
    who = "bot" if message.from_bot else message.name
    edited = f" (edited {message.edits} times)" if message.edits else ""
    buttons = "".join(f" [{button.text}]" for button in message.buttons)
    picture = "" if message.photo is None else f"[picture {message.photo['width']}x{message.photo['height']}] "
    file = "" if message.document is None else f"[file {message.document['file_name']}] "
    return f"{message.id} {who}{edited}: {picture}{file}{message.text}{buttons}"
