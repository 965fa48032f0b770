"""Messages from Airflow to a chat, over sockets to the sandbox's Bot API; none of them ever fails a trade."""

from __future__ import annotations

import asyncio
import json
import secrets
import socket
import threading

import pytest

from tradehook_provider.get_provider_info import get_provider_info
from tradehook_provider.notifications import telegram
from tradehook_provider.notifications.telegram import TelegramNotifier
from tradehook_provider.telegram_messages import LONGEST
from tradehook_sandbox.telegram.driver import Person


class Chat:
    """A person who has started a bot of this test alone."""

    def __init__(self, server, monkeypatch, **extra) -> None:
        self.server, self.monkeypatch = server, monkeypatch
        self.token = f"{secrets.randbelow(10**9) + 10**6}:{secrets.token_hex(20)}"
        self.person = Person(server.url, user=f"ann{secrets.token_hex(4)}", token=self.token)
        self.person.say("/start")
        self.connect(**extra)

    def connect(self, *, host=None, password=None, **extra) -> None:
        connection = {
            "conn_type": "telegram",
            "host": str(self.person.chat) if host is None else host,
            "password": self.token if password is None else password,
            "extra": {"base_url": self.server.url, **extra},
        }
        self.monkeypatch.setenv("AIRFLOW_CONN_TELEGRAM_DEFAULT", json.dumps(connection))

    def fault(self, kind, **more) -> None:
        self.person.remote.post("/faults", method="sendMessage", kind=kind, token=self.token, **more)

    def told(self) -> list[str]:
        return [message.text for message in self.person.messages() if message.from_bot]


@pytest.fixture
def chat(sandbox_server, monkeypatch, airflow_database):
    return Chat(sandbox_server, monkeypatch)


@pytest.fixture
def logged(capfd, caplog):
    """Everything that was logged since it was asked last, by Airflow or by a library."""
    caplog.set_level("DEBUG")

    def since():
        text = "".join(capfd.readouterr()) + caplog.text
        caplog.clear()
        return text

    return since


@pytest.fixture(params=["sync", "async"])
def tell(request):
    """Tell in both ways: called as a callback, awaited as in a triggerer."""

    def told(**arguments):
        if request.param == "sync":
            TelegramNotifier(**arguments)({})
            return

        async def awaited():
            await TelegramNotifier(**arguments, context={})

        asyncio.run(awaited())

    return told


def test_the_message_arrives_with_a_bold_title(chat, tell):
    tell(title="Geld 💶", text="Buy 0.01 BTC")
    (message,) = [message for message in chat.person.messages() if message.from_bot]
    assert message.text == "Geld 💶\nBuy 0.01 BTC"
    # The sign is two units, as Telegram counts.
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in message.entities] == [("bold", 0, 7)]


@pytest.mark.parametrize("text", ["<b>no</b> & <i", "*a_b* [x](http://y) `c", "\ud800 half", "a" * 4096])
def test_what_looks_like_markup_is_text(chat, tell, text):
    tell(text=text)
    assert chat.told() == [text.replace("\ud800", "?")]


def test_a_text_that_is_too_long_is_cut_and_arrives(chat, tell):
    tell(title="Long", text="💶" * 5000)
    (text,) = chat.told()
    assert text.startswith("Long\n💶")
    assert text.endswith("💶…")
    assert LONGEST - 2 <= len(text.encode("utf-16-le")) // 2 <= LONGEST


def test_chat_id_wins_over_the_connection(chat, tell):
    chat.connect(host="1")
    tell(text="to you", chat_id=chat.person.chat)
    assert chat.told() == ["to you"]


def test_a_429_is_obeyed_once(chat, tell, logged):
    chat.fault("rate_limited", retry_after=0)
    tell(text="at last")
    assert chat.told() == ["at last"]
    chat.fault("rate_limited", retry_after=0, times=2)
    tell(text="not this one")
    assert chat.told() == ["at last"]
    assert "Not told in Telegram: Telegram answered 429" in logged()


def test_a_429_for_longer_than_a_callback_may_take_is_not_waited_for(chat, tell, logged):
    chat.fault("rate_limited", retry_after=86400)
    tell(text="tomorrow")
    assert chat.told() == []
    assert "answered 429" in logged()


def test_what_got_no_answer_may_have_arrived_and_is_not_sent_again(chat, tell, logged):
    chat.fault("error_after", status=502)
    tell(text="once")
    chat.fault("timeout_after", seconds=5)
    tell(text="slow", timeout_seconds=0.3)
    assert chat.told() == ["once", "slow"]
    said = logged()
    assert "answered 502" in said
    assert "did not answer within 0.3 s" in said


@pytest.mark.parametrize(
    ("connection", "says"),
    [
        ({"password": ""}, "is no bot token"),
        ({"password": "not-a-token/../x"}, "is no bot token"),
        ({"host": ""}, "names no chat"),
        ({"host": "999999999"}, "Telegram answered 400 (Bad Request: chat not found)"),
        ({"base_url": "http://telegram.example"}, "without TLS"),
        ({"base_url": 7}, "should be text"),
        ({"base_url": "http://127.0.0.1:1"}, "could not be reached"),
    ],
)
def test_a_wrong_connection_is_logged_and_nothing_is_raised(chat, tell, logged, connection, says):
    chat.connect(**connection)
    tell(text="hello")
    assert chat.told() == []
    said = logged()
    assert says in said
    assert "goes on" in said
    assert chat.token not in said


def test_a_missing_connection_is_logged_and_nothing_is_raised(chat, tell, logged):
    tell(text="hello", telegram_conn_id="nowhere")
    assert "Not told in Telegram: AirflowNotFoundException" in logged()


def test_an_answer_that_is_none_is_logged_without_the_token(chat, tell, logged):
    """A server that says the address back, token and all."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer():
            peer, _ = listener.accept()
            with peer:
                asked = peer.recv(65536).split(b"\r\n")[0]
                body = json.dumps({"description": asked.decode()}).encode()
                peer.sendall(b"HTTP/1.1 404 Not Found\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))

        thread = threading.Thread(target=answer)
        thread.start()
        chat.connect(base_url=f"http://127.0.0.1:{listener.getsockname()[1]}")
        tell(text="hello")
        thread.join()
    said = logged()
    assert "answered 404 (POST /bot***/sendMessage" in said
    assert chat.token.partition(":")[2] not in said


def test_no_repr_shows_the_token(chat):
    from airflow.sdk import BaseHook

    message = TelegramNotifier(text="x")._message(BaseHook.get_connection("telegram_default"), {})
    assert chat.token not in f"{message!r} {message.bot!r}"
    assert chat.token in message.request().url


def test_a_filled_order_and_a_failed_one_are_told(run_dag, account, monkeypatch):
    chat = Chat(account, monkeypatch)
    run = run_dag("place_and_tell")
    assert run.state == "success", run.output
    assert run_dag("place_and_tell", {"amount": "1,000"}).state == "failed"
    assert chat.told() == [
        "Filled\nplace of place_and_tell bought 0.001 <b>BTC</b>",
        "Failed\nplace of place_and_tell",
    ]
    assert chat.token not in run.output


@pytest.mark.parametrize("trouble", ["no chat", "no answer", "template"])
def test_a_message_that_cannot_be_sent_fails_no_trade(run_dag, account, monkeypatch, trouble):
    chat = Chat(account, monkeypatch)
    if trouble == "no chat":
        chat.connect(host="999999999")
    if trouble == "no answer":
        chat.fault("error_before", status=502)
    run = run_dag("place_and_misspell" if trouble == "template" else "place_and_tell")
    assert run.state == "success", run.output
    assert (account.orders(), chat.told()) == (1, [])
    assert "Not told in Telegram" in run.output
    assert chat.token not in run.output


def test_airflow_knows_of_it():
    assert get_provider_info()["notifications"] == [f"{telegram.__name__}.TelegramNotifier"]


# --- left for the bot -------------------------------------------------------------------------------------------------


@pytest.fixture
def journal(monkeypatch, tmp_path, account):
    """The journal of `true_markets_default`, and what is left in it."""
    from tradehook.desk.journal import Journal
    from tradehook.desk.messages import Messages

    with Journal.open(f"sqlite:///{tmp_path}/journal.db") as opened:
        yield Messages(opened.engine)


TI = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1}


def context_of(**more):
    from types import SimpleNamespace

    return {"ti": SimpleNamespace(**TI), "run_id": "r", **more}


def test_a_message_can_be_left_for_the_bot_in_either_way_and_is_one_message(journal):
    def told():
        return TelegramNotifier(title="Bought <b>", text="{{ run_id }}", outbox_of="true_markets_default", silent=True)

    told()(context_of())
    told()(context_of())

    async def from_a_loop():
        await TelegramNotifier(
            title="Bought <b>", text="r", outbox_of="true_markets_default", silent=True, context=context_of()
        )

    asyncio.run(from_a_loop())
    (left,) = journal.after(0)
    assert (left.title, left.body, left.account) == ("Bought <b>", "r", "true_markets_default")
    assert (left.source, left.is_silent) == ("airflow:d/r/t", True)


def test_what_cannot_be_left_is_logged_and_fails_nothing(journal, logged):
    TelegramNotifier(text="x", outbox_of="no_such_connection")(context_of())
    assert "Not told in Telegram" in logged()
    TelegramNotifier(text=" ", outbox_of="true_markets_default")(context_of())
    assert "There is nothing to tell" in logged()
    assert journal.after(0) == []


# --- pictures ---------------------------------------------------------------------------------------------------------

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360f8cf50000003010100c9fe92ef"
    "0000000049454e44ae426082"
)


def test_a_picture_stands_above_its_text(chat):
    TelegramNotifier(title="Today", text="a & <b> \u20ac\U0001f600", picture=PNG)({})
    (message,) = [message for message in chat.person.messages() if message.from_bot]
    assert message.text == "Today\na & <b> \u20ac\U0001f600"
    assert chat.person.picture(message) == PNG


def test_a_text_that_is_too_long_for_a_picture_comes_after_it(chat):
    TelegramNotifier(title="Today", text="x" * 2000, picture=PNG)({})
    first, second = [message for message in chat.person.messages() if message.from_bot]
    assert (first.text, second.text) == ("Today", "x" * 2000)
    assert chat.person.picture(first) == PNG
