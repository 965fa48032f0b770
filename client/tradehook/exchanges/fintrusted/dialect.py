"""The settings of `options.py`, read once: typed, checked, and not looked at as text again.

Pure. What is secret never shows in `repr`, and `hide` takes it out of what the exchange says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from datetime import timedelta, timezone
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, Literal

from tradehook.amounts import parse_decimal, parse_market
from tradehook.errors import ConfigurationError, InvalidInput
from tradehook.exchanges.fintrusted.options import OPTIONS
from tradehook.models import instrument
from tradehook.settings import prefix_of

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping
    from decimal import Decimal

MarketBuyUnit = Literal["forbid", "quote", "base"]
HmacStyle = Literal["none", "binance", "header_concat"]

_PREFIX: Final = prefix_of("fintrusted")
_MOST_REQUESTS: Final = 1_200
_HEADER: Final = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,63}", re.ASCII)
_FIELD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_.~-]{1,64}){1,8}", re.ASCII)
_CODE: Final = re.compile(r"-?[A-Za-z0-9_]{1,20}", re.ASCII)
_VISIBLE: Final = re.compile(r"[\x21-\x7e]{1,8192}", re.ASCII)
_STREAM: Final = re.compile(r"wss?://[^\s@?#]{1,300}")
_ZONE: Final = re.compile(r"UTC(?:([+-])(\d{1,2})(?::([0-5]\d))?)?", re.ASCII)
_EMAIL: Final = re.compile(r"[^\s@\"'<>]{1,64}@[^\s@\"'<>]{1,255}")
_SHORTEST_SECRET: Final = 4


@dataclass(frozen=True, slots=True)
class SymbolRules:
    """What a market's orders must be multiples of, as the user says; `None` where nobody does."""

    price: Decimal | None = None
    """The step of prices."""
    amount: Decimal | None = None
    """The step of quantities in base."""
    minimum: Decimal | None = None
    """The smallest order, in quote."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """How this FinTrusted is spoken to."""

    token: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    hmac_key: str = field(default="", repr=False)
    secret: str = field(default="", repr=False)
    allow_live: str = ""
    login_path: str = "/uc/v2/login"
    login_field: str = "email"
    auth_header: str = "Authorization"
    auth_prefix: str = ""
    requests_per_minute: int = 1_000
    hmac_style: HmacStyle = "none"
    hmac_key_header: str = "X-API-KEY"
    hmac_signature_name: str = "signature"
    success_codes: frozenset[str] = frozenset({"0", "200"})
    auth_error_codes: frozenset[str] = frozenset({"4000", "3000", "3011", "3012", "401"})
    numeric_status: bool = False
    status_base: int = 0
    server_tz: timezone = timezone(timedelta(hours=8))
    type_codes: Mapping[str, str] = field(default_factory=lambda: {"limit": "0", "market": "1"})
    direction_codes: Mapping[str, str] = field(default_factory=lambda: {"buy": "0", "sell": "1"})
    confirm_enum_mapping: Literal["false", "test", "true"] = "false"
    market_buy_unit: MarketBuyUnit = "forbid"
    market_price_param: str | None = "0"
    """The price a market order is sent with; `None` sends none."""
    cancel_id_param: str = "orderId"
    cancel_fallback: Literal["false", "true", "path"] = "false"
    symbol_rules: Mapping[str, SymbolRules] = field(default_factory=dict)
    """By market, `BTC/USDT`."""
    futures_profile: Literal["none", "family_default", "seed_like"] = "none"
    stream_url: str = ""
    stream_profile: str = "op_args"
    stream_symbol_style: str = "slash"
    stream_intervals: str = "short"
    stream_seq: Literal["check", "ignore"] = "check"
    stream_depth: Literal["by_type", "replace"] = "by_type"
    stream_candle_gap: Literal["snapshot", "tell"] = "snapshot"

    @classmethod
    def parse(cls, options: Mapping[str, str], *, is_sandbox: bool = True) -> Dialect:
        """Read the options of `Settings`.

        Args:
            options: by name.
            is_sandbox: whether what they do not say may be taken from the likely relatives of this exchange.

        Raises:
            ConfigurationError: an option is unknown, or cannot be what it is; never quotes what may be secret.
        """
        cards = {option.name: option for option in OPTIONS}
        values: dict[str, Any] = {"market_buy_unit": "quote" if is_sandbox else "forbid"}
        for name, given in options.items():
            card = cards.get(name)
            if card is None:
                raise _unknown(name, cards)
            text = given.strip()
            if not text:
                continue
            if card.choices and text.lower() not in card.choices:
                raise ConfigurationError(
                    f"{_PREFIX}{name.upper()} is {text[:40]!r}; it can be {', '.join(card.choices)}."
                )
            word = text.lower() if card.choices else text
            read = _READERS.get(name)
            values[name] = read(name, word) if read is not None else word
        dialect = cls(**values)
        dialect._check()
        return dialect

    def _check(self) -> None:
        if self.hmac_style != "none" and not (self.hmac_key and self.secret):
            raise ConfigurationError(
                f"Signing requests needs an API key and its secret: set {_PREFIX}HMAC_KEY and {_PREFIX}SECRET."
            )
        if self.password and not self.email:
            raise ConfigurationError(f"There is a password, but not whose: set {_PREFIX}EMAIL.")

    @property
    def has_credentials(self) -> bool:
        """Whether somebody can be signed in with what was given."""
        return bool(self.token or (self.email and self.password) or self.hmac_style != "none")

    def rules(self, market: str) -> SymbolRules:
        """What the user says of a market; nothing where they say nothing."""
        return self.symbol_rules.get(market, SymbolRules())

    def hide(self, text: str) -> str:
        """The text without this account's secrets, and without anybody's e-mail address."""
        for secret in (self.token, self.password, self.secret, self.hmac_key, self.email):
            if len(secret) >= _SHORTEST_SECRET:
                text = text.replace(secret, "<secret>")
        return _EMAIL.sub("<e-mail>", text)


def _unknown(name: str, known: Collection[str]) -> ConfigurationError:
    near = get_close_matches(name, known, n=1)
    meant = f" Did you mean {_PREFIX}{near[0].upper()}?" if near else f" There is {', '.join(sorted(known))}."
    return ConfigurationError(f"FinTrusted has no setting {name[:40]!r}.{meant}")


def _matching(name: str, text: str, form: re.Pattern[str], what: str) -> str:
    if not form.fullmatch(text):
        raise ConfigurationError(f"{_PREFIX}{name.upper()} is {text[:40]!r}; it should be {what}.")
    return text


def _secret(name: str, text: str) -> str:
    """Text that goes into a header or a form as it is; what cannot is told of without being quoted."""
    if name == "token":
        text = text.removeprefix("Bearer ").strip()
    if name in ("password", "email"):
        if not text.isprintable() or len(text) > 320:
            raise ConfigurationError(f"{_PREFIX}{name.upper()} has signs in it that cannot be typed.")
    elif not _VISIBLE.fullmatch(text):
        raise ConfigurationError(f"{_PREFIX}{name.upper()} cannot be one: it has spaces or other signs in it.")
    return text


def _whole(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 60 <= int(text[:9]) <= _MOST_REQUESTS:
        raise ConfigurationError(f"{_PREFIX}{name.upper()} should be a number from 60 to {_MOST_REQUESTS}.")
    return int(text)


def _codes(name: str, words: list[str]) -> list[str]:
    codes = [word.strip() for word in words]
    for code in codes:
        _matching(name, code, _CODE, "codes with commas between them")
    return codes


def _mapping(name: str, text: str, words: tuple[str, str]) -> dict[str, str]:
    parts = [part.partition("=") for part in text.split(",")]
    found = {word.strip().lower(): code.strip() for word, _, code in parts}
    example = f"{words[0]}=0,{words[1]}=1"
    if len(parts) != 2 or set(found) != set(words) or not all(_CODE.fullmatch(code) for code in found.values()):
        raise ConfigurationError(f"{_PREFIX}{name.upper()} is {text[:40]!r}; write it like {example}.")
    if len(set(found.values())) != 2:
        raise ConfigurationError(f"{_PREFIX}{name.upper()} gives {words[0]} and {words[1]} the same code.")
    return found


def _zone(text: str) -> timezone:
    match = _ZONE.fullmatch(text)
    hours, minutes = (int(match[2] or 0), int(match[3] or 0)) if match else (99, 0)
    if match is None or hours > 14:
        raise ConfigurationError(f"{_PREFIX}SERVER_TZ is {text[:40]!r}; write it like UTC+8.")
    return timezone(timedelta(hours=hours, minutes=minutes) * (-1 if match[1] == "-" else 1))


def _price_param(name: str, text: str) -> str | None:
    if text == "-":
        return None
    if text != "0":
        # Anything else would turn a market order into a limit order wherever the codes are reversed.
        raise ConfigurationError(f"{_PREFIX}{name.upper()} can be 0, or - to send none.")
    return text


def _rules(text: str) -> dict[str, SymbolRules]:
    known = {card.name for card in fields(SymbolRules)}
    found: dict[str, SymbolRules] = {}
    for entry in filter(None, (part.strip() for part in text.split(";"))):
        market, *words = entry.split()
        pairs = [word.partition("=") for word in words]
        if not pairs or {name for name, _, _ in pairs} - known:
            raise _no_rules(entry)
        try:
            name = instrument(*parse_market(market))
            steps = {word: parse_decimal(f"{number}0" if "." in number else number) for word, _, number in pairs}
        except InvalidInput as error:
            raise _no_rules(f"{entry} ({error.message})") from None
        found[name] = SymbolRules(**steps)
    return found


def _no_rules(entry: str) -> ConfigurationError:
    return ConfigurationError(
        f"{_PREFIX}SYMBOL_RULES has {entry[:120]!r}; write each market like "
        "BTC/USDT price=0.01 amount=0.00001 minimum=5, with ; between them."
    )


_READERS: Final[Mapping[str, Callable[[str, str], object]]] = {
    **dict.fromkeys(("token", "password", "secret", "hmac_key", "email"), _secret),
    "numeric_status": lambda _, text: text == "true",
    "status_base": lambda _, text: int(text),
    "requests_per_minute": _whole,
    "success_codes": lambda name, text: frozenset(_codes(name, text.split(","))),
    "auth_error_codes": lambda name, text: frozenset(_codes(name, text.split(","))),
    "type_codes": lambda name, text: _mapping(name, text, ("limit", "market")),
    "direction_codes": lambda name, text: _mapping(name, text, ("buy", "sell")),
    "symbol_rules": lambda _, text: _rules(text),
    "server_tz": lambda _, text: _zone(text),
    "market_price_param": _price_param,
    "login_path": lambda name, text: _matching(name, text, _PATH, "a path like /uc/v2/login"),
    "stream_url": lambda name, text: _matching(name, text, _STREAM, "an address like wss://host/ws"),
    **dict.fromkeys(
        ("auth_header", "hmac_key_header", "auth_prefix"),
        lambda name, text: _matching(name, text, _HEADER, "one word of letters"),
    ),
    **dict.fromkeys(
        ("login_field", "cancel_id_param", "hmac_signature_name"),
        lambda name, text: _matching(name, text, _FIELD, "the name of a form's field"),
    ),
}
"""How each is read that is more than text or one of its choices."""
