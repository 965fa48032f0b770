"""Who talks: a person. In a private chat the chat's id is the person's id."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json

LARGEST_ID = (1 << 52) - 1  # Telegram promises that ids stay below this, so that doubles hold them exactly


@dataclass(frozen=True, slots=True)
class User:
    """A person as Telegram describes one."""

    id: int
    first_name: str
    last_name: str | None = None
    username: str | None = None
    language_code: str | None = None

    def as_user(self) -> Json:
        """The Bot API's `User`."""
        return {"id": self.id, "is_bot": False, "first_name": self.first_name, **self._optional(language=True)}

    def as_chat(self) -> Json:
        """The Bot API's `Chat` of the private chat with this person."""
        return {"id": self.id, "type": "private", "first_name": self.first_name, **self._optional(language=False)}

    def _optional(self, *, language: bool) -> Json:
        fields = {"last_name": self.last_name, "username": self.username}
        if language:
            fields["language_code"] = self.language_code
        return {name: value for name, value in fields.items() if value is not None}


def id_of(name: str) -> int:
    """The same name has the same id on every machine and after every restart.

    A bot's allow-list holds numeric ids, so a demo that restarts must meet the same person again.
    """
    digest = hashlib.sha256(name.strip().casefold().encode()).digest()
    return 100_000_000 + int.from_bytes(digest[:8], "big") % 900_000_000
