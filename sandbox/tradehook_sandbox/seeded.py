"""Chance that can be repeated: every draw is a pure function of the seed and of what it is drawn for.

There is no generator state, so nothing depends on the order of requests, and a restart continues where it left.
"""

from __future__ import annotations

from hashlib import blake2b
from uuid import UUID


def draw(*parts: object, below: int) -> int:
    """A number from 0 up to, but not including, `below`. The same parts always give the same number."""
    digest = blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest()
    return int.from_bytes(digest) % below


def uuid_for(*parts: object) -> str:
    """A version 4 UUID that belongs to these parts."""
    return str(UUID(bytes=blake2b("\x1f".join(map(str, parts)).encode(), digest_size=16).digest(), version=4))


def hex_for(*parts: object, size: int) -> str:
    """`size` bytes as hex that belong to these parts: addresses and transaction hashes of play money."""
    return blake2b("\x1f".join(map(str, parts)).encode(), digest_size=size).hexdigest()
