"""Which accounts one bot serves: those of the file of accounts that belong to its environment, over one journal.

A bot's token is for one environment, so accounts of others are left out, and that is said at the start. Without a file
there is the one account of the environment's variables. Where the file and a variable disagree about the environment,
the account's own word decides: a variable chooses among accounts here, it never moves one.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from tradehook.accounts import read_accounts
from tradehook.client import connect_async
from tradehook.errors import ConfigurationError
from tradehook.registry import base_url
from tradehook.settings import DEFAULT_EXCHANGE, Settings, prefix_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook import accounts
    from tradehook.client import AsyncClient
    from tradehook.contract import Spec
    from tradehook.desk.intents import Intent


@dataclass(frozen=True, slots=True)
class Served:
    """The accounts of one bot, checked against each other."""

    settings: tuple[Settings, ...]
    """One for each account; a chat begins with the first."""
    left_out: tuple[str, ...] = ()
    """Accounts of other environments, in words."""
    must_choose: tuple[str, ...] = ()
    """Several live accounts of which none was named: a chat that has not chosen asks about no order."""

    @property
    def environment(self) -> str:
        """The environment that all of them belong to."""
        return self.settings[0].environment

    @property
    def journal_url(self) -> str:
        """The journal that all of them share."""
        return self.settings[0].journal_url


@dataclass(slots=True)
class Account:
    """One account that is served: where it is, and the client for it."""

    settings: Settings
    client: AsyncClient
    account_id: str | None = None
    """The exchange's own name for its person, once it was asked."""

    @classmethod
    def open(cls, settings: Settings) -> Account:
        """Open its client and its desk. Blocking; sends nothing.

        Raises:
            ConfigurationError: the key, the settings or the journal cannot be used.
        """
        client = connect_async(settings)
        _ = client.desk
        return cls(settings, client)

    @property
    def name(self) -> str:
        """What people call it."""
        return self.settings.account

    @property
    def spec(self) -> Spec:
        """Its exchange's card."""
        return self.client.exchange.spec

    @property
    def title(self) -> str:
        """What it is called, and where it is."""
        return f"{self.name} at {self.spec.label}"

    def is_where(self, intent: Intent) -> bool:
        """Whether an intent went to this account's exchange, under whatever account."""
        return (intent.exchange, intent.host) == (self.spec.name, self.client.exchange.host)

    async def identify(self) -> str:
        """Whose money it is. Asks the exchange the first time."""
        if self.account_id is None:
            self.account_id = await self.client.exchange.account_id()
        return self.account_id


def read_served(environ: Mapping[str, str] | None = None) -> Served:
    """The accounts that a bot with these variables serves.

    Raises:
        ConfigurationError: they cannot be served together; says which and what to do.
        InvalidInput: the file of accounts has none of the name that was given.
    """
    env = os.environ if environ is None else environ
    found = read_accounts(env)
    if not found.accounts:
        return Served((Settings.from_environment(env),))
    named = env.get("TRADEHOOK_ACCOUNT")
    first = found.find(named) if named else found.default
    environment = env.get("TRADEHOOK_ENVIRONMENT") or _environment(first, env)
    own = [account for account in found.accounts if _environment(account, env) == environment]
    if not own:
        raise ConfigurationError(
            f"{found.path} has no account of the environment {environment}, so there is nothing to serve. "
            f"Add one, or set TRADEHOOK_ENVIRONMENT: it has {', '.join(account.name for account in found.accounts)}."
        )
    if len(own) > 1:
        _check_exchange(own, env)
    # The one that a chat begins with comes first; the others as the file has them.
    own.sort(key=lambda account: account.name != first.name)
    settings = tuple(Settings.from_environment(env, account=account.name) for account in own)
    _check_journals(settings)
    _check_apart(settings)
    left_out = tuple(
        f"{account.name} ({_environment(account, env)})" for account in found.accounts if account not in own
    )
    is_open = environment == "live" and len(own) > 1 and not named
    return Served(settings, left_out, tuple(each.account for each in settings) if is_open else ())


def _environment(account: accounts.Account, env: Mapping[str, str]) -> str:
    return account.values.get("environment") or env.get("TRADEHOOK_ENVIRONMENT") or "sandbox"


def _check_exchange(own: list[accounts.Account], env: Mapping[str, str]) -> None:
    """One variable cannot name the exchange of several accounts."""
    forced = env.get("TRADEHOOK_EXCHANGE")
    other = next((each for each in own if forced and each.values.get("exchange", DEFAULT_EXCHANGE) != forced), None)
    if other is not None:
        raise ConfigurationError(
            f"TRADEHOOK_EXCHANGE says {str(forced)[:40]} for every account, and {other.name} is at "
            f"{other.values.get('exchange', DEFAULT_EXCHANGE)}. Unset it: the file says where each account is."
        )


def _check_journals(settings: tuple[Settings, ...]) -> None:
    first, *others = settings
    for other in others:
        if other.journal_url != first.journal_url:
            # The addresses are not shown: one may hold a password.
            raise ConfigurationError(
                f"{other.account} keeps another journal than {first.account}, and one bot has one journal: a freeze "
                f"must reach all that it serves. Give both the same journal_url in the file of accounts, or run two "
                "bots, each with a token and a TRADEHOOK_ACCOUNTS_FILE of its own."
            )


def _check_apart(settings: tuple[Settings, ...]) -> None:
    """Two names for one account would be two orders where one was meant."""
    for one, other in combinations(settings, 2):
        if _place(one) == _place(other):
            raise ConfigurationError(
                f"{one.account} and {other.account} are one account: same exchange, address and key. Take one out of "
                f"the file of accounts; or, if they differ there, unset the variables that begin with "
                f"{prefix_of(one.exchange)}, which win over it."
            )


def _place(settings: Settings) -> tuple[object, ...]:
    key = (settings.key or str(settings.key_file.expanduser()), settings.key_id)
    options = sorted(settings.options.items())
    # An exchange with settings of its own names its person there, and has no key file.
    who = options if settings.exchange != DEFAULT_EXCHANGE else key
    return (settings.exchange, base_url(settings), settings.prefix, who)
