"""What nobody knows about FinTrusted's stream: the switches of its emulator. See: fintrusted-api 9."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from tradehook_sandbox.switches import Says

StreamProfile = Literal["op_args", "method_params", "type_channel", "event_channel"]
StreamSymbols = Literal[
    "slash", "concat", "underscore", "dash", "slash_lower", "concat_lower", "underscore_lower", "dash_lower"
]
StreamIntervals = Literal["short", "family", "mon"]
StreamDepth = Literal["updates", "whole"]
StreamPacking = Literal["none", "gzip", "deflate"]
StreamPayload = Literal["object", "text"]


@dataclass(frozen=True, slots=True)
class StreamRules:
    """How the emulator's stream speaks where nobody knows how the real one does."""

    stream_profile: Annotated[StreamProfile, Says("How frames of the stream are written.")] = "op_args"
    stream_symbols: Annotated[
        StreamSymbols, Says("How a market is written in a channel's name: BTC/USDT, BTCUSDT, BTC_USDT, btc-usdt.")
    ] = "slash"
    stream_intervals: Annotated[StreamIntervals, Says("How candles' intervals are called: 1m, 1min, or 1M mon.")] = (
        "short"
    )
    stream_depth: Annotated[
        StreamDepth, Says("After the first plate the stream tells what changed, or always whole plates.")
    ] = "updates"
    stream_packing: Annotated[StreamPacking, Says("Frames as text, or packed as binary frames.")] = "none"
    stream_payload: Annotated[StreamPayload, Says("A frame's data as JSON, or as a text that holds JSON.")] = "object"
    stream_ping_seconds: Annotated[
        float, Says("The stream asks for a pong this often, and hangs up on who owes two; 0: never.", 0, 3_600)
    ] = 0.0
    stream_candles: Annotated[int, Says("Candles that a subscription begins with.", 1, 1_000)] = 100
    stream_seconds: Annotated[float, Says("How often the stream tells, in seconds of real time.", 0.01, 3_600)] = 0.5
