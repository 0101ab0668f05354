"""The stores that ship, held to the contract."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from tests.contract.stores import Opener, SharedStoreContract, StoreContract


class TestMemoryStore(StoreContract):
    @pytest.fixture
    def record(self) -> Opener:
        return MemoryStore


class TestSqliteStore(SharedStoreContract):
    @pytest.fixture
    def record(self, tmp_path: Path) -> Opener:
        return partial(SqliteStore, tmp_path / "jitcloud.db")
