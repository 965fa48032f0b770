"""An Airflow connection to an exchange, opened: a blocking client for workers, an async one for triggers."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote_plus, unquote, urlsplit

from airflow.sdk import BaseHook

from tradehook import registry
from tradehook.errors import TradehookError
from tradehook_provider import connections
from tradehook_provider.masking import MaskedAuth, forms_of_key, signature_of

if TYPE_CHECKING:
    from tradehook.client import AsyncClient, Client
    from tradehook.contract import Exchange
    from tradehook.desk.submit import Desk
    from tradehook.settings import Settings

DEFAULT_CONN_ID = "true_markets_default"


class ExchangeHook(BaseHook):
    """One account at an exchange: which one, the type of the connection says.

    Reads nothing until it is used, and its connection once. The fields of connections are described in
    `tradehook_provider.connections`. Use it in a `with` block, so that what is being sent is waited for before the
    worker's process ends:

        with ExchangeHook("true_markets_default") as hook:
            hook.get_conn().balances()
            hook.desk.place_order(order, intent_id=..., source=...)
    """

    conn_name_attr = "exchange_conn_id"
    default_conn_name = DEFAULT_CONN_ID

    def __init__(self, exchange_conn_id: str = DEFAULT_CONN_ID) -> None:
        super().__init__()
        self.exchange_conn_id = exchange_conn_id
        self._client: Client | None = None
        self._desk: Desk | None = None
        self._is_stopped = False
        self._async_client: AsyncClient | None = None
        self._maskings: set[asyncio.Task[None]] = set()

    # --- for workers ----------------------------------------------------------------------------------------

    def get_conn(self) -> Client:
        """The blocking client, opened on first use. Sends nothing yet.

        Raises:
            ConfigurationError: the connection or its key cannot be used.
        """
        if self._client is None:
            from airflow.sdk.log import mask_secret

            from tradehook.client import connect

            settings = self._read_settings()
            for form in _secrets_in(settings):
                mask_secret(form)
            client = connect(settings)
            _mask_tokens(client.exchange, mask=mask_secret)
            self._client = client
        return self._client

    @property
    def desk(self) -> Desk:
        """The one door for this account's money."""
        self._desk = desk = self.get_conn().desk
        if self._is_stopped:
            desk.stop()
        return desk

    def stop(self) -> None:
        """Begin no new send; what is being sent goes on to its answer. Called by a signal, so it opens nothing."""
        self._is_stopped = True
        if self._desk is not None:
            self._desk.stop()

    def close(self) -> None:
        """Wait for what is being sent, and close connections. The hook can be used again."""
        client, self._client, self._desk = self._client, None, None
        if client is not None:
            client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def test_connection(self) -> tuple[bool, str]:
        """Whether the exchange accepts the key, and a line that helps. Shown to whoever presses *Test*."""
        from tradehook.render import error_line
        from tradehook.run import run

        try:
            with self:
                client = self.get_conn()
                balances = client.balances()
                exchange = client.exchange
                account = run(exchange.account_id())
                return True, (
                    f"Signed in to {exchange.spec.label} ({exchange.environment}, {exchange.host}) as account "
                    f"{account}: {len(balances)} balances."
                )
        except TradehookError as error:
            return False, f"{type(error).__name__}: {error_line(error)}"

    def _read_settings(self) -> Settings:
        connection = self.get_connection(self.exchange_conn_id)
        extra = connection.extra_dejson
        journal_id = connections.text(extra, "journal_conn_id", name=connection.conn_id)
        journal = self.get_connection(journal_id) if journal_id else None
        return connections.settings_of(connection, extra=extra, journal=journal)

    # --- for triggers ---------------------------------------------------------------------------------------

    async def get_async_conn(self) -> AsyncClient:
        """The async client of this event loop, opened on first use. For reads: money goes through the desk.

        Raises:
            ConfigurationError: the connection or its key cannot be used.
        """
        if self._async_client is None:
            self._async_client = await self.open_async(await self.aread_settings())
        return self._async_client

    async def open_async(self, settings: Settings) -> AsyncClient:
        """An async client for settings that were read before. Whoever opens it closes it.

        Raises:
            ConfigurationError: the key cannot be used.
        """
        from airflow.sdk.log import amask_secret

        from tradehook.client import connect_async

        for form in _secrets_in(settings):
            await amask_secret(form)
        client = connect_async(settings)
        _mask_tokens(client.exchange, mask=lambda token: self._mask_soon(signature_of(token)))
        return client

    def open_for_thread(self, settings: Settings) -> Exchange:
        """The account over a blocking line, for a thread beside this event loop, after `open_async`. For reads.

        Raises:
            ConfigurationError: the key cannot be used.
        """
        from tradehook.client import connect

        loop = asyncio.get_running_loop()
        exchange = connect(settings).exchange
        _mask_tokens(exchange, mask=lambda token: loop.call_soon_threadsafe(self._mask_soon, signature_of(token)))
        return exchange

    async def aclose(self) -> None:
        """Close the async client. The hook can be used again, and then reads its connection anew."""
        client, self._async_client = self._async_client, None
        if client is not None:
            await client.close()

    async def aread_settings(self) -> Settings:
        """What the connection says now.

        Raises:
            ConfigurationError: it cannot be used.
        """
        connection = await self.aget_connection(self.exchange_conn_id)
        extra = await connection.aextra_dejson()
        journal_id = connections.text(extra, "journal_conn_id", name=connection.conn_id)
        journal = await self.aget_connection(journal_id) if journal_id else None
        return connections.settings_of(connection, extra=extra, journal=journal)

    def _mask_soon(self, secret: str) -> None:
        # Masking tells the supervisor, which inside an event loop must be awaited; a token is read where that
        # is not possible.
        from airflow.sdk.log import amask_secret

        task = asyncio.get_running_loop().create_task(amask_secret(secret))
        self._maskings.add(task)
        task.add_done_callback(self._maskings.discard)


def _secrets_in(settings: Settings) -> list[str]:
    """Every text of this connection that must not be logged, its key file's content among them."""
    found = [*_forms_of_key_in(settings)]
    in_address = None
    with contextlib.suppress(ValueError):  # an address that cannot be read is told when the journal is opened
        in_address = urlsplit(settings.journal_url).password
    found += filter(None, [settings.key_passphrase, in_address, unquote(in_address or "")])
    for option in registry.spec(settings.exchange).options:
        if option.is_secret and (secret := settings.options.get(option.name)):
            found += {secret, quote_plus(secret)}  # as it is, and as a form has it
    return found


def _forms_of_key_in(settings: Settings) -> list[str]:
    from tradehook.exchanges.true_markets.keys import read_secret

    if settings.exchange != "true_markets":
        return []
    material = settings.key
    if material is None:
        # If it cannot be read, opening the account says so a moment later, with the reason.
        with contextlib.suppress(TradehookError, UnicodeDecodeError):
            material = read_secret(settings.key_file).decode()
    return forms_of_key(material) if material else []


def _mask_tokens(exchange: Exchange, *, mask: Any) -> None:
    session = exchange.session
    session.auth = MaskedAuth(session.auth, mask=mask)
