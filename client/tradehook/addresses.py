"""Whether an address can be one on its network: form and checksum. Pure.

A checksum catches a mistyped letter, not a wrong address: that is why a destination is typed twice and
named. A network this file does not know is refused, because nothing could be checked.
See: EIP-55; BIP 173 and BIP 350; base58check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable

EVM_NETWORKS = frozenset(
    {"ethereum", "base", "polygon_pos", "arbitrum_one", "xlayer", "ink", "robinhood", "optimism", "avalanche"}
)
NETWORKS = (*sorted(EVM_NETWORKS), "bitcoin", "solana")
_EVM = re.compile(r"0x[0-9a-fA-F]{40}", re.ASCII)
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_FINAL = {0: 1}
"""Segregated witness version 0 ends in this; all later versions end in the next."""
_BECH32M_FINAL = 0x2BC830A3


def check_address(address: str, *, network: str) -> str:
    """The address in the form that is sent.

    Raises:
        InvalidInput: it cannot be an address on that network; says why.
    """
    check = _evm if network in EVM_NETWORKS else _OTHERS.get(network)
    if check is None:
        raise InvalidInput(
            f"Addresses on {network[:30]!r} cannot be checked by this version: there is {', '.join(NETWORKS)}.",
            suggestions=NETWORKS,
        )
    if not address.isascii() or not address.isprintable() or len(address) > 120:
        raise InvalidInput(f"That is not an address on {network}.")
    return check(address.strip())


def check_typed_address(address: str, *, network: str) -> str:
    """The same for what a person types: an EVM address must be written with its checksum, in mixed case.

    Raises:
        InvalidInput: it cannot be an address on that network, or nothing in it tells a mistyped letter.
    """
    checked = check_address(address, network=network)
    if network in EVM_NETWORKS and address.strip() != checked:
        raise InvalidInput(
            "That address is written in one case, which leaves its checksum out, so a mistyped letter would not be "
            "seen. Copy it in mixed case, from where it was made."
        )
    return checked


def is_same(first: str, second: str) -> bool:
    """Whether two texts are one address: the case of an EVM address is its checksum and nothing else."""
    if _EVM.fullmatch(first) and _EVM.fullmatch(second):
        return first.lower() == second.lower()
    return first == second


def _evm(address: str) -> str:
    if not _EVM.fullmatch(address):
        raise InvalidInput("That is not an EVM address: it is 0x and 40 digits of 0-9 and a-f.")
    if int(address, 16) == 0:
        raise InvalidInput("That is the zero address: what is sent there is lost.")
    written = address[2:]
    if written not in (written.lower(), written.upper()) and address != eip55(address):
        raise InvalidInput(
            "The checksum of that address is wrong: a letter is mistyped, or its case was changed. Copy it again."
        )
    return eip55(address)


def eip55(address: str) -> str:
    """An EVM address with the letter case that is its checksum."""
    from Crypto.Hash import keccak  # heavy, and needed by few commands

    digits = address[2:].lower()
    marks = keccak.new(digest_bits=256, data=digits.encode()).hexdigest()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= 8 else digit for digit, mark in zip(digits, marks, strict=False)
    )


def _solana(address: str) -> str:
    import base58

    try:
        content = base58.b58decode(address)
    except ValueError:
        raise InvalidInput("That is not a Solana address: it has a letter that none has.") from None
    if len(content) != 32:
        raise InvalidInput("That is not a Solana address: it does not come to 32 bytes.")
    if not any(content):
        raise InvalidInput("That is the system program's address: what is sent there is lost.")
    return address


def _bitcoin(address: str) -> str:
    if address[:3].lower() == "bc1":
        return _segwit(address)
    import base58

    if address[:1] not in ("1", "3"):
        raise InvalidInput("That is not a Bitcoin address: it begins with bc1, 1 or 3.")
    try:
        content = base58.b58decode_check(address)
    except ValueError:
        raise InvalidInput("The checksum of that Bitcoin address is wrong. Copy it again.") from None
    if len(content) != 21 or content[0] not in (0, 5):
        raise InvalidInput("That is not a Bitcoin address.")
    return address


def _segwit(address: str) -> str:
    if address not in (address.lower(), address.upper()):
        raise InvalidInput("A Bitcoin address of this kind is all small or all capital letters.")
    text = address.lower()
    body = text[3:]
    if not 14 <= len(text) <= 74 or any(letter not in _BECH32 for letter in body):
        raise InvalidInput("That is not a Bitcoin address: it has letters or a length that none has.")
    values = [_BECH32.index(letter) for letter in body]
    version = values[0]
    if _polymod([3, 3, 0, 2, 3, *values]) != _BECH32_FINAL.get(version, _BECH32M_FINAL):
        raise InvalidInput("The checksum of that Bitcoin address is wrong. Copy it again.")
    program_bits = 5 * (len(values) - 7)
    size = program_bits // 8
    padding = program_bits % 8
    tail = values[-7] & ((1 << padding) - 1) if padding else 0
    if version > 16 or padding >= 5 or tail or not 2 <= size <= 40 or (version == 0 and size not in (20, 32)):
        raise InvalidInput("That is not a Bitcoin address.")
    return text


def _polymod(values: list[int]) -> int:
    """The checksum's remainder, as BIP 173 gives it."""
    checksum = 1
    for value in values:
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate((0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)):
            checksum ^= generator if (top >> bit) & 1 else 0
    return checksum


_OTHERS: dict[str, Callable[[str], str]] = {"bitcoin": _bitcoin, "solana": _solana}
