"""Finds the exchanges. Adding one is one line here and one folder beside the others."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from tradehook.contract import Exchange, Spec
    from tradehook.line import Line
    from tradehook.settings import Settings

EXCHANGES = ("true_markets", "fintrusted")


def spec(name: str) -> Spec:
    """An exchange's card.

    Raises:
        ConfigurationError: there is none of that name.
    """
    if name not in EXCHANGES:
        raise ConfigurationError(f"There is no exchange {name[:40]!r}; there is {', '.join(EXCHANGES)}.")
    return cast("Spec", import_module(f"tradehook.exchanges.{name}").SPEC)


def host(settings: Settings) -> str:
    """Host and port that the settings lead to, as `Exchange.host` tells it; needs no key.

    Raises:
        ConfigurationError: there is no such exchange.
    """
    return urlsplit(base_url(settings)).netloc


def base_url(settings: Settings) -> str:
    """The address that the settings lead to, where the exchange has such an environment.

    Raises:
        ConfigurationError: there is no such exchange, or it has no such environment.
    """
    card = spec(settings.exchange)
    if settings.url is None and settings.environment not in card.hosts:
        raise ConfigurationError(
            f"{card.label} has no environment {settings.environment}; it has {', '.join(card.hosts)}."
        )
    return settings.url or card.hosts[settings.environment]


def describe_login(settings: Settings) -> str:
    """Who signs in and with what, for a person: never a secret. The settings must be such that they can be opened.

    Raises:
        ConfigurationError: there is no such exchange, or its settings cannot be used.
    """
    base_url(settings)
    return cast("str", import_module(f"tradehook.exchanges.{settings.exchange}.opening").describe_login(settings))


def open_exchange(settings: Settings, *, line: Line) -> Exchange:
    """An account at an exchange, over this line. Reads the key, sends nothing.

    Raises:
        ConfigurationError: the settings or the key cannot be used.
    """
    base_url(settings)
    return cast(
        "Exchange", import_module(f"tradehook.exchanges.{settings.exchange}.opening").open_account(settings, line)
    )
