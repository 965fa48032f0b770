"""Every setting that FinTrusted alone has, as data: one for each thing that its page does not tell.

The defaults are what the page says, else what its likely relatives do. See: fintrusted-api 12 and 14.
"""

from __future__ import annotations

from typing import Final

from tradehook.contract import Option

ALLOW_LIVE: Final = "FinTrusted is unverified and I may lose everything I put there"
"""What has to be written out before a live account is opened at all; `tradehook go-live` is the second step."""

WARNING: Final = (
    "FinTrusted is unverified: nobody has vouched for it, its page promises what it does not describe, and its login "
    "hands over your password, which can do everything that you can. A live account needs two steps: the sentence of "
    "docs/reference/fintrusted.md in TRADEHOOK_FINTRUSTED_ALLOW_LIVE, and then tradehook go-live."
)

_YES_OR_NO: Final = ("true", "false")
_STYLES: Final = ("slash", "concat", "underscore", "dash")

OPTIONS: Final = (
    # Who it is.
    Option("token", "A token from a login elsewhere. It is used before e-mail and password.", is_secret=True),
    Option("email", "Who logs in. In the sandbox, demo@example.com where nothing is given."),
    Option("password", "The account's password: it can do everything that you can.", is_secret=True),
    Option("hmac_key", "The API key, where requests are signed (hmac_style)."),
    Option("secret", "The API key's secret, where requests are signed.", is_secret=True),
    Option("allow_live", f'The first of two steps to a live account: exactly "{ALLOW_LIVE}".'),
    # How it is asked.
    Option("login_path", "Where one logs in.", "/uc/v2/login"),
    Option("login_field", "What the login form calls the e-mail; the page does not tell.", "email"),
    Option("auth_header", "The header that the token travels in.", "Authorization"),
    Option("auth_prefix", "What stands before the token in its header, like Bearer; the page has nothing there."),
    Option("requests_per_minute", "How many requests are sent in a minute at most; the page allows 1200.", "1000"),
    Option(
        "hmac_style", "How requests are signed; none logs in instead.", "none", ("none", "binance", "header_concat")
    ),
    Option("hmac_key_header", "The header that the API key travels in.", "X-API-KEY"),
    Option("hmac_signature_name", "The parameter or header that the signature travels in.", "signature"),
    # What it answers.
    Option("success_codes", "Codes of an envelope that mean yes.", "0,200"),
    Option("auth_error_codes", "Codes that mean: log in again.", "4000,3000,3011,3012,401"),
    Option("numeric_status", "Whether numbers in place of status words are read by their order.", "false", _YES_OR_NO),
    Option("status_base", "What the first futures status is numbered, where numbers are read.", "0", ("0", "1")),
    Option("server_tz", "The zone of times that are written without one.", "UTC+8"),
    # How orders are written.
    Option(
        "type_codes",
        "The codes of limit and market orders. Relatives have them the other way.",
        "limit=0,market=1",
        is_guess=True,
    ),
    Option("direction_codes", "The codes of the two sides.", "buy=0,sell=1"),
    Option(
        "confirm_enum_mapping",
        "Your word that the order codes are right. Live orders need it; test lets one harmless kind through.",
        "false",
        ("false", "test", "true"),
    ),
    Option(
        "market_buy_unit",
        "What the amount of a market buy counts. Without it: quote in the sandbox, and live none are sent.",
        "",
        ("forbid", "quote", "base"),
        is_guess=True,
    ),
    Option("market_price_param", "The price that market orders are sent with; - sends none.", "0"),
    Option("cancel_id_param", "What the cancel form calls the order's id.", "orderId"),
    Option(
        "cancel_fallback",
        "Whether a cancel names the order as id as well (true), and in its address too (path).",
        "false",
        (*_YES_OR_NO, "path"),
    ),
    Option(
        "symbol_rules",
        "Steps and smallest orders, like BTC/USDT price=0.01 amount=0.00001 minimum=5; ETH/USDT price=0.01. "
        "None are published.",
    ),
    # Futures.
    Option(
        "futures_profile",
        "How futures orders are written; none sends none.",
        "none",
        ("none", "family_default", "seed_like"),
        is_guess=True,
    ),
    # The stream.
    Option("stream_url", "Where the stream is, where it is not the environment's own."),
    Option(
        "stream_profile",
        "How the stream is spoken to.",
        "op_args",
        ("op_args", "method_params", "type_channel", "event_channel"),
    ),
    Option(
        "stream_symbol_style",
        "How a market is written in a channel's name.",
        "slash",
        (*_STYLES, *(f"{style}_lower" for style in _STYLES)),
    ),
    Option("stream_intervals", "How the stream names intervals: 1m, 1min or mon.", "short", ("short", "family", "mon")),
    Option("stream_seq", "Whether a number that the stream leaves out is a loss.", "check", ("check", "ignore")),
    Option(
        "stream_depth",
        "What the stream calls an update changes a book, or is the whole book.",
        "by_type",
        ("by_type", "replace"),
    ),
    Option(
        "stream_candle_gap",
        "Whether candles missed in a gap are taken from what a subscription begins with, or only told to be missing.",
        "snapshot",
        ("snapshot", "tell"),
    ),
)
