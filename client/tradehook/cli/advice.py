"""What to do about an error that only the command line can know of: it has the settings, and a shell around it."""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING

from tradehook import errors

if TYPE_CHECKING:
    from tradehook.errors import TradehookError
    from tradehook.settings import Settings

_BARE_DOLLARS = re.compile(r"(?<![\w'])\$\d(?:[\d.,]*\d)?(?![\w'])", re.ASCII)


def advise(error: TradehookError, settings: Settings) -> None:
    """Put `advice` into an error's details, where there is some for these settings."""
    if settings.environment != "sandbox":
        return
    if isinstance(error, errors.NotSent):
        error.details["advice"] = (
            "If the sandbox is not running, start it: tradehook-sandbox serve. If it is elsewhere, name it with --url."
        )
    elif error.details.get("code") == errors.UNKNOWN_KEY:
        file = shlex.quote(str(settings.key_file))
        error.details["advice"] = (
            f"A sandbox registers the key it was started with: tradehook-sandbox serve --key-file {file}"
        )


def for_shell(text: str) -> str:
    """A sentence that can be copied into a shell: it would take a bare `$250` away."""
    return _BARE_DOLLARS.sub(r"'\g<0>'", text)
