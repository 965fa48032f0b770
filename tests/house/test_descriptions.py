"""What is served is described, and what is described is served."""

from __future__ import annotations

from tradehook_sandbox.admin import endpoints
from tradehook_sandbox.openapi import admin, exchange
from tradehook_sandbox.true_markets import routes

LED_ON = {"openapi": ("/exchange.json", "/admin.json")}
"""Admin endpoints whose path always goes on, and how."""
MAY_GO_ON = {("faults", "DELETE"): "/{id}"}
"""Those whose path may go on."""


def described(document):
    return {(path, method.upper()) for path, methods in document()["paths"].items() for method in methods}


def test_every_route_of_the_exchange():
    below = {exchange.GATEWAY + path: methods for path, methods in routes._GATEWAY.items()}
    served = {(path, method) for path, methods in {**below, **routes._OTHERS}.items() for method in methods}
    assert served == described(exchange.document)
    assert exchange.GATEWAY in routes.PREFIXES


def test_every_endpoint_of_the_admin():
    served = set()
    for name, methods in endpoints._ENDPOINTS.items():
        for method in methods:
            served |= {(f"{admin.PREFIX}/{name}{rest}", method) for rest in LED_ON.get(name, ("",))}
            if (name, method) in MAY_GO_ON:
                served.add((f"{admin.PREFIX}/{name}{MAY_GO_ON[name, method]}", method))
    assert served == described(admin.document)
