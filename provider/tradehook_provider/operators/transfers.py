"""Sends one transfer, once for each task run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook_provider.arguments import new_transfer
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID
from tradehook_provider.links import ExplorerLink, TradingPageLink
from tradehook_provider.sending import SendingOperator
from tradehook_provider.waiting import TRANSFER_EVENT_WORDS

if TYPE_CHECKING:
    from collections.abc import Collection

    from tradehook.transfers import NewTransfer, Transfer
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.transfers import TransferTrigger


class TransferOperator(SendingOperator):
    """Has sent its transfer exactly once when it succeeds, and has seen it completed (unless told not to wait).

    However often the task is tried, killed or cleared, the same DAG run and task never send a second transfer: the
    stored result is returned and the log says "Not sent again". To send again, start a new DAG run.

    Returns (XCom) a plain dict, money as text: `intent_id`, `transfer_id`, `status`, `quantity`, `fee`, `received`,
    `tx_hash`, ..., and `sent`, what was sent. `transfer_id` and `intent_id` are XComs of their own as well, there as
    soon as it is sent: `TransferSensor(transfer_id=send.output["transfer_id"])`.
    """

    template_fields = ("asset", "amount", "destination", "chain", "exchange_conn_id")
    operator_extra_links = (ExplorerLink(), TradingPageLink())
    ui_color = "#efe2fa"
    leg = noun = "transfer"
    id_name = "transfer_id"
    event_words = TRANSFER_EVENT_WORDS

    def __init__(
        self,
        *,
        asset: str,
        amount: str,
        destination: str,
        chain: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        wait: bool | str = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        inline_wait_seconds: float = 10.0,
        poll_seconds: float = 1.0,
        deferred_poll_seconds: float = 5.0,
        timeout_seconds: float = 7200.0,
        allow_backfill: bool = False,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            asset: what to send: `USDC`.
            amount: how much of it: `5`, `50%` or `max` (of what is available), as text.
            destination: the label of an address on the list (`tradehook destinations`), never an address.
            chain: sends it from the wallet on this chain; without it, it leaves from the exchange.
            exchange_conn_id: the account.
            wait: whether to wait until it is completed; a transfer that failed then fails the task. In words: `none`,
                `inline` (in the worker) or `deferred` (in the triggerer).
            deferrable: wait in the triggerer instead of in a worker, and look there for what became of a transfer that
                got no answer.
            inline_wait_seconds: how long to wait in the worker before deferring.
            poll_seconds: between two looks, in the worker.
            deferred_poll_seconds: the same in the triggerer, where one look serves all who wait for this account.
            timeout_seconds: how long to wait in all; then the task fails and the transfer goes on. A payout from the
                exchange was seen to take over an hour.
            allow_backfill: let a backfill run send its transfer now.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(
            exchange_conn_id=exchange_conn_id,
            wait=wait,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poll_seconds=poll_seconds,
            deferred_poll_seconds=deferred_poll_seconds,
            timeout_seconds=timeout_seconds,
            allow_backfill=allow_backfill,
            **kwargs,
        )
        self.asset = asset
        self.amount = amount
        self.destination = destination
        self.chain = chain

    def check(self, hook: ExchangeHook) -> None:
        """See `SendingOperator`."""
        exchange = hook.get_conn().exchange
        exchange.spec.capabilities.check("transfers", exchange=exchange.spec.name)

    def accepts(self, hook: ExchangeHook) -> Collection[str]:  # noqa: ARG002
        """See `SendingOperator`."""
        return ("completed",)

    def wanted(self) -> NewTransfer:
        """See `SendingOperator`."""
        return new_transfer(asset=self.asset, amount=self.amount, destination=self.destination, chain=self.chain)

    def send(self, hook: ExchangeHook, wanted: NewTransfer, *, intent_id: str, source: str) -> tuple[Transfer, bool]:
        """See `SendingOperator`."""
        from tradehook.render import transfer_words, typed_and_sent

        outcome = hook.desk.create_transfer(wanted, intent_id=intent_id, source=source)
        if not outcome.is_stored:
            words, sizes = transfer_words(outcome.sized), typed_and_sent(outcome.sized)
            self.log.info("%s (%s): transfer %s", words, sizes, outcome.transfer.transfer_id)
        return outcome.transfer, outcome.is_stored

    def watch(self, hook: ExchangeHook, intent_id: str) -> Transfer:
        """See `SendingOperator`."""
        return hook.desk.watch_transfer(intent_id)

    def trigger_for(self, intent_id: str, *, exchange_id: str, until: float) -> TransferTrigger:
        """See `SendingOperator`."""
        from tradehook_provider.triggers.transfers import TransferTrigger

        return TransferTrigger(
            exchange_conn_id=self.exchange_conn_id,
            transfer_id=exchange_id,
            intent_id=intent_id,
            until=until,
            poll_seconds=self.deferred_poll_seconds,
        )
