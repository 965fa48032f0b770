"""`tradehook-bot`: set up, check and run the Telegram bot. Heavy imports wait until a command runs."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tradehook.errors import ConfigurationError, NetworkError, TradehookError

if TYPE_CHECKING:
    from tradehook_bot.accounts import Served
    from tradehook_bot.settings import BotSettings
    from tradehook_bot.totp import Totp

BUG, USAGE, REFUSED, UNREACHABLE = 1, 2, 3, 5

app = typer.Typer(
    name="tradehook-bot",
    help="Trade from a private Telegram chat: quotes, orders, balances. Each order is asked about before it is sent.",
    epilog=(
        "Account and journal are those of the `tradehook` command (TRADEHOOK_ENVIRONMENT, TRADEHOOK_ACCOUNT, "
        "TRADEHOOK_TRUE_MARKETS_URL, TRADEHOOK_TRUE_MARKETS_KEY_FILE, TRADEHOOK_JOURNAL_URL); with a file of "
        "accounts, all of its accounts that belong to the environment. The bot's own: "
        "TELEGRAM_TOKEN_FILE, TRADEHOOK_TELEGRAM_URL, TRADEHOOK_BOT_TOLERANCE_PERCENT, TRADEHOOK_BOT_MARKET_SECONDS, "
        "TRADEHOOK_BOT_LIMIT_SECONDS, TRADEHOOK_BOT_FRESH_SECONDS, TRADEHOOK_BOT_HEALTH_PORT."
    ),
    rich_markup_mode=None,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

TokenFile = Annotated[
    Path | None,
    typer.Option(
        "--token-file",
        envvar="TELEGRAM_TOKEN_FILE",
        help="File with the token from BotFather. Without it, the one that `setup` stored.",
        show_default=False,
    ),
]


@app.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Run the bot when no command is given."""
    if context.invoked_subcommand is None:
        run_bot(None)


@app.command("setup")
def setup(
    *,
    token_file: TokenFile = None,
    wait: Annotated[
        bool, typer.Option("--wait/--no-wait", help="Stay until the link is opened, or leave that to `run`.")
    ] = True,
) -> None:
    """Take the bot's token and make you its owner.

    In Telegram, talk to @BotFather and send /newbot; it gives you the token. It is checked, and stored where only you
    can read it. Then a link is printed, also as a QR code: whoever opens it first, within ten minutes, owns the bot.
    """
    import asyncio

    from tradehook.desk.journal import Journal
    from tradehook_bot import setup as steps
    from tradehook_bot.settings import check_token, read_token, store_token

    served, settings = _settings(token_file)
    if settings.token_file is not None:
        token = read_token(settings, environment=served.environment)
    else:
        token = check_token(
            typer.prompt("Token from BotFather (it will not be shown)", hide_input=True).strip(), where="what you typed"
        )
    username = asyncio.run(steps.username_of(settings, token))
    path = settings.stored_token_file(served.environment)
    store_token(path, token)
    typer.echo(f"@{username} answers. Its token is stored in {path}, where only you can read it.\n")
    journal = Journal.open(served.journal_url)
    invitation = steps.invite(journal, token=token, username=username)
    typer.echo(steps.how_to_open(settings, invitation))
    _print_qr(invitation.qr())
    if not wait:
        typer.echo("Now start the bot, which takes the link: tradehook-bot run")
        return
    typer.echo("Waiting for you to open it… (Ctrl-C leaves; the link stays valid, and `tradehook-bot run` takes it.)")
    owner = asyncio.run(steps.wait_for_owner(settings, served, journal, token=token, invitation=invitation))
    if owner is None:
        raise ConfigurationError("Nobody opened the link in ten minutes. Run `tradehook-bot setup` again.")
    typer.echo(f"User {owner} owns the bot. Start it: tradehook-bot run")


@app.command("run")
def run(token_file: TokenFile = None) -> None:
    """Run the bot until Ctrl-C or SIGTERM.

    What is being sent is finished first. The same happens when no command is given.
    """
    run_bot(token_file)


@app.command("check")
def check(token_file: TokenFile = None) -> None:
    """Say who may do what, and what is missing.

    Starts nothing and sends no order.
    """
    import asyncio

    from tradehook.client import connect
    from tradehook.desk.guard import check_address
    from tradehook.desk.journal import Journal
    from tradehook.desk.schema import shown
    from tradehook.errors import GuardRefused
    from tradehook_bot import setup as steps
    from tradehook_bot.context import bot_id
    from tradehook_bot.instance import running_words
    from tradehook_bot.people import People
    from tradehook_bot.settings import read_token

    served, settings = _settings(token_file)
    token = read_token(settings, environment=served.environment)
    typer.echo(f"bot       @{asyncio.run(steps.username_of(settings, token))} at {settings.telegram_url}")
    journal = Journal.open(served.journal_url)
    people = People.open(journal, token=token)
    for line in people.lines():
        typer.echo(line)
    for account in served.settings:
        with connect(account) as client:
            held = client.balances()
            place = f"{client.exchange.host} ({account.environment})"
            typer.echo(f"account   {account.account} at {place}, {len(held)} assets")
            try:
                check_address(client.exchange, limits=journal.limits)
            except GuardRefused as error:
                typer.echo(f"writes    {error.message}")
    for words in served.left_out:
        typer.echo(f"left out  {words}: this bot serves {served.environment}")
    typer.echo(f"journal   {shown(journal.engine)}")
    typer.echo(f"process   {running_words(journal.leases, bot_id=bot_id(token))}")
    typer.echo(f"trading   {journal.trading_state()['state']}")
    if people.nobody:
        raise typer.Exit(USAGE)


@app.command("invite")
def invite(
    role: Annotated[str, typer.Argument(help="trade, or view: look, and freeze, and nothing else.")],
    token_file: TokenFile = None,
) -> None:
    """Print a link that lets one more person in, once, within 24 hours."""
    import asyncio

    from tradehook.desk.journal import Journal
    from tradehook_bot import setup as steps
    from tradehook_bot.access import ROLES
    from tradehook_bot.settings import read_token

    if role not in ROLES:
        raise ConfigurationError(f"There is no role {role[:40]!r}. Type: tradehook-bot invite {'|'.join(ROLES)}")
    served, settings = _settings(token_file)
    token = read_token(settings, environment=served.environment)
    username = asyncio.run(steps.username_of(settings, token))
    invitation = steps.invite_as(ROLES[role], Journal.open(served.journal_url), token=token, username=username)
    typer.echo(steps.how_to_invite(settings, invitation, role=ROLES[role]))
    _print_qr(invitation.qr())


@app.command("people")
def people(token_file: TokenFile = None) -> None:
    """Say who may use the bot, in which groups, and which invitations are open."""
    from tradehook.desk.journal import Journal
    from tradehook_bot.people import People
    from tradehook_bot.settings import read_token

    served, settings = _settings(token_file)
    token = read_token(settings, environment=served.environment)
    for line in People.open(Journal.open(served.journal_url), token=token).lines():
        typer.echo(line)


@app.command("remove")
def remove(
    user: Annotated[int | None, typer.Argument(help="The person's number, as `people` lists it.")] = None,
    *,
    group: Annotated[int | None, typer.Option(help="A group's number instead: the bot is used there no more.")] = None,
    invitations: Annotated[bool, typer.Option("--invitations", help="All open invitations instead.")] = False,
    token_file: TokenFile = None,
) -> None:
    """Take away what was given: a person, a group, or the open invitations. It holds at once, also in a running bot.

    Orders that were sent stay as they are.
    """
    import asyncio

    from tradehook.desk.journal import Journal
    from tradehook_bot.people import People, forget_menu
    from tradehook_bot.settings import read_token

    if [user is not None, group is not None, invitations].count(True) != 1:
        raise ConfigurationError("Name one: tradehook-bot remove USER, or --group CHAT, or --invitations.")
    served, settings = _settings(token_file)
    token = read_token(settings, environment=served.environment)
    known = People.open(Journal.open(served.journal_url), token=token)
    chat = user if user is not None else group
    done = known.take_back() if chat is None else known.remove(chat) if chat == user else known.remove_group(chat)
    typer.echo(done.words, err=not done.is_done)
    if not done.is_done:
        raise typer.Exit(REFUSED)
    if chat is not None:
        asyncio.run(forget_menu(settings, token, chat))


totp = typer.Typer(help="Authenticator apps of the bot's people.", no_args_is_help=True, rich_markup_mode=None)
app.add_typer(totp, name="totp")


_Person = Annotated[int, typer.Argument(help="The person's number, as `check` lists it.")]


@totp.command("allow")
def allow_totp(user: _Person) -> None:
    """Give a word with which somebody may set up an authenticator app where money is real."""
    from tradehook_bot.totp import ALLOWED_MINUTES

    typer.echo(f"/totp {_apps().allowing_word(user)}")
    typer.echo(f"User {user} sends that to the bot within {ALLOWED_MINUTES} minutes. Give it to nobody else.")


@totp.command("reset")
def reset_totp(user: _Person) -> None:
    """Forget somebody's authenticator app, locked or not, so that /totp can set up a new one."""
    if not _apps().reset(user):
        typer.echo(f"User {user} has set up no authenticator app. `tradehook-bot check` lists the people.", err=True)
        raise typer.Exit(REFUSED)
    typer.echo(f"Forgotten. User {user} can set up a new one now, with /totp.")


def _apps() -> Totp:
    from tradehook.desk.journal import Journal
    from tradehook_bot.context import bot_id
    from tradehook_bot.settings import read_token
    from tradehook_bot.store import Store
    from tradehook_bot.totp import Totp

    served, settings = _settings(None)
    token = read_token(settings, environment=served.environment)
    journal = Journal.open(served.journal_url)
    return Totp(Store(journal.engine, bot_id=bot_id(token)), token=token)


def run_bot(token_file: Path | None) -> None:
    """The bot has run, and stopped when it was told to."""
    from tradehook_bot.app import run as run_application
    from tradehook_bot.context import House
    from tradehook_bot.redaction import set_up_logging
    from tradehook_bot.settings import read_token

    served, settings = _settings(token_file)
    set_up_logging()
    house = House.open(settings, served, token=read_token(settings, environment=served.environment))
    run_application(house)


def main() -> None:
    """Run one command. Leaves with 0, 2 settings or token wrong, 3 refused, 5 not reachable, 1 a fault of ours."""
    try:
        app(standalone_mode=True)
    except TradehookError as error:
        sys.exit(_fail(error))
    except KeyboardInterrupt:
        sys.exit(130)
    except ModuleNotFoundError as missing:
        if missing.name and missing.name.startswith("tradehook"):
            raise
        typer.echo(f"The bot needs {missing.name}. Install it: pip install 'tradehook[bot]'", err=True)
        sys.exit(USAGE)
    except Exception as error:  # noqa: BLE001 - the last line of defence; an exception's own text may hold the token
        sys.exit(_fail_strangely(error))


def _settings(token_file: Path | None) -> tuple[Served, BotSettings]:
    from tradehook_bot.accounts import read_served
    from tradehook_bot.settings import BotSettings

    return read_served(), BotSettings.from_environment(token_file=token_file)


def _print_qr(drawn: str) -> None:
    try:
        typer.echo(drawn)
    except UnicodeEncodeError:
        typer.echo("(This terminal cannot draw the QR code; use the link.)")


def _fail(error: TradehookError) -> int:
    from tradehook.render import error_line

    typer.echo(error_line(error), err=True)
    if isinstance(error, NetworkError):
        return UNREACHABLE
    return USAGE if isinstance(error, ConfigurationError) else REFUSED


def _fail_strangely(error: Exception) -> int:
    from telegram.error import Forbidden, InvalidToken
    from telegram.error import NetworkError as TelegramAway

    from tradehook_bot.redaction import redact

    if isinstance(error, InvalidToken | Forbidden):
        typer.echo("Telegram does not know this token. Ask BotFather (/mybots), then run setup again.", err=True)
        return USAGE
    if isinstance(error, TelegramAway):
        typer.echo(
            "Telegram cannot be reached. Check the network and TRADEHOOK_TELEGRAM_URL, then try again.", err=True
        )
        return UNREACHABLE
    typer.echo(f"This is a fault in tradehook ({type(error).__name__}): {redact(str(error))[:300]}", err=True)
    return BUG


if __name__ == "__main__":
    main()
