"""The one place that knows what a secret looks like: keeps keys, tokens and signatures out of texts and logs.

Two ways, because neither is enough alone. Patterns know a token or a key file by its form, wherever it comes from.
What has no form of its own (the secret number of a key, a passphrase) is hidden exactly, once somebody has told it.
Knows no exchange, no settings and no file; must never keep what it finds.

    protect(secrets=forms_of(key_file_text))      once, after `logging` is set up; see docs/explanation/secrets.md
"""

from __future__ import annotations

import base64
import binascii
import json
import logging
import re
import threading
import traceback
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterable

_PLAIN: Final = re.ASCII | re.IGNORECASE
# Every repetition that something must follow is bounded, so that no text takes more than linear time.
_PATTERNS: Final[tuple[tuple[re.Pattern[str], str], ...]] = (
    (
        re.compile(
            r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.*?(?:-----END [A-Z ]{0,30}PRIVATE KEY-----|\Z)", re.DOTALL
        ),
        "<private key>",
    ),
    # How a P-256 key begins in PKCS#8 and in SEC 1: a line of a PEM file without its head.
    (re.compile(r"(?:MIGHAgEA|MHcCAQEE)[\w+/=-]{16,}", re.ASCII), "<private key>"),
    # A JWT begins so, and so does a stamp, which has no points. No word border in front: it may stand in anything.
    (re.compile(r"eyJ[\w-]{12,}(?:\.[\w-]*)*", re.ASCII), "<jwt>"),
    # In an address the number follows upon "bot".
    (re.compile(r"\d{1,16}(?::|%3A)[\w-]{30,}", _PLAIN), "<bot token>"),
    (re.compile(r"(\bbearer[ +]|\bbearer%20)[\w.~+/=%-]{16,}", _PLAIN), r"\1<token>"),
    (
        re.compile(
            r"(authorization\\{0,8}[\"']?\s{0,2}[:=,]\s{0,2}b?\\{0,8}[\"']?(?:\w{1,12} )?)[^\s\"'\\,)<]{6,}", _PLAIN
        ),
        r"\1<token>",
    ),
    (
        re.compile(
            r"((\\{0,8}[\"'])(?:access_token|refresh_token|signature|stamp|passphrase|password)\2\s{0,4}:\s{0,4}\2)"
            r"[^\"'\\]{6,}",
            _PLAIN,
        ),
        r"\1<secret>",
    ),
    (re.compile(r"((\\{0,8}[\"'])d\2\s{0,4}:\s{0,4}\2)[\w+/=-]{20,}", re.ASCII), r"\1<secret>"),
    # Who is named in an address, before the host: a proxy, a database.
    (re.compile(r"(://[^\s/:@\"']{0,64}:)[^\s/@\"']{1,256}@", re.ASCII), r"\1<secret>@"),
)
_SHORTEST_LINE: Final = 16
_SHORTEST_SECRET: Final = 6
"""What is shorter stands in too many innocent texts to be hidden."""
_USUAL: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime"}


def redact(text: str) -> str:
    """The text, with a mark in place of everything that looks like a key, a token or a signature."""
    for secret, mark in _PATTERNS:
        text = secret.sub(mark, text)
    return text


def secret_number(material: str) -> str | None:
    """The `d` of a key file in JSON: written the same way in every form of the file. `None` where there is none."""
    try:
        content = json.loads(material)
    except (ValueError, RecursionError):
        return None
    jwk = content.get("private_key", content) if isinstance(content, dict) else None
    number = jwk.get("d") if isinstance(jwk, dict) else None
    return number if isinstance(number, str) and number else None


def forms_of(material: str) -> list[str]:
    """Every text that would give a key away, longest first.

    The whole file, bare and escaped as in JSON, in an address and in base64; each line of a PEM file; the secret
    number of a JWK, also as the number that it is.
    """
    whole = material.strip()
    number = secret_number(whole)
    if number is None:
        parts = [line.strip() for line in whole.splitlines() if not line.startswith("-----")]
        parts = [part for part in parts if len(part) >= _SHORTEST_LINE and " " not in part]
    else:
        parts = [number, *_spellings(number)]
    forms = {
        form for text in (material, whole, *parts) for form in (text, json.dumps(text)[1:-1], quote(text, safe=""))
    }
    forms |= {_base64(text) for text in (material, whole)}
    return sorted((form for form in forms if len(form) >= _SHORTEST_SECRET), key=len, reverse=True)


def _spellings(number: str) -> list[str]:
    """A JWK's number as Python and OpenSSL print it: in tens, in hex, in ordinary base64."""
    try:
        content = base64.urlsafe_b64decode(number + "=" * (-len(number) % 4))
    except (ValueError, binascii.Error):
        return []
    return [str(int.from_bytes(content)), content.hex(), content.hex().upper(), base64.b64encode(content).decode()]


def _base64(text: str) -> str:
    # Without its end, which depends on what follows.
    return base64.b64encode(text.encode(errors="replace")).decode().rstrip("=")[:-1]


class Redaction(logging.Filter):
    """Cleans records on their way out: message, arguments, traceback, stack. Lets every record through.

    Put it on handlers: a filter of a logger does not see what other loggers pass up to it.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Make one that hides these exactly, beside whatever has the form of a secret."""
        super().__init__()
        self._lock = threading.Lock()
        self._secrets: tuple[str, ...] = ()
        self.hide(*secrets)

    def hide(self, *secrets: str) -> None:
        """These texts are marks from now on, wherever they stand. Under six characters they are left alone."""
        with self._lock:
            known = {*self._secrets, *(secret for secret in secrets if len(secret) >= _SHORTEST_SECRET)}
            self._secrets = tuple(sorted(known, key=len, reverse=True))

    def clean(self, text: str) -> str:
        """The text without anything secret."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, "<secret>")
        return redact(text)

    def filter(self, record: logging.LogRecord) -> bool:
        """Replace what is secret. A record that cannot be read is told of without its content."""
        try:
            message = record.getMessage()
            arguments = repr(record.args) if record.args else ""
        except Exception:  # noqa: BLE001 - whatever its arguments do, logging goes on
            record.msg, record.args = f"a record of {record.name} that cannot be formatted", ()
        else:
            cleaned = self.clean(message)
            # What is not secret keeps its arguments: some handlers group records by them.
            if cleaned != message or self.clean(arguments) != arguments:
                record.msg, record.args = cleaned, ()
        self._clean_traceback(record)
        for name, value in list(vars(record).items()):
            if name not in _USUAL and isinstance(value, str):
                setattr(record, name, self.clean(value))
        return True

    def _clean_traceback(self, record: logging.LogRecord) -> None:
        if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
            told = "".join(traceback.format_exception(*record.exc_info)).rstrip()
            cleaned = self.clean(told)
            if cleaned != told:
                # Formatters use this text where it is there, and do not make their own.
                record.exc_text, record.exc_info = cleaned, None
        if record.exc_text:
            record.exc_text = self.clean(record.exc_text)
        if record.stack_info:
            record.stack_info = self.clean(record.stack_info)


def protect(logger: logging.Logger | None = None, *, secrets: Iterable[str] = ()) -> Redaction:
    """Every handler that a logger has now cleans what it writes; without one, the root logger's.

    Call it once `logging` is set up. May be repeated: the same filter then hides more.

    Returns:
        The filter, for `hide`, and for handlers that are added later.
    """
    handlers: list[Any] = list((logger or logging.getLogger()).handlers)
    if not handlers and logging.lastResort is not None:
        handlers = [logging.lastResort]
    there = (known for handler in handlers for known in handler.filters if isinstance(known, Redaction))
    redaction = next(there, None) or Redaction()
    redaction.hide(*secrets)
    for handler in handlers:
        if redaction not in handler.filters:
            handler.addFilter(redaction)
    return redaction
