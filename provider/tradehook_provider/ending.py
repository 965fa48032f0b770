"""A sensor that waits until one thing at the exchange, an order or a transfer, has ended."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from tradehook.errors import ConfigurationError, InvalidInput, JournalUnavailable
from tradehook_provider.failures import explained, reason
from tradehook_provider.hooks.exchange import ExchangeHook
from tradehook_provider.looking import LookingSensor
from tradehook_provider.waiting import judge, line_of, still_open

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from airflow.sdk import Context

    from tradehook.models import Order
    from tradehook.transfers import Transfer


class EndingSensor(LookingSensor):
    """Succeeds when it has ended as wanted, fails when it ended otherwise. Reads only.

    It is named by the exchange's id, or by its intent in this journal. A subclass says how it is looked at (`check`,
    `read`, `watch`), and which trigger waits for it (`trigger_until`, with `made_id`).
    """

    kind: ClassVar[str]
    """What it is, as in its intent, and in the name of its id."""
    final_words: ClassVar[Sequence[str]]

    def __init__(
        self, *, made_id: str | None, intent_id: str | None, accept_statuses: Sequence[str], **kwargs: Any
    ) -> None:
        """Make one. Give either `made_id` or `intent_id`.

        Args:
            made_id: the exchange's id.
            intent_id: the intent in this journal; also waits, in the worker, for it to come into being.
            accept_statuses: which ends are fine.
            **kwargs: see `LookingSensor`.
        """
        super().__init__(**kwargs)
        setattr(self, f"{self.kind}_id", made_id)
        self.intent_id = intent_id
        self.accept_statuses = tuple(accept_statuses)
        if (made_id is None) == (intent_id is None):
            raise ValueError(
                f"{type(self).__name__} waits for one {self.kind}: give either {self.kind}_id or intent_id."
            )
        if wrong := sorted(set(self.accept_statuses) - set(self.final_words)):
            raise ValueError(f"accept_statuses can be {', '.join(self.final_words)}, not {wrong[0]!r}.")
        self._seen: Order | Transfer | None = None

    # --- what a subclass says -----------------------------------------------------------------------------------------

    def check(self, hook: ExchangeHook) -> Collection[str]:  # noqa: ARG002 - a subclass asks it
        """Which ends are fine at this exchange. Raises `InvalidInput` for what nobody could ever see."""
        return self.accept_statuses

    @abstractmethod
    def read(self, hook: ExchangeHook, made_id: str) -> Order | Transfer:
        """One that the journal does not know, read at the exchange."""

    @abstractmethod
    def watch(self, hook: ExchangeHook, intent_id: str) -> Order | Transfer:
        """One that the journal knows, in a look that is shared with all who wait."""

    # --- looking ------------------------------------------------------------------------------------------------------

    @property
    def named_id(self) -> str | None:
        """The exchange's id that was given; a template may have rendered it."""
        given: str | None = getattr(self, f"{self.kind}_id")
        return given

    @property
    def made_id(self) -> str:
        """The exchange's id of what was seen, for the trigger."""
        return self._seen.exchange_id if self._seen is not None else "-"

    def look(self, hook: ExchangeHook) -> dict[str, Any] | None:
        """See `LookingSensor`. What ended otherwise is not waited for any longer."""
        accept = self.check(hook)
        self._seen = made = self._made(hook)
        if made is None or not made.is_final:
            return None
        self.log.info("%s", line_of(made))
        judge(made, accept=accept)
        return made.model_copy(update={"payloads": ()}).to_dict()

    def can_defer(self) -> bool:
        """See `LookingSensor`. A trigger waits for something that is there."""
        return self._seen is not None

    def execute_complete(
        self, context: Context, event: Any = None, until: float | None = None
    ) -> dict[str, Any] | None:
        """Look again after the trigger fired; the event alone is no result."""
        word = event.get("status") if isinstance(event, dict) else None
        if word in self.final_words:
            return super().execute_complete(context, {**event, "status": "reached"}, until)
        if word in ("timeout", "error"):  # it may have ended since
            with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
                found = self.look(hook)
            if found is not None:
                return found
        return super().execute_complete(context, event, until)

    def conclude(self, event: dict[str, Any], hook: ExchangeHook) -> dict[str, Any] | None:  # noqa: ARG002
        """See `LookingSensor`."""
        return self.look(hook)

    def subject(self) -> dict[str, str]:
        """See `LookingSensor`."""
        given = self.named_id
        return {f"{self.kind}_id": given} if given is not None else {"intent_id": self.intent_id or ""}

    def too_late(self) -> str:
        """See `LookingSensor`."""
        if self._seen is not None:
            return still_open(self._seen, seconds=self.timeout)
        return f"There is no {self.kind} of intent {self.intent_id} after {self.timeout:g} s."

    def _made(self, hook: ExchangeHook) -> Order | Transfer | None:
        """How it stands now; `None` while the intent has none yet.

        Raises:
            InvalidInput: the intent is for something else.
            OutcomeUnknown: nobody knows whether the intent has one.
            TradehookError: the intent was refused, or the look failed.
        """
        if self.intent_id is None:
            return self._by_id(hook, self.named_id or "")
        from tradehook.desk.intents import State, error_from_dict

        intent = hook.desk.journal.get(self.intent_id)
        if intent.kind != self.kind:
            raise InvalidInput(
                f"Intent {self.intent_id} is no {self.kind} but {intent.noun}: wait for it with its sensor."
            )
        match intent.reads_as:
            case State.REJECTED:
                raise error_from_dict(intent.error or {})
            case State.ACCEPTED | State.UNKNOWN:
                return self.watch(hook, self.intent_id)
            case _:
                return None

    def _by_id(self, hook: ExchangeHook, made_id: str) -> Order | Transfer:
        """One that came from anywhere: one that the journal knows shares the looks of all who wait."""
        try:
            intent = hook.desk.journal.by_order(hook.get_conn().exchange.host, made_id)
        except (ConfigurationError, JournalUnavailable) as error:
            self.log.info("Looking without the journal: %s", reason(error))
            intent = None
        return self.read(hook, made_id) if intent is None else self.watch(hook, intent.intent_id)
