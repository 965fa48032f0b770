"""The *Trading* page's routes, and who may use them. It reads a journal and may freeze it; it holds no key.

Every route takes Airflow's own sign-in. To look takes what Airflow asks to see its plugins (`PLUGINS`); to freeze
takes the permission to trigger runs of every DAG besides, as who may make DAGs trade may stop them. A press on the
button must carry a token that only a page made for the same person has, so that no other site can press it.

Routes are no coroutines: the journal is a database, and Airflow serves its whole UI on one event loop.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from airflow.api_fastapi.app import get_auth_manager
from airflow.api_fastapi.auth.managers.models.base_user import BaseUser
from airflow.api_fastapi.auth.managers.models.resource_details import AccessView, DagAccessEntity
from airflow.api_fastapi.auth.tokens import get_signing_key
from airflow.api_fastapi.core_api.security import get_user
from fastapi import Depends, FastAPI, Form, Header, HTTPException
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from tradehook.errors import TradehookError
from tradehook_provider.plugin import drawing, reading

User = Annotated[BaseUser, Depends(get_user)]

_DIGEST = base64.b64encode(hashlib.sha256(drawing.STYLE.encode()).digest()).decode()
_HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_DIGEST}'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'self'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def may_look(user: User) -> BaseUser:
    """Whoever is signed in and may see Airflow's plugins.

    Raises:
        HTTPException: 403, they may not. Whoever is not signed in gets 401 before.
    """
    if not get_auth_manager().is_authorized_view(access_view=AccessView.PLUGINS, user=user):
        raise HTTPException(403, "To look at trading takes the permission to see plugins.")
    return user


def may_freeze(user: Annotated[BaseUser, Depends(may_look)]) -> BaseUser:
    """Whoever may look and trigger runs of every DAG.

    Raises:
        HTTPException: 403, they may not.
    """
    if not _may_trigger(user):
        raise HTTPException(403, "To freeze trading takes the permission to trigger DAG runs.")
    return user


def _may_trigger(user: BaseUser) -> bool:
    # Asked here and not by `requires_access_dag`, which takes a DAG's name from the address.
    return get_auth_manager().is_authorized_dag(method="POST", access_entity=DagAccessEntity.RUN, user=user)


app = FastAPI(title="tradehook", openapi_url=None, docs_url=None, redoc_url=None)


@app.get("/")
def show(user: Annotated[BaseUser, Depends(may_look)]) -> HTMLResponse:
    """The page."""
    try:
        overview = reading.read(journal_url())
    except TradehookError as error:
        return HTMLResponse(drawing.problem_page(error.message), status_code=503, headers=_HEADERS)
    token = token_for(user) if _may_trigger(user) else None
    return HTMLResponse(drawing.page(overview, token=token), headers=_HEADERS)


@app.post("/freeze")
def freeze(
    user: Annotated[BaseUser, Depends(may_freeze)],
    token: Annotated[str, Form()] = "",
    sec_fetch_site: Annotated[str | None, Header()] = None,
) -> Response:
    """Freeze everything that uses the journal, then show the page again. May be repeated."""
    if sec_fetch_site not in (None, "same-origin") or not is_token_of(user, token):
        raise HTTPException(403, "This did not come from the Trading page, or from an old one: open it again.")
    try:
        reading.freeze(journal_url(), by=f"airflow:{user.get_name()}")
    except TradehookError as error:
        return HTMLResponse(drawing.problem_page(error.message), status_code=503, headers=_HEADERS)
    # Relative, since only a proxy may know the whole address.
    return RedirectResponse("./", status_code=303, headers=_HEADERS)


def journal_url() -> str:
    """The journal of `[tradehook] journal_conn_id`, else of TRADEHOOK_JOURNAL_URL, else this machine's own.

    Raises:
        ConfigurationError: the connection is missing, or names no journal.
    """
    from airflow.sdk import BaseHook, conf
    from airflow.sdk.exceptions import AirflowNotFoundException

    from tradehook.errors import ConfigurationError
    from tradehook_provider.connections import default_journal, journal_url_of

    conn_id = conf.get("tradehook", "journal_conn_id", fallback=None)
    if not conn_id:
        return default_journal()
    try:
        connection: Any = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise ConfigurationError(
            f"There is no connection {conn_id}, which [tradehook] journal_conn_id names. Add it, or leave the setting "
            "empty to use TRADEHOOK_JOURNAL_URL."
        ) from None
    return journal_url_of(connection)


def token_for(user: BaseUser, *, day: str | None = None) -> str:
    """What only a page made for this person on this day holds."""
    day = day or _day()
    secret = get_signing_key("api", "secret_key").encode()
    return hmac.new(secret, f"tradehook trading page|{user.get_id()}|{day}".encode(), "sha256").hexdigest()


def is_token_of(user: BaseUser, token: str) -> bool:
    """Whether a page of today or yesterday was made for this person."""
    good = [token_for(user, day=day) for day in (_day(), _day(ago=timedelta(days=1)))]
    return any(hmac.compare_digest(each.encode(), token.encode(errors="replace")) for each in good)


def _day(*, ago: timedelta = timedelta()) -> str:
    return f"{datetime.now(UTC) - ago:%Y-%m-%d}"
