"""What is typed for a limit, what is wider than before, and what a person is told of a change, limit by limit."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tradehook.desk.limit_changes import WORDS, amount, changes, looser, made_of, option, read
from tradehook.desk.limits import Limits
from tradehook.errors import InvalidInput

MONEY = ("order", "day", "hour", "transfer", "transfer_day")
PERCENT = ("collar", "fat_finger_percent")
TIMES = ("fat_finger_times",)
COUNTS = ("orders_hour", "in_flight", "unknowns", "destination_cool_off_hours", "halt_after")


def every(names, *cases):
    return [(name, *case) for name in names for case in cases]


# --- what was typed -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        *every(MONEY, ("50", Decimal(50)), ("$50", Decimal(50)), (" 0.5 ", Decimal("0.5"))),
        *every(PERCENT + TIMES, ("2", Decimal(2)), ("1.5%", Decimal("1.5"))),
        *every(MONEY + PERCENT + TIMES, *((zero, Decimal(0)) for zero in ("0", "0.0", "0.00"))),
        *every(COUNTS, ("0", 0), ("12", 12), (" 3 ", 3), ("007", 7), ("123456789", 123456789)),
        *every(MONEY + PERCENT + TIMES + COUNTS, ("none", None), (" None ", None), ("OFF", None), ("off", None)),
        ("zone", " Europe/Berlin ", "Europe/Berlin"),
        ("zone", "off", "off"),  # no zone may be called so, but that is for the limits to say
        ("order", "$0", Decimal(0)),
        ("collar", "0%", Decimal(0)),
    ],
)
def test_what_is_typed_is_read(name, text, value):
    found = read(name, text)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize("name", COUNTS)
@pytest.mark.parametrize("text", ["2.5", "", "-1", "1 000", "٣", "²", "$3", "3%", "1234567890", "three"])
def test_a_count_is_a_whole_number_and_it_says_so(name, text):
    with pytest.raises(InvalidInput) as caught:
        read(name, text)
    assert caught.value.message == f"{option(name)} counts: write a whole number, or none."
    assert caught.value.suggestions == ("3", "none")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *every(MONEY, ("50%",), ("50$",), ("$$50",), ("-5",), ("NaN",), ("",), ("$",), ("lots",)),
        *every(PERCENT, ("$2",), ("2%%",), ("%2",), ("",)),
    ],
)
def test_what_is_no_limit_is_refused_by_that_name(name, text):
    with pytest.raises(InvalidInput, match="is not a limit"):
        read(name, text)


# --- what comes of it ---------------------------------------------------------------------------------------------


def test_only_what_is_named_changes():
    before = Limits(live=True, order=Decimal(5), collar=None, zone="Europe/Berlin")
    after = made_of(before, {"order": None, "day": Decimal(9)})
    assert after == before.model_copy(update={"order": None, "day": Decimal(9)})


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ({"unknowns": 0}, "--unknowns cannot be 0: input should be greater than or equal to 1."),
        ({"halt_after": 0, "order": Decimal(5)}, "--halt-after cannot be 0: input should be greater than or equal to 1."),
        ({"destination_cool_off_hours": -1}, "--cool-off-hours cannot be -1: "),
        ({"transfer_day": Decimal("-0.50")}, "--transfer-day cannot be -0.5: "),
    ],
)  # fmt: skip
def test_what_cannot_be_a_limit_is_told_by_its_option(wanted, says):
    with pytest.raises(InvalidInput) as caught:
        made_of(Limits(), wanted)
    assert caught.value.message.startswith(says)
    assert caught.value.message.endswith(".")


def test_a_zone_that_is_none_is_told():
    with pytest.raises(InvalidInput, match="is no time zone"):
        made_of(Limits(), {"zone": "Berlin"})


# --- what allows more ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_live", [False, True])
@pytest.mark.parametrize("name", [name for name in WORDS if name not in {"zone", "transfer"}])
def test_more_is_looser_and_none_is_most_except_where_it_is_a_wait(name, is_live):
    few, many = Limits(**{name: 7}), Limits(**{name: 30})
    waits = name == "destination_cool_off_hours"
    assert looser(few, many, is_live=is_live) == ([] if waits else [name])
    assert looser(many, few, is_live=is_live) == ([name] if waits else [])
    assert looser(many, many, is_live=is_live) == []
    if not waits:
        without = Limits(**{name: None})
        assert looser(many, without, is_live=is_live) == [name]
        assert looser(without, many, is_live=is_live) == []


@pytest.mark.parametrize(
    ("before", "after", "is_live", "wider"),
    [
        (0, 24, True, False),
        (24, None, True, False),  # a day, where nothing is said
        (25, None, True, True),
        (None, 23, True, True),
        (None, 0, False, False),
        (1, None, False, True),
        (None, 1, False, False),
    ],
)
def test_a_shorter_wait_for_a_new_destination_is_looser(before, after, is_live, wider):
    found = looser(Limits(destination_cool_off_hours=before), Limits(destination_cool_off_hours=after), is_live=is_live)
    assert found == (["destination_cool_off_hours"] if wider else [])


@pytest.mark.parametrize(
    ("before", "after", "is_live", "wider"),
    [
        (None, 0, True, True),  # a live account without a cap on transfers sends none
        (5, None, True, False),
        (5, 6, True, True),
        (None, 5, False, False),
        (5, None, False, True),
    ],
)
def test_what_may_be_transferred_depends_on_whether_it_is_live(before, after, is_live, wider):
    found = looser(Limits(transfer=before), Limits(transfer=after), is_live=is_live)
    assert found == (["transfer"] if wider else [])


def test_another_midnight_counts_as_looser_in_both_directions():
    one, other = Limits(zone="UTC"), Limits(zone="Europe/Berlin")
    assert looser(one, other, is_live=True) == looser(other, one, is_live=True) == ["zone"]
    assert looser(other, other, is_live=True) == []


def test_all_that_is_looser_is_told_and_nothing_without_limits_before():
    before = Limits(order=5, day=10, collar=2)
    after = Limits(order=6, day=9, collar=3, zone="Asia/Tokyo")
    assert looser(before, after, is_live=False) == ["order", "collar", "zone"]
    assert looser(None, after, is_live=True) == []


# --- what is told -------------------------------------------------------------------------------------------------


def test_of_a_change_each_difference_is_a_line():
    before = Limits(order=Decimal(50), collar=Decimal("2.50"), halt_after=5)
    after = Limits(live=True, order=Decimal("60.10"), collar=None, halt_after=5, zone="Asia/Tokyo", transfer=Decimal(0))
    assert changes(before, after) == [
        "live: no -> yes",
        "one order: 50 -> 60.1",
        "one transfer: none -> 0",
        "percent a price may be worse than the market: 2.5 -> none",
        "a day begins at midnight in: UTC -> Asia/Tokyo",
    ]
    assert changes(after, after) == []


def test_of_the_first_limits_all_that_limits_is_a_line_and_what_was_taken_off():
    assert changes(None, Limits()) == [
        "how many in doubt at once: 3",
        "percent a price may be worse than the market: 2",
        "percent of what is available, then it asks: 50",
        "times the usual order, then it asks: 5",
        "rejected or in doubt in a row, then it halts: 5",
    ]
    asked_of = dict.fromkeys(("unknowns", "fat_finger_percent", "fat_finger_times"))
    first = Limits(live=True, order=Decimal(0), orders_hour=0, collar=None, zone="Asia/Tokyo", halt_after=9, **asked_of)
    assert changes(None, first) == [
        "live: yes",
        "one order: 0",
        "how many orders an hour: 0",
        "how many in doubt at once: none",
        "percent a price may be worse than the market: none",
        "percent of what is available, then it asks: none",
        "times the usual order, then it asks: none",
        "rejected or in doubt in a row, then it halts: 9",
        "a day begins at midnight in: Asia/Tokyo",
    ]


@pytest.mark.parametrize(
    ("value", "words"),
    [(None, "none"), (True, "yes"), (False, "no"), (0, "0"), (12, "12"), (Decimal("1E+3"), "1000"), ("UTC", "UTC"),
     (Decimal("0.10"), "0.1")],
)  # fmt: skip
def test_a_limit_in_words(value, words):
    assert amount(value) == words


@pytest.mark.parametrize(
    ("name", "typed"),
    [("order", "--order"), ("orders_hour", "--orders-hour"), ("fat_finger_times", "--fat-finger-times"),
     ("destination_cool_off_hours", "--cool-off-hours")],
)  # fmt: skip
def test_the_option_that_sets_it(name, typed):
    assert option(name) == typed
