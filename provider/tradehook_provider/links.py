"""The buttons on a task that lead to what it did, made from ids that the task left behind: nobody is asked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow.sdk import BaseOperatorLink, conf

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator

_EVM, _SOLANA, _BITCOIN = r"0x[0-9a-fA-F]{64}", r"[1-9A-HJ-NP-Za-km-z]{64,90}", r"[0-9a-fA-F]{64}"
EXPLORERS = {
    "ethereum": ("https://etherscan.io/tx/", _EVM),
    "base": ("https://basescan.org/tx/", _EVM),
    "polygon_pos": ("https://polygonscan.com/tx/", _EVM),
    "arbitrum_one": ("https://arbiscan.io/tx/", _EVM),
    "optimism": ("https://optimistic.etherscan.io/tx/", _EVM),
    "avalanche": ("https://snowtrace.io/tx/", _EVM),
    "solana": ("https://solscan.io/tx/", _SOLANA),
    "bitcoin": ("https://mempool.space/tx/", _BITCOIN),
}
"""Where a transaction of a network can be looked at, and what its id looks like. Of the others, none is known."""


class TradingPageLink(BaseOperatorLink):
    """Leads to the *Trading* page."""

    name = "Trading"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The page inside Airflow's frame."""
        from tradehook_provider.plugin import ROUTE

        return f"{_airflow()}/plugin/{ROUTE}"


class OrderLink(BaseOperatorLink):
    """Leads to the task's order on the *Trading* page, marked."""

    name = "Order"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The page at that row; empty before there is an order."""
        from tradehook_provider.plugin import PREFIX

        order_id = _left_behind(ti_key, "order_id")
        return f"{_airflow()}{PREFIX}/#made-{quote(order_id, safe='')}" if isinstance(order_id, str) else ""


class ExplorerLink(BaseOperatorLink):
    """Leads to the task's transfer in its network's block explorer."""

    name = "Transaction"

    def get_link(self, operator: BaseOperator, *, ti_key: Any) -> str:  # noqa: ARG002 - Airflow's signature
        """The transaction's page; empty before there is one, and for a network whose explorer is not known."""
        transfer = _left_behind(ti_key, "return_value")
        if not isinstance(transfer, dict):
            return ""
        sent = transfer.get("sent")
        network = transfer.get("network") or (sent.get("network") if isinstance(sent, dict) else None)
        return explorer_url(network, transfer.get("tx_hash"))


def explorer_url(network: object, tx_hash: object) -> str:
    """Where a transaction can be looked at; empty where that is not known, or it is no transaction of that network."""
    address, looks_like = EXPLORERS.get(str(network), ("", ""))
    return f"{address}{tx_hash}" if address and re.fullmatch(looks_like, str(tx_hash or "")) else ""


def _airflow() -> str:
    return str(conf.get("api", "base_url", fallback="") or "").rstrip("/")


def _left_behind(ti_key: Any, key: str) -> Any:
    from airflow.sdk.execution_time.xcom import XCom

    return XCom.get_value(ti_key=ti_key, key=key)
