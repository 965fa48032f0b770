"""What differs between an order, a transfer and a futures order: what is told, what was approved, and what is missing."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import update
from tests.client.desk.test_create_transfer import AT_EXCHANGE as BITCOIN
from tests.client.desk.test_create_transfer import ON_CHAIN, opened
from tests.client.desk.test_futures import lose, make_futures_world, opening, place

from tradehook.desk import futures_deed
from tradehook.desk.deeds import OrderDeed, TransferDeed, TransferOutcome
from tradehook.desk.deeds import Outcome as OrderOutcome
from tradehook.desk.futures_deed import FuturesDeed, check_sandbox
from tradehook.desk.tables import INTENT
from tradehook.errors import GuardRefused, InvalidInput, UnexpectedResponse
from tradehook.models import NewOrder, SizedOrder
from tradehook.run import run
from tradehook.transfers import SizedTransfer

__all__ = ["make_futures_world", "opened"]

AT_EXCHANGE = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")
SIGNED = NewOrder.of("CBBTC/USDC", side="buy", amount="$100", chain="base")
ORDER = SizedOrder(
    base="CBBTC", quote="USDC", side="buy", quantity="100", unit="quote", typed="$100", price="50000", chain="base",
    base_address="0x1", good_for=timedelta(hours=1),
)  # fmt: skip
TRANSFER = SizedTransfer(
    asset="USDC", asset_id="a-1", quantity="5", to="cold", address="0x1", network="base", chain="base", typed="5"
)


# --- what its caller gets -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [AT_EXCHANGE, SIGNED], ids=["at the exchange", "signed"])
@pytest.mark.parametrize("is_lost", [False, True])
def test_an_order_is_told_with_how_it_came_about(world, order, is_lost):
    if is_lost:
        world.fault("timeout_after", path="/orders/{id}/execute" if order is SIGNED else "/orders")
    desk = world.desk()
    for is_stored in (False, True):
        outcome = desk.place_order(order, intent_id="i-1", source="test")
        told = outcome.to_dict()
        assert (told["intent_id"], told["order_id"]) == ("i-1", outcome.order.order_id)
        # What was signed was created before, so it has an id, and is not looked for.
        was_found = is_lost and order is AT_EXCHANGE
        assert (told["is_stored"], told["was_found"]) == (is_stored, was_found)
        assert (told["sent"]["base"], told["payloads"]) == (order.base, [])


@pytest.mark.parametrize("transfer", [ON_CHAIN, BITCOIN], ids=["signed", "at the exchange"])
def test_a_transfer_is_told_with_how_it_came_about(world, opened, transfer):
    for is_stored in (False, True):
        outcome = opened.create_transfer(transfer, intent_id="t-1", source="test")
        told = outcome.to_dict()
        assert (told["intent_id"], told["transfer_id"]) == ("t-1", outcome.transfer.transfer_id)
        assert (told["is_stored"], told["was_found"]) == (is_stored, False)
        assert (told["sent"]["to"], told["payloads"]) == (transfer.to, [])


def test_a_transfer_whose_answer_was_lost_is_told_as_found(world, opened):
    world.fault("timeout_after", path="/transfers")
    told = opened.create_transfer(BITCOIN, intent_id="t-1", source="test").to_dict()
    assert (told["is_stored"], told["was_found"]) == (False, True)


def test_a_futures_order_is_told_with_how_it_came_about(make_futures_world):
    world = make_futures_world()
    desk = world.desk()
    told = place(desk).to_dict()
    assert (told["intent_id"], told["is_stored"], told["was_found"]) == ("f-1", False, False)
    world.fault("timeout_after")
    assert place(desk, opening("11"), "f-2").to_dict()["was_found"] is True


def test_what_is_to_be_signed_is_told_to_nobody(world, opened):
    waits = opened.preview_order(SIGNED, source="test")
    assert waits.made.payloads
    assert OrderOutcome("i-1", waits.made, waits.sized, is_stored=False).to_dict()["payloads"] == []
    sent = opened.create_transfer(ON_CHAIN, intent_id="t-1", source="test")
    transfer = sent.transfer.model_copy(update={"payloads": waits.made.payloads})
    assert TransferOutcome("t-1", transfer, sent.sized, is_stored=False).to_dict()["payloads"] == []


@pytest.mark.parametrize("column", ["seen", "request"])
@pytest.mark.parametrize("kind", ["order", "transfer", "futures"])
def test_what_is_not_in_the_journal_is_said_with_the_exchange_that_has_it(opened, make_futures_world, kind, column):
    desk, deed = opened, OrderDeed(AT_EXCHANGE)
    if kind == "futures":
        desk, deed = make_futures_world().desk(), FuturesDeed(opening())
        place(desk)
    elif kind == "transfer":
        deed = TransferDeed(BITCOIN, desk.journal.destinations)
        desk.create_transfer(BITCOIN, intent_id="f-1", source="test")
    else:
        desk.place_order(AT_EXCHANGE, intent_id="f-1", source="test")
    with desk.journal.engine.begin() as connection:
        connection.execute(update(INTENT).values({column: None}))
    with pytest.raises(UnexpectedResponse) as caught:
        deed.outcome(desk.journal.get("f-1"), is_stored=True)
    assert caught.value.exchange == desk.exchange.spec.name
    assert caught.value.message == "Intent f-1 was accepted, but what came of it is not in the journal."


# --- what a person approved ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"base": "SOL"}, {"quote": "PYUSD"}, {"side": "sell"}, {"quantity": Decimal(101)}, {"unit": "base"},
        {"price": Decimal(50001)}, {"chain": "solana"}, {"base_address": "0x2"}, {"good_for": None},
    ],
    ids=lambda changed: next(iter(changed)),
)  # fmt: skip
def test_an_order_with_other_terms_was_not_approved(changed):
    deed = OrderDeed(SIGNED)
    assert deed.terms(ORDER.model_copy(update=changed)) != deed.terms(ORDER)
    assert deed.terms(ORDER.model_copy(update={"reference_price": Decimal(49000)})) == deed.terms(ORDER)
    assert deed.restore(ORDER.to_dict()) == ORDER


@pytest.mark.parametrize(
    "changed",
    [{"asset_id": "a-2"}, {"quantity": Decimal(6)}, {"address": "0x2"}, {"network": "x"}, {"chain": None}],
    ids=lambda changed: next(iter(changed)),
)
def test_a_transfer_with_other_terms_was_not_approved(changed):
    deed = TransferDeed(ON_CHAIN, destinations=None)
    assert deed.terms(TRANSFER.model_copy(update=changed)) != deed.terms(TRANSFER)
    assert deed.terms(TRANSFER.model_copy(update={"typed": "5.0"})) == deed.terms(TRANSFER)
    assert deed.restore(TRANSFER.to_dict()) == TRANSFER


def test_only_an_order_is_told_apart_by_a_trifle(world):
    exchange = world.exchange()
    large = NewOrder.of("BTC/PYUSD", side="sell", amount="0.5")
    sized = run(exchange.size_order(large))
    names = [f"i-{number}" for number in range(9)]
    tagged = [OrderDeed(large).tagged(exchange, sized, by=name) for name in names]
    assert tagged == [exchange.tag_order(sized, by=name) for name in names]
    assert len({one.quantity for one in tagged}) > 1
    assert TransferDeed(ON_CHAIN, destinations=None).tagged(exchange, TRANSFER, by="i-1") is TRANSFER


def test_each_says_in_words_what_it_does():
    assert TransferDeed(ON_CHAIN, destinations=None).words(TRANSFER).startswith("Send 5.00 USDC on base to cold")
    assert "CBBTC" in OrderDeed(SIGNED).words(ORDER)


# --- futures ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("more", [{"price": Decimal(80_000)}, {"trigger": Decimal(90_000)}], ids=["limit", "trigger"])
def test_what_a_person_says_was_placed_is_told_as_it_was_sent(make_futures_world, more):
    world = make_futures_world(fintrusted_futures_list="positions")
    desk = world.desk()
    asked = opening("7", "short", **more)
    world.fault("timeout_after")
    lose(desk, asked)
    desk.resolve("f-1", "placed:CE17", by="lutz", why="seen on the site")
    outcome = place(desk, asked)
    order, sent = outcome.order, outcome.sized
    assert (order.order_id, order.status, order.exchange_status) == ("CE17", "accepted", "told by a person")
    names = ("contract", "position_side", "action", "contracts", "leverage", "price", "trigger")
    assert {name: getattr(order, name) for name in names} == {name: getattr(sent, name) for name in names}
    assert (str(order.position_side), order.contracts) == ("short", 7)
    assert {name: getattr(order, name) for name in more} == more


def test_the_wallet_and_the_position_that_an_order_moves_are_noted(make_futures_world):
    desk = make_futures_world().desk()
    place(desk)
    sized = run(desk.exchange.futures.size(opening()))
    (wallet,) = [one for one in run(desk.exchange.futures.wallets()) if one.contract == sized.contract]
    noted = run(futures_deed.held(desk.exchange, sized))
    assert noted == {
        sized.currency: f"{wallet.total.normalize():f}/{wallet.available.normalize():f}",
        f"long {sized.contract}": "10/10",
    }


def test_futures_go_to_sandboxes_only(make_futures_world, monkeypatch):
    check_sandbox(is_live=False)
    with pytest.raises(GuardRefused) as caught:
        check_sandbox(is_live=True)
    refused = caught.value
    assert (refused.rule, refused.limit, refused.actual) == ("futures", "sandbox", "live")
    assert refused.message == (
        "Futures are traded in the sandbox only: how their orders are written is not documented anywhere. Nothing was "
        "sent."
    )
    exchange = make_futures_world().exchange()
    with pytest.raises(InvalidInput, match=r"^Futures orders are sent in one step: there is nothing to sign\.$") as no:
        FuturesDeed(opening()).execute(exchange, settled=None, created=None)
    assert no.value.exchange == exchange.spec.name
    monkeypatch.setattr(exchange, "futures", None)
    with pytest.raises(InvalidInput) as missing:
        futures_deed.futures_of(exchange)
    assert (missing.value.message, missing.value.exchange) == (
        f"{exchange.spec.label} has no futures.", exchange.spec.name,
    )  # fmt: skip


def test_an_exchange_that_has_none_says_so_in_its_own_words(world):
    exchange = world.exchange()
    with pytest.raises(InvalidInput) as caught:
        futures_deed.futures_of(exchange)
    assert caught.value.exchange == exchange.spec.name
    assert caught.value.message == exchange.spec.capabilities.cannot["futures"]
