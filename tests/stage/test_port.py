"""The exchange of `make play` has one address: what was done there before belongs to it."""

from __future__ import annotations

import socket

import pytest

from tradehook_sandbox import play
from tradehook_sandbox.stage import StageError, free_port


@pytest.fixture
def usual(monkeypatch):
    port = free_port()
    monkeypatch.setattr(play, "SANDBOX_PORT", port)
    return port


@pytest.fixture
def taken(usual):
    with socket.create_server(("127.0.0.1", usual)):
        yield usual


def test_a_first_time_takes_another_port_where_the_usual_one_is_taken_and_keeps_it(taken, tmp_path):
    port = play._sandbox_port(tmp_path)
    assert port != taken
    assert play._sandbox_port(tmp_path) == port


def test_the_usual_port_is_kept(usual, tmp_path):
    assert play._sandbox_port(tmp_path) == usual
    with socket.create_server(("127.0.0.1", usual)), pytest.raises(StageError, match=f"has port {usual}"):
        play._sandbox_port(tmp_path)


def test_what_was_played_before_ports_were_kept_belongs_to_the_usual_one(taken, tmp_path):
    (tmp_path / "sandbox.db").touch()
    with pytest.raises(StageError, match="delete"):
        play._sandbox_port(tmp_path)
