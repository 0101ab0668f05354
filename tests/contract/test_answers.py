"""What keeps answers, and ships, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from moto import mock_aws

from jitcloud.stores.dynamodb.answers import DynamoAnswers
from jitcloud.stores.memory_answers import MemoryAnswers
from jitcloud.stores.sqlite_answers import SqliteAnswers
from tests.contract.answers import AnswersContract, Opener, SharedAnswersContract
from tests.dynamodb_tables import a_table, client_of


class TestMemoryAnswers(AnswersContract):
    @pytest.fixture
    def kept(self) -> Opener:
        return MemoryAnswers


class TestSqliteAnswers(SharedAnswersContract):
    @pytest.fixture
    def kept(self, tmp_path: Path) -> Opener:
        return partial(SqliteAnswers, tmp_path / "jitcloud.db")


class TestDynamoAnswers(SharedAnswersContract):
    @pytest.fixture
    def kept(self) -> Iterator[Opener]:
        with mock_aws():
            client = client_of(None)
            yield partial(DynamoAnswers, a_table(client), client=lambda: client)
