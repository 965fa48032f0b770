"""The request budget: counted per key, said in every answer."""

from __future__ import annotations


def test_every_answer_says_what_is_left_and_when_it_ends(new_trader):
    one = new_trader(rate_limit=100)
    response = one.send("GET", "/v1/conductor/orders")
    assert response.headers["x-ratelimit-remaining"] == "98", "signing in was one"
    assert response.headers["x-ratelimit-reset"] == str(1_790_000_060)
    refused = one.send("POST", "/v1/conductor/orders", {})
    assert (refused.status, refused.headers["x-ratelimit-remaining"]) == (400, "97")


def test_the_hundred_and_first_is_429_and_the_window_ends_when_it_said(new_trader):
    one = new_trader(rate_limit=100)
    statuses = [one.call("GET", "/orders")[0] for _ in range(100)]
    assert statuses == [200] * 99 + [429]
    response = one.send("GET", "/v1/conductor/orders")
    assert response.json() == {"error": "", "message": "rate limit exceeded", "code": 429}
    assert response.headers["x-ratelimit-remaining"] == "0"
    one.sandbox.clock.advance(59.9)
    assert one.call("GET", "/orders")[0] == 429
    one.sandbox.clock.advance(0.1)
    assert one.call("GET", "/orders")[0] == 200


def test_a_refused_order_is_not_placed(new_trader):
    one = new_trader(rate_limit=2)
    assert one.order()[0] == 201
    assert one.order()[0] == 429
    assert one.ledger()["orders"] == 1


def test_keys_have_budgets_of_their_own_and_so_have_strangers(new_trader, trader_class):
    one = new_trader(rate_limit=3)
    second = trader_class(one.sandbox).mint()
    assert [one.call("GET", "/orders")[0] for _ in range(3)] == [200, 200, 429]
    assert second.call("GET", "/orders")[0] == 200
    assert [one.send("GET", "/v1/gateway/assets", headers={}).status for _ in range(4)] == [200, 200, 200, 429]


def test_what_is_not_there_is_counted_too(new_trader):
    one = new_trader(rate_limit=100)
    assert one.send("GET", "/v1/gateway/nothing").headers["x-ratelimit-remaining"] == "98"
    one.admin("POST", "/faults", {"kind": "error_after", "path": "/orders"})
    assert one.send("GET", "/v1/gateway/orders").headers["x-ratelimit-remaining"] == "97"


def test_zero_means_no_limit_and_no_headers(trader):
    response = trader.send("GET", "/v1/conductor/orders")
    assert not [name for name in response.headers if name.startswith("x-ratelimit")]


def test_the_admin_costs_nothing(new_trader):
    one = new_trader(rate_limit=1)
    for _ in range(5):
        one.admin("GET", "/clock")


def test_a_clock_turned_back_does_not_lock_anybody_out(new_trader):
    one = new_trader(rate_limit=2)
    one.sandbox.clock.advance(1_000)
    assert [one.call("GET", "/orders")[0] for _ in range(3)] == [200, 200, 429]
    one.sandbox.clock.advance(-500)
    assert one.call("GET", "/orders")[0] == 200
