"""The hook: nothing before it is used, both sides alike, and no secret in any log."""

from __future__ import annotations

import asyncio
import json
from urllib.parse import quote

import pytest
from tradehook_airflow_home import CONNECTION, connect

from tradehook.errors import ConfigurationError
from tradehook_provider.masking import forms_of_key

pytestmark = pytest.mark.usefixtures("airflow_database")


def hook(conn_id="true_markets_default"):
    from tradehook_provider.hooks.exchange import ExchangeHook

    return ExchangeHook(conn_id)


def redact(text):
    from airflow.sdk._shared.secrets_masker import redact

    return redact(text)


def test_making_one_reads_nothing():
    assert hook("no_such_connection").exchange_conn_id == "no_such_connection"


def test_both_sides_say_the_same(account):
    async def read():
        opened = hook()
        try:
            return await (await opened.get_async_conn()).balances()
        finally:
            await opened.aclose()

    with hook() as opened:
        assert opened.get_conn() is opened.get_conn()
        assert opened.get_conn().balances() == asyncio.run(read())


def test_airflow_finds_it_by_the_connections_type(account):
    from airflow.sdk import BaseHook

    found = BaseHook.get_hook("true_markets_default")
    assert type(found).__name__ == "TrueMarketsHook"
    assert found.exchange_conn_id == "true_markets_default"


def test_a_connection_that_works_says_whose_it_is(account):
    is_fine, message = hook().test_connection()
    assert is_fine, message
    assert "Signed in to True Markets (sandbox, 127.0.0.1:" in message
    assert "7 balances" in message


def test_a_connection_that_does_not_says_why_and_what_next(account, monkeypatch, tmp_path):
    others = json.loads(account.key_file.read_text())
    from tradehook.exchanges.true_markets.keys import bundle, new_private_key

    strange = bundle(others["key_id"], new_private_key()).decode()
    for fields, says in [
        ({"host": "http://127.0.0.1:1", "extra": {"key_path": str(account.key_file)}}, "NotSent: "),
        ({"host": account.url, "extra": {"key_path": str(tmp_path / "none.json")}}, "There is no key file at"),
        ({"host": account.url, "password": strange}, "Unauthorized: "),
        ({"host": account.url, "password": "{}"}, "is not a True Markets key file"),
        ({"host": account.url}, "has no key"),
    ]:
        monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "true_markets", **fields}))
        is_fine, message = hook().test_connection()
        assert not is_fine
        assert says in message
        assert json.loads(strange)["private_key"]["d"] not in message


def test_airflows_own_button_round_trips_it(account, monkeypatch):
    """It sends the connection through a URI in the environment; the key must survive that."""
    from airflow.models.connection import Connection

    content = account.key_file.read_text()
    fields = {"conn_type": "true_markets", "host": account.url, "password": content}
    typed = Connection(conn_id="typed", **fields)
    monkeypatch.setenv("AIRFLOW_CONN_TYPED", typed.get_uri())
    is_fine, message = typed.test_connection()
    assert is_fine, message


@pytest.mark.parametrize("as_path", [True, False])
def test_the_key_is_masked_in_every_form(account, monkeypatch, as_path):
    content = account.key_file.read_text()
    fields = {"extra": {"key_path": str(account.key_file)}} if as_path else {"password": content}
    monkeypatch.setenv(CONNECTION, json.dumps({"conn_type": "true_markets", "host": account.url, **fields}))
    with hook() as opened:
        opened.get_conn()
    jwk = json.loads(content)["private_key"]
    for leak in (
        content,
        content.strip(),
        json.dumps(content),
        quote(content, safe=""),
        json.dumps(jwk),
        jwk["d"],
        f"d is {jwk['d']}.",
        next(line for line in content.splitlines() if '"d"' in line),
    ):
        assert jwk["d"] not in redact(leak)
    assert redact("sandbox") == "sandbox"
    assert redact(str(account.key_file)) == str(account.key_file)


def test_a_pem_is_masked_by_line():
    pem = "-----BEGIN PRIVATE KEY-----\nMIGHAgEAMBMGByqGSM49AgEG\nCCqGSM49AwEHBG0wawIBAQQg\n-----END PRIVATE KEY-----\n"
    forms = forms_of_key(pem)
    lines = ["MIGHAgEAMBMGByqGSM49AgEG", "CCqGSM49AwEHBG0wawIBAQQg"]
    assert {*lines, json.dumps(pem.strip())[1:-1], pem.strip()} <= set(forms)
    from airflow.sdk.log import mask_secret

    for form in forms:
        mask_secret(form)
    for leak in (pem, json.dumps(pem), repr(pem), quote(pem, safe=""), *pem.splitlines()):
        assert not any(line in redact(leak) for line in lines)
    assert not any(form.startswith("-----BEGIN") and form.endswith("KEY-----") and len(form) < 40 for form in forms)


def test_tokens_are_masked_on_both_sides(account):
    async def read():
        opened = hook()
        try:
            client = await opened.get_async_conn()
            await client.balances()
            await asyncio.sleep(0)
            return (await client.exchange.session.token()).access
        finally:
            await opened.aclose()

    from tradehook.run import run

    with hook() as opened:
        opened.get_conn().balances()
        token = run(opened.get_conn().exchange.session.token())
        assert redact(f"Bearer {token.access}") == "Bearer ***"
        assert redact(str(token.refresh)) == "***"
    token = asyncio.run(read())
    assert token not in redact(f"Bearer {token}")
    assert redact(token).endswith("***" + token.rpartition(".")[2][32:])


def test_another_types_connection_is_refused(monkeypatch):
    monkeypatch.setenv(CONNECTION, '{"conn_type": "http", "host": "x"}')
    with pytest.raises(ConfigurationError, match="type http"):
        hook().get_conn()


def test_closing_waits_for_what_is_being_sent(account, monkeypatch, tmp_path):
    from tradehook.models import NewOrder

    connect(monkeypatch, tmp_path, account)
    account.fault("slow", delay_seconds=1)
    with hook() as opened:
        order = NewOrder.of("BTC/PYUSD", side="buy", amount="0.001")
        future = opened.desk.start_order(order, intent_id="slow-1", source="test")
        while account.orders() == 0:
            pass
    assert future.done()
    assert future.result().order.order_id


def test_a_stop_holds_even_when_it_comes_before_the_desk_is_open(account):
    """A task can be killed at any moment, and a signal must not open a journal."""
    from tradehook.errors import Interrupted
    from tradehook.models import NewOrder

    with hook() as opened:
        opened.stop()
        assert opened._client is None
        with pytest.raises(Interrupted, match="Stopped before anything"):
            opened.desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001"), intent_id="s", source="test")
    assert account.orders() == 0
