"""`tradehook-sandbox chat`: the person's telephone, in a terminal.

Type a line to send it; a bare number presses that button of the newest message that has buttons; `/quit` or Ctrl-D
leaves. With standard input not a terminal it plays the lines as a script, each after the bot has gone quiet.
"""

from __future__ import annotations

import io
import sys
import time

from tradehook_sandbox.telegram.phone.conversation import Conversation
from tradehook_sandbox.telegram.phone.remote import Remote, SandboxRefused, SandboxUnreachable
from tradehook_sandbox.telegram.phone.screen import Screen
from tradehook_sandbox.telegram.readings import person_in
from tradehook_sandbox.telegram.shapes import Json, PersonError

DONE, USAGE, UNREACHABLE = 0, 2, 5
LOOK_EVERY_SECONDS = 0.5
SCRIPT_WAITS_SECONDS = 15.0  # for a bot to appear; a person at a terminal waits as long as they like


def main(*, url: str, user: str, bot: str | None = None) -> int:
    """The person has talked to the bot until they left.

    Args:
        url: the sandbox, as its `ready` line prints it.
        user: the person's name; the same name is the same person, with the same id, on every run.
        bot: which bot, by token, id or username, where the sandbox knows more than one.

    Returns:
        0 after leaving, 2 for arguments that make no sense, 5 when the sandbox does not answer or goes away.
    """
    interactive = sys.stdin.isatty() and sys.stdout.isatty()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # an old terminal shows a question mark and goes on
    screen = Screen(interactive=interactive)
    try:
        person = person_in(user or "you")
        remote = Remote(url)
        meant = _bot(remote, screen, bot)
        return Conversation(remote, screen, user=user or "you", person=person, bot=meant).run()
    except (ValueError, PersonError) as error:
        screen.say(str(error), "red")
        return USAGE
    except SandboxUnreachable as error:
        screen.say(f"{error}\nStart one in another terminal: tradehook-sandbox serve", "red")
        return UNREACHABLE
    except SandboxRefused as error:
        screen.say(error.message, "red")
        return USAGE if error.message.startswith("there is") else UNREACHABLE
    except (EOFError, KeyboardInterrupt):
        screen.say("bye")
        return DONE


def _bot(remote: Remote, screen: Screen, name: str | None) -> Json:
    """The bot to talk to: the one named, or the only one; waits while there is none.

    Raises:
        ValueError: there are several and none is named, or none came in time.
    """
    if name is not None:
        # Registering is idempotent, and a bot that has not connected yet finds what was said to it.
        return dict(remote.post("/bots", token=name)["bot"])
    begun = time.monotonic()
    told = False
    while True:
        bots = remote.get("/bots")["bots"]
        if len(bots) == 1:
            return dict(bots[0])
        if len(bots) > 1:
            names = ", ".join(f"@{bot['username']}" for bot in bots)
            message = f"There is more than one bot here, name yours with --bot: {names}"
            raise ValueError(message)
        if not screen.interactive and time.monotonic() - begun > SCRIPT_WAITS_SECONDS:
            message = f"No bot has connected to {remote.url}; start tradehook-bot first"
            raise ValueError(message)
        if not told:
            screen.say(f"No bot has connected to {remote.url} yet; waiting for one (Ctrl-C leaves)")
            told = True
        time.sleep(LOOK_EVERY_SECONDS)
