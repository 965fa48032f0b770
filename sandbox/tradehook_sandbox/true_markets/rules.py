"""Where the sources contradict each other, or the real service is not known: one switch for each such point.

The defaults are what was seen live. Each field is a keyword of `Sandbox(...)` and a flag of `tradehook-sandbox serve`;
its text is the flag's help. Knows nothing of how a switch is carried out. See: truemarkets-api 13 and 19.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from tradehook_sandbox.switches import Says, read_switches

Revision = Literal["september", "june"]
ErrorStyle = Literal["live", "september", "plain"]
IssueStyle = Literal["strings", "objects"]
ResetStyle = Literal["epoch", "delta"]
StaleStatus = Literal[422, 409]
UnknownQuoteStatus = Literal[503, 400]
ExecuteAnswer = Literal["pending", "complete"]


@dataclass(frozen=True, slots=True)
class Rules:
    """How the sandbox answers where more than one answer is possible."""

    rate_limit: Annotated[int, Says("Requests a minute per key; 0 for no limit.", 0, 1_000_000_000)] = 100
    token_seconds: Annotated[int, Says("How long an access token lives.", 1, 31_536_000)] = 3600
    strict_units: Annotated[bool, Says("Refuse market buys in base units, as the documents say; live takes them.")] = (
        False
    )
    strict_quotes: Annotated[bool, Says("Refuse the overview page's quick-start body on /quotes with 400.")] = False
    revision: Annotated[
        Revision,
        Says("june: no single read of an order, no /portfolio, no /transactions, no `asset_id`, and no newer fields."),
    ] = "september"
    errors: Annotated[
        ErrorStyle,
        Says(
            "live: `{error, message, code}`; september: `{type, message, request_id, ...}`; plain: `{message}` alone."
        ),
    ] = "live"
    accept_der: Annotated[bool, Says("Take a DER signature for signing in, beside the raw one.")] = False
    lenient_refresh: Annotated[bool, Says("A refresh token that was used works again.")] = False
    no_refresh_token: Annotated[bool, Says("Give no refresh tokens, as to organisation keys.")] = False
    list_terminal_only: Annotated[
        bool, Says("GET /orders shows only orders that have ended, whatever `status` asks for.")
    ] = False
    coarse_cursor: Annotated[bool, Says("Cut cursors to whole seconds: a page border may skip rows.")] = False
    inclusive_cursor: Annotated[
        bool, Says("A page begins with the cursor's own moment: a page border repeats a row.")
    ] = False
    documented_balances: Annotated[
        bool, Says("GET /balances in its documented shape, `{balances: [{asset_name, asset_id, balance}]}`.")
    ] = False
    issues: Annotated[
        IssueStyle, Says("The issues of an on-chain quote: as text, or as objects with `message` and `balance`.")
    ] = "strings"
    keep_order_with_issues: Annotated[bool, Says("Make the on-chain order although its quote has issues.")] = False
    execute_answers: Annotated[
        ExecuteAnswer, Says("What executing an on-chain order answers; complete: it has settled at once.")
    ] = "pending"
    stale_execute: Annotated[StaleStatus, Says("The status for executing something that has expired.")] = 422
    unknown_quote: Annotated[UnknownQuoteStatus, Says("The status for a quote asset that does not exist.")] = 503
    withdrawal_seconds: Annotated[
        float, Says("How long a payout from the exchange takes; live it was over an hour.", 0, 86_400)
    ] = 3.0
    cancelled_spelling: Annotated[bool, Says("Spell the status `cancelled`, as the prose does.")] = False
    cancel_race: Annotated[float, Says("How likely a fill is to win against a cancellation, from 0 to 1.", 0, 1)] = 0.0
    reset_header: Annotated[
        ResetStyle, Says("x-ratelimit-reset: the second at which the budget is back, or the seconds until then.")
    ] = "epoch"
    retry_after: Annotated[bool, Says("Add a Retry-After header to 429, with the seconds to wait.")] = False
    stream_seconds: Annotated[
        float, Says("How often the market-data WebSocket pushes, in seconds of real time.", 0.01, 3_600)
    ] = 2.0

    def __post_init__(self) -> None:
        """Raises `ValueError` for a value that a switch cannot have."""
        for switch in SWITCHES:
            switch.check(getattr(self, switch.name))


SWITCHES: Final = read_switches(Rules)
"""All of them, in the order in which they are shown."""
