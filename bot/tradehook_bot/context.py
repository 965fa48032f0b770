"""What handlers are given: the house (everything of one running bot) and the ask (one command of one person)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tradehook.errors import ConfigurationError, GuardRefused
from tradehook_bot.access import Access
from tradehook_bot.accounts import Account, Served
from tradehook_bot.airflow.link import AirflowLink
from tradehook_bot.chats import Chats
from tradehook_bot.groups import Groups
from tradehook_bot.notices import Notices
from tradehook_bot.order_messages import OrderMessages
from tradehook_bot.outbox import Outbox
from tradehook_bot.price_alerts import PriceAlerts
from tradehook_bot.proposals import Proposals, Where
from tradehook_bot.store import Store
from tradehook_bot.totp import Totp

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from datetime import datetime, tzinfo
    from typing import Any

    from telegram import InlineKeyboardMarkup

    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.settings import Settings
    from tradehook_bot.instance import Instance
    from tradehook_bot.replies import Voice
    from tradehook_bot.settings import BotSettings


@dataclass(slots=True)
class House:
    """One bot over the accounts of one environment, and over one journal."""

    settings: BotSettings
    accounts: tuple[Account, ...]
    """A chat begins with the first."""
    served: Served = field(repr=False)
    token: str = field(repr=False)
    journal: Journal
    store: Store
    access: Access
    groups: Groups
    chats: Chats
    proposals: Proposals
    totp: Totp
    order_messages: OrderMessages
    outbox: Outbox
    notices: Notices
    price_alerts: PriceAlerts
    instance: Instance = field(init=False)
    """This process's claim to be the one that speaks for the bot. Set when the application is built."""
    airflow: AirflowLink | None = None
    """The Airflow that chat knows; none where none is set."""
    under_way: set[str] = field(default_factory=set)
    """The confirmed questions that this process is carrying out."""
    given_up: set[str] = field(default_factory=set)
    """Those that it took for cut off: they are told of, and never carried out after that."""
    reasons: dict[str, str] = field(default_factory=dict)
    """Why a confirmed question did not come to its end, as HTML, until its person was told."""
    said_unknown: set[str] = field(default_factory=set)
    """Those of which it said that nobody knows, because the journal could not be read; said once."""
    may_send: Callable[[], bool] = field(default=lambda: True)
    """Whether this process is the one that speaks for the bot; the lock says."""
    voice: Voice = field(init=False)
    """Set when the application is built."""
    look: Callable[[], Coroutine[Any, Any, None]] = field(init=False)
    """Tell what is new in the journal now, rather than at the next tick. Set when the application is built."""
    sweep_age: Callable[[Account], float] = field(init=False)
    """How many seconds ago all that is open in an account was looked after. Set when the application is built."""
    hurry: Callable[[Account], None] = field(init=False)
    """Look at an account's open orders more often for a moment. Set when the application is built."""
    in_background: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]] = field(init=False)
    """Start something that a stop waits for. Set when the application is built."""
    show_menu: Callable[[], Coroutine[Any, Any, None]] = field(init=False)
    """Give everybody who may use the bot its menu. Set when the application is built."""

    @classmethod
    def open(cls, settings: BotSettings, served: Served, *, token: str) -> House:
        """Open accounts, journal and tables. Blocking; sends nothing.

        Raises:
            ConfigurationError: a key, the settings or the journal cannot be used; of several accounts, says whose.
        """
        accounts = tuple(_opened(each, of=len(served.settings)) for each in served.settings)
        journal = accounts[0].client.desk.journal
        store = Store(journal.engine, bot_id=bot_id(token))
        return cls(
            settings=settings,
            accounts=accounts,
            served=served,
            token=token,
            journal=journal,
            store=store,
            access=Access(store),
            groups=Groups(store),
            chats=Chats(store),
            proposals=Proposals(store),
            totp=Totp(store, token=token),
            order_messages=OrderMessages(store),
            outbox=Outbox(store),
            notices=Notices(store),
            price_alerts=PriceAlerts(store),
            airflow=AirflowLink(settings.airflow, store) if settings.airflow is not None else None,
        )

    @property
    def environment(self) -> str:
        """The environment that everything here belongs to."""
        return self.served.environment

    @property
    def has_several(self) -> bool:
        """Whether there is an account to choose."""
        return len(self.accounts) > 1

    def named(self, name: str | None) -> Account | None:
        """The account of this name, if it is served. What names none is of a time when there was only one."""
        if name is None and not self.has_several:
            return self.accounts[0]
        return next((account for account in self.accounts if account.name == name), None)

    def account_of(self, intent: Intent) -> Account | None:
        """The account whose money an intent is about, if it is one of these.

        Whose it is is decided by the exchange's own id. Where that is not known yet, by what people call it.
        """
        there = [account for account in self.accounts if account.is_where(intent)]
        if not self.has_several:
            return there[0] if there else None
        for account in there:
            if intent.account_id is not None and account.account_id == intent.account_id:
                return account
        unsure = [account for account in there if account.account_id is None or intent.account_id is None]
        return next((account for account in unsure if account.name == intent.account), None)

    def is_served(self, intent: Intent) -> bool:
        """Whether an intent went where one of these accounts is."""
        return any(account.is_where(intent) for account in self.accounts)

    async def choice(self, chat_id: int) -> Choice:
        """The account that a chat is about."""
        if not self.has_several:
            return Choice(self.accounts[0])
        name = await self.store.do(self.chats.account, chat_id)
        chosen = self.named(name)
        if chosen is not None:
            return Choice(chosen)
        first = self.accounts[0]
        if name is not None:
            return Choice(first, f"This chat was about {name}, which is not served any more.")
        if self.served.must_choose:
            names = ", ".join(self.served.must_choose)
            return Choice(first, f"There are several live accounts ({names}), and none was chosen in this chat.")
        return Choice(first)

    async def shows_holdings(self, where: Where) -> bool:
        """Whether what is held may be told there: in private, and in groups in which somebody allowed it."""
        if where.chat_id == where.user_id:
            return True
        group = await self.store.do(self.groups.allowed, where.chat_id, where.thread_id)
        return group is not None and group.shows_holdings

    async def is_frozen(self) -> bool:
        """Whether nothing new may be sent."""
        return (await self.store.do(self.journal.trading_state))["state"] != "NORMAL"

    async def close(self) -> None:
        """Wait for what is being sent and written, and let go of everything."""
        for account in self.accounts:
            await account.client.close()
        self.store.close()
        self.journal.close()


@dataclass(frozen=True, slots=True)
class Choice:
    """The account that a chat is about."""

    account: Account
    problem: str = ""
    """Why it cannot be taken for the person's own choice, where it cannot."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One command from somebody who may use the bot, in their private chat or a group that it was let into."""

    house: House
    account: Account
    """The account that the chat is about."""
    choice_problem: str
    """Why nothing may be ordered before the person has chosen an account; empty when something may."""
    user_id: int
    chat_id: int
    name: str
    words: tuple[str, ...]
    text: str
    """The command as it was typed."""
    sent_at: datetime
    thread_id: int | None = None
    """The topic, in a forum."""
    chat_title: str = ""
    """What a group is called."""

    @property
    def is_private(self) -> bool:
        """Whether nobody else reads the answer: only there is a chat's number its person's."""
        return self.chat_id == self.user_id

    @property
    def where(self) -> Where:
        """Who asks, and where an answer counts."""
        return Where(self.user_id, self.chat_id, self.thread_id)

    async def reply(self, body: str, *, keyboard: InlineKeyboardMarkup | None = None) -> int:
        """Answer in the chat about its account, and return the message's number."""
        return await self.house.voice.say(
            self.chat_id, body, account=self.account.name, keyboard=keyboard, thread_id=self.thread_id
        )

    async def zone(self) -> tzinfo:
        """The zone that this chat reads times in."""
        return await self.house.store.do(self.house.chats.zone, self.chat_id)

    async def reply_of_all(self, body: str, *, keyboard: InlineKeyboardMarkup | None = None) -> int:
        """The same for an answer that is about every account, or about none."""
        return await self.house.voice.say(self.chat_id, body, keyboard=keyboard, thread_id=self.thread_id)

    def check_chosen(self) -> None:
        """Refuse to order while it is open which account is meant.

        Raises:
            GuardRefused: `rule` is `account`.
        """
        if self.choice_problem:
            raise GuardRefused(
                f"{self.choice_problem} Nothing was asked or sent. Choose one with /account first.",
                rule="account",
                actual="none chosen",
            )


def _opened(settings: Settings, *, of: int) -> Account:
    try:
        return Account.open(settings)
    except ConfigurationError as error:
        if of > 1:
            raise ConfigurationError(f"{settings.account}: {error.message}") from None
        raise


def bot_id(token: str) -> int:
    """The number in front of a token: it names the bot and is no secret."""
    return int(token.partition(":")[0])
