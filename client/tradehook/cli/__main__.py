"""`python -m tradehook.cli`."""

from __future__ import annotations

from tradehook.cli import main

main()
