"""A group for tests and demos, beside `driver.Person`.

group = ann.group("Desk", people=[bob], forum=True)
trades = group.topic("Trades")
ann.say("/buy BTC 0.01", chat=group, topic=trades)
bob.tap("Confirm", ann.wait_for("Buy 0.01 BTC", chat=group))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tradehook_sandbox.telegram.phone.views import seen_message

if TYPE_CHECKING:
    from tradehook_sandbox.telegram.driver import Person
    from tradehook_sandbox.telegram.phone.views import SeenMessage
    from tradehook_sandbox.telegram.shapes import Json


class Group:
    """A group as whoever founded it handles it. `id` follows the group when it becomes a supergroup.

    Args:
        founder: who owns it.
        group: the sandbox's answer to founding it.
    """

    def __init__(self, founder: Person, group: Json) -> None:
        """The group is there already."""
        self.founder = founder
        self.id: int = group["id"]
        self.title: str = group["title"]

    def topic(self, name: str) -> int:
        """A new topic of this forum; returns its thread."""
        return int(self._post("topics", name=name)["topic"])

    def add(self, person: Person) -> None:
        """The person is a member."""
        self._post("people", user=person.user, status="member")

    def promote(self, person: Person) -> None:
        """The person is an administrator, who may write anonymously."""
        self._post("people", user=person.user, status="administrator")

    def remove(self, person: Person) -> None:
        """The person is in the group no more."""
        self._post("people", user=person.user, status="kicked")

    def set_bot(self, status: str) -> None:
        """The bot is this: `member`, `administrator`, `left` or `kicked`."""
        self._post("bot", status=status)

    def migrate(self) -> int:
        """The group is a supergroup; returns the new id."""
        self.id = int(self._post("migrate")["group"]["id"])
        return self.id

    def messages(self) -> list[SeenMessage]:
        """What stands in the group now, oldest first, without what the group itself says."""
        found = self.founder.remote.get("/transcript", chat=self.id, token=self.founder.token)["messages"]
        return [seen_message(message) for message in found if not message["deleted"] and not message["service"]]

    def _post(self, what: str, **body: object) -> Json:
        told = {"user": self.founder.user, "chat": self.id, "token": self.founder.token, **body}
        return self.founder.remote.post(f"/groups/{what}", **told)
