"""The file of a SQLite store: how it comes to be, who may read it, how it moves forward."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

import apsw
import pytest

from jitcloud.errors import Misconfigured
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.stores.sqlite_file import SqliteFile
from jitcloud.stores.sqlite_schema import MIGRATIONS
from tests.factories import (
    NOW,
    asked,
    fill_sqlite,
    request_id,
)
from tests.processes import PROCESSES
from tests.sqlite_files import PATIENCE, each_new, refuses_to_open

NEXT = """
CREATE TABLE steps (name TEXT NOT NULL PRIMARY KEY) STRICT;
INSERT INTO steps (name) SELECT id FROM requests;
ALTER TABLE requests ADD COLUMN note TEXT NOT NULL DEFAULT 'added later';
"""
ONE_MORE = (*MIGRATIONS, NEXT)
NOW_KNOWN = len(MIGRATIONS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jitcloud.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


# ── The file ──


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_only_its_owner_may_read_the_file(path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        store = SqliteStore(path)
        store.commit(asked(1))
    finally:
        os.umask(before)
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in path.parent.iterdir()}
    assert modes == dict.fromkeys(["jitcloud.db", "jitcloud.db-shm", "jitcloud.db-wal"], 0o600)
    store.close()


def test_a_closed_store_leaves_one_file_and_nothing_beside_it(path: Path) -> None:
    store = SqliteStore(str(path))
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.commit, [asked(number) for number in range(40)]))
    store.close()
    assert list(path.parent.iterdir()) == [path]


def test_a_connection_in_use_is_closed_when_it_comes_back(path: Path) -> None:
    file = SqliteFile(path, MIGRATIONS, PATIENCE)
    with file.writing() as connection:
        file.close()
        connection.execute("INSERT INTO slots VALUES ('key', 1, NULL, '{}')")
    assert list(path.parent.iterdir()) == [path]
    assert SqliteStore(path).due(NOW, 1) == ()


def test_threads_that_come_and_go_share_one_connection(path: Path) -> None:
    SqliteStore(path).close()
    opened: list[apsw.Connection] = []
    with each_new(opened.append):
        store = SqliteStore(path)
        for number in range(10):
            thread = threading.Thread(target=store.commit, args=[asked(number)])
            thread.start()
            thread.join()
    store.close()
    assert len(opened) == 1


def test_every_commit_is_on_the_disk_when_it_returns(path: Path) -> None:
    opened: list[apsw.Connection] = []
    with each_new(opened.append):
        store = SqliteStore(path)
    connection = opened[-1]  # those before it made the file
    assert connection.pragma("journal_mode") == "wal"
    assert connection.pragma("synchronous") == 2  # FULL
    assert connection.pragma("foreign_keys") == 1
    store.close()


def test_a_special_name_is_a_file_like_any_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (":memory:", "file:x?mode=memory"):
        SqliteStore(name).close()
        assert (tmp_path / name).is_file()


def test_a_store_stays_with_its_file_when_the_process_moves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    store = SqliteStore("jitcloud.db")
    monkeypatch.chdir("elsewhere")
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(store.commit, [asked(number) for number in range(40)]))
    assert len(store.ids(100)) == 40
    store.close()


# ── Migrations ──


def test_an_older_file_is_brought_forward_with_all_it_holds(path: Path) -> None:
    fill_sqlite(path, 20)
    file = SqliteFile(path, ONE_MORE, PATIENCE)
    assert file.rows("PRAGMA user_version") == [(NOW_KNOWN + 1,)]
    assert file.rows("SELECT count(*) FROM steps") == [(20,)]
    assert file.rows("SELECT DISTINCT note FROM requests") == [("added later",)]
    file.close()
    again = SqliteFile(path, ONE_MORE, PATIENCE)
    assert again.rows("SELECT count(*) FROM events") == [(20,)]
    again.close()


def test_a_new_file_goes_through_every_migration(path: Path) -> None:
    file = SqliteFile(path, ONE_MORE, PATIENCE)
    assert file.rows("PRAGMA user_version") == [(NOW_KNOWN + 1,)]
    file.close()


def test_a_newer_file_is_refused_and_left_alone(path: Path) -> None:
    SqliteFile(path, ONE_MORE, PATIENCE).close()
    before = path.read_bytes()
    refuses_to_open(
        path,
        f"has schema version {NOW_KNOWN + 1}, but .* only version {NOW_KNOWN}: upgrade jitcloud",
    )
    assert path.read_bytes() == before


def test_nothing_is_written_to_a_file_migrated_meanwhile(path: Path, store: SqliteStore) -> None:
    store.commit(asked(1))
    SqliteFile(path, ONE_MORE, PATIENCE).close()
    with pytest.raises(Misconfigured, match="upgrade jitcloud"):
        store.commit(asked(2))
    assert store.ids(10) == (request_id(1),)


def test_a_migration_that_fails_half_way_changes_nothing(path: Path) -> None:
    fill_sqlite(path, 3)
    with pytest.raises(Misconfigured):
        SqliteFile(path, (*MIGRATIONS, "CREATE TABLE half (x); INSERT INTO nowhere"), PATIENCE)
    store = SqliteStore(path)
    assert len(store.ids(10)) == 3
    store.close()
    file = SqliteFile(path, (*MIGRATIONS, "CREATE TABLE half (x)"), PATIENCE)
    assert file.rows("PRAGMA user_version") == [(NOW_KNOWN + 1,)]
    file.close()


def test_who_waited_for_a_migration_does_not_repeat_it(path: Path) -> None:
    fill_sqlite(path, 3)
    file = SqliteFile(path, MIGRATIONS, PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        with file.writing() as connection:
            waiting = pool.submit(SqliteFile, path, ONE_MORE, PATIENCE)
            assert not wait([waiting], timeout=0.1).done
            connection.execute(NEXT)
            connection.pragma("user_version", NOW_KNOWN + 1)
        other = waiting.result()
    assert other.rows("SELECT count(*) FROM steps") == [(3,)]
    other.close()
    file.close()


def test_processes_that_open_a_new_file_at_once_all_find_it_whole(tmp_path: Path) -> None:
    _at_once(_open_and_commit, tmp_path)
    for number in range(ROUNDS):
        store = SqliteStore(tmp_path / f"{number}.db")
        assert len(store.ids(10)) == SEVERAL
        store.close()
    assert len(list(tmp_path.iterdir())) == ROUNDS


def test_processes_that_migrate_a_file_at_once_do_so_once(tmp_path: Path) -> None:
    for number in range(ROUNDS):
        fill_sqlite(tmp_path / f"{number}.db", 5)
    _at_once(_migrate, tmp_path)
    for number in range(ROUNDS):
        file = SqliteFile(tmp_path / f"{number}.db", ONE_MORE, PATIENCE)
        assert file.rows("SELECT count(*) FROM steps") == [(5,)]
        file.close()


SEVERAL = 4
ROUNDS = 20


def _at_once(work: Callable[[Path, int], None], folder: Path) -> None:
    barrier = PROCESSES.Barrier(SEVERAL)
    processes = [
        PROCESSES.Process(target=_in_step, args=(work, folder, number, barrier))
        for number in range(SEVERAL)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
    assert [process.exitcode for process in processes] == [0] * SEVERAL


def _in_step(work: Callable[[Path, int], None], folder: Path, number: int, barrier: Any) -> None:
    for turn in range(ROUNDS):
        barrier.wait(30)
        work(folder / f"{turn}.db", number)


def _open_and_commit(path: Path, number: int) -> None:
    store = SqliteStore(path)
    store.commit(asked(number))
    store.close()


def _migrate(path: Path, _: int) -> None:
    SqliteFile(path, ONE_MORE, PATIENCE).close()
