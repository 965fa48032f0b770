"""What looks the same as something in doubt is refused, whichever of the doubts it is and whatever was taken off it."""

from __future__ import annotations

import pytest
from tests.client.desk.test_limits import decide, journal, order, refused, sent, transfer

from tradehook.desk.intents import State
from tradehook.desk.reserve import twin_mark

__all__ = ["journal"]  # a fixture


@pytest.mark.parametrize("state", [State.UNKNOWN, State.NEEDS_HUMAN, State.PROVED_ABSENT])
def test_the_twin_of_any_doubt_is_refused_not_only_of_the_first(journal, state):
    sent(journal, "other", order("1"), state=state)
    sent(journal, "same", order("2"), state=state)
    error = refused(journal, "again", order("2"))
    assert (error.rule, error.limit, error.actual) == ("twin", "1", "same")
    assert decide(journal, "new", order("3")) == 3


def test_what_has_ended_and_what_is_of_another_kind_has_no_twin(journal):
    sent(journal, "done", order("2"))
    sent(journal, "refused", order("2"), state=State.REJECTED)
    sent(journal, "sum", transfer("2"), state=State.UNKNOWN)
    assert decide(journal, "again", order("2")) == 2


def test_the_next_of_the_same_id_is_no_twin_of_the_one_before(journal):
    sent(journal, "job", order("2"), state=State.UNKNOWN)
    assert refused(journal, "jobs", order("2")).rule == "twin"
    journal.move(journal.get("job"), State.REJECTED)
    journal.doubts.again(journal.get("job"), by="ana", why="")
    assert decide(journal, "job", order("2")) == 2


def test_an_order_that_a_few_lots_were_taken_off_is_the_same_order():
    whole, tagged = order("2", unit="base"), order("1.998", unit="base", tag="0.002")
    assert twin_mark("order", tagged.to_dict()) == twin_mark("order", whole.to_dict())
    assert twin_mark("order", order("1.998", unit="base").to_dict()) != twin_mark("order", whole.to_dict())
