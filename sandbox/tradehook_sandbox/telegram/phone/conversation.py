"""One person's conversation with one bot, between a `Remote` and a `Screen`.

The main thread reads what is typed; a second one follows the sandbox's events and prints what the bot says. Edits are
gathered: a message that is edited ten times a second is shown every other second, and once more as it ends.
"""

from __future__ import annotations

import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rich.text import Text

from tradehook_sandbox.telegram.phone.remote import SandboxRefused, SandboxUnreachable, start_command
from tradehook_sandbox.telegram.phone.terminal import buttons_of, content_of, headline
from tradehook_sandbox.telegram.phone.views import seen_message

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.people import User
    from tradehook_sandbox.telegram.phone.remote import Remote
    from tradehook_sandbox.telegram.phone.screen import Screen
    from tradehook_sandbox.telegram.phone.views import SeenMessage
    from tradehook_sandbox.telegram.shapes import Json

LEAVE = "/quit"
DONE, UNREACHABLE = 0, 5
LOOK_SECONDS = 20.0
EDIT_SETTLES_SECONDS = 0.4
EDIT_EVERY_SECONDS = 2.0
QUIET_SECONDS = 1.0  # a script goes on when the bot has said nothing for so long
REPLY_SECONDS = 8.0  # and waits so long for its first word
EARLIER_SHOWN = 10


class Conversation:
    """A chat that is going on.

    Args:
        remote: the sandbox.
        screen: where it is shown and typed.
        user: the person, as the sandbox is told.
        person: the same, with the id.
        bot: the bot, as the sandbox lists it.
    """

    def __init__(self, remote: Remote, screen: Screen, *, user: str, person: User, bot: Json) -> None:
        """Nothing has been read yet."""
        self.remote = remote
        self.screen = screen
        self.user = user
        self.person = person
        self.bot = bot
        self._shown: dict[int, SeenMessage] = {}  # as last printed; numbers mean what the person sees
        self._edited: dict[int, tuple[SeenMessage, float]] = {}
        self._printed_at: dict[int, float] = {}
        self._sent: set[int] = set()
        self._since = 0
        self._heard_at: float | None = None
        self._lost: SandboxUnreachable | None = None
        self._left = False
        self._lock = threading.RLock()

    def run(self) -> int:
        """The person has left, or the sandbox has; returns the exit code."""
        self._begin()
        threading.Thread(target=self._follow, name="telegram-chat-events", daemon=True).start()
        try:
            while True:
                line = self.screen.ask()
                if line.strip() == LEAVE:
                    break
                self._typed(line)
        except EOFError:
            pass
        except KeyboardInterrupt:
            if self._lost is None:
                self.screen.say("")
        except SandboxUnreachable as error:
            self._lost = error
        self._left = True
        if self._lost is not None:
            self.screen.say(f"The sandbox went away: {self._lost}", "red")
            return UNREACHABLE
        if not self.screen.interactive:
            self._print_edits(everything=True)
        self.screen.say("bye")
        return DONE

    def _begin(self) -> None:
        earlier = self.remote.get("/transcript", chat=self.person.id, token=self.bot["id"])
        self._since = earlier["next"]
        messages = [seen_message(message) for message in earlier["messages"] if not message["deleted"]]
        self._shown = {message.id: message for message in messages}
        self.screen.say(
            f"You are {self.person.first_name} (id {self.person.id}), talking to @{self.bot['username']}. "
            f"A number presses a button; {LEAVE} leaves."
        )
        if self.screen.interactive:
            for message in messages[-EARLIER_SHOWN:]:
                self.screen.show(*content_of(message), head=headline(message, "(earlier)"))
        if not self.bot["polling"]:
            self.screen.say("The bot is not connected at the moment; it will find what you say when it is.")

    # What the person does.

    def _typed(self, line: str) -> None:
        text = line.strip()
        if not text:
            return
        if not self.screen.interactive:
            self.screen.say(f"you: {text}", "bold")
        try:
            self._send(text)
        except SandboxRefused as error:
            self.screen.say(error.message, "red")
            return
        if not self.screen.interactive:
            self._wait_for_quiet()

    def _send(self, text: str) -> None:
        newest = next(
            (self._shown[key] for key in sorted(self._shown, reverse=True) if self._shown[key].pressable), None
        )
        if newest is not None and text.isascii() and text.isdigit():
            self._press(newest, int(text[:9]))
            return
        text = text.removeprefix("\\")
        # The lock keeps the follower from taking our own message for one from another terminal.
        with self._lock:
            self._heard_at = None
            said = self.remote.post("/say", text=start_command(text) or text, user=self.user, token=self.bot["id"])
            self._sent.add(said["message"]["message_id"])

    def _press(self, message: SeenMessage, number: int) -> None:
        button = next((button for button in message.pressable if button.number == number), None)
        if button is None:
            count = len(message.pressable)
            self.screen.say(
                f"There is no button {number}, only 1 to {count}. To send the number itself, type \\{number}"
            )
            return
        # By its data and not by its number: the keyboard may have changed since it was printed.
        # The lock keeps the bot's answer from being shown before the press that it answers.
        with self._lock:
            self._heard_at = None
            self.remote.post("/tap", message_id=message.id, button=button.data, user=self.user, token=self.bot["id"])
            self.screen.say(f"pressed: {button.text}")

    def _wait_for_quiet(self) -> None:
        """A script's next line waits until the bot has answered and fallen silent."""
        begun = time.monotonic()
        while self._lost is None:
            now = time.monotonic()
            heard = self._heard_at
            if (heard is None and now - begun > REPLY_SECONDS) or (heard is not None and now - heard > QUIET_SECONDS):
                return
            time.sleep(0.05)

    # What the bot does.

    def _follow(self) -> None:
        try:
            while not self._left:
                self._look()
        except SandboxUnreachable as error:
            self._lose(error)
        except SandboxRefused as error:
            self._lose(SandboxUnreachable(error.message))

    def _lose(self, error: SandboxUnreachable) -> None:
        if self._left:
            return
        self._lost = error
        # The main thread waits for a line that may never come; a signal is what wakes it.
        main = threading.main_thread().ident
        if main is not None:
            signal.pthread_kill(main, signal.SIGINT)

    def _look(self) -> None:
        due = min((when for _, when in self._edited.values()), default=None)
        waits = LOOK_SECONDS if due is None else max(min(due - time.monotonic(), LOOK_SECONDS), 0.001)
        look = self.remote.get(
            "/events", since=self._since, chat=self.person.id, token=self.bot["id"], waits_seconds=waits
        )
        if look["stopping"]:
            message = f"{self.remote.url} is shutting down"
            raise SandboxUnreachable(message)
        with self._lock:
            for event in look["events"]:
                self._happened(event)
            self._since = look["next"]
            self._print_edits()

    def _happened(self, event: Json) -> None:
        if event["kind"] in {"message", "edit", "delete"}:
            message = seen_message(event["message"])
            if message.from_bot:
                self._heard_at = time.monotonic()
            {"message": self._new, "edit": self._edit, "delete": self._deleted}[event["kind"]](message)
        elif event["kind"] == "answer":
            self._heard_at = time.monotonic()
            answer = event["press"]["answer"]
            if answer["text"]:
                mark = "!" if answer["show_alert"] else "*"
                self.screen.show(Text(f"{mark} {answer['text']}", style="bold magenta" if mark == "!" else "magenta"))

    def _new(self, message: SeenMessage) -> None:
        self._print_edits(everything=True)
        self._shown[message.id] = message
        if message.id not in self._sent:
            self.screen.show(*content_of(message, self._saved(message)), head=headline(message))

    def _edit(self, message: SeenMessage) -> None:
        if not message.from_bot:
            self._shown[message.id] = message
            return
        now = time.monotonic()
        _, due = self._edited.get(message.id, (message, 0.0))
        later = max(now + EDIT_SETTLES_SECONDS, self._printed_at.get(message.id, 0.0) + EDIT_EVERY_SECONDS)
        self._edited[message.id] = (message, due or later)

    def _deleted(self, message: SeenMessage) -> None:
        self._edited.pop(message.id, None)
        gone = self._shown.pop(message.id, None)
        if gone is not None:
            first_line = gone.text.splitlines()[0] if gone.text else "a photo"
            self.screen.say(f"(deleted: {first_line})")

    def _print_edits(self, *, everything: bool = False) -> None:
        with self._lock:
            now = time.monotonic()
            for message_id, (message, due) in sorted(self._edited.items()):
                if everything or due <= now:
                    del self._edited[message_id]
                    self._printed_at[message_id] = now
                    self._show_edit(message)

    def _show_edit(self, message: SeenMessage) -> None:
        before = self._shown.get(message.id)
        self._shown[message.id] = message
        if before is None or (before.text, before.entities) != (message.text, message.entities):
            self.screen.show(*content_of(message, "saved above"), head=headline(message, "(edited)"))
        elif before.buttons != message.buttons:
            self.screen.say("(edited: other buttons)" if message.buttons else "(edited: its buttons are gone)")
            self.screen.show(*buttons_of(message))

    def _saved(self, message: SeenMessage) -> str | None:
        """The photo or document is in a file; returns its path."""
        if message.photo is not None:
            content = self.remote.photo(message.photo["file_id"])
            ending = "." + message.photo["media_type"].rpartition("/")[2]
        elif message.document is not None:
            content = self.remote.document(message.document["file_id"])
            ending = "-" + message.document["file_name"]
        else:
            return None
        with tempfile.NamedTemporaryFile(prefix="tradehook-", suffix=ending, delete=False) as file:
            file.write(content)
        return str(Path(file.name))
