"""Whose money: members with their passwords and wallets.

See: fintrusted-api 4.1 and 5.11.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.fintrusted.coins import COINS, SCALES
from tradehook_sandbox.ledger import OUTSIDE
from tradehook_sandbox.units import parse_units

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tradehook_sandbox.ledger import Ledger

DEMO_EMAIL: Final = "demo@example.com"
DEMO_PASSWORD: Final = "demo"
OPENING: Final = {"USDT": "100000", "BTC": "1"}
"""What every new member holds."""
_FIRST_ID: Final = 1001
_PAST_MICROS: Final = 3_600_000_000

Wallet = tuple[int, int]
"""What is available of a coin, and what is frozen."""


@dataclass(slots=True)
class Member:
    """One customer."""

    member_id: int
    email: str
    password_hash: str
    created_micros: int
    is_disabled: bool = False
    """Whether trading is forbidden."""
    locked_coins: list[str] = field(default_factory=list)
    """Coins whose wallet is locked."""
    failures: int = 0
    """Wrong passwords since the last right one."""
    locked_until_micros: int = 0
    sessions: list[str] = field(default_factory=list)
    """Ids of the tokens that are good."""
    past: list[tuple[int, dict[str, Wallet]]] = field(default_factory=list)
    """What the wallets were like since when, for an hour at least; not kept across restarts."""

    @property
    def username(self) -> str:
        """The name shown to others."""
        return self.email.partition("@")[0]

    @property
    def available(self) -> str:
        """The ledger account of what may be used."""
        return f"fintrusted:{self.member_id}:available"

    @property
    def frozen(self) -> str:
        """The ledger account of what is in spot orders."""
        return f"fintrusted:{self.member_id}:frozen"

    @property
    def futures(self) -> str:
        """The ledger account of free margin."""
        return f"fintrusted:{self.member_id}:futures"

    @property
    def futures_frozen(self) -> str:
        """The ledger account of margin in positions and futures orders."""
        return f"fintrusted:{self.member_id}:futures-frozen"

    def has_password(self, password: str) -> bool:
        """Whether this is the member's password."""
        return hmac.compare_digest(self.password_hash, hash_of(self.email, password))

    def as_json(self) -> dict[str, Any]:
        """The member for a store."""
        content = asdict(self)
        del content["past"]
        return content


class Members:
    """All customers, and what each of them holds."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_id: dict[int, Member] = {}
        self.changed: set[int] = set()
        """Members that a store has not seen in their present form."""

    def __iter__(self) -> Iterator[Member]:
        return iter(self._by_id.values())

    def by_id(self, member_id: int) -> Member | None:
        """The member with this number."""
        return self._by_id.get(member_id)

    def by_email(self, email: str) -> Member | None:
        """The member with this address; letter case does not count."""
        return next((member for member in self if member.email == email.lower()), None)

    def open(self, email: str, password: str, *, at_micros: int) -> Member:
        """A new member, who holds the opening amounts."""
        email = email.lower()
        member = Member(_FIRST_ID + len(self._by_id), email, hash_of(email, password), at_micros)
        self.add(member)
        self.touch(member)
        for coin, amount in OPENING.items():
            self.deposit(member, coin, parse_units(amount, SCALES[coin]), at_micros=at_micros)
        return member

    def add(self, member: Member) -> None:
        """The member is known; nothing was paid in."""
        self._by_id[member.member_id] = member

    def touch(self, member: Member) -> None:
        """The member has changed."""
        self.changed.add(member.member_id)

    def deposit(self, member: Member, coin: str, units: int, *, at_micros: int) -> None:
        """The units have come in from outside or, when negative, left.

        Raises:
            Overdrawn: more than is available would leave.
        """
        source, target = (OUTSIDE, member.available) if units >= 0 else (member.available, OUTSIDE)
        self._ledger.move(coin, source=source, target=target, units=abs(units), reason="deposit", at_micros=at_micros)

    def wallets(self, member: Member, *, seen_micros: int | None = None) -> dict[str, Wallet]:
        """Every coin with what is available and frozen of it; as it was at this moment, when it is given."""
        if seen_micros is not None:
            past = next((wallets for since, wallets in reversed(member.past) if since <= seen_micros), None)
            return past or dict.fromkeys(COINS, (0, 0))
        balance = self._ledger.balance
        return {coin: (balance(member.available, coin), balance(member.frozen, coin)) for coin in COINS}

    def remember(self, at_micros: int) -> None:
        """Wallets that changed have been as they are now since this moment."""
        for member in self:
            wallets, past = self.wallets(member), member.past
            # What was noted at this very moment, or before the clock was turned back, never was.
            while past and past[-1][0] >= at_micros:
                past.pop()
            if not past or past[-1][1] != wallets:
                past.append((at_micros, wallets))
            while len(past) > 1 and past[1][0] <= at_micros - _PAST_MICROS:
                del past[0]


def hash_of(email: str, password: str) -> str:
    """What is kept of a password; it guards play money."""
    return hashlib.sha256(f"{email.lower()}\0{password}".encode(errors="replace")).hexdigest()
