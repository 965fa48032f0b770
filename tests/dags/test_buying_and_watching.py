"""`dollar_cost_average`, `order_monitor` and `daily_report`, in a real Airflow against a real sandbox."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO

import pytest
from PIL import Image

AT = datetime(2026, 5, 4, 8, tzinfo=UTC)


# --- dollar_cost_average ----------------------------------------------------------------------------------------------


def test_it_buys_the_amount_and_tells(run_dag, money, chat):
    before = money.orders()
    run = run_dag("dollar_cost_average", {"telegram": "telegram_default"})
    assert run.state == "success", run.output
    quote, bought = run.result("quote"), run.result("buy")
    assert (quote["market"], quote["side"], quote["asked"]) == ("BTC/PYUSD", "buy", {"quantity": "25", "unit": "quote"})
    assert (bought["status"], bought["side"]) == ("filled", "buy")
    worth = Decimal(bought["filled"]) * Decimal(bought["average_price"])
    assert Decimal(20) < worth <= Decimal("25.25")
    assert money.orders() - before == 1
    told = f"BTC/PYUSD: {bought['filled']} at {bought['average_price']} (true_markets_default)"
    assert chat.told() == [f"Bought\n{told}"]


def test_a_run_that_comes_again_buys_nothing_more_and_a_later_one_does(run_dag, money):
    before = money.orders()
    first = run_dag("dollar_cost_average", at=AT)
    again = run_dag("dollar_cost_average", at=AT)
    assert (first.state, again.state) == ("success", "success"), again.output
    assert "Not sent again" in again.output
    assert again.result("buy")["order_id"] == first.result("buy")["order_id"]
    assert money.orders() - before == 1
    run_dag("dollar_cost_average", at=AT + timedelta(days=7))
    assert money.orders() - before == 2


@pytest.mark.usefixtures("unhurried")
def test_a_lost_answer_is_found_and_nothing_is_bought_twice(run_dag, money, chat):
    before = money.orders()
    money.fault("error_after", status=503)
    run = run_dag("dollar_cost_average", {"telegram": "telegram_default"}, at=AT + timedelta(days=21))
    assert run.state == "success", run.output
    assert money.orders() - before == 1
    assert chat.told()[0].startswith("Bought\nBTC/PYUSD: ")


def test_amounts_arrive_as_they_were_written(run_dag, money):
    run = run_dag("dollar_cost_average", {"market": "ETH/PYUSD", "amount": "0.012", "max_slippage": "2.5"})
    assert run.state == "success", run.output
    assert run.result("buy")["filled"] == "0.012"


def test_what_cannot_be_bought_is_told_and_nothing_is_sent(run_dag, money, chat):
    before = money.orders()
    run = run_dag("dollar_cost_average", {"market": "NOSUCH/PYUSD", "telegram": "telegram_default"})
    assert run.state == "failed"
    assert money.orders() == before
    money.admin("POST", "balances", {"symbol": "PYUSD", "available": "5"})
    try:
        run = run_dag("dollar_cost_average", {"telegram": "telegram_default"})
    finally:
        money.admin("POST", "balances", {"symbol": "PYUSD", "available": "10000"})
    assert (run.task_state("quote"), run.task_state("buy")) == ("success", "failed"), run.output
    unknown, poor = chat.told()
    assert unknown.startswith("Not bought\nNOSUCH/PYUSD (true_markets_default): ")
    assert poor.startswith("Not bought\nBTC/PYUSD (true_markets_default): ")
    assert "Nothing was sent." in poor
    assert money.orders() == before


def test_whoever_gives_no_chat_is_not_warned_about_one(run_dag, money, chat):
    run = run_dag("dollar_cost_average", at=AT + timedelta(days=14))
    assert run.state == "success", run.output
    assert "Not told in Telegram" not in run.output
    assert chat.told() == []


# --- order_monitor ----------------------------------------------------------------------------------------------------


REST = {"price": "50000", "good_for": "1h"}


@pytest.fixture
def nothing_rests(money, hook):
    """Other tests of this file leave none behind."""
    yield
    money.clear_faults()
    for order in hook.desk.open_orders():
        hook.desk.cancel_order(order.order_id)


@pytest.mark.usefixtures("nothing_rests")
def test_where_all_is_well_it_is_silent(run_dag, money, hook, place, chat):
    place("rests", **REST)
    run = run_dag("order_monitor")
    assert run.state == "success", run.output
    assert run.task_state("tell") == "skipped"
    assert run.result("look") == {"unknown": [], "stuck": [], "problem": "", "text": "", "key": ""}
    assert chat.told() == []


@pytest.mark.usefixtures("nothing_rests", "unhurried")
def test_what_needs_a_person_is_told_in_one_message_with_what_to_type(run_dag, money, hook, place, chat):
    from tradehook.errors import OutcomeUnknown

    stuck = place("rests", **REST)
    money.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        place("lost")
    time.sleep(1)
    run = run_dag("order_monitor", {"older_than": "1s"})
    assert run.state == "success", run.output
    look = run.result("look")
    assert [each["intent_id"] for each in look["unknown"]] == ["lost"]
    assert [(each["exchange_id"], each["intent_id"]) for each in look["stuck"]] == [(stuck, "rests")]
    (told,) = chat.told()
    assert told.startswith(
        "Trades need a look\ntrue_markets_default\n• UNKNOWN, from Airflow (elsewhere): The order was"
    )
    assert "`tradehook intents show lost`" in told
    assert "• Open: buy 0.0010 BTC at 50,000" in told
    assert f"`tradehook order cancel {stuck}`" in told
    # The same trouble is told once, until it changes or the time for a reminder has come.
    again = run_dag("order_monitor", {"older_than": "1s"})
    assert (again.state, again.task_state("tell")) == ("success", "skipped"), again.output
    assert "The same was told at " in again.output
    assert len(chat.told()) == 1
    time.sleep(1)
    again = run_dag("order_monitor", {"older_than": "1s", "repeat_after": "1s"})
    assert again.task_state("tell") == "success", again.output
    assert len(chat.told()) == 2
    hook.desk.cancel_order(stuck)
    while not hook.get_conn().get_order(stuck).is_final:
        time.sleep(0.2)
    again = run_dag("order_monitor", {"older_than": "1s"})
    assert again.result("look")["stuck"] == [], again.output
    assert len(chat.told()) == 3


@pytest.mark.usefixtures("nothing_rests")
def test_where_the_exchange_is_out_of_reach_the_journal_tells(run_dag, money, place, chat):
    stuck = place("rests", **REST)
    time.sleep(1)
    money.fault("error_before", method="GET", path="/orders", status=503, times=None)
    run = run_dag("order_monitor", {"older_than": "1s"})
    assert run.state == "success", run.output
    (told,) = chat.told()
    assert "The exchange could not be looked at: " in told
    assert f"`tradehook order cancel {stuck}`" in told


@pytest.mark.usefixtures("nothing_rests")
def test_what_has_rested_for_as_long_as_it_may_is_canceled_and_not_told(run_dag, money, hook, place, chat):
    order_id = place("brief", price="50000", good_for="1s")
    time.sleep(1.5)
    run = run_dag("order_monitor", {"older_than": "1h"})
    assert run.state == "success", run.output
    assert str(hook.get_conn().get_order(order_id).status) in ("canceled", "canceling")
    assert chat.told() == []


@pytest.mark.usefixtures("nothing_rests")
def test_trouble_that_nobody_can_be_told_of_fails_the_run(run_dag, money, hook, place, chat):
    place("rests", **REST)
    time.sleep(1)
    chat.fail(kind="error_before", status=502)
    run = run_dag("order_monitor", {"older_than": "1s"})
    assert (run.state, run.tries("tell"), len(chat.told())) == ("success", 2, 1), run.output
    chat.fail(kind="error_before", status=502, times=3)
    time.sleep(1)
    run = run_dag("order_monitor", {"older_than": "1s", "repeat_after": "1s"})
    assert (run.state, run.task_state("tell"), run.tries("tell")) == ("failed", "failed", 3), run.output
    assert "Not told in Telegram: Telegram answered 502" in run.output
    run = run_dag("order_monitor", {"older_than": "1s", "repeat_after": "1s", "telegram": "nobody"})
    assert (run.state, run.tries("tell")) == ("failed", 1)
    assert "There is no connection nobody, so nobody is told." in run.output
    assert chat.token not in run.output


def test_a_transfer_that_does_not_arrive_is_told():
    """As the journal has it, and more than a message holds is counted."""
    from tradehook_provider.reporting import MOST, Stuck, Trouble, trouble_lines

    stuck = [
        Stuck("transfer", f"t-{n}", f"i-{n}", "On its way: 5.00 USDC", AT, f"tradehook intents show i-{n}")
        for n in range(MOST + 3)
    ]
    lines = trouble_lines(Trouble([], stuck), account="main", now=AT + timedelta(hours=26))
    assert lines[:2] == ["main", "• On its way: 5.00 USDC, for 26 h. `tradehook intents show i-0`"]
    assert lines[-1] == "• and 3 more that are open: `tradehook orders`, `tradehook transfers`"
    assert len(lines) == MOST + 2


# --- daily_report -----------------------------------------------------------------------------------------------------


def test_it_tells_what_is_held_and_what_was_done(run_dag, money, hook, place, chat):
    sold = place("sold", side="sell", amount="0.01")
    while not hook.get_conn().get_order(sold).is_final:
        time.sleep(0.2)
    run = run_dag("daily_report")
    assert run.state == "success", run.output
    report = run.result("report")
    held = {row["symbol"]: row for row in report["assets"] if row["chain"] is None}
    assert held["PYUSD"]["price"] == "1"
    assert Decimal(held["BTC"]["value"]) == Decimal(held["BTC"]["quantity"]) * Decimal(held["BTC"]["price"])
    assert sum(Decimal(row["value"]) for row in report["assets"]) == Decimal(report["total"])
    assert abs(sum(Decimal(row["percent"]) for row in report["assets"]) - 100) < 1
    assert report["orders"]["filled"] >= 1
    assert (report["in_doubt"], report["environment"]) == (0, "sandbox")
    (told,) = chat.told()
    (message,) = [message for message in chat.person.messages() if message.from_bot]
    with Image.open(BytesIO(chat.person.picture(message))) as picture:
        assert (picture.format, picture.width) == ("PNG", 1080)
    title, account, worth, *lines = told.splitlines()
    assert (title, account.split(",")[0]) == ("Daily report", "true_markets_default (sandbox)")
    assert worth.startswith("Worth ")
    assert any(line.startswith("BTC ") and line.endswith(" %") and "\u2588" in line for line in lines), told
    assert any(line.startswith("\u2022 Filled: sold 0.0100 BTC at ") for line in lines), told


def test_without_a_chat_it_says_so_and_is_skipped(run_dag, money):
    run = run_dag("daily_report", {"since": "1h"})
    assert (run.state, run.task_state("tell")) == ("success", "skipped"), run.output
    assert "There is no connection telegram_default, so nobody is told." in run.output


@pytest.mark.usefixtures("unhurried")
def test_what_is_in_doubt_is_said(run_dag, money, place, chat):
    from tradehook.errors import OutcomeUnknown

    money.fault("error_before", status=503)
    with pytest.raises(OutcomeUnknown):
        place("lost")
    run = run_dag("daily_report", {"since": "1h"})
    assert run.state == "success", run.output
    (told,) = chat.told()
    assert "In doubt: 1. `tradehook intents list` shows what." in told.splitlines()


def test_a_coin_on_a_chain_counts_only_when_its_address_is_the_known_one(money, hook):
    """Anybody can send a worthless coin that is called USDC; it must not make the account look rich."""
    from tradehook_provider.account_report import AccountReport, Held, is_certain

    client = hook.get_conn()
    assets = [*client.list_assets()]
    (real,) = [each for each in client.balances() if (each.symbol, each.chain) == ("USDC", "base")]
    fake = real.model_copy(update={"address": "0x" + "1" * 40, "total": Decimal(10**6)})
    assert is_certain(real, assets)
    assert not is_certain(fake, assets)
    assert not is_certain(real, [])
    report = AccountReport("main", "sandbox", AT, AT, [Held(real, Decimal(1)), Held(fake, None)], [], None, 0)
    assert report.total == real.total
    assert report.lines()[3] == "USDC 1,000,000.00 on base: not counted, no price is certain"
