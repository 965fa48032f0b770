"""Runs that were started from chat, over an Airflow that tells of some of them only."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from tradehook_bot.access import Access
from tradehook_bot.airflow.dags import Dags
from tradehook_bot.airflow.rest import FORBIDDEN, AirflowAway, AirflowRefused
from tradehook_bot.airflow.run_rows import ASKED, RunRows
from tradehook_bot.airflow.run_watch import RunWatch
from tradehook_bot.proposals import Where

FORBIDS = AirflowRefused("My account in Airflow may not do this.", status=FORBIDDEN)
AWAY = AirflowAway("Airflow has trouble (503).")


class Api:
    """Answers for the first run as it is told to, and that every other one runs."""

    def __init__(self, of_first):
        self.of_first = of_first
        self.asked = []

    async def get(self, path):
        self.asked.append(path)
        answer = self.of_first if path.endswith("first") else {"state": "running"}
        if isinstance(answer, Exception):
            raise answer
        return answer


def looked_once(store, of_first):
    """The runs as they are known, and what was asked, after a look at both."""
    rows, api = RunRows(store), Api(of_first)
    for name in ("first", "second"):
        proposal = SimpleNamespace(proposal_id=name, message_id=70, chat_id=7, user_id=7, where=Where(7, 7))
        rows.begin(proposal, dag_id="d", run_id=name, words="Asked.")
    house = SimpleNamespace(store=store, may_send=lambda: True, access=Access(store), outbox=None)
    link = SimpleNamespace(dags=Dags(api), run_rows=rows)
    asyncio.run(RunWatch(house, link).tick())
    return [rows.get(name).state for name in ("first", "second")], len(api.asked)


@pytest.mark.parametrize("of_first", [FORBIDS, {"state": None}], ids=["refused", "unreadable"])
def test_a_run_that_cannot_be_read_silences_no_other(store, of_first):
    assert looked_once(store, of_first) == ([ASKED, "running"], 2)


def test_while_airflow_is_away_it_is_asked_once(store):
    assert looked_once(store, AWAY) == ([ASKED, ASKED], 1)
