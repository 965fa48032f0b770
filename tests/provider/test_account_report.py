"""What stands in an account's report: nothing that was only prepared."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tradehook.client import connect
from tradehook.models import NewOrder
from tradehook.settings import Settings
from tradehook_provider.account_report import read_report


def test_what_was_made_only_to_see_its_price_is_not_reported(start_sandbox, tmp_path):
    sandbox = start_sandbox("--rate-limit", "0")
    settings = Settings(
        environment="sandbox",
        account="main",
        url=sandbox.url,
        key_file=sandbox.key_file,
        journal_url=f"sqlite:///{tmp_path}/journal.db",
    )
    order = NewOrder.of("SOL/USDC", side="buy", amount="$20", chain="solana")
    since = datetime.now(UTC) - timedelta(hours=1)
    with connect(settings) as client:
        client.desk.preview_order(order, source="test")
        assert [listed.status for listed in client.list_orders()] == ["created"]
        assert read_report(client, account="main", since=since).orders == []
        placed = client.desk.place_order(order, intent_id="i-1", source="test").order.order_id
        assert [told.order_id for told in read_report(client, account="main", since=since).orders] == [placed]
