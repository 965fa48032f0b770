"""The command `price`: what assets cost now, did cost, and as it changes. Knows no wire; sends nothing but reads."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from tradehook.cli import completing
from tradehook.cli.options import Json, with_settings
from tradehook.cli.output import console, grid, hint, print_rows, say
from tradehook.errors import InvalidInput, NotFound
from tradehook.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rich.console import Console
    from rich.table import Table

    from tradehook.client import Client
    from tradehook.prices import PriceGap, PriceHistory, PriceUpdate, Ticker

Item = TypeVar("Item")
_COLUMNS = ("asset", "price", "1h", "24h", "24h low", "24h high")


@with_settings
def price(
    settings: Settings,
    symbols: Annotated[list[str], typer.Argument(metavar="ASSET...", help="BTC ETH, or a book such as BTC/PYUSD.")],
    stream: Annotated[
        bool, typer.Option("--stream", help="Go on showing prices as they change, until Ctrl-C.")
    ] = False,
    history: Annotated[
        str | None,
        typer.Option(
            metavar="WINDOW",
            help="What it did cost: 1h, 24h, 7d, 1M (a month; 1m is a minute), at most 365d.",
            autocompletion=completing.words("1h", "24h", "7d", "1M", "365d"),
        ),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option(
            metavar="STEP",
            help="How far apart the points of a history are: 5s, 1m, 5m, 1h, 1d.",
            autocompletion=completing.words("5s", "1m", "5m", "1h", "1d"),
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what assets cost, in US dollars. Needs no key."""
    from tradehook.client import connect

    if stream and history:
        raise InvalidInput("Prices are shown as they change or as they were: leave out --stream or --history.")
    if resolution and not history:
        raise InvalidInput("A resolution is for a history: add --history 24h.", suggestions=("--history 24h",))
    with connect(replace(settings, needs_key=False)) as client:
        if history:
            _show_history(client, symbols, window=history, resolution=resolution, as_json=as_json)
        elif stream:
            _show_stream(client, symbols, as_json=as_json)
        else:
            _show_now(client, symbols, as_json=as_json)


def _show_now(client: Client, symbols: Sequence[str], *, as_json: bool) -> None:
    found, missing = _known(client.price, symbols)
    if as_json:
        print_rows(_flat(ticker) for ticker in found)
    elif found:
        console().print(_table(found))
    if missing:
        raise missing[0]


def _show_history(
    client: Client, symbols: Sequence[str], *, window: str, resolution: str | None, as_json: bool
) -> None:
    from tradehook.render import history_lines

    def ask(symbol: str) -> PriceHistory:
        return client.price_history(symbol, window=window, resolution=resolution)

    found, missing = _known(ask, symbols)
    for past in found:
        if as_json:
            print_rows({"symbol": past.symbol, "venue": past.venue, **point.to_dict()} for point in past.points)
        else:
            for line in history_lines(past):
                say(line)
    if missing:
        raise missing[0]


def _known(ask: Callable[[str], Item], symbols: Sequence[str]) -> tuple[list[Item], list[NotFound]]:
    """What is known of each, and the errors of those of which nothing is: they do not hide the others."""
    found: list[Item] = []
    missing: list[NotFound] = []
    for symbol in symbols:
        try:
            found.append(ask(symbol))
        except NotFound as error:
            missing.append(error)
    return found, missing


def _show_stream(client: Client, symbols: Sequence[str], *, as_json: bool) -> None:
    screen = console()
    # What is misspelled is said before anything is opened, and the table is whole from the start.
    known = {} if as_json else {ticker.symbol: ticker for ticker in map(client.price, symbols)}
    # Closed by us, not by the garbage collector: after Ctrl-C the exchange hears a goodbye at once.
    with closing(client.watch_prices(symbols)) as news:
        if as_json:
            print_rows(_line(update) for update in _updates(news))
        elif screen.is_terminal:
            _redraw(known, news, screen)
        else:
            _print_changes(known, news)


def _redraw(known: dict[str, Ticker], news: Iterable[PriceUpdate | PriceGap], screen: Console) -> None:
    """One table, drawn anew with every change."""
    from rich.live import Live

    with Live(_table(list(known.values())), console=screen, auto_refresh=False) as live:
        for before, after in _changes(known, news):
            if _cells(before) != _cells(after):
                live.update(_table(list(known.values())), refresh=True)


def _print_changes(known: dict[str, Ticker], news: Iterable[PriceUpdate | PriceGap]) -> None:
    """A line for each change of a price."""
    from tradehook.render import ticker_line

    for ticker in known.values():
        say(ticker_line(ticker))
    for before, after in _changes(known, news):
        if before.price != after.price:
            say(ticker_line(after))


def _changes(known: dict[str, Ticker], news: Iterable[PriceUpdate | PriceGap]) -> Iterator[tuple[Ticker, Ticker]]:
    """Each ticker before and after an update; `known` is kept up to date."""
    for update in _updates(news):
        before = known.get(update.item.symbol)
        if before is not None:
            known[before.symbol] = after = before.after(update)
            yield before, after


def _updates(news: Iterable[PriceUpdate | PriceGap]) -> Iterator[PriceUpdate]:
    """The updates; a gap and its end are told beside them."""
    from tradehook.prices import PriceGap

    is_lost = False
    for said in news:
        if isinstance(said, PriceGap):
            hint(f"{said.reason} Reconnecting in {said.again_in_seconds:.1f} s…")
            is_lost = True
            continue
        if is_lost:
            hint("Connected again; what was missed has been read.")
            is_lost = False
        yield said


def _table(tickers: Sequence[Ticker]) -> Table:
    return grid(
        "Prices in US dollars", _COLUMNS, [_cells(ticker) for ticker in tickers], numbers=range(1, len(_COLUMNS))
    )


def _cells(ticker: Ticker) -> tuple[str, ...]:
    from tradehook.render import change, price

    day = ticker.candle("24h")
    return (
        ticker.symbol,
        price(ticker.price),
        change(ticker.change_percent("1h")),
        change(ticker.change_percent("24h")),
        price(day.low) if day else "",
        price(day.high) if day else "",
    )


def _flat(ticker: Ticker) -> dict[str, Any]:
    """A ticker as one flat object, for programs that want no more than the price."""
    from tradehook.amounts import plain
    from tradehook.render import percentage

    day = ticker.candle("24h")
    told = ticker.to_dict()
    return {
        "symbol": ticker.symbol,
        "price": told["price"],
        "change_1h_percent": percentage(ticker.change_percent("1h")),
        "change_24h_percent": percentage(ticker.change_percent("24h")),
        "low_24h": plain(day.low) if day else None,
        "high_24h": plain(day.high) if day else None,
        "told_at": told["told_at"],
        "candles": told["candles"],
    }


def _line(update: PriceUpdate) -> dict[str, Any]:
    """An update as one flat object."""
    told = update.to_dict()
    return {"topic": told["topic"], "at": told["at"], "is_reread": told["is_reread"], **update.item.to_dict()}
