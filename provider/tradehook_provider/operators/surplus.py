"""Says how much of an asset is more than is to be kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook

if TYPE_CHECKING:
    from airflow.sdk import Context


class SurplusOperator(BaseOperator):
    """Has found more of an asset than is to be kept when it succeeds; else it and what comes after it is skipped.

    Returns (XCom) a plain dict, money as text: `asset`, `chain`, `available`, `keep` and `amount`, how much is above.
    `amount` is an XCom of its own as well: `TransferOperator(amount=surplus.output["amount"])`. Reads only.
    """

    template_fields = ("asset", "keep", "at_least", "chain", "exchange_conn_id")
    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        asset: str,
        keep: str,
        at_least: str,
        chain: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            asset: `USDC`; of one that the account does not hold there is none, and one that the exchange does not
                list fails the task.
            keep: how much of it stays, as text; what open orders hold comes on top of that.
            at_least: a surplus that is smaller is left where it is, as text.
            chain: looks into the wallet on that chain; without it, at what the exchange holds.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.asset = asset
        self.keep = keep
        self.at_least = at_least
        self.chain = chain
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Read the balance and compare.

        Raises:
            AirflowFailException: an argument cannot be meant.
            AirflowSkipException: there is not so much.
        """
        from airflow.sdk.exceptions import AirflowSkipException

        from tradehook.amounts import plain
        from tradehook.errors import InvalidInput
        from tradehook_provider.balance_goal import BalanceGoal

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            kept = BalanceGoal.of(
                asset=self.asset, at_least=self.keep, at_most=None, counts="available", chain=self.chain
            )
            wanted = BalanceGoal.of(
                asset=self.asset, at_least=self.at_least, at_most=None, counts="available", chain=self.chain
            )
            client = hook.get_conn()
            held = kept.balance_in(client.balances())
            if held is None and not any(asset.symbol == kept.asset for asset in client.list_assets()):
                raise InvalidInput(  # a misspelt one would be skipped for ever
                    f"{client.exchange.spec.label} lists no asset {kept.asset}. `tradehook assets` shows what there is."
                )
            held = held or kept.nothing()
        keep, at_least = kept.at_least, wanted.at_least
        if keep is None or at_least is None:
            raise ValueError("keep and at_least are both needed.")
        surplus = held.available - keep
        says = f"{plain(held.available)} {kept.asset} is available, {plain(keep)} is kept"
        if surplus <= 0 or surplus < at_least:
            raise AirflowSkipException(f"{says}: there is no surplus of at least {plain(at_least)}.")
        self.log.info("%s: %s is more than that.", says, plain(surplus))
        amount = plain(surplus)
        context["ti"].xcom_push(key="amount", value=amount)
        return {
            "asset": kept.asset,
            "chain": kept.chain,
            "available": plain(held.available),
            "keep": plain(keep),
            "amount": amount,
        }
