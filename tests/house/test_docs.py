"""The docs are true: links lead somewhere, and the tutorials work as printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tradehook_sandbox.stage import free_port

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
TYPED = [
    *sorted(set((ROOT / "docs" / "tutorials").glob("*.md")) - {ROOT / "docs" / "tutorials" / "first-live-trade.md"}),
    ROOT / "docs" / "how-to" / "trade-futures.md",
    ROOT / "docs" / "how-to" / "use-fintrusted.md",
    ROOT / "docs" / "how-to" / "use-the-sandbox-without-tradehook.md",
]
"""Pages whose commands are typed in, one after the other. (The first live trade asks questions: it is typed at a terminal
in `tests/client/cli/test_first_live_trade.py`.)"""
SERVICES = {"tradehook-sandbox serve": "ready http", "tradehook-bot run": "serves main"}
"""What stays running in a terminal of its own, and what shows that it does."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for link in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
        if "://" not in link:
            assert (page.parent / link).exists(), link


def test_every_page_can_be_found_from_the_index():
    seen, waiting = set(), [ROOT / "docs" / "index.md"]
    while waiting:
        page = waiting.pop().resolve()
        if page in seen or page.suffix != ".md":
            continue
        seen.add(page)
        waiting += [page.parent / link for link in re.findall(r"\]\(([^)#\s]+\.md)", page.read_text())]
    assert [page for page in (ROOT / "docs").rglob("*.md") if page.resolve() not in seen] == []


def test_the_readme_is_short_and_names_the_test_command():
    readme = (ROOT / "README.md").read_text()
    assert len(readme.splitlines()) < 120
    for command in ("make demo", "make test", "make play", "make lint"):
        assert command in readme


def test_the_settings_page_names_every_setting():
    named = set(re.findall(r"TRADEHOOK_[A-Z_]+|TELEGRAM_[A-Z_]+", (ROOT / "docs/reference/settings.md").read_text()))
    used = set()
    for path in (ROOT / "client").rglob("*.py"):
        used |= set(re.findall(r"TRADEHOOK_[A-Z_]+[A-Z]", path.read_text()))
    assert used <= named, used - named


def test_the_readmes_ten_lines_run(sandbox_server, tmp_path):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    environment = {
        **os.environ,
        **sandbox_server.environment,
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "PYUSD" in done.stdout


class Terminal:
    """A home and a folder of its own, and the commands of this project on the path."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = str(free_port())
        self.services: list[subprocess.Popen] = []
        (folder / "dags").symlink_to(ROOT / "dags")
        self.environment = {
            "HOME": str(folder),
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "LANG": "C.UTF-8",
            "TRADEHOOK_TRUE_MARKETS_URL": f"http://127.0.0.1:{self.port}",
        }

    def read(self, page: Path) -> list[str]:
        """The page's commands, on a port that is free here."""
        return [
            block.replace("8787", self.port) for block in re.findall(r"```bash\n(.*?)```", page.read_text(), re.DOTALL)
        ]

    def serve(self, command: str, exports: str) -> None:
        """Start what stays running, as a second terminal would."""
        if command.startswith("tradehook-sandbox serve"):
            command = f"{command} --port {self.port}"
        log = self.folder / f"service{len(self.services)}.log"
        with log.open("wb") as out:
            self.services.append(
                subprocess.Popen(
                    ["bash", "-c", f"{exports}\nexec {command}"],
                    cwd=self.folder,
                    env={**self.environment, "TELEGRAM_TOKEN_FILE": "token.txt"}
                    if "bot" in command
                    else self.environment,
                    stdout=out,
                    stderr=subprocess.STDOUT,
                )
            )
        sign = next(sign for name, sign in SERVICES.items() if command.startswith(name))
        for _ in range(300):
            if sign in log.read_text():
                return
            assert self.services[-1].poll() is None, log.read_text()
            time.sleep(0.1)
        raise AssertionError(log.read_text())

    def close(self) -> None:
        for service in self.services:
            service.send_signal(signal.SIGTERM)
        assert [service.wait(20) for service in self.services] == [0] * len(self.services)


@pytest.mark.parametrize("page", TYPED, ids=lambda page: page.stem)
def test_pages_work_as_printed(page, tmp_path):
    terminal = Terminal(tmp_path)
    script = "set -euo pipefail\n"
    try:
        for block in terminal.read(page):
            if any(block.startswith(name) for name in SERVICES):
                script = _typed(terminal, script)
                terminal.serve(block.strip(), script)
            else:
                script += block
        _typed(terminal, script)
    finally:
        terminal.close()


def _typed(terminal: Terminal, script: str) -> str:
    """Run what was typed so far; returns what the next commands still need to know of it."""
    if script.count("\n") > 1:
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=terminal.folder,
            env=terminal.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, f"{script}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        assert "Traceback" not in done.stdout + done.stderr
    exports = [line for line in script.splitlines() if line.startswith(("set ", "export ", "umask "))]
    return "\n".join(exports) + "\n"
