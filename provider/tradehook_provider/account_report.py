"""What an account holds, what that is worth, and what was done there lately. No Airflow."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tradehook.errors import TradehookError
from tradehook_provider.failures import may_be_tried_again

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook.client import Client
    from tradehook.models import Asset, Balance, Order
    from tradehook.transfers import Transfer

MOST = 10
"""So many orders and transfers are written out each; a message holds no more."""
_HUNDRED = Decimal(100)
_CENT, _TENTH = Decimal("0.01"), Decimal("0.1")
_BLOCK = "█"
_PERCENT_A_BLOCK = 10


@dataclass(frozen=True, slots=True)
class Held:
    """One balance and what it is worth."""

    balance: Balance
    price: Decimal | None
    """`None` where nobody tells one, or where nobody can tell what coin it is."""

    @property
    def value(self) -> Decimal | None:
        """In dollars."""
        return None if self.price is None else self.balance.total * self.price


@dataclass(frozen=True, slots=True)
class AccountReport:
    """An account at one moment."""

    account: str
    environment: str
    at: datetime
    since: datetime
    held: Sequence[Held]
    orders: Sequence[Order]
    transfers: Sequence[Transfer] | None
    """`None` where the exchange has none."""
    in_doubt: int

    @property
    def total(self) -> Decimal:
        """What everything is worth that has a price."""
        return sum((each.value for each in self.held if each.value is not None), Decimal(0))

    def percent(self, held: Held) -> Decimal | None:
        """The share of one balance."""
        return None if held.value is None or not self.total else held.value / self.total * _HUNDRED

    def to_dict(self) -> dict[str, Any]:
        """It as a plain dict, money as text."""
        from tradehook.amounts import plain

        def text(value: Decimal | None) -> str | None:
            return None if value is None else plain(value)

        return {
            "account": self.account,
            "environment": self.environment,
            "at": self.at.isoformat(timespec="seconds"),
            "since": self.since.isoformat(timespec="seconds"),
            "total": plain(self.total),
            "assets": [
                {
                    "symbol": each.balance.symbol,
                    "chain": each.balance.chain,
                    "quantity": plain(each.balance.total),
                    "price": text(each.price),
                    "value": text(each.value),
                    "percent": None if (share := self.percent(each)) is None else plain(share.quantize(_CENT)),
                }
                for each in self.held
            ],
            "orders": _counted(self.orders),
            "transfers": None if self.transfers is None else _counted(self.transfers),
            "in_doubt": self.in_doubt,
        }

    def lines(self) -> list[str]:
        """The message."""
        from tradehook.render import order_line, transfer_line

        since = f"since {self.since:%d %b %H:%M} UTC"
        lines = [
            f"{self.account} ({self.environment}), {self.at:%d %b %H:%M} UTC",
            f"Worth {_dollars(self.total)} in dollars.",
            *(self._line(each) for each in self.held),
            _summary("Orders", self.orders, since),
            *_some([order_line(order) for order in self.orders], "tradehook orders"),
        ]
        if self.transfers:
            lines.append(_summary("Transfers", self.transfers, since))
            lines += _some([transfer_line(transfer) for transfer in self.transfers], "tradehook transfers")
        if self.in_doubt:
            lines.append(f"In doubt: {self.in_doubt}. `tradehook intents list` shows what.")
        return lines

    def _line(self, held: Held) -> str:
        from tradehook.render import quantity

        where = f" on {held.balance.chain}" if held.balance.chain else ""
        what = f"{held.balance.symbol} {quantity(held.balance.total, held.balance.symbol).split()[0]}{where}"
        share = self.percent(held)
        if held.value is None or share is None:
            return f"{what}: not counted, no price is certain"
        blocks = _BLOCK * max(1, int(share / _PERCENT_A_BLOCK))
        return f"{what} = {_dollars(held.value)} {blocks} {share.quantize(_TENTH)} %"


def picture_of(report: Mapping[str, Any]) -> bytes | None:
    """A report, as its operator returned it, as a PNG: what each asset is worth; `None` where nothing has a price.

    Raises:
        ConfigurationError: what draws is not installed.
    """
    from tradehook import charts

    values: dict[str, Decimal] = {}
    for asset in report["assets"]:
        if asset["value"] is not None:
            values[asset["symbol"]] = values.get(asset["symbol"], Decimal(0)) + Decimal(asset["value"])
    total = sum(values.values(), Decimal(0))
    if not total:
        return None
    at = datetime.fromisoformat(report["at"])
    return charts.allocation(
        [charts.Share(symbol, value, value / total * _HUNDRED) for symbol, value in values.items()],
        title=f"{_dollars(total)} dollars",
        subtitle=f"{report['account']} ({report['environment']}), {at:%d %b %H:%M} UTC",
    )


def read_report(client: Client, *, account: str, since: datetime) -> AccountReport:
    """Read everything now; places that hold nothing are left out, the most worth comes first.

    Raises:
        TradehookError: the exchange or the journal could not be read.
    """
    from tradehook.run import run

    exchange = client.exchange
    balances = [balance for balance in client.balances() if balance.total]
    assets = [*client.list_assets()] if any(balance.chain for balance in balances) else []
    certain = [balance for balance in balances if is_certain(balance, assets)]
    prices = _prices(client, sorted({balance.symbol for balance in certain}))
    held = [Held(balance, prices[balance.symbol] if balance in certain else None) for balance in balances]
    can_transfer = exchange.spec.capabilities.can("transfers")
    return AccountReport(
        account=account,
        environment=exchange.environment,
        at=datetime.now(UTC),
        since=since,
        held=sorted(held, key=lambda each: (-(each.value or Decimal(0)), each.balance.symbol)),
        # What waits for a signature moves nothing: most of it was made only to see a price on a chain.
        orders=[order for order in client.list_orders(since=since) if not order.awaits_signature],
        transfers=[*client.list_transfers(since=since)] if can_transfer else None,
        in_doubt=len(client.desk.journal.doubts.list(exchange.host, account_id=run(exchange.account_id()))),
    )


def is_certain(balance: Balance, assets: Sequence[Asset]) -> bool:
    """Whether it is the coin that its name says: on a chain anybody can call one BTC, so the address has to agree."""
    if balance.chain is None:
        return True
    named = [asset for asset in assets if (asset.symbol, asset.chain) == (balance.symbol, balance.chain)]
    return len(named) == 1 and (named[0].address or "").lower() == (balance.address or "").lower()


def _prices(client: Client, symbols: Sequence[str]) -> Mapping[str, Decimal | None]:
    """What each costs in dollars; a dollar coin one.

    Raises:
        TradehookError: prices cannot be read for now. One that is not known hides no other.
    """
    from tradehook.render import DOLLARS

    found: dict[str, Decimal | None] = {}
    for symbol in symbols:
        found[symbol] = Decimal(1) if symbol in DOLLARS else None
        if symbol in DOLLARS or not client.exchange.spec.capabilities.has_prices:
            continue
        try:
            found[symbol] = client.price(symbol).price
        except TradehookError as error:
            if may_be_tried_again(error):
                raise
    return found


def _counted(made: Sequence[Order] | Sequence[Transfer]) -> dict[str, int]:
    return dict(Counter(str(each.status) for each in made))


def _summary(what: str, made: Sequence[Order] | Sequence[Transfer], since: str) -> str:
    counted = ", ".join(f"{count} {status}" for status, count in _counted(made).items())
    return f"{what} {since}: {counted or 'none'}."


def _some(lines: Sequence[str], command: str) -> list[str]:
    more = [f"• and {len(lines) - MOST} more: `{command}`"] if len(lines) > MOST else []
    return [*(f"• {line}" for line in lines[:MOST]), *more]


def _dollars(value: Decimal) -> str:
    return f"{value.quantize(_CENT):,}"
