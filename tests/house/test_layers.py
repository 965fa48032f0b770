"""The house's shape: layers, sizes, names, and what may be imported where."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(
    path
    for folder in ("client", "provider", "bot", "sandbox", "dags", "benchmarks")
    for path in (ROOT / folder).rglob("*.py")
)
TESTS = sorted((ROOT / "tests").rglob("*.py"))


def _name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_layers_hold():
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_files_have_one_reason_to_change():
    too_long = {_name(path): lines for path in SOURCES if (lines := len(path.read_text().splitlines())) > 400}
    assert too_long == {}


def test_no_drawer_for_odds_and_ends():
    drawers = {"utils", "util", "helpers", "helper", "common", "base", "const", "constants", "misc"}
    found = [
        _name(path)
        for path in SOURCES
        if path.stem in drawers
        or (path.stem.startswith("_") and not path.stem.startswith("__"))
        or drawers & set(path.parts)
    ]
    assert found == []


@pytest.mark.parametrize("path", SOURCES, ids=_name)
def test_every_module_says_what_it_is(path):
    assert ast.get_docstring(ast.parse(path.read_text()))


def test_no_binary_floats_where_money_is():
    """`float(` is for seconds, and for dots on paper: each line that has it says so. (The sandbox shows percentages.)"""
    doubtful = [
        f"{_name(path)}: {line.strip()}"
        for path in SOURCES
        if "sandbox" not in path.parts
        for line in path.read_text().splitlines()
        if re.search(r"\bfloat\(", line) and not re.search(r"second|timeout|life|header|length in dots", line)
    ]
    assert doubtful == []


def test_only_the_desk_sends_writes():
    """`send_once` is the door for money: the session's own loop and the desk alone go through it."""
    callers = {_name(path) for path in SOURCES if ".send_once(" in path.read_text()}
    desk = {f"client/tradehook/desk/{name}.py" for name in ("attempts", "previews", "signing")}
    assert callers == {"client/tradehook/session.py", *desk}


def test_nothing_is_left_unfinished():
    marks = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert [_name(path) for path in SOURCES if marks.search(path.read_text())] == []


def test_no_test_is_skipped_or_expected_to_fail():
    marks = re.compile(r"mark\.(skip|xfail|flaky)|pytest\.skip\(|assert True\b")
    assert [_name(path) for path in TESTS if path != Path(__file__) and marks.search(path.read_text())] == []


def test_no_registry_host_and_no_machine_path_in_any_file():
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    forbidden = [
        "pypi" + ".org",
        "pythonhosted" + ".org",
        "npmjs" + ".",
        "debian" + ".org",
        "/wo" + "rk/",
        "../sha" + "red",
    ]
    found = [
        (name, word)
        for name in listed
        if (ROOT / name).is_file()
        for word in forbidden
        if word in (ROOT / name).read_text(errors="ignore")
    ]
    assert found == []


def test_the_pins_are_hashed_and_name_no_host():
    pins = (ROOT / "requirements.lock").read_text()
    packages = re.findall(r"^[a-z0-9][\w.\-]*==", pins, re.MULTILINE)
    assert len(packages) > 100
    assert pins.count("--hash=sha256:") >= len(packages)
    assert "://" not in pins
