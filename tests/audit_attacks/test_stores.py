"""Checkpoints of a record in a database, and what it misses once somebody has deleted from that."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from moto import mock_aws

from jitcloud import anchoring
from jitcloud.audit import verify
from jitcloud.audit.log import Log
from jitcloud.audit.verify import Report
from jitcloud.model import RequestId
from jitcloud.ports import Store
from jitcloud.stores.dynamodb import keys
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.sqlite import SqliteStore
from tests.audit_attacks import rows as kept
from tests.audit_attacks.rows import Rows
from tests.audit_attacks.stage import anchoring as anchoring_of
from tests.audit_attacks.stage import ulid
from tests.dynamodb_tables import a_table, client_of
from tests.world import World

Delete = Callable[[RequestId], Store]


def _sqlite(folder: Path) -> tuple[Store, Delete]:
    path = folder / "record.db"
    store = SqliteStore(path)

    def delete(name: RequestId) -> Store:
        rows = Rows.of(store)
        store.close()
        rows.delete(name)
        kept.write(rows, path)
        return SqliteStore(path)

    return store, delete


def _dynamodb() -> tuple[Store, Delete]:
    client = client_of(None)
    table = a_table(client)
    store = DynamoStore(table, client=lambda: client)

    def delete(name: RequestId) -> Store:
        partition = {"S": keys.request(name)}
        found = client.query(
            TableName=table,
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": partition},
        )
        for item in found["Items"]:
            client.delete_item(TableName=table, Key={"pk": partition, "sk": item["sk"]})
        return DynamoStore(table, client=lambda: client)

    return store, delete


@pytest.fixture(params=["sqlite", "dynamodb"])
def record(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Store, Delete]]:
    if request.param == "sqlite":
        yield _sqlite(tmp_path)
        return
    with mock_aws():
        yield _dynamodb()


def test_what_was_deleted_from_a_database_is_missed(
    record: tuple[Store, Delete], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(anchoring, "NEW", 2)
    store, delete = record
    world = World(tmp_path, store=store)
    writer = anchoring_of(world, tmp_path / "anchors")

    def verified() -> Report:
        log = Log.read("the anchors", writer.anchors.lines(), [world.signer.public])
        return verify.verify_all(world.store, world.signer.verifier(), world.time(), log=log)

    names = []
    for number in range(3):
        names.append(world.ask(id_=ulid(world, number)).id)
        world.time.forward(seconds=30)
    assert [each.more for each in writer.write_all(world.time() + timedelta(minutes=1))] == [
        True,
        False,
    ]
    world.give_back(world.now(names[0]))
    world.sweep_until_quiet_but(*(world.now(name) for name in names[1:]))
    world.time.forward(minutes=20)
    heads = writer.write().checkpoint.heads
    assert [head.request for head in heads] == [names[0]]
    report = verified()
    assert report.findings == ()
    assert "Trails with such events: none." in report.unseen[0]
    world.store = delete(names[1])
    (finding,) = verified().findings
    assert (finding.where, "deleted whole" in finding.message) == (names[1], True)
