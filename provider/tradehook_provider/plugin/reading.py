"""What the *Trading* page shows, read from a journal. No exchange, no key, no Airflow, no markup."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from tradehook.errors import GuardRefused, TradehookError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.intents import Intent
    from tradehook.desk.journal import Journal
    from tradehook.desk.usage import Usage

DAY = timedelta(days=1)
MOST = 1000
"""So many of the newest intents are looked at; a table shows fewer."""
_PLANS = 3
_CENT = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Bar:
    """How much of one limit is used."""

    what: str
    used: Decimal
    most: Decimal | None
    """`None`: nothing is limited."""
    is_money: bool = True

    @property
    def share(self) -> Decimal:
        """The used part of it, from 0 to 1."""
        if self.most is None:
            return Decimal(0)
        return min(self.used / self.most, Decimal(1)) if self.most else Decimal(1)


@dataclass(frozen=True, slots=True)
class Account:
    """What one account has used of its limits."""

    name: str
    environment: str
    bars: Sequence[Bar]
    problem: str = ""
    """Why the limits cannot be read; nothing is sent then."""


@dataclass(frozen=True, slots=True)
class Share:
    """One asset of a portfolio, in percent."""

    symbol: str
    before: Decimal
    after: Decimal | None
    """`None` where what the legs did cannot be told from the journal alone."""
    target: Decimal


@dataclass(frozen=True, slots=True)
class Portfolio:
    """The newest rebalance of an account: what was held, and what its legs made of that."""

    name: str
    state: str
    planned_at: datetime
    total: Decimal
    quote: str
    shares: Sequence[Share]


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page, at one moment."""

    at: datetime
    place: str
    frozen: Sequence[dict[str, str]]
    """Scopes in which trading does not go on as usual."""
    doubts: Sequence[Intent]
    orders: Sequence[Intent]
    """The last day's, newest first."""
    accounts: Sequence[Account]
    portfolios: Sequence[Portfolio]
    held: str = ""
    """Why nothing is sent from this journal at all; empty when it is the one it was."""


def read(url: str, *, now: datetime | None = None) -> Overview:
    """What the journal holds now.

    Raises:
        ConfigurationError: it cannot be used.
        JournalUnavailable: it does not answer.
    """
    from tradehook.desk.intents import State
    from tradehook.desk.journal import Journal
    from tradehook.desk.schema import shown

    now = now or datetime.now(UTC)
    with Journal.open(url, may_upgrade=False) as journal:
        newest = journal.list(limit=MOST)
        doubts = [intent for intent in journal.list(states=[State.UNKNOWN], limit=MOST) if intent.kind != "plan"]
        return Overview(
            at=now,
            place=shown(journal.engine),
            frozen=[entry for entry in journal.trading.list() if entry["state"] != "NORMAL"],
            doubts=doubts,
            orders=[intent for intent in newest if intent.kind != "plan" and intent.created_at > now - DAY],
            accounts=_accounts(journal, [*newest, *doubts], now=now),
            portfolios=_portfolios(newest),
            held=_held(journal),
        )


def freeze(url: str, *, by: str) -> None:
    """Stop every new order and transfer of everything that uses this journal, as `tradehook freeze` does.

    Args:
        url: the journal.
        by: who says so, for the record.

    Raises:
        ConfigurationError: the journal cannot be used.
        JournalUnavailable: it does not answer.
    """
    from tradehook.desk.journal import Journal

    with Journal.open(url, may_upgrade=False) as journal:
        if journal.trading.get()["state"] != "HALTED":  # who froze first, and why, stays
            journal.trading.set("HALTED", by=by, why="from the Trading page in Airflow")


def _held(journal: Journal) -> str:
    from tradehook.desk import keeping
    from tradehook.desk.schema import reading

    try:
        with reading(journal.engine) as connection:
            keeping.check_may_send(connection)
    except GuardRefused as refused:
        return refused.message
    return ""


def _accounts(journal: Journal, intents: Sequence[Intent], *, now: datetime) -> Sequence[Account]:
    """Those that anything was recorded for lately, by name. Limits belong to a host and the exchange's own id."""
    found: dict[tuple[str, str], Intent] = {}
    for intent in intents:
        if intent.account_id is not None:
            found.setdefault((intent.host, intent.account_id), intent)
    accounts = [_account(journal, intent, now=now) for intent in found.values()]
    return sorted(accounts, key=lambda account: account.name)


def _account(journal: Journal, intent: Intent, *, now: datetime) -> Account:
    from tradehook.desk.limits import Limits
    from tradehook.desk.usage import usage

    host, account_id = intent.host, intent.account_id or ""
    limits, problem = Limits(), ""
    try:
        limits = journal.limits.get(host, account_id) or Limits(unknowns=None)
    except TradehookError as error:
        problem = error.message
    used = usage(journal.engine, host=host, account_id=account_id, zone=limits.zone, now=now)
    return Account(intent.account, intent.environment, [] if problem else _bars(limits, used), problem)


def _bars(limits: object, used: Usage) -> Sequence[Bar]:
    words = {
        "day": "orders today",
        "hour": "orders in 60 minutes",
        "transfer_day": "transfers today",
        "orders_hour": "number of orders in 60 minutes",
        "in_flight": "under way at once",
        "unknowns": "in doubt at once",
    }
    money = ("day", "hour", "transfer_day")
    bars = []
    for name, what in words.items():
        most = getattr(limits, name)
        value = Decimal(getattr(used, name))
        bars.append(Bar(what, value, None if most is None else Decimal(most), is_money=name in money))
    return bars


def _portfolios(intents: Sequence[Intent]) -> Sequence[Portfolio]:
    from pydantic import ValidationError

    found: dict[str, Portfolio] = {}
    for intent in intents:
        if intent.kind != "plan" or not intent.request or intent.account in found or len(found) == _PLANS:
            continue
        legs = [each for each in intents if each.parent_id == intent.intent_id]
        try:
            found[intent.account] = _portfolio(intent, legs)
        except (ValidationError, ArithmeticError):
            continue  # of a version that wrote plans in another way: the page lacks a chart, nothing else
    return [*found.values()]


def _portfolio(intent: Intent, legs: Sequence[Intent]) -> Portfolio:
    from tradehook.portfolio_plan import Plan

    plan = Plan.model_validate(intent.request)
    moved = None if plan.parts or any(leg.chain for leg in plan.legs) else _moved(legs)
    values = (
        {held.symbol: held.value + moved.get(held.symbol, Decimal(0)) * held.price for held in plan.holdings}
        if moved is not None
        else {}
    )
    total = sum(values.values(), Decimal(0))
    return Portfolio(
        name=intent.account,
        state=str(intent.standing),
        planned_at=intent.created_at,
        total=plan.total,
        quote=plan.quote,
        shares=[
            Share(
                held.symbol,
                held.percent,
                (values[held.symbol] / total * 100).quantize(_CENT) if total > 0 else None,
                held.target,
            )
            for held in plan.holdings
        ],
    )


def _moved(legs: Sequence[Intent]) -> dict[str, Decimal]:
    """How much of each asset the legs brought or took, as far as the exchange said; cash is the quote."""
    from tradehook.models import Side

    moved: dict[str, Decimal] = {}
    for leg in legs:
        order, sized = leg.last_order, leg.sized
        if order is None or sized is None or not order.filled or not order.average_price:
            continue
        sign = 1 if sized.side is Side.BUY else -1
        moved[sized.base] = moved.get(sized.base, Decimal(0)) + sign * order.filled
        moved[sized.quote] = moved.get(sized.quote, Decimal(0)) - sign * order.filled * order.average_price
    return moved
