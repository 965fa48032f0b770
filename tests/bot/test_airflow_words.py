"""What is read and said of Airflow without asking it: settings, typed parameters, and words that a DAG's author wrote."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tradehook.errors import ConfigurationError, InvalidInput
from tradehook_bot.airflow import exact_json, prompt_words
from tradehook_bot.airflow.conf import read_conf
from tradehook_bot.airflow.dags import Dag, Param
from tradehook_bot.airflow.prompts import Place, Prompt
from tradehook_bot.airflow.settings import AirflowSettings
from tradehook_bot.settings import BotSettings

URL = {"TRADEHOOK_AIRFLOW_URL": "https://airflow.example/base/"}
USER = {"TRADEHOOK_AIRFLOW_USER": "bot", "TRADEHOOK_AIRFLOW_PASSWORD_FILE": "/secret"}
TOKEN = {"TRADEHOOK_AIRFLOW_TOKEN_FILE": "/token"}
NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAG = Dag(
    "d",
    "",
    is_paused=False,
    is_broken=False,
    params=(
        Param("amount", "0.01", ("string", "number"), (), ""),
        Param("count", 1, ("integer",), (), ""),
        Param("share", Decimal("0.5"), ("number",), (), ""),
        Param("dry", default=True, kinds=("boolean",), choices=(), description=""),
        Param("side", "buy", (), ("buy", "sell"), ""),
        Param("targets", {}, ("object",), (), ""),
        Param("needed", None, ("null", "string"), (), ""),
        Param("names", [], ("array",), (), ""),
    ),
)


def prompt(**changes):
    values = {
        "place": Place(dag_id="d", run_id="r/1", task_id="t", map_index=-1),
        "ti_id": "1",
        "try_number": 1,
        "state": "awaiting_input",
        "operator": "TradeApprovalOperator",
        "subject": "Buy?",
        "body": "All of it.",
        "options": ("Approve", "Reject"),
        "defaults": ("Reject",),
        "is_multiple": False,
        "fields": (),
        "takes_approver": False,
        "assigned": (),
        "created_at": NOON,
        **changes,
    }
    return Prompt(**values)


def test_settings_are_read_and_without_an_address_there_are_none():
    assert AirflowSettings.from_environment({**USER}) is None
    assert BotSettings.from_environment({**URL, **USER}).airflow.url == "https://airflow.example/base"
    assert BotSettings.from_environment({**URL, **TOKEN}).airflow.user is None


@pytest.mark.parametrize(
    ("environ", "says"),
    [
        (URL, "TRADEHOOK_AIRFLOW_PASSWORD_FILE"),
        ({**URL, "TRADEHOOK_AIRFLOW_USER": "bot"}, "TRADEHOOK_AIRFLOW_PASSWORD_FILE"),
        ({**URL, **USER, **TOKEN}, "Unset one"),
        ({"TRADEHOOK_AIRFLOW_URL": "http://airflow.example", **USER}, "Use https"),
        ({"TRADEHOOK_AIRFLOW_URL": "airflow:8080", **USER}, "should look like"),
        ({"TRADEHOOK_AIRFLOW_URL": "https://me:word@airflow.example", **USER}, "should look like"),
        ({"TRADEHOOK_AIRFLOW_URL": "https://airflow.example:99999", **USER}, "should look like"),
    ],
)
def test_settings_that_cannot_be_used_are_named(environ, says):
    with pytest.raises(ConfigurationError, match=says) as caught:
        AirflowSettings.from_environment(environ)
    assert "word" not in str(caught.value).replace("PASSWORD", "")


@pytest.mark.parametrize(
    ("content", "says"), [(None, "not there"), (b"", "no line"), (b"one\ntwo", "no line"), (b"\xff\xfe", "no text")]
)
def test_a_secret_that_cannot_be_read_is_not_quoted(content, says, tmp_path):
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=says) as caught:
        AirflowSettings(url="https://x", user="bot", password_file=path).secret()
    assert "one" not in str(caught.value)


def test_values_are_read_as_their_schema_asks():
    typed = "amount=0.020 count=3 share=0.1234567890123456789 dry=no side=SELL targets={“BTC”: 40.50} names=a,b"
    assert dict(read_conf(DAG, f"{typed} needed=two words".split())) == {
        "amount": "0.020",
        "count": 3,
        "share": Decimal("0.1234567890123456789"),
        "dry": False,
        "side": "sell",
        "targets": {"BTC": Decimal("40.50")},
        "names": ["a", "b"],
        "needed": "two words",
    }
    assert read_conf(DAG, ["needed=null"]) == {"needed": None}


@pytest.mark.parametrize(
    "typed",
    ["count=2.5", "count=٣", "count=", "share=NaN", "share=1e999", "dry=maybe", "side=x", "targets={1", "targets=[1]",
     "names=[1,2", "amuont=3", "count", "3", "count=1 count=2", 'targets={"a": 1e999}', "targets=" + "[" * 900,
     "needed=" + "x" * 1001, "count=1 other=2"],
)  # fmt: skip
def test_what_is_none_of_its_values_is_refused(typed):
    with pytest.raises(InvalidInput):
        read_conf(DAG, typed.split())


def test_decimals_are_sent_digit_by_digit():
    value = {"a": [Decimal("0.10"), Decimal("1E+3"), 'q"', None, True, 7]}
    assert exact_json.write(value) == '{"a": [0.10, 1000, "q\\"", null, true, 7]}'
    for wrong in (Decimal("NaN"), Decimal("1e99"), float("inf")):
        with pytest.raises(ValueError, match=r"means|compliant"):
            exact_json.write(wrong)


def test_the_digest_is_of_this_question_of_this_try():
    one = prompt()
    assert one.digest == prompt(state="scheduled", answered_at=NOON).digest
    for change in ({"ti_id": "2"}, {"try_number": 2}, {"subject": "Sell?"}, {"body": "More."}, {"options": ("Approve",)},
                   {"defaults": ()}, {"fields": ("x",)}):  # fmt: skip
        assert prompt(**change).digest != one.digest


def test_our_own_operators_words_tell_until_when():
    told = prompt(body="| a |\n\nNo answer within 30 minutes is a no.")
    assert told.ends_at == NOON + timedelta(minutes=30)
    assert "Silence until 01-05 12:30 UTC" in prompt_words.asked(told, zone=UTC, url="https://x")
    for other in (prompt(body="No answer within 30 minutes is a no.\nNot!"), prompt(body=told.body, operator="Mine")):
        assert other.ends_at is None


@pytest.mark.parametrize("words", ["/freeze", "go /cancel_all", "a\n/buy", "\u202e/sell", "(/resume", "\u200b/freeze"])
def test_no_word_of_an_author_can_be_tapped_as_a_command(words):
    said = prompt_words.asked(prompt(body=words, subject=words), zone=UTC, url="https://x")
    assert "\u2060" in said
    for command in ("/freeze", "/cancel_all", "/buy", "/sell", "/resume"):
        assert command not in said


def test_a_question_of_any_length_is_one_message():
    said = prompt_words.asked(
        prompt(subject="<&>" * 500, body="&<\n" * 5000, options=("x" * 500,), defaults=("x" * 500,), assigned=("y" * 500,) * 50),
        zone=UTC, url="https://x",
    )  # fmt: skip
    assert len(said) < 3500
    assert "(cut; the rest stands in Airflow)" in said
