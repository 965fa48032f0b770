"""What each extra brings, and what it must not: the bot without Airflow, the client without either."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib.metadata import entry_points, metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]


def _requirements(extra: str | None) -> set[str]:
    """Everything that this project and what it needs would install, by what is installed here."""
    from importlib.metadata import PackageNotFoundError, requires

    found: set[str] = set()
    waiting = [("tradehook", frozenset({extra} if extra else ()))]
    while waiting:
        name, extras = waiting.pop()
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue
        for line in lines:
            requirement = Requirement(line)
            wanted = any(
                requirement.marker is None or requirement.marker.evaluate({"extra": each}) for each in (extras or {""})
            )
            key = requirement.name.lower()
            if wanted and key not in found:
                found.add(key)
                waiting.append((key, frozenset(requirement.extras)))
    return found


def test_plain_brings_neither_airflow_nor_telegram():
    found = _requirements(None)
    assert "httpx" in found
    assert not any(name.startswith("apache-airflow") or name == "python-telegram-bot" for name in found)
    assert "uvicorn" not in found


def test_the_bot_brings_no_airflow():
    found = _requirements("bot")
    assert {"python-telegram-bot", "apscheduler"} <= found
    assert not any(name.startswith("apache-airflow") for name in found)


def test_the_provider_brings_no_telegram():
    found = _requirements("airflow")
    assert "apache-airflow" in found
    assert "python-telegram-bot" not in found


_WITHOUT = """
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {refused!r}:
            raise ImportError(f"{{name}} must not be needed here")
sys.meta_path.insert(0, Refuse())
import importlib
for name in {modules!r}:
    importlib.import_module(name)
print("fine")
"""


@pytest.mark.parametrize(
    ("modules", "refused"),
    [
        (
            ["tradehook.cli.app", "tradehook.client", "tradehook.desk.submit", "tradehook.lines.asynchronous"],
            ["airflow", "telegram", "starlette", "uvicorn", "apscheduler", "segno"],
        ),
        (["tradehook_bot.app", "tradehook_bot.__main__"], ["airflow", "starlette", "uvicorn"]),
        (["tradehook_sandbox.server", "tradehook_sandbox.__main__"], ["airflow", "telegram"]),
    ],
    ids=["client", "bot", "sandbox"],
)
def test_works_while_the_others_are_missing(modules, refused):
    code = _WITHOUT.format(modules=modules, refused=refused)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "fine", done.stderr


def test_the_wheel_holds_four_packages_and_nothing_else(tmp_path):
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", tmp_path],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    packages = {"tradehook", "tradehook_provider", "tradehook_bot", "tradehook_sandbox"}
    assert tops - packages == {next(top for top in tops if top.endswith(".dist-info"))}
    assert packages <= tops
    assert "tradehook/desk/migrations/versions/0001_first_journal.py" in names
    assert "tradehook/desk/migrations/env.py" in names
    assert "tradehook/py.typed" in names
    assert not any("__pycache__" in name or name.endswith(".pyc") for name in names)


def test_console_scripts_and_the_provider_are_announced():
    scripts = {entry.name for entry in entry_points(group="console_scripts")}
    assert {"tradehook", "tradehook-bot", "tradehook-sandbox"} <= scripts
    (provider,) = [entry for entry in entry_points(group="apache_airflow_provider") if "tradehook" in entry.value]
    assert provider.load()()["package-name"] == metadata("tradehook")["Name"] == "tradehook"


_TYPING = set(
    subprocess.run(
        [sys.executable, "-c", "import sys; b = set(sys.modules); import typing; print(*(set(sys.modules) - b))"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
)
"""What `typing` brings along, which is not ours."""


def test_importing_the_package_costs_nothing():
    code = "import sys; before = set(sys.modules); import tradehook; after = set(sys.modules); print(*sorted(after - before))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) <= {"tradehook", "__future__", "typing", "re", "collections", "functools"} | _TYPING
