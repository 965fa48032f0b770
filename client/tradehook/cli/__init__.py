"""The `tradehook` command."""

from __future__ import annotations


def main() -> None:
    """Run the command line."""
    from tradehook.cli.app import run_app

    run_app()
