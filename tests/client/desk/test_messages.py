"""What a task leaves in the journal for whoever tells people: once for each key, in order, and no number twice."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from tradehook.desk.intents import iso
from tradehook.desk.journal import Journal
from tradehook.desk.messages import KEPT, LONGEST_BODY, Messages
from tradehook.desk.tables import MESSAGE
from tradehook.errors import InvalidInput


@pytest.fixture(params=["sqlite", "postgresql"])
def messages(request, tmp_path):
    url = f"sqlite:///{tmp_path}/j.db"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    with Journal.open(url) as journal:
        yield Messages(journal.engine)


def test_a_key_is_left_once(messages):
    assert messages.leave("run-1", "Two orders are unknown.", title="Look", account="main", source="airflow:d/t")
    assert not messages.leave("run-1", "Something else.", source="airflow:d/t")
    (left,) = messages.after(0)
    assert (left.key, left.title, left.body, left.account) == ("run-1", "Look", "Two orders are unknown.", "main")
    assert (left.source, left.is_silent) == ("airflow:d/t", False)
    assert datetime.now(UTC) - left.left_at < timedelta(minutes=5)


def test_they_are_read_in_order_from_where_somebody_was(messages):
    assert messages.newest() == 0
    for number in range(5):
        messages.leave(f"k{number}", f"body {number}", source="test", is_silent=True)
    read = messages.after(0, limit=2)
    assert [message.body for message in read] == ["body 0", "body 1"]
    assert [message.body for message in messages.after(read[-1].message_id)] == ["body 2", "body 3", "body 4"]
    assert messages.newest() == messages.after(0)[-1].message_id
    assert messages.after(messages.newest()) == []


def test_many_at_once_leave_one_of_a_key(messages):
    with ThreadPoolExecutor(8) as pool:
        heard = list(pool.map(lambda _: messages.leave("same", "body", source="test"), range(16)))
    assert heard.count(True) == 1
    assert len(messages.after(0)) == 1


def test_the_oldest_go_and_their_numbers_do_not_come_again(messages):
    messages.leave("old", "body", source="test")
    (old,) = messages.after(0)
    with messages._engine.begin() as connection:
        before = iso(datetime.now(UTC) - KEPT - timedelta(hours=1))
        connection.execute(update(MESSAGE).values(left_at=before))
    messages.leave("newer", "body", source="test")
    (kept,) = messages.after(0)
    assert kept.key == "newer"
    assert kept.message_id > old.message_id
    assert messages.leave("old", "body", source="test")


@pytest.mark.parametrize(
    ("key", "body", "told"),
    [
        ("", "body", "A message needs a key of at most 255 characters."),
        ("k" * 256, "body", "A message needs a key of at most 255 characters."),
        ("k", "  \n", "There is nothing to tell."),
        ("k", "\0", "There is nothing to tell."),
    ],
)
def test_what_tells_nothing_is_refused(messages, key, body, told):
    with pytest.raises(InvalidInput) as refused:
        messages.leave(key, body, source="test")
    assert str(refused.value) == told
    assert messages.after(0) == []


def test_what_is_too_long_is_cut_where_it_shows_and_what_just_fits_is_not(messages):
    assert messages.leave("k" * 255, "b" * 3500, title="t" * 200, source="s" * 300)
    assert messages.leave("longer", "b" * 3501, title="t" * 201, source="test")
    assert messages.leave("plain", " \n b\0c \n", source="test")
    fits, longer, plain = messages.after(0)
    assert (fits.key, fits.body, fits.title, fits.source) == ("k" * 255, "b" * 3500, "t" * 200, "s" * 255)
    assert (longer.body, longer.title) == (f"{'b' * 3499}…", f"{'t' * 199}…")
    assert (plain.body, plain.title, plain.account) == ("bc", "", None)


def test_a_hundred_are_read_at_once(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/j.db") as journal:
        messages = Messages(journal.engine)
        for number in range(101):
            messages.leave(f"k{number}", "body", source="test")
        assert len(messages.after(0)) == 100
        assert [message.key for message in messages.after(messages.after(0)[-1].message_id)] == ["k100"]


def test_any_text_can_be_left(tmp_path):
    with Journal.open(f"sqlite:///{tmp_path}/j.db") as journal:
        messages = Messages(journal.engine)

        @given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1, max_size=LONGEST_BODY + 50))
        def leave(body):
            before = messages.newest()
            try:
                assert messages.leave(f"k{before}", body, source="test")
            except InvalidInput:
                assert not body.replace("\0", "").strip()
                return
            (left,) = messages.after(before)
            assert len(left.body) <= LONGEST_BODY
            assert left.body.rstrip("…") in body.replace("\0", "")

        leave()
