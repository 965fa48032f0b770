"""An emulator of FinTrusted: one page of documents, and the guesses about the rest, each with a switch.

Nobody has tried it against the live service. What the vendor says is done exactly so; everything else follows the
look-alikes by default. Not affiliated with fintrusted.com; the money is play money. See: fintrusted-api 11.
"""
