"""`/account`: which accounts there are, and which one this chat is about. Moves no money."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_bot import keyboards
from tradehook_bot.replies import bold, text

if TYPE_CHECKING:
    from telegram import InlineKeyboardMarkup

    from tradehook_bot.accounts import Account
    from tradehook_bot.context import Ask, Choice, House


async def account(ask: Ask) -> None:
    """The person has seen the accounts, and the chat is about the one that was named."""
    house = ask.house
    if len(ask.words) > 1:
        raise InvalidInput("Write one account's name.", suggestions=_offers(house))
    if not house.has_several:
        await ask.reply(f"There is one account: {bold(house.accounts[0].title)}.")
        return
    if ask.words:
        chosen = find(house, ask.words[0])
        await house.store.do(house.chats.choose, ask.chat_id, chosen.name)
    choice = await house.choice(ask.chat_id)
    body, keyboard = listing(house, choice)
    await house.voice.say(ask.chat_id, body, account=choice.account.name, keyboard=keyboard)


def find(house: House, typed: str) -> Account:
    """The account of this name, upper and lower case as it comes where that leaves no choice.

    Raises:
        InvalidInput: there is none; `suggestions` are the commands that there are.
    """
    exact = house.named(typed)
    if exact is not None:
        return exact
    close = [each for each in house.accounts if each.name.lower() == typed.lower()]
    if len(close) == 1:
        return close[0]
    raise InvalidInput(f"No account that I serve is called {typed[:40]!r}.", suggestions=_offers(house))


def listing(house: House, choice: Choice) -> tuple[str, InlineKeyboardMarkup]:
    """The accounts with the current one marked, as HTML, and a button for each of the others."""
    current = choice.account
    lines = [bold(f"This chat is about {current.title} ({house.environment}).")]
    if choice.problem:
        lines.append(f"{text(choice.problem)} Orders wait until you choose one.")
    lines += [
        f"{'▸' if each is current else '·'} {text(each.title)} ({each.settings.environment})" for each in house.accounts
    ]
    lines.append("Questions that are open stay about the account they were asked for.")
    # Until it was chosen, even the current one can be.
    others = {each.name: each.title for each in house.accounts if each is not current or choice.problem}
    return "\n".join(lines), keyboards.accounts(others)


def _offers(house: House) -> tuple[str, ...]:
    return tuple(f"/account {each.name}" for each in house.accounts)
