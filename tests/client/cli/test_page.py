"""The page about the command line names every command and every option, and nothing that there is not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import typer

from tradehook.cli.app import app
from tradehook.cli.options import SHARED

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "command-line.md"


def commands(command, path="tradehook"):
    """Every command that does something, with the names of its own options."""
    below = getattr(command, "commands", {})
    own = {
        name
        for parameter in command.params
        for name in parameter.opts
        if parameter.name not in SHARED and name.startswith("--") and name not in ("--help", "--version", "--debug")
        if not name.endswith("-completion")
    }
    if not below or command.invoke_without_command:
        yield path, own
    for name, sub in below.items():
        yield from commands(sub, f"{path} {name}")


def printed():
    """The same, as the page has it."""
    block = PAGE.read_text().partition("```text\n")[2].partition("```")[0]
    entries = re.sub(r"\n +", " ", block).splitlines()
    for entry in entries:
        words = re.sub(r" \[(show|list)\]", r" \1", entry)
        path = re.match(r"tradehook(?: [a-z-]+(?![|=\w]))+", words)[0]
        yield path, set(re.findall(r"--[a-z-]+", entry))


ON_PAGE = dict(printed())
THERE = dict(commands(typer.main.get_command(app)))
ALONE = {"tradehook limits": "tradehook limits show", "tradehook destinations": "tradehook destinations list"}
"""Groups that do alone what one of their commands does."""


@pytest.mark.parametrize("path", sorted(set(THERE) - set(ALONE)))
def test_every_command_is_on_the_page_with_its_options(path):
    assert ON_PAGE.get(path) == THERE[path]


def test_nothing_is_on_the_page_that_there_is_not():
    assert set(ON_PAGE) == set(THERE) - set(ALONE)


@pytest.mark.parametrize("option", sorted(SHARED))
def test_what_every_command_takes_is_named(option):
    assert f"`--{option.replace('_', '-')}`" in PAGE.read_text()


@pytest.mark.parametrize("words", [["order", "place", "buy", "--json"], ["ordre", "--json"], ["quote", "--nonsense"]])
def test_what_cannot_be_read_at_all_is_usage_text(command, words):
    code, out, error = command(*words)
    assert (code, out, "Usage: " in error) == (2, "", True)
