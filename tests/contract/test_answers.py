"""What keeps answers, and ships, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws

from jitcloud.ports import Answered, Answers
from jitcloud.stores.dynamodb.answers import TIME_TO_LIVE, DynamoAnswers
from jitcloud.stores.memory_answers import MemoryAnswers
from jitcloud.stores.sqlite_answers import SqliteAnswers
from tests.contract.answers import (
    KEEP,
    SAID,
    AnswersContract,
    Opener,
    SharedAnswersContract,
    begin,
    begun,
)
from tests.dynamodb_tables import a_table, client_of
from tests.factories import NOW

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class TestMemoryAnswers(AnswersContract):
    @pytest.fixture
    def kept(self) -> Opener:
        return MemoryAnswers


class TestSqliteAnswers(SharedAnswersContract):
    @pytest.fixture
    def kept(self, tmp_path: Path) -> Opener:
        return partial(SqliteAnswers, tmp_path / "jitcloud.db")


@pytest.fixture(scope="module")
def table() -> Iterator[tuple[DynamoDBClient, str]]:
    """One for all: each test has names of its own in it, by taking them away afterwards."""
    with mock_aws():
        client = client_of(None)
        yield client, a_table(client)


class TestDynamoAnswers(SharedAnswersContract):
    @pytest.fixture
    def kept(self, table: tuple[DynamoDBClient, str]) -> Iterator[Opener]:
        client, name = table
        yield partial(DynamoAnswers, name, client=lambda: client)
        for item in client.scan(TableName=name)["Items"]:
            client.delete_item(TableName=name, Key={"pk": item["pk"], "sk": item["sk"]})

    def test_the_table_forgets_what_nobody_asks_for_again(
        self, table: tuple[DynamoDBClient, str], answers: Answers
    ) -> None:
        client, name = table
        answers.finish(begun(answers), "{}")
        (item,) = client.scan(TableName=name)["Items"]
        assert int(item[TIME_TO_LIVE]["N"]) == int((NOW + KEEP).timestamp()) + 1

    @pytest.mark.usefixtures("kept")
    def test_a_write_whose_answer_was_lost_is_known_as_ours(
        self, table: tuple[DynamoDBClient, str]
    ) -> None:
        client, name = table
        answers = DynamoAnswers(name, client=lambda: _Loses(client))  # type: ignore[arg-type,return-value] # as a client
        assert begun(answers).number == 1
        assert begin(answers) == Answered(said=SAID, since=NOW, answer=None)

    @pytest.mark.usefixtures("kept")
    def test_a_new_key_costs_two_writes_and_no_read(
        self, table: tuple[DynamoDBClient, str]
    ) -> None:
        counts = _Counts(table[0])
        answers = DynamoAnswers(table[1], client=lambda: counts)  # type: ignore[arg-type,return-value] # as above
        answers.finish(begun(answers), "{}")
        assert counts.calls == ["put_item", "update_item"]


class _Counts:
    """Passes calls on, and notes them."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.calls.append(name)
        return getattr(self.client, name)


class _Loses:
    """Loses the first answer to a write, which has had its effect."""

    def __init__(self, client: DynamoDBClient) -> None:
        self.client = client
        self.lost = 0

    def put_item(self, **asked: Any) -> Any:
        found = self.client.put_item(**asked)
        if not self.lost:
            self.lost += 1
            raise ReadTimeoutError(endpoint_url="http://127.0.0.1")
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.client, name)
