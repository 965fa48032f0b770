"""Waits until a transfer has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook_provider.ending import EndingSensor
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID
from tradehook_provider.waiting import TRANSFER_FINAL_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from tradehook.transfers import Transfer
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.transfers import TransferTrigger


class TransferSensor(EndingSensor):
    """Succeeds when the transfer has ended as wanted (completed), fails when it ended otherwise.

    Returns (XCom) the transfer as a plain dict, money as text. Reads only, so it may be tried as often as one likes.
    """

    template_fields = ("transfer_id", "intent_id", "exchange_conn_id")
    kind = "transfer"
    final_words = TRANSFER_FINAL_WORDS
    transfer_id: str | None

    def __init__(
        self,
        *,
        transfer_id: str | None = None,
        intent_id: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        accept_statuses: Sequence[str] = ("completed",),
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poke_interval: float = 10.0,
        **kwargs: Any,
    ) -> None:
        """Make one. Give either `transfer_id` or `intent_id`.

        Args:
            transfer_id: the exchange's id, often `send.output["transfer_id"]`.
            intent_id: the intent in this journal; also waits, in the worker, for the transfer to come into being.
            exchange_conn_id: the account.
            accept_statuses: which ends are fine: `completed`, `failed`.
            deferrable: wait in the triggerer instead of in a worker.
            inline_wait_seconds: how long to wait in the worker before deferring (see `PlaceOrderOperator`).
            poke_interval: seconds between two looks.
            **kwargs: for every sensor: `timeout`, `mode`, `soft_fail`; `retries` is 2 unless it is set.
        """
        super().__init__(
            made_id=transfer_id,
            intent_id=intent_id,
            exchange_conn_id=exchange_conn_id,
            accept_statuses=accept_statuses,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poke_interval=poke_interval,
            **kwargs,
        )
        self.transfer_id = transfer_id

    def check(self, hook: ExchangeHook) -> Collection[str]:
        """See `EndingSensor`."""
        exchange = hook.get_conn().exchange
        exchange.spec.capabilities.check("transfers", exchange=exchange.spec.name)
        return self.accept_statuses

    def read(self, hook: ExchangeHook, made_id: str) -> Transfer:
        """See `EndingSensor`."""
        return hook.get_conn().get_transfer(made_id)

    def watch(self, hook: ExchangeHook, intent_id: str) -> Transfer:
        """See `EndingSensor`."""
        return hook.desk.watch_transfer(intent_id)

    def trigger_until(self, until: float) -> TransferTrigger:
        """See `LookingSensor`."""
        from tradehook_provider.triggers.transfers import TransferTrigger

        return TransferTrigger(
            exchange_conn_id=self.exchange_conn_id,
            transfer_id=self.made_id,
            intent_id=self.intent_id,
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )
