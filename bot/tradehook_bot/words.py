"""Intents, events and people in a few words, for lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook import render

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tradehook.desk.intents import Intent


def deed_of(intent: Intent) -> str:
    """What an intent would do, as far as that is settled: `Buy 0.0100 BTC`, `Send 5 USDC to cold`."""
    asked = intent.asked
    match intent.kind:
        case "order" if intent.sized is not None:
            return render.deed(intent.sized)
        case "order":
            side = str(asked.get("side", "trade")).capitalize()
            return f"{side} {asked.get('base', '?')}/{asked.get('quote', '?')} {asked.get('amount', '')}".strip()
        case "transfer":
            chain = f" on {asked['chain']}" if asked.get("chain") else ""
            return f"Send {asked.get('amount', '?')} {asked.get('asset', '?')}{chain} to {asked.get('to', '?')}"
        case "futures":
            action = str(asked.get("action", "trade")).capitalize()
            side, contract = asked.get("position_side", "?"), asked.get("contract", "?")
            return f"{action} {side} {asked.get('contracts') or 'all'} {contract} futures"
        case "plan":
            return "Rebalance"
        case _:
            return intent.kind.capitalize()


def who(source: str, names: Mapping[int, str]) -> str:
    """Who did it and from where: `Anna in chat`, `Airflow (rebalance)`, `root on the command line`."""
    kind, _, rest = source.partition(":")
    if kind == "chat":
        person = rest.split(":")[0].split()[0] if rest.strip() else ""
        named = names.get(int(person), f"user {person}") if person.isdigit() else person
        return f"{named} in chat".strip() if named else "somebody in chat"
    if kind == "cli" and rest:
        return f"{rest[:60]} on the command line"
    return render.source_words(source)


def moved(changes: Mapping[str, object], *, beside: int = 0) -> str:
    """What balances did: `PYUSD -673.67 (-673.67 available)`, or that they did nothing; and what else may have."""
    return render.moved(changes, beside=beside) or "have not changed"


def in_chat(name: str, user_id: int) -> str:
    """Who did something in chat, for the record: the name for people, the number for certainty."""
    shown = "".join(letter for letter in name if letter.isprintable()).strip()[:60]
    return f"{shown or 'somebody'} in chat (user {user_id})"
