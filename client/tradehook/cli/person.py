"""Who types, for the journal's record. A freeze must work wherever it is typed, whatever is typed with it."""

from __future__ import annotations

import getpass
import os


def who() -> str:
    """The person of the terminal; in a container without names, the number."""
    try:
        name = getpass.getuser()
    except (KeyError, OSError, ImportError):
        name = f"uid {os.getuid()}"
    return f"cli:{storable(name)}"


def storable(text: str) -> str:
    """The text, with a mark for each byte of a command line that is no UTF-8."""
    return text.encode(errors="replace").decode()
