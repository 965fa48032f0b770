"""How the bot logs: without secrets, and without what its libraries say all day.

python-telegram-bot puts the token into every address it calls, and httpx logs addresses. So those loggers are quiet,
and whatever gets past them (an exception's text, a `repr`) is cleaned on its way out by `tradehook.redaction`.
"""

from __future__ import annotations

import logging
import sys

from tradehook import redaction
from tradehook.redaction import redact

__all__ = ["Redaction", "hush", "redact", "set_up_logging"]

QUIET = ("httpx", "httpcore", "apscheduler", "telegram.ext.AIORateLimiter")
"""Their warnings are wanted, their everyday lines are not."""


class Redaction(redaction.Redaction):
    """Cleans records as everywhere, and leaves out what Telegram's own loops print of a network that is away."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what is secret; see `tradehook.redaction.Redaction.filter`."""
        if record.name.startswith("telegram.ext") and _is_telegrams(record.exc_info):
            # Its own loops print a page for a network that is away; we say that in a sentence.
            record.exc_info = None
        return super().filter(record)


def _is_telegrams(exc_info: object) -> bool:
    return isinstance(exc_info, tuple) and type(exc_info[1]).__module__ == "telegram.error"


def set_up_logging(level: int = logging.INFO) -> None:
    """The process logs to standard error, one line a record, without secrets."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S%z"))
    handler.addFilter(Redaction())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    hush()


def hush() -> None:
    """Libraries that log addresses or every tick say only what is wrong."""
    for name in QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # Below that it writes whole messages, and there are secrets and codes among them.
    logging.getLogger("telegram").setLevel(logging.INFO)
    # "maximum number of running instances reached" is how a slow exchange looks; /status tells it better.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.getLogger("apscheduler.executors.default").setLevel(logging.ERROR)
