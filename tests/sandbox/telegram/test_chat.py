"""The terminal client: as a script, at a real pseudo-terminal, and when there is nobody to talk to."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from rich.console import Console
from telegram import InlineKeyboardButton, InlineKeyboardMarkup
from telegram.ext import CallbackQueryHandler, CommandHandler, MessageHandler, filters

from tradehook_sandbox.telegram import chat
from tradehook_sandbox.telegram.phone.terminal import content_of, styled
from tradehook_sandbox.telegram.phone.views import Button, SeenMessage

ROOT = Path(__file__).parents[3]
PROGRAM = """
import sys
from tradehook_sandbox.telegram.chat import main
sys.exit(main(url=sys.argv[1], user="Ann", bot=sys.argv[2] or None))
"""
CARD = InlineKeyboardMarkup([
    [InlineKeyboardButton("Buy 0.01 BTC", callback_data="c:1"), InlineKeyboardButton("Docs", url="https://e.org/")],
    [InlineKeyboardButton("Cancel", callback_data="c:2")],
])  # fmt: skip
PATIENCE_SECONDS = 20.0


async def ask(update, _context):
    await update.message.reply_text("<b>Buy</b> 0.01 BTC?", parse_mode="HTML", reply_markup=CARD)


async def confirm(update, _context):
    await update.callback_query.answer("Working on it")
    for percent in range(0, 101, 10):
        await update.callback_query.edit_message_text(f"{percent} % filled")


async def echo(update, _context):
    await update.message.reply_text(f"echo: {update.message.text}")


@pytest.fixture
def desk(run_bot, picture):
    """A bot with a card, progress, a chart and an echo."""

    async def chart(update, _context):
        await update.message.reply_photo(picture, caption="BTC")

    return run_bot(
        CommandHandler("buy", ask), CommandHandler("chart", chart), CallbackQueryHandler(confirm),
        MessageHandler(filters.TEXT, echo),
    )  # fmt: skip


def command(url: str, token: str) -> list[str]:
    return [sys.executable, "-c", PROGRAM, url, token.partition(":")[0]]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": f"{ROOT / 'client'}:{ROOT / 'sandbox'}", "TERM": "xterm", "COLUMNS": "80"}


def test_a_script_is_played_line_by_line(desk, sandbox, token, tmp_path):
    """Each line waits for the bot to fall silent; edits are gathered; numbers press; a photo is saved."""
    done = subprocess.run(
        command(sandbox.url, token),
        input="/buy\n1\n7\n/chart\n/quit\nnever said\n",
        env={**environment(), "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    said = done.stdout
    assert "  Buy 0.01 BTC?\n  [1] Buy 0.01 BTC   Docs -> https://e.org/\n  [2] Cancel\n" in said
    assert "pressed: Buy 0.01 BTC\n  * Working on it\n" in said
    assert "(edited)\n  100 % filled\n" in said
    assert said.count("% filled") <= 3
    assert "  echo: 7\n" in said  # no buttons are left, so the number is a text
    (saved,) = tmp_path.glob("tradehook-*.png")
    assert f"[picture 3x2, {saved}]\n  BTC\n" in said
    assert saved.read_bytes().startswith(b"\x89PNG")
    assert "never said" not in said


class Terminal:
    """The client at a pseudo-terminal."""

    def __init__(self, arguments: list[str]) -> None:
        self.ours, theirs = pty.openpty()
        self.process = subprocess.Popen(
            arguments, stdin=theirs, stdout=theirs, stderr=theirs, env=environment(), start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    def read_until(self, wanted: str) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while wanted not in self.plain():
            assert time.monotonic() < deadline, f"{wanted!r} was never shown:\n{self.plain()}"
            if select.select([self.ours], [], [], 0.2)[0]:
                try:
                    self.shown += os.read(self.ours, 65536).decode(errors="replace")
                except OSError:  # the other end is closed
                    assert wanted in self.plain(), self.plain()

    def plain(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]|\r", "", self.shown)

    def close(self) -> int:
        code = self.process.wait(PATIENCE_SECONDS)
        os.close(self.ours)
        return code


@pytest.fixture
def terminal(sandbox, token):
    opened: list[Terminal] = []

    def open_terminal() -> Terminal:
        opened.append(Terminal(command(sandbox.url, token)))
        return opened[-1]

    yield open_terminal
    for each in opened:
        if each.process.poll() is None:
            each.process.kill()
            each.close()


def test_at_a_terminal(desk, terminal):
    """Typing, buttons by number, one that is not there, what is half typed stays; Ctrl-D leaves."""
    phone = terminal()
    phone.read_until("> ")
    phone.type("/buy\r")
    phone.read_until("[2] Cancel")
    phone.type("9\r")
    phone.read_until("There is no button 9, only 1 to 2")
    phone.type("1\rhalf")
    phone.read_until("100 % filled")
    phone.read_until("> half")
    phone.type(" typed\r")
    phone.read_until("echo: half typed")
    phone.type("\x04")
    phone.read_until("bye")
    assert phone.close() == 0


def test_who_comes_back_sees_what_was_said(desk, person, terminal):
    """The chat is as it was, buttons included."""
    person.say("/buy")
    person.wait_for("Buy 0.01 BTC?")
    phone = terminal()
    phone.read_until("(earlier)")
    phone.read_until("[1] Buy 0.01 BTC")
    phone.type("2\r")
    phone.read_until("Working on it")
    phone.process.send_signal(signal.SIGINT)
    assert phone.close() == 0


def test_a_sandbox_that_goes_away_ends_the_chat(fresh, token):
    """At the prompt, without a key pressed, with 5 and a sentence."""
    phone = Terminal(command(fresh.url, token))
    phone.read_until("it will find what you say")
    phone.read_until("> ")
    fresh.stop()
    phone.read_until("The sandbox went away")
    assert phone.close() == 5


def test_nobody_there(capsys, monkeypatch):
    """5 when nothing answers, 2 for what is no address or no name."""
    assert chat.main(url="http://127.0.0.1:9", user="you") == 5
    assert "no sandbox answers at http://127.0.0.1:9" in capsys.readouterr().out
    assert chat.main(url="gopher://x", user="you") == 2
    assert chat.main(url="http://127.0.0.1:9", user="\x07") == 2


def test_several_bots_must_be_told_apart(fresh, capsys):
    """They are listed, and 2 is returned."""
    fresh.world.add_bot(7)
    fresh.world.add_bot(8)
    assert chat.main(url=fresh.url, user="you") == 2
    assert "@sandbox_7_bot, @sandbox_8_bot" in capsys.readouterr().out


def test_a_script_does_not_wait_for_a_bot_for_ever(fresh, capsys, monkeypatch):
    """A person at a terminal would wait; a script is told, and 2 is returned."""
    monkeypatch.setattr(chat, "SCRIPT_WAITS_SECONDS", 0)
    monkeypatch.setattr(chat, "LOOK_EVERY_SECONDS", 0)
    assert chat.main(url=fresh.url, user="you") == 2
    assert "start tradehook-bot first" in capsys.readouterr().out


def test_entities_are_styles_at_the_right_characters():
    """Offsets count UTF-16 units; a link's address is shown, because a terminal has no other place for it."""
    entities = [
        {"type": "bold", "offset": 3, "length": 3},
        {"type": "pre", "offset": 7, "length": 2},
        {"type": "text_link", "offset": 3, "length": 3, "url": "https://e.org/"},
    ]
    text = styled("\U0001f600 Buy 12", entities)
    assert text.plain == "\U0001f600 Buy <https://e.org/> 12"
    assert {(text.plain[span.start : span.end], str(span.style)) for span in text.spans} >= {
        ("Buy", "bold"),
        ("12", "cyan"),
    }


def test_what_opens_or_copies_has_no_number():
    """Only what tells the bot something can be pressed."""
    buttons = (
        Button(1, 0, "Buy", "c:1", None, None), Button(None, 0, "Copy id", None, None, "A-17"),
        Button(None, 1, "Share", None, None, None),
    )  # fmt: skip
    keyboard = {"rows": [["Yes", "No"]]}
    message = SeenMessage(1, 1, True, "b", "", "", (), buttons, keyboard, None, 0, None, False)  # noqa: FBT003
    console = Console(width=80)
    with console.capture() as capture:
        for part in content_of(message):
            console.print(part)
    assert capture.get() == "[1] Buy   Copy id (copies: A-17)\nShare\n(type one of: Yes | No)\n"
