"""`make demo` and `make play` as a newcomer meets them: they work, and leave nothing running."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


def processes_of(marker: str) -> list[str]:
    """Command lines of processes that were started with this in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found


@pytest.fixture
def start(tmp_path):
    """Start one of the two; everything it starts carries a mark."""
    mark = f"STAGE_TEST={tmp_path}"

    def begin(name: str, **more: str) -> subprocess.Popen:
        if not (tmp_path / "dags").exists():
            (tmp_path / "dags").symlink_to(ROOT / "dags")
        environment = {**os.environ, "STAGE_TEST": str(tmp_path), "COLUMNS": "100", **more}
        return subprocess.Popen(
            [sys.executable, "-u", "-m", "tradehook_sandbox", name],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    yield begin
    # One that was killed may need a moment to be gone; one that runs on stays, and fails this.
    for _ in range(100):
        if not processes_of(mark):
            break
        time.sleep(0.1)
    assert processes_of(mark) == []


def test_demo_ends_with_0_and_tells_the_whole_story(start):
    process = start("demo")
    story, _ = process.communicate(timeout=240)
    assert process.returncode == 0, story
    assert "Traceback" not in story
    story = " ".join(story.split())  # lines are broken to the terminal's width
    for part in (
        "found everything in order",
        "40.0 %",
        "sold ",
        "bought ",
        "/balance",
        "Filled: bought 0.0100 BTC",
        "Probably filled: buy BTC for 50.00 USDT",
        "never “filled”",
        "One order at the exchange, not two",
        "make play",
    ):
        assert part in story, part


def test_demo_fails_when_it_did_not_happen(start, tmp_path):
    """Without Airflow there is nothing to show, and it must not claim otherwise."""
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "airflow.py").write_text("raise ImportError('not here')\n")
    (tmp_path / "logs").mkdir()
    process = start("demo", PYTHONPATH=str(tmp_path / "broken"), TMPDIR=str(tmp_path / "logs"))
    story, _ = process.communicate(timeout=240)
    assert process.returncode == 1
    assert "The demo did not work" in story
    # What is named can be read, and what matters is where a person looks.
    (log,) = re.findall(r"\(from (\S+)\)", story.replace("\n", ""))
    assert "not here" in Path(log).read_text()
    assert story.splitlines()[-1] == "ImportError: not here"


def test_a_stopped_demo_leaves_nothing_running(start):
    process = start("demo")
    for line in process.stdout:
        if line.startswith("2/5"):
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130


def test_play_runs_until_it_is_told_to_stop(start):
    process = start("play")
    shown = ""
    for line in process.stdout:
        shown += line
        if line.startswith("Stop"):
            break
    sandbox, airflow = (re.search(pattern, shown)[1] for pattern in (r"--url (http://\S+)", r"Airflow\s+(http://\S+)"))
    assert httpx.get(f"{sandbox}/_sandbox/ledger", trust_env=False).json()["balanced"] is True
    assert httpx.get(f"{airflow}/api/v2/monitor/health", trust_env=False, timeout=30).status_code == 200
    page = re.search(r"Page\s+(http://\S+)#say=/start%20\S", shown)[1]
    assert "<title>Sandbox: chat and exchange</title>" in httpx.get(page, trust_env=False).text
    second = start("play")
    told, _ = second.communicate(timeout=60)
    assert second.returncode == 1
    assert "it runs already" in told
    process.send_signal(signal.SIGTERM)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 0, rest
    assert "Nothing is left running" in rest
