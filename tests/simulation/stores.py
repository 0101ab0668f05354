"""The stores that a world can be recorded in, with backups of them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar, Protocol

import boto3
from moto import mock_aws

from jitcloud.ports import Store
from jitcloud.stores.dynamodb.reach import CONFIG, checked
from jitcloud.stores.dynamodb.store import DynamoStore
from jitcloud.stores.dynamodb.table import definition
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore


class Kept(Protocol):
    """Where a world's record is kept, and an earlier state of it."""

    @property
    def store(self) -> Store:
        """The record as it is now."""
        ...

    def back_up(self) -> None:
        """Keep the record as it is now, and no earlier one."""
        ...

    def restore(self) -> Store:
        """Put the record back as it was kept; return it. What was opened before is closed."""
        ...

    def close(self) -> None:
        """Let go of everything, and leave nothing behind."""
        ...


class InMemory:
    """A store in memory. All that it holds is frozen, so a backup is a copy of its tables."""

    def __init__(self) -> None:
        self.store = MemoryStore()
        self._kept: dict[str, object] | None = None

    def back_up(self) -> None:
        self._kept = _tables(self.store)

    def restore(self) -> MemoryStore:
        assert self._kept is not None, "there is a backup"
        self.store = MemoryStore()
        vars(self.store).update(
            {k: dict(v) if isinstance(v, dict) else v for k, v in self._kept.items()}
        )
        return self.store

    def close(self) -> None:
        self.store.close()


def _tables(store: MemoryStore) -> dict[str, object]:
    return {
        name: dict(value) if isinstance(value, dict) else value
        for name, value in vars(store).items()
        if name not in {"_lock", "_is_closed"}
    }


class InFile:
    """SQLite in a file that nothing needs to outlive."""

    def __init__(self) -> None:
        shm = Path("/dev/shm")  # noqa: S108 - memory, where there is such a thing
        self._folder = Path(tempfile.mkdtemp(dir=shm if shm.is_dir() else None))
        self._path, self._kept = self._folder / "record.db", self._folder / "backup.db"
        self.store = SqliteStore(self._path)

    def back_up(self) -> None:
        self.store.close()
        shutil.copy(self._path, self._kept)
        self.store = SqliteStore(self._path)

    def restore(self) -> SqliteStore:
        self.store.close()
        for left in self._folder.glob("record.db-*"):
            left.unlink()
        shutil.copy(self._kept, self._path)
        self.store = SqliteStore(self._path)
        return self.store

    def close(self) -> None:
        self.store.close()
        shutil.rmtree(self._folder)


class InTable:
    """DynamoDB, as moto has it in this process."""

    _tables: ClassVar[int] = 0

    def __init__(self) -> None:
        self._moto = mock_aws()
        self._moto.start()
        self._client = boto3.Session().client(
            "dynamodb",
            region_name="us-east-1",
            aws_access_key_id="any",
            aws_secret_access_key="any",  # noqa: S106 - moto takes any
            config=CONFIG,
        )
        self._kept: list[dict[str, Any]] = []
        self._name = ""
        self.store = self._filled(())

    def back_up(self) -> None:
        pages = self._client.get_paginator("scan").paginate(TableName=self._name)
        self._kept = [item for page in pages for item in page["Items"]]

    def restore(self) -> DynamoStore:
        self.store.close()
        self.store = self._filled(self._kept)
        return self.store

    def _filled(self, items: Iterable[dict[str, Any]]) -> DynamoStore:
        """Make another table, as a restore of DynamoDB does."""
        InTable._tables += 1
        self._name = f"jitcloud-{InTable._tables}"
        self._client.create_table(**definition(self._name))
        for item in items:
            self._client.put_item(TableName=self._name, Item=item)
        return DynamoStore(self._name, client=lambda: checked(self._client))

    def close(self) -> None:
        self.store.close()
        self._moto.stop()
