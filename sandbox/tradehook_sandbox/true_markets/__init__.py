"""True Markets' Gateway, emulated: the wire of `truemarkets-api.md`, with play money and real cryptography.

`exchange.TrueMarkets` is the whole of it: one function from a request to a response. It imports nothing of the
client but the two values that travel, so a mistake there cannot hide here.
"""
