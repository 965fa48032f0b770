"""The doors: how the server stops, what the person's side answers, and that no input whatever makes it fall over."""

from __future__ import annotations

import asyncio
import logging
import string

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette

from tradehook_sandbox.telegram.driver import Person
from tradehook_sandbox.telegram.methods import METHODS
from tradehook_sandbox.telegram.phone.remote import Remote, SandboxRefused, SandboxUnreachable
from tradehook_sandbox.telegram.server import routes
from tradehook_sandbox.telegram.world import World

SECRET = "A" * 35
BASE = "/_sandbox/telegram"


# How it stops.


async def poll(url: str) -> dict[str, object]:
    """What a bot's long poll of 30 seconds answers."""
    async with httpx.AsyncClient(timeout=20) as client:
        return (await client.post(f"{url}/bot7:{SECRET}/getUpdates", json={"timeout": 30})).json()


def polling(world: World) -> bool:
    """A bot waits."""
    return any(bot.polling for bot in world.bots.values())


@pytest.mark.parametrize("told", [True, False])
def test_a_long_poll_does_not_hold_up_the_shutdown(fresh, eventually, caplog, told):
    """Told first, polls end at once; not told, when uvicorn cancels them. Both ways as an empty poll, no traceback."""

    async def poll_until_shutdown() -> dict[str, object]:
        waiting = asyncio.create_task(poll(fresh.url))
        await asyncio.to_thread(eventually, lambda: polling(fresh.world), "a poll waits")
        if told:
            fresh.world.stop()
        fresh.server.should_exit = True
        return await waiting

    with caplog.at_level(logging.WARNING):
        assert asyncio.run(poll_until_shutdown()) == {"ok": True, "result": []}
        fresh.thread.join(10)
    assert not fresh.thread.is_alive()
    assert "Exception" not in caplog.text
    assert ("graceful shutdown exceeded" in caplog.text) is not told


def test_a_bot_that_hangs_up_leaves_no_poll_behind(fresh, eventually):
    """The poll of a killed bot ends with its connection, and not after its timeout."""

    async def hang_up() -> None:
        waiting = asyncio.create_task(poll(fresh.url))
        await asyncio.to_thread(eventually, lambda: polling(fresh.world), "a poll waits")
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)

    asyncio.run(hang_up())
    eventually(lambda: not polling(fresh.world), "the poll is gone")


def test_who_follows_events_hears_of_the_end(fresh):
    """The chat client tells a shutdown from a quiet bot."""
    fresh.world.stop()
    assert Remote(fresh.url).get("/events", waits_seconds=30)["stopping"] is True


# What the person's side answers.


def test_which_bot_is_meant(fresh):
    """None, one, several; by token, id and username; one nobody connected to yet."""
    remote = Remote(fresh.url)
    with pytest.raises(SandboxRefused, match="no bot has connected yet"):
        remote.post("/say", text="hello")
    first = remote.post("/say", text="hello", token=f"7:{SECRET}")["bot"]
    assert (first["id"], first["username"], first["polling"], first["pending_updates"]) == (
        7,
        "sandbox_7_bot",
        False,
        1,
    )
    assert remote.post("/say", text="again")["bot"]["pending_updates"] == 2
    remote.post("/bots", token=8, username="desk_bot", name="The desk")
    with pytest.raises(SandboxRefused, match="@sandbox_7_bot, @desk_bot"):
        remote.post("/say", text="hello")
    for name in (8, "8", "@desk_bot", "Desk_Bot"):
        assert remote.post("/say", text="hello", token=name)["bot"]["name"] == "The desk"
    with pytest.raises(SandboxRefused, match="known: @sandbox_7_bot, @desk_bot"):
        remote.post("/say", text="hello", token="nobody_bot")
    with pytest.raises(SandboxRefused, match="is another bot"):
        remote.post("/bots", token=9, username="DESK_bot")


def test_no_answer_of_the_persons_side_holds_a_token(fresh):
    """Only the public half is shown, whatever is asked."""

    async def everything() -> str:
        async with httpx.AsyncClient(base_url=fresh.url) as client:
            await client.get(f"/bot7:{SECRET}/getMe")
            said = await client.post(f"{BASE}/say", json={"text": "/start", "token": f"7:{SECRET}"})
            answers = [
                await client.get(BASE + path) for path in ("/bots", "/transcript", "/events", "/commands", "/faults")
            ]
            wrong = await client.post(f"{BASE}/say", json={"text": "x", "token": "7:" + "B" * 35})
            return "".join(answer.text for answer in [said, *answers, wrong])

    text = asyncio.run(everything())
    assert '"token":"7:…"' in text
    assert "AAAA" not in text
    assert "BBBB" not in text


def test_the_transcript_since_an_event_has_only_what_changed(fresh):
    """A reader that comes back asks for the rest."""
    ann = Person(fresh.url, user="Ann", token=7)
    ann.say("one")
    position = ann.remote.get("/transcript")["next"]
    two = ann.say("two")
    later = ann.remote.get("/transcript", since=position, chat="Ann")
    assert [message["message_id"] for message in later["messages"]] == [two.id]
    assert ann.remote.get("/transcript", chat=1)["messages"] == []


def test_the_person_sees_the_menu_the_bot_set(fresh, connected):
    """By chat, with every menu beside it."""
    ann = Person(fresh.url, user="Ann", token=f"7:{SECRET}")
    ann.say("/start")

    async def set_menu() -> None:
        async with connected(fresh.url, f"7:{SECRET}") as bot:
            await bot.set_my_commands([("buy", "Buy something")])

    asyncio.run(set_menu())
    menu = ann.remote.get("/commands", chat="Ann")
    assert menu["commands"] == [{"command": "buy", "description": "Buy something"}]
    assert menu["menus"][0]["scope"] == "default"


@pytest.mark.parametrize(
    ("path", "body", "status", "reason"),
    [
        ("/say", {}, 400, "text is missing"),
        ("/say", {"text": " "}, 400, "text is empty"),
        ("/say", {"text": "x" * 4097}, 400, "longer than 4096"),
        ("/say", {"text": 5}, 400, "text must be a string"),
        ("/say", {"text": "x", "user": []}, 400, "user must be a name"),
        ("/say", {"text": "x", "user": {}}, 400, "user must have an id or a name"),
        ("/say", {"text": "x", "user": {"id": -1}}, 400, "a user's id is a number from 1"),
        ("/say", {"text": "x", "user": "a\x1b[2J"}, 400, "printable"),
        ("/say", {"text": "x", "edits": 1}, 404, "there is no message 1"),
        ("/say", {"text": "x", "date": "yesterday"}, 400, "date must be"),
        ("/say", {"text": "x", "date": "2026-01-01T00:00:00"}, 400, "say its zone"),
        ("/say", {"text": "x", "date": 1, "ago_seconds": 1}, 400, "not both"),
        ("/say", {"text": "x", "ago_seconds": -1}, 400, "from 0"),
        ("/say", {"text": "x", "edited": "yes"}, 400, "true or false"),
        ("/say", {"text": "x", "token": "7:short"}, 400, "no bot token"),
        ("/say", {"text": "x", "token": True}, 400, "token must be"),
        ("/tap", {}, 400, "message_id is missing"),
        ("/tap", {"message_id": 1}, 400, "give button"),
        ("/tap", {"message_id": 1, "button": []}, 400, "button must be"),
        ("/tap", {"message_id": 1, "button": 1}, 404, "there is no message 1"),
        ("/block", {"user": "nobody"}, 404, "no chat"),
        ("/faults", {"method": "sendMessage", "kind": "earthquake"}, 400, "one of: rate_limited"),
        ("/faults", {"method": "sendMessage", "kind": "slow", "times": 0}, 400, "times must be"),
        ("/faults", {"method": "sendMessage", "kind": "error_before", "status": 200}, 400, "status must be"),
        ("/bots", {"token": ""}, 400, "token is missing"),
    ],
)
def test_what_a_person_says_wrong_is_explained(sandbox, path, body, status, reason):
    """One sentence, and never a failure of the server's own."""
    with pytest.raises(SandboxRefused) as refusal:
        Remote(sandbox.url).post(path, **{"token": 7, **body})
    assert refusal.value.status == status
    assert reason in refusal.value.message


def test_nobody_there_is_said_plainly():
    """The address is in the message; a wrong one is refused before anything is sent."""
    with pytest.raises(SandboxUnreachable, match="no sandbox answers at http"):
        Remote("127.0.0.1:9").get("/bots")
    with pytest.raises(ValueError, match="is no address of a sandbox"):
        Remote("ftp://127.0.0.1")


def test_a_body_too_large_is_refused():
    """At both doors, in the words of each."""
    body = b" " * (20 * 1024 * 1024 + 1)
    world = World()
    api = asyncio.run(ask(world, "POST", f"/bot7:{SECRET}/sendMessage", content=body))
    assert (api.status_code, api.json()["description"]) == (413, "Request Entity Too Large")
    person = asyncio.run(ask(world, "POST", f"{BASE}/say", content=body))
    assert (person.status_code, person.json()) == (413, {"error": "Request Entity Too Large"})


# That nothing makes it fall over.

ODD = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(2**63, 2**70),
    st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=30),
    st.sampled_from(["<b>", "1", "-1", "7", "[]", "{}", "0", "you", f"7:{SECRET}", "\x00", "/start x"]),
)  # fmt: skip
JSON = st.recursive(
    ODD, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
)
FIELDS = st.sampled_from([
    "chat_id", "text", "message_id", "reply_markup", "parse_mode", "entities", "caption", "photo", "callback_query_id",
    "offset", "limit", "allowed_updates", "commands", "scope", "language_code", "file_id", "action", "url",
    "cache_time",
    "reply_parameters", "show_alert", "user", "token", "button", "forge", "edits", "edited", "forwarded", "reply_to",
    "forwarded_from", "via_bot", "ago_seconds", "date", "method", "kind", "times", "status", "retry_after", "seconds",
    "username", "name", "blocked", "since", "chat", "description",
    "title", "people", "forum", "supergroup", "bot", "topic", "anonymous", "as_channel", "message_thread_id", "user_id",
    "document", "update_id", "as_new", "chat_per_second", "group_per_minute", "overall_per_second",
])  # fmt: skip
TELEGRAM = st.sampled_from([*METHODS, "getUpdates", "sendDice", "%00", "..%2f", "é"])
PERSON = st.sampled_from(
    [
        "/say",
        "/tap",
        "/block",
        "/bots",
        "/faults",
        "/transcript",
        "/events",
        "/commands",
        "/photos/x",
        "/nothing",
        "/documents/x",
        "/groups",
        "/groups/bot",
        "/groups/people",
        "/groups/topics",
        "/groups/migrate",
        "/pace",
        "/updates",
        "/replay",
    ]
)
TYPES = st.sampled_from([
    "application/json", "application/x-www-form-urlencoded", "multipart/form-data", "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=x; charset=utf-16", "multipart/form-data; boundary=", "text/plain", "", 'a;;b="',
])  # fmt: skip
RAW = st.one_of(
    st.binary(max_size=80),
    st.sampled_from([
        b"[" * 100_000, b'{"text": "\\ud800"}', b'{"text": NaN}', b'{"chat_id": ' + b"9" * 5000 + b"}",
        b"text=%ff&chat_id=%",
        b'--x\r\nContent-Disposition: form-data; name="photo"; filename="a"\r\n\r\n\xff\xd8\r\n--x--\r\n',
        b'--x\r\nContent-Disposition: form-data; name="text"\r\n\r\n\xed\xa0\x80\r\n--x--\r\n',
        b"--x\r\nContent-Disposition: form-data\r\n\r\nx\r\n--x--\r\n", b"--x\r\n\r\n",
    ]),
)  # fmt: skip
TOKENS = st.sampled_from([f"7:{SECRET}", f"8:{SECRET}", "7", "", ":", f"7:{'B' * 35}", "%2e%2e", f"{10**30}:{SECRET}"])
FUZZ = settings(
    max_examples=120, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
)


async def ask(world: World, method: str, path: str, **options: object) -> httpx.Response:
    """One request; an exception in the application is raised here."""
    transport = httpx.ASGITransport(app=Starlette(routes=routes(world)), raise_app_exceptions=True)
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as client:
        return await client.request(method, path, **options)


@pytest.fixture(scope="module")
def world() -> World:
    """A world with a little history, stopped so that no poll waits."""
    world = World()
    body = {"text": "/start", "token": f"7:{SECRET}", "user": {"id": 1, "name": "Ann"}}
    asyncio.run(ask(world, "POST", f"{BASE}/say", json=body))
    asyncio.run(ask(world, "POST", f"{BASE}/groups", json={**body, "title": "1", "forum": True}))
    world.stop()
    return world


def sound(response: httpx.Response) -> None:
    """An answer of the server's own making: JSON (or a plain 404 or 405 of the router), and no 500."""
    assert response.status_code < 500, response.text
    if response.headers.get("content-type", "").startswith("application/json"):
        response.json()


@FUZZ
@given(TOKENS, TELEGRAM, st.dictionaries(FIELDS, JSON, max_size=5), st.sampled_from(["json", "data", "params"]))
def test_any_arguments_of_a_bot_are_answered(world, token, method, arguments, how):
    """As JSON, as a form, in the address."""
    sent = arguments if how == "json" else {name: str(value) for name, value in arguments.items()}
    response = asyncio.run(ask(world, "POST", f"/bot{token}/{method}", **{how: sent}))
    sound(response)
    world.faults.waiting.clear()


@FUZZ
@given(TELEGRAM | PERSON, TYPES, RAW)
def test_any_body_is_answered(world, where, content_type, body):
    """Whatever its content type says it is."""
    path = f"{BASE}{where}" if where.startswith("/") else f"/bot7:{SECRET}/{where}"
    sound(asyncio.run(ask(world, "POST", path, content=body, headers={"Content-Type": content_type})))


@FUZZ
@given(PERSON, st.dictionaries(FIELDS, JSON, max_size=5))
def test_anything_a_person_sends_is_answered(world, path, body):
    """In the body, and in the address."""
    sound(asyncio.run(ask(world, "POST", BASE + path, json=body)))
    world.faults.waiting.clear()
    query = {name: str(value) for name, value in body.items()}
    sound(asyncio.run(ask(world, "GET", BASE + path, params=query)))


@FUZZ
@given(st.text(alphabet=string.ascii_letters + "<>/&;#x=\"' \n-\U0001f600", max_size=60))
def test_any_html_is_sent_or_refused(world, text):
    """A message or a 400, and the entities lie within the text."""
    sent = {"chat_id": 1, "text": text, "parse_mode": "HTML"}
    response = asyncio.run(ask(world, "POST", f"/bot7:{SECRET}/sendMessage", json=sent))
    sound(response)
    if response.status_code == 200:
        message = response.json()["result"]
        length = len(message["text"].encode("utf-16-le")) // 2
        assert all(0 <= e["offset"] < e["offset"] + e["length"] <= length for e in message.get("entities", []))
