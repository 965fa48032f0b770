"""Money going out: from the exchange at once and unsigned, from a wallet on a chain once it is signed.

See: truemarkets-api 6. The network's fee on a payout, and that it comes off twice, is as seen live (6.5); what a
quantity in dollars means is not documented: here, that much worth at the current price.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal

from tradehook_sandbox.clock import MICROS
from tradehook_sandbox.ledger import FEES, OUTSIDE, Overdrawn
from tradehook_sandbox.seeded import draw, hex_for, uuid_for
from tradehook_sandbox.true_markets import destinations, stamps
from tradehook_sandbox.true_markets.accounts import base58
from tradehook_sandbox.true_markets.calls import Refusal, choice_field, shown, text_field, uuid_text
from tradehook_sandbox.true_markets.catalogue import BY_ID, DOLLARS, Asset
from tradehook_sandbox.true_markets.market_data import price_at
from tradehook_sandbox.true_markets.transfers import Transfer, Transfers
from tradehook_sandbox.true_markets.wishes import positive
from tradehook_sandbox.units import format_units
from tradehook_sandbox.walk import PRICE_SCALE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.true_markets.accounts import Account
    from tradehook_sandbox.true_markets.house import House
    from tradehook_sandbox.true_markets.rules import Rules

SIGN_WITHIN_SECONDS: Final = 60
_FEES: Final = {"BTC": 276, "ETH": 20_000, DOLLARS: 500_000_000}
"""What the network takes of a payout, in units of the asset."""
_CHAIN_MICROS: Final = (400_000, 1_200_000)
"""How long a chain takes to confirm."""


class Withdrawals:
    """Carries transfers out."""

    def __init__(self, house: House, rules: Rules) -> None:
        self._house = house
        self._rules = rules
        self.all = Transfers()

    # --- what people ask for ------------------------------------------------------------------------------------------

    def create(self, content: Mapping[str, Any], account: Account) -> Transfer:
        """A transfer: paid out from the exchange at once, or waiting for a signature.

        Raises:
            Refusal: 400, or 404 for an asset that does not exist.
        """
        asset = BY_ID.get(uuid_text(content.get("asset_id"), "asset_id"))
        if asset is None:
            raise Refusal(404, "asset not found", fields=("asset_id",))
        unit: Literal["base", "quote"] = (
            "base" if choice_field(content, "qty_unit", "base", "quote") == "base" else "quote"
        )
        asked = text_field(content, "qty")
        quantity = self._quantity(asset, asked, unit)
        network = _network(asset, content)
        to = destinations.check(text_field(content, "to"), network)
        number = len(self.all) + 1
        transfer = Transfer(
            transfer_id=uuid_for("transfer", self._house.seed, self._house.market.origin_micros, number),
            number=number,
            uid=account.uid,
            asset_key=asset.key,
            to=to,
            network=None if asset.chain else network,
            unit=unit,
            asked=format_units(quantity, asset.scale) if unit == "base" else asked,
            quantity=quantity,
            created_micros=self._house.now,
            updated_micros=self._house.now,
        )
        free = (
            self._house.accounts.spendable(account)
            if asset.key == DOLLARS
            else self._house.accounts.available(account, asset)
        )
        if quantity > free:
            raise Refusal(400, "insufficient balance", fields=("qty",))
        if asset.chain:
            transfer.expires_micros = self._house.now + SIGN_WITHIN_SECONDS * MICROS
            transfer.payloads = [self._payload(transfer, account)]
            return self.all.add(transfer)
        if quantity <= 2 * _FEES.get(asset.symbol, 0):
            raise Refusal(400, "amount is below the withdrawal minimum", fields=("qty",))
        self.all.add(transfer)
        self._lock(transfer, account)
        self._send(transfer, micros=round(self._rules.withdrawal_seconds * MICROS))
        return transfer

    def execute(self, transfer: Transfer) -> None:
        """The signed transfer is on its way to the chain.

        Raises:
            Refusal: 409 when it does not wait for a signature (any more).
        """
        self.check_waits(transfer)
        account = self._house.accounts[transfer.uid]
        try:
            self._lock(transfer, account)
        except Overdrawn:
            # Spent in between: the chain will say so, as it does.
            transfer.hold = 0
        low, high = _CHAIN_MICROS
        wait = low + draw("transfer", self._house.seed, transfer.number, below=high - low)
        transfer.tx_hash = _hash(transfer)
        self._send(transfer, micros=wait)

    def check_waits(self, transfer: Transfer) -> None:
        """Raises `Refusal` 409 unless the transfer waits for a signature."""
        if transfer.status != "awaiting_signature":
            raise Refusal(409, f"transfer cannot be executed: it is {transfer.status}")
        if self._house.now > transfer.expires_micros:
            raise Refusal(409, "transfer has expired, create a new one")

    # --- what happens by itself ---------------------------------------------------------------------------------------

    def due_at(self) -> int | None:
        """When the next transfer ends by itself."""
        coming = self.all.next_due()
        return coming[0] if coming else None

    def end_due(self) -> None:
        """Whatever is due by now has ended."""
        while (coming := self.all.next_due()) is not None and coming[0] <= self._house.now:
            transfer = coming[1]
            if transfer.hold < transfer.quantity:
                self.fail(transfer, "insufficient balance")
            else:
                self.complete(transfer)

    def turn_back(self, earlier_micros: int) -> None:
        """The clock was turned back by this much: what was to end soon still ends as soon."""
        for transfer in self.all:
            if transfer.due_micros is not None:
                transfer.due_micros -= earlier_micros
                self.all.touch(transfer)

    def complete(self, transfer: Transfer) -> None:
        """The coins have arrived, less what the network takes."""
        asset, account = transfer.asset, self._house.accounts[transfer.uid]
        transfer.fee = 0 if asset.chain else _FEES.get(asset.symbol, 0)
        transfer.sent = transfer.quantity - transfer.fee
        transfer.received = transfer.sent - transfer.fee
        reason = f"transfer {transfer.transfer_id}"
        owner = self._owner(transfer)
        target = OUTSIDE if owner is None else owner.available
        self._house.move(asset, account.held, target, transfer.received, reason)
        if owner is not None:
            self._house.accounts.note_deposit(owner, asset, transfer.received, at_micros=self._house.now)
        self._house.move(asset, account.held, FEES, transfer.quantity - transfer.received, f"fee of {reason}")
        transfer.hold = 0
        transfer.tx_hash = transfer.tx_hash or _hash(transfer)
        self._end(transfer, "completed")

    def fail(self, transfer: Transfer, reason: str) -> None:
        """It did not go out; what was held is free again."""
        account = self._house.accounts[transfer.uid]
        note = f"release transfer {transfer.transfer_id}"
        self._house.move(transfer.asset, account.held, account.available, transfer.hold, note)
        transfer.hold = 0
        transfer.failure_reason = reason
        self._end(transfer, "failed")

    # --- parts --------------------------------------------------------------------------------------------------------

    def _quantity(self, asset: Asset, text: str, unit: str) -> int:
        if unit == "base":
            return positive(text, "qty", asset.scale)
        dollars = positive(text, "qty", PRICE_SCALE)
        price = price_at(self._house, asset.coin or "", self._house.now)
        units: int = dollars * 10**asset.scale // price
        if not units:
            raise Refusal(400, "qty is too small", fields=("qty",))
        return units

    def _lock(self, transfer: Transfer, account: Account) -> None:
        note = f"hold transfer {transfer.transfer_id}"
        self._house.move(transfer.asset, account.available, account.held, transfer.quantity, note)
        transfer.hold = transfer.quantity

    def _send(self, transfer: Transfer, *, micros: int) -> None:
        transfer.status = "pending"
        transfer.due_micros = self._house.now + micros
        self._touch(transfer)

    def _end(self, transfer: Transfer, status: Literal["completed", "failed"]) -> None:
        transfer.status, transfer.due_micros = status, None
        self._touch(transfer)

    def _touch(self, transfer: Transfer) -> None:
        transfer.updated_micros = max(self._house.now, transfer.created_micros)
        self.all.touch(transfer)

    def _owner(self, transfer: Transfer) -> Account | None:
        """Whose the coins are now, when the address is the wallet of an account of the sandbox."""
        chain = transfer.asset.chain
        if chain:
            for account in self._house.accounts:
                wallet = account.wallet(chain)
                if transfer.to == wallet or (chain != "solana" and transfer.to.lower() == wallet.lower()):
                    return account
        return None

    def _payload(self, transfer: Transfer, account: Account) -> dict[str, str]:
        asset = transfer.asset
        chain = asset.chain or ""
        return stamps.transfer_payload(
            transfer,
            chain=chain,
            wallet=account.wallet(chain),
            amount=format_units(transfer.quantity, asset.scale),
            at_micros=self._house.now,
        )


def _network(asset: Asset, content: Mapping[str, Any]) -> str:
    """The network the coins leave on.

    Raises:
        Refusal: 400 when it is not one of the asset's, or when it has several and none was named.
    """
    if asset.chain:
        return asset.chain
    known = [name for name, _ in asset.networks]
    named = content.get("network")
    if named is None and len(known) == 1:
        return known[0]
    if named is None:
        raise Refusal(400, f"network is required: one of {', '.join(known)}", fields=("network",))
    if named not in known:
        raise Refusal(400, f"network must be one of {', '.join(known)}, not {shown(named)}", fields=("network",))
    return str(named)


def _hash(transfer: Transfer) -> str:
    chain = transfer.asset.chain or transfer.network
    digest = hex_for("hash", transfer.transfer_id, size=64 if chain == "solana" else 32)
    if chain == "solana":
        return base58(bytes.fromhex(digest))
    return digest if chain == "bitcoin" else "0x" + digest
