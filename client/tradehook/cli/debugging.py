"""What `--debug` shows: every step towards the exchange, on standard error, without secrets.

httpx and httpcore log addresses and answers' headers, websockets logs every frame; all of it passes the filter.
"""

from __future__ import annotations

import logging
import os
import sys
import traceback
from contextlib import suppress
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook.redaction import Redaction, forms_of

if TYPE_CHECKING:
    from tradehook.settings import Settings

_LOGGERS = ("tradehook", "httpx", "httpcore", "websockets")
_redaction: Redaction | None = None


def start(*, is_asked: bool) -> None:
    """Log everything, if that is asked for by the option or by `TRADEHOOK_DEBUG`."""
    global _redaction  # noqa: PLW0603 - one command at a time
    if _redaction is not None or not (is_asked or os.environ.get("TRADEHOOK_DEBUG")):
        return
    _redaction = Redaction()
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_redaction)
    for name in _LOGGERS:
        logger = logging.getLogger(name)
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)


def stop() -> None:
    """Nothing is logged any more: where a process runs several commands, each asks for itself."""
    global _redaction  # noqa: PLW0603 - one command at a time
    for name in _LOGGERS if _redaction is not None else ():
        logger = logging.getLogger(name)
        logger.setLevel(logging.NOTSET)
        for handler in [known for known in logger.handlers if _redaction in known.filters]:
            logger.removeHandler(handler)
    _redaction = None


def hide_key_of(settings: Settings) -> None:
    """The account's key is hidden exactly, while there is a log at all."""
    if _redaction is None:
        return
    from tradehook import registry
    from tradehook.exchanges.true_markets.keys import read_secret

    material = settings.key or ""
    # A key that cannot be read is told of when the account is opened.
    with suppress(TradehookError, UnicodeDecodeError):
        material = material or read_secret(settings.key_file).decode()
    _redaction.hide(*(forms_of(material) if material else ()), settings.key_passphrase or "")
    with suppress(TradehookError):
        options = [option.name for option in registry.spec(settings.exchange).options if option.is_secret]
        secrets = [settings.options[name] for name in options if settings.options.get(name)]
        _redaction.hide(*(form for secret in secrets for form in forms_of(secret)))


def is_on() -> bool:
    """Whether everything is shown."""
    return _redaction is not None or bool(os.environ.get("TRADEHOOK_DEBUG"))


def show_fault(error: Exception) -> None:
    """Print where a fault of ours happened, without secrets."""
    told = "".join(traceback.format_exception(error))
    sys.stderr.write((_redaction or Redaction()).clean(told))
