"""What nobody knows about FinTrusted: one switch for each such point.

The vendor publishes one page and no answer, so nearly every shape is a guess; the defaults are the likeliest. Each
field is a keyword of `Sandbox(...)` and a flag of `tradehook-sandbox serve`, both with `fintrusted` in front; its text
is the flag's help. Knows nothing of how a switch is carried out. See: fintrusted-api 11 and 14.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Final, Literal

from tradehook_sandbox.fintrusted.stream_rules import StreamRules
from tradehook_sandbox.switches import Says, read_switches

PREFIX: Final = "fintrusted_"

Envelope = Literal["classic", "ruoyi"]
Numbers = Literal["number", "string", "java"]
Enums = Literal["name", "ordinal"]
PageStyle = Literal["list", "spring", "mybatis", "rows"]
Language = Literal["english", "chinese"]
LoginField = Literal["email", "username", "account", "loginName"]
TokenPlace = Literal["authorization", "token", "string", "header"]
TokenHeader = Literal["authorization", "x-auth-token"]
HmacStyle = Literal["binance", "header_concat"]
AuthCode = Literal[4000, 3000, 3011, 3012, 401]
HomeShape = Literal["list", "groups", "map"]
CoinShape = Literal["object", "list"]
UnknownCoin = Literal["error", "null"]
TickerNames = Literal["family", "short"]
WalletNames = Literal["family", "words", "short"]
Sparklines = Literal["map", "trend", "pairs"]
ConvertShape = Literal["object", "rate", "number", "string"]
WalletShape = Literal["list", "object", "map"]
AddResponse = Literal["id", "order", "object", "none"]
CancelName = Literal["any", "orderId", "id", "order_id", "path"]
BuyUnit = Literal["quote", "base"]
Leftover = Literal["cancel", "queue"]
RateLimitStyle = Literal["http", "family"]
ReferralShape = Literal["number", "object"]
FuturesList = Literal["all", "orders", "positions", "position_list"]
FuturesAnswer = Literal["family", "order", "none"]


@dataclass(frozen=True, slots=True)
class FinTrustedRules(StreamRules):
    """How FinTrusted's emulator answers where nobody knows how the real one does."""

    # --- every answer ---
    envelope: Annotated[Envelope, Says("classic: `code` 0 and `message`; ruoyi: `code` 200 and `msg`.")] = "classic"
    bare_market: Annotated[bool, Says("symbol-thumb-v2 answers without an envelope.")] = False
    numbers: Annotated[
        Numbers, Says("Numbers as JSON numbers, as text, or with exponents as Java prints them (0E-8, 1E+2).")
    ] = "number"
    enums: Annotated[Enums, Says("BUY, LIMIT_PRICE, TRADING by name, or as 0, 1, 2.")] = "name"
    page_style: Annotated[PageStyle, Says("Lists plain, or as a page of Spring, of MyBatis, or as RuoYi's rows.")] = (
        "list"
    )
    zero_based_pages: Annotated[bool, Says("Pages count from 0.")] = False
    null_lists: Annotated[bool, Says("An empty list is null.")] = False
    gmt8_strings: Annotated[bool, Says("Times as text in GMT+8, not as milliseconds.")] = False
    http_errors: Annotated[bool, Says("Errors have an HTTP status of 4xx; by default 200, as the look-alikes do.")] = (
        False
    )
    messages: Annotated[Language, Says("The language of messages.")] = "english"
    rate_limit: Annotated[int, Says("Requests a minute per token; 0 for no limit.", 0, 1_000_000_000)] = 1200
    rate_limit_style: Annotated[
        RateLimitStyle, Says("Too many requests: HTTP 429 with Retry-After, or HTTP 200 with code 3005.")
    ] = "http"
    # --- logging in ---
    login_field: Annotated[LoginField, Says("What the login's first field is called.")] = "email"
    lenient_login: Annotated[bool, Says("Any of the four names does.")] = False
    captcha: Annotated[bool, Says("The login wants a captcha, so no program gets in.")] = False
    lockout_failures: Annotated[
        int, Says("Wrong passwords that lock an account for a quarter of an hour; 0: never.", 0, 1_000)
    ] = 5
    token_place: Annotated[
        TokenPlace, Says("Where the login puts its token: data.Authorization, data.token, data itself, or a header.")
    ] = "authorization"
    token_header: Annotated[TokenHeader, Says("In which header a token is looked for.")] = "authorization"
    token_seconds: Annotated[int, Says("How long a token lives.", 1, 31_536_000)] = 604_800
    single_session: Annotated[bool, Says("A login ends the one before.")] = False
    lenient_bearer: Annotated[bool, Says("`Bearer` before a token is taken, too.")] = False
    hmac_style: Annotated[
        HmacStyle, Says("How requests with an API key are signed: in their parameters, or in headers.")
    ] = "binance"
    auth_code: Annotated[AuthCode, Says("The code of an answer to a missing or bad token.")] = 4000
    # --- market data ---
    home: Annotated[HomeShape, Says("quotations/home as a list, as groups that repeat coins, or as a map.")] = "list"
    coin: Annotated[CoinShape, Says("quotations/coin as a ticker, or as a list of one.")] = "object"
    unknown_coin: Annotated[UnknownCoin, Says("quotations/coin for an unknown coin: an error, or null.")] = "error"
    ticker_names: Annotated[
        TickerNames, Says("A ticker's fields by the look-alikes' names, or as last, openPrice, vol, changePercent.")
    ] = "family"
    chg_by_low: Annotated[bool, Says("`chg` is the change by the day's low, rounded up, not by the open.")] = False
    sparklines: Annotated[
        Sparklines, Says("sparklines as a map of prices, as tickers with `trend`, or as a map of [time, price].")
    ] = "map"
    convert: Annotated[
        ConvertShape, Says("convert/price as an object with `price` or `rate`, as a number, or as text.")
    ] = "object"
    zero_rate_on_missing: Annotated[bool, Says("convert/price is 0 where there is no rate, not an error.")] = False
    thumb_needs_token: Annotated[bool, Says("symbol-thumb-v2 needs a token.")] = False
    # --- accounts ---
    wallets: Annotated[WalletShape, Says("spot-wallets as a list, as an object with a list, or as a map.")] = "list"
    wallet_names: Annotated[
        WalletNames,
        Says("A wallet's fields by the look-alikes' names; words: isLock is IS_FALSE; short: coin, available, frozen."),
    ] = "family"
    referral: Annotated[ReferralShape, Says("referral/count as a number, or as an object of levels.")] = "number"
    # --- spot orders ---
    family_enums: Annotated[bool, Says("`type` is reversed, as in every look-alike: 0 market, 1 limit.")] = False
    market_buy_unit: Annotated[BuyUnit, Says("What a market buy's `amount` counts: quote or base.")] = "quote"
    market_needs_price: Annotated[bool, Says("A market order without `price` is an illegal argument.")] = False
    market_leftover: Annotated[
        Leftover, Says("What a market order could not get: given up, or waiting in a queue, as in the look-alikes.")
    ] = "cancel"
    bare_insufficient: Annotated[bool, Says("Too little money is told by the unit alone, without words.")] = False
    add_response: Annotated[
        AddResponse, Says("spot/add answers the id, the order, an object with the id, or nothing.")
    ] = "id"
    cancel_name: Annotated[
        CancelName, Says("What spot/cancel calls the id; any: orderId or id; path: it ends the path.")
    ] = "any"
    cancel_race: Annotated[float, Says("How likely a fill is to win against a cancellation, from 0 to 1.", 0, 1)] = 0.0
    add_seconds: Annotated[float, Says("How long an order takes to reach the book.", 0, 3_600)] = 0.3
    cancel_seconds: Annotated[float, Says("How long a cancellation takes.", 0, 3_600)] = 0.3
    fee_millionths: Annotated[int, Says("The fee of both sides, in millionths of what comes in.", 0, 100_000)] = 1_000
    most_open: Annotated[int, Says("Open orders per symbol and side; 0 for no limit.", 0, 1_000_000)] = 0
    # --- futures ---
    family_liq_short: Annotated[bool, Says("A short is liquidated where the look-alikes' formula says.")] = False
    futures_list: Annotated[
        FuturesList, Says("What uorder/list lists: all; orders alone; positions alone; positions with prices.")
    ] = "all"
    futures_answer: Annotated[
        FuturesAnswer,
        Says("What uorder/open and close answer. family: the order, and for a close true; order: both; none: neither."),
    ] = "family"
    futures_spread_millionths: Annotated[
        int, Says("How much worse than the price a futures market order is filled, in millionths.", 0, 100_000)
    ] = 0

    def __post_init__(self) -> None:
        """Raises `ValueError` for a value that a switch cannot have."""
        for switch in SWITCHES:
            switch.check(getattr(self, switch.name))


SWITCHES: Final = read_switches(FinTrustedRules, prefix=PREFIX)
"""All of them, in the order in which they are shown."""
