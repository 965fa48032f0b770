"""What a secret looks like, and that none of them passes the filter. A filter that does nothing is caught here."""

from __future__ import annotations

import base64
import io
import json
import logging
import time
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization
from hypothesis import given
from hypothesis import strategies as st

from tradehook.exchanges.true_markets import keys
from tradehook.exchanges.true_markets.auth import stamp
from tradehook.redaction import Redaction, forms_of, protect, redact

KEY_ID = "11111111-2222-4333-8444-555555555555"
KEY = keys.new_private_key()
BUNDLE = keys.bundle(KEY_ID, KEY).decode()
NUMBER = json.loads(BUNDLE)["private_key"]["d"]
PKCS8 = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
).decode()
SEC1 = KEY.private_bytes(
    serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
).decode()
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJ1aWQiOiIxMjM0In0.c2lnbmF0dXJlLXRoYXQtaXMtbG9uZw"
STAMP = stamp('{"a":1}', signer=keys.FileSigner(KEY_ID, KEY))
BOT = "1234567890:AAExampleExampleExampleExampleExamp"
OPAQUE = "0pAqUe-t0ken_without.any.form+of/its=own"

LEAKS = {
    "PEM": (PKCS8, PKCS8.splitlines()[1]),
    "PEM of OpenSSL": (SEC1, SEC1.splitlines()[1]),
    "PEM in JSON": (json.dumps({"private_key": PKCS8}), PKCS8.splitlines()[1]),
    "PEM without its end": (PKCS8[:150], PKCS8.splitlines()[1][:60]),
    "a line of a PEM": (f"line: {PKCS8.splitlines()[1]}", PKCS8.splitlines()[1]),
    "key file": (BUNDLE, NUMBER),
    "key file in one line": (json.dumps(json.loads(BUNDLE)), NUMBER),
    "key file in JSON": (json.dumps(BUNDLE), NUMBER),
    "key file as Python shows it": (repr(json.loads(BUNDLE)), NUMBER),
    "JWT": (f"token {JWT}", "c2lnbmF0dXJl"),
    "JWT in an address": (f"https://x/?t={JWT}&a=1", "c2lnbmF0dXJl"),
    "stamp": (f"signatures=['{STAMP}']", STAMP[40:]),
    "bot token": (f"https://api.telegram.org/bot{BOT}/getMe", BOT.partition(":")[2]),
    "bot token, quoted": (quote(BOT, safe=""), BOT.partition(":")[2]),
    "Authorization": (f"Authorization: Bearer {OPAQUE}", OPAQUE),
    "headers of httpcore": (f"[(b'Authorization', b'Bearer {OPAQUE}')]", OPAQUE),
    "headers of Python": (f"{{'authorization': 'Token {OPAQUE}'}}", OPAQUE),
    "headers of websockets": (
        f"> Proxy-Authorization: Basic {base64.b64encode(b'user:password').decode()}",
        "dXNlcjpw",
    ),
    "an answer": (f'{{"access_token":"{OPAQUE}","refresh_token":"{OPAQUE}"}}', OPAQUE),
    "an answer, quoted": (json.dumps(json.dumps({"refresh_token": OPAQUE})), OPAQUE),
    "a request": (f'b\'{{"key_id":"1","signature":"{OPAQUE}"}}\'', OPAQUE),
    "a proxy": ("ALL_PROXY=http://me:hunter2hunter2@proxy:3128", "hunter2hunter2"),
    "a database": ("postgresql+psycopg://me:hunter2hunter2@db/journal", "hunter2hunter2"),
}


@pytest.mark.parametrize("name", LEAKS)
def test_it_knows_secrets_by_their_form(name):
    text, secret = LEAKS[name]
    assert secret in text
    cleaned = redact(text)
    assert secret not in cleaned
    assert "<" in cleaned
    assert redact(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "order 1b535e85 filled at 14:03:22, 67,338.1",
        "1b535e85-6c23-41a0-a813-76ddc049e6bf at 2026-11-21T14:03:22.123456+00:00",
        "GET http://127.0.0.1:8787/v1/conductor/orders?limit=100&cursor=2026-11-21T14%3A03%3A22Z",
        '{"order_id":"1b535e85-6c23-41a0-a813-76ddc049e6bf","status":"active","d":"1","signature":null}',
        "0x036CbD53842c5426634e7929541eC2318f3dCF7e EPjFWdd5AufqSSqeM2qN1xzybapC8G4wEGGkZwyTDt1v",
        "The token's expiry is not a time. Bearer of bad news.",
        "sqlite:////home/you/.local/share/tradehook/journal.db",
        "",
    ],
)
def test_what_is_no_secret_stays(text):
    assert redact(text) == text


@given(st.text(max_size=200))
def test_it_takes_any_text_and_is_done_at_once(text):
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize(
    "part",
    ["eyJ", "eyJaaaaaaaaaaaa.", "1", "12:", "\\", "://", "://a:", "-----BEGIN PRIVATE KEY-----", "-----BEGIN ", "A ",
     "authorization: ", "authorization:\\", '"d": "', '"d":', "bearer ", '\\"signature\\"', "MHcCAQEE", "'"],
)  # fmt: skip
def test_no_text_takes_more_than_linear_time(part):
    """Four times the text may take about four times as long: sixteen would be a hole to be stopped at."""

    def cost(size: int) -> int:
        text = part * (size // len(part))
        best = []
        for _ in range(3):
            before = time.process_time_ns()
            redact(text)
            best.append(time.process_time_ns() - before)
        return min(best)

    small = max(cost(50_000), 100_000)
    assert cost(200_000) < small * 12


# --- exactly what was told ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("material", "parts"),
    [(BUNDLE, [NUMBER]), (PKCS8, PKCS8.splitlines()[1:-1]), (SEC1, SEC1.splitlines()[1:-1])],
    ids=["JWK", "PKCS#8", "SEC 1"],
)
def test_every_form_of_a_key_is_hidden_once_it_is_known(material, parts):
    redaction = Redaction(forms_of(material))
    whole = base64.b64encode(material.encode()).decode()
    for leak in (material, repr(material), json.dumps(material), quote(material, safe=""), *material.splitlines()):
        cleaned = redaction.clean(f"see {leak} there")
        assert not any(part in cleaned or quote(part, safe="") in cleaned for part in parts)
    assert whole[:-4] not in redaction.clean(whole)
    if material == BUNDLE:
        number = KEY.private_numbers().private_value
        for leak in (str(number), f"{number:064x}", f"{number:064X}"):
            assert leak not in redaction.clean(f"secret = {leak}")
    assert redaction.clean("BTC 0.01") == "BTC 0.01"


def test_forms_hold_nothing_that_is_no_secret():
    """A form that stands in innocent texts would hide them."""
    for material in (BUNDLE, PKCS8, SEC1):
        for form in forms_of(material):
            assert form not in "-----BEGIN PRIVATE KEY----- -----END PRIVATE KEY-----"
            assert form not in json.dumps({"kty": "EC", "crv": "P-256", "key_id": KEY_ID, "algorithm": "ES256"})
    assert forms_of("") == forms_of("\n") == []
    assert forms_of('{"d": "*"}')


def test_short_texts_are_left_alone():
    assert Redaction(["no", ""]).clean("nothing known") == "nothing known"


# --- records --------------------------------------------------------------------------------------------------------


@pytest.fixture
def log():
    """A logger of its own, what it writes, and its handler."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.Logger("test")  # noqa: LOG001 - one that no other test has set up
    logger.addHandler(handler)
    return logger, stream, handler


def leak_everywhere(logger: logging.Logger) -> None:
    logger.info("a message %s", JWT)
    logger.info(f"a whole message {OPAQUE}")  # noqa: G004 - as others write them
    logger.info("arguments %s %r", {"token": OPAQUE}, [BOT])
    logger.info("named %(token)s", {"token": OPAQUE})
    logger.info("%s", OPAQUE, extra={"request": f"GET {OPAQUE}"})
    try:
        try:
            raise ValueError(f"inner {OPAQUE}")
        except ValueError as error:
            raise RuntimeError(f"outer {JWT}") from error
    except RuntimeError:
        logger.exception("failed", stack_info=True)
    logger.info("wrong %d", OPAQUE)


def test_the_control_a_log_without_the_filter_leaks(log):
    logger, stream, _ = log
    leak_everywhere(logger)
    assert stream.getvalue().count(OPAQUE) >= 5
    assert JWT in stream.getvalue()


def test_records_are_clean_everywhere(log):
    logger, stream, handler = log
    handler.setFormatter(logging.Formatter("%(message)s %(request)s", defaults={"request": ""}))
    redaction = protect(logger)
    assert protect(logger, secrets=[OPAQUE]) is redaction
    assert handler.filters == [redaction]
    leak_everywhere(logger)
    written = stream.getvalue()
    for secret in (OPAQUE, JWT, "c2lnbmF0", BOT.partition(":")[2]):
        assert secret not in written
    assert "Traceback" in written
    assert "inner <secret>" in written
    assert "outer <jwt>" in written
    assert "Stack (most recent call last)" in written
    assert "cannot be formatted" in written


def test_what_is_not_secret_keeps_its_arguments_and_its_exception(log):
    logger, _, handler = log
    records = []
    handler.emit = records.append
    protect(logger, secrets=[OPAQUE])
    logger.info("order %s of %d", "1b535e85", 7)
    try:
        raise ValueError("plain")
    except ValueError:
        logger.exception("failed")
    assert (records[0].msg, records[0].args) == ("order %s of %d", ("1b535e85", 7))
    assert records[1].exc_info[0] is ValueError


def test_arguments_that_the_message_cuts_off_are_dropped(log):
    logger, _, handler = log
    records = []
    handler.emit = records.append
    protect(logger, secrets=[OPAQUE])
    logger.info("begins %.3s", OPAQUE)
    assert OPAQUE not in repr(vars(records[0]))


def test_without_a_handler_the_last_resort_is_covered():
    logger = logging.Logger("bare")  # noqa: LOG001 - one that no other test has set up
    redaction = protect(logger)
    try:
        assert redaction in logging.lastResort.filters
    finally:
        logging.lastResort.removeFilter(redaction)
