"""Tells of a freeze and of its end, whoever it was: a person in another chat, Airflow, the command line, the guard."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from tradehook.desk.schema import writing
from tradehook.desk.trading import EVERYWHERE, TradingState
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_bot.context import House

_MARK = "trading state"
_MICROSECOND = 1_000_000


def begin(house: House) -> None:
    """What was frozen before the bot's first boot is no news. Blocking."""
    if house.store.mark(_MARK) is None:
        house.store.set_mark(_MARK, max((_number(row) for row in house.journal.trading.list()), default=0))


def look(house: House) -> None:
    """A change that was not told is queued for everybody but whoever made it in chat. Blocking."""
    seen = house.store.mark(_MARK) or 0
    fresh = [row for row in house.journal.trading.list() if _number(row) > seen and _is_ours(house, row)]
    if not fresh:
        return
    users = house.access.users()
    letters = [
        Letter(
            user.user_id,
            f"trading:{row['scope']}:{row['state']}:{row['changed_at']}"[:255],
            _words(house, row),
            account=_account(house, row),
            weight=Weight.URGENT,
            has_freeze=row["state"] == TradingState.NORMAL,
        )
        for row in fresh
        for user in users
        if not row["changed_by"].endswith(f"(user {user.user_id})")
    ]
    with writing(house.store.engine) as connection:
        house.outbox.put_within(connection, letters)
        house.store.put_mark(connection, _MARK, max(map(_number, fresh)))


def _is_ours(house: House, row: Mapping[str, str]) -> bool:
    scope = row["scope"]
    return scope == EVERYWHERE or any(
        scope.startswith(f"{account.client.exchange.host}/")
        and account.account_id in (None, scope.removeprefix(f"{account.client.exchange.host}/"))
        for account in house.accounts
    )


def _account(house: House, row: Mapping[str, str]) -> str | None:
    scope = row["scope"]
    return next(
        (
            account.name
            for account in house.accounts
            if account.account_id and scope == f"{account.client.exchange.host}/{account.account_id}"
        ),
        None,
    )


def _words(house: House, row: Mapping[str, str]) -> str:
    named = _account(house, row)
    what = "Trading" if row["scope"] == EVERYWHERE else f"The account {named}" if named else "One account"
    by = f"By {row['changed_by']}{': ' + row['why'] if row['why'] else ''}."
    lifts = "/resume lifts it." if row["scope"] == EVERYWHERE else "On the machine: tradehook resume --account-only"
    if row["state"] == TradingState.NORMAL:
        return f"{bold(f'{what} goes on.')}\n{text(by)}"
    if row["state"] == TradingState.REDUCING:
        says = f"{what} only reduces: sells into money and cancels go through, nothing else."
    else:
        says = f"Frozen: {what[:1].lower() + what[1:]}. Nothing new will be sent; cancels go through."
    return f"{bold(says)}\n{text(by)}\n{lifts} /orders shows what is still live."


def _number(row: Mapping[str, str]) -> int:
    """When it changed, as a number that rises."""
    at = datetime.fromisoformat(row["changed_at"]) - datetime(1970, 1, 1, tzinfo=UTC)
    return (at.days * 86_400 + at.seconds) * _MICROSECOND + at.microseconds
