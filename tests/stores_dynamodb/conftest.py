"""One emulated DynamoDB for each test process, and a store whose calls can be counted and lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from jitcloud.emulators.ministack import Ministack
from jitcloud.stores.dynamodb.store import DynamoStore
from tests.dynamodb_tables import a_table, client_of
from tests.stores_dynamodb.between import Between, between


@pytest.fixture(scope="session")
def ministack() -> Iterator[Ministack]:
    with Ministack() as running:
        yield running


@pytest.fixture(scope="session")
def _proxy(ministack: Ministack) -> Iterator[Between]:
    with between(ministack.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
def proxy(_proxy: Between) -> Between:
    _proxy.faults.clear()
    _proxy.forget()
    return _proxy


@pytest.fixture
def table(ministack: Ministack) -> str:
    return a_table(client_of(ministack.endpoint_url, ministack.account))


@pytest.fixture
def other(ministack: Ministack, table: str) -> Iterator[DynamoStore]:
    """Somebody else's store of the same record, whose calls pass nobody."""
    store = DynamoStore(table, client=lambda: client_of(ministack.endpoint_url, ministack.account))
    yield store
    store.close()


@pytest.fixture
def waits() -> list[float]:
    """How long the store has waited between tries, in seconds: in tests not at all."""
    return []


@pytest.fixture
def store(
    ministack: Ministack, proxy: Between, table: str, waits: list[float]
) -> Iterator[DynamoStore]:
    store = DynamoStore(
        table, client=lambda: client_of(proxy.url, ministack.account), pause=waits.append
    )
    yield store
    store.close()
