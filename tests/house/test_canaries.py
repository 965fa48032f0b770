"""Canaries: real runs at full noise, and then nothing secret in any log, error, repr, output, journal or state.

What is searched for is what the runs really used: every form of the key, and the tokens, signatures and stamps as they
went over the wire. The controls at the end show that a leak is found.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import logging
import os
import pickle
import re
import subprocess
import sys
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from urllib.parse import quote

import pytest
from cryptography.hazmat.primitives import serialization

from tradehook import errors
from tradehook.client import connect, connect_async
from tradehook.errors import TradehookError
from tradehook.exchanges.true_markets import keys
from tradehook.lines.asynchronous import AsyncLine
from tradehook.lines.blocking import BlockingLine
from tradehook.models import NewOrder
from tradehook.prices import PriceGap
from tradehook.redaction import Redaction, forms_of
from tradehook.run import run
from tradehook.settings import Settings
from tradehook.wire import Request, Response

BOT = "1234567890:AAExampleExampleExampleExampleExamp"
NOISY = ("httpx", "httpcore", "websockets", "tradehook", "asyncio")
_SIGNED = re.compile(r"eyJ[\w-]{20,}|(?<![\w-])[\w-]{86}(?![\w-])|\b30[0-9a-f]{136,142}\b")
"""A JWT or a stamp, a raw signature, a DER signature: for processes whose tokens we do not see."""


@dataclass
class Canaries:
    """Texts that must not be found again, by what they are."""

    key_file: str
    secrets: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for form in forms_of(self.key_file):
            self.secrets[form] = "a form of the key file"
        private = keys.parse(self.key_file.encode(), where="canary").private_key
        for style in (serialization.PrivateFormat.PKCS8, serialization.PrivateFormat.TraditionalOpenSSL):
            pem = private.private_bytes(serialization.Encoding.PEM, style, serialization.NoEncryption()).decode()
            for line in pem.splitlines()[1:-1]:
                self.secrets[line] = "a line of the key as PEM"
        self.secrets[BOT.partition(":")[2]] = "the bot's token"

    def add(self, what: str, secret: str) -> None:
        """A text, and the part of it that is of use by itself."""
        for form in (secret, quote(secret, safe=""), base64.b64encode(secret.encode()).decode().rstrip("=")[:-1]):
            self.secrets[form] = what
        if secret.count(".") == 2:
            self.secrets[secret.rpartition(".")[2][:40]] = f"the signature of {what}"

    def hear(self, request: Request, response: Response | None) -> None:
        """What one exchange of messages had in it."""
        if bearer := request.headers.get("authorization"):
            self.add("an access token", bearer.removeprefix("Bearer "))
        for body in (request.body, response.body if response else b""):
            with suppress(ValueError, AttributeError):
                content = json.loads(body)
                for name in ("access_token", "refresh_token", "signature"):
                    if isinstance(content.get(name), str):
                        self.add(f"`{name}`", content[name])
                for stamp in content.get("signatures", ()):
                    self.add("a stamp", stamp)
                    inner = json.loads(base64.urlsafe_b64decode(stamp + "=" * (-len(stamp) % 4)))
                    self.add("the signature in a stamp", inner["signature"])

    def in_(self, text: str | bytes) -> set[str]:
        """What is found in a text."""
        if isinstance(text, bytes):
            text = text.decode("latin-1")
        return {what for secret, what in self.secrets.items() if secret in text}


def environment(server, folder) -> dict[str, str]:
    return {**server.environment, "TRADEHOOK_JOURNAL_URL": f"sqlite:///{folder}/journal.db"}


@dataclass
class Runs:
    """What the runs left behind."""

    canaries: Canaries
    protected: str = ""
    bare: str = ""
    """The same records without the filter."""
    errors: list[BaseException] = field(default_factory=list)
    locals_told: list[str] = field(default_factory=list)
    things: dict[str, object] = field(default_factory=dict)
    journal: bytes = b""


@pytest.fixture(scope="module")
def server(start_sandbox):
    return start_sandbox("--rate-limit", "0")


@pytest.fixture(scope="module")
def runs(server, tmp_path_factory):
    """Every kind of request, well and with faults, over real sockets, with everything logged."""
    folder = tmp_path_factory.mktemp("canaries")
    done = Runs(Canaries(server.key_file.read_text()))
    streams = {"bare": io.StringIO(), "protected": io.StringIO()}
    handlers = {name: logging.StreamHandler(stream) for name, stream in streams.items()}
    handlers["protected"].addFilter(Redaction(forms_of(done.canaries.key_file)))
    root = logging.getLogger()
    libraries = [logging.getLogger(name) for name in ("tradehook", "httpx", "httpcore", "websockets")]
    levels = {logger: logger.level for logger in (root, *libraries)}
    with pytest.MonkeyPatch.context() as patch:
        _overhear(patch, done.canaries)
        root.setLevel(logging.DEBUG)
        for library in libraries:
            # Other tests of this process may have hushed them, as the bot does.
            library.setLevel(logging.DEBUG)
            patch.setattr(library, "propagate", True)
            patch.setattr(library, "disabled", False)
        # The filter changes records: the bare log comes first.
        for handler in (handlers["bare"], handlers["protected"]):
            root.addHandler(handler)
        try:
            _work(
                server,
                replace(Settings.from_environment(environment(server, folder)), timeout_seconds=1.0, look_seconds=0.0),
                done,
            )
            asyncio.run(_work_async(server, Settings.from_environment(environment(server, folder)), done))
        finally:
            for logger, level in levels.items():
                logger.setLevel(level)
            for handler in handlers.values():
                root.removeHandler(handler)
            server.clear_faults()
    done.bare, done.protected = streams["bare"].getvalue(), streams["protected"].getvalue()
    done.journal = b"".join(path.read_bytes() for path in sorted(folder.iterdir()))
    return done


def _overhear(patch: pytest.MonkeyPatch, canaries: Canaries) -> None:
    for line in (BlockingLine, AsyncLine):
        send = line.send

        async def overheard(self, request, send=send):
            response = None
            try:
                response = await send(self, request)
            finally:
                canaries.hear(request, response)
            return response

        patch.setattr(line, "send", overheard)

    async def a_moment(_line, _seconds):
        time.sleep(0.01)  # noqa: ASYNC251 - a blocking line blocks

    patch.setattr(BlockingLine, "pause", a_moment)


def _note(done: Runs, error: TradehookError) -> None:
    done.errors.append(error)
    told = traceback.TracebackException.from_exception(error, capture_locals=True)
    # This file's own frames hold what is searched for.
    told.stack = traceback.StackSummary.from_list([frame for frame in told.stack if frame.filename != __file__])
    done.locals_told.append("".join(told.format()))


def _work(server, settings: Settings, done: Runs) -> None:
    with connect(settings) as client:
        session = client.exchange.session
        session.budget.requests = 100_000  # the sandbox was started without a limit
        client.balances()
        held = run(session.token())
        session._token = replace(held, received_at=held.received_at - held.life_seconds + 1)
        client.get_quote("BTC", side="buy", quantity=Decimal("0.01"))
        list(client.list_orders())
        placed = client.place_order(NewOrder.of("BTC/PYUSD", side="sell", amount="0.001", price=Decimal(90000)))
        client.cancel_order(placed.order.order_id)
        on_chain = NewOrder.of("CBBTC/USDC", side="buy", amount="$5", chain="base")
        client.place_order(on_chain)
        heard = client.watch_prices(["BTC"])
        done.things["what a stream said"] = next(heard)
        heard.close()
        done.things |= {
            "Settings": settings, "Client": client, "AsyncClient": client.operations, "Desk": client.desk,
            "Exchange": client.exchange, "Session": session, "Auth": session.auth, "Signer": client.exchange.signer,
            "Token": run(session.token()), "Outcome": placed, "Line": session.line, "Budget": session.budget,
            "Request": run(session.prepare(Request("GET", f"{server.url}/v1/conductor/orders")))[0],
            "mint": session.auth.mint(at=1), "refresh": session.auth.refresh(held),
            "Response": Response(200, {"set-cookie": held.access}, held.access.encode()),
            "Write": client.exchange.cancel_order("abc"),
        }  # fmt: skip
        amounts = count(11)  # each its own: the twin of one in doubt would be refused
        for kind, more in (
            ("error_after", {"status": 502}), ("error_before", {"status": 401}), ("error_before", {"status": 403}),
            ("error_before", {"status": 500}), ("timeout_after", {"delay_seconds": 2}), ("truncated", {}), ("garbled", {}),
            ("edge_html", {}), ("missing_field", {}),
        ):  # fmt: skip
            for path in ("/orders", "/execute"):
                server.fault(kind, path=path, times=9, **more)
                for order in (
                    NewOrder.of("BTC/PYUSD", side="buy", amount=f"0.00{next(amounts)}"),
                    NewOrder.of("CBBTC/USDC", side="buy", amount=f"$5.{next(amounts)}", chain="base"),
                ):
                    try:
                        client.place_order(order)
                    except TradehookError as error:
                        _note(done, error)
                server.clear_faults()
        for path in ("/token", "/refresh"):
            server.fault("error_before", status=401, path=path, times=9)
        session._token = None
        try:
            client.balances()
        except TradehookError as error:
            _note(done, error)
        server.clear_faults()


async def _work_async(server, settings: Settings, done: Runs) -> None:
    client = connect_async(settings)
    try:
        await client.balances()
        await client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.0051"))
        async for update in client.watch_prices(["BTC"]):
            assert not isinstance(update, PriceGap)
            break
        server.fault("error_before", status=500, method="GET", path="/balances", times=9)
        try:
            await client.balances()
        except TradehookError as error:
            _note(done, error)
    finally:
        await client.close()


def test_the_runs_were_loud_and_used_secrets(runs):
    used = set(runs.canaries.secrets.values())
    assert {"an access token", "`refresh_token`", "`signature`", "a stamp"} <= used
    assert runs.bare.count("\n") > 500
    for name in ("send_request_headers", "/v1/conductor/orders: 201", "connection is OPEN"):
        assert name in runs.bare
        assert name in runs.protected
    kinds = {type(error).__name__ for error in runs.errors}
    assert {"OutcomeUnknown", "Unauthorized"} <= kinds, kinds


def test_no_log_holds_a_secret(runs):
    assert runs.canaries.in_(runs.protected) == set()
    assert not _SIGNED.search(runs.protected)


def test_what_we_log_ourselves_needs_no_filter(runs):
    """And nothing that the libraries log at this moment does; the filter is there for what they do next."""
    assert runs.canaries.in_(runs.bare) == set()


def test_no_error_holds_a_secret(runs):
    assert len(runs.errors) > 10
    for error in runs.errors:
        told = [str(error), repr(error), repr(error.details), "".join(traceback.format_exception(error))]
        told.append(pickle.dumps(error))
        inner = error.__cause__ or error.__context__
        while inner is not None:
            told += [str(inner), repr(inner), repr(vars(inner))]
            inner = inner.__cause__ or inner.__context__
        for text in told:
            assert runs.canaries.in_(text) == set(), type(error)
        assert repr(pickle.loads(pickle.dumps(error))) == repr(error)


def test_local_variables_of_a_failed_operation_hold_none(runs):
    """As error collectors record them. (Of reading a key file they would: see the explanation of secrets.)"""
    assert any("attempt = 4" in told for told in runs.locals_told)
    for told in runs.locals_told:
        assert runs.canaries.in_(told) == set()


@pytest.mark.parametrize(
    "kind", [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, TradehookError)]
)
def test_every_class_of_error_survives_and_adds_nothing(kind):
    needed = {"GuardRefused": {"rule": "r"}, "OutcomeUnknown": {"intent_id": "i", "next_step": "n"}}
    error = kind("a sentence", **needed.get(kind.__name__, {}))
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.details) == (kind, "a sentence", error.details)


def test_no_repr_holds_a_secret(runs):
    assert len(runs.things) > 15
    for name, thing in runs.things.items():
        for text in (repr(thing), str(thing), f"{thing}", repr([thing])):
            assert runs.canaries.in_(text) == set(), name


def test_the_journal_holds_no_secret(runs):
    assert b"accepted" in runs.journal
    assert runs.canaries.in_(runs.journal) == set()
    assert not _SIGNED.search(runs.journal.decode("latin-1"))


def test_the_world_of_a_sandbox_shows_no_key(make_plain_sandbox):
    sandbox, key = make_plain_sandbox
    canaries = Canaries(json.dumps(key))
    assert canaries.in_(repr(sandbox) + repr(sandbox.exchange) + str(vars(sandbox))) == set()


@pytest.fixture
def make_plain_sandbox():
    from tradehook_sandbox import Sandbox

    sandbox = Sandbox()
    yield sandbox, sandbox.key_file()
    sandbox.close()


def test_a_sandboxes_state_and_output_hold_no_private_key(tmp_path, start_sandbox):
    state = tmp_path / "state.db"
    server = start_sandbox("--state", str(state))
    canaries = Canaries(server.key_file.read_text())
    with (
        connect(Settings.from_environment(environment(server, tmp_path))) as client,
        pytest.MonkeyPatch.context() as patch,
    ):
        _overhear(patch, canaries)
        client.place_order(NewOrder.of("CBBTC/USDC", side="buy", amount="$5", chain="base"))
    assert server.stop() == 0
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.name.startswith("state"))
    assert keys.load(server.key_file).public_key_hex.encode() in kept
    assert canaries.in_(kept) == set()


# --- the command line -------------------------------------------------------------------------------------------------

COMMANDS = (
    "doctor", "doctor --json", "quote BTC 0.05", "balances --json", "assets", "orders --json",
    "order place buy BTC/PYUSD 0.001 --yes --json --intent-id canary", "intents show canary", "intents list --json",
    "order place buy CBBTC/USDC $5 --chain base --yes", "order place sell BTC 0.001 --limit 90000 --yes",
    "order show 00000000", "order cancel 00000000-0000-4000-8000-000000000000", "transfers", "transactions", "portfolio",
    "destinations", "order place buy BTC 5000 --yes", "order place buy NONE 1 --yes", "freeze because", "resume",
)  # fmt: skip


@pytest.fixture(scope="module")
def outputs(server, tmp_path_factory):
    """Every command in a process of its own, with `--debug`: (its words, all that it wrote)."""
    folder = tmp_path_factory.mktemp("commands")
    damaged = folder / "damaged.json"
    damaged.write_text(server.key_file.read_text().replace('"EC"', '"OKP"'))
    damaged.chmod(0o600)
    strange = {"TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(damaged)}
    nobody = {"TRADEHOOK_TRUE_MARKETS_URL": "http://127.0.0.1:1", "TRADEHOOK_TIMEOUT_SECONDS": "1"}
    written = []
    for words, more in [*((words, {}) for words in COMMANDS), ("balances", strange), ("order show abc", nobody)]:
        done = subprocess.run(
            [sys.executable, "-m", "tradehook.cli", "--debug", *words.split()],
            env={**os.environ, **environment(server, folder), **more},
            capture_output=True,
            text=True,
            timeout=60,
        )
        written.append((words, done.stdout + done.stderr))
    return written


def test_no_command_prints_a_secret(outputs, server):
    canaries = Canaries(server.key_file.read_text())
    for words, text in outputs:
        assert canaries.in_(text) == set(), words
        assert not _SIGNED.search(text), words
    texts = dict(outputs)
    assert "send_request_headers" in texts["balances --json"]
    assert "/v1/conductor/balances/unified" in texts["balances --json"]
    assert "holds a key of another kind" in texts["balances"]


def test_an_importing_of_a_key_prints_none_of_it(server, tmp_path):
    pem = keys.load(server.key_file).private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (tmp_path / "key.pem").write_bytes(pem)
    (tmp_path / "key.pem").chmod(0o600)
    canaries = Canaries(server.key_file.read_text())
    for words in (
        ["keys", "import", str(tmp_path / "key.pem"), "--key-id", "11111111-2222-4333-8444-555555555555"],
        ["keys", "import", str(tmp_path / "key.pem"), "--key-id", "no"],
        ["keys", "new"],
    ):
        done = subprocess.run(
            [sys.executable, "-m", "tradehook.cli", "--debug", *words],
            env={**os.environ, "TRADEHOOK_TRUE_MARKETS_KEY_FILE": str(tmp_path / "new.json")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert canaries.in_(done.stdout + done.stderr) == set(), words


def test_debugging_can_be_asked_for_by_the_environment_too(server, tmp_path):
    for more, is_loud in (({"TRADEHOOK_DEBUG": "1"}, True), ({}, False)):
        done = subprocess.run(
            [sys.executable, "-m", "tradehook.cli", "balances"],
            env={**os.environ, **environment(server, tmp_path), **more},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0
        assert ("DEBUG httpcore" in done.stderr) is is_loud


# --- the controls -----------------------------------------------------------------------------------------------------


@pytest.fixture
def loud():
    """A logger that is set up as people do, with the filter or without."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.Logger("control")  # noqa: LOG001 - one that nobody else has set up
    logger.addHandler(handler)
    return logger, handler, stream


def test_a_leaky_log_is_found_and_the_filter_stops_it(runs, loud):
    logger, handler, stream = loud
    for secret in list(runs.canaries.secrets):
        logger.info("leak: %s", secret)
    found = runs.canaries.in_(stream.getvalue())
    assert found == set(runs.canaries.secrets.values())
    stream.truncate(0)
    stream.seek(0)
    handler.addFilter(Redaction(runs.canaries.secrets))
    for secret in list(runs.canaries.secrets):
        logger.info("leak: %s", secret)
    assert runs.canaries.in_(stream.getvalue()) == set()


def test_a_leaky_error_repr_and_journal_are_found(runs):
    token = next(secret for secret, what in runs.canaries.secrets.items() if what == "an access token")
    leaky = errors.Unauthorized(f"not accepted: {token}", status=401)
    assert runs.canaries.in_(str(leaky)) & {"an access token"}
    assert runs.canaries.in_(pickle.dumps(leaky)) & {"an access token"}
    assert runs.canaries.in_(repr({"token": token}))
    assert runs.canaries.in_(b"SQLite format 3\x00" + token.encode())
    assert _SIGNED.search(f"token={token}")


def test_library_logs_of_a_bots_address_are_masked(server, loud):
    """httpx logs whole addresses, and Telegram's hold the bot's token."""
    import httpx

    _, handler, stream = loud
    library = logging.getLogger("httpx")
    level = library.level
    library.setLevel(logging.DEBUG)
    library.addHandler(handler)
    try:
        for is_protected in (False, True):
            stream.truncate(0)
            stream.seek(0)
            if is_protected:
                handler.addFilter(Redaction())
            httpx.get(f"{server.url}/bot{BOT}/getMe", trust_env=False, timeout=10)
            assert (BOT in stream.getvalue()) is not is_protected
        assert "<bot token>" in stream.getvalue()
    finally:
        library.removeHandler(handler)
        library.setLevel(level)
