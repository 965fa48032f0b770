"""Transfers as requests: settled and built here, read here, sent elsewhere. Pure.

What leaves from the exchange is paid out at once, with no signature: its create is the one and only step. What
leaves from a wallet on a chain moves nothing until its payload is signed.
See: truemarkets-api 6 (docs.truemarkets.co, gateway: transfers).
"""

from __future__ import annotations

import json
from decimal import ROUND_DOWN
from typing import TYPE_CHECKING

from tradehook.amounts import plain
from tradehook.errors import InsufficientFunds, InvalidInput
from tradehook.exchanges.true_markets import parse, parse_transfers, sizing
from tradehook.exchanges.true_markets.auth import stamp
from tradehook.exchanges.true_markets.orders import agrees, check_digest, check_id, mismatch, money
from tradehook.exchanges.true_markets.pages import PAGE_SIZE, vendor_word
from tradehook.transfers import SizedTransfer, Transfer, TransferStatus
from tradehook.wire import Request, Write

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.exchanges.true_markets.keys import Signer
    from tradehook.models import Asset, Balance
    from tradehook.transfers import Destination, NewTransfer
    from tradehook.wire import Response


def settle(
    transfer: NewTransfer, *, destination: Destination, assets: Sequence[Asset], balances: Sequence[Balance]
) -> SizedTransfer:
    """What would be sent for a transfer, rounded down to what the asset can be divided into.

    Raises:
        InvalidInput: no such asset there, a destination on another network, or less than the smallest amount.
    """
    asset = _asset(transfer, assets)
    networks = (transfer.chain,) if transfer.chain else asset.networks
    if destination.network not in networks:
        raise InvalidInput(
            f"{destination.label} is an address on {destination.network}; {asset.symbol} "
            f"{'on ' + transfer.chain if transfer.chain else 'from the exchange'} can go to "
            f"{' or '.join(name for name in networks if name) or 'no network'}.",
            suggestions=("tradehook destinations",),
        )
    if transfer.amount.depends_on_balance:
        quantity = sizing.share(
            transfer.amount, of=sizing.available(asset.symbol, chain=transfer.chain, balances=balances)
        )
    else:
        quantity = transfer.amount.value
    quantity = quantity.quantize(sizing.unit_of(asset), ROUND_DOWN, context=sizing.WIDE)
    if quantity <= 0:
        raise InvalidInput(f"That is less than the smallest amount of {asset.symbol}.")
    return SizedTransfer(
        asset=asset.symbol,
        asset_id=asset.asset_id,
        quantity=quantity,
        to=destination.label,
        address=destination.address,
        network=destination.network,
        chain=transfer.chain,
        asset_address=asset.address,
        typed=str(transfer.amount),
    )


def create(url: str, transfer: SizedTransfer) -> Write[Transfer]:
    """The write that creates a transfer.

    Repeating: never for one that leaves from the exchange (`single`: it is paid out at once, and there is no key
    against repetition); freely for one on chain (`create`: without signatures nothing moves).
    """
    body = {
        "asset_id": transfer.asset_id,
        "qty": plain(transfer.quantity),
        "qty_unit": "base",
        "to": transfer.address,
    }
    if transfer.chain is None:
        body["network"] = transfer.network

    def read(response: Response) -> Transfer:
        try:
            made = parse_transfers.transfer(parse.mapping(parse.accepted(response, 200, 201)))
        except InsufficientFunds as error:
            error.details["deed"] = "transfer"  # so that nobody is told to order less
            raise
        # Payloads are the sign that it waits for signatures, whatever the word is.
        status = TransferStatus.CREATED if made.payloads and not made.is_final else made.status
        told = {name: value for name, value in made if value is not None}
        return Transfer(**{**_known(transfer), **told, "status": status})

    return Write(money("POST", f"{url}/transfers", body), read, "create" if transfer.chain else "single")


def execute(url: str, transfer: SizedTransfer, *, created: Transfer, signer: Signer) -> Write[Transfer]:
    """The write that sends a created transfer. Repeating: after a look at its status, same bytes.

    Raises:
        PayloadMismatch: what is to be signed is not what was asked for.
    """
    verify(transfer, created)
    body = {"signatures": [stamp(item.payload, signer=signer) for item in created.payloads], "auth_type": "api_key"}

    def read(response: Response) -> Transfer:
        made = parse_transfers.transfer(parse.mapping(parse.accepted(response, 200)))
        if made.transfer_id != created.transfer_id:
            raise parse.unexpected("it names another transfer")
        return made.model_copy(update={"payloads": ()})

    return Write(money("POST", f"{url}/transfers/{created.transfer_id}/execute", body), read, "execute")


def one(url: str, transfer_id: str) -> Request:
    """The request for one transfer."""
    return Request("GET", f"{url}/transfers/{check_id(transfer_id, what='transfer')}")


def page(url: str, *, status: TransferStatus | None, cursor: str | None) -> Request:
    """One page of the list, newest first. The exchange takes one status word here, not several."""
    params = [("limit", str(PAGE_SIZE))]
    if status is not None:
        params.append(("status", vendor_word(status, parse_transfers.VENDOR_STATUS)))
    if cursor:
        params.append(("cursor", cursor))
    return Request("GET", f"{url}/transfers", params=tuple(params))


def verify(transfer: SizedTransfer, created: Transfer) -> None:
    """Compare what the exchange asks us to sign with what was asked for.

    Raises:
        PayloadMismatch: they differ, or it cannot be told.
    """
    if not created.payloads:
        raise mismatch("there is nothing to sign")
    if created.to is not None and not agrees(created.to, transfer.address):
        raise mismatch("it goes to another address")
    if created.quantity is not None and created.quantity != transfer.quantity:
        raise mismatch(f"it takes {plain(created.quantity)}, {plain(transfer.quantity)} was asked for")
    if created.asset_id is not None and created.asset_id != transfer.asset_id:
        raise mismatch("it is another asset")
    for item in created.payloads:
        check_digest(item)
        _verify_terms(transfer, created, item.payload)


def _verify_terms(transfer: SizedTransfer, created: Transfer, payload: str) -> None:
    """The payload must say in readable form what it does, and that must be what was asked for: no blind signing."""
    try:
        activity = json.loads(payload)
    except (ValueError, RecursionError):
        raise mismatch("a payload cannot be read") from None
    parameters = activity.get("parameters") if isinstance(activity, dict) else None
    if not isinstance(parameters, dict):
        raise mismatch("a payload does not say what it does")
    expected = {
        "action": "transfer",
        "transferId": created.transfer_id,
        "chain": transfer.chain,
        "asset": transfer.asset_address,
        "amount": plain(transfer.quantity),
        "recipient": transfer.address,
    }
    for name, value in expected.items():
        if name not in parameters:
            raise mismatch(f"a payload does not tell its {name}")
        if not agrees(parameters[name], value):
            raise mismatch(f"a payload's {name} is another one")


def _asset(transfer: NewTransfer, assets: Sequence[Asset]) -> Asset:
    if transfer.chain:
        return sizing.one_asset(transfer.asset, chain=transfer.chain, assets=assets)
    found = [asset for asset in assets if asset.symbol == transfer.asset and asset.venue == "cefi"]
    if len(found) == 1:
        return found[0]
    if found:
        raise InvalidInput(f"{len(found)} assets at the exchange are called {transfer.asset}; which one is not clear.")
    chains = sorted({asset.chain for asset in assets if asset.symbol == transfer.asset and asset.chain})
    if chains:
        raise InvalidInput(
            f"The exchange holds no {transfer.asset}. It is in your wallet on a chain: add --chain {chains[0]}.",
            suggestions=tuple(f"--chain {chain}" for chain in chains),
        )
    here = sorted({asset.symbol for asset in assets if asset.venue == "cefi"})
    raise InvalidInput(f"There is no {transfer.asset} here; the exchange holds {', '.join(here)}.")


def _known(transfer: SizedTransfer) -> dict[str, object]:
    return {
        "asset": transfer.asset,
        "asset_id": transfer.asset_id,
        "chain": transfer.chain,
        "network": transfer.network,
        "to": transfer.address,
        "quantity": transfer.quantity,
    }
