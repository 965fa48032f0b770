"""Addresses: published vectors of each format, and every single mistyped letter of them."""

from __future__ import annotations

import pytest

from tradehook.addresses import NETWORKS, check_address
from tradehook.errors import InvalidInput

EVM = [
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed",
    "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB",
    "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
]
BITCOIN = [
    "1BvBMSEYstWetqTFn5Au4m4GFg7xJaNVN2",
    "3J98t1WpEZ73CNmQviecrnyiWrnqRhWNLy",
    "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
    "bc1qrp33g0q5c5txsp9arysrx4k6zdkfs4nce4xj0gdcccefvpysxf3qccfmv3",
    "bc1p5cyxnuxmeuwuvkwfem96lqzszd02n6xdcjrs20cac6yqjjwudpxqkedrcr",
]
SOLANA = [
    "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
    "So11111111111111111111111111111111111111112",
]


@pytest.mark.parametrize("address", EVM)
def test_an_evm_address_in_its_checksum_or_in_one_case_is_taken_and_written_with_its_checksum(address):
    assert check_address(address, network="base") == address
    assert check_address(address.lower(), network="ethereum") == address
    assert check_address("0x" + address[2:].upper(), network="polygon_pos") == address


@pytest.mark.parametrize("address", EVM)
def test_a_changed_letter_of_a_checksummed_evm_address_is_found(address):
    changed = [
        address[:index] + other + address[index + 1 :]
        for index in range(2, 42)
        for other in "0123456789abcdef"
        if other != address[index].lower()
    ]
    passed = []
    for candidate in changed:
        try:
            passed.append(check_address(candidate, network="base"))
        except InvalidInput:
            continue
    # EIP-55 reckons with 1 in about 4,000 for a random address; of 600 one-letter changes none or one slips through.
    assert len(passed) <= 2


@pytest.mark.parametrize("address", BITCOIN)
def test_a_bitcoin_address_is_taken_and_every_changed_letter_of_it_found(address):
    assert check_address(address, network="bitcoin") == address
    for index in range(len(address)):
        other = "q" if address[index] != "q" else "p"
        with pytest.raises(InvalidInput):
            check_address(address[:index] + other + address[index + 1 :], network="bitcoin")


@pytest.mark.parametrize(
    "address",
    [
        "bc1p38j9r5y49hruaue7wxjce0updqjuyyx0kh56v8s25huc6995vvpql3jow4",
        "bc1p0xlxvlhemja6c4dqv22uapctqupfhlxm9h8z3k2e72q4k9hcz7vqh2y7hd",
        "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kemeawh",
        "BC1QR508D6QEJXTDG4Y5R3ZARVARYV98GJ9P",
        "bc1pw5dgrnzv",
        "bc1gmk9yu",
        "tb1qw508d6qejxtdg4y5r3zarvary0c5xw7kxpjzsx",
        "bc1Qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq",
        "2NBFNJTktNa7GZusGbDbGKRZTxdK9VVez3n",
    ],
)
def test_what_bip_350_calls_invalid_or_is_another_network_is_refused(address):
    with pytest.raises(InvalidInput):
        check_address(address, network="bitcoin")


def test_a_capital_segwit_address_is_written_small():
    assert check_address(BITCOIN[2].upper(), network="bitcoin") == BITCOIN[2]


@pytest.mark.parametrize("address", SOLANA)
def test_a_solana_address_is_taken(address):
    assert check_address(address, network="solana") == address


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize(
    "address",
    [
        "",
        " ",
        "0x",
        "0x" + "0" * 40,
        "1" * 32,
        "\u0410" * 40,
        "a" * 5000,
        "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe\n",
    ],
)
def test_what_is_no_address_anywhere_is_refused(network, address):
    with pytest.raises(InvalidInput):
        check_address(address, network=network)


@pytest.mark.parametrize(("address", "network"), [(EVM[0], "bitcoin"), (EVM[0], "solana"), (BITCOIN[0], "base")])
def test_an_address_of_another_network_is_refused(address, network):
    with pytest.raises(InvalidInput):
        check_address(address, network=network)


def test_an_unknown_network_is_refused_and_the_known_ones_named():
    with pytest.raises(InvalidInput, match="bitcoin"):
        check_address(EVM[0], network="dogecoin")
