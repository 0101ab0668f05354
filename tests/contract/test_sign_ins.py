"""What keeps sign-ins and ships, held to the contract."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from jitcloud.emulators.ministack import Ministack
from jitcloud.errors import Misconfigured
from jitcloud.model import GroupId
from jitcloud.stores.dynamodb.sign_ins import DynamoSignIns
from jitcloud.stores.memory_sign_ins import MemorySignIns
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.stores.sqlite_sign_ins import SqliteSignIns
from tests.contract.sign_ins import ANA, SRE, Opener, SharedSignInsContract, SignInsContract, said
from tests.dynamodb_tables import a_table, client_of
from tests.factories import NOW

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="module")
def dynamodb() -> Iterator[DynamoDBClient]:
    with Ministack() as running:
        yield client_of(running.endpoint_url, running.account)


class TestMemorySignIns(SignInsContract):
    @pytest.fixture
    def opener(self) -> Opener:
        return MemorySignIns


class TestSqliteSignIns(SharedSignInsContract):
    @pytest.fixture
    def opener(self, tmp_path: Path) -> Opener:
        return partial(SqliteSignIns, tmp_path / "jitcloud.db")

    def test_the_record_may_be_in_the_same_file(self, tmp_path: Path, opener: Opener) -> None:
        with closing(SqliteStore(tmp_path / "jitcloud.db")), closing(opener()) as kept:
            kept.put(said("ana", "sre"))
            assert kept.of(ANA) == said("ana", "sre")

    def test_what_nobody_of_ours_wrote_counts_for_nothing(
        self, tmp_path: Path, opener: Opener
    ) -> None:
        with closing(opener()) as kept:
            kept.put(said("ana", "sre"))
            with closing(apsw.Connection(str(tmp_path / "jitcloud.db"))) as connection:
                connection.execute("UPDATE sign_ins SET body = '{}'")
            assert kept.of(ANA) is None
            assert kept.members(SRE, NOW) == ()


class TestDynamoSignIns(SharedSignInsContract):
    @pytest.fixture
    def opener(self, dynamodb: DynamoDBClient) -> Opener:
        return partial(DynamoSignIns, a_table(dynamodb), client=lambda: dynamodb)

    def test_a_name_left_in_the_index_puts_nobody_in_a_group(self, opener: Opener) -> None:
        with closing(opener()) as kept:
            kept.put(said("ana", "sre"))
            assert isinstance(kept, DynamoSignIns)
            reach = kept._reach  # noqa: SLF001 - to write what an attacker or a crash leaves
            item = {"pk": {"S": "group#leads"}, "sk": {"S": "ana"}, "until": {"N": str(2**53)}}
            reach.client.put_item(TableName=reach.table, Item=item)
            assert kept.members(GroupId("leads"), NOW) == ()


@pytest.mark.parametrize("kind", ["memory", "sqlite", "dynamodb"])
def test_a_group_of_everybody_is_refused(
    kind: str, tmp_path: Path, dynamodb: DynamoDBClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("sign_in_rules", "sqlite_sign_ins", "dynamodb.sign_ins"):
        monkeypatch.setattr(f"jitcloud.stores.{module}.MOST_SIGNED_IN", 3)
    openers: dict[str, Opener] = {
        "memory": MemorySignIns,
        "sqlite": lambda: SqliteSignIns(tmp_path / "jitcloud.db"),
        "dynamodb": lambda: DynamoSignIns(a_table(dynamodb), client=lambda: dynamodb),
    }
    with closing(openers[kind]()) as kept:
        for number in range(3):
            kept.put(said(f"u-{number}", "sre"))
        assert len(kept.members(SRE, NOW)) == 3
        kept.put(said("u-3", "sre"))
        with pytest.raises(Misconfigured, match="More than 3 people"):
            kept.members(SRE, NOW)
