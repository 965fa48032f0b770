"""What handlers are given: the house (everything of one running bot) and the ask (one command of one person)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradehook.client import connect_async
from tradehook_bot.access import Access
from tradehook_bot.order_messages import OrderMessages
from tradehook_bot.outbox import Outbox
from tradehook_bot.proposals import Proposals
from tradehook_bot.store import Store

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from datetime import datetime
    from typing import Any

    from telegram import InlineKeyboardMarkup

    from tradehook.client import AsyncClient
    from tradehook.contract import Spec
    from tradehook.desk.journal import Journal
    from tradehook.settings import Settings
    from tradehook_bot.replies import Voice
    from tradehook_bot.settings import BotSettings


@dataclass(slots=True)
class House:
    """One bot over one account."""

    settings: BotSettings
    account: Settings
    token: str = field(repr=False)
    client: AsyncClient
    journal: Journal
    store: Store
    access: Access
    proposals: Proposals
    order_messages: OrderMessages
    outbox: Outbox
    voice: Voice = field(init=False)
    """Set when the application is built."""
    look: Callable[[], Coroutine[Any, Any, None]] = field(init=False)
    """Tell what is new in the journal now, rather than at the next tick. Set when the application is built."""
    hurry: Callable[[], None] = field(init=False)
    """Look at open orders more often for a moment. Set when the application is built."""
    in_background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = field(init=False)
    """Start something that a stop waits for. Set when the application is built."""
    show_menu: Callable[[], Coroutine[Any, Any, None]] = field(init=False)
    """Give everybody who may use the bot its menu. Set when the application is built."""

    @classmethod
    def open(cls, settings: BotSettings, account: Settings, *, token: str) -> House:
        """Open account, journal and tables. Blocking; sends nothing.

        Raises:
            ConfigurationError: the key, the settings or the journal cannot be used.
        """
        client = connect_async(account)
        journal = client.desk.journal
        store = Store(journal.engine, bot_id=bot_id(token))
        return cls(
            settings=settings,
            account=account,
            token=token,
            client=client,
            journal=journal,
            store=store,
            access=Access(store),
            proposals=Proposals(store),
            order_messages=OrderMessages(store),
            outbox=Outbox(store),
        )

    @property
    def spec(self) -> Spec:
        """The exchange's card."""
        return self.client.exchange.spec

    async def is_frozen(self) -> bool:
        """Whether nothing new may be sent."""
        return (await self.store.do(self.journal.trading_state))["state"] != "NORMAL"

    async def close(self) -> None:
        """Wait for what is being sent and written, and let go of everything."""
        await self.client.close()
        self.store.close()
        self.journal.close()


@dataclass(frozen=True, slots=True)
class Ask:
    """One command from somebody who may use the bot, in their private chat."""

    house: House
    user_id: int
    chat_id: int
    name: str
    words: tuple[str, ...]
    text: str
    """The command as it was typed."""
    sent_at: datetime

    async def reply(self, body: str, *, keyboard: InlineKeyboardMarkup | None = None) -> int:
        """Answer in the chat, and return the message's number."""
        return await self.house.voice.say(self.chat_id, body, keyboard=keyboard)


def bot_id(token: str) -> int:
    """The number in front of a token: it names the bot and is no secret."""
    return int(token.partition(":")[0])
