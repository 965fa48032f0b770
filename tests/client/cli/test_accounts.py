"""Several accounts in one file: which one is used, who wins, and what a file that cannot be trusted says."""

from __future__ import annotations

import json
import os
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tradehook.accounts import read_accounts
from tradehook.cli import completing
from tradehook.client import connect
from tradehook.errors import ConfigurationError, GuardRefused, InvalidInput, TradehookError
from tradehook.models import NewOrder
from tradehook.settings import Settings


@pytest.fixture
def accounts_file(tmp_path, monkeypatch):
    """Write the file of accounts, and let everything find it."""

    def write(text: str, *, mode: int = 0o600):
        path = tmp_path / "accounts.toml"
        path.write_text(text)
        path.chmod(mode)
        monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(path))
        return path

    return write


@pytest.fixture
def two(accounts_file, sandbox_server, tmp_path, monkeypatch, command):
    """A sandbox twice: `play`, and `real` that is called live; nothing of it in the environment."""
    for name in (*sandbox_server.environment, "TRADEHOOK_JOURNAL_URL"):
        monkeypatch.delenv(name, raising=False)

    def table(name: str, environment: str) -> str:
        return (
            f'[{name}]\nenvironment = "{environment}"\nurl = "{sandbox_server.url}"\n'
            f'key_file = "{sandbox_server.key_file}"\njournal_url = "sqlite:///{tmp_path}/{name}.db"\n'
        )

    accounts_file(table("play", "sandbox") + table("real", "live"))
    return command, table


def test_accounts_are_listed_with_the_one_that_is_used(two, sandbox_server):
    command, _ = two
    code, out, _ = command("accounts", "--json")
    assert code == 0
    rows = {row["name"]: row for row in map(json.loads, out.splitlines())}
    assert [(row["environment"], row["is_used"]) for row in rows.values()] == [("sandbox", True), ("live", False)]
    assert all(row["key_is_there"] and sandbox_server.url.endswith(row["host"]) for row in rows.values())
    code, out, _ = command("--account", "real", "accounts")
    assert code == 0
    assert [line.split()[-1] == "yes" for line in out.splitlines() if line.split()[:1] in (["play"], ["real"])] == [
        False,
        True,
    ]


def test_an_account_is_chosen_by_option_by_environment_or_is_the_first(two, monkeypatch):
    command, _ = two
    assert "play (sandbox)" in command("balances")[1]
    assert "real (live)" in command("balances", "--account", "real")[1]
    assert "real (live)" in command("--account", "real", "balances")[1]
    monkeypatch.setenv("TRADEHOOK_ACCOUNT", "real")
    assert "real (live)" in command("balances")[1]
    assert "play (sandbox)" in command("balances", "--account", "play")[1]


def test_main_is_used_wherever_it_stands(accounts_file):
    accounts_file('[other]\nenvironment = "uat"\n[main]\nenvironment = "live"\n')
    settings = Settings.from_environment()
    assert (settings.account, settings.environment, settings.is_chosen) == ("main", "live", False)


def test_options_win_over_the_environment_and_that_over_the_file(accounts_file, monkeypatch):
    path = accounts_file('[main]\nenvironment = "uat"\nkey_file = "one.json"\nurl = "http://127.0.0.1:1"\n')
    assert Settings.from_environment().key_file == path.parent / "one.json"
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_URL", "http://127.0.0.1:2")
    monkeypatch.setenv("TRADEHOOK_ENVIRONMENT", "live")
    settings = Settings.from_environment(environment="sandbox")
    assert (settings.environment, settings.url) == ("sandbox", "http://127.0.0.1:2")


def test_what_the_environment_overrides_is_said(two, monkeypatch):
    command, _ = two
    monkeypatch.setenv("TRADEHOOK_TRUE_MARKETS_URL", "http://127.0.0.1:2")
    code, out, error = command("accounts")
    assert code == 0
    assert out.count("127.0.0.1:2 ") == 2
    assert "TRADEHOOK_TRUE_MARKETS_URL" in error


def test_an_unknown_name_says_which_there_are(two):
    command, _ = two
    code, out, error = command("balances", "--account", "rael")
    assert (code, out) == (2, "")
    assert "play, real" in error
    with pytest.raises(InvalidInput, match="play, real"):
        connect("rael")


def test_a_program_connects_by_name(two):
    with connect("real") as client:
        assert client.exchange.environment == "live"
        assert client.balances()
    with connect() as client:
        assert client.desk.account == "play"


def test_without_a_file_a_name_is_a_free_label(command):
    assert "anything (sandbox)" in command("balances", "--account", "anything")[1]
    code, out, _ = command("accounts", "--json")
    assert (code, json.loads(out)["name"]) == (0, "main")


ORDER = ("order", "place", "buy", "BTC", "0.001", "--yes")


def test_two_live_accounts_and_none_chosen_write_nothing(two, accounts_file, sandbox_server):
    command, table = two
    accounts_file(table("first", "live") + table("second", "live"))
    before = sandbox_server.orders()
    for arguments in (ORDER, ("transfer", "BTC", "0.001", "--to", "vault", "--yes")):
        code, _, error = command(*arguments)
        assert (code, "--account first" in error) == (3, True), error
    with connect() as client, pytest.raises(GuardRefused) as refused:
        client.place_order(NewOrder.of("BTC/PYUSD", side="buy", amount="0.001"))
    assert refused.value.rule == "account"
    assert sandbox_server.orders() == before
    code, out, error = command("balances")
    assert (code, "first (live)" in out, "about first" in error) == (0, True, True)
    assert "nothing is written" in command("accounts")[2]


def test_two_live_accounts_and_one_chosen_get_as_far_as_the_live_switch(two, accounts_file):
    command, table = two
    accounts_file(table("first", "live") + table("second", "live"))
    code, _, error = command(*ORDER, "--account", "second")
    assert (code, "go-live" in error) == (3, True), error


def test_accounts_of_one_sandbox_have_journals_of_their_own(two):
    command, _ = two
    assert command(*ORDER, "--intent-id", "of-play")[0] == 0
    assert "of-play" in command("intents", "list")[1]
    assert "of-play" not in command("intents", "list", "--account", "real")[1]


SECRET = "s3cr3t-s3cr3t"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f'[main]\nprivate_key = "{SECRET}"\n', "holds a secret"),
        (f'[main]\nkey = {{ d = "{SECRET}" }}\n', "holds a secret"),
        (f'[main]\nkey_file = "-----BEGIN PRIVATE KEY----- {SECRET}"\n', "holds a secret"),
        (f'password = "{SECRET}"\n', "holds a secret"),
        (f'[main]\njournal_url = "postgresql://me:{SECRET}@db/journal"\n', "pgpass"),
        (f'[main]\njournal_url = "postgresql://db/journal?password={SECRET}"\n', "pgpass"),
        (f'[main]\nkeyfile = "{SECRET}"\n', "it can have environment"),
        (f"[main]\nurl = 5 # {SECRET}\n", "should be text"),
        (f'environment = "{SECRET}"\n', "outside of a table"),
        (f'["a b"]\nurl = "{SECRET}"\n', "no account's name"),
        (f'[main]\nurl = "{SECRET}\n', "is not TOML"),
        (f'[main]\n[main]\nurl = "{SECRET}"\n', "is not TOML"),
        (f'[main]\nurl = "{SECRET}"\n', "should look like"),
        (f'[main]\nenvironment = "lvie"\n# {SECRET}\n', "sandbox, uat, live"),
    ],
)
def test_a_file_that_is_wrong_says_what_and_quotes_no_secret(accounts_file, command, monkeypatch, text, says):
    for name in ("TRADEHOOK_ENVIRONMENT", "TRADEHOOK_TRUE_MARKETS_URL"):
        monkeypatch.delenv(name, raising=False)
    accounts_file(text)
    code, out, error = command("balances")
    assert (code, says in error) == (2, True), error
    assert SECRET not in out + error


def test_one_bad_table_does_not_hide_the_others(accounts_file, command, monkeypatch):
    monkeypatch.delenv("TRADEHOOK_ENVIRONMENT", raising=False)
    accounts_file('[good]\nenvironment = "sandbox"\n[bad]\nenvironment = "lvie"\n')
    code, out, _ = command("accounts", "--json")
    assert code == 0
    assert [bool(json.loads(line)["problem"]) for line in out.splitlines()] == [False, True]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_open_is_refused(accounts_file, command, mode):
    accounts_file("[main]\n", mode=mode)
    code, _, error = command("balances")
    assert (code, "chmod 600" in error) == (2, True), error


def test_a_link_is_not_followed(accounts_file, monkeypatch, tmp_path):
    path = accounts_file("[main]\n")
    (tmp_path / "link.toml").symlink_to(path)
    monkeypatch.setenv("TRADEHOOK_ACCOUNTS_FILE", str(tmp_path / "link.toml"))
    with pytest.raises(ConfigurationError, match="links are not followed"):
        read_accounts()


def test_a_file_that_was_promised_must_be_there(tmp_path):
    with pytest.raises(ConfigurationError, match="There is no file"):
        Settings.from_environment({"TRADEHOOK_ACCOUNTS_FILE": str(tmp_path / "none.toml")})
    assert Settings.from_environment({"XDG_CONFIG_HOME": str(tmp_path)}).account == "main"


def test_the_file_is_looked_for_in_the_users_folder(tmp_path):
    (tmp_path / "tradehook").mkdir()
    path = tmp_path / "tradehook" / "accounts.toml"
    path.write_text('[main]\nenvironment = "uat"\nkey_file = "~/key.json"\n')
    os.chmod(path, 0o600)  # noqa: PTH101 - as a person does it
    settings = Settings.from_environment({"XDG_CONFIG_HOME": str(tmp_path)})
    assert (settings.environment, str(settings.key_file)) == ("uat", "~/key.json")


def test_names_are_offered_to_the_shell(two):
    assert completing.accounts("r") == ["real"]
    assert completing.accounts("") == ["play", "real"]


_PIECES = st.sampled_from([
    "[main]", "[a.b]", "[[main]]", "key_file", "journal_url", "url", "=", '"', "\n", "\\u0000", "~", "\x00", "9" * 5000,
    "1979-13-01", "[" * 3000, "'", "#", "{", "}", "postgresql://[", "é", "\ud800",
])  # fmt: skip


@given(text=st.lists(_PIECES | st.text(max_size=8), max_size=12).map("".join))
def test_no_file_makes_anything_worse_than_a_sentence(tmp_path_factory, text):
    path = tmp_path_factory.mktemp("file") / "accounts.toml"
    path.write_bytes(text.encode(errors="surrogatepass"))
    path.chmod(0o600)
    with suppress(TradehookError):
        for account in read_accounts({"TRADEHOOK_ACCOUNTS_FILE": str(path)}).accounts:
            Settings.from_environment({"TRADEHOOK_ACCOUNTS_FILE": str(path)}, account=account.name)


OF_ONE = [
    ("order", "place", "buy", "BTC", "0.001", "--yes"),
    ("transfer", "USDC", "5", "--to", "cold", "--yes"),
    ("futures", "open", "BTC/USDT", "long", "1", "--leverage", "10", "--yes"),
    ("rebalance", "run", "--yes"),
    ("go-live", "--undo"),
    ("limits", "set", "--order", "50", "--yes"),
    ("assets", "allow", "BTC", "--yes"),
    ("assets", "remove", "BTC"),
    ("destinations", "add", "cold", "0x1", "--network", "base", "--again", "0x1"),
    ("destinations", "remove", "cold"),
    ("targets", "set", "main", "BTC=50"),
    ("intents", "again", "a", "--yes"),
    ("intents", "resolve", "a", "--as", "not-placed", "--yes"),
    ("keys", "finish", "some-id"),
    ("journal", "accept-restore"),
    ("journal", "adopt"),
    ("journal", "restore", "copy.db"),
    ("journal", "prune"),
    ("freeze", "--account-only"),
    ("resume", "--account-only"),
]


@pytest.mark.parametrize("words", OF_ONE, ids=" ".join)
def test_what_is_written_for_one_account_waits_until_one_of_several_live_ones_is_chosen(two, accounts_file, words):
    command, table = two
    accounts_file(table("one", "live") + table("two", "live"))
    code, out, error = command(*words)
    assert (code, out) == (3, ""), error
    assert "several live accounts (one, two) and none was chosen, so nothing is sent or changed" in " ".join(
        error.split()
    )
    assert "this is about" not in error


def test_what_holds_for_all_is_about_no_one_and_a_look_says_once_whom_it_is_about(two, accounts_file):
    command, table = two
    accounts_file(table("one", "live") + table("two", "live"))
    for words in (("freeze",), ("resume",)):
        code, _, error = command(*words)
        assert (code, "this is about" in error) == (0, False), error
    for words in (("limits", "show"), ("assets", "list"), ("destinations",), ("balances",)):
        code, _, error = command(*words)
        assert (code, error.count("so this is about one")) == (0, 1), error
        assert "this is about" not in command(*words, "--account", "two")[2]
