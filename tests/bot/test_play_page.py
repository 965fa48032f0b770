"""The page of `make play` in a real browser, with a real bot behind its chat and a real exchange beside it.

Chromium is driven over its own debugging protocol. It is no part of the project's environment, so this is for
`make prove`: `apt install chromium`. What the page serves is tested without a browser in tests/sandbox/test_page.py.
"""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import signal
import struct
import subprocess
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
from websockets.sync.client import ClientConnection, connect

pytestmark = pytest.mark.prove
PATIENCE_SECONDS = 20
PAGE = "/_sandbox/play"
MARKUP = "<img src=x onerror='window.broken=1'><script>window.broken=1</script>"


class Page:
    """One tab."""

    def __init__(self, socket: ClientConnection, eventually: Callable[..., Any]) -> None:
        self.socket = socket
        self.eventually = eventually
        self.numbers = itertools.count(1)
        self.complaints: list[str] = []

    def call(self, method: str, **parameters: Any) -> Any:
        """One command of the protocol; what the page complains of meanwhile is kept."""
        number = next(self.numbers)
        self.socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            told = json.loads(self.socket.recv(timeout=PATIENCE_SECONDS))
            if told.get("id") == number:
                assert "error" not in told, told
                return told["result"]
            self._hear(told)

    def _hear(self, told: dict[str, Any]) -> None:
        if told.get("method") == "Runtime.exceptionThrown":
            self.complaints.append(told["params"]["exceptionDetails"].get("exception", {}).get("description", "?"))
        elif told.get("method") == "Log.entryAdded" and told["params"]["entry"]["level"] == "error":
            self.complaints.append(told["params"]["entry"]["text"])

    def open(self, url: str, *, width: int = 1280, height: int = 800, theme: str = "light") -> None:
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        self.size(width, height, theme)
        self.call("Page.navigate", url=url)
        self.eventually(lambda: self.run("document.readyState") == "complete")

    def size(self, width: int, height: int, theme: str) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])

    def run(self, script: str) -> Any:
        """The value of an expression, awaited."""
        answer = self.call("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def text(self, selector: str) -> str:
        """What a person reads there."""
        return str(self.run(f"[...document.querySelectorAll({selector!r})].map(e => e.innerText).join('\\n')"))

    def wait_for(self, selector: str, text: str) -> None:
        try:
            self.eventually(lambda: text in self.text(selector))
        except AssertionError:
            raise AssertionError(f"{text!r} never stood in {selector}:\n{self.text(selector)}") from None

    def key(self, name: str, code: int, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=name, windowsVirtualKeyCode=code, text=text)

    def type(self, text: str) -> None:
        """Typed where the focus is, and sent with Enter."""
        self.call("Input.insertText", text=text)
        self.key("Enter", 13, "\r")

    def focus(self, selector: str) -> None:
        self.run(f"document.querySelector({selector!r}).focus()")

    def click(self, selector: str, label: str) -> None:
        """A real click in the middle of the last such element whose text begins so."""
        script = f"""(() => {{
            const found = [...document.querySelectorAll({selector!r})].filter(e => e.innerText.startsWith({label!r}));
            const target = found.at(-1); if (!target) return null;
            target.scrollIntoView({{block: "center"}});
            const box = target.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()"""
        x, y = self.eventually(lambda: self.run(script))
        for kind in ("mousePressed", "mouseReleased"):
            self.call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def picture(self, path: Path) -> None:
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"]))


@pytest.fixture
def page(tmp_path: Path, eventually: Callable[..., Any]) -> Iterator[Page]:
    """A tab of a browser of its own."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert chromium, "this test needs Chromium: apt install chromium"
    profile = tmp_path / "profile"
    process = subprocess.Popen(
        [
            *(chromium, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"),
            *("--no-first-run", "--no-proxy-server", "--hide-scrollbars", "--remote-debugging-port=0"),
            *(f"--user-data-dir={profile}", "about:blank"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        told = profile / "DevToolsActivePort"
        eventually(lambda: told.exists() and len(told.read_text().splitlines()) == 2)
        port, _ = told.read_text().splitlines()
        tabs = httpx.get(f"http://127.0.0.1:{port}/json", trust_env=False).json()
        address = next(tab["webSocketDebuggerUrl"] for tab in tabs if tab["type"] == "page")
        with connect(address, max_size=None, proxy=None) as socket:
            yield Page(socket, eventually)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(10)


@pytest.fixture
def desk(serve, make_bot, tmp_path):
    """A sandbox with one bot, as `make play` has it."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    with serve(folder) as exchange, make_bot(exchange).running() as bot:
        yield bot


def test_a_newcomer_trades_and_sees_both_sides(page, desk):
    """The invitation in the address, /buy by keyboard, Confirm by mouse, the order and the money on the other side."""
    page.open(f"{desk.exchange.url}{PAGE}#user=Ann&say=%2Fstart%20{desk.invite()}")
    page.wait_for("#polling", "bot is there")
    assert page.run("document.activeElement.id") == "text"
    page.key("Enter", 13, "\r")
    page.wait_for("#log", "You are its owner")
    assert page.run("location.hash") == ""
    page.type("/buy BTC $100")
    page.wait_for("#log .keys", "Buy about")
    assert "No orders yet" in page.text("#orders")
    before = page.text("#balances")
    page.click("#log .keys button", "Buy about")
    page.wait_for("#orders tbody tr", "Buy")
    page.wait_for("#orders tbody .status", "complete")
    page.eventually(lambda: page.text("#balances") != before)
    assert desk.exchange.orders() == 1
    assert page.complaints == []


def test_what_people_and_bots_write_stays_text(page, desk):
    """Markup in a message, in a name and in a button is shown and never run, and addresses that run something are no links."""
    page.open(f"{desk.exchange.url}{PAGE}#user=%3Cb%20onclick%3Dx%3E")
    page.wait_for("#polling", "bot is there")
    page.focus("#text")
    page.type(MARKUP)
    page.wait_for("#log", MARKUP)
    ann = desk.let_in("Ann")
    with_bot(desk, ann.chat, MARKUP)
    page.run(f"document.querySelector('#person').value = {ann.user!r}")
    page.run("document.querySelector('#person').dispatchEvent(new Event('change'))")
    page.wait_for("#log .text", "bold and code")
    assert page.run("document.querySelectorAll('#log b > code').length") == 1
    assert page.text("#log .keys").splitlines()[-1] == MARKUP
    assert page.run("document.querySelectorAll('#log img[src=x], #log script').length") == 0
    assert page.run("window.broken") is None
    code = "import('/_sandbox/play/entities.js').then(m => ['javascript:1', 'data:text/html,x', 'e.org'].map(m.safeAddress))"
    assert page.run(code) == [None, None, "https://e.org/"]
    assert page.complaints == []


def with_bot(desk, chat: int, button: str) -> None:
    """The bot sends markup, and a button with markup."""
    keyboard = {"inline_keyboard": [[{"text": button, "callback_data": "x"}]]}
    text = "&lt;script&gt;window.broken=1&lt;/script&gt; <b>bold and <code>code</code></b>"
    message = {"chat_id": chat, "text": text, "parse_mode": "HTML", "reply_markup": keyboard}
    httpx.post(f"{desk.exchange.url}/bot{desk.token}/sendMessage", json=message).raise_for_status()


@pytest.mark.parametrize("width", [400, 1280])
def test_nothing_sticks_out_and_faults_can_be_switched(page, desk, width):
    """No sideways scrolling at either width; a switch waits on the exchange and is taken back; a price jumps."""
    page.open(f"{desk.exchange.url}{PAGE}", width=width)
    page.wait_for("#polling", "bot is there")
    if width == 400:
        assert not page.run("document.querySelector('#exchange').checkVisibility()")
        page.click("nav button", "Exchange")
        assert not page.run("document.querySelector('#chat').checkVisibility()")
    page.wait_for("#prices", "BTC")
    page.click("#exchange-faults button", "Lose the answer")
    page.wait_for("#waiting", "timeout_after at POST /orders")
    assert [fault["kind"] for fault in desk.exchange.get("/faults")["data"]] == ["timeout_after"]
    page.click("#telegram-faults button", "Next updates")
    page.wait_for("#waiting", "ack_lost at getupdates")
    page.click("#waiting button", "Take all back")
    page.eventually(lambda: page.text("#waiting") == "")
    price = float(desk.exchange.get("/prices")["BTC"])
    page.click("[data-coin=BTC] button", "+5 %")
    page.eventually(lambda: float(desk.exchange.get("/prices")["BTC"]) > 1.04 * price)
    assert page.run("document.documentElement.scrollWidth") <= width
    small = "[...document.querySelectorAll('button, input, select')].filter(e => e.checkVisibility() && !e.innerText && !e.labels?.length && !e.ariaLabel && !e.title)"
    assert page.run(f"{small}.length") == 0
    assert page.complaints == []


@pytest.fixture
def absent(serve, make_bot, tmp_path):
    """A sandbox with a bot that does not run: what it does, the test does with its token."""
    folder = tmp_path / "sandbox"
    folder.mkdir()
    with serve(folder) as exchange:
        yield make_bot(exchange).known()


def test_groups_pictures_edits_and_alerts(page, absent, picture):
    """What a bot does beyond text: all of it is seen as it happens, in the chat that is open and in no other."""
    desk, ann = absent, absent.person("Ann")
    ann.say("/start")
    group = ann.group("Desk <1>", forum=True)
    trades = group.topic("Trades")

    def call(method: str, **arguments: Any) -> Any:
        answer = httpx.post(f"{desk.exchange.url}/bot{desk.token}/{method}", **arguments, trust_env=False)
        return answer.raise_for_status().json()["result"]

    page.open(f"{desk.exchange.url}{PAGE}#user={quote(str(ann.user))}")
    page.wait_for("#room", "Desk <1> › Trades")
    page.wait_for("#log", "/start")
    page.wait_for("#polling", "bot is away")
    sent = call("sendPhoto", data={"chat_id": ann.chat, "caption": "BTC today"}, files={"photo": picture})
    page.wait_for("#log", "BTC today")
    page.eventually(lambda: page.run("document.querySelector('#log img')?.naturalWidth") == 3)
    call("editMessageCaption", json={"chat_id": ann.chat, "message_id": sent["message_id"], "caption": "BTC now"})
    page.wait_for("#log", "BTC now")
    call("deleteMessage", json={"chat_id": ann.chat, "message_id": sent["message_id"]})
    page.eventually(lambda: page.run("document.querySelector('#log img')") is None)
    keyboard = {"inline_keyboard": [[{"text": "Confirm", "callback_data": "c:1"}]]}
    call("sendMessage", json={"chat_id": ann.chat, "text": "Shall I?", "reply_markup": keyboard})
    page.click("#log .keys button", "Confirm")
    press = page.eventually(lambda: ann.remote.get("/transcript", chat=ann.chat)["presses"])[0]
    answer = {"callback_query_id": press["callback_query_id"], "text": "Too late", "show_alert": True}
    call("answerCallbackQuery", json=answer)
    page.wait_for("dialog[open]", "Too late")
    page.key("Escape", 27)
    page.eventually(lambda: page.run("document.querySelector('dialog[open]')") is None)
    choose = "document.querySelector('#room').value = [...document.querySelector('#room').options].at(-1).value"
    page.run(f"{choose}; document.querySelector('#room').dispatchEvent(new Event('change'))")
    page.eventually(lambda: "Shall I?" not in page.text("#log"))
    page.focus("#text")
    page.type("hello, desk")
    page.wait_for("#log", "hello, desk")
    assert [(message.text, message.thread) for message in group.messages()] == [("hello, desk", trades)]
    call("sendMessage", json={"chat_id": group.id, "text": "in General"})
    call("sendMessage", json={"chat_id": group.id, "text": "in Trades", "message_thread_id": trades})
    page.wait_for("#log", "in Trades")
    assert "in General" not in page.text("#log")
    assert page.complaints == []


@pytest.fixture
def picture() -> bytes:
    """A small grey picture."""
    size, rows = struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 0), zlib.compress((b"\0" + b"\x80" * 3) * 2)
    chunks = [(b"IHDR", size), (b"IDAT", rows), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        for kind, content in chunks
    )
