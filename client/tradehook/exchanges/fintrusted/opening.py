"""From settings to an open account. Sends nothing."""

from __future__ import annotations

import hashlib
import ipaddress
from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError
from tradehook.exchanges.fintrusted import SPEC, FinTrusted, is_live_address, new_budget
from tradehook.exchanges.fintrusted.dialect import Dialect
from tradehook.exchanges.fintrusted.options import ALLOW_LIVE

if TYPE_CHECKING:
    from tradehook.budget import Budget
    from tradehook.line import Line
    from tradehook.settings import Settings

_BUDGETS: dict[str, Budget] = {}
"""One for each login in this process: its lines are counted together."""
_DEMO_EMAIL, _DEMO_PASSWORD = "demo@example.com", "demo"


def open_account(settings: Settings, line: Line) -> FinTrusted:
    """One account at FinTrusted. In the sandbox it is the demo's where nobody is named.

    Raises:
        ConfigurationError: a setting cannot be used, nobody is named, or a live account was not asked for in words.
    """
    url = settings.url or SPEC.hosts[settings.environment]
    dialect = _dialect(settings, url)
    if settings.environment == "live" or is_live_address(url):
        _check_live(url, dialect)
    if settings.needs_key and not dialect.has_credentials:
        raise ConfigurationError(
            "There is nothing to log in to FinTrusted with: set TRADEHOOK_FINTRUSTED_TOKEN, or "
            "TRADEHOOK_FINTRUSTED_EMAIL and TRADEHOOK_FINTRUSTED_PASSWORD."
        )
    # Never the secret itself: the scope is written down where processes share a budget.
    login = dialect.hmac_key or dialect.email or dialect.token
    scope = f"{url} {hashlib.sha256(login.encode()).hexdigest()[:16] if login else 'nobody'}"
    budget = _BUDGETS.setdefault(scope, new_budget(dialect))
    budget.scope = scope
    return FinTrusted(
        line,
        dialect=dialect,
        environment=settings.environment,
        base_url=url,
        budget=budget,
        timeout_seconds=settings.timeout_seconds,
    )


def describe_login(settings: Settings) -> str:
    """Who logs in and with what, for a person; never a secret.

    Raises:
        ConfigurationError: a setting cannot be used.
    """
    dialect = _dialect(settings, settings.url or SPEC.hosts[settings.environment])
    if dialect.hmac_style != "none":
        return "requests are signed with the API key of the settings"
    if dialect.token:
        return "a token from the settings, of a login elsewhere"
    if dialect.email and not settings.options.get("email"):
        return f"{_DEMO_EMAIL}, the sandbox's demo, logs in with its password"
    return f"{dialect.email} logs in with a password from the settings" if dialect.email else "nobody is named"


def _dialect(settings: Settings, url: str) -> Dialect:
    """The settings, read; with the demo's login where nobody is named in a sandbox."""
    is_sandbox = settings.environment == "sandbox" and not is_live_address(url)
    dialect = Dialect.parse(settings.options, is_sandbox=is_sandbox)
    if is_sandbox and not dialect.has_credentials and not dialect.email:
        return replace(dialect, email=_DEMO_EMAIL, password=_DEMO_PASSWORD)
    return dialect


def _check_live(url: str, dialect: Dialect) -> None:
    # On this machine nothing travels: a sandbox that plays the live exchange is rehearsed with over http.
    if not url.startswith("https:") and not _is_loopback(url):
        raise ConfigurationError(
            "A live FinTrusted is reached by https only: over http, password and token would travel in clear text."
        )
    if dialect.allow_live != ALLOW_LIVE:
        raise ConfigurationError(
            "No live FinTrusted account is opened: nobody has vouched for this exchange, its page promises what it "
            "does not describe, and its login hands over your password, which can do everything that you can. Use the "
            "sandbox. Whoever wants it anyway writes the sentence out that is in docs/reference/fintrusted.md, as "
            "TRADEHOOK_FINTRUSTED_ALLOW_LIVE, and then runs tradehook go-live."
        )


def _is_loopback(url: str) -> bool:
    """Whether the address is this machine, in figures: a name could lead elsewhere."""
    try:
        return ipaddress.ip_address(urlsplit(url).hostname or "").is_loopback
    except ValueError:
        return False
