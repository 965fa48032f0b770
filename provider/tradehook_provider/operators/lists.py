"""Writes lists of orders and transfers as JSON lines, whole or not at all."""

from __future__ import annotations

import json
import uuid
from abc import abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator

from tradehook_provider.arguments import as_moment, as_text, as_words
from tradehook_provider.failures import explained, with_retries
from tradehook_provider.hooks.exchange import DEFAULT_CONN_ID, ExchangeHook

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from datetime import datetime

    from airflow.sdk import Context, ObjectStoragePath

    from tradehook.client import Client
    from tradehook.models import Order
    from tradehook.transfers import Transfer


class ListOperator(BaseOperator):
    """What writing orders and writing transfers share. Use `ListOrdersOperator` or `ListTransfersOperator`."""

    what: ClassVar[str]
    template_fields = ("path", "statuses", "since", "exchange_conn_id")
    ui_color = "#e8f4ec"

    def __init__(
        self,
        *,
        path: str,
        statuses: Collection[str] | str | None = None,
        since: str | None = None,
        exchange_conn_id: str = DEFAULT_CONN_ID,
        path_conn_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        """Make one.

        Args:
            path: where to, as Airflow writes it: `s3://aws_default@bucket/orders/{{ ds }}.jsonl`, `file:///data/o.jsonl`.
                What is there already is replaced.
            statuses: only these; a list, or words with commas. All without it.
            since: only what was made since then: `24h`, `7d`, `2026-11-01`, `{{ data_interval_start }}`; without a
                zone, in UTC. `24h` counts from when the task runs, also when it is cleared a week later.
            exchange_conn_id: the account.
            path_conn_id: the connection of the storage, where the path does not name it.
            **kwargs: for every operator; `retries` is 2 unless it is set.
        """
        super().__init__(**with_retries(kwargs))
        self.path = path
        self.statuses = statuses
        self.since = since
        self.exchange_conn_id = exchange_conn_id
        self.path_conn_id = path_conn_id

    @abstractmethod
    def rows(
        self, client: Client, *, statuses: Sequence[str], since: datetime | None
    ) -> Iterator[Order] | Iterator[Transfer]:
        """What is to be written, newest first. Raises `InvalidInput` for what this exchange cannot tell."""

    def execute(self, context: Context) -> dict[str, Any]:  # noqa: ARG002 - Airflow's signature
        """Read the list and write it beside its place; move it there once it is whole."""
        with explained(self.log), ExchangeHook(self.exchange_conn_id) as hook:
            since = None if self.since is None else as_moment(self.since, what="since")
            statuses = as_words(self.statuses, what="statuses")
            path = _storage(as_text(self.path, what="path"), conn_id=self.path_conn_id)
            count = _write(path, self.rows(hook.get_conn(), statuses=statuses, since=since))
        self.log.info("%d %s written to %s.", count, self.what, path)
        return {"path": str(path), "count": count}


class ListOrdersOperator(ListOperator):
    """Has written the account's orders as JSON lines, newest first, money as text; the file is whole or not there.

    Returns (XCom) `path` and `count`. Where an exchange tells of no orders, those placed from here are written, each
    with what is known of it. Reads only, so it may be tried as often as one likes.
    """

    what = "orders"

    def rows(self, client: Client, *, statuses: Sequence[str], since: datetime | None) -> Iterator[Order]:
        """See `ListOperator`."""
        from tradehook.desk.watch import OPEN_STATUSES
        from tradehook.models import OrderStatus

        capabilities = client.exchange.spec.capabilities
        if not capabilities.can("orders"):
            self.log.warning("%s Only orders that were placed from here are listed.", capabilities.cannot["orders"])
        wanted = [OrderStatus(word) for word in _known(statuses, OrderStatus)]
        if not wanted or not set(wanted) <= set(OPEN_STATUSES):
            return client.list_orders(statuses=wanted, since=since)
        # Not every deployment lists open orders; those that were placed from here are there all the same.
        return (
            order
            for order in client.desk.open_orders()
            if order.status in wanted and not (since and order.created_at and order.created_at < since)
        )


class ListTransfersOperator(ListOperator):
    """Has written the account's transfers as JSON lines, newest first, money as text; see `ListOrdersOperator`."""

    what = "transfers"

    def rows(self, client: Client, *, statuses: Sequence[str], since: datetime | None) -> Iterator[Transfer]:
        """See `ListOperator`."""
        from tradehook.transfers import TransferStatus

        client.exchange.spec.capabilities.check("transfers", exchange=client.exchange.spec.name)
        wanted = _known(statuses, TransferStatus)
        status = TransferStatus(wanted[0]) if len(wanted) == 1 else None  # the exchange takes one; the rest is here
        found = client.list_transfers(status=status, since=since)
        return (transfer for transfer in found if not wanted or str(transfer.status) in wanted)


def _storage(path: str, *, conn_id: str | None) -> ObjectStoragePath:
    """The place, in whatever storage it names. Raises `InvalidInput` where Airflow here does not know that storage."""
    from airflow.sdk import ObjectStoragePath

    from tradehook.errors import InvalidInput

    try:
        place = ObjectStoragePath(path, conn_id=conn_id)
        place.fs  # noqa: B018 - only this finds out whether there is one
    except (ValueError, ImportError) as error:
        raise InvalidInput(
            f"Airflow here cannot write to {path[:80]}: {error}. Install the provider of that storage, or give a path "
            "like file:///data/orders.jsonl."
        ) from None
    return place


def _write(path: ObjectStoragePath, rows: Iterator[Order] | Iterator[Transfer]) -> int:
    """Write the rows and return how many; what was there before stays until all are written."""
    if path.protocol in ("", "file", "local"):  # elsewhere there are no folders, and a bucket is not ours to make
        path.parent.mkdir(parents=True, exist_ok=True)
    beside, count = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.part"), 0
    try:
        with beside.open("w") as file:  # type: ignore[no-untyped-call]
            for made in rows:
                file.write(json.dumps(made.model_copy(update={"payloads": ()}).to_dict()) + "\n")
                count += 1
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    return count


def _known(words: Sequence[str], statuses: Any) -> Sequence[str]:
    """Raises `InvalidInput` for a status that there is not."""
    from tradehook.errors import InvalidInput

    there = [str(status) for status in statuses if status != "unrecognized"]
    for word in words:
        if word not in there:
            raise InvalidInput(f"{word[:40]!r} is not a status: there is {', '.join(there)}.", suggestions=tuple(there))
    return words
