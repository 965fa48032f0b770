"""Says in a few lines what a person should know of an account."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import as_moment, as_text
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook

if TYPE_CHECKING:
    from airflow.sdk import Context


class TroubleReportOperator(BaseOperator):
    """Returns (XCom) what of the account's orders and transfers needs a person, each with what to type.

    A plain dict: `unknown` (got no answer), `stuck` (open for too long), `problem` (why the exchange could not be
    looked at; then `unknown` and `stuck` are what the journal knows), and `text`, all of it as one message, empty when
    there is nothing to tell. `text` is an XCom of its own as well: `TelegramMessageOperator(text=look.output["text"])`;
    and so is `key`, the same for as long as the trouble is the same.

    Looks at every open order and doubt once, as whoever waits for them does: what has rested for as long as it may
    (`good_for`) is canceled by that. Sends nothing else.
    """

    template_fields = ("older_than", "exchange_conn_id")
    ui_color = "#f6e7d5"

    def __init__(
        self,
        *,
        older_than: str = "24h",
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            older_than: an order or transfer that is open for longer than this is told of: `90m`, `24h`, `7d`.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.older_than = older_than
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Look, and write down what was found."""
        from tradehook.amounts import parse_duration
        from tradehook_provider.reporting import find_trouble, trouble_lines

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            age = parse_duration(as_text(self.older_than, what="older_than"))
            found = find_trouble(hook.desk, before=datetime.now(UTC) - age)
            lines = trouble_lines(found, account=self.exchange_conn_id, now=datetime.now(UTC))
        for line in lines or ["Nothing needs a person."]:
            self.log.info("%s", line)
        told = "\n".join(lines)
        for name, value in (("text", told), ("key", found.key)):
            context["ti"].xcom_push(key=name, value=value)
        return {**found.to_dict(), "text": told, "key": found.key}


class AccountReportOperator(BaseOperator):
    """Returns (XCom) what an account holds, what that is worth, and what was done there lately.

    A plain dict, money as text: `account`, `environment`, `at`, `since`, `total` (dollars; a dollar coin is one),
    `assets` (each `symbol`, `chain`, `quantity`, `price`, `value`, `percent`; `None` where no price is certain),
    `orders` (how many by status), `transfers` (the same; `None` where the exchange has none), `in_doubt`, and `text`,
    all of it as one message. `text` is an XCom of its own as well. Reads only.
    """

    template_fields = ("since", "exchange_conn_id")
    ui_color = "#e8f4ec"

    def __init__(self, *, since: str = "24h", exchange_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        """Make one.

        Args:
            since: what was ordered and sent since then is told: `24h`, `7d`, `2026-11-01`, `{{ data_interval_start }}`.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.since = since
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Read balances, prices, orders and transfers."""
        from tradehook_provider.account_report import read_report

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            since = as_moment(self.since, what="since")
            report = read_report(hook.get_conn(), account=self.exchange_conn_id, since=since)
        told = "\n".join(report.lines())
        for line in report.lines():
            self.log.info("%s", line)
        context["ti"].xcom_push(key="text", value=told)
        return {**report.to_dict(), "text": told}


class CompletionReportOperator(BaseOperator):
    """Returns (XCom) what the events tell that started this run: each order or transfer that ended, once.

    A plain dict: `completions`, as the triggers of `triggers.events` tell them, each with `says`, a line; and `text`,
    all of it as one message, empty where no event tells of anything. `text` is an XCom of its own as well. Reads the
    journal only.
    """

    template_fields = ("exchange_conn_id",)
    ui_color = "#e8f4ec"

    def __init__(self, *, only_traded: bool = False, exchange_conn_id: str = DEFAULT_CONN_ID, **kwargs: Any) -> None:
        """Make one.

        Args:
            only_traded: leave out orders of which it is known that nothing was filled.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.only_traded = only_traded
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Read what each of them is, as the journal saw it last."""
        from tradehook_provider.completions import new_completions
        from tradehook_provider.reporting import completion_line

        told = []
        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            for completion in new_completions(context.get("triggering_asset_events")):
                intent = hook.desk.journal.find_exactly(str(completion.get("intent_id")))
                order = intent.last_order if intent else None
                if self.only_traded and order is not None and order.filled == 0:
                    continue
                told.append({**completion, "says": completion_line(completion, intent)})
        for completion in told:
            self.log.info("%s", completion["says"])
        text = "\n".join(completion["says"] for completion in told)
        context["ti"].xcom_push(key="text", value=text)
        return {"completions": told, "text": text}
