"""What the page of `make play` serves, without a browser; in one it is looked at by tests/bot/test_play_page.py."""

from __future__ import annotations

import re
from importlib.resources import files

import httpx
import pytest

from tradehook_sandbox import play
from tradehook_sandbox.page.serving import PATH

PARTS = sorted(file.name for file in files("tradehook_sandbox.page").iterdir() if file.name.endswith((".js", ".css")))


@pytest.fixture
def fetch(sandbox_server):
    """Gets a part of the page."""
    with httpx.Client(base_url=sandbox_server.url, trust_env=False) as client:
        yield lambda part: client.get(PATH + part)


def test_the_page_lets_nothing_else_in(fetch):
    """Its own scripts and styles and no others, in no frame, and nothing inline that the policy would stop."""
    page = fetch("")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    policy = dict(part.strip().partition(" ")[::2] for part in page.headers["content-security-policy"].split(";"))
    assert (policy["default-src"], policy["script-src"], policy["style-src"]) == ("'none'", "'self'", "'self'")
    assert policy["frame-ancestors"] == "'none'"
    assert fetch("/").headers["location"] == PATH
    assert page.headers["x-content-type-options"] == "nosniff"
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=|https?://|//\w", page.text)


def test_every_part_is_there_and_nothing_more(fetch):
    """What the page and its scripts name is served in its own kind; the package's other files are not."""
    named = set(re.findall(r'(?:src|href)="play/([\w.]+)"', fetch("").text))
    for name in PARTS:
        named |= set(re.findall(r'from "\./([\w.]+)"', fetch(f"/{name}").text))
    assert named == set(PARTS)
    kinds = {name: fetch(f"/{name}").headers["content-type"] for name in PARTS}
    assert set(kinds.values()) == {"text/javascript; charset=utf-8", "text/css; charset=utf-8"}
    for wrong in ("serving.py", "__init__.py", "..%2fserver.py", "nothing.js", "%00.js"):
        assert fetch(f"/{wrong}").status_code == 404


@pytest.mark.parametrize("name", [name for name in PARTS if name.endswith(".js")])
def test_text_only_ever_becomes_text(fetch, name):
    """No script makes markup or code of a string: what people and bots write has no way to run."""
    code = fetch(f"/{name}").text
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc", code)
    assert not re.search(r"setTimeout\(\s*[\"'`]", code)
    assert not re.search(r"https?://(?!127)", re.sub(r"`https://\$\{address\}`", "", code)), "nothing from elsewhere"


def test_the_address_that_play_prints():
    """The invitation is behind the #, where no server sees it; with the bot on a phone the exchange comes first."""
    link = "https://t.me/some_bot?start=AB-1_x"
    url = "http://127.0.0.1:8787"
    assert play._page(url, link=link, is_on_phone=False) == f"{url}/_sandbox/play#say=/start%20AB-1_x"
    assert play._page(url, link=link, is_on_phone=True) == f"{url}/_sandbox/play#exchange"


def test_a_browser_opens_only_where_there_is_a_display(monkeypatch):
    """And one that cannot be opened is no trouble."""
    opened: list[str] = []

    def broken(page: str) -> None:
        opened.append(page)
        raise OSError(page)

    monkeypatch.setattr(play.webbrowser, "open", broken)
    monkeypatch.setattr(play.sys, "platform", "linux")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("DISPLAY", raising=False)
    play._open("one")
    monkeypatch.setenv("DISPLAY", ":0")
    play._open("two")
    for thread in play.threading.enumerate():
        if thread.name == "browser":
            thread.join(10)
    assert opened == ["two"]
