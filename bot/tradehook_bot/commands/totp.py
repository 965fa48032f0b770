"""`/totp`: sets up an authenticator app by a picture, in a private chat."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook.errors import InvalidInput
from tradehook_bot.replies import bold, code, text
from tradehook_bot.totp import ALLOWED_MINUTES, ENROL_WITHIN

if TYPE_CHECKING:
    from tradehook_bot.context import Ask


async def totp(ask: Ask) -> None:
    """The person sees the picture to scan, or where they stand."""
    house = ask.house
    if ask.chat_id != ask.user_id:
        raise InvalidInput("A secret is shown in a private chat only: write /totp to me there.", needs_example=False)
    standing = await house.store.do(house.totp.standing, ask.user_id)
    if standing is not None and standing.is_proved:
        stands = "Codes are locked" if standing.is_locked else "Your authenticator app is set up"
        await ask.reply_of_all(
            f"{bold(stands)}\nTo set it up anew, on another phone say, somebody at the machine has to allow it: "
            f"{code(f'tradehook-bot totp reset {ask.user_id}')}"
        )
        return
    if house.environment == "live" and not _is_allowed(ask):
        # Else whoever holds an unlocked phone before its owner did this would hold the second factor, too.
        await ask.reply_of_all(
            f"{bold('Where money is real, somebody at the machine allows it first.')}\nThere: "
            f"{code(f'tradehook-bot totp allow {ask.user_id}')}\nThen send me the word it prints, within "
            f"{ALLOWED_MINUTES} minutes: {code('/totp WORD')}"
        )
        return
    # A picture that was shown before is worth nothing any more, and goes.
    if standing is not None and standing.message_id is not None:
        await house.voice.take_away(ask.chat_id, standing.message_id)
    enrolment = await house.store.do(house.totp.enrol, ask.user_id, label=f"{house.environment} bot")
    minutes = round(ENROL_WITHIN.total_seconds() / 60)
    caption = "\n".join(
        [
            bold("Scan this with an authenticator app"),
            f"or type the key into it: {code(enrolment.secret)}",
            f"Then type the six digits that it shows, within {minutes} minutes. I delete this picture after that.",
            text("Whoever sees it can make your codes: do not forward it."),
        ]
    )
    try:
        message_id = await house.voice.show(ask.chat_id, enrolment.picture(), caption)
        await house.store.do(house.totp.shown_in, ask.user_id, message_id)
    except BaseException:
        # It may stand in the chat all the same, and nobody could take it away: so it is worth nothing.
        await house.store.do(house.totp.reset, ask.user_id)
        raise


def _is_allowed(ask: Ask) -> bool:
    return len(ask.words) == 1 and ask.house.totp.is_allowed(ask.user_id, ask.words[0])
