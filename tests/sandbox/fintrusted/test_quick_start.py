"""The quick-start lines of the vendor's page work as printed; only the host is another.

The page prints `[email protected]` where a protection of addresses ate the login's field and address. That blank has to be
filled. See: fintrusted-api 2, V13 and V14.
"""

from __future__ import annotations

import json
import subprocess

QUICK_START = r"""
# Public: 24h ticker for a coin (no auth)
curl "https://fintrusted.com/market/data/quotations/coin?coin=btc"

# Authenticated: log in and capture the JWT from data.Authorization
TOKEN=$(curl -s -X POST https://fintrusted.com/uc/v2/login \
  -d "[email protected]&password=secret" \
  | jq -r .data.Authorization)

# Place a spot LIMIT buy — type=0 limit, type=1 market, direction=0 BUY, 1 SELL
curl -X POST "https://fintrusted.com/tx/spot/add" \
  -H "Authorization: $TOKEN" \
  -d "symbol=BTC/USDT&direction=0&type=0&price=74000&amount=0.001"

# Spot wallet balances
curl -H "Authorization: $TOKEN" \
  "https://fintrusted.com/uc/asset/spot-wallets"
"""


def test_the_quick_start_as_it_is_printed(serve, caller_class, tmp_path):
    served = serve()
    caller = caller_class(served)
    caller.admin("POST", "/fintrusted/members", {"email": "you@example.com", "password": "secret"})
    caller.price("75000")
    assert QUICK_START.count("https://fintrusted.com") == 4
    script = QUICK_START.replace("https://fintrusted.com", served.url)
    script = script.replace("[email protected]", "email=you@example.com")
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(tmp_path), "no_proxy": "127.0.0.1"},
    )
    assert done.returncode == 0, done.stderr
    decoder, rest, answers = json.JSONDecoder(), done.stdout.strip(), []
    while rest:
        answer, end = decoder.raw_decode(rest)
        answers.append(answer)
        rest = rest[end:].strip()
    ticker, added, wallets = answers
    assert (ticker["code"], ticker["data"]["symbol"], ticker["data"]["close"]) == (0, "BTC/USDT", 75_000)
    assert added["code"] == 0
    assert caller.order(added["data"])["status"] == "TRADING", "the limit lies below the market"
    dollars = next(row for row in wallets["data"] if row["coin"]["unit"] == "USDT")
    assert (dollars["balance"], dollars["frozenBalance"]) == (99_926, 74)
