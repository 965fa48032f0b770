"""The arguments of a Bot API call, read as leniently and as strictly as Telegram reads them.

Telegram knows only strings: a number in a JSON body and its digits in a form are the same argument, and an object is
its JSON text. What cannot be read as a number counts as absent; a number out of range is moved into it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.shapes import bad_request, read_integer

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Arguments:
    """What a bot sent along: text, uploaded files and what those are called, each by the argument's name."""

    values: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    file_names: Mapping[str, str] = field(default_factory=dict)

    def text(self, name: str) -> str:
        """The argument, or an empty string."""
        return self.values.get(name, "")

    def truth(self, name: str) -> bool:
        """Whether the argument is one of Telegram's words for yes."""
        return self.text(name).strip().lower() in {"true", "yes", "1"}

    def number(self, name: str) -> int | None:
        """The argument as an integer, or None."""
        return read_integer(self.text(name))

    def within(self, name: str, smallest: int, largest: int, default: int) -> int:
        """The argument as an integer, moved into the range."""
        number = self.number(name)
        return default if number is None else max(smallest, min(number, largest))

    def chat_id(self) -> int:
        """The chat the call is about.

        Raises:
            ApiError: there is none, or it is a name: the stand-in has private chats only, and those have none.
        """
        if not self.text("chat_id"):
            raise bad_request("chat_id is empty")
        chat_id = self.number("chat_id")
        if chat_id is None:
            raise bad_request("chat not found")
        return chat_id

    def message_id(self) -> int:
        """The message the call is about.

        Raises:
            ApiError: it is missing or not a number.
        """
        message_id = self.number("message_id")
        if not message_id:
            raise bad_request("message identifier is not specified")
        return message_id

    def json(self, name: str, what: str) -> object:
        """The argument decoded, or None where it is absent.

        Raises:
            ApiError: it is not JSON; `what` names it.
        """
        if not self.text(name):
            return None
        try:
            value: object = json.loads(self.text(name))
        except (ValueError, RecursionError):
            raise bad_request(f"can't parse {what} JSON object") from None
        return value
