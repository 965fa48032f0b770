"""Waits for one transfer in the triggerer. Sends nothing but reads, and carries nothing but ids and words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_provider.ending_trigger import EndingTrigger

if TYPE_CHECKING:
    from tradehook.desk.deeds import Made
    from tradehook_provider.triggers.watching import OrderWatch


class TransferTrigger(EndingTrigger):
    """Fires when the transfer has ended, when `until` has come, or when looking has failed too often in a row.

    The event is `{"transfer_id", "intent_id", "status"}`; the status is `completed` or `failed`, or `timeout` or
    `error` when it has not ended as far as is known. It is a hint: whoever resumes looks again. Events are logged and
    stored in the clear, so nothing else is in them. Killing the task does nothing to the transfer: it cannot be called
    back.
    """

    noun = "transfer"
    id_name = "transfer_id"

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
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            made_id=transfer_id,
            until=until,
            intent_id=intent_id,
            poll_seconds=poll_seconds,
        )

    @property
    def transfer_id(self) -> str:
        """The transfer."""
        return self.made_id

    async def look(self, watch: OrderWatch) -> Made:
        """See `EndingTrigger`."""
        return await watch.look_at_transfer(self.made_id, fresh_seconds=self.poll_seconds)
