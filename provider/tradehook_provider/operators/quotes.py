"""Asks what an order would cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import new_order
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook

if TYPE_CHECKING:
    from decimal import Decimal

    from airflow.sdk import Context

    from tradehook.models import Quote

NO_CHAIN_QUOTES = (
    "On a chain, a price is told only of an order that was made, so there is none to ask for. Leave out the chain for "
    "the price at the exchange, or give PlaceOrderOperator a max_slippage: it looks at the price before it signs."
)


class GetQuoteOperator(BaseOperator):
    """Returns (XCom) what an order would trade at now, as a plain dict, money as text. Trades and holds nothing.

    `market`, `side`, `price`, `quantity` (of the base), `cost` (in quote, without fee), `fee` (about, from what was
    seen before; `None` where nothing is known), `asked` (what the exchange was asked: a quantity and its unit),
    `quoted_at`, `account`, `environment`. A price, not an offer: the next one may differ.
    """

    template_fields = ("market", "side", "amount", "chain", "exchange_conn_id")
    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        market: str,
        side: str,
        amount: str,
        chain: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            market: `BTC/PYUSD`.
            side: `buy` or `sell`.
            amount: `0.01` (base), `$250` (worth of quote), `50%` or `max` (of what is available), as text.
            chain: there are no prices to ask for on a chain, and this says so before anything is read.
            exchange_conn_id: the account.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.market = market
        self.side = side
        self.amount = amount
        self.chain = chain
        self.exchange_conn_id = exchange_conn_id

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Size the order as it would be sent, and ask for its price."""
        from tradehook.errors import InvalidInput
        from tradehook.render import quote_lines

        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            if self.chain is not None:
                raise InvalidInput(NO_CHAIN_QUOTES)
            order = new_order(market=self.market, side=self.side, amount=self.amount, price=None, chain=None)
            client = hook.get_conn()
            sized = client.size_order(order)
            quote = client.get_quote(
                sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit
            )
            self.log.info("%s", ", ".join(quote_lines(quote)))
            told = _told(quote, fee_rate=client.exchange.spec.capabilities.fee_rate_observed)
            return {**told, "account": self.exchange_conn_id, "environment": client.exchange.environment}


def _told(quote: Quote, *, fee_rate: Decimal | None) -> dict[str, Any]:
    from tradehook.amounts import plain
    from tradehook.models import instrument

    stored = quote.to_dict()
    return {
        "market": instrument(quote.base, quote.quote),
        "side": stored["side"],
        "price": stored["price"],
        "quantity": plain(quote.base_quantity),
        "cost": plain(quote.notional),
        "fee": plain(quote.notional * fee_rate) if fee_rate is not None else None,
        "asked": {"quantity": stored["quantity"], "unit": stored["unit"]},
        "quoted_at": stored["quoted_at"],
    }
