"""What people sign on a chain, and the check of their signatures.

A payload is a compact Turnkey activity, signed exactly as it stands. Its `parameters` spell out what is being done, so
that a client can hold it against what was ordered. Every payload has all of these:

    action        `swap`, `approve` (an EVM sale first lets the router take the tokens) or `transfer` (funding bridge)
    orderId       the order it belongs to
    signWith      the wallet that signs
    side          `buy` or `sell`
    chain         `solana` or `base`
    baseAsset     as in the order: an address on a chain, a symbol for a bridge
    quoteAsset    likewise
    assetIn       address of what leaves the wallet
    amountIn      how much of it, as decimal text
    assetOut      address (or, for a bridge, symbol) of what comes back
    minimumOut    the least that comes back, or nothing happens
    recipient     who gets what leaves: the router, or the exchange's deposit address
    expiresAt     RFC 3339; executed later, the order is stale

The payload of a transfer has `signWith`, `chain` and `expiresAt` as above, and these:

    action        `transfer`
    transferId    the transfer it belongs to
    asset         address of the token that leaves the wallet
    amount        how much of it, as decimal text
    recipient     the address it goes to

See: truemarkets-api 2.7. The names inside `parameters` are the sandbox's own: the real ones are not documented.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from tradehook.wire import decode_json, encode_json
from tradehook_sandbox.clock import rfc3339
from tradehook_sandbox.seeded import hex_for, uuid_for
from tradehook_sandbox.true_markets.accounts import base58
from tradehook_sandbox.true_markets.calls import Refusal
from tradehook_sandbox.true_markets.keys import from_base64url

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tradehook_sandbox.true_markets.keys import Key
    from tradehook_sandbox.true_markets.orders import Order
    from tradehook_sandbox.true_markets.transfers import Transfer

SCHEME: Final = "SIGNATURE_SCHEME_TK_API_P256"
_ACTIVITY: Final = "ACTIVITY_TYPE_SIGN_TRANSACTION_V2"
_KINDS: Final = {"solana": "TRANSACTION_TYPE_SOLANA", "base": "TRANSACTION_TYPE_ETHEREUM"}


def payload(order: Order, *, chain: str, wallet: str, details: Mapping[str, str], at_micros: int) -> dict[str, str]:
    """One thing to sign.

    Args:
        order: what it belongs to.
        chain: where it happens.
        wallet: who signs.
        details: `action`, what goes in and what comes out; see the module.
        at_micros: when it was made.
    """
    parameters = {
        "signWith": wallet,
        "type": _KINDS[chain],
        "unsignedTransaction": hex_for("transaction", order.order_id, chain, details["action"], size=64),
        "orderId": order.order_id,
        "side": order.side,
        "chain": chain,
        "baseAsset": order.base.address or order.base.symbol,
        "quoteAsset": order.quote.address or order.quote.symbol,
        **details,
        "expiresAt": rfc3339(order.expires_micros),
    }
    return _activity(parameters, uid=order.uid, at_micros=at_micros)


def _activity(parameters: Mapping[str, object], *, uid: str, at_micros: int) -> dict[str, str]:
    activity = {
        "type": _ACTIVITY,
        "timestampMs": str(at_micros // 1000),
        "organizationId": uuid_for("organization", uid),
        "parameters": parameters,
    }
    text = encode_json(activity).decode()
    return {"digest": sha256(text.encode()).hexdigest(), "payload": text}


def transfer_payload(transfer: Transfer, *, chain: str, wallet: str, amount: str, at_micros: int) -> dict[str, str]:
    """The one thing to sign of a transfer; its parameters stand in the module's own description."""
    parameters = {
        "signWith": wallet,
        "type": _KINDS[chain],
        "unsignedTransaction": hex_for("transaction", transfer.transfer_id, chain, size=64),
        "action": "transfer",
        "transferId": transfer.transfer_id,
        "chain": chain,
        "asset": transfer.asset.address,
        "amount": amount,
        "recipient": transfer.to,
        "expiresAt": rfc3339(transfer.expires_micros),
    }
    return _activity(parameters, uid=transfer.uid, at_micros=at_micros)


def router(chain: str) -> str:
    """The address of the contract that swaps on this chain."""
    return _address("router", chain)


def deposit_address(chain: str) -> str:
    """Where the exchange takes stablecoins of this chain in."""
    return _address("deposit", chain)


def transaction_hash(order: Order, chain: str) -> str:
    """What an explorer would know an executed order by."""
    digest = hex_for("hash", order.order_id, chain, size=64 if chain == "solana" else 32)
    return base58(bytes.fromhex(digest)) if chain == "solana" else "0x" + digest


def check_signatures(content: Mapping[str, Any]) -> list[str]:
    """The signatures in a body of an execute call, by their form alone.

    Raises:
        Refusal: 400.
    """
    signatures = content.get("signatures")
    if not isinstance(signatures, list) or not signatures or not all(isinstance(item, str) for item in signatures):
        raise Refusal(400, "signatures must be a list of strings, one for each payload")
    kind = content.get("auth_type")
    if kind == "web_authn":
        raise Refusal(400, "auth_type web_authn is not available for API keys")
    if kind != "api_key":
        raise Refusal(400, "auth_type must be one of api_key, web_authn")
    return signatures


def verify(signatures: Sequence[str], payloads: Sequence[Mapping[str, str]], keys: Sequence[Key]) -> None:
    """Each payload is stamped, in order, with one of these keys.

    Raises:
        Refusal: 400.
    """
    if len(signatures) != len(payloads):
        raise Refusal(400, f"expected {len(payloads)} signatures, got {len(signatures)}")
    for number, (signature, item) in enumerate(zip(signatures, payloads, strict=True), start=1):
        if not _is_stamp_of(item["payload"].encode(), signature, keys):
            raise Refusal(400, f"signature {number} is invalid")


def _is_stamp_of(message: bytes, signature: str, keys: Sequence[Key]) -> bool:
    try:
        stamp = decode_json(from_base64url(signature))
        if not isinstance(stamp, dict) or stamp.get("scheme") != SCHEME:
            return False
        key = next((key for key in keys if key.public_hex == stamp.get("publicKey")), None)
        return key is not None and key.signed_der(message, bytes.fromhex(stamp["signature"]))
    except (ValueError, ArithmeticError, KeyError, TypeError):
        return False


def _address(what: str, chain: str) -> str:
    if chain == "solana":
        return base58(bytes.fromhex(hex_for(what, chain, size=32)))
    return "0x" + hex_for(what, chain, size=20)
