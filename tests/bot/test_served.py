"""Which accounts a bot serves, and how its messages name them."""

from __future__ import annotations

import pytest

from tradehook.errors import ConfigurationError, InvalidInput
from tradehook_bot.accounts import read_served
from tradehook_bot.replies import Voice


def accounts_file(folder, content):
    path = folder / "accounts.toml"
    path.write_text(content)
    path.chmod(0o600)
    return path


def variables(folder, content, **more):
    return {
        "TRADEHOOK_ACCOUNTS_FILE": str(accounts_file(folder, content)),
        "XDG_CONFIG_HOME": str(folder),
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{folder}/journal.db",
        **more,
    }


THREE = """
[spare]
key_file = "spare.json"
[main]
key_file = "main.json"
[real]
environment = "live"
key_file = "real.json"
[saved]
environment = "live"
key_file = "saved.json"
[trusted]
environment = "sandbox"
exchange = "fintrusted"
"""


def names(served):
    return [each.account for each in served.settings]


def test_a_bot_serves_the_accounts_of_its_environment_and_names_the_others(tmp_path):
    served = read_served(variables(tmp_path, THREE))
    assert names(served) == ["main", "spare", "trusted"]
    assert served.left_out == ("real (live)", "saved (live)")
    assert served.must_choose == ()
    assert {each.environment for each in served.settings} == {"sandbox"}
    named = read_served(variables(tmp_path, THREE, TRADEHOOK_ACCOUNT="trusted"))
    assert names(named) == ["trusted", "spare", "main"]


def test_a_variable_chooses_the_environment_and_moves_no_account_into_it(tmp_path):
    stated = THREE.replace("key_file", 'environment = "sandbox"\nkey_file', 2)
    live = read_served(variables(tmp_path, stated, TRADEHOOK_ENVIRONMENT="live"))
    assert names(live) == ["real", "saved"]
    assert live.must_choose == ("real", "saved")
    assert live.left_out == ("spare (sandbox)", "main (sandbox)", "trusted (sandbox)")
    chosen = read_served(variables(tmp_path, stated, TRADEHOOK_ENVIRONMENT="live", TRADEHOOK_ACCOUNT="saved"))
    assert names(chosen) == ["saved", "real"]
    assert chosen.must_choose == ()
    with pytest.raises(ConfigurationError, match="no account of the environment uat"):
        read_served(variables(tmp_path, stated, TRADEHOOK_ENVIRONMENT="uat"))


def test_without_a_file_there_is_the_one_account_of_the_variables(tmp_path):
    served = read_served({"XDG_CONFIG_HOME": str(tmp_path), "TRADEHOOK_ACCOUNT": "mine", "XDG_DATA_HOME": "/x"})
    assert names(served) == ["mine"]
    assert not served.left_out


@pytest.mark.parametrize(
    ("content", "more", "words"),
    [
        (
            '[a]\nkey_file = "a.json"\n[b]\nkey_file = "b.json"\njournal_url = "sqlite:////elsewhere/journal.db"\n',
            {"TRADEHOOK_JOURNAL_URL": "", "XDG_DATA_HOME": "/x"},
            "b keeps another journal than a.*same journal_url",
        ),
        ('[a]\nkey_file = "a.json"\n[b]\nkey_file = "a.json"\n', {}, "a and b are one account"),
        (
            '[a]\nkey_file = "a.json"\n[b]\nkey_file = "b.json"\n',
            {"TRADEHOOK_TRUE_MARKETS_KEY_FILE": "/k.json"},
            "a and b are one account.*unset the variables that begin with TRADEHOOK_TRUE_MARKETS_",
        ),
        ('[a]\nexchange = "fintrusted"\n[b]\nexchange = "fintrusted"\n', {}, "a and b are one account"),
        (THREE, {"TRADEHOOK_EXCHANGE": "fintrusted"}, "TRADEHOOK_EXCHANGE says fintrusted for every account"),
    ],
)
def test_accounts_that_cannot_be_served_together_are_refused_at_the_start(tmp_path, content, more, words):
    with pytest.raises(ConfigurationError, match=words):
        read_served(variables(tmp_path, content, **more))


def test_a_name_that_the_file_does_not_have_is_refused(tmp_path):
    with pytest.raises(InvalidInput, match="No account is called 'other'"):
        read_served(variables(tmp_path, THREE, TRADEHOOK_ACCOUNT="other"))


def test_the_program_says_at_the_start_whom_it_serves_and_whom_not(make_bot, exchange):
    many = make_bot()
    path = accounts_file(
        many.folder,
        f'[main]\nurl = "{exchange.url}"\nkey_file = "{exchange.key_file}"\n'
        f'[trusted]\nurl = "{exchange.url}"\nexchange = "fintrusted"\n'
        '[real]\nenvironment = "live"\nkey_file = "real.json"\n',
    )
    ann = many.person("Ann")
    many.admit(ann)
    # The variables of one account would win over the file for all of them.
    many.environ_extra = {"TRADEHOOK_ACCOUNTS_FILE": str(path), "TRADEHOOK_TRUE_MARKETS_KEY_FILE": ""}
    many.environ_extra["TRADEHOOK_ENVIRONMENT"] = ""
    process = many.spawn()
    try:
        assert "serves main at True Markets, trusted at FinTrusted (sandbox)" in many.log
        assert "Left out, being of another environment: real (live)" in many.log
        ann.say("/account")
        ann.wait_for("trusted at FinTrusted")
        checked = many.command("check")
        assert checked.returncode == 0, checked.stderr
        for words in ("account   main at 127.0.0.1", "account   trusted at 127.0.0.1", "left out  real (live)"):
            assert words in checked.stdout
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 0
    path.write_text(path.read_text() + f'[odd]\nkey_file = "{exchange.key_file}"\njournal_url = "sqlite:////x/j.db"\n')
    many.environ_extra["TRADEHOOK_JOURNAL_URL"] = ""
    many.environ_extra["XDG_DATA_HOME"] = str(many.folder)
    refused = many.command("run")
    assert refused.returncode == 2
    assert "odd keeps another journal than main" in refused.stderr


@pytest.mark.parametrize(
    ("environment", "has_several", "account", "marked"),
    [
        ("sandbox", False, "second", "SANDBOX · Done"),
        ("sandbox", True, "second", "SANDBOX · second · Done"),
        ("sandbox", True, None, "SANDBOX · Done"),
        ("live", False, "second", "Done\n\nLIVE · main"),
        ("live", True, "second", "Done\n\nLIVE · second"),
        ("live", True, None, "Done\n\nLIVE"),
    ],
)
def test_each_message_names_environment_and_account(environment, has_several, account, marked):
    voice = Voice(None, environment=environment, account="main", has_several=has_several)
    assert voice.marked("Done", account=account) == marked
