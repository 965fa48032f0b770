"""The *Trading* page as HTML: no script, no picture from elsewhere, every text escaped."""

from __future__ import annotations

from decimal import Decimal
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING

from tradehook.amounts import plain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.desk.intents import Intent
    from tradehook_provider.plugin.reading import Account, Bar, Overview, Portfolio

STYLE = files("tradehook_provider.plugin").joinpath("trading.css").read_text()
REFRESH_SECONDS = 60
SHOWN = 100
"""So many orders stand in the table; the journal has the others."""
_FREEZE_WORDS = "Stops every new order and transfer: DAGs, chat and command line. Cancels still work."


def page(overview: Overview, *, token: str | None) -> str:
    """The whole page.

    Args:
        overview: what the journal held.
        token: lets whoever sees the page press *Freeze*; `None` for who may only look.
    """
    return _frame(
        _head(overview, token),
        _doubts(overview),
        f'<div class="pair">{_limits(overview.accounts)}{_allocation(overview.portfolios)}</div>',
        _orders(overview),
    )


def problem_page(message: str) -> str:
    """The page where the journal cannot be read."""
    return _frame(
        "<header><h1>Trading</h1></header>",
        f'<h2 class="bad">The journal cannot be read</h2><div class="card alarm"><p>{escape(message)}</p>'
        "<p>The page reads the journal that the setting <code>[tradehook] journal_conn_id</code> names, else the one "
        "of <code>TRADEHOOK_JOURNAL_URL</code>, on the machine of the API server.</p></div>",
    )


def _frame(*parts: str) -> str:
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Trading</title>'
        f'<meta name="viewport" content="width=device-width"><meta http-equiv="refresh" content="{REFRESH_SECONDS}">'
        f"<style>{STYLE}</style></head><body><main>{''.join(parts)}</main></body></html>"
    )


# --- whether trading goes on ------------------------------------------------------------------------------------


def _head(overview: Overview, token: str | None) -> str:
    from tradehook.render import clock, clock_of

    states = []
    for entry in overview.frozen:
        where = "" if entry["scope"] == "*" else f" for {entry['scope']}"
        says = "Frozen" if entry["state"] == "HALTED" else "Only sells into money are let through"
        why = f": {entry['why']}" if entry["why"] else ""
        lifts = "tradehook resume" + ("" if entry["scope"] == "*" else " --account-only")
        states.append(
            f'<p><strong class="bad">{escape(says + where)}</strong> since {escape(clock_of(entry["changed_at"]))} by '
            f"{escape(entry['changed_by'] + why)}. <code>{lifts}</code> lifts it.</p>"
        )
    if overview.held:
        states.append(f'<p class="bad">{_commands(overview.held)}</p>')
    button = ""
    if not any(entry["scope"] == "*" and entry["state"] == "HALTED" for entry in overview.frozen):
        button = (
            f'<form method="post" action="freeze"><input type="hidden" name="token" value="{escape(token)}">'
            f'<button title="{_FREEZE_WORDS}">Freeze all trading</button></form>'
            if token is not None
            else '<p class="pale">You may look. Freezing takes the permission to trigger DAG runs.</p>'
        )
    told = "".join(states) or '<p><strong class="good">Trading goes on</strong></p>'
    return (
        f"<header><div><h1>Trading</h1>{told}<p class='pale'>Journal {escape(overview.place)}, read at "
        f"{escape(f'{overview.at:%Y-%m-%d} {clock(overview.at)}')}</p></div>{button}</header>"
    )


# --- what is in doubt -------------------------------------------------------------------------------------------


def _doubts(overview: Overview) -> str:
    if not overview.doubts:
        return ""
    cards = "".join(_doubt(intent) for intent in overview.doubts)
    count = len(overview.doubts)
    return f'<h2 class="bad">{count} {"outcome is" if count == 1 else "outcomes are"} unknown</h2>{cards}'


def _doubt(intent: Intent) -> str:
    from tradehook.desk.reconcile import unknown
    from tradehook.render import clock

    sent = intent.sending_at or intent.created_at
    return (
        f'<div class="card alarm"><h3><span class="bad">{intent.standing}</span>: {escape(deed_of(intent))}</h3>'
        f"<p>{_commands(unknown(intent).message)}</p>"
        f"<p>When you know what is so: <code>tradehook intents resolve {escape(intent.intent_id)} --as placed:ID</code>"
        f" or <code>--as not-placed</code></p>"
        f'<p class="pale">Sent {escape(f"{sent:%Y-%m-%d} {clock(sent)}")} for {escape(intent.account)} '
        f"({escape(intent.environment)}) by {escape(intent.source)}</p></div>"
    )


def _commands(message: str) -> str:
    """A message whose `commands` stand out."""
    parts = message.split("`")
    return "".join(f"<code>{escape(part)}</code>" if place % 2 else escape(part) for place, part in enumerate(parts))


# --- limits -----------------------------------------------------------------------------------------------------


def _limits(accounts: Sequence[Account]) -> str:
    if not accounts:
        return ""
    cards = "".join(_account(account) for account in accounts)
    return f"<section><h2>Limits used today</h2>{cards}</section>"


def _account(account: Account) -> str:
    rows = "".join(
        f'<tr><td>{bar.what}</td><td class="number">{_used(bar)}</td><td>{_track(bar)}</td></tr>'
        for bar in account.bars
        if bar.most is not None or bar.used
    )
    told = rows or '<tr><td class="pale">Nothing is used, and nothing is limited.</td></tr>'
    if account.problem:
        told = f'<tr><td class="bad">{_commands(account.problem)}</td></tr>'
    return (
        f'<div class="card"><h3>{escape(account.name)}</h3><p class="pale">{escape(account.environment)}</p>'
        f"<table>{told}</table></div>"
    )


def _used(bar: Bar) -> str:
    def shown(value: Decimal) -> str:
        return f"{value:,.2f}" if bar.is_money else plain(value)

    return f"{shown(bar.used)} of {shown(bar.most)}" if bar.most is not None else f"{shown(bar.used)}, no limit"


def _track(bar: Bar) -> str:
    if bar.most is None:
        return ""
    kind = "full" if bar.share == 1 else "used"
    return (
        f'<svg viewBox="0 0 100 10" preserveAspectRatio="none" height="10" role="img" '
        f'aria-label="{bar.share * 100:.0f} percent used"><rect class="track" width="100" height="10"/>'
        f'<rect class="{kind}" width="{bar.share * 100:.1f}" height="10"/></svg>'
    )


# --- allocation -------------------------------------------------------------------------------------------------


def _allocation(portfolios: Sequence[Portfolio]) -> str:
    if not portfolios:
        return ""
    legend = (
        '<p class="pale"><span class="key was"></span>when it was planned<span class="key used"></span>after its orders'
        '<span class="key mark"></span>target</p>'
    )
    cards = "".join(_portfolio(each) for each in portfolios)
    return f"<section><h2>Newest rebalance against its targets</h2>{cards}{legend}</section>"


def _portfolio(portfolio: Portfolio) -> str:
    from tradehook.render import clock, quantity

    rows = []
    for share in portfolio.shares:
        after = share.after if share.after is not None else share.before
        words = f"{share.symbol}: {share.before} % before, {after} % after, target {plain(share.target)} %"
        rows.append(
            f"<tr><td>{escape(share.symbol)}</td><td class='number'>{after} %</td>"
            f"<td class='number pale'>target {plain(share.target)} %</td>"
            f'<td width="45%"><svg viewBox="0 0 100 22" preserveAspectRatio="none" height="22" role="img" '
            f'aria-label="{escape(words)}"><rect class="track" y="2" width="100" height="18"/>'
            f'<rect class="was" y="2" width="{_place(share.before)}" height="8"/>'
            f'<rect class="used" y="{10 if share.after is not None else 2}" width="{_place(after)}" height="10"/>'
            f'<line class="mark" x1="{_place(share.target)}" x2="{_place(share.target)}" y1="0" y2="22" '
            f'vector-effect="non-scaling-stroke"/></svg></td></tr>'
        )
    planned = portfolio.planned_at
    return (
        f'<div class="card"><h3>{escape(portfolio.name)}</h3><p class="pale">'
        f"{escape(quantity(portfolio.total, portfolio.quote))} at {escape(f'{planned:%Y-%m-%d} {clock(planned)}')}, "
        f"{escape(PLAN_WORDS.get(portfolio.state, portfolio.state))}</p><table>{''.join(rows)}</table></div>"
    )


PLAN_WORDS = {"PREPARED": "not done yet", "ACCEPTED": "carried out", "REJECTED": "not carried out in full"}


def _place(percent: Decimal) -> str:
    return f"{min(max(percent, Decimal(0)), Decimal(100)):.1f}"


# --- orders -----------------------------------------------------------------------------------------------------


def _orders(overview: Overview) -> str:
    if not overview.orders:
        return (
            "<h2>The last 24 hours</h2><p>Nothing was asked for.</p>"
            "<p class='pale'>If DAGs did trade, they use another journal than this page: set the same "
            "<code>TRADEHOOK_JOURNAL_URL</code> for the API server, or <code>[tradehook] journal_conn_id</code>.</p>"
        )
    rows = "".join(_order(intent) for intent in overview.orders[:SHOWN])
    more = len(overview.orders) - SHOWN
    rest = f"<p class='pale'>And {more} more: <code>tradehook intents list --limit 1000</code></p>" if more > 0 else ""
    return (
        "<h2>The last 24 hours</h2><div class='scroll'><table><tr><th>time (UTC)</th><th>what</th>"
        f"<th>how it stands</th><th>account</th><th>from</th></tr>{rows}</table></div>{rest}"
    )


def _order(intent: Intent) -> str:
    kind, words = _standing(intent)
    anchor = f' id="made-{escape(intent.exchange_id)}"' if intent.exchange_id else ""
    return (
        f"<tr{anchor}><td class='time'>{intent.created_at:%m-%d %H:%M:%S}</td><td>{escape(deed_of(intent))}</td>"
        f'<td class="{kind}">{escape(words)}</td><td>{escape(intent.account)}</td>'
        f'<td class="pale">{escape(intent.source)}</td></tr>'
    )


def _standing(intent: Intent) -> tuple[str, str]:
    from tradehook.desk.intents import State
    from tradehook.made_words import line_of

    if intent.reads_as is State.UNKNOWN:
        return "bad", f"{intent.standing}: see above"
    if intent.made is not None:
        return "", line_of(intent.made)
    said = f": {intent.error['message']}" if intent.error and intent.error.get("message") else ""
    if intent.reads_as is State.REJECTED:
        return "warn", f"Rejected by the exchange{said}"
    if intent.state is State.PREPARED and intent.error:
        return "warn", f"Not sent{said}"
    return "pale", str(intent.reads_as).capitalize()


def deed_of(intent: Intent) -> str:
    """What an intent would do, in words; as it was asked for, before that was settled."""
    from tradehook.made_words import settled_words

    settled = settled_words(intent.kind, intent.request)
    if settled is not None:
        return settled
    asked = " ".join(str(value) for value in intent.asked.values() if isinstance(value, str))
    return f"{intent.noun.capitalize()}: {asked}"[:120]
