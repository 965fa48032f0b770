"""A bot in processes of its own, which may be killed; whatever was started is gone at the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest


@pytest.fixture
def process(make_bot: Callable[..., Any]) -> Iterator[Any]:
    """A bot; its `start()` gives a process of it."""
    bot = make_bot()
    started = []

    def start() -> Any:
        started.append(bot.spawn())
        return started[-1]

    bot.start = start
    yield bot
    for each in started:
        if each.poll() is None:
            each.kill()
        each.wait(timeout=20)
