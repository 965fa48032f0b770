"""Every command is said to a real bot somewhere in these tests, and stands on the page of commands."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tradehook_bot.commands.table import COMMANDS

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "reference" / "bot.md"


def calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def name_of(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def said_in(source: str) -> set[str]:
    """The names of the commands that are handed to `say`, or to a function of this file that says what it is handed."""
    tree = ast.parse(source)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)]
    sayers = {
        function.name
        for function in functions
        if not function.name.startswith("test_") and any(name_of(call) == "say" for call in calls(function))
    }
    texts = (
        node.value
        for call in calls(tree)
        if name_of(call) in sayers | {"say"}
        for argument in call.args
        for node in ast.walk(argument)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    )
    return {found[1] for text in texts if (found := re.match(r"/([a-z_]+)", text))}


@pytest.fixture(scope="module")
def said():
    return {name for path in HERE.glob("test_*.py") for name in said_in(path.read_text())}


@pytest.mark.parametrize("name", [command.name for command in COMMANDS])
def test_a_command_is_said_to_a_real_bot(name, said):
    assert name in said


@pytest.mark.parametrize("name", [command.name for command in COMMANDS if command.name != "start"])
def test_a_command_stands_on_the_page(name):
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `/")]
    assert any(re.search(rf"`/{name}\b", row.split(" | ")[0]) for row in rows)


def test_only_what_is_said_counts():
    source = 'def ask(p, w):\n    p.say(w)\n\ndef test_x(p):\n    ask(p, "/one 1")\n    p.say(f"/two {p}")\n    look("/no")\n'
    assert said_in(source) == {"one", "two"}
