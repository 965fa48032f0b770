"""Transfers move once, only to addresses on the list, and only what was asked for is signed."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal

import pytest

from tradehook.amounts import parse_amount
from tradehook.desk.intents import State
from tradehook.errors import (
    GuardRefused,
    IntentConflict,
    InvalidInput,
    OutcomeUnknown,
    PayloadMismatch,
    TradehookError,
)
from tradehook.run import run, run_each
from tradehook.transfers import NewTransfer, TransferStatus
from tradehook.wire import encode_json

STORES = ("sqlite", "postgres")
BASE, BITCOIN = "0x52908400098527886E0F7030069857D2E4169EE7", "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"
OTHER = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def new(asset="USDC", amount="5", to="cold", chain="base") -> NewTransfer:
    return NewTransfer(asset=asset, amount=parse_amount(amount), to=to, chain=chain)


ON_CHAIN, AT_EXCHANGE = new(), new("BTC", "0.01", "vault", None)


@pytest.fixture
def opened(world):
    """A desk with two destinations on its list."""
    desk = world.desk()
    add_destinations(desk)
    return desk


def add_destinations(desk) -> None:
    desk.journal.destinations.add(desk.exchange.host, "cold", network="base", address=BASE, by="test")
    desk.journal.destinations.add(desk.exchange.host, "vault", network="bitcoin", address=BITCOIN, by="test")


def sent(world) -> int:
    """How many transfers are there for money, once everything that comes late has come."""
    world.sandbox.clock.advance(120)
    ledger = world.admin("GET", "ledger")
    assert ledger["balanced"] is True
    return ledger["transfers"]


def total(desk, symbol, chain=None) -> Decimal:
    return sum(row.total for row in run(desk.exchange.balances()) if (row.symbol, row.chain) == (symbol, chain))


# --- the two ways -------------------------------------------------------------------------------------------------


def test_on_chain_it_is_created_signed_and_completes(world, opened):
    before = total(opened, "USDC", "base")
    outcome = opened.create_transfer(ON_CHAIN, intent_id="t-1", source="test")
    assert outcome.transfer.status is TransferStatus.PENDING
    assert outcome.transfer.to.lower() == BASE.lower()
    world.sandbox.clock.advance(120)
    transfer = opened.follow_transfer("t-1")
    assert (transfer.status, transfer.quantity) == (TransferStatus.COMPLETED, Decimal(5))
    assert total(opened, "USDC", "base") == before - 5
    what = [event["what"] for event in opened.journal.events("t-1")]
    assert what[:5] == ["prepared", "sending", "created", "executing", "accepted"]
    assert sent(world) == 1


def test_from_the_exchange_it_is_paid_out_in_one_step(world, opened):
    before = total(opened, "BTC")
    outcome = opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert (outcome.transfer.status, outcome.transfer.chain) == (TransferStatus.PENDING, None)
    assert world.sends("POST", "/execute") == 0
    world.sandbox.clock.advance(120)
    transfer = opened.follow_transfer("t-1")
    assert transfer.status is TransferStatus.COMPLETED
    # The arithmetic that was seen live: the fee comes off twice.
    assert transfer.sent == transfer.quantity - transfer.fee
    assert transfer.received == transfer.sent - transfer.fee
    assert total(opened, "BTC") == before - Decimal("0.01")


def test_the_same_intent_returns_what_is_stored_and_sends_nothing(world, opened):
    first = opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    again = world.desk().create_transfer(AT_EXCHANGE, intent_id="t-1", source="somebody else")
    assert again.is_stored
    assert again.transfer.transfer_id == first.transfer.transfer_id
    assert world.sends("POST", "/transfers") == 1
    for other in (ON_CHAIN, new("BTC", "0.02", "vault", None)):
        with pytest.raises(IntentConflict):
            opened.create_transfer(other, intent_id="t-1", source="test")
    assert sent(world) == 1


# --- doubt --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "status"),
    [("error_after", 503), ("error_after", 500), ("timeout_after", None), ("garbled", None), ("late_accept", 503)],
)
def test_a_payout_whose_answer_was_lost_is_found_in_the_list_and_never_sent_again(world, opened, kind, status):
    world.fault(kind, path="/transfers", status=status)
    for desk in (opened, world.desk(), world.desk()):
        assert desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test").transfer.transfer_id
    assert opened.journal.get("t-1").state is State.MATCHED
    assert world.sends("POST", "/transfers") == 1
    assert sent(world) == 1


def test_a_payout_that_is_not_there_stays_unknown_and_is_never_sent_again(world, opened):
    world.fault("error_before", path="/transfers", status=503)
    for desk in (opened, world.desk(), world.desk()):
        with pytest.raises(OutcomeUnknown, match="tradehook transfers") as caught:
            desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
        assert caught.value.intent_id == "t-1"
        world.sandbox.clock.advance(3600)
    assert opened.journal.get("t-1").state is State.UNKNOWN
    assert world.sends("POST", "/transfers") == 1
    assert sent(world) == 0


@pytest.mark.parametrize("kind", ["error_before", "error_after", "timeout_after", "garbled", "rate_limited", "slow"])
@pytest.mark.parametrize("path", ["/transfers", "/transfers/{id}/execute"])
def test_doubt_about_a_signed_transfer_is_resolved_to_exactly_one(world, opened, kind, path):
    world.fault(kind, path=path, delay_seconds=3)
    opened.create_transfer(ON_CHAIN, intent_id="t-1", source="test")
    world.sandbox.clock.advance(120)
    assert opened.follow_transfer("t-1").status is TransferStatus.COMPLETED
    assert sent(world) == 1


@pytest.mark.parametrize("kind", ["rate_limited", "edge_html"])
def test_a_definite_no_is_no_doubt(world, opened, kind):
    world.fault(kind, path="/transfers")
    try:
        opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    except TradehookError:
        assert kind == "edge_html"
        assert opened.journal.get("t-1").state is State.REJECTED
    assert sent(world) == (1 if kind == "rate_limited" else 0)


@pytest.mark.parametrize("transfer", [ON_CHAIN, AT_EXCHANGE], ids=["chain", "exchange"])
def test_stopped_dead_at_any_wait_there_is_at_most_one_transfer(make_world, transfer):
    for stop_at in range(1, 60):
        world = make_world()
        first = world.desk(stop_at=stop_at)
        add_destinations(first)
        stopped = False
        try:
            first.create_transfer(transfer, intent_id="t-1", source="test")
        except BaseException:  # noqa: BLE001 - a kill is no ordinary error
            stopped = True
        second = world.desk()
        with suppress(OutcomeUnknown):  # held: an execute may still be on its way
            second.create_transfer(transfer, intent_id="t-1", source="test")
        assert sent(world) <= 1
        if not stopped:
            return
    raise AssertionError("it never ran to its end")


# --- what is not sent ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("transfer", "says"),
    [
        (new(to="nobody"), "there is cold, vault"),
        (new(to="vault"), "is an address on bitcoin"),
        (new("BTC", "0.01", "cold", None), "can go to bitcoin"),
        (new("USDC", "5", "cold", None), "--chain base"),
        (new("DOGE", "5", "cold", None), "the exchange holds"),
        (new("USDC", "0.0000001"), "smallest"),
        (new(chain="dogechain"), "no chain dogechain"),
    ],
)
def test_what_cannot_be_sent_as_asked_is_refused_before_anything_is(world, opened, transfer, says):
    with pytest.raises(InvalidInput, match=says):
        opened.create_transfer(transfer, intent_id="t-1", source="test")
    assert world.sends("POST", "/transfers") == 0


@pytest.mark.parametrize("to", [BASE, BITCOIN, "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v", "", "../x"])
def test_an_address_is_no_destination(to):
    with pytest.raises(InvalidInput, match="not to addresses"):
        new(to=to)


@pytest.mark.parametrize("amount", ["$5", "0", "-1", "1,000"])
def test_an_amount_that_is_none_for_a_transfer(amount):
    with pytest.raises(InvalidInput):
        new(amount=amount)


def test_more_than_there_is_is_rejected_by_name(world, opened):
    with pytest.raises(TradehookError, match="insufficient"):
        opened.create_transfer(new("BTC", "100", "vault", None), intent_id="t-1", source="test")
    assert sent(world) == 0


def test_a_share_is_settled_once(world, opened):
    sized = run(opened.size_transfer(new("USDC", "50%")))
    assert sized.quantity == total(opened, "USDC", "base") / 2
    opened.create_transfer(new("USDC", "50%"), intent_id="t-1", source="test")
    world.sandbox.clock.advance(60)
    again = opened.create_transfer(new("USDC", "50%"), intent_id="t-1", source="test")
    assert again.sized.quantity == sized.quantity
    assert sent(world) == 1


def test_a_freeze_stops_transfers(world, opened):
    opened.journal.set_trading_state("HALTED", by="test")
    with pytest.raises(GuardRefused) as caught:
        opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert caught.value.rule == "frozen"
    opened.journal.set_trading_state("NORMAL", by="test")
    opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert sent(world) == 1


def test_live_sends_no_transfer(world):
    desk = world.desk(environment="live", base_url="https://api.truemarkets.co")
    add_destinations(desk)
    with pytest.raises(GuardRefused) as caught:
        desk.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert caught.value.rule == "live"
    assert world.sends("POST", "/transfers") == 0


def test_a_destination_taken_off_meanwhile_stops_what_was_settled(world, opened):
    world.fault("error_before", path="/api-key/token", method="POST")
    sized = run(opened.size_transfer(AT_EXCHANGE))
    opened.journal.destinations.remove(opened.exchange.host, "vault", by="test")
    with pytest.raises(GuardRefused) as caught:
        opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test", sized=sized)
    assert caught.value.rule == "destination"
    assert world.sends("POST", "/transfers") == 0


# --- what is signed -----------------------------------------------------------------------------------------------


def tampering(desk, change) -> None:
    """Let `change` alter the answer to a create."""
    line = desk.exchange.session.line
    plain = line.respond

    def respond(request):
        answer = plain(request)
        if request.method == "POST" and request.path.endswith("/transfers"):
            body = answer.response.json()
            change(body)
            content = encode_json(body)
            answer = type(answer)(type(answer.response)(answer.response.status, {}, content), answer.delay_seconds)
        return answer

    line.respond = respond


def payload_with(**changes):
    def change(body) -> None:
        import hashlib

        for item in body["payloads"]:
            activity = json.loads(item["payload"])
            for name, value in changes.items():
                if value is None:
                    del activity["parameters"][name]
                else:
                    activity["parameters"][name] = value
            item["payload"] = json.dumps(activity)
            item["digest"] = hashlib.sha256(item["payload"].encode()).hexdigest()

    return change


@pytest.mark.parametrize(
    "change",
    [
        payload_with(recipient=OTHER),
        payload_with(recipient=None),
        payload_with(amount="50"),
        payload_with(asset=OTHER),
        payload_with(chain="solana"),
        payload_with(action="approve"),
        payload_with(transferId="another"),
        lambda body: body["payloads"][0].update(digest="00"),
        lambda body: body["payloads"][0].update(payload="not readable"),
        lambda body: body["payloads"].append({"digest": "00", "payload": "{}"}),
        lambda body: body.update(to=OTHER),
        lambda body: body.update(qty="6"),
        lambda body: body.update(asset_id="another"),
    ],
)
def test_what_is_not_what_was_asked_for_is_not_signed(world, opened, change):
    tampering(opened, change)
    with pytest.raises(PayloadMismatch, match="Not signed"):
        opened.create_transfer(ON_CHAIN, intent_id="t-1", source="test")
    assert world.sends("POST", "/execute") == 0
    assert sent(world) == 0


def test_a_payout_that_suddenly_wants_a_signature_gets_none(world, opened):
    tampering(
        opened, lambda body: body.update(payloads=[{"digest": "d", "payload": "{}"}], status="awaiting_signature")
    )
    with pytest.raises(GuardRefused) as caught:
        opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    assert caught.value.rule == "bridge"
    assert world.sends("POST", "/execute") == 0


# --- reading ------------------------------------------------------------------------------------------------------


def test_lists_single_reads_and_the_sweep_agree(world, opened):
    for number, transfer in enumerate((ON_CHAIN, AT_EXCHANGE, new("USDC", "1"))):
        opened.create_transfer(transfer, intent_id=f"t-{number}", source="test")
        world.sandbox.clock.advance(1)
    listed = list(run_each(opened.exchange.list_transfers()))
    assert [entry.asset for entry in listed] == ["USDC", "BTC", "USDC"]
    for entry in listed:
        assert run(opened.exchange.get_transfer(entry.transfer_id)).transfer_id == entry.transfer_id
    world.sandbox.clock.advance(120)
    changed = {change.intent.intent_id: change.made.status for change in opened.sweep()}
    assert changed == dict.fromkeys(("t-0", "t-1", "t-2"), TransferStatus.COMPLETED)
    assert opened.sweep() == []
    done = list(run_each(opened.exchange.list_transfers(status=TransferStatus.COMPLETED)))
    assert {entry.transfer_id for entry in done} == {entry.transfer_id for entry in listed}
    assert list(run_each(opened.exchange.list_transfers(status=TransferStatus.FAILED))) == []


def test_the_portfolio_and_the_history_tell_of_it(world, opened):
    opened.create_transfer(AT_EXCHANGE, intent_id="t-1", source="test")
    world.sandbox.clock.advance(120)
    portfolio = run(opened.exchange.portfolio())
    worth = sum(part.value for part in portfolio.parts if part.value is not None)
    assert abs(portfolio.total - worth) < Decimal("0.05") * len(portfolio.parts)
    found = [entry for entry in run_each(opened.exchange.list_transactions()) if entry.kind == "transfer"]
    assert [(entry.asset, entry.direction) for entry in found] == [("BTC", "out")]
