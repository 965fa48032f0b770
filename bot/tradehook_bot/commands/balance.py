"""`/balance`: everything held, by place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook import render
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.models import Balance
    from tradehook_bot.context import Ask


async def balance(ask: Ask) -> None:
    """The person has seen what they hold, the exchange's own first."""
    account = ask.account
    held = [row for row in await account.client.balances() if row.total]
    lines = [bold(account.title)]
    for chain in sorted({row.chain for row in held}, key=lambda name: name or ""):
        if chain:
            lines += ["", bold(f"on {chain}")]
        lines += [text(line) for line in _lines([row for row in held if row.chain == chain])]
    if not held:
        lines.append("Nothing is held here.")
    await ask.reply("\n".join(lines))


def _lines(rows: Sequence[Balance]) -> list[str]:
    # The place stands in the heading, so it is left out of each line.
    return [render.balance_line(row.model_copy(update={"chain": None})) for row in rows]
