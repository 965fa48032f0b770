"""How the rules change what an answer says: words spelled otherwise, fields that an older revision lacks, cursors.

Changes only how things are told, never what has happened. See: truemarkets-api 5.5, 7 and 13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from tradehook_sandbox.clock import MICROS, rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.true_markets.calls import Call
    from tradehook_sandbox.true_markets.rules import Rules

_NEWER: Final = {
    "order": frozenset(
        {"asset_id", "asset_symbol", "qty_unit", "tx_hash", "explorer_url", "failure_reason", "venue", "chain"}
    ),
    "transfer": frozenset({"explorer_url"}),
    "asset": frozenset({"status", "type", "asset_class"}),
    "balance": frozenset({"asset_id", "venue"}),
}
"""Fields by what they belong to that were not there in June 2026."""


def row(kind: str, content: Mapping[str, Any], rules: Rules) -> dict[str, Any]:
    """A row of a list, or a single record, with the fields and words of these rules.

    Args:
        kind: `order`, `transfer`, `asset` or `balance`.
        content: the row in the newer revision.
        rules: which revision, and how words are spelled.
    """
    left_out = _NEWER[kind] if rules.revision == "june" else frozenset()
    told = {name: value for name, value in content.items() if name not in left_out}
    if kind == "order":
        told["status"] = status(told["status"], rules)
    return told


def status(word: str, rules: Rules) -> str:
    """An order's status as it is spelled."""
    return "cancelled" if word == "canceled" and rules.cancelled_spelling else word


def page_end(call: Call, rules: Rules) -> int | None:
    """The moment before which the rows of the page were created, in microseconds; `None` for the first page.

    Raises:
        Refusal: 400 when the cursor is not a time.
    """
    at_micros = call.cursor()
    if at_micros is not None and rules.inclusive_cursor:
        return at_micros + 1
    return at_micros


def cursor(last_micros: int, rules: Rules) -> str:
    """The cursor behind a page whose last row was created at this moment."""
    if rules.coarse_cursor:
        return rfc3339(last_micros // MICROS * MICROS).replace(".000000Z", "Z")
    return rfc3339(last_micros)
