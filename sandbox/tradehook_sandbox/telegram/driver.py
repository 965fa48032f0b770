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

from tradehook_sandbox.telegram.phone.remote import Remote, start_command
from tradehook_sandbox.telegram.phone.views import SeenMessage, seen_message
from tradehook_sandbox.telegram.readings import person_in

if TYPE_CHECKING:
    from collections.abc import Callable

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
        self.remote = Remote(url)
        self.user = user
        # The secret half is nobody's business here, and addresses end up in logs.
        self.token = token.partition(":")[0] if isinstance(token, str) else token
        self.chat = person_in(user).id
        self._since: int = self.remote.get("/events", chat=self.chat)["next"]
        self._pressed: str | None = None

    def say(self, text: str, **circumstances: object) -> SeenMessage:
        """The text is sent. For `circumstances` (`edits=`, `forwarded=True`, `ago_seconds=`, ...) see POST say."""
        answer = self.remote.post("/say", text=text, user=self.user, token=self.token, **circumstances)
        self._since = answer["next"]
        return seen_message(answer["message"])

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
            message: on which message; None is the newest one with buttons.
        """
        target = self._newest_with_buttons().id if message is None else _id(message)
        self._press(target, button=button)

    def forge(self, data: str, message: SeenMessage | int) -> None:
        """The bot receives a press with this data, whether or not the message has such a button."""
        self._press(_id(message), forge=data)

    def _press(self, message_id: int, **press: object) -> None:
        answer = self.remote.post("/tap", message_id=message_id, user=self.user, token=self.token, **press)
        self._since = answer["next"]
        self._pressed = answer["press"]["callback_query_id"]

    def wait_for(self, wanted: Wanted, *, timeout_seconds: float = 15.0, since: int | None = None) -> SeenMessage:
        """The bot's first message or edit that holds the text, or for which the predicate holds.

        Args:
            wanted: a part of the text, upper and lower case as written, or a predicate.
            timeout_seconds: how long at most.
            since: look at everything after this event; 0 is from the beginning, None since this person's last deed.

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
        return self._until(found, what, timeout_seconds, self._since if since is None else since)

    def wait_for_answer(self, *, timeout_seconds: float = 15.0) -> str:
        """What the bot answered to the last press: the text of the notice, perhaps empty.

        Raises:
            NeverCame: it did not answer in time.
        """

        def found(event: Json) -> str | None:
            mine = event["kind"] == "answer" and event["press"]["callback_query_id"] == self._pressed
            return str(event["press"]["answer"]["text"]) if mine else None

        return self._until(found, "an answer to the last press", timeout_seconds, self._since)

    def messages(self) -> list[SeenMessage]:
        """Both sides of the chat as they stand now, oldest first; deleted ones are left out."""
        found = self.remote.get("/transcript", chat=self.chat, token=self.token)["messages"]
        return [seen_message(message) for message in found if not message["deleted"]]

    def transcript(self) -> str:
        """The chat as text, for a failure's message."""
        return "\n".join(map(_line, self.messages())) or "(nobody has said anything)"

    def _newest_with_buttons(self) -> SeenMessage:
        for message in reversed(self.messages()):
            if message.pressable:
                return message
        missing = f"no message has buttons to press\n{self.transcript()}"
        raise NeverCame(missing)

    def _until(self, found: Callable[[Json], T | None], what: str, timeout_seconds: float, since: int) -> T:
        deadline = time.monotonic() + timeout_seconds
        at = since
        while True:
            left = max(deadline - time.monotonic(), 0.0)
            look = self.remote.get(
                "/events", since=at, chat=self.chat, token=self.token, waits_seconds=min(left, LONGEST_LOOK_SECONDS)
            )
            for event in look["events"]:
                result = found(event)
                if result is not None:
                    return result
            at = look["next"]
            if look["stopping"] or time.monotonic() >= deadline:
                message = f"{what} did not come within {timeout_seconds:g} seconds\n{self.transcript()}"
                raise NeverCame(message)


def _id(message: SeenMessage | int) -> int:
    return message if isinstance(message, int) else message.id


def _line(message: SeenMessage) -> str:
    who = "bot" if message.from_bot else message.name
    edited = f" (edited {message.edits} times)" if message.edits else ""
    buttons = "".join(f" [{button.text}]" for button in message.buttons)
    return f"{message.id} {who}{edited}: {message.text}{buttons}"
