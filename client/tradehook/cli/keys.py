"""Commands about API keys: `keys new`, `keys finish`, `keys import`. The private half is never printed."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import Annotated

import typer

from tradehook.cli.options import with_settings_of_one
from tradehook.cli.output import hint, say
from tradehook.settings import Settings, prefix_of

app = typer.Typer(help="Make or bring an API key.", no_args_is_help=True, rich_markup_mode=None)


@app.command("new")
@with_settings_of_one
def new(settings: Settings) -> None:
    """Make a key pair on this machine and show the public half, to be registered with the exchange."""
    _check_has_keys(settings)
    from cryptography.hazmat.primitives import serialization

    from tradehook.exchanges.true_markets import keys

    key = keys.new_private_key()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _refuse_existing(settings.key_file)
    keys.write_secret(_draft(settings.key_file), pem)
    say(keys.public_pem(key).strip())
    hint(
        "This is the public half. Register it on the exchange's API Keys page; it gives you a key id. Then:\n"
        f"  tradehook keys finish KEY_ID{_as_typed(settings)}\n"
        "A key can move money: give it an account of its own."
    )


@app.command("finish")
@with_settings_of_one
def finish(
    settings: Settings, key_id: Annotated[str, typer.Argument(help="The id that the exchange gave the key.")]
) -> None:
    """Join the key made by `keys new` with its id."""
    _check_has_keys(settings)
    from tradehook.errors import ConfigurationError
    from tradehook.exchanges.true_markets import keys

    identity = keys.parse_public_hint(key_id)
    draft = _draft(settings.key_file)
    if not draft.expanduser().exists():
        raise ConfigurationError(
            f"There is no key waiting for its id: {draft} is not there. "
            f"Begin with `tradehook keys new{_as_typed(settings)}`."
        )
    signer = keys.load(draft, key_id=identity)
    keys.write_secret(settings.key_file, keys.bundle(identity, signer.private_key))
    draft.expanduser().unlink()
    _done(settings)


@app.command("import")
@with_settings_of_one
def import_key(
    settings: Settings,
    file: Annotated[Path, typer.Argument(help="The exchange's JSON file, or a PEM file.")],
    key_id: Annotated[str | None, typer.Option(help="The key's id, for a PEM file.")] = None,
) -> None:
    """Bring a key: checks it, and keeps a copy that only you can read."""
    _check_has_keys(settings)
    from tradehook.exchanges.true_markets import keys

    identity = keys.parse_public_hint(key_id) if key_id else None
    signer = keys.parse(
        _read(file), where=str(file), key_id=identity or settings.key_id, passphrase=settings.key_passphrase
    )
    keys.write_secret(settings.key_file, keys.bundle(signer.key_id, signer.private_key))
    _done(settings)
    hint(f"{file} is not needed any more: delete it, or lock it away.")


def _check_has_keys(settings: Settings) -> None:
    """Refuse where nothing is signed in with a key file. Raises `ConfigurationError`."""
    from tradehook import registry
    from tradehook.errors import ConfigurationError

    card = registry.spec(settings.exchange)
    if not card.has_key_file:
        raise ConfigurationError(
            f"{card.label} knows no key files: what signs in there are settings, see docs/reference/settings.md. "
            "For another exchange, add --exchange true_markets."
        )


def _read(file: Path) -> bytes:
    from tradehook.errors import ConfigurationError

    try:
        return file.expanduser().read_bytes()[:64_000]
    except OSError as error:
        raise ConfigurationError(f"{file} could not be read: {error.strerror}.") from None


def _draft(key_file: Path) -> Path:
    return key_file.with_name(f"{key_file.stem}.pending.pem")


def _refuse_existing(key_file: Path) -> None:
    from tradehook.errors import ConfigurationError

    if key_file.expanduser().exists():
        raise ConfigurationError(f"{key_file} exists already. Move it away first; keys are never overwritten.")


def _done(settings: Settings) -> None:
    say(f"The key is at {settings.key_file}, readable by you alone.")
    hint(f"Check it with `tradehook doctor{_as_typed(settings)}`.")


def _as_typed(settings: Settings) -> str:
    """` --key-file X` for the next command, unless that finds the file without it."""
    found = Path(os.environ.get(f"{prefix_of(settings.exchange)}KEY_FILE") or Settings().key_file)
    return "" if settings.key_file == found else f" --key-file {shlex.quote(str(settings.key_file))}"
