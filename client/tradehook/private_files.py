"""Files that only their owner may read: opened without following links, and refused when others can look in.

Key files are such files, and the file of accounts, which says where money goes.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

_LARGEST_BYTES = 64_000


def read_private(path: Path, *, what: str, harm: str) -> bytes:
    """The content of a file, after checking who else can read or change it.

    Args:
        path: the file; `~` has been read.
        what: what it is called in sentences, like `key file`.
        harm: what to do when others may have read it, the end of a sentence.

    Raises:
        FileNotFoundError: there is none.
        ConfigurationError: it is not a plain file, belongs to somebody else, or others can read it.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ConfigurationError(
            f"The {what} {path} could not be opened: {error.strerror} (links are not followed)."
        ) from None
    try:
        _check_access(path, os.fstat(descriptor), what=what, harm=harm)
    except ConfigurationError:
        os.close(descriptor)
        raise
    with os.fdopen(descriptor, "rb") as file:
        return file.read(_LARGEST_BYTES)


def _check_access(path: Path, facts: os.stat_result, *, what: str, harm: str) -> None:
    if not stat.S_ISREG(facts.st_mode):
        raise ConfigurationError(f"{path} is not a plain file.")
    if facts.st_uid not in (os.getuid(), 0):
        raise ConfigurationError(f"The {what} {path} belongs to another user.")
    if facts.st_mode & 0o077:
        raise ConfigurationError(
            f"The {what} {path} can be read by others (mode {stat.S_IMODE(facts.st_mode):04o}). "
            f"Close it with `chmod 600 {path}`; {harm}."
        )
