"""A world of FinTrusted for the state machine: the same, at an exchange that tells nothing of its orders."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any, ClassVar
from unittest.mock import patch

from tests.client.desk.storms.staged import URL, Staged

from tradehook.desk.journal import Journal
from tradehook.exchanges.fintrusted import FinTrusted
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.testing import MemoryLine
from tradehook.wire import Request, Response
from tradehook_sandbox import Sandbox
from tradehook_sandbox.clock import Clock

LOGIN = {"email": "demo@example.com", "password": "demo"}
TOKEN_SECONDS = 3_000
ADD = "/tx/spot/add"
_TELL_THE_TIME = ("journal", "sightings", "reserve", "events")


class StagedTime(datetime):
    """The sandbox's time, for the journal too: what is concluded from a wallet depends on what was before what."""

    clock: ClassVar[Clock]

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:  # type: ignore[override]
        return datetime.fromtimestamp(cls.clock.now(), tz or UTC)


@contextmanager
def one_time(clock: Clock) -> Iterator[None]:
    """Whatever the journal dates is dated by this clock."""
    StagedTime.clock = clock
    with ExitStack() as stack:
        for name in _TELL_THE_TIME:
            stack.enter_context(patch(f"tradehook.desk.{name}.datetime", StagedTime))
        yield


class BlindStaged(Staged):
    """The demo account of FinTrusted, one journal, one process at a time."""

    def make_sandbox(self) -> Sandbox:
        return Sandbox(rate_limit=0, fintrusted_rate_limit=0, fintrusted_token_seconds=TOKEN_SECONDS)

    def far_side(self) -> Any:
        return self.sandbox.fintrusted

    def exchange(self, line: MemoryLine) -> FinTrusted:
        return FinTrusted(line, dialect=Dialect.parse(LOGIN, is_sandbox=True), base_url=URL)

    def note(self, request: Request, response: Response) -> None:
        if request.path != ADD or response.status >= 300:
            return
        made = json.loads(response.body)
        if isinstance(made, dict) and isinstance(made.get("data"), str):
            self.posts += 1
            self.made_for[made["data"]] = self.sent_for.get(id(request), (request, None))[1]

    def there(self) -> dict[str, Any]:
        return {order.order_id: order for order in self.sandbox.fintrusted.spot.orders}


def make_blind_template(folder: Path) -> Path:
    """A journal with its tables, at rest."""
    path = folder / "template.db"
    Journal.open(f"sqlite:///{path}").close()
    assert not Path(f"{path}-wal").exists()
    return path
