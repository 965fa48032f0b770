"""Asks a person before money moves, with the plan or the order and its prices."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import ApprovalOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict

from tradehook_provider.arguments import as_names, as_text, new_order, new_transfer
from tradehook_provider.failures import explained
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook
from tradehook_provider.links import TradingPageLink

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.sdk import Context

    from tradehook_provider.approving import Proposal

PROPOSAL = "proposal"
APPROVER = "approver"
_RETRY_SECONDS = 10


class TradeApprovalOperator(ApprovalOperator):
    """Has a person's yes when it succeeds; on a no, or on silence, what comes after it is skipped.

    Shows what would be done at the prices of now: a rebalance (`targets`), an order (`market`) or a transfer (`asset`,
    with the whole address). It waits in Airflow's *Required Actions*, without a worker or triggerer, and is answered
    there or over Airflow's REST API. A rebalance that needs no order is not asked about.

    Returns (XCom) a plain dict, money as text: `approved`, `approver` (as the answer named itself), `responded_by` (the
    Airflow account that answered), `responded_at`, and `proposal`, what was approved. Of an order, `amount` and
    `worst_price` are XComs of their own: `PlaceOrderOperator(amount=ask.output["amount"],
    price=ask.output["worst_price"], good_for="5m", ...)` trades no worse than was approved. A `RebalanceOperator`
    takes the whole: `approved=ask.output`. Of a transfer, `amount` is an XCom of its own.
    """

    template_fields = (
        "subject",
        "targets",
        "band",
        "min_trade",
        "quote",
        "reserve",
        "market",
        "side",
        "amount",
        "price",
        "asset",
        "destination",
        "chain",
        "tolerance",
        "exchange_conn_id",
        "exchange_conn_ids",
    )
    operator_extra_links = (TradingPageLink(),)
    ui_color = "#fdf3d8"

    def __init__(
        self,
        *,
        targets: Mapping[str, Any] | str | None = None,
        band: str | int | None = None,
        min_trade: str | int | None = None,
        quote: str | None = None,
        reserve: str | int | None = None,
        market: str | None = None,
        side: str | None = None,
        amount: str | None = None,
        price: str | None = None,
        asset: str | None = None,
        destination: str | None = None,
        chain: str | None = None,
        tolerance: str | int = "1",
        subject: str = "",
        exchange_conn_id: str = DEFAULT_CONN_ID,
        exchange_conn_ids: Sequence[str] | str | None = None,
        response_timeout: timedelta = timedelta(hours=1),
        **kwargs: Any,
    ) -> None:
        """Make one. Give `targets`, or `market`, `side` and `amount`, or `asset`, `amount` and `destination`.

        Args:
            targets: of the rebalance; this and the next four as for `RebalanceOperator`.
            band: as there.
            min_trade: as there.
            quote: as there.
            reserve: as there.
            market: of the order; this and the next three as for `PlaceOrderOperator`.
            side: as there.
            amount: as there; `50%` and `max` are settled when the question is asked.
            price: as there.
            asset: of the transfer; this, `amount` and the next two as for `TransferOperator`.
            destination: as there.
            chain: as there.
            tolerance: percent that a market order's price may become worse after it was shown.
            subject: the question; made from what is asked when it is left out.
            exchange_conn_id: the account.
            exchange_conn_ids: several accounts, to rebalance them as one.
            response_timeout: silence for this long is a no.
            **kwargs: for every `ApprovalOperator`: `assigned_users`, `notifiers`, `fail_on_reject`, `params`. `retries`
                is 1 and `retry_delay` 10 seconds unless they are set: a try that Airflow lost asks anew.
        """
        given = kwargs.get("default_args") or {}
        for name, value in (("retries", 1), ("retry_delay", timedelta(seconds=_RETRY_SECONDS))):
            if name not in given:
                kwargs.setdefault(name, value)
        if kwargs.pop("defaults", [self.REJECT]) not in (self.REJECT, [self.REJECT]):
            raise ValueError("defaults can only be ['Reject']: silence must never trade.")
        if "body" in kwargs:
            raise ValueError("body is made from what is asked; it cannot be given.")
        if sum(given is not None for given in (targets, market, asset)) != 1:
            raise ValueError(
                "Give targets (of a rebalance), or market, side and amount (of an order), or asset, amount and "
                "destination (of a transfer): one of them."
            )
        params = _own(kwargs.pop("params", None))
        params.setdefault(APPROVER, Param("", type=["string", "null"], title="Approved by", maxLength=200))
        super().__init__(
            subject=subject,
            body=None,
            defaults=[self.REJECT],
            params=params,
            response_timeout=response_timeout,
            **kwargs,
        )
        self.form = {name: self.params.get_param(name) for name in params}
        self.targets = targets
        self.band = band
        self.min_trade = min_trade
        self.quote = quote
        self.reserve = reserve
        self.market = market
        self.side = side
        self.amount = amount
        self.price = price
        self.asset = asset
        self.destination = destination
        self.chain = chain
        self.tolerance = tolerance
        self.exchange_conn_id = exchange_conn_id
        self.exchange_conn_ids = exchange_conn_ids

    def execute(self, context: Context) -> Any:
        """Work out what would be done, show it, and wait."""
        self._keep_to_form()
        with explained(self.log):
            proposal = self._propose()
        context["ti"].xcom_push(key=PROPOSAL, value=proposal.data)
        if proposal.is_empty:
            self.log.info("There is nothing to trade, so nobody is asked.")
            return _result(proposal.data, approved=True)
        self.subject = self.subject or proposal.subject
        minutes = self.response_timeout.total_seconds() / 60 if self.response_timeout else 0
        self.body = f"{proposal.body}\n\nNo answer within {minutes:g} minutes is a no."
        for line in [self.subject, *proposal.body.splitlines()]:
            self.log.info("%s", line)
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Go on with a yes. A no skips what comes after, or with `fail_on_reject` fails without asking again."""
        from airflow.providers.standard.exceptions import HITLRejectException
        from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped

        self._keep_to_form()
        by = event.get("responded_by_user")
        told = str((event.get("params_input") or {}).get(APPROVER) or "")
        name = told or (by or {}).get("name") or ("nobody in time" if event.get("timedout") else "")
        ti = context["ti"]
        index = ti.map_index if ti.map_index is not None else -1
        proposal = ti.xcom_pull(task_ids=ti.task_id, key=PROPOSAL, map_indexes=index)
        approved = event.get("chosen_options") == [self.APPROVE]
        at = event["responded_at"].isoformat() if "responded_at" in event else None
        result = _result(proposal, approved=approved, approver=name, responded_by=by, at=at)
        try:
            super().execute_complete(context, event)
        except HITLRejectException:
            # Its own kind would be tried again, which would ask once more.
            raise AirflowFailException(f"Rejected by {name or 'somebody'}. Nothing was sent.") from None
        except DownstreamTasksSkipped:
            # Airflow stores nothing of a task that ends so; who said no, and to what, is worth keeping.
            self.log.info("Rejected by %s.", name or "somebody")
            ti.xcom_push(key="return_value", value=result)
            raise
        self.log.info("%s by %s.", "Approved" if approved else "Rejected", name or "somebody")
        if approved:
            for key in {"order": ("amount", "worst_price"), "transfer": ("amount",)}.get(proposal["kind"], ()):
                ti.xcom_push(key=key, value=proposal[key])
        return result

    def _keep_to_form(self) -> None:
        # When a task runs, Airflow mixes the DAG's params into its own; then a form would ask for those as well, and an
        # answer to what was asked would be refused.
        self.params = ParamsDict(self.form)

    def _propose(self) -> Proposal:
        from tradehook.amounts import parse_decimal
        from tradehook_provider.approving import make_plan, propose_order, propose_plan, propose_transfer
        from tradehook_provider.operators.balances import goal

        with ExitStack() as stack:
            names = [self.exchange_conn_id]
            if self.exchange_conn_ids is not None:
                names = sorted(as_names(self.exchange_conn_ids, what="exchange_conn_ids"))
            hooks = [stack.enter_context(ExchangeHook(name)) for name in names]
            if self.targets is not None:
                wanted = goal(
                    hooks[0],
                    self.targets,
                    quote=self.quote,
                    band=self.band,
                    min_trade=self.min_trade,
                    reserve=self.reserve,
                )
                return propose_plan(make_plan(hooks, wanted), accounts=names)
            if self.asset is not None:
                transfer = new_transfer(
                    asset=self.asset, amount=self.amount, destination=self.destination, chain=self.chain
                )
                return propose_transfer(hooks[0], transfer)
            order = new_order(
                market=self.market,
                side=self.side,
                amount=self.amount,
                price=self.price,
                chain=None,
                # Only what rests needs it, and this only asks.
                good_for=None if self.price is None else "1d",
            )
            tolerance = parse_decimal(as_text(self.tolerance, what="tolerance"), what="tolerance")
            return propose_order(hooks[0].get_conn(), order, account=names[0], tolerance=tolerance)


def _own(params: Any) -> dict[str, Any]:
    """The task's own params: Airflow hands over the DAG's among them, which are no questions to who approves."""
    if isinstance(params, ParamsDict):
        own = ParamsDict.filter_params_by_source(params, source="task")
        return {name: own.get_param(name) for name in own}
    return dict(params or {})


def _result(
    proposal: dict[str, Any], *, approved: bool, approver: str = "", responded_by: Any = None, at: str | None = None
) -> dict[str, Any]:
    return {
        "approved": approved,
        "approver": approver,
        "responded_by": dict(responded_by) if responded_by else None,
        "responded_at": at,
        PROPOSAL: proposal,
    }
