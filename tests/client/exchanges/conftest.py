"""The far side of FinTrusted, for each test a new one."""

from __future__ import annotations

import pytest
from tests.client.exchanges.far import Far


@pytest.fixture
def far() -> Far:
    return Far()
