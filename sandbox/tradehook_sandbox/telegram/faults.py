"""Faults to order: what Telegram does to a bot on a bad day, as often as was asked for.

They are staged on the person's side, `POST /_sandbox/telegram/faults`, so that a test of a bot needs no mocks.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.shapes import ApiError

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.shapes import Json

EVERY_METHOD = "*"
POLLING = "getupdates"


class FaultKind(StrEnum):
    """What goes wrong."""

    RATE_LIMITED = "rate_limited"  # 429 with retry_after; nothing was done
    ERROR_BEFORE = "error_before"  # answers `status`; nothing was done
    ERROR_AFTER = "error_after"  # done, and answers `status` all the same
    TIMEOUT_AFTER = "timeout_after"  # done, and no answer comes for `seconds`
    ACK_LOST = "ack_lost"  # getUpdates only: what it acknowledges stays, and so comes twice
    SLOW = "slow"  # done and answered, `seconds` late


@dataclass(slots=True)
class Fault:
    """One kind of fault, waiting for calls to spoil.

    `method` is lower case, or `*` for every method except getUpdates, whose polls would use it up at once.
    """

    method: str
    kind: FaultKind
    times: int
    status: int
    description: str
    retry_after: int
    seconds: float
    bot_id: int | None
    chat_id: int | None = None

    def strikes(self, bot_id: int, method: str, chat_id: int | None) -> bool:
        """Whether this call is spoiled."""
        mine = self.bot_id in (None, bot_id) and self.chat_id in (None, chat_id)
        return (
            mine
            and self.kind is not FaultKind.ACK_LOST
            and (self.method == method or (self.method == EVERY_METHOD and method != POLLING))
        )

    def error(self) -> ApiError:
        """The refusal the bot reads."""
        if self.kind is FaultKind.RATE_LIMITED:
            words = f"Too Many Requests: retry after {self.retry_after}"
            return ApiError(429, words, retry_after=self.retry_after)
        return ApiError(self.status, self.description)

    def as_json(self) -> Json:
        """The fault as the person's side lists it."""
        return {
            "method": self.method,
            "kind": self.kind.value,
            "times": self.times,
            "status": self.status,
            "description": self.description,
            "retry_after": self.retry_after,
            "seconds": self.seconds,
            "bot": self.bot_id,
            "chat": self.chat_id,
        }


class FaultTable:
    """The faults still to come, in the order they were asked for."""

    def __init__(self) -> None:
        """Nothing goes wrong."""
        self.waiting: list[Fault] = []

    def take(self, bot_id: int, method: str, chat_id: int | None = None) -> Fault | None:
        """The fault for this call, counted down; None when it goes well."""
        return self._counted(next((one for one in self.waiting if one.strikes(bot_id, method, chat_id)), None))

    def loses_acknowledgement(self, bot_id: int) -> bool:
        """Whether a poll's offset is not heard this time; counted down."""
        for fault in self.waiting:
            if fault.kind is FaultKind.ACK_LOST and fault.bot_id in (None, bot_id):
                return self._counted(fault) is not None
        return False

    def _counted(self, fault: Fault | None) -> Fault | None:
        if fault is not None:
            fault.times -= 1
            if fault.times <= 0:
                self.waiting.remove(fault)
        return fault
