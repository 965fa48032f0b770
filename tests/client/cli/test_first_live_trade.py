"""The first live trade, typed word by word at a terminal as its page says, on a sandbox that plays the live exchange."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from tradehook_sandbox.stage import free_port

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "tutorials" / "first-live-trade.md"
HOW_TO = ROOT / "docs" / "how-to" / "set-limits.md"
_QUESTION = re.compile(r"^(?P<question>.*(?:\]|to go live):) ?(?P<answer>.*)$")


def blocks(page, port):
    """What is typed, each with what the page says is shown and answered."""
    found = re.findall(r"```(bash|text)\n(.*?)```", page.read_text().replace("8787", port), re.DOTALL)
    for (kind, text), (following, shown) in pairwise([*found, ("", "")]):
        if kind == "bash":
            yield text, (shown if following == "text" else "")


def squeezed(text):
    """Without colours, and as one line: a terminal wraps where it likes."""
    return " ".join(re.sub(r"\x1b\[[0-9;]*m", "", text).split())


class Desk:
    """A home, a folder, and a person who types what a page says."""

    def __init__(self, folder, person):
        self.folder = folder
        self.person = person
        self.port = str(free_port())
        self.exports = "set -euo pipefail\n"
        self.environment = {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
        }
        self.service = None

    def serve(self, command):
        self.service = subprocess.Popen(
            ["bash", "-c", f"exec {command.strip()} --port {self.port}"],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.service.stdout.readline().startswith("ready http")

    def types(self, text, shown):
        """Type one block, answer as the page does, and see that all of the page's words were shown, in their order."""
        operator = self.person(
            f"cd {self.folder}\n{self.exports}{text}", program=("bash", "-c"), environment=self.environment
        )
        for line in shown.splitlines():
            if asked := _QUESTION.match(line):
                operator.answers(asked["question"].strip(), asked["answer"])
        code = operator.ends()
        assert code == 0, f"{text}\n{operator.shown}"
        assert "Traceback" not in operator.shown
        rest = squeezed(operator.shown)
        for line in shown.splitlines():
            for part in filter(None, (squeezed(part) for part in line.split("…"))):
                _, found, rest = rest.partition(part)
                assert found, f"the page shows {part!r}, the terminal did not:\n{operator.shown}"
        self.exports += "".join(f"{line}\n" for line in text.splitlines() if line.startswith(("umask ", "export ")))
        return operator.shown

    def close(self):
        if self.service is not None:
            self.service.send_signal(signal.SIGTERM)
            assert self.service.wait(20) == 0
            self.service.stdout.close()


@pytest.fixture
def desk(tmp_path, person):
    one = Desk(tmp_path, person)
    yield one
    one.close()


def test_the_page_works_as_printed(desk):
    shown: dict[str, str] = {}
    for text, transcript in blocks(PAGE, desk.port):
        if text.startswith("tradehook-sandbox serve"):
            desk.serve(text)
        else:
            shown[text.splitlines()[0]] = squeezed(desk.types(text, transcript))
    told = " ".join(shown.values())
    assert told.count("refused with exit code 3") == 5
    assert "off writes" in shown["tradehook doctor"]
    assert "WRONG" not in told
    limits = shown["tradehook order place buy BTC '$60' --yes || echo \"refused with exit code $?\""]
    assert "the limit is 50" in limits
    assert "ETH at the exchange is not on the list" in limits
    assert "Version 2" in shown['tradehook limits set --order 30 --why "smaller for the first week"']
    assert "smaller for the first week" in shown["tradehook go-live --undo"]


def test_setting_limits_works_as_printed(desk):
    desk.serve("tradehook-sandbox serve")
    desk.environment["TRADEHOOK_TRUE_MARKETS_URL"] = f"http://127.0.0.1:{desk.port}"
    for text, transcript in blocks(HOW_TO, desk.port):
        desk.types(text, transcript)
