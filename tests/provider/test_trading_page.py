"""The Trading page in Airflow's real API server app: what it shows, who may see it, and what Freeze does."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urlsplit

import pytest

from tradehook.desk.intents import State
from tradehook.desk.journal import Journal
from tradehook_provider.plugin import PREFIX, TradehookPlugin

PAGE, FREEZE = f"{PREFIX}/", f"{PREFIX}/freeze"
ROLES = ("viewer", "user", "op", "admin")


@pytest.fixture(scope="module")
def api_server(airflow_database):
    """Airflow's own app, with the plugin found by its entry point, and a person of each role."""
    with pytest.MonkeyPatch.context() as patch:
        users = ",".join(f"{role}:{role}" for role in ROLES)
        patch.setenv("AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS", f"{users},nobody:None")
        from airflow.api_fastapi.app import create_app, purge_cached_app

        purge_cached_app()
        yield create_app(apps="core")
        purge_cached_app()


@pytest.fixture
def journal(tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/journal.db"
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", url)
    with Journal.open(url) as journal:
        yield journal


@pytest.fixture
def visit_here(api_server):
    """`visit_here("viewer")`: a browser in which this person is signed in; `None` for nobody."""
    from airflow.api_fastapi.app import get_auth_manager
    from airflow.api_fastapi.auth.managers.simple.user import SimpleAuthManagerUser
    from fastapi.testclient import TestClient

    def browser(role):
        client = TestClient(api_server, follow_redirects=False)
        if role is not None:
            user = SimpleAuthManagerUser(username=role, role=role if role in ROLES else None)
            client.cookies.set("_token", get_auth_manager().generate_jwt(user))
        return client

    return browser


@pytest.fixture
def visit(visit_here, journal):
    """The same, with a journal of its own."""
    return visit_here


def test_it_hangs_in_airflows_navigation(visit):
    found = visit("admin").get("/api/v2/plugins").json()["plugins"]
    (ours,) = [plugin for plugin in found if plugin["name"] == "tradehook"]
    assert "tradehook" in ours["source"], "found by its entry point"
    (view,) = ours["external_views"]
    assert (view["name"], view["href"], view["destination"]) == ("Trading", PAGE, "nav")
    assert [app["url_prefix"] for app in ours["fastapi_apps"]] == [PREFIX]


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_every_route_wants_a_sign_in(visit, journal, method):
    from tradehook_provider.plugin.pages import app

    paths = [route.path for route in app.routes if method in route.methods]
    assert paths
    for path in paths:
        assert visit(None).request(method, f"{PREFIX}{path}").status_code == 401, path
        forged = visit(None)
        forged.cookies.set("_token", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.")
        assert forged.request(method, f"{PREFIX}{path}").status_code == 403, path
        assert visit("nobody").request(method, f"{PREFIX}{path}").status_code == 403, path
    assert journal.trading_state()["state"] == "NORMAL"


def test_nothing_but_the_page_and_its_button_answers(visit):
    for path in ("openapi.json", "docs", "redoc", "journal.db"):
        assert visit("admin").get(f"{PREFIX}/{path}").status_code == 404, path


@pytest.mark.parametrize("role", ["viewer", "user"])
def test_who_may_trigger_runs_may_freeze_and_others_look(visit, journal, role):
    page = visit(role).get(PAGE)
    assert page.status_code == 200
    assert "Trading goes on" in page.text
    assert ("Freeze all trading" in page.text) is (role == "user")
    # Naming a DAG in the address changes nothing, and neither does a token of somebody who may.
    answer = visit(role).post(f"{FREEZE}?dag_id=mine", data={"token": _token(visit("user"))})
    assert answer.status_code == (303 if role == "user" else 403)
    assert journal.trading_state()["state"] == ("HALTED" if role == "user" else "NORMAL")


def test_freeze_stops_everything_and_says_who(visit, journal):
    browser = visit("user")
    answer = browser.post(FREEZE, data={"token": _token(browser)})
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    state = journal.trading_state()
    assert (state["state"], state["changed_by"]) == ("HALTED", "airflow:user")
    page = browser.get(PAGE).text
    assert "Frozen" in page
    assert "airflow:user: from the Trading page" in page
    assert "Freeze all trading" not in page
    # Pressed once more from an old page: who froze first stays.
    other = visit("admin")
    assert other.post(FREEZE, data={"token": _forged(other, "admin")}).status_code == 303
    assert journal.trading_state() == state


def test_a_frozen_journal_refuses_a_real_order(run_dag, account, api_server, visit_here):
    browser = visit_here("user")
    assert browser.post(FREEZE, data={"token": _token(browser)}).status_code == 303
    run = run_dag("place")
    assert run.state == "failed"
    assert "Trading is frozen" in run.output
    assert account.orders() == 0


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        ("", {}),
        ("0" * 64, {}),
        ("é", {}),
        ("of viewer", {}),
        ("own", {"Sec-Fetch-Site": "cross-site"}),
        ("own", {"Sec-Fetch-Site": "same-site"}),
    ],
)
def test_no_other_site_can_press_the_button(visit, journal, token, headers):
    browser = visit("admin")
    token = {"own": _token(browser), "of viewer": _forged(browser, "viewer")}.get(token, token)
    assert browser.post(FREEZE, data={"token": token}, headers=headers).status_code == 403
    assert journal.trading_state()["state"] == "NORMAL"
    answer = browser.post(FREEZE, data={"token": _token(browser)}, headers={"Sec-Fetch-Site": "same-origin"})
    assert answer.status_code == 303


def test_a_token_lasts_until_the_next_day_ends(visit):
    from tradehook_provider.plugin.pages import is_token_of, token_for

    user = type("User", (), {"get_id": lambda _: "ann"})()
    days = [f"{datetime.now(UTC) - timedelta(days=ago):%Y-%m-%d}" for ago in range(3)]
    assert [is_token_of(user, token_for(user, day=day)) for day in days] == [True, True, False]


def test_it_can_be_framed_by_airflow_alone_and_runs_no_script(visit):
    answer = visit("viewer").get(PAGE)
    policy = answer.headers["content-security-policy"]
    assert "frame-ancestors 'self'" in policy
    assert "default-src 'none'" in policy
    assert "<script" not in answer.text
    assert " style=" not in answer.text, "the policy would drop it"
    assert answer.headers["cache-control"] == "no-store"


def test_an_empty_journal_says_that_it_may_be_another(visit, tmp_path):
    text = visit("viewer").get(PAGE).text
    assert "Nothing was asked for" in text
    assert "another journal" in text
    assert f"{tmp_path}/journal.db" in text


def test_real_orders_limits_and_a_rebalance_are_shown(run_dag, account, visit_here):
    assert run_dag("place").state == "success"
    assert run_dag("place", {"amount": "1,000"}).state == "failed"
    with _journal() as journal:
        (placed,) = [intent for intent in journal.list() if intent.kind == "order" and intent.account_id]
        from tradehook.desk.limits import Limits

        limits = Limits(day=Decimal(500), unknowns=2)
        journal.limits.set(placed.host, placed.account_id, limits, by="test")
    text = visit_here("viewer").get(PAGE).text
    assert "Buy 0.0010 BTC" in text
    assert "Filled: bought 0.0010 BTC" in text
    assert f"{placed.notional:,.2f} of 500.00" in text
    share = placed.notional / 5
    assert f'<rect class="used" width="{share:.1f}"' in text
    assert "0 of 2" in text


def test_a_rebalance_is_drawn_before_after_and_at_its_target(run_dag, account, visit_here):
    assert run_dag("rebalance_now").state == "success"
    text = visit_here("viewer").get(PAGE).text
    with _journal() as journal:
        (plan,) = [intent for intent in journal.list() if intent.kind == "plan"]
    for held in plan.request["holdings"]:
        told = re.search(rf"{held['symbol']}: ([\d.]+) % before, ([\d.]+) % after, target (\d+) %", text)
        assert told, held["symbol"]
        before, after, target = (Decimal(figure) for figure in told.groups())
        assert before == Decimal(held["percent"])
        # The plan leaves what is within its band, and buys leave a reserve; the orders really brought it there.
        assert abs(after - target) < Decimal("1.2"), held["symbol"]
    assert "carried out" in text


def test_an_unknown_outcome_stands_in_red_with_what_to_do(run_dag, account, visit_here, monkeypatch, tmp_path):
    from tradehook_airflow_home import connect

    connect(monkeypatch, tmp_path, account, timeout_seconds=1)
    account.fault("error_before", status=503)
    assert run_dag("place").state == "failed"
    with _journal() as journal:
        (doubt,) = journal.list(states=[State.UNKNOWN])
    text = visit_here("viewer").get(PAGE).text
    assert "1 outcome is unknown" in text
    assert f"<code>tradehook intents resolve {doubt.intent_id} --as placed:ID</code>" in text
    assert f"<code>tradehook intents show {doubt.intent_id}</code>" in text
    assert re.search(r'class="bad">UNKNOWN</span>: Buy 0\.0010 BTC', text)


def test_what_people_wrote_is_shown_and_never_run(visit, journal):
    evil = "<script>alert(1)</script>'\"&"
    journal.set_trading_state("HALTED", by=evil, why=evil)
    journal.prepare(
        "one", kind="order", exchange="true_markets", host="h", environment="sandbox", account=evil, source=evil,
        asked={"side": evil},
    )  # fmt: skip
    text = visit("viewer").get(PAGE).text
    assert "<script" not in text
    assert text.count("&lt;script&gt;alert(1)&lt;/script&gt;") == 5


def test_a_journal_that_cannot_be_read_is_said_and_not_made_up(visit, monkeypatch, tmp_path):
    (tmp_path / "broken.db").write_text("this is no database, however often it is opened" * 50)
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", f"sqlite:///{tmp_path}/broken.db")
    answer = visit("admin").get(PAGE)
    assert answer.status_code == 503
    assert "The journal cannot be read" in answer.text
    assert visit("admin").post(FREEZE, data={"token": _forged(visit("admin"), "admin")}).status_code == 503


def test_the_journal_can_come_from_a_connection(visit, monkeypatch, tmp_path):
    place = tmp_path / "other.db"
    Journal.open(f"sqlite:///{place}").close()
    monkeypatch.setenv("AIRFLOW_CONN_JOURNAL", json.dumps({"conn_type": "sqlite", "host": str(place)}))
    monkeypatch.setenv("AIRFLOW__TRADEHOOK__JOURNAL_CONN_ID", "journal")
    assert str(place) in visit("viewer").get(PAGE).text
    monkeypatch.setenv("AIRFLOW__TRADEHOOK__JOURNAL_CONN_ID", "missing")
    answer = visit("viewer").get(PAGE)
    assert answer.status_code == 503
    assert "There is no connection missing" in answer.text


def test_a_servers_password_is_not_shown(visit, monkeypatch):
    monkeypatch.setenv("TRADEHOOK_JOURNAL_URL", "postgresql://ann:s3cret@127.0.0.1:1/journal")
    answer = visit("viewer").get(PAGE)
    assert answer.status_code == 503
    assert "s3cret" not in answer.text


def test_an_order_of_yesterday_is_gone(journal):
    from tradehook_provider.plugin import reading

    asked = {"exchange": "true_markets", "host": "h", "environment": "sandbox", "account": "a", "source": "s"}
    journal.prepare("old", kind="order", asked={"side": "buy"}, **asked)
    url = str(journal.engine.url)
    assert len(reading.read(url).orders) == 1
    assert reading.read(url, now=datetime.now(UTC) + timedelta(days=1, seconds=1)).orders == []


def test_every_airflow_process_loads_the_plugin_for_nearly_nothing():
    code = (
        "import airflow.plugins_manager, sys; before = {*sys.modules}\n"
        "import tradehook_provider.plugin\n"
        "print(*sorted({*sys.modules} - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {*loaded} <= {"tradehook_provider", "tradehook_provider.plugin"}
    assert urlsplit(TradehookPlugin.external_views[0]["href"]).path == PAGE


def _journal():
    from tradehook_provider.connections import default_journal

    return Journal.open(default_journal())


def _token(browser):
    return re.search(r'name="token" value="([0-9a-f]{64})"', browser.get(PAGE).text)[1]


def _forged(browser, name):
    """A token as a page for that person would hold it."""
    from tradehook_provider.plugin.pages import token_for

    return token_for(type("User", (), {"get_id": lambda _: name})())
