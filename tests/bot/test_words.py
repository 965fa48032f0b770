"""The pure parts: what is read, what is said, what is kept out of logs."""

from __future__ import annotations

import asyncio
import io
import logging
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tradehook import render
from tradehook.errors import ConfigurationError, InsufficientFunds, InvalidInput, TradehookError
from tradehook.models import Balance, Quote, Side, SizedOrder, Unit
from tradehook_bot import cards, keyboards, replies, router
from tradehook_bot.commands.table import BY_NAME, COMMANDS, meant
from tradehook_bot.commands.trade import read_wish
from tradehook_bot.failures import words_for
from tradehook_bot.ordering import PerChat
from tradehook_bot.redaction import Redaction, redact
from tradehook_bot.settings import BotSettings, read_token, store_token
from tradehook_bot.sweeping import pace_seconds

NOW = datetime(2026, 11, 21, 14, 3, 22, tzinfo=UTC)
TOKEN = "1234567890:AAExampleExampleExampleExampleExamp"
JWT = "eyJhbGciOiJFUzI1NiJ9.eyJ1aWQiOiIxIn0.c2lnbmF0dXJl"


# --- what people type ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "market", "amount", "price", "chain"),
    [
        ("BTC 0.01", "BTC", "0.01", None, None),
        ("0.01 BTC", "BTC", "0.01", None, None),
        ("BTC $250", "BTC", "$250", None, None),
        ("BTC 50%", "BTC", "50%", None, None),
        ("ETH max", "ETH", "max", None, None),
        ("max ETH", "ETH", "max", None, None),
        ("BTC/PYUSD .5", "BTC/PYUSD", "0.5", None, None),
        ("BTC 0.01 limit 64000", "BTC", "0.01", "64000", None),
        ("0.01 BTC at $64000", "BTC", "0.01", "64000", None),
        ("SOL $50 on solana", "SOL", "$50", None, "solana"),
        ("SOL on Solana $50", "SOL", "$50", None, "solana"),
        ("CBBTC max base", "CBBTC", "max", None, "base"),
    ],
)
def test_wishes_are_read(typed, market, amount, price, chain):
    wish = read_wish(typed.split(), side=Side.BUY, chains=("solana", "base"))
    assert (wish.market, str(wish.amount), wish.chain) == (market, amount, chain)
    assert wish.price == (Decimal(price) if price else None)


@given(st.lists(st.text(max_size=12), max_size=6))
@settings(max_examples=300, deadline=None)
def test_nothing_that_is_typed_breaks_the_reading(words):
    words = " ".join(words).split()
    try:
        read_wish(words, side=Side.SELL, chains=("solana",))
    except InvalidInput as error:
        assert words_for(error, example="/sell BTC 0.01")


@given(st.text(max_size=60))
@settings(max_examples=300, deadline=None)
def test_every_text_is_a_command_or_none(text):
    name, words = router.read(text.strip())
    assert isinstance(name, str)
    assert isinstance(words, tuple)


def test_links_in_messages_are_commands():
    assert router.read("/cancel_1b535e85") == ("cancel", ("1b535e85",))
    assert router.read("/order_1b535e85@my_bot") == ("order", ("1b535e85",))
    assert router.read("/BUY@my_bot BTC 1") == ("buy", ("BTC", "1"))
    assert router.read("/cancel_all_of_them")[0] not in BY_NAME


def test_the_menu_is_what_telegram_takes():
    for command in COMMANDS:
        assert re.fullmatch(r"[a-z][a-z_]{0,31}", command.name), command.name
        assert 1 <= len(command.summary) <= 100
        assert all(example.startswith(f"/{command.name}") for example in command.examples)
    assert meant("blance") == "balance"
    assert meant("panic") == "freeze"
    assert meant("xyzzy") is None


# --- the card -----------------------------------------------------------------------------------------------


def sized(side="buy", quantity="0.01", unit="base", price=None, typed=None):
    return SizedOrder(
        base="BTC",
        quote="PYUSD",
        side=side,
        quantity=Decimal(quantity),
        unit=unit,
        price=Decimal(price) if price else None,
        typed=typed or quantity,
    )


def quoted(order, price="67340.2", output=None):
    return Quote(
        base="BTC",
        quote="PYUSD",
        side=order.side,
        quantity=order.quantity,
        unit=order.unit,
        output=Decimal(output)
        if output
        else order.quantity
        if order.side is Side.BUY
        else order.quantity * Decimal(price),
        price=Decimal(price),
        quoted_at=NOW,
    )


HELD = [
    Balance(symbol="PYUSD", total=Decimal(10000), available=Decimal(10000), held=Decimal(0)),
    Balance(symbol="BTC", total=Decimal("0.5"), available=Decimal("0.4"), held=Decimal("0.1")),
    Balance(symbol="BTC", chain="base", total=Decimal(9), available=Decimal(9), held=Decimal(0)),
]


def card(order, *, rate="0.0004", **more):
    terms = cards.Terms.of(order, quoted(order, **more), fee_rate=Decimal(rate) if rate else None)
    body = cards.body(
        terms,
        HELD,
        account="main",
        exchange="True Markets",
        tolerance_percent=Decimal("0.5"),
        expires_at=NOW,
        seconds=30,
    )
    return terms, replies.plain(body)


def test_the_card_of_a_market_buy_word_for_word():
    terms, body = card(sized())
    assert body.split("\n") == [
        "main at True Markets, BTC/PYUSD",
        "Buy 0.0100 BTC at the market price?",
        "",
        "Price: 67,340.2 PYUSD",
        "Cost: 673.40 + fee about 0.27 (not promised) = 673.67 PYUSD",
        "Available after: 0.4100 BTC, about 9,326.33 PYUSD",
        "Good up to: 67,676.9 (0.5 %); above it I ask again",
        "Open until: 14:03:22 UTC (30 s)",
    ]
    assert terms.deed == "Buy 0.0100 BTC for 673.67"


def test_an_unknown_fee_is_said_and_never_nought():
    terms, body = card(sized(), rate=None)
    assert "Cost: 673.40 PYUSD and a fee that the exchange does not tell beforehand" in body
    assert "fee about" not in body
    assert terms.deed == "Buy 0.0100 BTC for 673.40"


def test_a_sale_brings_less_its_fee_and_is_good_downwards():
    terms, body = card(sized("sell", typed="10%"))
    assert "Typed 10%, sends 0.0100 BTC" in body
    assert "Brings: 673.40 - fee about 0.27 (not promised) = 673.13 PYUSD" in body
    assert "Good down to: 67,003.5 (0.5 %); below it I ask again" in body
    assert terms.deed == "Sell 0.0100 BTC for 673.13"


def test_a_limit_order_says_where_it_stands_and_what_it_holds():
    terms, body = card(sized(price="64000"))
    assert "Limit: 64,000.0 PYUSD" in body
    assert "5.22 % above your limit; it waits in the book" in body
    assert "Available while it is open: 9,359.74 PYUSD" in body
    assert "Good up to" not in body
    assert terms.deed == "Buy 0.0100 BTC at 64,000.0"
    _, body = card(sized(price="70000"))
    assert "it fills at once" in body


def test_a_worked_out_quantity_has_no_tail():
    terms, body = card(sized(quantity="250", unit="quote", typed="$250"), output="0.0037")
    assert "Gets: about 0.0037 BTC" in body
    assert terms.deed == "Buy about 0.0037 BTC for 249.26"
    order = sized("sell", quantity="250", unit="quote", typed="$250")
    terms, body = card(order, output="250")
    assert "Gives: about 0.00371249 BTC" in body


def test_what_cannot_be_paid_is_not_asked():
    for order, offer in ((sized("sell", "0.41"), "/sell BTC max"), (sized(quantity="1"), "/buy BTC max")):
        terms = cards.Terms.of(order, quoted(order), fee_rate=None)
        with pytest.raises(InvalidInput, match="available") as caught:
            cards.check_funds(terms, HELD, command=str(order.side))
        assert caught.value.suggestions == (offer,)


@given(st.decimals("0.00001", "900000", places=6), st.sampled_from(Side))
def test_good_up_to_is_never_beyond_the_tolerance(price, side):
    order = sized(str(side))
    quote = quoted(order).model_copy(update={"price": price})
    until = cards.good_until(order, quote, tolerance_percent=Decimal("0.5"))
    low, high = price * Decimal("0.995"), price * Decimal("1.005")
    assert low <= until <= high
    assert until >= price * Decimal("1.0049") or until <= price * Decimal("0.9951")


# --- text and buttons ---------------------------------------------------------------------------------------


def test_long_texts_are_cut_between_lines_and_nothing_is_lost():
    lines = [f"{replies.bold(number)} line <&>" if number % 2 else "x" * 50 for number in range(500)]
    pages = replies.paged("\n".join(lines))
    assert all(len(page) <= replies.LONGEST for page in pages)
    assert "\n".join(pages).split("\n") == lines
    assert len(replies.paged("y" * 100_000)) == 1


def test_markup_is_made_safe_and_can_be_taken_off():
    assert replies.bold("<script>&") == "<b>&lt;script&gt;&amp;</b>"
    assert replies.plain(replies.bold("<script>&")) == "<script>&"


def test_buttons_name_the_deed_and_carry_a_token_only():
    token = "A" * 22
    rows = keyboards.question(token, deed="Buy 0.0100 BTC for 673.67").inline_keyboard
    assert [[button.text for button in row] for row in rows] == [["Cancel"], ["Buy 0.0100 BTC for 673.67"]]
    assert keyboards.read(rows[1][0].callback_data) == ("confirm", token)
    assert keyboards.read(rows[0][0].callback_data) == ("decline", token)
    with pytest.raises(ValueError, match="70 bytes"):
        keyboards.question("A" * 68, deed="x")


@pytest.mark.parametrize("data", [None, "", "y", "y:" + "A" * 21, "z:" + "A" * 22, "y:" + "Ä" * 22, 7, object()])
def test_other_data_is_no_press(data):
    assert keyboards.read(data) is None


def test_errors_speak_chats_language():
    shown = words_for(InsufficientFunds("True Markets said no: insufficient <funds>.", status=400))
    assert shown == "True Markets said no: insufficient &lt;funds&gt;. Look at /balance, or order less."
    assert "For example: <code>/buy BTC 0.01</code>" in words_for(InvalidInput("No."), example="/buy BTC 0.01")
    assert words_for(TradehookError("No."), example="/buy BTC 0.01") == "No."


def test_sources_in_words():
    assert render.source_words("cli") == "the command line"
    assert render.source_words("airflow:rebalance/run/task") == "Airflow (rebalance)"
    assert render.source_words("airflow") == "Airflow"


# --- secrets ------------------------------------------------------------------------------------------------


def test_logs_hold_neither_tokens_nor_jwts():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.addFilter(Redaction())
    log = logging.Logger("test")  # noqa: LOG001 - one that no other test has set up
    log.addHandler(handler)
    log.info("POST https://api.telegram.org/bot%s/getMe %s", TOKEN, JWT)
    log.info("odd %d", TOKEN)
    try:
        raise ValueError(f"The token `{TOKEN}` was rejected; {JWT}")
    except ValueError:
        log.exception("failed with %r", {"token": TOKEN}, stack_info=True)
    written = stream.getvalue()
    assert "Traceback" in written
    assert "<bot token>" in written
    assert "<jwt>" in written
    assert TOKEN not in written
    assert TOKEN.partition(":")[2] not in written
    assert JWT not in written
    assert "eyJ" not in written


def test_what_is_no_secret_stays():
    line = "order 1b535e85 filled at 14:03:22, 67,338.1"
    assert redact(line) == line


# --- settings -----------------------------------------------------------------------------------------------


def test_the_token_is_stored_for_its_owner_only(tmp_path):
    own = BotSettings(config_home=tmp_path)
    path = own.stored_token_file("sandbox")
    with pytest.raises(ConfigurationError, match="setup"):
        read_token(own, environment="sandbox")
    store_token(path, TOKEN)
    store_token(path, TOKEN)
    assert path.stat().st_mode & 0o777 == 0o600
    assert read_token(own, environment="sandbox") == TOKEN
    path.chmod(0o644)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        read_token(own, environment="sandbox")


@pytest.mark.parametrize(
    ("content", "words"),
    [("nonsense", "is not a bot token"), ("", "is not a bot token"), (None, "There is no token file")],
)
def test_a_wrong_token_file_is_named_and_its_content_is_not(content, words, tmp_path):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_token(BotSettings(token_file=path), environment="sandbox")
    assert str(path) in str(caught.value)
    assert not content or content not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TRADEHOOK_TELEGRAM_URL", "ftp://x"),
        ("TRADEHOOK_TELEGRAM_URL", "http://somewhere.else:8787"),
        ("TRADEHOOK_BOT_TOLERANCE_PERCENT", "-1"),
        ("TRADEHOOK_BOT_TOLERANCE_PERCENT", "NaN"),
        ("TRADEHOOK_BOT_MARKET_SECONDS", "a while"),
        ("TRADEHOOK_BOT_LIMIT_SECONDS", "1e9"),
    ],
)
def test_wrong_settings_are_named(name, value):
    with pytest.raises(ConfigurationError, match=name):
        BotSettings.from_environment({name: value})


def test_the_environment_is_read(tmp_path):
    found = BotSettings.from_environment(
        {"TRADEHOOK_TELEGRAM_URL": "http://127.0.0.1:8787/", "TELEGRAM_TOKEN_FILE": str(tmp_path / "t")}
    )
    assert found.telegram_url == "http://127.0.0.1:8787"
    assert found.token_file == tmp_path / "t"
    assert found.market_seconds == 30
    assert BotSettings.from_environment({}).telegram_url == "https://api.telegram.org"


# --- order and pace -----------------------------------------------------------------------------------------


def test_a_chat_is_handled_in_order_and_chats_side_by_side():
    from telegram import Chat, Message, Update, User

    def update(number, chat_id, text="/help"):
        message = Message(number, NOW, Chat(chat_id, "private"), from_user=User(chat_id, "A", is_bot=False), text=text)
        return Update(number, message=message)

    async def run():
        processor = PerChat()
        done = []
        gates = {1: asyncio.Event(), 2: asyncio.Event()}

        async def work(number, chat_id):
            await gates[chat_id].wait()
            done.append(number)

        async def freeze():
            done.append("frozen")

        tasks = [
            asyncio.ensure_future(processor.process_update(update(number, chat), work(number, chat)))
            for number, chat in ((1, 1), (2, 1), (3, 2), (4, 1))
        ]
        tasks.append(asyncio.ensure_future(processor.process_update(update(5, 1, "/freeze@bot now"), freeze())))
        await tasks[4]
        gates[2].set()
        await tasks[2]
        gates[1].set()
        await asyncio.gather(*tasks)
        assert done[0] == "frozen"
        assert done[1:] == [3, 1, 2, 4]
        assert processor._turns == {}

    asyncio.run(run())


def test_young_orders_are_looked_at_more_often():
    paces = [pace_seconds(NOW - timedelta(seconds=age), at=NOW) for age in (0, 19, 60, 3600)]
    assert paces == sorted(paces)
    assert paces[0] < paces[-1] <= 15


def test_units_of_the_model_are_what_the_card_expects():
    assert str(Unit.BASE) == "base"
