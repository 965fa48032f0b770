"""A conversation, kept as a page of plain text: what was said and pressed, what came, and what a message became.

Ids, times and measured spans become marks, numbered or not, so that the same conversation is the same page every time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import groupby
from typing import Any

from tradehook_sandbox.telegram.driver import Person
from tradehook_sandbox.telegram.phone.views import SeenMessage

_ID = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"  # an order's, whole
    r"|(?<![0-9a-zA-Z.,])(?:[0-9a-f]{64}|[0-9a-f]{8})(?![0-9a-zA-Z])"  # a transaction's; the beginning of an order's
    r"|\bchat-[0-9a-f]+"  # an intent's, whole or not
)
_PASSING = (
    (r"\d{4}-\d\d-\d\d", "YYYY-MM-DD"),
    (r"\b\d\d-\d\d (?=\d\d:\d\d\b)", ""),  # of what was before midnight
    (r"\b\d\d:\d\d:\d\d\b", "hh:mm:ss"),
    (r"\b\d\d:\d\d\b", "hh:mm"),
    (r"\b\d+ (s|min)\b(?= old)", r"N \1"),
    (r"(?<=answered in )[\d.]+ m?s\b", "N ms"),
    (r"\b(tradehook|python-telegram-bot|Python) \d[\w.]*", r"\1 X.Y"),
)
"""What passes with the time of day or the speed of the machine, and the mark that stands for it."""


class Diary:
    """The chat of one person with one bot, step by step.

    Args:
        person: whose chat it is.
        is_quiet: whether the bot has nothing left to say.
        eventually: looks again until something is so.

    Attributes:
        secrets: what is written as something else, such as the code of a link.
    """

    def __init__(self, person: Person, is_quiet: Callable[[], bool], eventually: Callable[..., Any]) -> None:
        """Nothing is written yet."""
        self.person = person
        self.secrets: dict[str, str] = {}
        self._is_quiet, self._eventually = is_quiet, eventually
        self._seen: dict[int, str] = {}
        self._pressed: int | None = None
        self._ids: dict[str, str] = {}
        self._page: list[str] = []
        self._talk: list[str] = []

    # --- what happens ---

    def chapter(self, title: str, words: str) -> None:
        """What follows stands below this heading and these words."""
        self._end_block()
        self._page += [f"## {title}", "", words, ""]

    def meanwhile(self, words: str) -> None:
        """Something happened that is no part of the chat."""
        self._end_block()
        self._page += [words, ""]

    def say(self, words: str, *wanted: str, times: int = 1) -> SeenMessage:
        """It was said, and all that was wanted came, the last of it in so many messages; returns the first of those."""
        self._pressed = None
        self.person.say(words)
        self._talk.append(f"Anna: {self._marked(words)}")
        return self._answered(wanted, times=times)

    def type_code(self, code: str, *wanted: str, times: int = 1) -> SeenMessage:
        """The digits were typed below what was pressed, the bot has deleted them, and all that was wanted came."""
        said = self.person.say(code)
        self._talk.append("Anna: 123456  (the bot deletes this message)")
        found = self._answered(wanted, times=times)
        self.person.wait_until_gone(said)
        return found

    def tap(self, button: str, message: SeenMessage, *wanted: str, times: int = 1) -> SeenMessage:
        """A button of the message was pressed, and all that was wanted came, the last of it in so many messages."""
        full = next(each.text for each in message.buttons if each.text.startswith(button))
        self.person.tap(button, message)
        self._pressed = message.id
        self._talk.append(f"Anna presses [ {self._marked(full)} ]")
        return self._answered(wanted, times=times)

    def comes(self, *wanted: str) -> SeenMessage:
        """All that was wanted came without a word of the person's."""
        return self._answered(wanted, times=1)

    # --- what is written ---

    def page(self) -> str:
        """The chapters so far, as CommonMark."""
        self._end_block()
        return "\n".join(self._page).rstrip("\n") + "\n"

    def _answered(self, wanted: tuple[str, ...], *, times: int) -> SeenMessage:
        found = [self.person.wait_for(words) for words in wanted]
        self._eventually(lambda: self._standing(wanted[-1]) >= times)
        self._eventually(self._is_quiet)
        here = {message.id: message for message in self.person.messages()}
        shown = {number: self._shown(message) for number, message in here.items() if message.from_bot}
        # Whoever pressed looks at that message first; what stands further up changes unseen.
        for number in sorted(shown, key=lambda number: (number != self._pressed, number in self._seen, number)):
            if self._seen.get(number) != shown[number]:
                where = ", in that message" if number == self._pressed else ", further up"
                self._talk.append(f"Bot{where if number in self._seen else ''}:\n{shown[number]}")
        self._seen.update(shown)
        return here[found[-1].id]

    def _standing(self, words: str) -> int:
        return sum(message.from_bot and words in message.text for message in self.person.messages())

    def _shown(self, message: SeenMessage) -> str:
        lines = [] if message.photo is None else [f"[picture, {message.photo['width']} wide]"]
        lines += message.text.split("\n")
        for _, row in groupby(message.buttons, key=lambda button: button.row):
            lines.append("  ".join(f"[ {button.text} ]" for button in row))
        return "\n".join(f"    {self._marked(line)}".rstrip() for line in lines)

    def _marked(self, words: str) -> str:
        for secret, mark in self.secrets.items():
            words = words.replace(secret, mark)
        words = _ID.sub(self._mark_of, words)
        for pattern, mark in _PASSING:
            words = re.sub(pattern, mark, words)
        return words

    def _mark_of(self, found: re.Match[str]) -> str:
        known = found[0][: 15 if found[0].startswith("chat-") else 8]
        return self._ids.setdefault(known, f"ID{len(self._ids) + 1}")

    def _end_block(self) -> None:
        if self._talk:
            self._page += ["```text", "\n\n".join(self._talk), "```", ""]
            self._talk = []
