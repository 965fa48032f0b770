"""From an Airflow connection to settings; its type is the exchange. Reads fields only: no network, no Airflow.

    host       the exchange's address; empty: the environment's own (sandbox: http://127.0.0.1:8787)
    extra      environment (sandbox when left out), journal_conn_id, timeout_seconds of one request (30)

Of type `true_markets`:

    password   the key file's content, JSON or PEM
    login      the key id, needed for PEM only
    extra      key_path instead of `password`, key_passphrase for an encrypted PEM

Of type `fintrusted`:

    login      the e-mail; password: the account's. Both may be empty in the sandbox, which has a demo account
    extra      every option of `exchanges/fintrusted/options.py`; `token` instead of a password

As an environment variable:

    AIRFLOW_CONN_TRUE_MARKETS_DEFAULT='{"conn_type": "true_markets", "host": "http://127.0.0.1:8787",
        "extra": {"environment": "sandbox", "key_path": "/run/secrets/true_markets.json"}}'
    AIRFLOW_CONN_TRUE_MARKETS_DEFAULT='true-markets://http://127.0.0.1:8787/?environment=sandbox&key_path=/run/k.json'

Nothing but the journal's place comes from TRADEHOOK_* variables: a connection means the same on every worker.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote, urlsplit

from tradehook import registry
from tradehook.errors import ConfigurationError
from tradehook.settings import Settings, default_journal_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.contract import Spec

_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EXTRAS = ("environment", "journal_conn_id", "timeout_seconds")
_KEY_EXTRAS = ("key_path", "key_passphrase")


class Fields(Protocol):
    """What is read of a connection."""

    conn_id: str
    conn_type: str | None
    host: str | None
    schema: str | None
    login: str | None
    password: str | None
    port: int | None


def settings_of(connection: Fields, *, extra: Mapping[str, Any], journal: Fields | None = None) -> Settings:
    """The settings that a connection stands for. The account is called by the connection's id.

    Args:
        connection: its type is the exchange.
        extra: its extras, decoded.
        journal: the connection that `journal_conn_id` names.

    Raises:
        ConfigurationError: a field cannot be used; names the connection and the field, never its content.
    """
    name = connection.conn_id
    if connection.conn_type not in registry.EXCHANGES:
        raise ConfigurationError(
            f"Connection {name} is of type {connection.conn_type}; it should be {' or '.join(registry.EXCHANGES)}."
        )
    card = registry.spec(connection.conn_type)
    known = (*_EXTRAS, *(option.name for option in card.options), *(() if card.options else _KEY_EXTRAS))
    unknown = sorted(set(extra) - set(known))
    if unknown:
        # A misspelt `enviroment` must not quietly mean sandbox.
        raise ConfigurationError(
            f"Connection {name} has an extra {str(unknown[0])[:40]!r}; it can have {', '.join(known)}."
        )
    environment = text(extra, "environment", name=name) or "sandbox"
    if environment not in card.hosts:
        raise ConfigurationError(f"Connection {name}: the environment can be {', '.join(card.hosts)}.")
    settings = Settings(
        exchange=card.name,
        environment=environment,
        account=name,
        url=address(connection.host, connection.port, name=name, needs_tls=environment != "sandbox"),
        journal_url=journal_url_of(journal) if journal else default_journal(),
        # Of many tasks, some old and some new, none may change the journal under the others.
        may_upgrade=False,
    )
    settings = (
        _with_options(settings, connection, card, extra) if card.options else _with_key(settings, connection, extra)
    )
    timeout_seconds = seconds(extra, "timeout_seconds", name=name)
    return replace(settings, timeout_seconds=timeout_seconds) if timeout_seconds else settings


def _with_key(settings: Settings, connection: Fields, extra: Mapping[str, Any]) -> Settings:
    name = connection.conn_id
    key_path = text(extra, "key_path", name=name)
    if not connection.password and not key_path:
        raise ConfigurationError(
            f"Connection {name} has no key: put the key file's content into its password, or its path into the "
            "extra key_path."
        )
    if connection.password and key_path:
        raise ConfigurationError(f"Connection {name} has two keys: leave the password or the extra key_path empty.")
    passphrase = text(extra, "key_passphrase", name=name)
    settings = replace(
        settings, key=connection.password or None, key_id=connection.login or None, key_passphrase=passphrase
    )
    return replace(settings, key_file=Path(key_path)) if key_path else settings


def _with_options(settings: Settings, connection: Fields, card: Spec, extra: Mapping[str, Any]) -> Settings:
    told = {option.name: text(extra, option.name, name=connection.conn_id) for option in card.options}
    told |= {"email": connection.login or told.get("email"), "password": connection.password or told.get("password")}
    return replace(settings, options={name: value for name, value in told.items() if value})


def text(extra: Mapping[str, Any], field: str, *, name: str) -> str | None:
    """An extra as text; `None` where it is missing or empty.

    Raises:
        ConfigurationError: it is something else.
    """
    value = extra.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise ConfigurationError(f"Connection {name}: the extra {field} should be text.")
    return value


def seconds(extra: Mapping[str, Any], field: str, *, name: str) -> float | None:
    """An extra as seconds, 1 to 300; `None` where it is missing. An address makes text of every number.

    Raises:
        ConfigurationError: it is something else.
    """
    value = extra.get(field)
    if value is None or value == "":
        return None
    try:
        read_seconds = float(value)
    except (TypeError, ValueError):
        read_seconds = 0.0
    if isinstance(value, bool) or not 1 <= read_seconds <= 300:
        raise ConfigurationError(f"Connection {name}: the extra {field} should be a number from 1 to 300.")
    return read_seconds


def address(host: str | None, port: int | None, *, name: str, needs_tls: bool) -> str | None:
    """A host field as an address: `https` where no scheme is given, `http` on this machine.

    Raises:
        ConfigurationError: it is not an address.
    """
    if not host:
        if port:
            raise ConfigurationError(f"Connection {name} has a port but no host.")
        return None
    parts = urlsplit(host if "://" in host else f"//{host}")
    scheme = parts.scheme or ("http" if parts.hostname in _LOOPBACK else "https")
    is_plain = not (parts.username or parts.password or parts.query or parts.fragment or parts.path.strip("/"))
    if scheme not in ("http", "https") or not parts.hostname or not is_plain:
        raise ConfigurationError(
            f"Connection {name}: the host should look like https://api.truemarkets.co: a scheme and a host, no path."
        )
    if scheme == "http" and needs_tls and parts.hostname not in _LOOPBACK:
        raise ConfigurationError(f"Connection {name}: only a sandbox can be reached without TLS: write https://.")
    netloc = parts.netloc if parts.port or not port else f"{parts.netloc}:{port}"
    return f"{scheme}://{netloc}"


def journal_url_of(journal: Fields) -> str:
    """The journal that an `sqlite` or `postgres` connection points to.

    Of `sqlite`, the host (or schema) is the file's full path. Of `postgres`, the schema is the database.

    Raises:
        ConfigurationError: it is another type, or does not name a journal.
    """
    if journal.conn_type == "postgres":
        return _server_url_of(journal)
    path = journal.host or journal.schema or ""
    if journal.conn_type != "sqlite" or not path.startswith("/"):
        raise ConfigurationError(
            f"Connection {journal.conn_id} should be of type sqlite, its host the full path of the journal; "
            "or of type postgres, its schema the database."
        )
    return f"sqlite:///{path}"


def _server_url_of(journal: Fields) -> str:
    if not journal.host or not journal.schema:
        raise ConfigurationError(f"Connection {journal.conn_id} needs a host, and the database as its schema.")
    if getattr(journal, "extra", None) not in (None, "", "{}"):
        # An sslmode that is read past would quietly trust less than was asked.
        raise ConfigurationError(
            f"Connection {journal.conn_id} has extras, which are not read for a journal. Leave them empty and set "
            "PGSSLMODE and PGSSLROOTCERT for the workers, or write the whole address into TRADEHOOK_JOURNAL_URL."
        )
    user = quote(journal.login or "", safe="")
    password = f":{quote(journal.password, safe='')}" if journal.password else ""
    port = f":{journal.port}" if journal.port else ""
    return f"postgresql://{user}{password}{'@' if user else ''}{journal.host}{port}/{quote(journal.schema, safe='')}"


def default_journal() -> str:
    """The journal of this machine: TRADEHOOK_JOURNAL_URL, else the place in the home folder."""
    return os.environ.get("TRADEHOOK_JOURNAL_URL") or default_journal_url(os.environ)
