"""Pictures hold what they were given, in both themes, whatever the names and numbers are."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from struct import unpack
from zoneinfo import ZoneInfo

import pytest
from matplotlib.figure import Figure

from tradehook import charts
from tradehook.charts import Share, Worth
from tradehook.prices import PricePoint

NOON = datetime(2026, 11, 21, 12, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


def points(*prices):
    times = (NOON - timedelta(hours=len(prices) - place) for place in range(len(prices)))
    return [PricePoint(at=at, price=Decimal(price)) for at, price in zip(times, prices, strict=True)]


def days(count=24, **parts):
    return [
        Worth(NOON - timedelta(hours=count - place), {name: Decimal(value) for name, value in parts.items()})
        for place in range(count)
    ]


@pytest.fixture
def drawn(monkeypatch):
    """What stands in the picture that was saved last, as text."""
    found = []
    save = Figure.savefig

    def keep(self, *arguments, **more):
        words = [each.get_text() for each in self.findobj(lambda part: hasattr(part, "get_text"))]
        found[:] = [text for text in words if text]
        return save(self, *arguments, **more)

    monkeypatch.setattr(Figure, "savefig", keep)
    return found


def size(png):
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    return unpack(">II", png[16:24])


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_an_allocation_names_share_target_value_and_move(theme, drawn):
    shares = [
        Share("BTC", Decimal("33670.12"), Decimal("55.3"), Decimal(50), Decimal("1.15")),
        Share("PYUSD", Decimal("812.4"), Decimal("1.3"), Decimal("1.5"), Decimal("-0.001")),
        Share("ETH", Decimal(0), Decimal(0), Decimal(48), Decimal("-3.1")),
    ]
    wide, high = size(charts.allocation(shares, title="60,892.72 PYUSD", subtitle="main", theme=theme))
    assert (wide, high) == (1080, 608)
    for words in (
        "60,892.72 PYUSD",
        "main",
        "BTC",
        "55.3 %",
        "33,670  target 50 %",
        "▲ +1.15 %",
        "812.40  target 1.5 %",
    ):
        assert words in drawn
    assert "0 %" in drawn  # a price that stood still has no arrow
    assert "▼ -3.1 %" in drawn


def test_many_assets_are_folded_and_nothing_is_lost(drawn):
    shares = [Share(f"A{number}", Decimal(10), Decimal(10), Decimal(10)) for number in range(10)]
    charts.allocation(shares, title="100")
    assert "3 others" in drawn
    assert "30  target 30 %" in drawn
    assert "30.0 %" in drawn


def test_a_price_shows_its_extremes_once_and_its_zone(drawn):
    size(charts.price_line(points("100", "90.5", "120.25", "110"), title="BTC 110.0", subtitle="+10 %", zone=BERLIN))
    assert {"120.25", "90.5", "CET", "BTC 110.0", "+10 %"} <= {*drawn}


def test_a_price_that_stood_still_has_no_extremes(drawn):
    charts.price_line(points("1", "1", "1"), title="PYUSD 1.0")
    assert "1.0" not in drawn


def test_layers_are_named_largest_first_and_the_rest_is_put_together(drawn):
    parts = {f"A{number}": number + 1 for number in range(10)}
    size(charts.worth_line(days(**parts), title="55 USD", zone=BERLIN))
    names = [text for text in drawn if text.startswith("A") or text == "others"]
    assert names == ["A9", "A8", "A7", "A6", "A5", "A4", "A3", "others"]


@pytest.mark.parametrize(
    "draw", [lambda: charts.price_line(points("1"), title="x"), lambda: charts.worth_line(days(1, A=1), title="x")]
)
def test_one_point_is_no_line(draw):
    with pytest.raises(ValueError, match="two points"):
        draw()


@pytest.mark.parametrize("name", ["$x_1$", "$\\frac", "<b>", "\u202eBTC", "Ünicode €", "a\nb", ""])
def test_names_are_text_and_nothing_else(name, drawn):
    charts.allocation([Share(name, Decimal(1), Decimal(100), Decimal(50), Decimal(1))], title=name, subtitle=name)
    charts.price_line(points("1", "2"), title=name, subtitle=name)
    charts.worth_line(days(2, **{name: 1}), title=name, subtitle=name)
    assert " ".join(name.split()) in drawn or not name


@pytest.mark.parametrize("value", ["0", "0.00000001", "123456789012.34", "-5"])
def test_any_size_of_number_is_drawn(value):
    size(charts.allocation([Share("A", Decimal(value), Decimal(0), None)], title="x"))
    size(charts.worth_line(days(2, A=value), title="x"))
    size(charts.price_line(points(value, value, "1"), title="x"))


def test_nothing_held_is_an_empty_picture():
    size(charts.allocation([], title="0.00 USD"))


def test_threads_draw_side_by_side():
    share = [Share("BTC", Decimal(1), Decimal(100), Decimal(50), Decimal(1))]
    with ThreadPoolExecutor(4) as threads:
        made = list(threads.map(lambda _: charts.allocation(share, title="1 USD"), range(8)))
    assert len({*made}) == 1


def test_matplotlib_is_loaded_only_to_draw_and_said_where_it_is_missing():
    code = (
        "import sys\nsys.modules['matplotlib'] = None\n"
        "from tradehook import charts\nfrom tradehook.errors import ConfigurationError\n"
        "try:\n    charts.allocation([], title='x')\n"
        "except ConfigurationError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert "pip install 'tradehook[charts]'" in done.stdout, done.stderr
