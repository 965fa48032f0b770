"""Telegram's HTML: what is taken, what is refused, and in which words. The cases were worked out from TDLib's rules."""

from __future__ import annotations

import json

import pytest

from tradehook_sandbox.telegram.content.entities import found_in, utf16_slice
from tradehook_sandbox.telegram.content.markup import MarkupError, parse_html
from tradehook_sandbox.telegram.content.texts import caption_text, message_text
from tradehook_sandbox.telegram.shapes import ApiError

SURROGATES = (
    "Text contains invalid Unicode characters after decoding HTML entities, check for unmatched surrogate code units"
)


@pytest.mark.parametrize(
    ("source", "text", "kinds"),
    [
        ("plain", "plain", []),
        ("<b>a</b>c", "ac", [("bold", 0, 1)]),
        ("<B>a</B>", "a", [("bold", 0, 1)]),
        ("<strong>a</strong><em>b</em><ins>c</ins><del>d</del>", "abcd",
         [("bold", 0, 1), ("italic", 1, 1), ("underline", 2, 1), ("strikethrough", 3, 1)]),
        ("a &lt;b&gt; &amp; &quot;c&quot; &#65;&#x42;", 'a <b> & "c" AB', []),
        ("R&D &copy; &", "R&D &copy; &", []),
        ("1 > 0", "1 > 0", []),
        ("<i>a<b>b</b></i>", "ab", [("bold", 1, 1), ("italic", 0, 2)]),
        ("<b></b>x", "x", []),
        ("<b>x</>", "x", [("bold", 0, 1)]),
        ("\U0001f600<b>\U0001f600</b>", "\U0001f600\U0001f600", [("bold", 2, 2)]),
        ('<span class="tg-spoiler">s</span>', "s", [("spoiler", 0, 1)]),
        ("<tg-spoiler>s</tg-spoiler>", "s", [("spoiler", 0, 1)]),
        ("<blockquote expandable>q</blockquote>", "q", [("expandable_blockquote", 0, 1)]),
        ("<a>no address</a>", "no address", []),
        ("<a href='tg://user?id=42'>Ann</a>", "Ann", [("text_mention", 0, 3)]),
    ],
)  # fmt: skip
def test_html_becomes_text_and_entities(source: str, text: str, kinds: list[tuple[str, int, int]]) -> None:
    """Tags become entities counted in UTF-16 units; references become characters."""
    parsed, entities = parse_html(source)
    assert parsed == text
    assert [(entity["type"], entity["offset"], entity["length"]) for entity in entities] == kinds


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("<foo>x</foo>", 'Unsupported start tag "foo" at byte offset 0'),
        ("é <br>", 'Unsupported start tag "br" at byte offset 3'),
        ("price < 5", 'Unsupported start tag "" at byte offset 6'),
        ("a <b", "Unclosed start tag at byte offset 2"),
        ("<b>x", 'Can\'t find end tag corresponding to start tag "b"'),
        ("x</b>", "Unexpected end tag at byte offset 1"),
        ("<b>x</i>", 'Unmatched end tag at byte offset 4, expected "</b>", found "</i>"'),
        ("<b>x</b", "Unclosed end tag at byte offset 4"),
        ("<b><i>x</b></i>", 'Unmatched end tag at byte offset 7, expected "</i>", found "</b>"'),
        ("<span>x</span>", 'Tag "span" must have class "tg-spoiler" at byte offset 0'),
        ("<b =x>y</b>", 'Empty attribute name in the tag "b" at byte offset 0'),
        ("<a href=x,y>z</a>", "Unexpected end of name token at byte offset 8"),
        ('<a href="x', "Unclosed start tag at byte offset 0"),
        ("<tg-emoji emoji-id='x'>y</tg-emoji>", "Invalid custom emoji identifier specified"),
        ("&#xD800;", SURROGATES),
    ],
)  # fmt: skip
def test_bad_html_is_refused_in_telegrams_words(source: str, reason: str) -> None:
    """The error names the tag and the byte, which is what a bot's log has to go by."""
    with pytest.raises(MarkupError) as refusal:
        parse_html(source)
    assert str(refusal.value) == reason


def test_links_have_whole_addresses() -> None:
    """An address without scheme or path gets both, as Telegram stores it; one that is none is dropped."""
    _, entities = parse_html(
        '<a href="example.com">x</a><a href="https://e.org/p?a=1&amp;b=2">y</a><a href="ftp://z">z</a>'
    )
    assert [entity["url"] for entity in entities] == ["http://example.com/", "https://e.org/p?a=1&b=2"]


def test_code_with_a_language_is_one_block() -> None:
    """`<pre><code class="language-x">` is a block with a language; a language on code alone is forgotten."""
    assert parse_html('<pre><code class="language-python">x</code></pre>')[1] == [
        {"type": "pre", "offset": 0, "length": 1, "language": "python"}
    ]
    assert parse_html('<code class="language-python">x</code>')[1] == [{"type": "code", "offset": 0, "length": 1}]


def test_text_is_trimmed_and_entities_move_with_it() -> None:
    """White space around a text goes; entities keep covering the same words, outer before inner."""
    result = message_text("  \n <i><b>Buy</b> now </i> ", too_long="", parse_mode="HTML")
    assert result.text == "Buy now"
    assert [(e["type"], utf16_slice(result.text, e["offset"], e["length"])) for e in result.entities] == [
        ("italic", "Buy now"),
        ("bold", "Buy"),
    ]


def test_telegram_marks_commands_mentions_and_links_by_itself() -> None:
    """They are found in any text, except inside code."""
    found = found_in("/buy@my_bot 1, ask @Anna_b or https://e.org/a. not a/b or a@bcde")
    assert [entity["type"] for entity in found] == ["bot_command", "mention", "url"]
    assert found[0] == {"type": "bot_command", "offset": 0, "length": 11}
    assert message_text("<code>/buy</code> /sell", too_long="", parse_mode="HTML").entities == [
        {"type": "code", "offset": 0, "length": 4},
        {"type": "bot_command", "offset": 5, "length": 5},
    ]


@pytest.mark.parametrize(
    ("source", "mode", "reason"),
    [
        ("", "", "message text is empty"),
        (" \n", "", "text must be non-empty"),
        ("<b> </b>", "HTML", "text must be non-empty"),
        ("x" * 4097, "", "message is too long"),
        ("\U0001f600" * 2049, "", "message is too long"),
        ("x", "Markdown 5", "unsupported parse_mode"),
        ("<b>", "HTML", "can't parse entities: Can't find end tag corresponding to start tag \"b\""),
    ],
)
def test_limits_of_a_text(source: str, mode: str, reason: str) -> None:
    """1 to 4096 UTF-16 units, counted after parsing."""
    with pytest.raises(ApiError) as refusal:
        message_text(source, too_long="message is too long", parse_mode=mode)
    assert refusal.value.description == f"Bad Request: {reason}"


def test_markup_does_not_count_towards_the_limit() -> None:
    """4096 characters between tags are a message; 1024 a caption; one more is none."""
    assert len(message_text(f"<b>{'&lt;' * 4096}</b>", too_long="", parse_mode="html").text) == 4096
    assert len(caption_text("x" * 1024).text) == 1024
    with pytest.raises(ApiError, match="message caption is too long"):
        caption_text("x" * 1025)


def test_a_flood_of_entities_is_cut_and_costs_little() -> None:
    """A message keeps a hundred entities, and the rest is dropped without looking at every pair."""
    assert len(message_text("<b>a</b> " * 1300, too_long="", parse_mode="HTML").entities) == 100
    assert len(message_text("/a " * 1300, too_long="").entities) == 100


def test_entities_may_be_sent_instead_of_markup() -> None:
    """They are taken as they are, within the text, and only what Telegram knows of them is kept."""
    sent = [
        {"type": "bold", "offset": 0, "length": 3, "colour": "red"},
        {"type": "text_link", "offset": 4, "length": 3, "url": "e.org"},
        {"type": "pre", "offset": 8, "length": 1, "language": "sql"},
    ]
    assert message_text("Buy now 1", too_long="", entities=json.dumps(sent)).entities == [
        {"type": "bold", "offset": 0, "length": 3},
        {"type": "text_link", "offset": 4, "length": 3, "url": "http://e.org/"},
        {"type": "pre", "offset": 8, "length": 1, "language": "sql"},
    ]


@pytest.mark.parametrize(
    ("entities", "reason"),
    [
        ("{", "can't parse entities: can't parse entities JSON object"),
        ("{}", "can't parse entities: expected an Array of MessageEntity"),
        ("[5]", "expected an Object"),
        ('[{"type": "bold", "offset": true, "length": 1}]', "must be of type Number"),
        ('[{"type": "blinking", "offset": 0, "length": 1}]', "unsupported MessageEntity type"),
        ('[{"type": "bold", "offset": 2, "length": 9}]', "ends after the end of the text"),
        ('[{"type": "text_link", "offset": 0, "length": 1, "url": "x y"}]', "entity URL 'x y' is invalid"),
    ],
)
def test_bad_entities_are_refused(entities: str, reason: str) -> None:
    """With the field that is wrong."""
    with pytest.raises(ApiError, match=reason):
        message_text("text", too_long="", entities=entities)


@pytest.mark.parametrize("mode", ["Markdown", "MarkdownV2"])
def test_markdown_is_refused_by_name(mode: str) -> None:
    """Telegram has it, the stand-in does not, and says so instead of showing the asterisks."""
    with pytest.raises(ApiError, match=f"the sandbox reads HTML and plain text, not {mode}"):
        message_text("*x*", too_long="", parse_mode=mode)
