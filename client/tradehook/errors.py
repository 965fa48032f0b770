"""Everything that can go wrong, as one tree.

    TradehookError                 exchange, retryable, may_have_happened
    ├── ConfigurationError         settings or key file are wrong; nothing was sent
    ├── InvalidInput               what was asked cannot be; nothing was sent
    ├── GuardRefused               one of our own limits said no
    ├── IntentConflict             the same intent id was used for something else
    ├── PayloadMismatch            what we were asked to sign is not what was ordered
    ├── Interrupted                we were told to stop, or it took too long; nothing was sent
    ├── JournalUnavailable         the journal cannot be read or written now
    ├── NetworkError               no answer came
    │   ├── NotSent                no byte left this machine
    │   ├── TimedOut
    │   └── Disconnected
    ├── ResponseError              an answer came, and it was no
    │   ├── Unauthorized  Forbidden  EdgeBlocked  NotFound
    │   ├── RateLimited            retry_after_seconds
    │   ├── Unavailable            5xx
    │   └── Rejected
    │       └── InsufficientFunds  InvalidOrder  StaleQuote  WrongState
    ├── UnexpectedResponse         2xx, but not what is documented
    └── OutcomeUnknown             a write got no answer: it may or may not have happened

Each answers three questions: did an answer come, whose fault is it, may it be tried again.
All survive `pickle`, because Airflow ships errors between processes. No message ever holds a
token, a key, a signature or a body.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TradehookError(Exception):
    """The root. `message` is written for a person and is safe to show."""

    retryable: ClassVar[bool] = False
    may_have_happened: ClassVar[bool] = False

    def __init__(self, message: str, *, exchange: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.exchange = exchange
        self.details = details

    def __getattr__(self, name: str) -> Any:
        details = self.__dict__.get("details", {})
        if name in details:
            return details[name]
        raise AttributeError(name)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.message, self.exchange, self.details)


def _rebuild(kind: type[TradehookError], message: str, exchange: str | None, details: dict[str, Any]) -> TradehookError:
    return kind(message, exchange=exchange, **details)


class ConfigurationError(TradehookError):
    """Settings or a key file are missing or wrong. Nothing was sent."""


class InvalidInput(TradehookError):
    """What was asked cannot be done as written. Nothing was sent. `suggestions`: what to type instead."""

    def __init__(
        self, message: str, *, exchange: str | None = None, suggestions: tuple[str, ...] = (), **details: Any
    ) -> None:
        super().__init__(message, exchange=exchange, suggestions=tuple(suggestions), **details)


class GuardRefused(TradehookError):
    """One of our own limits said no, and nothing was sent. `rule`, `limit`, `actual`, `frees_at`."""

    def __init__(
        self,
        message: str,
        *,
        rule: str,
        limit: str | None = None,
        actual: str | None = None,
        frees_at: str | None = None,
        exchange: str | None = None,
    ) -> None:
        super().__init__(message, exchange=exchange, rule=rule, limit=limit, actual=actual, frees_at=frees_at)


class IntentConflict(TradehookError):
    """This intent id stands for another request already. Nothing was sent."""


class PayloadMismatch(TradehookError):
    """What the exchange asked us to sign is not what was ordered. Nothing was signed."""


class Interrupted(TradehookError):
    """We were told to stop, or too much time had passed, before anything was sent. May be tried again."""

    retryable: ClassVar[bool] = True


class JournalUnavailable(TradehookError):
    """The journal cannot be read or written now (locked, full, gone). Nothing is sent without it."""

    retryable: ClassVar[bool] = True


class NetworkError(TradehookError):
    """No answer came. For a write this means: it may have happened."""

    retryable: ClassVar[bool] = True
    may_have_happened: ClassVar[bool] = True


class NotSent(NetworkError):
    """The connection failed before the first byte of the request left. It did not happen."""

    may_have_happened: ClassVar[bool] = False


class TimedOut(NetworkError):
    """The request left, and no answer came in time."""


class Disconnected(NetworkError):
    """The request left, and the connection broke before the answer was whole."""


class ResponseError(TradehookError):
    """The exchange answered with a status that is not success. `status`, `code`, `request_id`."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str | None = None,
        request_id: str | None = None,
        exchange: str | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, exchange=exchange, status=status, code=code, request_id=request_id, **details)


UNKNOWN_KEY = "unknown_key"
"""The code of an `Unauthorized` for a key that the exchange has never heard of."""


class Unauthorized(ResponseError):
    """The key or token was not accepted. The request was not carried out."""


class Forbidden(ResponseError):
    """The account may not do this. The request was not carried out."""


class EdgeBlocked(ResponseError):
    """A protection layer before the exchange blocked the request; it never reached the exchange."""


class NotFound(ResponseError):
    """No such thing at the exchange."""


class RateLimited(ResponseError):
    """Too many requests. `retry_after_seconds` says how long to wait. The request was not carried out."""

    retryable: ClassVar[bool] = True

    def __init__(self, message: str, *, retry_after_seconds: float = 1.0, **details: Any) -> None:
        super().__init__(message, retry_after_seconds=retry_after_seconds, **details)


class Unavailable(ResponseError):
    """The exchange failed on its side. A read may be repeated; a write may have happened."""

    retryable: ClassVar[bool] = True
    may_have_happened: ClassVar[bool] = True


class Rejected(ResponseError):
    """The exchange understood and said no. Nothing happened."""


class InsufficientFunds(Rejected):
    """The account does not hold enough."""


class InvalidOrder(Rejected):
    """The order breaks one of the exchange's rules (unit, increment, minimum, market)."""


class StaleQuote(Rejected):
    """The price the order was made for is no longer offered."""


class WrongState(Rejected):
    """It is not in a state that allows this (already executed, filled, canceled)."""


class UnexpectedResponse(TradehookError):
    """An answer came with a good status, but it is not what is documented."""

    may_have_happened: ClassVar[bool] = True


class OutcomeUnknown(TradehookError):
    """A write got no usable answer: it may or may not have happened. It is never sent again by itself.

    `intent_id` names the record; `next_step` is the command that shows and resolves it.
    """

    may_have_happened: ClassVar[bool] = True

    def __init__(
        self, message: str, *, intent_id: str, next_step: str, exchange: str | None = None, **details: Any
    ) -> None:
        super().__init__(message, exchange=exchange, intent_id=intent_id, next_step=next_step, **details)
