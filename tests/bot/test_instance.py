"""One process speaks for a bot, and whoever watches it is told how it is."""

from __future__ import annotations

import socket
from datetime import UTC, datetime

import httpx
import pytest

from tradehook.desk.leases import Leases
from tradehook.errors import ConfigurationError, GuardRefused
from tradehook_bot import health, instance
from tradehook_bot.instance import Instance
from tradehook_bot.outbox import Letter
from tradehook_bot.settings import BotSettings


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture
def claim(store):
    """A claim to be the one, and another."""
    return lambda: Instance(Leases(store.engine), bot_id=1)


# --- the lock --------------------------------------------------------------------------------------------------------


def test_of_two_one_is_refused_until_the_other_gives_it_back(claim):
    first, second = claim(), claim()
    first.take()
    first.take()
    with pytest.raises(GuardRefused, match=f"runs already: process .* on {socket.gethostname()}, since 20"):
        second.take()
    assert first.is_ours
    assert not second.is_ours
    first.release()
    second.take()
    assert second.is_ours
    assert not first.beat()


def test_a_machine_that_is_gone_keeps_its_place_for_half_a_minute(claim, store):
    leases, ours = Leases(store.engine), claim()
    there = {"owner": "elsewhere:7:7", "detail": {"host": "elsewhere", "pid": 7, "since": "2026-11-21T12:00:00Z"}}
    leases.take("telegram bot 1", seconds=30, now=datetime.now(UTC), **there)
    with pytest.raises(GuardRefused, match="process 7 on elsewhere, since 2026-11-21 12:00:00 UTC"):
        ours.take()
    leases.release("telegram bot 1", owner="elsewhere:7:7")
    leases.take("telegram bot 1", seconds=-1, now=datetime.now(UTC), **there)
    ours.take()
    assert ours.is_ours


def test_who_cannot_say_in_time_that_it_runs_has_lost_it_before_others_can_take_it(claim, monkeypatch):
    stopped = claim()
    monkeypatch.setattr(instance, "LEASE_SECONDS", 5.0)  # all of it is margin
    stopped.take()
    assert not stopped.is_ours
    with pytest.raises(GuardRefused):
        claim().take()
    assert not stopped.beat()
    assert stopped.is_lost
    monkeypatch.setattr(instance, "LEASE_SECONDS", 30.0)
    assert not stopped.beat()  # once lost, it stays lost


def test_a_second_process_is_refused_in_words_and_a_dead_ones_place_is_taken_at_once(make_bot):
    bot = make_bot()
    bot.admit(bot.person())
    first = bot.spawn()
    try:
        refused = bot.command("run")
        assert refused.returncode == 3, refused.stderr
        assert f"process   {first.pid} on {socket.gethostname()}, since 20" in bot.command("check").stdout
        assert f"This bot runs already: process {first.pid} on {socket.gethostname()}" in refused.stderr
        first.kill()
        first.wait(timeout=20)
        first = bot.spawn()
        first.terminate()
        assert first.wait(timeout=30) == 0
        assert "process   none runs" in bot.command("check").stdout
    finally:
        first.kill()
        first.wait(timeout=20)


def test_a_process_that_lost_its_place_ends(make_bot):
    bot = make_bot()
    bot.admit(bot.person())
    process = bot.spawn()
    try:
        journal = bot.journal()
        with journal.engine.begin() as connection:
            connection.exec_driver_sql(
                "UPDATE lease SET owner = 'elsewhere:7:7', until = '2099-01-01T00:00:00.000000Z' "
                "WHERE name LIKE 'telegram bot %'"
            )
        journal.close()
        assert process.wait(timeout=30) == 3
    finally:
        process.kill()
        process.wait(timeout=20)
    assert "This one asks and sends nothing more" in bot.log
    assert "another may speak for the bot by now" in bot.log


def test_without_its_place_nothing_is_sent(bot, anna, eventually):
    bot.house.may_send = lambda: False
    bot.house.outbox.put(Letter(anna.chat, "k", "something"))
    bot.run(bot.house.look())
    assert bot.house.outbox.waiting() == 1
    bot.house.may_send = lambda: True
    eventually(lambda: bot.house.outbox.waiting() == 0)


# --- health ----------------------------------------------------------------------------------------------------------


def test_health_says_what_is_well_and_what_is_not(make_bot, monkeypatch, eventually):
    port = free_port()
    bot = make_bot(health_port=port)
    with bot.running(), httpx.Client(base_url=f"http://127.0.0.1:{port}") as http:
        bot.let_in()
        eventually(lambda: http.get("/health").status_code == 200)
        told = http.get("/health").json()
        assert told["ok"] is True
        assert told["lock"]["is_ours"] is True
        assert told["outbox_waiting"] == 0
        assert 0 <= told["polling_age_seconds"] < 60
        assert list(told["sweep_age_seconds"]) == ["main"]
        assert bot.token.partition(":")[2] not in http.get("/health").text
        assert http.get("/other").status_code == 404
        assert http.post("/health").status_code == 405
        assert http.head("/health").content == b""
        monkeypatch.setattr(health, "STALE_POLL_SECONDS", -1.0)
        monkeypatch.setattr(health, "STALE_SWEEP_SECONDS", -1.0)
        stale = http.get("/")
        assert stale.status_code == 503
        assert stale.json()["problems"] == [
            "Telegram has not answered for a minute",
            "what is open at main has not been looked at for three minutes",
        ]
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"http://127.0.0.1:{port}/health")


def test_health_hears_nobody_for_long_and_no_nonsense(make_bot, eventually):
    port = free_port()
    with make_bot(health_port=port).running():
        for said in (b"", b"nonsense\r\n\r\n", b"GET\r\n\r\n", b"GET /" + b"x" * 10_000, b"\xff\x00\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
                line.sendall(said)
                line.shutdown(socket.SHUT_WR)
                answer = b""
                while part := line.recv(4096):
                    answer += part
            assert b"200 OK" not in answer
        eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/health").status_code == 200)


@pytest.mark.parametrize("port", ["-1", "70000", "http", "8 080"])
def test_a_port_that_is_none_is_refused(port):
    with pytest.raises(ConfigurationError, match="TRADEHOOK_BOT_HEALTH_PORT"):
        BotSettings.from_environment({"TRADEHOOK_BOT_HEALTH_PORT": port})


def test_a_port_that_is_taken_is_said(make_bot):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        bot = make_bot()
        bot.admit(bot.person())
        bot.environ_extra["TRADEHOOK_BOT_HEALTH_PORT"] = str(taken.getsockname()[1])
        refused = bot.known().command("run")
    assert refused.returncode == 2, refused.stderr
    assert "cannot be listened on" in refused.stderr
