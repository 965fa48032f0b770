"""From what is new in the journal to letters and notices: who is told what, and how loudly.

An order from a chat has its own message there, which is edited; one from elsewhere gets a message in every chat, one
for each order or DAG run, which is edited as well. A new message comes only for what matters enough to whoever reads.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

from tradehook import render
from tradehook.desk.schema import writing
from tradehook.registry import spec
from tradehook_bot import news
from tradehook_bot.answered_doubts import answered_in
from tradehook_bot.chats import Loudness
from tradehook_bot.notices import Part
from tradehook_bot.outbox import Letter, Weight
from tradehook_bot.replies import text
from tradehook_bot.store import now

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from tradehook.desk.intents import Intent
    from tradehook_bot.context import House
    from tradehook_bot.order_messages import OrderMessage

_LONGEST_SUBJECT = 255
_LOUD: Mapping[Loudness, tuple[Weight, ...]] = {
    Loudness.QUIET: (Weight.URGENT,),
    Loudness.NORMAL: (Weight.URGENT, Weight.NEWS),
    Loudness.ALL: (Weight.URGENT, Weight.NEWS, Weight.ROUTINE),
}


class Telling:
    """Writes letters for what became of intents. Blocking: call it through `Store.do`."""

    def __init__(self, house: House) -> None:
        """Tell of this house's intents."""
        self._house = house

    def tell(
        self,
        happened: Mapping[str, datetime | None],
        *,
        resolved: Collection[str] = (),
        mark: tuple[str, int] | None = None,
    ) -> Sequence[Intent]:
        """How these intents stand now is told where it was not; returns those that are served here.

        Args:
            happened: intents by id, each with the time of its news; `None` is now.
            resolved: those whose news is that somebody ended a doubt: where it was done, the question says it.
            mark: how far the journal was read, written down in the same transaction.
        """
        house = self._house
        intents = [house.journal.get(intent_id) for intent_id in happened]
        mine = [intent for intent in intents if intent.kind in news.TOLD and house.is_served(intent)]
        chats = {user.user_id: house.chats.loudness(user.user_id) for user in house.access.users()} if mine else {}
        with writing(house.store.engine) as connection:
            for intent in mine:
                at = happened[intent.intent_id]
                said_in = answered_in(house.store, intent.intent_id) if intent.intent_id in resolved else set()
                letters = [
                    letter
                    for letter in self._of_one(connection, intent, chats)
                    # What begins a notice comes in any case: it has no message yet.
                    if letter.chat_id not in said_in or letter.subject is not None
                ]
                house.outbox.put_within(connection, letters, happened_at=at)
            if mark is not None:
                house.store.put_mark(connection, *mark)
        return mine

    def _of_one(self, connection: Connection, intent: Intent, chats: Mapping[int, Loudness]) -> list[Letter]:
        house = self._house
        card = house.order_messages.get(intent.intent_id)
        if card is not None:
            if intent.is_left_unsigned:
                return []  # its question was confirmed and never closed: that says it, see `make_up_for`
            house.order_messages.want_within(connection, intent.intent_id, news.version(intent))
            letter = self._after_card(intent, card, chats.get(card.chat_id) or house.chats.loudness(card.chat_id))
            return [letter] if letter is not None else []
        parent = house.order_messages.get(intent.parent_id) if intent.parent_id is not None else None
        if parent is not None:
            # Its plan was confirmed in a chat and has a message there, which shows all of its legs.
            letter = self._after_card(intent, parent, chats.get(parent.chat_id) or house.chats.loudness(parent.chat_id))
            return [letter] if letter is not None else []
        return [
            letter
            for chat_id, wish in chats.items()
            if (letter := self._from_elsewhere(connection, intent, chat_id, wish)) is not None
        ]

    def _after_card(self, intent: Intent, card: OrderMessage, wish: Loudness) -> Letter | None:
        """A new message beside the order's own, where its news matters enough."""
        if not news.is_a_step(intent) or news.is_asked_again(intent):
            return None
        weight = news.weight(intent, at=now())
        if weight not in _LOUD[wish]:
            return None
        body = news.words(intent, exchange=spec(intent.exchange).label, is_from_chat=True)
        return Letter(
            card.chat_id,
            dedupe_key(intent),
            body,
            reply_to=card.message_id,
            account=card.account,
            weight=weight,
            has_freeze=True,
        ).at(self._house.proposals.where_of(card.intent_id))

    def _from_elsewhere(self, connection: Connection, intent: Intent, chat_id: int, wish: Loudness) -> Letter | None:
        """The notice of this order or run says it; the first time that takes a letter, later only what matters."""
        house = self._house
        account = house.account_of(intent)
        # One that is not served here is told by the name that its own program has for it.
        name = account.name if account is not None else intent.account
        body = news.words(intent, exchange=spec(intent.exchange).label, is_from_chat=False)
        part = Part(body, news.line(intent))
        weight = news.weight(intent, at=now())
        is_loud = weight in _LOUD[wish]
        letter = Letter(chat_id, dedupe_key(intent), body, account=name, weight=weight, has_freeze=True)
        subject, head = subject_of(intent)
        notice = house.notices.get_within(connection, chat_id, subject)
        if notice is None:
            if not news.is_worth_a_notice(intent):
                return None
            first = house.notices.begin_within(
                connection, chat_id, subject, account=name, head=text(head), key=intent.intent_id, part=part
            )
            return replace(letter, body=first, subject=subject, is_silent=not is_loud)
        if intent.intent_id not in notice.parts and not news.is_worth_a_notice(intent):
            return None
        house.notices.want_within(connection, notice, key=intent.intent_id, part=part)
        if not (is_loud and news.is_a_step(intent)):
            return None
        return replace(letter, reply_to=notice.message_id)


def dedupe_key(intent: Intent) -> str:
    """What is told once: an intent's attempt, state and filled quantity."""
    return f"{intent.intent_id}:{intent.attempt}:{news.key(intent)}"


def subject_of(intent: Intent) -> tuple[str, str]:
    """Which notice tells of it, and how one that tells of several begins."""
    kind, _, rest = intent.source.partition(":")
    dag, _, after = rest.partition("/")
    run = after.partition("/")[0]
    if kind == "airflow" and dag and run:
        return _short(f"run:{dag}/{run}"), f"{dag[:60]} in Airflow, run {run[:60]}"
    if intent.parent_id is not None:
        return _short(f"plan:{intent.parent_id}"), f"A plan from {render.source_words(intent.source)}"
    return _short(f"{intent.kind}:{intent.intent_id}"), ""


def _short(subject: str) -> str:
    if len(subject) <= _LONGEST_SUBJECT:
        return subject
    kind = subject.partition(":")[0]
    return f"{kind}:#{hashlib.sha256(subject.encode()).hexdigest()}"
