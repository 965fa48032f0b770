"""Prices that people wait for: rows that survive a restart, and the rule of when one is told.

One is told once, and again only after the price went back by a fifth of a percent: a price that trembles around the
level tells nothing. A change in percent is measured anew from the price at which it was told.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, insert, select, update

from tradehook import render
from tradehook.desk.schema import reading, writing
from tradehook.errors import GuardRefused
from tradehook.prices import change_percent
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import bold, text
from tradehook_bot.store import now, stamp
from tradehook_bot.tables import PRICE_ALERT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Row

    from tradehook_bot.outbox import Outbox
    from tradehook_bot.store import Store

BACK = Decimal("0.002")
MOST = 20
"""In one chat."""


class Kind(StrEnum):
    """What is waited for."""

    ABOVE = "above"
    BELOW = "below"
    CHANGE = "change"


class Verdict(StrEnum):
    """What a price means for an alert."""

    TELL = "tell"
    ARM = "arm"
    NOTHING = "nothing"


@dataclass(frozen=True, slots=True)
class PriceAlert:
    """Something that somebody waits for."""

    alert_id: int
    chat_id: int
    account: str
    symbol: str
    kind: Kind
    level: Decimal
    """A price; of a change, percent."""
    reference: Decimal | None
    """Where a change is measured from."""
    is_armed: bool
    told: int
    """How often it was told."""

    def __str__(self) -> str:
        """As it is said to people: `BTC above 70,000.0`, `BTC by 5 % from 67,338.1`."""
        if self.kind is Kind.CHANGE and self.reference is not None:
            return f"{self.symbol} by {render.percent(self.level)} from {render.price(self.reference)}"
        return f"{self.symbol} {self.kind} {render.price(self.level)}"

    def judge(self, price: Decimal) -> Verdict:
        """What this price means for it."""
        if self.kind is Kind.CHANGE:
            moved = change_percent(self.reference, price) if self.reference else None
            return Verdict.TELL if moved is not None and abs(moved) >= self.level else Verdict.NOTHING
        if self.is_armed:
            is_there = price >= self.level if self.kind is Kind.ABOVE else price <= self.level
            return Verdict.TELL if is_there else Verdict.NOTHING
        is_back = price <= self.level * (1 - BACK) if self.kind is Kind.ABOVE else price >= self.level * (1 + BACK)
        return Verdict.ARM if is_back else Verdict.NOTHING

    def words(self, price: Decimal) -> str:
        """What is told of it at this price, as HTML. The fact comes first."""
        if self.kind is Kind.CHANGE and self.reference is not None:
            moved = change_percent(self.reference, price) or Decimal(0)
            way = "up" if moved > 0 else "down"
            fact = f"{self.symbol} is at {render.price(price)}, {way} {render.percent(abs(moved))}"
            return f"{bold(fact)}\n{text(f'from {render.price(self.reference)}. I go on from here.')} /alerts"
        fact = f"{self.symbol} is at {render.price(price)}, {self.kind} {render.price(self.level)}"
        back = f"I tell it again after the price went back by {render.percent(BACK * 100)}."
        return f"{bold(fact)}\n{text(back)} /alerts"


class PriceAlerts:
    """This bot's price alerts. Blocking: call it through `Store.do`."""

    def __init__(self, store: Store) -> None:
        """Look at this bot's rows."""
        self._store = store
        self._mine = PRICE_ALERT.c.bot_id == store.bot_id

    def add(
        self, chat_id: int, *, user_id: int, account: str, symbol: str, kind: Kind, level: Decimal, price: Decimal
    ) -> PriceAlert:
        """From now on this is waited for. One that is reached at `price` already waits for the price to go back.

        Raises:
            GuardRefused: this chat has as many as it may.
        """
        fresh = PriceAlert(0, chat_id, account, symbol, kind, level, price, is_armed=True, told=0)
        is_armed = fresh.judge(price) is not Verdict.TELL
        with writing(self._store.engine) as connection:
            here = (PRICE_ALERT.c.chat_id == chat_id) & self._mine
            count = connection.execute(select(func.count()).select_from(PRICE_ALERT).where(here)).scalar_one()
            if count >= MOST:
                raise GuardRefused(
                    f"There are {MOST} alerts in this chat, which is the most. /alerts removes some.",
                    rule="alerts",
                    limit=str(MOST),
                )
            row = connection.execute(
                insert(PRICE_ALERT)
                .values(
                    bot_id=self._store.bot_id,
                    chat_id=chat_id,
                    user_id=user_id,
                    account=account,
                    symbol=symbol,
                    kind=str(kind),
                    level=str(level),
                    reference=str(price) if kind is Kind.CHANGE else None,
                    is_armed=is_armed,
                    told=0,
                    made_at=stamp(now()),
                )
                .returning(*PRICE_ALERT.c)
            ).one()
        return _alert(row)

    def of_chat(self, chat_id: int) -> Sequence[PriceAlert]:
        """What is waited for in a chat, oldest first."""
        return self._list(PRICE_ALERT.c.chat_id == chat_id)

    def of_account(self, account: str) -> Sequence[PriceAlert]:
        """What is waited for at an account's exchange, in whatever chat."""
        return self._list(PRICE_ALERT.c.account == account)

    def remove(self, alert_id: int, *, chat_id: int) -> None:
        """It is waited for no more. One of another chat stays. May be repeated."""
        with writing(self._store.engine) as connection:
            here = (PRICE_ALERT.c.alert_id == alert_id) & (PRICE_ALERT.c.chat_id == chat_id)
            connection.execute(delete(PRICE_ALERT).where(self._mine, here))

    def arm(self, alert: PriceAlert) -> None:
        """The price went back far enough. May be repeated."""
        with writing(self._store.engine) as connection:
            connection.execute(
                update(PRICE_ALERT).where(self._mine, PRICE_ALERT.c.alert_id == alert.alert_id).values(is_armed=True)
            )

    def tell(self, alert: PriceAlert, price: Decimal, *, outbox: Outbox) -> None:
        """It is queued as told, once: of two that see the same price, one does it. May be repeated."""
        key = f"price alert:{alert.alert_id}:{alert.told + 1}"
        letter = Letter(alert.chat_id, key, alert.words(price), account=alert.account, weight=Weight.NEWS)
        told: dict[str, Any] = {"is_armed": alert.kind is Kind.CHANGE, "told": alert.told + 1, "told_at": stamp(now())}
        if alert.kind is Kind.CHANGE:
            told["reference"] = str(price)
        with writing(self._store.engine) as connection:
            same = (PRICE_ALERT.c.alert_id == alert.alert_id) & (PRICE_ALERT.c.told == alert.told)
            done = connection.execute(update(PRICE_ALERT).where(self._mine, same).values(told))
            if done.rowcount == 1:
                outbox.put_within(connection, [letter])

    def _list(self, which: Any) -> Sequence[PriceAlert]:
        query = select(PRICE_ALERT).where(self._mine, which).order_by(PRICE_ALERT.c.alert_id)
        with reading(self._store.engine) as connection:
            return [_alert(row) for row in connection.execute(query)]


def _alert(row: Row[Any]) -> PriceAlert:
    return PriceAlert(
        alert_id=row.alert_id,
        chat_id=row.chat_id,
        account=row.account,
        symbol=row.symbol,
        kind=Kind(row.kind),
        level=Decimal(row.level),
        reference=Decimal(row.reference) if row.reference is not None else None,
        is_armed=row.is_armed,
        told=row.told,
    )
