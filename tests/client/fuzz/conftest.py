"""Bad input at scale: seeded changes to what is good, and a watchdog over each of them.

Every case has a generator of its own, made from the seed and its number, so that one case is run again alone:
`FUZZ_SEED=1 FUZZ_CASE=4711 pytest tests/client/fuzz -k name`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
from collections import Counter

import pytest

from tradehook.errors import TradehookError
from tradehook.wire import Response

SEED = int(os.environ.get("FUZZ_SEED", "20261121"))
CPU_SECONDS = 5.0
"""What one case may take: a thousand times what it does, so that only a hole in a loop or a pattern gets there."""

TEXTS = (
    "", " ", "0", "-1", "NaN", "-Infinity", "1e999999", "1e-999999", "1e1000000", "1e99999999999999999999", "9" * 400,
    "9" * 5000, "0." + "0" * 60 + "1", "1,000", "1.000,00", "٣", "²", "0x10", "1_000", "+1", "1e5", ".", "true", "null",
    "é", "\u202e", "\x00", "\x1b[31m", "a\r\nb: c", "\U0001f600", "x" * 70_000, "a." * 300, "\\", "%00", "../..", "//",
    "http://[", "2026-13-45T00:00:00Z", "9999-12-31T23:59:59.5Z", "0001-01-01T00:00:00+14:00", "2026-11-21", "20261121T",
    "active", "weird", "BUY", "complete", "awaiting_signature", "base", "0" * 64, "$", "%", "max", "-----BEGIN", "[", "{",
)  # fmt: skip
RAWS = (
    "1e999999", "-1e400", "1e99999999999999999999", "NaN", "Infinity", "-0", "-0.0", "1E+2", "0.1e-7", "9" * 5000,
    "1" * 400 + ".5", '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', "[" * 5000 + "]" * 5000, '{"a":' * 3000, "tru", "'x'",
    "1.7976931348623157e309", "18446744073709551616", "[[]]", "{}", "[]", "null", "true", '{"data":null}',
)  # fmt: skip
FIGURES = (
    "0", "-1", "0.000000000000000001", "1e-30", "1e-31", "1e30", "1e26", "999999999999999999999999999.99", "0.1", "3", "1",
    "123456789012345678.123456789012345678", "-0", "1000000", 1, 0, -5, "0.00", "12345678901234567890123456789.1",
)  # fmt: skip
DATES = (
    "", "x", "Mon, 01 Jan 99999999999999999999 00:00:00 GMT", "Fri, 31 Dec 9999 23:59:59 -2359",
    "Mon, 01 Jan 0001 00:00:00 +2359", "Sat, 21 Nov 2026 06:00:00", "0", "Sat Sat Sat", "é", "Mon, 01 Jan 1900 00:00:00 GMT",
)  # fmt: skip
NUMBERS = ("0", "-1", "1", "60", "NaN", "inf", "-inf", "1e400", "1e308", "x", "", "9" * 5000, "1790000000", "²", "0x1")
HEADERS = ("date", "retry-after", "x-ratelimit-remaining", "x-ratelimit-reset", "x-ratelimit-limit")
STATUSES = (
    0, 100, 199, 200, 201, 202, 204, 206, 300, 301, 302, 307, 400, 401, 402, 403, 404, 405, 408, 409, 410, 418, 422, 425,
    429, 451, 500, 501, 502, 503, 504, 520, 599, 600, 999,
)  # fmt: skip
BODIES = (
    b"", b" ", b"null", b"[]", b"{}", b"0", b'""', b"<!doctype html><title>502</title>", b"\xff\xfe\x00", b"\xef\xbb\xbf{}",
    b"[" * 50_000, b'{"a":' * 50_000, b'{"data":[],"data":[{}]}', b'{"message":"' + b"m" * 70_000 + b'"}', b"\x1f\x8b\x08",
    b'{"code":"quote_stale","message":5}', b'{"field_violations":[{"message":"' + b" " * 5000 + b'"}]}',
    b'{"error":{"message":"x"}}', b'{"data":null,"pagination":null}', b'{"data":[null]}', b'{"data":{"a":1}}',
)  # fmt: skip


class Chance(random.Random):
    """Changes good things into bad ones."""

    def text(self, text: str) -> str:
        """A text with one or a few changes, or another one."""
        for _ in range(self.choice((1, 1, 1, 2, 5))):
            at = self.randint(0, len(text))
            to = self.randint(at, min(len(text), at + self.choice((1, 3, 20))))
            match self.randrange(8):
                case 0:
                    text = self.choice(TEXTS)
                case 1:
                    text = text[:at]
                case 2:
                    text = text[:at] + text[to:]
                case 3:
                    text = text[:at] + self.choice(TEXTS) + text[at:]
                case 4:
                    text = text[:at] + chr(self.choice((self.randrange(128), self.randrange(0xD800)))) + text[to:]
                case 5:
                    text = text[:at] + text[at:to] * self.choice((2, 50)) + text[to:]
                case 6:
                    text = text[::-1]
                case _:
                    text = text[:at] + text[at:to].swapcase() + text[to:]
        return text[:200_000]

    def data(self, data: bytes) -> bytes:
        """The same for bytes."""
        if self.random() < 0.5:
            return self.text(data.decode("latin-1")).encode("latin-1", "replace")
        spoilt = bytearray(data)
        for _ in range(self.choice((1, 1, 4, 40))):
            if spoilt:
                spoilt[self.randrange(len(spoilt))] = self.randrange(256)
        return bytes(spoilt)

    def value(self) -> object:
        """Anything that JSON can hold, and some things that it cannot (see `_raw`)."""
        kind = self.randrange(6)
        if kind == 0:
            return f"@raw{self.randrange(len(RAWS))}@"
        if kind == 1:
            return self.choice((None, True, False, 0, -1, 1, 7, 10**30, 10**18 + 1, 0.1, 1e300, -1e-300))
        if kind == 2:
            return self.choice(([], {}, [[]], [None], [{}], {"": ""}, ["x"], [1, "2"], {"message": "x"}))
        return self.choice(TEXTS)

    def body(self, body: bytes) -> bytes:
        """A body with changes to its tree, its text or its bytes; or another one."""
        try:
            tree = json.loads(body)
        except ValueError:
            return self.data(body)
        kind = self.randrange(10)
        if kind == 0:
            return self.choice(BODIES)
        if kind == 1:
            return self.data(body)
        for _ in range(self.choice((1, 1, 1, 2, 4))):
            tree = self._change(tree)
        text = _raw(json.dumps(tree))
        if kind == 2:
            # The same name twice, with another value.
            names = [part.split('"')[1] for part in text.split(",") if part.count('"') > 1]
            text = text.replace("{", f'{{"{self.choice(names or ["data"])}":null,', 1)
        return text.encode(self.choice(("utf-8",) * 30 + ("utf-16", "latin-1", "utf-8-sig")), "replace")

    def _change(self, tree: object) -> object:
        places = list(_places(tree))
        if not places or self.random() < 0.03:
            return self.value()
        parent, name = self.choice(places)
        match self.randrange(9):
            case 0 if isinstance(parent, dict):
                del parent[name]
            case 1 if isinstance(parent, dict):
                parent[self.choice(("new", "", "data", "status", "id", "message", "pagination"))] = self.value()
            case 2:
                parent[name] = [parent[name]]
            case 3:
                parent[name] = {"value": parent[name], "data": parent[name]}
            case 4:
                parent[name] = self.text(str(parent[name]))
            case 5 if isinstance(parent, list):
                parent.extend([parent[name]] * self.choice((1, 3)))
            case 6 if isinstance(parent[name], str | int | float) and str(parent[name])[:1].isdigit():
                parent[name] = self.choice(FIGURES)
            case 7:
                other, there = self.choice(places)
                parent[name] = json.loads(json.dumps(other[there]))
            case _:
                parent[name] = self.value()
        self._sign_again(parent)
        return tree

    def _sign_again(self, changed: object) -> None:
        """A payload that was changed may fit its digest again, so that what comes after the digest is reached."""
        if isinstance(changed, dict) and isinstance(changed.get("payload"), str) and self.random() < 0.8:
            with contextlib.suppress(ValueError, RecursionError):
                inner = json.loads(changed["payload"])
                changed["payload"] = _raw(json.dumps(self._change(inner)))
            with contextlib.suppress(UnicodeError):
                changed["digest"] = hashlib.sha256(changed["payload"].encode()).hexdigest()

    def response(self, good: Response) -> Response:
        """A response with something wrong about it."""
        status, headers, body = good.status, dict(good.headers), good.body
        while True:
            if self.random() < 0.3:
                status = self.choice(STATUSES)
            if self.random() < 0.25:
                name = self.choice(HEADERS)
                headers[name] = self.choice(DATES) if name == "date" else self.choice(NUMBERS)
            if self.random() < 0.05:
                headers["content-type"] = self.choice(("text/html", "", "application/json; charset=utf-16"))
            if self.random() < 0.75:
                body = self.body(body)
            if (status, headers, body) != (good.status, dict(good.headers), good.body):
                return Response(status=status, headers=headers, body=body)


def _raw(text: str) -> str:
    for number, raw in enumerate(RAWS):
        text = text.replace(f'"@raw{number}@"', raw)
    return text


def _places(tree: object):
    """Every (parent, name) of a tree, but of long lists the first rows only."""
    if isinstance(tree, dict):
        for name in list(tree):
            yield tree, name
            yield from _places(tree[name])
    elif isinstance(tree, list):
        for index in range(min(len(tree), 3)):
            yield tree, index
            yield from _places(tree[index])


class TookTooLong(BaseException):
    """The watchdog's: nothing catches it on the way."""


def _bark(_sign, _frame):
    raise TookTooLong


@pytest.fixture
def fuzz(request):
    """Run many cases: `fuzz(count, attempt)`. Each may end well, or with one of the allowed errors.

    `attempt(chance)` does one case. Returns how the cases ended, by name, so that a test can ask whether its changes
    reach anything.
    """
    before = signal.signal(signal.SIGVTALRM, _bark)

    def run(count: int, attempt, *, allowed=(TradehookError,)) -> Counter[str]:
        ends: Counter[str] = Counter()
        only = os.environ.get("FUZZ_CASE")
        for case in [int(only)] if only else range(count):
            chance = Chance(f"{SEED}:{request.node.name}:{case}")
            signal.setitimer(signal.ITIMER_VIRTUAL, CPU_SECONDS)
            try:
                attempt(chance)
                ends["fine"] += 1
            except allowed as error:
                ends[type(error).__name__] += 1
            except BaseException as error:
                if isinstance(error, KeyboardInterrupt):
                    raise
                raise AssertionError(
                    f"{type(error).__name__} came out: FUZZ_SEED={SEED} FUZZ_CASE={case} {request.node.name}"
                ) from error
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        return ends

    yield run
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    signal.signal(signal.SIGVTALRM, before)


@pytest.fixture(params=[1, pytest.param(10, marks=pytest.mark.prove)], ids=["", "proof"])
def times(request) -> int:
    """How many times the usual number of cases."""
    return request.param
