"""Pictures: plain values in, PNG bytes out. Knows no exchange, no account and no front end.

Drawn for a phone: few words, large ones, on a ground of its own, so that it reads the same in a light and a dark chat.
Matplotlib comes with the extra `charts`, is loaded when the first picture is drawn, and keeps no state between two.
Drawing takes a part of a second and blocks: programs with an event loop do it on a thread.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from tradehook import render
from tradehook.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import tzinfo

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from tradehook.prices import PricePoint

Theme = Literal["light", "dark"]

_WIDE, _DPI = 8.0, 135
"""Inches and dots: 1080 dots wide, as phones show pictures."""
_MOST_ROWS = 8
_ROW, _EDGE = 0.92, 1.75
_LOCK = threading.Lock()
"""Figures are independent; the fonts that they share are not."""
_HUES = ("#2f7ed8", "#e8962e", "#12a37f", "#a865d6", "#d9a514", "#3fb4d8", "#d9577e", "#8a94a6")
"""Told apart by most colour-blind people, on both grounds; names and numbers stand beside them all the same."""


@dataclass(frozen=True, slots=True)
class _Colours:
    ground: str
    ink: str
    pale: str
    track: str
    up: str
    down: str


_THEMES = {
    "light": _Colours("#ffffff", "#15181d", "#667080", "#e6e9ee", "#0b8a5f", "#c8372d"),
    "dark": _Colours("#17202b", "#f2f5f8", "#93a1b3", "#2b3847", "#3ccf91", "#ff7a6b"),
}


@dataclass(frozen=True, slots=True)
class Share:
    """One asset's part of a portfolio."""

    symbol: str
    value: Decimal
    """In the portfolio's money."""
    percent: Decimal
    target: Decimal | None = None
    """The percentage that it should be; `None` where there is no target."""
    change_percent: Decimal | None = None
    """How far its price moved in 24 hours; `None` where that is not known."""


@dataclass(frozen=True, slots=True)
class Worth:
    """What was held at a moment, by symbol, in the portfolio's money."""

    at: datetime
    parts: dict[str, Decimal]

    @property
    def total(self) -> Decimal:
        """All of it."""
        return sum(self.parts.values(), Decimal(0))


def is_available() -> bool:
    """Whether pictures can be drawn here: Matplotlib is installed."""
    return find_spec("matplotlib") is not None


def allocation(shares: Sequence[Share], *, title: str, subtitle: str = "", theme: Theme = "light") -> bytes:
    """How a portfolio is divided: a bar for each asset, a mark at its target, and how its price moved in 24 hours.

    Args:
        shares: largest first; what is more than eight is put together.
        title: the heading, such as what all of it is worth.
        subtitle: below it, paler.
        theme: the ground.

    Raises:
        ConfigurationError: Matplotlib is not installed.
    """
    rows = _folded(shares)
    colours = _THEMES[theme]
    figure, axes = _page(colours, height=_EDGE + _ROW * max(len(rows), 1))
    with _LOCK:
        _head(figure, title, subtitle, colours)
        for place, row in enumerate(rows):
            _bar(axes, row, hue=_HUES[place % len(_HUES)], top=-place, colours=colours)
        axes.set_xlim(0, 1)
        axes.set_ylim(-max(len(rows), 1) + 0.72, 0.72)
        axes.axis("off")
        _fit(figure, axes, top=1.15, bottom=0.1)
        return _png(figure)


def price_line(
    points: Sequence[PricePoint],
    *,
    title: str,
    subtitle: str = "",
    zone: tzinfo = UTC,
    theme: Theme = "light",
) -> bytes:
    """A price's past as a line, with its lowest and highest point.

    Args:
        points: oldest first, two at least.
        title: the heading, such as the price now.
        subtitle: below it, in the colour of the move.
        zone: whose times stand below.
        theme: the ground.

    Raises:
        ConfigurationError: Matplotlib is not installed.
        ValueError: fewer than two points.
    """
    if len(points) < 2:
        raise ValueError("a line needs two points")
    colours = _THEMES[theme]
    figure, axes = _page(colours, height=5.6)
    prices = [_length(point.price) for point in points]
    hue = colours.up if points[-1].price >= points[0].price else colours.down
    with _LOCK:
        times = _places([point.at for point in points])
        _head(figure, title, subtitle, colours, hue=hue)
        low, high = min(prices), max(prices)
        room = (high - low) or abs(high) * 0.01 or 1.0
        axes.plot(times, prices, color=hue, linewidth=2.6, solid_joinstyle="round")
        axes.fill_between(times, prices, low - room * 0.22, color=hue, alpha=0.13, linewidth=0)
        axes.set_ylim(low - room * 0.22, high + room * 0.2)
        axes.axhline(prices[0], color=colours.pale, linewidth=1, linestyle=(0, (4, 4)))
        axes.plot([times[-1]], [prices[-1]], marker="o", markersize=9, color=hue)
        if high > low:
            for price, above in ((high, True), (low, False)):
                _mark(axes, times, prices, price, above=above, colours=colours)
        axes.yaxis.set_visible(False)
        _time_axis(figure, axes, [point.at for point in points], zone, colours)
        _fit(figure, axes, top=1.25, bottom=0.55, left=0.32, right=0.2)
        return _png(figure)


def worth_line(
    days: Sequence[Worth],
    *,
    title: str,
    subtitle: str = "",
    zone: tzinfo = UTC,
    theme: Theme = "light",
) -> bytes:
    """What was held over time: a layer for each asset, the largest at the bottom.

    Args:
        days: oldest first, two at least.
        title: the heading, such as what it is worth now.
        subtitle: below it, in the colour of the move.
        zone: whose times stand below.
        theme: the ground.

    Raises:
        ConfigurationError: Matplotlib is not installed.
        ValueError: fewer than two moments.
    """
    if len(days) < 2:
        raise ValueError("a line needs two points")
    colours = _THEMES[theme]
    figure, axes = _page(colours, height=6.2)
    last = days[-1].parts
    symbols = sorted({symbol for day in days for symbol in day.parts}, key=lambda name: -last.get(name, Decimal(0)))
    shown, rest = symbols[: _MOST_ROWS - 1], symbols[_MOST_ROWS - 1 :]
    layers = {symbol: [_length(day.parts.get(symbol, 0)) for day in days] for symbol in shown}
    if rest:
        layers["others"] = [
            _length(sum((day.parts.get(each, Decimal(0)) for each in rest), Decimal(0))) for day in days
        ]
    with _LOCK:
        times = _places([day.at for day in days])
        hue = colours.up if days[-1].total >= days[0].total else colours.down
        _head(figure, title, subtitle, colours, hue=hue)
        axes.stackplot(
            times, list(layers.values()), colors=[*_HUES][: len(layers)], edgecolor=colours.ground, linewidth=1.2
        )
        axes.set_ylim(0, _length(max(day.total for day in days)) * 1.06 or 1.0)
        _money_axis(axes, colours)
        _time_axis(figure, axes, [day.at for day in days], zone, colours)
        _fit(figure, axes, top=1.25, bottom=1.3 if len(layers) > 4 else 1.0, left=0.95, right=0.2)
        _legend(figure, layers, colours)
        return _png(figure)


# --- parts of a picture -----------------------------------------------------------------------------------------


def _length(value: Decimal | float) -> float:
    """How far it reaches on the paper, and nothing else: no money is counted with it."""
    return float(value)  # a length in dots


def _page(colours: _Colours, *, height: float) -> tuple[Figure, Axes]:
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise ConfigurationError("Pictures need Matplotlib: pip install 'tradehook[charts]'.") from None
    figure = Figure(figsize=(_WIDE, height), dpi=_DPI, facecolor=colours.ground)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_facecolor(colours.ground)
    return figure, axes


def _head(figure: Figure, title: str, subtitle: str, colours: _Colours, *, hue: str | None = None) -> None:
    height = figure.get_figheight()
    where: dict[str, Any] = {"va": "top", "ha": "left", "parse_math": False}
    figure.text(0.04, 1 - 0.22 / height, _cut(title, 38), color=colours.ink, size=25, weight="bold", **where)
    figure.text(0.04, 1 - 0.72 / height, _cut(subtitle, 58), color=hue or colours.pale, size=17, **where)


def _fit(figure: Figure, axes: Axes, *, top: float, bottom: float, left: float = 0.32, right: float = 0.32) -> None:
    """Leave so many inches around the drawing."""
    height = figure.get_figheight()
    axes.set_position((left / _WIDE, bottom / height, 1 - (left + right) / _WIDE, 1 - (top + bottom) / height))


def _png(figure: Figure) -> bytes:
    kept = BytesIO()
    figure.savefig(kept, format="png", facecolor=figure.get_facecolor())
    return kept.getvalue()


def _bar(axes: Axes, row: Share, *, hue: str, top: int, colours: _Colours) -> None:
    """An asset in two lines: its words, and below them how much of the whole it is, with a mark at its target."""
    scale = 0.01  # the track is the whole, so what is filled is the share
    line, bar = top + 0.42, top + 0.06
    say: dict[str, Any] = {"va": "center", "parse_math": False}
    name = axes.text(0, line, _cut(row.symbol, 10), color=colours.ink, size=20, weight="bold", ha="left", **say)
    share = axes.text(1, line, f"{row.percent:.1f} %", color=colours.ink, size=20, weight="bold", ha="right", **say)
    if row.change_percent is not None:
        arrow, moved = _moved(row.change_percent, colours)
        axes.annotate(
            f"{arrow}{render.change(row.change_percent)}",
            xy=(1, 0.5), xycoords=name, xytext=(12, 0), textcoords="offset points",
            color=moved, size=16, ha="left", va="center", parse_math=False,
        )  # fmt: skip
    aim = f"  target {render.percent(row.target)}" if row.target is not None else ""
    axes.annotate(
        f"{_money(row.value)}{aim}",
        xy=(0, 0.5), xycoords=share, xytext=(-14, 0), textcoords="offset points",
        color=colours.pale, size=16, ha="right", va="center", parse_math=False,
    )  # fmt: skip
    axes.barh(bar, 1, height=0.24, color=colours.track, linewidth=0)
    axes.barh(bar, max(_length(row.percent), 0.0) * scale, height=0.24, color=hue, linewidth=0)
    if row.target is not None:
        at = min(max(_length(row.target) * scale, 0.003), 0.997)
        axes.plot([at, at], [bar - 0.16, bar + 0.16], color=colours.ground, linewidth=8, solid_capstyle="butt")
        axes.plot([at, at], [bar - 0.16, bar + 0.16], color=colours.ink, linewidth=3.6, solid_capstyle="butt")


def _moved(change: Decimal, colours: _Colours) -> tuple[str, str]:
    """An arrow and a colour for a move; a price that stood still has neither."""
    if not round(change, 2):
        return "", colours.pale
    return ("▲ ", colours.up) if change > 0 else ("▼ ", colours.down)


def _mark(
    axes: Axes, times: Sequence[float], prices: Sequence[float], price: float, *, above: bool, colours: _Colours
) -> None:
    """The lowest or the highest price, its number where it does not run over the edge."""
    place = prices.index(price)
    part = place / (len(prices) - 1)
    side: Literal["left", "center", "right"] = "left" if part < 0.2 else "right" if part > 0.8 else "center"
    axes.plot([times[place]], [price], marker="o", markersize=7, color=colours.ink)
    axes.annotate(
        render.price(Decimal(str(price))),
        xy=(times[place], price),
        xytext=(0, 10 if above else -10), textcoords="offset points",
        color=colours.ink, size=17, ha=side, va="bottom" if above else "top", parse_math=False,
    )  # fmt: skip


def _time_axis(figure: Figure, axes: Axes, times: Sequence[datetime], zone: tzinfo, colours: _Colours) -> None:
    """A few times below, in the zone, whose name stands above at the right."""
    at = 1 - 0.78 / figure.get_figheight()
    named = times[-1].astimezone(zone).tzname() or "UTC"
    figure.text(0.975, at, named, color=colours.pale, size=15, va="top", ha="right", parse_math=False)
    span = times[-1] - times[0]
    pattern = "%H:%M" if span.total_seconds() <= 2 * 86_400 else "%d %b"
    first, last = _places([times[0], times[-1]])
    axes.set_xlim(first, last + (last - first) * 0.025)
    dates: Any = import_module("matplotlib.dates")
    axes.xaxis.set_major_locator(dates.AutoDateLocator(tz=zone, minticks=3, maxticks=6))
    axes.xaxis.set_major_formatter(dates.DateFormatter(pattern, tz=zone))
    axes.tick_params(axis="x", colors=colours.pale, labelsize=16, length=0, pad=8)
    for name, edge in axes.spines.items():
        edge.set_visible(name == "bottom")
        edge.set_color(colours.track)


def _places(times: Sequence[datetime]) -> list[float]:
    """Times as places on an axis."""
    dates: Any = import_module("matplotlib.dates")
    return [_length(place) for place in dates.date2num([*times])]


def _money_axis(axes: Axes, colours: _Colours) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.yaxis.set_major_locator(MaxNLocator(4))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _place: _money(Decimal(str(value)))))
    axes.tick_params(axis="y", colors=colours.pale, labelsize=16, length=0, labelleft=True)
    axes.grid(visible=True, axis="y", color=colours.track, linewidth=1)
    axes.set_axisbelow(True)


def _legend(figure: Figure, layers: Collection[str], colours: _Colours) -> None:
    """The names of the layers in a row or two, each with its colour."""
    names = [*layers]
    height = figure.get_figheight()
    for place, name in enumerate(names):
        x, y = 0.04 + 0.235 * (place % 4), (0.36 + 0.3 * ((len(names) - 1) // 4 - place // 4)) / height
        figure.text(x, y, "■", color=_HUES[place % len(_HUES)], size=16, va="center", parse_math=False)
        figure.text(x + 0.03, y, _cut(name, 13), color=colours.ink, size=14, va="center", parse_math=False)


def _folded(shares: Sequence[Share]) -> list[Share]:
    """The largest ones, and the rest as one."""
    if len(shares) <= _MOST_ROWS:
        return [*shares]
    kept, rest = shares[: _MOST_ROWS - 1], shares[_MOST_ROWS - 1 :]
    aims = [each.target for each in rest if each.target is not None]
    return [
        *kept,
        Share(
            symbol=f"{len(rest)} others",
            value=sum((each.value for each in rest), Decimal(0)),
            percent=sum((each.percent for each in rest), Decimal(0)),
            target=sum(aims, Decimal(0)) if aims else None,
        ),
    ]


def _money(value: Decimal) -> str:
    """Money short enough for a picture: `812.40`, `33,670`, `1.24M`."""
    size = abs(value)
    if size >= 1_000_000:
        return f"{value / 1_000_000:,.2f}M"
    return f"{value:,.0f}" if size >= 1_000 or value == value.to_integral_value() else f"{value:,.2f}"


def _cut(words: str, most: int) -> str:
    """Words that fit, on one line."""
    line = " ".join(words.split())
    return line if len(line) <= most else f"{line[: most - 1]}…"
