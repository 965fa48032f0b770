"""The desk of an account inside a triggerer: for threads, since the event loop must never wait for a journal."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from tradehook.errors import TradehookError
from tradehook_provider.hooks.exchange import ExchangeHook

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tradehook.contract import Exchange
    from tradehook.desk.journal import Journal
    from tradehook.desk.submit import Desk
    from tradehook.desk.watch import Watcher
    from tradehook.settings import Settings

_log = logging.getLogger(__name__)


@asynccontextmanager
async def account_desk(exchange_conn_id: str) -> AsyncIterator[Desk]:
    """The desk of the account that the connection stands for now, open for as long as the block lasts.

    Raises:
        ConfigurationError: the connection, its key or its journal cannot be used.
        JournalUnavailable: the journal cannot be read now.
    """
    exchange, settings = await masked_exchange(ExchangeHook(exchange_conn_id))
    desk = await asyncio.to_thread(open_desk_of, exchange, settings)
    try:
        yield desk
    finally:
        await asyncio.to_thread(desk.close)


async def masked_exchange(hook: ExchangeHook, settings: Settings | None = None) -> tuple[Exchange, Settings]:
    """The account over a blocking line for threads, its secrets masked in this process, and what its connection says.

    Args:
        hook: the account's.
        settings: what its connection says, where that was read already.

    Raises:
        ConfigurationError: the connection or its key cannot be used.
    """
    settings = settings or await hook.aread_settings()
    # Opening it masks the secrets; everything is asked over the thread's own line.
    await (await hook.open_async(settings)).close()
    return hook.open_for_thread(settings), settings


def open_desk_of(exchange: Exchange, settings: Settings) -> Desk:
    """The account's desk with its journal, for a thread.

    Raises:
        ConfigurationError: the journal cannot be used.
    """
    from tradehook.client import open_desk

    return open_desk(settings, exchange=exchange)


def rest(exchange: Exchange, opened: tuple[Journal, Watcher] | None) -> None:
    """Let another process look, and let go of journal and sockets, in the thread that has used them.

    Args:
        exchange: over a blocking line; it can be used again.
        opened: the journal, and who looks at the exchange for it, where they were opened.
    """
    exchange.session.rest()
    if opened is not None:
        journal, watcher = opened
        try:
            watcher.release()
        except TradehookError as error:
            _log.warning("The journal could not be told that this process looks no more: %s", error.message)
        journal.close()
    close = getattr(exchange.session.line, "close", None)
    if close is not None:
        close()
