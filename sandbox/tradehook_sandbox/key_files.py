"""The key file of the sandbox's default account: made when there is none, read when there is one.

See: truemarkets-api 2.1 for its form.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

    from tradehook_sandbox.sandbox import Sandbox


class KeyFileError(Exception):
    """The key file can neither be used nor made; the message says why and never quotes the file."""


def provide(path: Path, sandbox: Sandbox) -> bool:
    """The key in the file is registered; a file that was not there has been made. Returns whether it was made.

    An existing file is never changed, and its private half, if it has one, is not kept.

    Raises:
        KeyFileError: it cannot be used.
    """
    path = path.expanduser()
    made = not path.exists() and _write(path, sandbox.key_file())
    if not made:
        try:
            sandbox.register(_read(path))
        except ValueError as error:
            raise KeyFileError(f"{path} is not a True Markets key file: {error}.") from None
    return made


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise KeyFileError(f"The key file {path} could not be read: {error.strerror}.") from None
    except (ValueError, RecursionError):
        raise ValueError("it is not JSON") from None
    if not isinstance(content, dict):
        raise ValueError("it is not a JSON object")  # noqa: TRY004 - the caller is told what the file is, not a type
    return content


def _write(path: Path, bundle: dict[str, Any]) -> bool:
    """Write the file, whole and readable by its owner only; False when another process was faster."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(bundle, file, indent=2)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            # A link appears at once and never replaces: nobody sees half a key, and no key is overwritten.
            os.link(draft, path)
        finally:
            draft.unlink(missing_ok=True)
    except FileExistsError:
        return False
    except OSError as error:
        raise KeyFileError(f"The key file {path} could not be written: {error.strerror}.") from None
    return True
