"""Finish an operation without an event loop.

Works because an operation over a `BlockingLine` never suspends: one `send(None)` runs it to its end.
It costs about four microseconds, works inside a running loop and needs no thread.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from functools import wraps
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Generator

P = ParamSpec("P")
T = TypeVar("T")
A = TypeVar("A")
A_co = TypeVar("A_co", covariant=True)


class Twin(Protocol[A_co]):
    """A blocking object beside the asynchronous one that does its work."""

    @property
    def operations(self) -> A_co:
        """The object whose operations are run to their end."""
        ...


def run(operation: Coroutine[Any, Any, T]) -> T:
    """Run an operation to its end and return its result.

    Raises:
        RuntimeError: the operation waited for something other than a blocking line.
    """
    try:
        operation.send(None)
    except StopIteration as done:
        return cast("T", done.value)
    operation.close()
    raise RuntimeError("An operation suspended: it was given an asyncio line, or awaited something that is not a line.")


def run_each(items: AsyncIterator[T]) -> Generator[T, None, None]:
    """Walk an asynchronous iterator, one item at a time, as lazily as it is itself."""

    async def following() -> T:
        return await anext(items)

    async def leaving() -> None:
        # Whoever stops early lets go at once: a stream is closed now, not when the garbage is collected.
        if isinstance(items, AsyncGenerator):
            await items.aclose()

    try:
        while True:
            try:
                item = run(following())
            except StopAsyncIteration:
                return
            yield item
    finally:
        run(leaving())


def blocking(method: Callable[Concatenate[A, P], Coroutine[Any, Any, T]]) -> Callable[Concatenate[Any, P], T]:
    """The same verb for the blocking twin: types, name and docstring carried over."""

    @wraps(method)
    def verb(self: Twin[A], /, *args: P.args, **kwargs: P.kwargs) -> T:
        return run(method(self.operations, *args, **kwargs))

    return verb


def blocking_each(
    method: Callable[Concatenate[A, P], AsyncIterator[T]],
) -> Callable[Concatenate[Any, P], Generator[T, None, None]]:
    """The same for a verb that yields: pages are still read only when they are reached."""

    @wraps(method)
    def verb(self: Twin[A], /, *args: P.args, **kwargs: P.kwargs) -> Generator[T, None, None]:
        return run_each(method(self.operations, *args, **kwargs))

    return verb
