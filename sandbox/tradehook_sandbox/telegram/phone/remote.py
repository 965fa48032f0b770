"""The person's side of a running sandbox, over HTTP, for blocking code: the chat client and the driver.

It uses the standard library's client: the sandbox is on this machine, a proxy in the environment must not get between,
and one folder of the house imports httpx, which this is not.
"""

from __future__ import annotations

import http.client
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode, urlsplit

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json

PREFIX = "/_sandbox/telegram"
DEEP_LINK = re.compile(r"(?:https?://)?t(?:elegram)?\.me/(?P<bot>\w+)\?start=(?P<code>[\w-]{1,64})", re.ASCII)
PATIENCE_SECONDS = 10.0


class SandboxUnreachable(ConnectionError):
    """Nothing answers at the address, or what answered went away."""


class SandboxRefused(Exception):
    """The sandbox answered with a reason why not.

    Args:
        status: the HTTP status.
        message: the reason, for a person.
    """

    def __init__(self, status: int, message: str) -> None:
        """The message is the exception's text."""
        super().__init__(message)
        self.status = status
        self.message = message


class Remote:
    """The person's side at one address. Each call has its own connection, so threads may share a Remote.

    Args:
        url: the sandbox, `http://127.0.0.1:8710`.
    """

    def __init__(self, url: str) -> None:
        """Nothing is connected yet.

        Raises:
            ValueError: that is no http address.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            message = f"{url!r} is no address of a sandbox; it looks like http://127.0.0.1:8710"
            raise ValueError(message)
        self.url = f"{parts.scheme}://{parts.netloc}{parts.path}".rstrip("/")
        self._secure = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._path = parts.path.rstrip("/") + PREFIX

    def get(self, path: str, *, waits_seconds: float = 0.0, **query: object) -> Json:
        """The answer to a question; `waits_seconds` is how long the sandbox itself may take."""
        asked = {name: value for name, value in query.items() if value is not None}
        if waits_seconds:
            asked["timeout"] = f"{waits_seconds:.3f}"
        target = f"{path}?{urlencode(asked)}" if asked else path
        return _decoded(*self._send("GET", target, timeout=PATIENCE_SECONDS + waits_seconds))

    def post(self, path: str, **body: object) -> Json:
        """The thing is done, and this is the answer. What is None is left out."""
        said = {name: value for name, value in body.items() if value is not None}
        return _decoded(*self._send("POST", path, body=json.dumps(said).encode()))

    def photo(self, file_id: str) -> bytes:
        """The bytes of a photo."""
        status, content = self._send("GET", f"/photos/{quote(file_id)}")
        if status != http.client.OK:
            _decoded(status, content)
        return content

    def document(self, file_id: str) -> bytes:
        """The bytes of a document."""
        status, content = self._send("GET", f"/documents/{quote(file_id)}")
        if status != http.client.OK:
            _decoded(status, content)
        return content

    def _send(
        self, method: str, target: str, *, body: bytes | None = None, timeout: float = PATIENCE_SECONDS
    ) -> tuple[int, bytes]:
        kind = http.client.HTTPSConnection if self._secure else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=timeout)
        headers = {"Content-Type": "application/json"} if body is not None else {}
        try:
            connection.request(method, self._path + target, body=body, headers=headers)
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
            message = f"no sandbox answers at {self.url}: {reason}"
            raise SandboxUnreachable(message) from error
        finally:
            connection.close()


def _decoded(status: int, content: bytes) -> Json:
    try:
        answer: Any = json.loads(content)
    except ValueError:
        answer = None
    if status == http.client.OK and isinstance(answer, dict):
        return answer
    reason = answer.get("error") if isinstance(answer, dict) else None
    if reason is None:
        reason = f"HTTP {status}; is there a sandbox with Telegram at this address?"
    raise SandboxRefused(status, str(reason))


def start_command(text: str) -> str | None:
    """What opening a `t.me/<bot>?start=<code>` link says to the bot; None where the text is no such link."""
    match = DEEP_LINK.fullmatch(text.strip())
    return None if match is None else f"/start {match['code']}"
