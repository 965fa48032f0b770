"""`scheduled_transfer` and `approve_trade`: a person says yes in a real Airflow before anything is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

AT = datetime(2026, 6, 1, 8, tzinfo=UTC)
VAULT = "bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq"


# --- scheduled_transfer -----------------------------------------------------------------------------------------------


@pytest.fixture
def vault(money, hook):
    """An account that holds 0.75 BTC, and a destination on its list."""
    money.admin("POST", "balances", {"symbol": "BTC", "available": "0.75"})
    exchange = hook.get_conn().exchange
    hook.desk.journal.destinations.add(exchange.host, "vault", network="bitcoin", address=VAULT, by="test")
    return money


def transfers(server) -> int:
    ledger = server.admin("GET", "ledger")
    assert ledger["balanced"] is True
    return ledger["transfers"]


def test_what_is_above_the_threshold_is_sent_after_a_yes(run_dag, vault, chat, ann):
    before = transfers(vault)
    with ann("Approve") as person:
        run = run_dag("scheduled_transfer", {"telegram": "telegram_default"}, at=AT)
    assert run.state == "success", run.output
    (prompt,) = person.prompts
    assert prompt["subject"] == (
        "Send 0.2500 BTC from the exchange to vault (bc1qar…5mdq on bitcoin), for true_markets_default?"
    )
    assert f"`{VAULT}` on bitcoin, which is on the list as *vault*" in prompt["body"]
    assert prompt["defaults"] == ["Reject"]
    assert [*prompt["params"]] == ["approver"]
    assert run.result("surplus") == {
        "asset": "BTC", "chain": None, "available": "0.75", "keep": "0.5", "amount": "0.25",
    }  # fmt: skip
    assert run.result("ask")["proposal"]["address"] == VAULT
    arrived = run.result("arrived")
    assert (arrived["status"], Decimal(arrived["quantity"])) == ("completed", Decimal("0.25"))
    assert transfers(vault) - before == 1
    asked, told = chat.told()
    assert asked.startswith("Shall I?\nSend 0.2500 BTC from the exchange to vault")
    assert told.startswith("Arrived\n0.25 BTC to vault")


def test_the_same_run_again_sends_nothing_even_when_there_is_a_surplus_anew(run_dag, vault, ann):
    """Clearing everything asks again; what was sent for this run is another amount, so nothing is sent."""
    at = AT + timedelta(days=7)
    before = transfers(vault)
    with ann("Approve"):
        first = run_dag("scheduled_transfer", at=at)
        assert first.state == "success", first.output
        vault.admin("POST", "balances", {"symbol": "BTC", "available": "0.9"})
        again = run_dag("scheduled_transfer", at=at)
    assert (again.state, again.task_state("send"), again.tries("send")) == ("failed", "failed", 1), again.output
    assert "IntentConflict" in again.output
    assert transfers(vault) - before == 1


@pytest.mark.parametrize("available", ["0.5", "0.505", "0.2", "0"])
def test_what_is_to_be_kept_stays_and_nobody_is_asked(run_dag, vault, ann, available):
    before = transfers(vault)
    vault.admin("POST", "balances", {"symbol": "BTC", "available": available})
    with ann("Approve") as person:
        run = run_dag("scheduled_transfer")
    assert (run.state, run.task_state("surplus"), run.task_state("send")) == ("success", "skipped", "skipped"), (
        run.output
    )
    assert "there is no surplus of at least 0.01" in run.output
    assert (person.prompts, transfers(vault)) == ([], before)


def test_after_a_no_nothing_is_sent(run_dag, vault, ann):
    before = transfers(vault)
    with ann("Reject") as person:
        run = run_dag("scheduled_transfer")
    assert (run.task_state("ask"), run.task_state("send"), run.task_state("arrived")) == (
        "success", "skipped", "skipped",
    ), run.output  # fmt: skip
    assert (len(person.prompts), transfers(vault)) == (1, before)


def test_a_destination_that_is_not_on_the_list_is_not_even_asked_about(run_dag, vault, chat, ann):
    before = transfers(vault)
    with ann("Approve") as person:
        run = run_dag("scheduled_transfer", {"destination": "elsewhere", "telegram": "telegram_default"})
    assert (run.task_state("ask"), run.tries("ask")) == ("failed", 1), run.output
    (told,) = chat.told()
    assert told.startswith("Transfer: look at this\nask (true_markets_default): InvalidInput: ")
    assert (person.prompts, transfers(vault)) == ([], before)


@pytest.fixture
def server_of_its_own(monkeypatch, tmp_path, start_sandbox):
    """Where others have sent from the same account, what got no answer could be theirs, and a person has to say."""
    from tradehook_airflow_home import connect

    server = start_sandbox("--rate-limit", "0", "--withdrawal-seconds", "1")
    yield connect(monkeypatch, tmp_path, server, timeout_seconds=2)
    server.stop()


@pytest.mark.usefixtures("unhurried")
def test_a_lost_answer_is_found_and_nothing_is_sent_again(run_dag, chat, ann, server_of_its_own):
    from tradehook_provider.hooks.exchange import ExchangeHook

    server = server_of_its_own
    with ExchangeHook() as hook:
        host = hook.get_conn().exchange.host
        hook.desk.journal.destinations.add(host, "vault", network="bitcoin", address=VAULT, by="test")
    server.admin("POST", "balances", {"symbol": "BTC", "available": "0.75"})
    server.fault("error_after", path="/transfers", status=503)
    with ann("Approve"):
        run = run_dag("scheduled_transfer", {"telegram": "telegram_default"})
    assert run.state == "success", run.output
    assert (run.result("arrived")["status"], transfers(server)) == ("completed", 1)
    assert chat.told()[-1].startswith("Arrived\n0.25 BTC to vault")


def test_an_asset_that_does_not_exist_is_no_empty_balance(run_dag, vault, chat):
    """A misspelt one would be skipped for ever, and nobody would know."""
    run = run_dag("scheduled_transfer", {"asset": "BTX", "telegram": "telegram_default"})
    assert (run.state, run.task_state("surplus"), run.tries("surplus")) == ("failed", "failed", 1), run.output
    assert "BTX" in chat.told()[-1]


# --- approve_trade ----------------------------------------------------------------------------------------------------

CONF = {"targets": {"BTC": 20, "ETH": "20.5"}, "telegram": "telegram_default"}


@pytest.fixture
def portfolio(money):
    """What every sandbox begins with, whatever the tests before this one bought."""
    for symbol, available in {"BTC": "0.5", "ETH": "5", "PYUSD": "10000"}.items():
        money.admin("POST", "balances", {"symbol": symbol, "available": available})
    return money


def test_the_plan_that_was_approved_is_what_is_traded(run_dag, portfolio, chat, ann):
    before = portfolio.orders()
    with ann("Approve") as person:
        run = run_dag("approve_trade", CONF)
    assert run.state == "success", run.output
    planned, asked, traded = (run.result(task_id) for task_id in ("plan", "ask", "trade"))
    assert (planned["dry_run"], traded["dry_run"]) == (True, False)
    assert traded["plan"] == asked["proposal"]["plan"]
    assert [held["target"] for held in traded["plan"]["holdings"]] == ["20", "20.5", "59.5"]
    assert [leg["state"] for leg in traded["legs"]] == ["filled"] * 2
    assert portfolio.orders() - before == 2
    assert [*person.prompts[0]["params"]] == ["approver"]
    shown, told = chat.told()
    assert shown.startswith("Shall I?\nRebalance true_markets_default: 2 orders, ")
    assert told == "Traded\nsell BTC: filled\nsell ETH: filled"


def test_after_a_no_nothing_is_traded(run_dag, portfolio, ann):
    before = portfolio.orders()
    with ann("Reject") as person:
        run = run_dag("approve_trade", CONF)
    assert (run.task_state("plan"), run.task_state("ask"), run.task_state("trade")) == (
        "success", "success", "skipped",
    ), run.output  # fmt: skip
    assert (len(person.prompts), portfolio.orders()) == (1, before)


def test_where_nothing_needs_to_be_traded_nobody_is_asked(run_dag, portfolio, chat, ann):
    before = portfolio.orders()
    with ann("Approve") as person:
        run = run_dag("approve_trade", {**CONF, "band": 100})
    assert run.state == "success", run.output
    assert (person.prompts, portfolio.orders()) == ([], before)
    assert chat.told() == ["Traded\nNothing had to be traded."]


def test_a_price_that_became_worse_than_the_tolerance_stops_it(run_dag, portfolio, chat, ann):
    before = portfolio.orders()
    portfolio.admin("POST", "prices", {"BTC": "67000", "walk": False})
    person = ann("Approve")
    person.first = lambda: portfolio.admin("POST", "prices", {"BTC": "66000", "walk": False})
    with person:
        run = run_dag("approve_trade", {**CONF, "tolerance": "0.5"})
    assert (run.task_state("trade"), run.tries("trade")) == ("failed", 1), run.output
    assert portfolio.orders() == before
    assert "more than the tolerance of 0.5 %. Nothing was sent." in chat.told()[-1]
    # The same with more tolerance trades: it is the tolerance that stopped it.
    portfolio.admin("POST", "prices", {"BTC": "67000", "walk": False})
    with person:
        assert run_dag("approve_trade", {**CONF, "tolerance": "5"}).state == "success"
    assert portfolio.orders() > before
