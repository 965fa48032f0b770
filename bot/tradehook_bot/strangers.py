"""What is noted of people who may not use the bot: a count, and a few lines an hour, however many come."""

from __future__ import annotations

import logging
import time

_log = logging.getLogger(__name__)
_HOUR_SECONDS = 3600.0
MOST_NAMED = 10
"""How many of them an hour's log names. The rest are counted."""


class Strangers:
    """Counts them. Takes no more room for a million than for ten."""

    def __init__(self) -> None:
        """Nobody has come."""
        self._since = time.monotonic()
        self._named: set[int] = set()
        self.count = 0
        """Messages and presses that got no answer in this hour."""

    def note(self, user_id: int) -> None:
        """Somebody was turned away."""
        moment = time.monotonic()
        if moment - self._since >= _HOUR_SECONDS:
            if self.count > len(self._named):
                _log.info("%s messages of people who may not use this bot got no answer in an hour.", self.count)
            self._since, self.count = moment, 0
            self._named.clear()
        self.count += 1
        if user_id not in self._named and len(self._named) < MOST_NAMED:
            self._named.add(user_id)
            _log.info("User %s may not use this bot and got no answer.", user_id)
