"""Completion in a real bash: commands, words, and what only the journal knows. No exchange is asked."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tradehook.desk.journal import Journal

BIN = Path(sys.executable).parent
ADDRESS = "0x52908400098527886E0F7030069857D2E4169EE7"


@pytest.fixture
def offered(tmp_path):
    url = f"sqlite:///{tmp_path}/journal.db"
    with Journal.open(url) as journal:
        journal.destinations.add("127.0.0.1:8787", "cold", network="base", address=ADDRESS, by="test")
        journal.destinations.add("elsewhere", "rent", network="base", address=ADDRESS, by="test")

    def offer(shell: str, *words: str) -> list[str]:
        environment = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": str(tmp_path), "TRADEHOOK_JOURNAL_URL": url}
        script = {
            "bash": "source <(_TRADEHOOK_COMPLETE=source_bash tradehook); COMP_WORDS=(tradehook {}); COMP_CWORD={}; "
            '_tradehook_completion tradehook; printf "%s\\n" "${{COMPREPLY[@]}}"',
            "zsh": "_TRADEHOOK_COMPLETE_ARGS='tradehook {}' _TRADEHOOK_COMPLETE=complete_zsh tradehook; : {}",
        }[shell]
        command = script.format(" ".join(repr(word) for word in words), len(words))
        done = subprocess.run(
            [shutil.which(shell) or "bash", "-c", command], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        return done.stdout.split()

    return offer


def test_commands_are_offered(offered):
    assert offered("bash", "trans") == ["transfer", "transfers", "transactions"]


def test_statuses_are_offered_one_after_the_other(offered):
    assert offered("bash", "orders", "--status", "open,ca") == ["open,canceling", "open,canceled"]


def test_labels_of_this_host_are_offered(offered):
    assert offered("bash", "transfer", "USDC", "5", "--to", "") == ["cold"]


def test_what_cannot_be_read_offers_nothing_and_says_nothing(offered, monkeypatch, tmp_path):
    (tmp_path / "journal.db").write_text("not a journal")
    assert offered("bash", "transfer", "USDC", "5", "--to", "") == []


def test_zsh_is_told_in_its_own_form(offered):
    """The answer is made by us, whichever shell reads it: zsh's form needs no zsh to be looked at."""
    assert any("transfer" in line for line in offered("zsh", "trans"))
