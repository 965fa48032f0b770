"""Whatever somebody types, sets or has in a file: it is read, or refused with one of our errors, and at once."""

from __future__ import annotations

import io
import json
import logging
import socket
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given, settings
from hypothesis import strategies as st

from tradehook import addresses, amounts
from tradehook.budget import Budget
from tradehook.cli.app import run_app
from tradehook.cli.times import read_since
from tradehook.desk.schema import open_database
from tradehook.errors import ConfigurationError, InvalidInput, TradehookError
from tradehook.exchanges.true_markets import keys, opening, orders, windows
from tradehook.exchanges.true_markets.auth import claims
from tradehook.exchanges.true_markets.market import Named
from tradehook.exchanges.true_markets.opening import open_account
from tradehook.lines.blocking import BlockingLine
from tradehook.models import NewOrder
from tradehook.rebalance import Goal
from tradehook.redaction import forms_of, redact
from tradehook.run import run
from tradehook.settings import Settings
from tradehook.transfers import NewTransfer, check_label
from tradehook.wire import Request, decode_json

KEY_ID = "11111111-2222-4333-8444-555555555555"
KEY = keys.new_private_key()
BUNDLE = keys.bundle(KEY_ID, KEY)


def pem(encryption: serialization.KeySerializationEncryption, style=serialization.PrivateFormat.PKCS8) -> bytes:
    return KEY.private_bytes(serialization.Encoding.PEM, style, encryption)


FILES = {
    "JWK": (BUNDLE, None, 6_000),
    "PKCS#8": (pem(serialization.NoEncryption()), None, 3_000),
    "SEC 1": (pem(serialization.NoEncryption(), serialization.PrivateFormat.TraditionalOpenSSL), None, 2_000),
    "encrypted": (pem(serialization.BestAvailableEncryption(b"correct horse")), "correct horse", 3_000),
}
SECRETS = [form for data, _, _ in FILES.values() for form in forms_of(data.decode())]


@pytest.mark.parametrize("name", FILES)
def test_bad_key_files(fuzz, times, name):
    """An error never quotes the file, however it is damaged."""
    data, passphrase, cases = FILES[name]

    def attempt(chance):
        spoilt = chance.body(data) if data[:1] == b"{" else chance.data(data)
        try:
            keys.parse(spoilt, where="key file", key_id=KEY_ID, passphrase=passphrase)
        except ConfigurationError as error:
            assert len(str(error)) < 200
            assert not any(form in str(error) for form in SECRETS)
            raise

    ends = fuzz(cases * times, attempt, allowed=(ConfigurationError,))
    assert ends["ConfigurationError"] > cases * times / 3


def test_a_key_that_would_take_minutes_to_open_is_refused_at_once():
    """The number of rounds stands in the file itself: a damaged or hostile one may say two thousand million."""
    import base64

    der = base64.b64decode(b"".join(FILES["encrypted"][0].splitlines()[1:-1]))
    rounds = bytes.fromhex("0202") + (2048).to_bytes(2)
    assert der.count(rounds) == 1
    hostile = der.replace(rounds, bytes.fromhex("0204") + (2**31 - 1).to_bytes(4))
    # The lengths around it grow by two.
    for depth in (b"\x30\x81", b"\x30"):
        assert depth in hostile
    text = (
        b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
        + base64.encodebytes(hostile)
        + b"-----END ENCRYPTED PRIVATE KEY-----\n"
    )
    with pytest.raises(ConfigurationError, match="would take minutes"):
        keys.parse(text, where="key.pem", key_id=KEY_ID, passphrase="x")


READERS = {
    "amount": (amounts.parse_amount, ["0.25", "$100", "50%", "max", ".5", "1,000"]),
    "decimal": (amounts.parse_decimal, ["0.25", "999999999999999999.999999999999999999", "1.000"]),
    "symbol": (amounts.parse_symbol, ["BTC", "CBBTC", "usdc"]),
    "market": (lambda text: amounts.parse_market(text, default_quote="PYUSD"), ["BTC/PYUSD", "btc-usd", "BTC"]),
    "words": (lambda text: amounts.parse_asset_amount(text.split(" ")), ["BTC 0.01", "50% ETH", "max BTC", "$5 BTC"]),
    "price symbol": (Named.parse, ["BTC", "BTC/PYUSD", "BTC|USD"]),
    "window": (windows.check_window, ["1h", "24h", "7d", "1M", "365d"]),
    "resolution": (lambda text: windows.check_resolution(text, window="24h"), ["5s", "1m", "1h", "1d"]),
    "order id": (orders.check_id, ["1b535e85-6c23-41a0-a813-76ddc049e6bf", "abc"]),
    "key id": (keys.parse_public_hint, [KEY_ID, KEY_ID.upper()]),
    "time": (read_since, ["24h", "2026-01-01T12:30Z", "2026-01-01", "9999w"]),
    "label": (check_label, ["cold", "my-vault"]),
    "order": (
        lambda text: NewOrder.of(text, side="buy", amount="1", price=amounts.parse_decimal(text.partition("/")[2] or "1")),
        ["BTC/PYUSD", "BTC/1", "5"],
    ),
    "transfer": (lambda text: NewTransfer(asset="BTC", amount=text, to=text or "x"), ["0.5", "max", "50%", "$5"]),
    "goal": (lambda text: Goal.of({"BTC": text, text: "1"}, quote="PYUSD", band=text or "1"), ["60", "ETH", "0.5"]),
    **{
        f"address on {network}": (lambda text, network=network: addresses.check_address(text, network=network), known)
        for network, known in {
            "base": ["0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x" + "ab" * 20],
            "solana": ["So11111111111111111111111111111111111111112", "EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v"],
            "bitcoin": ["bc1qar0srrr7xfkvy5l643lydnw9re59gtzzwf5mdq", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa", "BC1QW"],
        }.items()
    },
}  # fmt: skip


@pytest.mark.parametrize("name", READERS)
def test_bad_texts(fuzz, times, name):
    read, good = READERS[name]

    def attempt(chance):
        text = chance.text(chance.choice(good))
        try:
            value = read(text)
        except (TradehookError, ValueError) as error:
            # pydantic's, where a model is made directly, is a `ValueError`, as documented.
            assert isinstance(error, TradehookError) or type(error).__name__ == "ValidationError"
            assert len(str(error)) < 100_000
            raise
        if isinstance(value, Decimal):
            assert value.is_finite()
            assert value > 0

    ends = fuzz(1_100 * times, attempt, allowed=(TradehookError, ValueError))
    assert ends["InvalidInput"] + ends["ValidationError"] > 100 * times


@settings(max_examples=1_000, deadline=None, database=None, derandomize=True)
@given(st.text(max_size=40))
def test_an_amount_that_is_read_is_written_the_same(text):
    try:
        amount = amounts.parse_amount(text)
    except InvalidInput:
        return
    assert amounts.parse_amount(str(amount)) == amount


def test_bad_json(fuzz, times):
    good = json.dumps({"data": [{"id": "a", "qty": "0.1", "n": 1.5}], "pagination": {"next_cursor": None}}).encode()

    def attempt(chance):
        value = decode_json(chance.body(good))
        json.dumps(value, default=str, ensure_ascii=False).encode()

    ends = fuzz(3_000 * times, attempt, allowed=(ValueError,))
    assert ends["fine"] > 500 * times


def test_bad_tokens(fuzz, times):
    good = "eyJhbGciOiJFUzI1NiJ9.eyJ1aWQiOiIxIiwiaXNzIjoidHJhZGVob29rIn0.c2ln"
    ends = fuzz(2_000 * times, lambda chance: [found := claims(chance.text(good)), found.items()])
    assert set(ends) == {"fine"}


def test_bad_texts_are_redacted(fuzz, times):
    good = f"Authorization: Bearer x {KEY_ID} " + BUNDLE.decode() + FILES["PKCS#8"][0].decode()
    ends = fuzz(1_000 * times, lambda chance: redact(chance.text(good)))
    assert set(ends) == {"fine"}


@pytest.fixture
def no_names(monkeypatch):
    """Nothing is looked up: every name is unknown here, as most of these would be."""
    look_up = socket.getaddrinfo

    def known(host, *arguments, **named):
        if host != "127.0.0.1":
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return look_up(host, *arguments, **named)

    monkeypatch.setattr(socket, "getaddrinfo", known)


# --- settings and addresses ---------------------------------------------------------------------------------------------

VARIABLES = {
    "TRADEHOOK_ENVIRONMENT": "sandbox",
    "TRADEHOOK_ACCOUNT": "main",
    "TRADEHOOK_TRUE_MARKETS_URL": "http://127.0.0.1:1",
    "TRADEHOOK_TRUE_MARKETS_PREFIX": "/v1/conductor",
    "TRADEHOOK_TRUE_MARKETS_KEY_FILE": "~/none/key.json",
    "TRADEHOOK_TRUE_MARKETS_KEY_ID": KEY_ID,
    "TRADEHOOK_TRUE_MARKETS_KEY_PASSPHRASE": "correct horse",
    "TRADEHOOK_JOURNAL_URL": "sqlite:////none",
    "TRADEHOOK_TIMEOUT_SECONDS": "30",
}


def test_bad_settings(fuzz, times, tmp_path):
    key_file = tmp_path / "key.json"
    keys.write_secret(key_file, BUNDLE)

    def attempt(chance):
        name = chance.choice(list(VARIABLES))
        environ = {**VARIABLES, "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(key_file)}
        environ[name] = chance.text(environ[name])
        read = Settings.from_environment(environ)
        assert open_account(read, BlockingLine()).host

    ends = fuzz(4_000 * times, attempt)
    assert ends["ConfigurationError"] > 500 * times
    assert ends["fine"] > 500 * times


def test_bad_addresses_of_journals(fuzz, times, tmp_path):
    """All of them lie below a plain file, where nothing can be made."""
    file = tmp_path / "file"
    file.touch()

    def attempt(chance):
        # Whatever is made of the text, its path begins with the plain file.
        url = chance.text("sqlite:///") + chance.text("/folder/journal.db")
        open_database(url.replace("sqlite:////", f"sqlite:///{file}/x")).dispose()

    ends = fuzz(1_000 * times, attempt)
    assert set(ends) == {"ConfigurationError"}


def test_bad_addresses_at_the_line(fuzz, times, monkeypatch, no_names):
    def attempt(chance):
        url, value = "http://127.0.0.1:1/v1/orders", "Bearer abc"
        proxy = None
        match chance.randrange(3):
            case 0:
                url = chance.text(url)
            case 1:
                value = chance.text(value)
            case _:
                proxy = chance.text("http://user:hunter2hunter2@127.0.0.1:1").replace("\0", "")
                url = "http://elsewhere.invalid/"
        monkeypatch.setattr("urllib.request.getproxies", lambda: {"all": proxy} if proxy else {})
        try:
            run(BlockingLine().send(Request("GET", url, headers={"authorization": value}, timeout_seconds=1)))
        except TradehookError as error:
            assert "hunter2hunter2" not in str(error)
            raise

    ends = fuzz(1_500 * times, attempt)
    assert ends["ConfigurationError"] > 100
    assert ends["NotSent"] > 100


# --- command lines -------------------------------------------------------------------------------------------------------

COMMANDS = (
    "doctor", "quote BTC 0.05", "quote 50% ETH", "balances --json", "assets --venue defi", "orders --status open --limit 5",
    "orders --since 24h", "order place buy BTC/PYUSD 0.01 --yes --json", "order place sell BTC 0.01 --limit 90000 --yes",
    "order place buy CBBTC/USDC $5 --chain base --yes --intent-id a", "order show abc", "order cancel abcdefgh",
    "transfer USDC 5 --to cold --chain base --yes", "transfers --status pending", "transactions --since 7d", "portfolio",
    "destinations", "intents list", "intents show a --json", "freeze because", "resume", "keys new", "--version", "--help",
    "keys import FILE --key-id 11111111-2222-4333-8444-555555555555", "destinations add cold --network base 0x1",
    "--account main balances", "orders --limit 5 --json", "price BTC", "price BTC --history 24h --resolution 1h",
)  # fmt: skip
USAGE, REFUSED, UNREACHABLE = 2, 3, 5


@pytest.mark.usefixtures("no_names")
def test_bad_command_lines(fuzz, times, tmp_path, monkeypatch, capsys):
    """Against an address where nobody is; nothing sleeps, and no code but the documented ones comes out."""
    monkeypatch.setattr("time.sleep", lambda _: None)
    # Thousands of commands share the journal, and with it the budget: without sleeping they would use it up at once.
    monkeypatch.setattr(opening, "new_budget", lambda: Budget(requests=10**9))
    monkeypatch.setattr("sys.stdin", io.StringIO())
    monkeypatch.chdir(tmp_path)
    key_file = tmp_path / "key.json"
    keys.write_secret(key_file, BUNDLE)
    variables = {
        **VARIABLES,
        "HOME": str(tmp_path),
        "XDG_DATA_HOME": str(tmp_path),
        "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(key_file),
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }
    codes = set()

    def attempt(chance):
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        if chance.random() < 0.25:
            name = chance.choice(list(VARIABLES))
            # An environment and a command line hold anything but zeros; folders outside of the test's stay away.
            changed = chance.text(variables[name]).replace("\0", "")
            if "JOURNAL" in name or "KEY_FILE" in name:
                changed = f"{variables[name]}{changed.replace('/', '').replace('.', '')[:300]}"
            monkeypatch.setenv(name, changed)
        words = chance.choice(COMMANDS).split()
        for _ in range(chance.choice((0, 1, 1, 2))):
            at = chance.randrange(len(words))
            match chance.randrange(5):
                case 0:
                    words[at] = chance.text(words[at])
                case 1:
                    words.insert(at, chance.text(chance.choice(words)))
                case 2 if len(words) > 1:
                    del words[at]
                case 3:
                    words.append(
                        chance.choice(("--json", "--yes", "--limit", "-1", "--", "--debug", "\udcff", "--chain"))
                    )
                case _:
                    chance.shuffle(words)
        words = [word.replace("\0", "")[:5_000] for word in words]
        if {"keys", "--install-completion", "--show-completion"} & set(words):
            words = [word for word in words if "/" not in word and "completion" not in word]
        code: object = None
        sys.stderr.reconfigure(errors="backslashreplace")  # as Python's own is
        opening._BUDGETS.clear()  # each stands for a process of its own
        try:
            run_app(words)
        except SystemExit as ended:
            code = ended.code
        said = capsys.readouterr()
        assert "Traceback" not in said.err, (words, said.err[-800:])
        assert code in (None, 0, USAGE, REFUSED, UNREACHABLE), (words, code, said.err[-800:])
        codes.add(code)
        assert not any(form in said.out + said.err for form in forms_of(BUNDLE.decode()))

    before = {name: logging.getLogger(name).level for name in ("httpx", "httpcore", "tradehook")}
    fuzz(700 * times, attempt)
    assert codes >= {0, USAGE, UNREACHABLE}
    # What `--debug` turned on is off again, and the process is where it was.
    assert before == {name: logging.getLogger(name).level for name in before}
    assert Path.cwd() == tmp_path
