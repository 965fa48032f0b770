"""Whether an address can be one on its network, by its form. The sandbox's own check, so that a client's mistake shows.

Checksums are not looked at: a payout to a mistyped address is what a client has to prevent.
"""

from __future__ import annotations

import re
from typing import Final

from tradehook_sandbox.true_markets.accounts import BASE58
from tradehook_sandbox.true_markets.calls import Refusal

_EVM: Final = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_SOLANA: Final = re.compile(f"[{BASE58}]{{32,44}}", re.ASCII)
_BECH32: Final = "02-9ac-hj-np-z"
_BITCOIN: Final = re.compile(
    f"bc1[{_BECH32}]{{11,71}}|BC1[{_BECH32.upper()}]{{11,71}}|[13][{BASE58}]{{25,34}}", re.ASCII
)
_OTHERS: Final = {"bitcoin": _BITCOIN, "solana": _SOLANA}


def check(address: str, network: str) -> str:
    """The address, as it can be one on this network.

    Raises:
        Refusal: 400.
    """
    can_be = _OTHERS.get(network, _EVM).fullmatch(address) is not None
    if not can_be or (network == "solana" and not _is_public_key(address)):
        raise Refusal(400, f"to is not a valid address on {network}", fields=("to",))
    return address


def _is_public_key(address: str) -> bool:
    """Whether it stands for exactly 32 bytes."""
    number = 0
    for letter in address:
        number = number * 58 + BASE58.index(letter)
    zeros = len(address) - len(address.lstrip(BASE58[0]))
    return zeros + (number.bit_length() + 7) // 8 == 32
