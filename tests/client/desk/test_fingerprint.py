"""What is in a list is ours only when everything that was sent is echoed and equal; what is not told leaves doubt."""

from __future__ import annotations

import pytest

from tradehook.desk.fingerprint import Likeness, fingerprint, is_two_phase, likeness, moved_by
from tradehook.futures import FuturesOrder, SizedFuturesOrder
from tradehook.models import Order, OrderStatus, SizedOrder
from tradehook.transfers import SizedTransfer, Transfer, TransferStatus

EVM = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"

ORDER = SizedOrder(base="BTC", quote="PYUSD", side="buy", quantity="0.5", unit="base", price="100", typed="0.5")
MARKET = ORDER.model_copy(update={"price": None})
TRANSFER = SizedTransfer(
    asset="USDC", asset_id="usdc-base", quantity="5", to="cold", address=EVM, network="base", chain="base", typed="5"
)
OPENS = SizedFuturesOrder(
    contract="BTC/USDT", position_side="long", action="open", contracts="3", leverage=5, price="100", trigger="99",
    currency="USDT",
)  # fmt: skip
CLOSES = OPENS.model_copy(update={"action": "close", "leverage": None, "price": None, "trigger": None})


def made_order(**more) -> Order:
    told = {"base": "BTC", "quote": "PYUSD", "side": "buy", "quantity": "0.50", "unit": "base", "price": "100.0"}
    return Order(order_id="o-1", exchange_status="x", **{"status": OrderStatus.OPEN, **told, **more})


def made_transfer(**more) -> Transfer:
    told = {"asset_id": "usdc-base", "quantity": "5.00", "to": EVM, "chain": "base"}
    return Transfer(transfer_id="t-1", exchange_status="x", **{"status": TransferStatus.PENDING, **told, **more})


def made_futures(**more) -> FuturesOrder:
    told = {"contract": "BTC/USDT", "position_side": "long", "action": "open", "contracts": "3.0", "leverage": 5}
    return FuturesOrder(
        order_id="f-1", exchange_status="x",
        **{"status": OrderStatus.OPEN, **told, "price": "100.00", "trigger": "99", **more},
    )  # fmt: skip


def made_close(**more) -> FuturesOrder:
    return made_futures(**{"action": "close", "leverage": None, "price": None, "trigger": None, **more})


@pytest.mark.parametrize(
    ("sent", "made"),
    [(ORDER, made_order), (TRANSFER, made_transfer), (OPENS, made_futures), (CLOSES, made_close)],
)
def test_what_is_echoed_in_full_is_the_same_however_many_zeros_it_has(sent, made):
    assert likeness(sent, made()) is Likeness.SAME


@pytest.mark.parametrize("quote", ["USD", "USDC", None])
def test_the_exchange_may_call_its_money_otherwise_and_need_not_name_it(quote):
    assert likeness(ORDER, made_order(quote=quote)) is Likeness.SAME


@pytest.mark.parametrize(
    ("sent", "made", "other"),
    [
        (ORDER, made_order, {"base": "ETH"}),
        (ORDER, made_order, {"quote": "ETH"}),
        (
            ORDER.model_copy(update={"chain": "base", "price": None}),
            made_order,
            {"chain": "base", "quote": "USDC", "price": None},
        ),
        (ORDER, made_order, {"side": "sell"}),
        (ORDER, made_order, {"quantity": "0.500001"}),
        (ORDER, made_order, {"unit": "quote"}),
        (ORDER, made_order, {"price": "100.01"}),
        (ORDER, made_order, {"chain": "base"}),
        (MARKET, made_order, {"price": "100"}),
        (TRANSFER, made_transfer, {"asset_id": "usdc-solana"}),
        (TRANSFER, made_transfer, {"quantity": "5.01"}),
        (TRANSFER, made_transfer, {"to": "0x52908400098527886E0F7030069857D2E4169EE7"}),
        (TRANSFER, made_transfer, {"chain": "solana"}),
        (TRANSFER, made_transfer, {"chain": None}),
        (OPENS, made_futures, {"contract": "ETH/USDT"}),
        (OPENS, made_futures, {"position_side": "short"}),
        (OPENS, made_futures, {"action": "close"}),
        (OPENS, made_futures, {"contracts": "4"}),
        (OPENS, made_futures, {"leverage": 6}),
        (OPENS, made_futures, {"price": "101"}),
        (OPENS, made_futures, {"trigger": "98"}),
        (OPENS, made_futures, {"is_liquidation": True}),
        (CLOSES, made_close, {"price": "100"}),
        (CLOSES, made_close, {"trigger": "100"}),
    ],
)
def test_one_field_that_differs_makes_it_anothers(sent, made, other):
    assert likeness(sent, made(**other)) is Likeness.OTHER


@pytest.mark.parametrize(
    ("sent", "made", "missing"),
    [
        *((ORDER, made_order, name) for name in ("base", "side", "quantity", "unit", "price")),
        *((TRANSFER, made_transfer, name) for name in ("asset_id", "quantity", "to")),
        *(
            (OPENS, made_futures, name)
            for name in ("contract", "position_side", "action", "contracts", "leverage", "price", "trigger")
        ),
    ],
)
def test_what_is_not_told_leaves_doubt_and_excuses_nothing(sent, made, missing):
    assert likeness(sent, made(**{missing: None})) is Likeness.PERHAPS
    wrong = {"base": "ETH"} if missing != "base" else {"side": "sell"}
    if sent is TRANSFER:
        wrong = {"asset_id": "x"} if missing != "asset_id" else {"quantity": "6"}
    if sent is OPENS:
        wrong = {"contract": "ETH/USDT"} if missing != "contract" else {"contracts": "4"}
    assert likeness(sent, made(**{missing: None, **wrong})) is Likeness.OTHER


def test_a_market_order_whose_price_is_not_told_is_the_same():
    assert likeness(MARKET, made_order(price=None)) is Likeness.SAME


def test_a_close_that_is_told_with_a_leverage_is_still_the_same():
    assert likeness(CLOSES, made_close(leverage=7)) is Likeness.SAME


@pytest.mark.parametrize(
    ("sent", "made"),
    [
        (ORDER, made_order(status=OrderStatus.CREATED)),
        (TRANSFER, made_transfer(status=TransferStatus.CREATED)),
        (ORDER, made_transfer()),
        (ORDER, made_futures()),
        (TRANSFER, made_order()),
        (TRANSFER, made_futures()),
        (OPENS, made_order()),
        (OPENS, made_transfer()),
    ],
)
def test_what_waits_for_a_signature_or_is_of_another_kind_is_anothers(sent, made):
    assert likeness(sent, made) is Likeness.OTHER


def test_only_an_evm_address_is_the_same_in_any_case():
    assert likeness(TRANSFER, made_transfer(to=EVM.lower())) is Likeness.SAME
    solana = TRANSFER.model_copy(update={"address": "AbCdEf", "network": "solana"})
    assert likeness(solana, made_transfer(to="AbCdEf")) is Likeness.SAME
    assert likeness(solana, made_transfer(to="abcdef")) is Likeness.OTHER


@pytest.mark.parametrize(
    ("kind", "settled", "others"),
    [
        (
            "order",
            ORDER,
            [
                {"base": "ETH"}, {"quote": "USDC"}, {"side": "sell"}, {"quantity": "0.6"}, {"unit": "quote"},
                {"price": None}, {"chain": "base"},
            ],
        ),
        (
            "transfer",
            TRANSFER,
            [{"asset_id": "x"}, {"quantity": "6"}, {"address": "y"}, {"network": "solana"}, {"chain": None}],
        ),
        (
            "futures",
            OPENS,
            [
                {"contract": "ETH/USDT"}, {"position_side": "short"}, {"action": "close"}, {"contracts": "4"},
                {"leverage": 6}, {"price": "101"}, {"trigger": None},
            ],
        ),
    ],
)  # fmt: skip
def test_a_fingerprint_changes_with_every_field_that_is_echoed_and_with_no_other(kind, settled, others):
    request = settled.to_dict()
    marks = [fingerprint(kind, request | changed) for changed in ({}, *others)]
    assert len(set(marks)) == len(marks)
    zeros = next(name for name in ("contracts", "quantity") if name in request)
    assert (
        fingerprint(kind, request | {zeros: f"{request[zeros]}{'0' if '.' in str(request[zeros]) else '.0'}"})
        == marks[0]
    )
    typed = {"typed": "as somebody wrote it"} if "typed" in request else {"margin": "7"}
    assert fingerprint(kind, request | typed) == marks[0]


def test_a_fingerprint_stays_what_it_was():
    """Journals hold them: an update that changes one forgets what is in doubt."""
    assert fingerprint("order", ORDER.to_dict()) == fingerprint("order", {**ORDER.to_dict(), "price": "100.00"})
    assert fingerprint("order", ORDER.to_dict()).startswith("dca874fd12e13bf5")
    assert fingerprint("transfer", TRANSFER.to_dict()).startswith("4709d2c1cbf348f8")
    assert fingerprint("futures", OPENS.to_dict()).startswith("38766fafeb48afc8")


def test_what_is_on_a_chain_takes_two_steps():
    assert is_two_phase(TRANSFER)
    assert is_two_phase(ORDER.model_copy(update={"chain": "base"}))
    assert not is_two_phase(ORDER)
    assert not is_two_phase(OPENS)


@pytest.mark.parametrize(
    ("settled", "names"),
    [(ORDER, ("BTC", "PYUSD")), (TRANSFER, ("USDC",)), (OPENS, ("USDT", "long BTC/USDT"))],
)
def test_what_each_kind_moves_is_named_as_balances_and_positions_are(settled, names):
    assert moved_by(settled) == names
