"""What a person is asked to approve, in words and as data; and holding what is done to what was approved."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Protocol

from tradehook.errors import GuardRefused, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook.client import Client
    from tradehook.models import NewOrder
    from tradehook.rebalance import Goal, Plan
    from tradehook.transfers import NewTransfer
    from tradehook_provider.hooks.exchange import ExchangeHook

_WHOLE = Decimal(100)


class Log(Protocol):
    """What is used of Airflow's logger."""

    def info(self, event: Any, *args: Any) -> Any:
        """Say what is done."""
        ...


@dataclass(frozen=True, slots=True)
class Proposal:
    """A deed that waits for a yes."""

    subject: str
    body: str
    """Markdown, as Airflow shows it."""
    data: dict[str, Any]
    """Plain values, money as text: what is approved."""
    is_empty: bool = False
    """Whether there is nothing to decide."""


def make_plan(hooks: Sequence[ExchangeHook], goal: Goal) -> Plan:
    """The plan that would be carried out now, over one account or several. Reads only."""
    from tradehook.desk import plans, team

    if len(hooks) == 1:
        return plans.make(hooks[0].get_conn().exchange, goal)
    return team.make_across({hook.exchange_conn_id: hook.get_conn().exchange for hook in hooks}, goal)


def propose_plan(plan: Plan, *, accounts: Sequence[str]) -> Proposal:
    """What a rebalance would do, with the prices it was planned at."""
    from tradehook.amounts import plain
    from tradehook.render import price, quantity

    where = " and ".join(accounts)
    rows = [
        f"| {held.symbol} | {plain(held.quantity)} | {price(held.price)} | {held.percent} % | {plain(held.target)} % |"
        for held in plan.holdings
    ]
    legs = [f"{number}. {leg.in_words()} (about {leg.value} {plan.quote})" for number, leg in enumerate(plan.legs, 1)]
    skips = [f"- left alone: {skip.in_words()}" for skip in plan.skips]
    parts = [
        f"The portfolio of {where} is worth {quantity(plan.total, plan.quote)}.",
        "\n".join(["| asset | held | price | now | target |", "|---|---|---|---|---|", *rows]),
        "\n".join(legs or ["Nothing to trade."]),
        "\n".join(skips),
    ]
    turnover = sum((leg.value for leg in plan.legs), Decimal(0))
    count = len(plan.legs)
    return Proposal(
        subject=f"Rebalance {where}: {count} order{'s' * (count != 1)}, {quantity(turnover, plan.quote)} in all?",
        body="\n\n".join(part for part in parts if part),
        data={"kind": "rebalance", "accounts": [*accounts], "plan": plan.to_dict()},
        is_empty=not plan.legs,
    )


def propose_order(client: Client, order: NewOrder, *, account: str, tolerance: Decimal) -> Proposal:
    """What an order would do at its price now, and the worst price that a yes is good for.

    Args:
        client: the account's.
        order: what is asked for.
        account: what people call the account.
        tolerance: percent that the price may be worse than the one that is shown. A limit order has its own price.

    Raises:
        InvalidInput: it cannot be traded as asked, or nothing can be said of its price.
    """
    from tradehook.amounts import plain
    from tradehook.models import Side, Unit
    from tradehook.render import deed, price, quote_lines

    if order.chain is not None:
        raise InvalidInput("An order on a chain has no price beforehand, so it cannot be shown for approval.")
    sized = client.size_order(order)
    quote = client.get_quote(sized.base, quote=sized.quote, side=sized.side, quantity=sized.quantity, unit=sized.unit)
    # On the exchange's own grid, as the order that is sent will be.
    sign = 1 if sized.side is Side.BUY else -1
    bounded = sized
    if sized.price is None:
        bounded = client.exchange.bound_order(sized, at=quote.price * (_WHOLE + sign * tolerance) / _WHOLE)
    worst = bounded.price or quote.price
    amount = plain(bounded.quantity) if bounded.unit is Unit.BASE else f"${plain(bounded.quantity)}"
    return Proposal(
        subject=f"{deed(sized)} at {account}?",
        body="\n\n".join(
            [
                *(line[0].upper() + line[1:] + "." for line in quote_lines(quote)),
                f"It is not to trade at a worse price than {price(worst)}.",
            ]
        ),
        data={
            "kind": "order",
            "market": sized.market,
            "side": str(sized.side),
            "amount": amount,
            "price": plain(quote.price),
            "worst_price": plain(worst),
            "cost": plain(quote.notional),
        },
    )


def propose_transfer(hook: ExchangeHook, transfer: NewTransfer) -> Proposal:
    """What a transfer would send, and to which address.

    Raises:
        InvalidInput: it cannot be sent as asked: no such label, or not so much is there.
    """
    from tradehook.amounts import plain
    from tradehook.render import quantity, transfer_words
    from tradehook.run import run

    client = hook.get_conn()
    client.exchange.spec.capabilities.check("transfers", exchange=client.exchange.spec.name)
    sized = run(hook.desk.size_transfer(transfer))
    what = quantity(sized.quantity, sized.asset)
    leaves = f"{what} leaves {f'its wallet on {sized.chain}' if sized.chain else 'the exchange'}"
    return Proposal(
        subject=f"{transfer_words(sized)}, for {hook.exchange_conn_id}?",
        body="\n\n".join(
            [
                f"{leaves} for `{sized.address}` on {sized.network}, which is on the list as *{sized.to}*.",
                "The network's fee comes off what arrives. What was sent cannot be called back.",
                *hook.desk.questions(sized),
            ]
        ),
        data={
            "kind": "transfer",
            "asset": sized.asset,
            "amount": plain(sized.quantity),
            "destination": sized.to,
            "address": sized.address,
            "network": sized.network,
            "chain": sized.chain,
        },
    )


def approved_plan(approved: object, *, accounts: Sequence[str]) -> Plan:
    """The plan in what a `TradeApprovalOperator` returned, as it is or as JSON.

    Raises:
        InvalidInput: it is no approval of a plan, or of one for other accounts.
        GuardRefused: it was not approved.
    """
    from pydantic import ValidationError

    from tradehook.rebalance import Plan

    if isinstance(approved, str):
        try:
            approved = json.loads(approved, parse_float=Decimal)
        except (ValueError, RecursionError):
            approved = None
    if not isinstance(approved, dict) or approved.get("approved") is not True:
        raise GuardRefused(
            "Nobody approved this plan, so nothing was sent. Let the task come after a TradeApprovalOperator: "
            "approved=ask.output.",
            rule="approval",
        )
    try:
        plan, names = Plan.model_validate(approved["proposal"]["plan"]), [*approved["proposal"]["accounts"]]
    except (ValidationError, LookupError, TypeError):
        raise InvalidInput(
            "What was approved is no plan: give the output of a TradeApprovalOperator that has the same targets."
        ) from None
    if names != [*accounts]:
        raise InvalidInput(f"What was approved is a plan for {', '.join(names)}, not for {', '.join(accounts)}.")
    return plan


def check_plan(approved: Plan, now: Plan, *, tolerance: Decimal) -> None:
    """Let what was approved pass, as long as no price has become worse for us than by `tolerance` percent.

    Raises:
        GuardRefused: one has; says which and by how much.
        InvalidInput: the targets are others by now.
    """
    from tradehook.models import Side
    from tradehook.render import percent, price

    if {held.symbol: held.target for held in approved.holdings} != {held.symbol: held.target for held in now.holdings}:
        raise InvalidInput("The targets are not those of the plan that was approved. Nothing was sent.")
    prices = {held.symbol: held.price for held in now.holdings}
    before = {held.symbol: held.price for held in approved.holdings}
    for leg in approved.legs:
        was, is_now = before.get(leg.base), prices.get(leg.base)
        if not was or not is_now:
            raise GuardRefused(
                f"There is no price of {leg.base} to hold against the one that was approved. Nothing was sent.",
                rule="approval",
            )
        worse = (is_now - was if leg.side is Side.BUY else was - is_now) / was * _WHOLE
        if worse > tolerance:
            raise GuardRefused(
                f"{leg.base} cost {price(was)} when this plan was approved and costs {price(is_now)} now: "
                f"{percent(worse)} worse, more than the tolerance of {percent(tolerance)}. Nothing was sent. Start a "
                "new DAG run to be asked anew.",
                rule="approval",
                limit=percent(tolerance),
                actual=percent(worse),
            )


def plan_to_begin(
    approved: object, *, hooks: Sequence[ExchangeHook], goal: Goal, intent_id: str, tolerance: object, log: Log
) -> Plan | None:
    """The plan that a person said yes to, while it may still be begun; `None` where nobody had to be asked.

    A plan that was begun is gone on with at any price.

    Args:
        approved: what a `TradeApprovalOperator` returned, or `None`.
        hooks: the accounts.
        goal: what is wanted now.
        intent_id: of the rebalance.
        tolerance: percent that a price may have become worse.
        log: where the plan is told.

    Raises:
        GuardRefused: it was not approved, or prices have become worse.
        InvalidInput: something else was approved.
    """
    from tradehook.amounts import parse_decimal
    from tradehook.desk import plans
    from tradehook_provider.arguments import as_text

    if approved is None:
        return None
    plan = approved_plan(approved, accounts=[hook.exchange_conn_id for hook in hooks])
    before = plans.asked_before(hooks[0].desk.journal, intent_id)
    if before is None or before[2] is None:
        worst = parse_decimal(as_text(tolerance, what="tolerance"), what="tolerance")
        check_plan(plan, make_plan(hooks, goal), tolerance=worst)
        for line in ["This plan was approved:", *plan.lines()]:
            log.info("%s", line)
    return plan
