"""Input that once came out as something else than one of our errors, each by itself. Most were found in `fuzz/`."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace

import pytest

from tradehook.cli.app import run_app
from tradehook.cli.output import print_json
from tradehook.errors import ConfigurationError, Forbidden, InvalidInput, RateLimited, Unauthorized, UnexpectedResponse
from tradehook.exchanges.true_markets import SPEC, keys, orders, pages, parse, sizing
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.models import Balance, NewOrder, Side, Unit
from tradehook.run import run
from tradehook.settings import Settings
from tradehook.wire import Request, Response, decode_json, encode_json


def answering(world, change):
    """An account whose answers are the sandbox's own, each passed through `change(request, response)`."""
    exchange = world.exchange()
    line = exchange.session.line
    respond = line.respond

    def changed(request):
        answer = respond(request)
        return SimpleNamespace(response=change(request, answer.response), delay_seconds=0.0, is_cut=False)

    line.respond = changed
    return exchange


def with_body(response: Response, **changes) -> Response:
    return Response(response.status, response.headers, encode_json({**json.loads(response.body), **changes}))


def test_a_401_after_three_failures_is_told_as_one(world):
    """It led past the end of the loop, to "unreachable"."""
    answers = iter([500, 502, 503, 401])

    def change(request, response):
        return response if "/auth/" in request.path else Response(next(answers), body=b"{}")

    with pytest.raises(Unauthorized):
        run(answering(world, change).balances())


@pytest.mark.parametrize("text", ['{"n": 1e99999999999999999999}', '{"t": "\\ud800"}', '["\\udfff"]', "[" * 100_000])
def test_json_that_python_reads_and_nobody_can_use(text):
    with pytest.raises(ValueError):
        decode_json(text.encode())


def test_whole_characters_in_two_halves_are_read():
    assert decode_json(b'"\\ud83d\\ude00 \\\\ud800"') == "\U0001f600 \\ud800"


def test_a_refusal_stays_one_whatever_number_is_in_it():
    """It became "unexpected", which for a write means that it may have happened."""
    refused = Response(403, {"date": "Mon, 01 Jan 99999999999999999999 00:00:00 GMT"}, b'{"n": 1e99999999999999999999}')
    assert isinstance(parse.refusal(refused), Forbidden)
    slowed = Response(429, {**refused.headers, "retry-after": "7"})
    told = parse.refusal(slowed)
    assert isinstance(told, RateLimited)
    assert told.retry_after_seconds == 7


@pytest.mark.parametrize("said", ["1e1000000", "1e999999", "-1e1000000", "NaN", "9" * 5000])
def test_a_payloads_number_beyond_reason_is_another_number(said):
    assert orders.agrees(said, "5") is False


@pytest.mark.parametrize("price", ["0", "-1", "-0.5"])
def test_a_quote_for_nothing_is_none(world, price):
    def change(request, response):
        return with_body(response, price=price) if request.path.endswith("/quotes") else response

    exchange = answering(world, change)
    with pytest.raises(UnexpectedResponse, match="price"):
        run(exchange.get_quote("BTC", quote="PYUSD", side=Side.BUY, quantity=Decimal(1), unit=Unit.BASE))
    with pytest.raises(UnexpectedResponse):
        run(exchange.size_order(NewOrder.of("BTC/PYUSD", side="buy", amount="1")))


@pytest.mark.parametrize(
    "changes",
    [
        {"access_token": "a\r\nb: c"},
        {"access_token": "é"},
        {"access_token": "a b"},
        {"expires_in": 10**400},
        {"expires_in": "9" * 4000},
        {"expires_in": "²"},
        {"expires_in": -(10**12)},
    ],
)
def test_a_token_that_fits_no_header_or_no_clock(world, changes):
    def change(request, response):
        return with_body(response, **changes) if "/auth/" in request.path else response

    with pytest.raises(UnexpectedResponse):
        run(answering(world, change).balances())


def test_the_last_second_of_time_has_none_after_it():
    end = datetime(9999, 12, 31, 23, 59, 59, 5, tzinfo=UTC)
    assert pages._moved_on("9999-12-31T23:59:59Z", last=end) == "9999-12-31T23:59:59Z"


def test_sizes_beyond_reason_are_sizes():
    rows = [
        Balance(symbol=symbol, chain=None, address=None, total=of, available=of, held=Decimal(0), is_stable=False)
        for symbol, of in (("BTC", Decimal("1e30")), ("PYUSD", Decimal(123456789012345678901234567890)))
    ]
    for side in ("buy", "sell"):
        for price in ("1e30", "1e-30", "1"):
            order = NewOrder.of("BTC/PYUSD", side=side, amount="50%")
            try:
                assert sizing.size_at_exchange(order, price=Decimal(price), balances=rows).quantity > 0
            except InvalidInput as error:
                assert "smallest" in str(error)


# --- settings, files, proxies -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "url",
    ["http://[", "http://[::1", "http://h:99999", "http://h:x", "http://h:0", "http://:secret@h", "http://h#a",
     "http://h/\x00", "http://\u2100", "http://h?a=b", "//h", "h"],
)  # fmt: skip
def test_addresses_that_are_none(url):
    with pytest.raises(ConfigurationError) as caught:
        Settings(url=url)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("seconds", ["²", "٣", "1_0", "1e2", "nan", "0", "301", "-1", "9" * 5000])
def test_timeouts_that_are_none(seconds):
    with pytest.raises(ConfigurationError):
        Settings.from_environment({"TRADEHOOK_TIMEOUT_SECONDS": seconds})


@pytest.mark.parametrize("path", ["~no_such_person/key.json", "a\0b", "x" * 5000])
def test_key_files_that_have_no_place(path):
    for act in (keys.read_secret, lambda path: keys.write_secret(path, b"x")):
        with pytest.raises(ConfigurationError):
            act(Path(path))


@pytest.mark.parametrize(
    "proxy", ["socks4://127.0.0.1:1", "socks5://me:hunter2@127.0.0.1:1", "ftp://127.0.0.1", "http://x:" + "9" * 30]
)
def test_proxies_that_cannot_be_used(monkeypatch, proxy):
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"all": proxy})
    request = Request("GET", SPEC.hosts["live"] + "/", timeout_seconds=1)
    import asyncio

    for send in (lambda: run(BlockingLine().send(request)), lambda: asyncio.run(AsyncLine().send(request))):
        with pytest.raises(ConfigurationError) as caught:
            send()
        assert "hunter2" not in str(caught.value)


def test_what_is_not_utf8_is_printed_as_json(capsysbinary):
    """A command line can hold any bytes; Python keeps those that are no text as half characters."""
    print_json({"message": "caf\udce9 é"})
    assert json.loads(capsysbinary.readouterr().out) == {"message": "caf\udce9 é"}


def test_a_freeze_works_without_a_name_and_with_any_reason(monkeypatch, tmp_path, capsys):
    def nobody():
        raise KeyError("getpwuid(): uid not found: 12345")

    monkeypatch.setattr("getpass.getuser", nobody)
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    for words in (["freeze", "caf\udce9"], ["resume"], ["intents", "list"]):
        with pytest.raises(SystemExit) as ended:
            run_app(words)
        assert ended.value.code in (None, 0), capsys.readouterr()


def test_an_intents_id_that_cannot_be_stored_is_refused(world):
    desk = world.desk()
    with pytest.raises(InvalidInput, match="intent id"):
        desk.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001"), intent_id="\udcff", source="test")
    assert world.orders_placed() == 0


def test_a_text_that_the_journal_cannot_store_is_refused(world):
    with pytest.raises(InvalidInput, match="UTF-8"):
        world.desk().journal.set_trading_state("HALTED", by="test", why="\udcff")
