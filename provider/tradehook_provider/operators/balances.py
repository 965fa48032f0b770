"""Reads what an account holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook.errors import InvalidInput
from tradehook_provider.arguments import as_name, as_targets
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow.sdk import Context

    from tradehook.desk.targets import TargetSet
    from tradehook.rebalance import Goal


class BalancesOperator(BaseOperator):
    """Returns (XCom) everything the account holds, and against targets how much of it each asset is.

    A plain dict, quantities as text: `account`, `environment`, `balances`, and with `targets` a `portfolio` with
    `quote`, `total` and for each asset `percent`, `target` and `drift` in percent points. Reads only.
    """

    template_fields = ("targets", "quote", "exchange_conn_id")
    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        targets: Mapping[str, Any] | str | None = None,
        quote: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            targets: symbol to percent, or a stored set's name, as for `RebalanceOperator`; without it nothing is
                valued.
            quote: what everything is valued in; the exchange's own dollar when it is left out.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.targets = targets
        self.quote = quote
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Read balances, and prices where they are wanted."""
        from tradehook.render import balance_line

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            client = hook.get_conn()
            balances = client.balances()
            for balance in balances:
                self.log.info("%s", balance_line(balance))
            read: dict[str, Any] = {
                "account": self.exchange_conn_id,
                "environment": client.exchange.environment,
                "balances": [balance.to_dict() for balance in balances],
            }
            if self.targets is not None:
                read["portfolio"] = portfolio(hook, goal(hook, self.targets, quote=self.quote))
                self.log.info("Worth %s %s in all.", read["portfolio"]["total"], read["portfolio"]["quote"])
            return read


def goal(hook: ExchangeHook, targets: object, *, quote: str | None, **more: Any) -> Goal:
    """The goal that rendered arguments stand for: a stored set by its name, or the targets themselves.

    Raises:
        InvalidInput: an argument cannot be meant, or says what the stored set says already.
    """
    from tradehook.rebalance import Goal

    given = {name: value for name, value in more.items() if value is not None}
    found = target_set(hook, targets)
    if found is None:
        default_quote = hook.get_conn().exchange.spec.capabilities.default_quote
        return Goal.of(as_targets(targets), quote=quote or default_quote, **given)
    if quote is not None or given:
        extra = "quote" if quote is not None else next(iter(given))
        raise InvalidInput(
            f"The targets {found.name} are stored with their own {extra}: leave out {extra}, or change the set with "
            f"`tradehook targets set {found.name}`."
        )
    return found.goal


def target_set(hook: ExchangeHook, targets: object) -> TargetSet | None:
    """The newest version of the stored set that rendered targets name; `None` when they are targets themselves.

    Raises:
        InvalidInput: nothing has that name.
    """
    name = as_name(targets)
    return None if name is None else hook.desk.journal.targets.get(name)


def portfolio(hook: ExchangeHook, wanted: Goal) -> dict[str, Any]:
    """How the account stands against a goal right now: `quote`, `total`, and `assets` by symbol."""
    from tradehook.desk.plans import make

    plan = make(hook.get_conn().exchange, wanted)
    stored = plan.to_dict()
    return {
        "quote": stored["quote"],
        "total": stored["total"],
        "assets": {held.pop("symbol"): held for held in stored["holdings"]},
    }
