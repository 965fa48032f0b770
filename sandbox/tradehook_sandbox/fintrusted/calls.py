"""A request as FinTrusted reads it, and its refusals.

Everything in here is somebody else's input: nothing may raise anything but `Refused`. See: fintrusted-api 3.1.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from tradehook_sandbox.fintrusted.messages import ILLEGAL
from tradehook_sandbox.true_markets.calls import LARGEST_BODY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook_sandbox.fintrusted.exchange import FinTrusted
    from tradehook_sandbox.fintrusted.floor import Floor
    from tradehook_sandbox.fintrusted.members import Member
    from tradehook_sandbox.fintrusted.rules import FinTrustedRules
    from tradehook_sandbox.true_markets.calls import Call

BUSINESS: Final = 500
"""The code of every refusal that has no other."""
_FORM: Final = "application/x-www-form-urlencoded"
_MOST_FIELDS: Final = 100
_PLAIN: Final = re.compile(r"(-?)([0-9]{1,15})(?:\.([0-9]{1,30}))?", re.ASCII)


class Refused(Exception):
    """FinTrusted says no: a code and a text for the body, and an HTTP status when it is not the usual one."""

    def __init__(
        self, text: str, *, code: int = BUSINESS, status: int | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.status = status
        self.headers = dict(headers or {})


@dataclass(frozen=True, slots=True)
class Visit:
    """One request that found its endpoint."""

    exchange: FinTrusted
    call: Call
    form: Mapping[str, str]
    """The body's fields; empty for a GET."""
    caller: Member | None = None
    """Who sent it, where the endpoint needs to know."""
    seen_micros: int | None = None
    """Wallets are shown as they were at this moment, when it is given."""
    rest: str = ""
    """What followed the endpoint's path."""
    headers: dict[str, str] = field(default_factory=dict)
    """What the answer's headers get besides."""

    @property
    def floor(self) -> Floor:
        """What all of the exchange shares."""
        return self.exchange.floor

    @property
    def rules(self) -> FinTrustedRules:
        """The switches."""
        return self.exchange.floor.rules

    @property
    def query(self) -> Mapping[str, str]:
        """The parameters in the address."""
        return self.call.query

    @property
    def member(self) -> Member:
        """Who sent it."""
        if self.caller is None:
            raise AssertionError("this route was said to need no token")
        return self.caller


def read_form(call: Call) -> dict[str, str]:
    """The fields of a form body; JSON and anything else is refused.

    Raises:
        Refused: illegal argument.
    """
    if not call.body:
        return {}
    media = call.headers.get("content-type", _FORM).partition(";")[0].strip().lower()
    if media != _FORM or len(call.body) > LARGEST_BODY or call.body.lstrip()[:1] in (b"{", b"["):
        raise Refused(ILLEGAL)
    try:
        pairs = parse_qsl(call.body.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refused(ILLEGAL) from None
    form = dict(pairs)
    if len(form) != len(pairs):
        raise Refused(ILLEGAL)
    return form


def ordinal(form: Mapping[str, str], name: str, count: int) -> int:
    """A field that must be an enum's ordinal; names are not understood. See: fintrusted-api 3.5.

    Raises:
        Refused: illegal argument.
    """
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) == 1 and int(text) < count):
        raise Refused(ILLEGAL)
    return int(text)


def decimal(form: Mapping[str, str], name: str, scale: int, *, default: str | None = None) -> int:
    """A field that must be a plain decimal, cut down to so many decimals, in units of the last.

    Raises:
        Refused: illegal argument.
    """
    match = _PLAIN.fullmatch(form.get(name, default or ""))
    if match is None:
        raise Refused(ILLEGAL)
    sign, whole, fraction = match[1], match[2], match[3] or ""
    units = int(whole + fraction[:scale].ljust(scale, "0"))
    # What is below zero stays below zero, however little it is.
    return -max(units, int(fraction.strip("0") != "")) if sign else units
