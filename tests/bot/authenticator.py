"""Somebody's authenticator app, set up without a picture."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pyotp
import pytest

from tradehook_sandbox.telegram.driver import Person


class Authenticator:
    """Somebody's authenticator app."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._given = 0

    def code(self) -> str:
        """One that was not given before: of now, then of the step after it, which is still taken. Two to a test."""
        self._given += 1
        assert self._given <= 2, "a third would have to wait for half a minute"
        return pyotp.TOTP(self._secret).at(datetime.now(UTC) + timedelta(seconds=30 * (self._given - 1)))

    def wrong(self) -> str:
        """One that is right at no time near now."""
        moments = [datetime.now(UTC) + timedelta(seconds=30 * off) for off in range(-5, 6)]
        near = {pyotp.TOTP(self._secret).at(at) for at in moments}
        return next(word for word in (f"{number:06d}" for number in range(20)) if word not in near)


@pytest.fixture
def app_of(request: pytest.FixtureRequest) -> Callable[..., Authenticator]:
    """An app that this person has set up five minutes ago, with this bot or the test's only one."""

    def set_up(person: Person, bot: Any = None) -> Authenticator:
        house = (bot or request.getfixturevalue("bot")).house
        then = datetime.now(UTC) - timedelta(minutes=5)
        secret = house.totp.enrol(person.chat, label="test", at=then).secret
        house.totp.check(person.chat, pyotp.TOTP(secret).at(then), at=then)
        assert house.totp.standing(person.chat).is_proved
        return Authenticator(secret)

    return set_up
