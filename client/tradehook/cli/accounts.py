"""`tradehook accounts`: which there are, and which is used. Needs no network and no key."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tradehook.cli.options import SHARED, Json, named_account
from tradehook.cli.output import hint, print_rows, table

if TYPE_CHECKING:
    from tradehook.accounts import Account, Accounts


@dataclass(frozen=True, slots=True)
class Line:
    """What is shown of one account."""

    name: str
    exchange: str
    environment: str
    host: str
    key_file: str
    key_is_there: bool
    is_used: bool
    problem: str = ""

    def to_dict(self) -> dict[str, Any]:
        """A plain dict of JSON types, for `--json`."""
        return {name: getattr(self, name) for name in self.__slots__}


def accounts(*, as_json: Json = False) -> None:
    """List the accounts of the file, and which one is used when none is chosen. Reads no key."""
    from tradehook.accounts import Account, read_accounts

    found = read_accounts()
    chosen = named_account()
    used = found.find(chosen) if chosen else found.default
    lines = [_line(account, used=used) for account in found.accounts or (Account(used.name),)]
    if as_json:
        print_rows(line.to_dict() for line in lines)
        return
    table(
        f"Accounts ({found.path if found.accounts else 'no file, so one account of the environment'})",
        ("account", "exchange", "environment", "host", "signs in with", "used"),
        [
            (
                line.name,
                line.exchange,
                line.environment,
                line.problem or line.host,
                _login(line),
                "yes" if line.is_used else "",
            )
            for line in lines
        ],
    )
    _tell(found, is_chosen=bool(chosen))


def _login(line: Line) -> str:
    if not line.key_file:
        return "" if line.problem else "its settings"
    return f"{line.key_file}{'' if line.key_is_there else ' (not there)'}"


def _line(account: Account, *, used: Account) -> Line:
    from tradehook import registry
    from tradehook.errors import TradehookError
    from tradehook.settings import Settings

    # By its name from the file, so that what the environment overrides is seen as it will be.
    try:
        settings = Settings.from_environment(account=account.name)
        host, problem = registry.host(settings), ""
    except TradehookError as error:
        settings, host, problem = Settings(), "", error.message
    has_key_file = registry.spec(settings.exchange).has_key_file
    try:
        is_there = settings.key_file.expanduser().is_file()
    except (OSError, RuntimeError, ValueError):
        is_there = False
    return Line(
        name=account.name,
        exchange=settings.exchange,
        environment=account.values.get("environment", "") if problem else settings.environment,
        host=host,
        key_file="" if problem or not has_key_file else str(settings.key_file),
        key_is_there=is_there and has_key_file and not problem,
        is_used=account.name == used.name,
        problem=problem,
    )


def _tell(found: Accounts, *, is_chosen: bool) -> None:
    if found.must_choose and not is_chosen:
        hint(
            f"Several are live, so nothing is written until one is chosen: --account {found.must_choose[0]}, or "
            f"TRADEHOOK_ACCOUNT. Reads use {found.default.name}."
        )
    from tradehook.registry import EXCHANGES
    from tradehook.settings import prefix_of

    variables = [option.__metadata__[0].envvar for name, option in SHARED.items() if name != "account"]
    variables = [name for name in variables if name]
    variables += [f"{prefix_of(exchange)}{name}" for exchange in EXCHANGES for name in ("URL", "KEY_FILE")]
    wins = [name for name in variables if os.environ.get(name)]
    if found.accounts and wins:
        hint(f"From the environment, and so for every account: {', '.join(wins)}.")
