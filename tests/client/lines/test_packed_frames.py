"""Binary frames: packed or not, they are read as the text they hold, and what is too large to be true is not unpacked."""

from __future__ import annotations

import gzip
import zlib

import pytest

from tradehook import errors
from tradehook.lines.blocking import BlockingLine
from tradehook.lines.streams import LARGEST_MESSAGE_BYTES
from tradehook.run import run
from tradehook.wire import Request

TEXT = '{"channel":"ticker.BTC/USDT","data":{"last":"74000","word":"ü€"}}'


def deflated(content):
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


@pytest.fixture
def heard(stream_peers):
    """What a client reads of one frame."""
    line = BlockingLine()

    def hear(frame):
        def say(peer, connection):
            connection.send(frame)
            peer.done.wait(10)

        stream = run(line.listen(Request("GET", stream_peers.open(say).url)))
        try:
            return run(stream.receive(10))
        finally:
            run(stream.close())

    yield hear
    line.close()


@pytest.mark.parametrize("pack", [bytes, gzip.compress, deflated])
@pytest.mark.parametrize("text", [TEXT, "[1,2]", "{}", " " * 10 + "{}", "plain words", '"é"'])
def test_packed_frames_are_read_as_text(heard, pack, text):
    assert heard(pack(text.encode())) == text


@pytest.mark.parametrize("pack", [gzip.compress, deflated])
def test_a_frame_that_swells_beyond_what_can_be_true(heard, pack):
    with pytest.raises(errors.Disconnected):
        heard(pack(b"[" + b"0" * (LARGEST_MESSAGE_BYTES + 1)))


@pytest.mark.parametrize(
    "frame",
    [gzip.compress(TEXT.encode(), mtime=0)[:-9], b"\x1f\x8b", b"\x1f\x8b\xff\xff", b"\xab\xff\x00"],
    ids=["cut", "two bytes", "no length", "no packing"],
)
def test_broken_packing(heard, frame):
    with pytest.raises(errors.Disconnected):
        heard(frame)
