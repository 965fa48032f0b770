"""The command line, run in this process against a sandbox in a process of its own."""

from __future__ import annotations

import io

import pytest

from tradehook.cli.app import run_app


@pytest.fixture
def command(sandbox_server, tmp_path, monkeypatch, capsys):
    """Run one command in this process: (exit code, what was printed, what was said beside it)."""
    for name, value in sandbox_server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/journal.db")
    monkeypatch.setattr("sys.stdin", io.StringIO())

    def run(*arguments: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as ended:
            run_app(list(arguments))
        out, error = capsys.readouterr()
        code = ended.value.code
        return (0 if code is None else code), out, error

    return run
