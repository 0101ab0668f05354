"""The stores that ship, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from moto import mock_aws

from jitcloud.emulators.ministack import Ministack
from jitcloud.ports import Store
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from tests.contract.stores import Opener, SharedStoreContract, StoreContract
from tests.contract.stores.commits import Commits
from tests.contract.stores.marks import Marks
from tests.contract.stores.queries import Queries
from tests.contract.stores.several import Several
from tests.dynamodb_tables import a_table, client_of, record_on


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def record(self) -> Opener:
        return MemoryStore


class TestSqliteStore(SharedStoreContract):
    @pytest.fixture
    def record(self, tmp_path: Path) -> Opener:
        return partial(SqliteStore, tmp_path / "jitcloud.db")


@pytest.fixture(scope="module")
def ministack() -> Iterator[Ministack]:
    with Ministack() as running:
        yield running


class TestDynamoStore(SharedStoreContract):
    rounds, turns = 20, 15

    @pytest.fixture
    def record(self, ministack: Ministack) -> Opener:
        return record_on(ministack)

    @pytest.mark.parametrize(
        "seed", [0, *(pytest.param(seed, marks=pytest.mark.long) for seed in range(1, 10))]
    )
    def test_it_answers_as_the_memory_store_does(self, store: Store, seed: int) -> None:
        super().test_it_answers_as_the_memory_store_does(store, seed)

    @pytest.mark.long  # four processes that load the SDK; threads share as little of a record
    def test_of_racing_processes_one_wins_each_round_and_nothing_is_lost(
        self, store: Store, record: Opener
    ) -> None:
        super().test_of_racing_processes_one_wins_each_round_and_nothing_is_lost(store, record)


class _OnMoto:
    """Another emulator, by others: but for races, for it is not safe for threads."""

    @pytest.fixture
    def record(self) -> Iterator[Opener]:
        with mock_aws():
            client = client_of(None)
            table = a_table(client)
            yield partial(DynamoStore, table, client=lambda: client)


class TestDynamoStoreOnMoto(_OnMoto, Marks):
    pass


@pytest.mark.long  # it copies whole tables for each transaction
class TestDynamoStoreOnMotoAtLength(_OnMoto, Commits, Several, Queries):
    pass
