"""Whether an address can be one on its network, by its form. The sandbox's own check, so that a client's mistake shows.

Checksums are not looked at: a payout to a mistyped address is what a client has to prevent.
"""

from __future__ import annotations

import re
from typing import Final

from tradehook_sandbox.true_markets.calls import Refusal

_EVM: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_BASE58: Final = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_SOLANA: Final = re.compile(f"[{_BASE58}]{{32,44}}", re.ASCII)
_BITCOIN: Final = re.compile(f"(?:bc1[02-9ac-hj-np-z]{{11,71}}|[13][{_BASE58}]{{25,34}})", re.ASCII | re.IGNORECASE)
_OTHERS: Final = {"bitcoin": _BITCOIN, "solana": _SOLANA}


def check(address: str, network: str) -> str:
    """The address, as it can be one on this network.

    Raises:
        Refusal: 400.
    """
    if not _OTHERS.get(network, _EVM).fullmatch(address):
        raise Refusal(400, f"to is not a valid address on {network}", fields=("to",))
    return address
