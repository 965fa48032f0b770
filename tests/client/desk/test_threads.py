"""The threads of a desk: who wants the same waits for the same, what fails is told, and closing waits for both kinds."""

from __future__ import annotations

import threading
from concurrent.futures import Future

import pytest

from tradehook.desk.threads import Threads
from tradehook.errors import ConfigurationError, InvalidInput

SECONDS = 30
CLOSED = "The desk is closed; nothing was sent."


class Stopped(BaseException):
    """No `Exception`, as a signal is none."""


class Gate:
    """Work that waits until it may go on, and says where it runs."""

    def __init__(self, gives=None):
        self.gives, self.arrived, self.is_open = gives, threading.Semaphore(0), threading.Event()

    def __call__(self):
        self.arrived.release()
        assert self.is_open.wait(SECONDS)
        return self.gives or threading.current_thread().name.rpartition("_")[0]

    def wait(self, count=1):
        for _ in range(count):
            assert self.arrived.acquire(timeout=SECONDS)


@pytest.fixture
def threads():
    made = Threads()
    yield made
    made.close()


def test_who_wants_the_same_of_an_intent_shares_it_until_it_is_done(threads):
    gate = Gate("first")
    first = threads.begin("i-1", "wanted", gate)
    gate.wait()
    assert threads.begin("i-1", "wanted", lambda: "second") is first
    assert threads.begin("i-1", "other", lambda: "other").result(SECONDS) == "other"
    assert threads.begin("i-2", "wanted", lambda: "another intent").result(SECONDS) == "another intent"
    assert threads.begin("i-1", "wanted", lambda: "still shared") is first
    gate.is_open.set()
    assert first.result(SECONDS) == "first"
    again = threads.begin("i-1", "wanted", lambda: "anew")
    assert (again is first, again.result(SECONDS)) == (False, "anew")


def test_the_other_that_runs_longer_is_not_taken_for_the_first(threads):
    """Only what was first under its intent is shared; what was refused beside it ends without a trace."""
    first, other = Gate("first"), Gate("other")
    one = threads.begin("i-1", "wanted", first)
    two = threads.begin("i-1", "other", other)
    first.wait()
    other.wait()
    first.is_open.set()
    assert one.result(SECONDS) == "first"
    three = threads.begin("i-1", "other", lambda: "anew")
    assert (three is two, three.result(SECONDS)) == (False, "anew")
    other.is_open.set()
    assert two.result(SECONDS) == "other"


@pytest.mark.parametrize("error", [InvalidInput("No."), Stopped("Now.")], ids=lambda error: type(error).__name__)
def test_what_fails_is_told_to_who_waits_and_forgotten(threads, error):
    def fail():
        raise error

    future = threads.begin("i-1", "wanted", fail)
    assert future.exception(SECONDS) is error
    assert threads.begin("i-1", "wanted", lambda: "anew").result(SECONDS) == "anew"
    for is_cancel in (False, True):
        with pytest.raises(type(error)) as caught:
            threads.do(fail, is_cancel=is_cancel)
        assert caught.value is error


def test_what_is_under_way_cannot_be_cancelled_even_before_a_thread_is_free(threads):
    gate = Gate()
    running = [threads.begin(f"i-{number}", "wanted", gate) for number in range(8)]
    gate.wait(8)
    queued = threads.begin("i-9", "wanted", lambda: "sent all the same")
    assert [future.cancel() for future in (*running, queued)] == [False] * 9
    assert queued.running()
    assert not queued.done()
    gate.is_open.set()
    assert queued.result(SECONDS) == "sent all the same"
    assert {future.result(SECONDS) for future in running} == {"tradehook-desk"}


def test_cancels_have_threads_of_their_own(threads):
    gate = Gate()
    deeds = [threads.begin(f"i-{number}", "wanted", gate) for number in range(8)]
    gate.wait(8)
    names = threads.do(lambda: threading.current_thread().name.rpartition("_")[0], is_cancel=True)
    assert names == "tradehook-cancel"
    gate.is_open.set()
    for future in deeds:
        future.result(SECONDS)
    assert threads.do(lambda: threading.current_thread().name.rpartition("_")[0]) == "tradehook-desk"


def test_two_cancels_are_under_way_at_once(threads):
    gate, found = Gate("canceled"), []
    asking = [threading.Thread(target=lambda: found.append(threads.do(gate, is_cancel=True))) for _ in range(2)]
    for each in asking:
        each.start()
    gate.wait(2)
    gate.is_open.set()
    for each in asking:
        each.join(SECONDS)
    assert found == ["canceled"] * 2


@pytest.mark.parametrize("is_cancel", [False, True], ids=["a deed", "a cancel"])
def test_closing_waits_for_what_runs(threads, is_cancel):
    gate, ended = Gate("done"), Future()
    asking = threading.Thread(target=lambda: ended.set_result(threads.do(gate, is_cancel=is_cancel)))
    asking.start()
    gate.wait()
    were_done = []
    closing = threading.Thread(target=lambda: (threads.close(), were_done.append(gate.is_open.is_set())))
    closing.start()
    closing.join(0.1)  # long enough for who does not wait
    gate.is_open.set()
    closing.join(SECONDS)
    asking.join(SECONDS)
    assert were_done == [True]
    assert ended.result(SECONDS) == "done"


def test_once_closed_nothing_is_begun_and_each_who_asks_is_told(threads):
    threads.close()
    threads.close()
    futures = [threads.begin("i-1", "wanted", lambda: "sent") for _ in range(2)]
    assert futures[0] is not futures[1]
    for future in futures:
        error = future.exception(SECONDS)
        assert (type(error), error.message) == (ConfigurationError, CLOSED)
    for is_cancel in (False, True):
        with pytest.raises(ConfigurationError) as caught:
            threads.do(lambda: "sent", is_cancel=is_cancel)
        assert caught.value.message == CLOSED


def test_in_a_forked_process_they_are_of_no_use_and_it_says_so(threads, monkeypatch):
    threads.check_process()
    monkeypatch.setattr("os.getpid", lambda: -1)
    with pytest.raises(ConfigurationError) as caught:
        threads.check_process()
    assert caught.value.message == "This desk was opened before the process was forked. Open one in the child."
