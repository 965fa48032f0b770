"""`/start` and `/help`: what this is, and what it understands."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_bot.replies import bold, code, text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tradehook_bot.commands.command import Command
    from tradehook_bot.context import Ask


async def start(ask: Ask) -> None:
    """The person knows where they are and what to try first."""
    house = ask.house
    user = await house.store.do(house.access.user, ask.user_id)
    who = f"You are its {user.role}." if user is not None else ""
    kind = "with play money" if house.environment == "sandbox" else f"in {house.environment}"
    titles = " and ".join(account.title for account in house.accounts)
    which = f"This chat is about {text(ask.account.name)}; /account changes that.\n" if house.has_several else ""
    await ask.reply(
        f"{bold(f'tradehook trades {titles}, {kind}.')}\n{which}"
        f"{text(who)} Nobody else gets an answer.\n\n"
        f"Try {code('/quote BTC 0.05')}, /balance, {code('/buy BTC 0.01')}.\n"
        "Each order is asked about before it is sent, and told of when it is filled.\n"
        "/freeze stops everything at once. /help lists the rest."
    )
    # Somebody who has just become owner has no menu yet.
    await house.show_menu()


def help_text(commands: Sequence[Command], *, words: tuple[str, ...] = ()) -> str:
    """What the bot understands, or how one command is written."""
    wanted = words[0].lower().lstrip("/") if words else ""
    found = next((command for command in commands if command.name == wanted), None)
    if found is not None:
        examples = "\n".join(code(example) for example in found.examples)
        return f"{bold(f'/{found.name}')}: {text(found.summary)}\n{examples}"
    daily = [_line(command) for command in commands if command.in_menu]
    others = [_line(command) for command in commands if not command.in_menu and command.name != "start"]
    written = "Amounts: 0.01, $250, 50%, max. Write /help buy for examples."
    return "\n".join([bold("What I understand"), *daily, "", bold("And less often"), *others, "", written])


def _line(command: Command) -> str:
    return f"/{command.name} - {text(command.summary)}"
