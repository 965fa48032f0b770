"""From an answer to its content, or to the error that it stands for.

Four envelopes are told apart without any setting; a code of failure in an answer with status 200 is how this kind of
exchange says no, and is a definite no. What cannot be told is `UnexpectedResponse`: for a write, it may have happened.
See: fintrusted-api 3.2 to 3.4.
"""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from tradehook.budget import reset_seconds
from tradehook.errors import (
    EdgeBlocked,
    Forbidden,
    InsufficientFunds,
    InvalidOrder,
    NotFound,
    RateLimited,
    Rejected,
    ResponseError,
    TradehookError,
    Unauthorized,
    Unavailable,
    UnexpectedResponse,
    WrongState,
)
from tradehook.redaction import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.exchanges.fintrusted.dialect import Dialect
    from tradehook.wire import Response

EXCHANGE: Final = "fintrusted"
LARGEST_BYTES: Final = 5_000_000
_LONGEST_TEXT: Final = 200
_PAUSE_SECONDS: Final = 15.0
"""How long to wait where the exchange asks to slow down without saying for how long."""
_TEXT_NAMES: Final = ("message", "msg", "error", "errorMsg", "detail")
_SOUNDS_LIKE_YES: Final = frozenset({"success", "succeed", "ok", "成功", "操作成功"})

CODES: Final[Mapping[str, type[ResponseError]]] = {
    "500": Rejected,
    "401": Unauthorized, "3000": Unauthorized, "4000": Unauthorized, "3011": Unauthorized, "3012": Unauthorized,
    "3001": Unauthorized, "3002": Unauthorized, "3003": Unauthorized, "5001": Unauthorized,
    "403": Forbidden, "3004": Forbidden, "5002": Forbidden, "5555": Forbidden,
    "404": NotFound, "9026": NotFound,
    "429": RateLimited, "418": RateLimited, "3005": RateLimited,
    "502": Unavailable, "503": Unavailable, "504": Unavailable,
    "400": InvalidOrder, "4001": InvalidOrder, "4002": InvalidOrder, "4003": InvalidOrder, "4004": InvalidOrder,
    "4005": InvalidOrder, "4041": InvalidOrder, "4444": InvalidOrder,
    "6010": InsufficientFunds, "6011": InsufficientFunds,
    "6030": Rejected,
    "6103": WrongState, "9027": WrongState,
}  # fmt: skip
"""What the relatives' codes mean; FinTrusted's own are unknown. Other codes are `Rejected`."""

TEXTS: Final[tuple[tuple[str, type[ResponseError]], ...]] = (
    ("insufficient permission", Forbidden),
    ("insufficient", InsufficientFunds),
    ("余额不足", InsufficientFunds),
    ("not enough balance", InsufficientFunds),
    ("please login", Unauthorized),
    ("token expired", Unauthorized),
    ("token timeout", Unauthorized),
    ("请登录", Unauthorized),
    ("too frequent", RateLimited),
    ("too many requests", RateLimited),
    ("state error", WrongState),
    ("state wrong", WrongState),
    ("wrong state", WrongState),
    ("completed or cancel", WrongState),
    ("already filled", WrongState),
    ("already cancel", WrongState),
    ("状态错误", WrongState),
    ("order not exist", NotFound),
    ("order does not exist", NotFound),
    ("订单不存在", NotFound),
    ("exorbitant price", InvalidOrder),
    ("number of illegal", InvalidOrder),
    ("nonsupport coin", InvalidOrder),
    ("illegal argument", InvalidOrder),
    ("amount too small", InvalidOrder),
    ("coin is forbidden", InvalidOrder),
    ("wallet locked", Forbidden),
    ("trading disabled", Forbidden),
    ("forbidden operation", Forbidden),
    ("account disabled", Forbidden),
    ("account is disabled", Forbidden),
    # Not an answer to what was asked: whatever failed, failed on the way, and a write may have happened.
    ("timeout", Unavailable),
    ("timed out", Unavailable),
    ("超时", Unavailable),
    ("internal error", Unavailable),
    ("internal server error", Unavailable),
    ("系统异常", Unavailable),
)
"""What the general code 500 means, by a part of its text in any letter case. The text itself is always shown."""
_CONTROL: Final = frozenset({"code", "success", *_TEXT_NAMES})
_SYMBOL_ALONE: Final = re.compile(r"[A-Z]{2,10}", re.ASCII)
_NO_SYMBOLS: Final = frozenset({"ERROR", "FAIL", "FAILED", "FAILURE"})


class Answer(NamedTuple):
    """What an answer that is no refusal holds."""

    payload: Any
    has_code: bool
    """Whether a code said that it is a yes; bare lists and objects have none."""


def answer(response: Response, dialect: Dialect) -> Answer:
    """The content of an answer.

    Raises:
        ResponseError: it is a no, as its class.
        UnexpectedResponse: it cannot be told what it is.
    """
    if not 200 <= response.status < 300:
        raise _refused_by_status(response, dialect)
    body = _json(response)
    if isinstance(body, dict):
        return _of_object(body, response, dialect)
    if isinstance(body, list | str | int | Decimal) and not isinstance(body, bool):
        return Answer(body, has_code=False)
    raise unexpected("the answer says neither yes nor no")


def payload(response: Response, dialect: Dialect) -> Any:
    """The same without asking whether a code stood beside it: for reads. Raises what `answer` does."""
    return answer(response, dialect).payload


def unexpected(what: str) -> UnexpectedResponse:
    """An error for an answer that cannot be understood."""
    return UnexpectedResponse(f"FinTrusted answered something unexpected: {what}.", exchange=EXCHANGE)


def safe_text(value: object) -> str:
    """Somebody else's text, made safe to show: one line, nothing invisible, nothing like a token, not long."""
    if not isinstance(value, str):
        return ""
    shown = "".join(sign if sign.isprintable() else " " for sign in value[: _LONGEST_TEXT * 20])
    return redact(" ".join(shown.split()))[:_LONGEST_TEXT]


def code_of(value: object) -> str | None:
    """A code as text, `"0"` for 0, `"0"` and 0.0 alike; `None` where there is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal):
        return str(int(value)) if value == value.to_integral_value() and value.adjusted() < 10 else str(value)[:20]
    text = str(value).strip()
    return text.lstrip("0") or "0" if text.isascii() and text.isdigit() else text[:40]


def _json(response: Response) -> Any:
    if len(response.body) > LARGEST_BYTES:
        raise unexpected("the answer is too large")
    if response.is_page:
        raise unexpected("a web page came instead of data. Perhaps a protection layer wants a browser")
    try:
        return response.json()
    except ValueError:
        raise unexpected("the answer is not JSON") from None


def _of_object(body: dict[str, Any], response: Response, dialect: Dialect) -> Answer:
    says_no = body.get("success") is False
    has_code = body.get("code") is not None
    code = code_of(body.get("code"))
    if has_code and code is None:
        raise unexpected("its code is not one")
    if code is None and not says_no:
        return Answer(body.get("data", body), has_code=False)
    if code in dialect.success_codes and not says_no:
        # One relative has its lists beside the code instead of under `data`.
        beside = {name: value for name, value in body.items() if name not in _CONTROL}
        return Answer(body.get("data", beside or None), has_code=True)
    text = _text(body, dialect)
    if not says_no and _may_be_yes(body, code, text, dialect):
        raise unexpected(f"its code is {safe_text(code)}, but it does not sound like a no")
    raise _refusal(response, code, text, dialect)


def _may_be_yes(body: Mapping[str, Any], code: str | None, text: str, dialect: Dialect) -> bool:
    """Whether a code that nobody knows, or that its own words contradict, may mean that it was done.

    Where money is concerned, that is a doubt.
    """
    if code in dialect.auth_error_codes:
        return False
    if text.lower().rstrip(".!") in _SOUNDS_LIKE_YES or body.get("success") is True:
        return True
    return code not in CODES and not text


def _refused_by_status(response: Response, dialect: Dialect) -> TradehookError:
    told = _told(response)
    text, code, status = _text(told, dialect), code_of(told.get("code")), response.status
    details: dict[str, Any] = {"status": status, "code": safe_text(code) or None, "exchange": EXCHANGE}
    if status in (429, 418):
        return _slow_down(response, details)
    if status >= 500 or status < 200:
        return Unavailable(f"FinTrusted failed on its side ({status}{': ' + text if text else ''}).", **details)
    if status == 403 and response.is_page:
        return EdgeBlocked(
            "A protection layer in front of FinTrusted blocked this request; it did not reach the exchange. Nothing "
            "here tries to pass it.",
            **details,
        )
    if 300 <= status < 400:
        return ResponseError("FinTrusted pointed to another address; that is never followed.", **details)
    kind = {401: Unauthorized, 403: Forbidden, 408: ResponseError, 409: ResponseError, 425: ResponseError}.get(status)
    if kind is not None:
        return kind(_words(kind, text), **details)
    found = _refusal(response, code, text, dialect)
    return NotFound(_words(NotFound, text), **details) if type(found) is Rejected and status == 404 else found


def _told(response: Response) -> dict[str, Any]:
    """What a failure says of itself, if it says anything."""
    if len(response.body) > LARGEST_BYTES:
        return {}
    try:
        body = response.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def _refusal(response: Response, code: str | None, text: str, dialect: Dialect) -> TradehookError:
    """The error of a code, and where that is general, of the text."""
    kind = CODES.get(code or "", Rejected)
    if code in dialect.auth_error_codes:
        kind = Unauthorized
    if kind is Rejected:
        lower = text.lower()
        kind = next((found for part, found in TEXTS if part in lower), Rejected)
        if kind is Rejected and _SYMBOL_ALONE.fullmatch(text) and text not in _NO_SYMBOLS:
            kind = InsufficientFunds  # one relative forgets the words and names what is missing alone
    details: dict[str, Any] = {"status": response.status, "code": safe_text(code) or None, "exchange": EXCHANGE}
    if kind is RateLimited:
        return _slow_down(response, details)
    return kind(_words(kind, text), **details)


def _slow_down(response: Response, details: dict[str, Any]) -> RateLimited:
    is_told = any(name in response.headers for name in ("retry-after", "x-ratelimit-reset"))
    wait = reset_seconds(response, server_now=response.at_seconds) if is_told else _PAUSE_SECONDS
    return RateLimited("FinTrusted asks to slow down.", retry_after_seconds=wait, **details)


def _words(kind: type[ResponseError], text: str) -> str:
    because = f": {text.rstrip('.')}" if text else ""
    if kind is Unauthorized:
        return f"FinTrusted did not accept the login or token{because}."
    if kind is Forbidden:
        return f"This account may not do that{because}."
    if kind is NotFound:
        return f"FinTrusted does not know it{because}."
    if kind is Unavailable:
        return f"FinTrusted failed on its side{because}."
    return f"FinTrusted said no{because}."


def _text(body: Mapping[str, Any], dialect: Dialect) -> str:
    found = (safe_text(dialect.hide(value)) for name in _TEXT_NAMES if isinstance(value := body.get(name), str))
    return next(filter(None, found), "")
