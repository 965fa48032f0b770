"""Waits for one transfer in the triggerer. Sends nothing but reads, and carries nothing but ids and words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from tradehook_provider.triggers.watching import how_it_ends

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class TransferTrigger(BaseTrigger):
    """Fires when the transfer has ended, when `until` has come, or when looking has failed too often in a row.

    The event is `{"transfer_id", "intent_id", "status"}`; the status is `completed` or `failed`, or `timeout` or
    `error` when it has not ended as far as is known. It is a hint: whoever resumes looks again. Events are logged and
    stored in the clear, so nothing else is in them. Killing the task does nothing to the transfer: it cannot be called
    back.
    """

    def __init__(
        self,
        *,
        exchange_conn_id: str,
        transfer_id: str,
        until: float,
        intent_id: str | None = None,
        poll_seconds: float = 5.0,
    ) -> None:
        """Make one.

        Args:
            exchange_conn_id: the account.
            transfer_id: the transfer.
            until: seconds since 1970 at which it stops looking; survives a restart of the triggerer.
            intent_id: the transfer's intent, for the event.
            poll_seconds: how long to wait between two looks.
        """
        super().__init__()  # type: ignore[no-untyped-call]
        self.exchange_conn_id = exchange_conn_id
        self.transfer_id = transfer_id
        self.until = until
        self.intent_id = intent_id
        self.poll_seconds = poll_seconds

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, primitives only."""
        return (
            "tradehook_provider.triggers.transfers.TransferTrigger",
            {
                "exchange_conn_id": self.exchange_conn_id,
                "transfer_id": self.transfer_id,
                "until": self.until,
                "intent_id": self.intent_id,
                "poll_seconds": self.poll_seconds,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Look until there is something to say, and say it once."""
        status = await how_it_ends(
            lambda watch: watch.look_at_transfer(self.transfer_id, fresh_seconds=self.poll_seconds),
            exchange_conn_id=self.exchange_conn_id,
            what=f"transfer {self.transfer_id}",
            until=self.until,
            poll_seconds=self.poll_seconds,
            log=self.log,
        )
        said = {"transfer_id": self.transfer_id, "intent_id": self.intent_id, "status": status}
        yield TriggerEvent(said)  # type: ignore[no-untyped-call]
