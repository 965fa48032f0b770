"""The *Trading* page in Airflow: what it is called, and where it hangs. Every Airflow process imports this.

So nothing is loaded here but Airflow's own class: the page itself (`pages.py`) comes with its first visitor.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

PREFIX = "/tradehook"
"""Where the page answers, below Airflow's own address."""
ROUTE = "trading"
"""The page inside Airflow's frame: `/plugin/trading`."""


class TradingPage:
    """The page as an ASGI app that is loaded when somebody comes."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        from tradehook_provider.plugin.pages import app

        await app(scope, receive, send)


class TradehookPlugin(AirflowPlugin):
    """Adds *Trading* to Airflow's navigation."""

    name = "tradehook"
    fastapi_apps: list[Any] = [{"name": "tradehook", "app": TradingPage(), "url_prefix": PREFIX}]  # noqa: RUF012 - Airflow's form
    external_views: list[Any] = [  # noqa: RUF012 - Airflow's form
        {"name": "Trading", "href": f"{PREFIX}/", "url_route": ROUTE, "destination": "nav", "nav_top_level": True}
    ]
