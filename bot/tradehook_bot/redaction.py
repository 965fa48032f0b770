"""Keeps secrets out of logs: bot tokens and JWTs become marks before a record is written anywhere.

python-telegram-bot puts the token into every address it calls, and httpx logs addresses. So those loggers are quiet,
and whatever gets past them (an exception's text, a `repr`) is cleaned on its way out.
"""

from __future__ import annotations

import logging
import re
import sys
import traceback

_SECRETS = (
    # No word border in front: in an address the number follows upon "bot".
    (re.compile(r"\d{1,16}(?::|%3A)[\w-]{30,}", re.ASCII | re.IGNORECASE), "<bot token>"),
    (re.compile(r"eyJ[\w-]{5,}\.[\w-]+(?:\.[\w-]*)?", re.ASCII), "<jwt>"),
)
QUIET = ("httpx", "httpcore", "apscheduler", "telegram.ext.AIORateLimiter")
"""Their warnings are wanted, their everyday lines are not."""


def redact(text: str) -> str:
    """The text without anything that looks like a bot token or a JWT."""
    for secret, mark in _SECRETS:
        text = secret.sub(mark, text)
    return text


class Redaction(logging.Filter):
    """Cleans a record's message, its arguments and its traceback. Lets everything through."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what is secret; a record that cannot be read is told of without its content."""
        try:
            message = record.getMessage()
        except (TypeError, ValueError):
            message = f"a record of {record.name} that cannot be formatted"
        record.msg, record.args = redact(message), ()
        if record.name.startswith("telegram.ext") and _is_telegrams(record.exc_info):
            # Its own loops print a page for a network that is away; we say that in a sentence.
            record.exc_info = None
        if record.exc_info:
            # Formatters use this text where it is there, and do not make their own.
            record.exc_text = redact("".join(traceback.format_exception(*record.exc_info)).rstrip())
            record.exc_info = None
        if record.exc_text:
            record.exc_text = redact(record.exc_text)
        if record.stack_info:
            record.stack_info = redact(record.stack_info)
        return True


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
    # "maximum number of running instances reached" is how a slow exchange looks; /status tells it better.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.getLogger("apscheduler.executors.default").setLevel(logging.ERROR)
