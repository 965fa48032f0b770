"""`run` finishes an operation in one step, also inside a running loop, and refuses one that would wait."""

from __future__ import annotations

import asyncio

import pytest

from tradehook.run import blocking, blocking_each, run, run_each


async def _answer(value):
    return value


async def _count(to):
    for number in range(to):
        yield number


def test_runs_to_the_end():
    assert run(_answer(42)) == 42


def test_errors_pass_through():
    async def fails():
        raise KeyError("x")

    with pytest.raises(KeyError):
        run(fails())


def test_works_inside_a_running_loop():
    async def main():
        return run(_answer(1)) + await _answer(2)

    assert asyncio.run(main()) == 3


def test_refuses_to_suspend():
    async def waits():
        await asyncio.sleep(0)

    with pytest.raises(RuntimeError, match="suspended"):
        run(waits())


def test_iterates_lazily():
    reached = []

    async def pages():
        for page in range(3):
            reached.append(page)
            yield page

    iterator = run_each(pages())
    assert next(iterator) == 0
    assert reached == [0]
    assert list(iterator) == [1, 2]


def test_whoever_stops_early_lets_go_at_once():
    let_go = []

    async def held():
        try:
            while True:
                yield 1
        finally:
            let_go.append(True)

    iterator = run_each(held())
    assert next(iterator) == 1
    assert let_go == []
    iterator.close()
    assert let_go == [True]


def test_twins_keep_name_and_docstring():
    class Operations:
        async def double(self, number: int) -> int:
            """Twice the number."""
            return number * 2

        async def up_to(self, number: int):
            """Numbers."""
            for item in range(number):
                yield item

    class Twin:
        operations = Operations()
        double = blocking(Operations.double)
        up_to = blocking_each(Operations.up_to)

    assert Twin().double(21) == 42
    assert Twin.double.__doc__ == "Twice the number."
    assert Twin.double.__name__ == "double"
    assert list(Twin().up_to(3)) == [0, 1, 2]
