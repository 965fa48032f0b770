"""Waits until a transfer has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import conf

from tradehook.errors import ConfigurationError, JournalUnavailable
from tradehook_provider.failures import reason
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID
from tradehook_provider.looking import LookingSensor
from tradehook_provider.waiting import TRANSFER_FINAL_WORDS, judge, line_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk import Context

    from tradehook.transfers import Transfer
    from tradehook_provider.hooks.exchange import ExchangeHook
    from tradehook_provider.triggers.transfers import TransferTrigger


class TransferSensor(LookingSensor):
    """Succeeds when the transfer has ended as wanted (completed), fails when it ended otherwise.

    Returns (XCom) the transfer as a plain dict, money as text. Reads only, so it may be tried as often as one likes.
    """

    template_fields = ("transfer_id", "intent_id", "exchange_conn_id")

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
            exchange_conn_id=exchange_conn_id,
            deferrable=deferrable,
            inline_wait_seconds=inline_wait_seconds,
            poke_interval=poke_interval,
            **kwargs,
        )
        self.transfer_id = transfer_id
        self.intent_id = intent_id
        self.accept_statuses = tuple(accept_statuses)
        if (transfer_id is None) == (intent_id is None):
            raise ValueError("TransferSensor waits for one transfer: give either transfer_id or intent_id.")
        if wrong := sorted(set(self.accept_statuses) - set(TRANSFER_FINAL_WORDS)):
            raise ValueError(f"accept_statuses can be {', '.join(TRANSFER_FINAL_WORDS)}, not {wrong[0]!r}.")
        self._seen_id: str | None = None

    def look(self, hook: ExchangeHook) -> dict[str, Any] | None:
        """See `LookingSensor`. A transfer that ended otherwise is not waited for any longer."""
        transfer = self._transfer(hook)
        self._seen_id = transfer.transfer_id if transfer is not None else None
        if transfer is None or not transfer.is_final:
            return None
        self.log.info("%s", line_of(transfer))
        judge(transfer, accept=self.accept_statuses)
        return transfer.model_copy(update={"payloads": ()}).to_dict()

    def can_defer(self) -> bool:
        """See `LookingSensor`. A trigger waits for a transfer, so there has to be one."""
        return self._seen_id is not None

    def trigger_until(self, until: float) -> TransferTrigger:
        """See `LookingSensor`."""
        from tradehook_provider.triggers.transfers import TransferTrigger

        return TransferTrigger(
            exchange_conn_id=self.exchange_conn_id,
            transfer_id=self._seen_id or "-",
            intent_id=self.intent_id,
            until=until,
            poll_seconds=max(self.poke_interval, 1.0),
        )

    def execute_complete(self, context: Context, event: Any = None, until: float | None = None) -> dict[str, Any]:
        """Look again after the trigger fired; the event alone is no result."""
        if isinstance(event, dict) and event.get("status") in TRANSFER_FINAL_WORDS:
            event = {**event, "status": "reached"}
        return super().execute_complete(context, event, until)

    def conclude(self, event: dict[str, Any], hook: ExchangeHook) -> dict[str, Any] | None:  # noqa: ARG002
        """See `LookingSensor`."""
        return self.look(hook)

    def subject(self) -> dict[str, str]:
        """See `LookingSensor`."""
        return (
            {"transfer_id": self.transfer_id} if self.transfer_id is not None else {"intent_id": self.intent_id or ""}
        )

    def _too_late(self) -> str:
        return (
            f"{' '.join(self.subject().values())}: the transfer has not ended within {self.timeout:g} s. It goes on "
            "without this task: look with `tradehook transfers`, or clear this task to wait again."
        )

    def _transfer(self, hook: ExchangeHook) -> Transfer | None:
        """The transfer now; `None` while the intent has none yet.

        Raises:
            InvalidInput: this exchange has no transfers, or the intent is for something else.
            OutcomeUnknown: nobody knows whether the intent has a transfer.
            TradehookError: the intent was refused, or the look failed.
        """
        exchange = hook.get_conn().exchange
        exchange.spec.capabilities.check("transfers", exchange=exchange.spec.name)
        if self.intent_id is None:
            return self._by_id(hook, self.transfer_id or "")
        from tradehook.desk.intents import State, error_from_dict
        from tradehook.errors import InvalidInput

        intent = hook.desk.journal.get(self.intent_id)
        if intent.kind != "transfer":
            raise InvalidInput(
                f"Intent {self.intent_id} is no transfer but {intent.noun}: wait for it with its sensor."
            )
        match intent.reads_as:
            case State.REJECTED:
                raise error_from_dict(intent.error or {})
            case State.ACCEPTED | State.UNKNOWN:
                return hook.desk.watch_transfer(self.intent_id)
            case _:
                return None

    def _by_id(self, hook: ExchangeHook, transfer_id: str) -> Transfer:
        """A transfer that came from anywhere: one that the journal knows shares the looks of all who wait."""
        try:
            intent = hook.desk.journal.by_order(hook.get_conn().exchange.host, transfer_id)
        except (ConfigurationError, JournalUnavailable) as error:
            self.log.info("Looking without the journal: %s", reason(error))
            intent = None
        if intent is None:
            return hook.get_conn().get_transfer(transfer_id)
        return hook.desk.watch_transfer(intent.intent_id)
