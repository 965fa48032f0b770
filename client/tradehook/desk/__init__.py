"""The one door for money. Knows exchanges only through `contract.py`.

`Desk` places and cancels; `Journal` remembers; `guard` refuses; `watch` follows orders to their end.
"""
