"""Going live, typed at a real terminal, against a sandbox that plays the live exchange."""

from __future__ import annotations

import json

import pytest

from tradehook.desk.journal import Journal

ORDER = ("order", "place", "buy", "BTC", "--yes", "--json")


@pytest.fixture
def live(command, sandbox_server, tmp_path, monkeypatch, person):
    """The same commands with the sandbox called live, and what a process needs for that."""
    monkeypatch.setenv("TRADEHOOK_ENVIRONMENT", "live")
    environment = {
        **sandbox_server.environment,
        "TRADEHOOK_ENVIRONMENT": "live",
        "TRADEHOOK_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.db",
    }

    def sits_down(**more: str):
        return person("go-live", environment={**environment, **more})

    return command, sits_down


def goes_live(sits_down, *, order="", day="", transfer="", assets="", name="main"):
    operator = sits_down()
    operator.answers("One order at most [50]:", order)
    operator.answers("All orders of a day at most [200]:", day)
    operator.answers("One transfer at most", transfer)
    operator.answers("Assets that may be traded", assets)
    operator.answers("Type the account's name (main)", name)
    return operator


def limits_of(command):
    code, out, error = command("limits", "show", "--json")
    assert code == 0, error
    return json.loads(out)


def test_nothing_is_sent_live_before_and_orders_within_the_limits_after(live, sandbox_server):
    command, sits_down = live
    before = sandbox_server.orders()
    code, out, _ = command(*ORDER[:4], "$20", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "live")
    operator = goes_live(sits_down)
    assert operator.ends() == 0, operator.shown
    for words in ("real money", "readable by you alone", "agrees with", "PYUSD", "main is live"):
        assert words in operator.shown
    held = limits_of(command)
    assert {name: held["limits"][name] for name in ("live", "order", "day", "transfer")} == {
        "live": True,
        "order": "50",
        "day": "200",
        "transfer": None,
    }
    assert (held["set_by"].startswith("cli:"), held["why"]) == (True, "go-live")
    assert sandbox_server.orders() == before
    assert command(*ORDER[:4], "$20", *ORDER[4:])[0] == 0
    code, out, _ = command(*ORDER[:4], "$70", *ORDER[4:])
    refused = json.loads(out)
    assert (code, refused["rule"], refused["limit"]) == (3, "order", "50")
    assert sandbox_server.orders() == before + 1


def test_only_the_chosen_assets_trade_and_no_transfer_leaves(live, sandbox_server):
    command, sits_down = live
    operator = goes_live(sits_down, assets="eth")
    assert operator.ends() == 0, operator.shown
    code, out, _ = command("assets", "list", "--json")
    assert (code, [json.loads(line)["symbol"] for line in out.splitlines()]) == (0, ["ETH", "PYUSD"])
    code, out, _ = command(*ORDER[:4], "$20", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "asset")
    assert command("order", "place", "buy", "ETH", "$20", "--yes")[0] == 0
    address = "0x52908400098527886E0F7030069857D2E4169EE7"
    assert command("destinations", "add", "cold", address, "--network", "base", "--again", address)[0] == 0
    before = sandbox_server.admin("GET", "ledger")["transfers"]
    code, out, _ = command("transfer", "USDC", "5", "--chain", "base", "--to", "cold", "--yes", "--json")
    assert (code, json.loads(out)["rule"]) == (3, "transfer")
    assert sandbox_server.admin("GET", "ledger")["transfers"] == before


def test_a_freeze_outlasts_going_live_and_is_said(live):
    command, sits_down = live
    assert command("freeze")[0] == command("freeze", "--reducing", "--account-only")[0] == 0
    operator = goes_live(sits_down)
    assert operator.ends() == 0
    assert "HALTED still: `tradehook resume`" in operator.shown
    assert "REDUCING still: `tradehook resume --account-only`" in operator.shown


def test_a_wrong_name_changes_nothing(live):
    command, sits_down = live
    operator = goes_live(sits_down, order="70", name="mian")
    assert operator.ends() == 3
    assert "Nothing was changed" in operator.shown
    assert limits_of(command)["limits"] is None
    assert command("assets", "list", "--json")[1] == ""


@pytest.mark.parametrize("at", ["One order at most", "Type the account's name"])
def test_leaving_changes_nothing(live, at):
    command, sits_down = live
    operator = sits_down()
    if at != "One order at most":
        for question in ("One order", "All orders", "One transfer", "Assets that"):
            operator.answers(question, "")
    operator.leaves(at)
    assert operator.ends() == 3
    assert "Nothing was changed" in operator.shown
    assert limits_of(command)["limits"] is None


def test_what_cannot_be_read_is_asked_again(live):
    command, sits_down = live
    operator = sits_down()
    operator.answers("One order at most [50]:", "1,000")
    operator.answers("One order at most [50]:", "none")
    operator.answers("One order at most [50]:", "40")
    operator.answers("All orders of a day at most [200]:", "$120")
    operator.answers("One transfer at most", "10")
    operator.answers("Assets that may be traded", "BTC,NOPE")
    operator.answers("Assets that may be traded", "btc, eth")
    operator.answers("Type the account's name (main)", "main")
    assert operator.ends() == 0, operator.shown
    assert "The exchange has no NOPE" in operator.shown
    held = limits_of(command)["limits"]
    assert (held["order"], held["day"], held["transfer"]) == ("40", "120", "10")


def test_three_answers_that_cannot_be_read_end_it(live):
    command, sits_down = live
    operator = sits_down()
    for _ in range(3):
        operator.answers("One order at most [50]:", "lots")
    assert operator.ends() == 2
    assert limits_of(command)["limits"] is None


def test_it_is_undone_without_a_question_and_done_again_with_what_was_there(live):
    command, sits_down = live
    assert goes_live(sits_down, order="30").ends() == 0
    code, out, _ = command("go-live", "--undo", "--json")
    assert (code, json.loads(out)["limits"]["live"], json.loads(out)["version"]) == (0, False, 2)
    code, out, _ = command(*ORDER[:4], "$20", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "live")
    operator = sits_down()
    operator.answers("One order at most [30]:", "")
    for question in ("All orders of a day at most [200]:", "One transfer", "Assets that"):
        operator.answers(question, "")
    operator.answers("Type the account's name (main)", "main")
    assert operator.ends() == 0, operator.shown
    assert [
        json.loads(line)["version"] for line in command("limits", "show", "--history", "--json")[1].splitlines()
    ] == [
        3,
        2,
        1,
    ]


def test_an_undo_of_what_never_was_changes_nothing(live):
    command, _ = live
    code, out, _ = command("go-live", "--undo")
    assert (code, "was never on" in out) == (0, True)
    assert limits_of(command)["version"] == 0


def test_without_a_person_it_is_refused(live):
    command, _ = live
    code, out, error = command("go-live")
    assert (code, out, "wants a person" in error) == (3, "", True)


def test_a_sandbox_account_has_nothing_to_turn_on(live):
    command, sits_down = live
    operator = sits_down(TRADEHOOK_ENVIRONMENT="sandbox")
    assert operator.ends() == 2
    assert "nothing to turn on" in " ".join(operator.shown.split())
    assert command("go-live", "--undo", "--environment", "sandbox")[0] == 2


def test_limits_that_changed_meanwhile_stop_it(live, tmp_path):
    command, sits_down = live
    operator = sits_down()
    for question in ("One order", "All orders", "One transfer", "Assets that"):
        operator.answers(question, "")
    assert command("limits", "set", "--order", "5")[0] == 0
    operator.answers("Type the account's name (main)", "main")
    assert operator.ends() == 2
    assert "meanwhile" in operator.shown
    held = limits_of(command)["limits"]
    assert (held["live"], held["order"]) == (False, "5")
    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as journal:
        assert journal.trading_state()["state"] == "NORMAL"


def test_setting_limits_never_goes_live(live):
    command, _ = live
    assert command("limits", "set", "--order", "5", "--yes")[0] == 0
    assert limits_of(command)["limits"]["live"] is False
    code, out, _ = command(*ORDER[:4], "$2", *ORDER[4:])
    assert (code, json.loads(out)["rule"]) == (3, "live")


def test_a_key_that_others_can_read_stops_it(live, tmp_path, sandbox_server):
    _, sits_down = live
    open_key = tmp_path / "open.json"
    open_key.write_text(sandbox_server.key_file.read_text())
    open_key.chmod(0o644)
    operator = sits_down(TRADEHOOK_TRUE_MARKETS_KEY_FILE=str(open_key))
    assert operator.ends() == 2
    assert "chmod 600" in " ".join(operator.shown.split())


def test_enter_allows_no_asset_that_was_not_allowed_before(live):
    command, sits_down = live
    assert goes_live(sits_down, assets="eth").ends() == 0
    operator = goes_live(sits_down)
    assert operator.ends() == 0, operator.shown
    assert "[ETH]" in operator.shown
    assert "stays allowed" not in operator.shown
    code, out, _ = command("assets", "list", "--json")
    assert (code, [json.loads(line)["symbol"] for line in out.splitlines()]) == (0, ["ETH", "PYUSD"])
    operator = goes_live(sits_down, assets="btc")
    assert operator.ends() == 0, operator.shown
    assert "ETH stays allowed: `tradehook assets remove ETH` takes it away" in operator.shown
    assert "PYUSD stays allowed" not in operator.shown
    assert "ETH" in command("assets", "list", "--json")[1]
