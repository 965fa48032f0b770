"""Which texts Airflow must mask: a key in every form in which it may turn up, and tokens.

What a secret looks like is known by `tradehook.redaction`; this is about how Airflow hides one. It masks exact texts,
all of them with one pattern that it makes anew for each text and never makes smaller. So a key is registered in the
fewest texts that cover all its forms, and in a triggerer, which lives for months, of each token only so much as makes
the rest of it worthless.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.redaction import forms_of, secret_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from tradehook.session import Auth, Token
    from tradehook.wire import Request, Response

_ENOUGH = 32
"""Characters of a signature whose loss nobody can make up for: 24 bytes of 64."""


def forms_of_key(material: str) -> list[str]:
    """The texts that would give the key away: whole, by line, escaped as in JSON or an address, the secret number."""
    whole = material.strip()
    number = secret_number(whole)
    # The number is written the same way in every form of the file.
    return [whole, number] if number is not None else forms_of(whole)


def signature_of(token: str) -> str:
    """The part of a signed token without which it is worthless."""
    return token.rpartition(".")[2][:_ENOUGH]


class MaskedAuth:
    """Signs in as another does, and makes each token known as a secret the moment it is received."""

    def __init__(self, inner: Auth, *, mask: Callable[[str], object]) -> None:
        self.inner = inner
        self.mask = mask

    def mint(self, *, at: float) -> Request:
        """The request for a first token."""
        return self.inner.mint(at=at)

    def refresh(self, token: Token) -> Request | None:
        """The request for a next token."""
        return self.inner.refresh(token)

    def read(self, response: Response, *, server_now: float, received_at: float) -> Token:
        """The token in a response, masked from now on."""
        token = self.inner.read(response, server_now=server_now, received_at=received_at)
        for secret in (token.access, token.refresh):
            if secret:
                self.mask(secret)
        return token

    def apply(self, request: Request, token: Token) -> Request:
        """The request, signed in."""
        return self.inner.apply(request, token)
