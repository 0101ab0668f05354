"""What SQLite and the disk can do to a store, and what it then says."""

from __future__ import annotations

import os
import resource
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path

import apsw
import pytest

from jitcloud.errors import Misconfigured, Unavailable
from jitcloud.ports import Change
from jitcloud.stores.sqlite import SqliteStore
from jitcloud.stores.sqlite_file import SqliteFile
from jitcloud.stores.sqlite_schema import MIGRATIONS
from tests.factories import (
    a_slot,
    a_vote,
    asked,
    fill_sqlite,
    request_id,
    slot_key,
    the_events,
    the_request,
    then,
)
from tests.sqlite_files import A_WHILE, PATIENCE, each_new, refuses_to_open


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jitcloud.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStore]:
    store = SqliteStore(path)
    yield store
    store.close()


# ── Errors before it can be used ──


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    refuses_to_open(
        tmp_path / "nowhere" / "jitcloud.db", r"There is no folder .*/nowhere: make it first"
    )
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("kept", [0, 1, 60, 100, 511, 4096, 5000, 100_000, 300_000])
def test_a_file_that_was_cut_short_is_refused(path: Path, kept: int) -> None:
    fill_sqlite(path, 200)
    assert path.stat().st_size > kept
    os.truncate(path, kept)
    refuses_to_open(path, "restore it from a backup")


@pytest.mark.parametrize("text", ["", "\n", "just some notes\n" * 1000, "SQLite format 3\0"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(path: Path, text: str) -> None:
    path.write_text(text)
    refuses_to_open(path, "restore it from a backup")
    assert path.read_text() == text


@pytest.mark.parametrize("statement", ["CREATE TABLE theirs (x)", "PRAGMA user_version = 1"])
def test_somebody_elses_database_is_refused_and_left_alone(path: Path, statement: str) -> None:
    connection = apsw.Connection(str(path))
    connection.execute(statement)
    connection.close()
    before = path.read_bytes()
    refuses_to_open(path, "no jitcloud database.*name another file")
    assert path.read_bytes() == before


def test_a_folder_is_no_database(path: Path) -> None:
    path.mkdir()
    refuses_to_open(path, "cannot be opened")


def test_a_link_to_nowhere_is_not_followed(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere.db")
    refuses_to_open(path, "cannot be opened")
    assert list(path.parent.iterdir()) == [path]


def test_a_file_system_without_shared_memory_is_refused(path: Path) -> None:
    usual = apsw.vfs_names()[0]
    apsw.set_default_vfs("unix-dotfile")
    try:
        refuses_to_open(path, "not on a local disk: move it to one")
    finally:
        apsw.set_default_vfs(usual)
    assert list(path.parent.iterdir()) == []


def test_an_old_sqlite_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apsw, "sqlite_lib_version", lambda: "3.51.2")
    refuses_to_open(path, r"SQLite 3\.51\.2 .*upgrade apsw to 3\.51\.3")
    assert not path.exists()


@pytest.mark.parametrize("name", ["evil\x1b[31m\n/x.db", "evil\x1b[31m\n"])
def test_a_path_in_a_message_plays_no_tricks_on_a_terminal(tmp_path: Path, name: str) -> None:
    (tmp_path / "evil\x1b[31m\n").write_text("no database")
    with pytest.raises(Misconfigured, match=r"evil\\x1b") as caught:
        SqliteStore(tmp_path / name)
    assert str(caught.value).isprintable()


@contextmanager
def _unprivileged() -> Iterator[None]:
    """Stop being root, if that is what runs the tests: root may write anywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """Give a folder that anybody may enter; pytest's own are for its user alone."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        folder.chmod(0o777)


def test_a_file_that_may_only_be_read_is_refused(open_folder: Path) -> None:
    path = open_folder / "jitcloud.db"
    SqliteStore(path).close()
    path.chmod(0o444)
    with _unprivileged():
        refuses_to_open(path, "read-only: make it writable")


def test_a_file_that_may_not_even_be_read_is_refused(open_folder: Path) -> None:
    path = open_folder / "jitcloud.db"
    SqliteStore(path).close()
    path.chmod(0o000)
    with _unprivileged():
        refuses_to_open(path, "cannot be opened for writing.*may write to both")


@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_may_only_be_read_is_refused(open_folder: Path, *, exists: bool) -> None:
    path = open_folder / "jitcloud.db"
    if exists:
        SqliteStore(path).close()
        path.chmod(0o666)
    open_folder.chmod(0o555)
    with _unprivileged():
        refuses_to_open(path, "cannot be opened for writing.*may write to both")


# ── Errors in the middle of use ──


def test_a_locked_file_is_waited_for_and_then_unavailable(path: Path) -> None:
    store, other = SqliteStore(path, patience=A_WHILE), SqliteFile(path, MIGRATIONS, PATIENCE)
    store.commit(asked(1))
    with other.writing():
        with pytest.raises(Unavailable, match="locked by another process: wait, then try again"):
            store.commit(asked(2))
        assert store.request(request_id(1)) is not None  # readers do not wait
    assert store.ids(10) == (request_id(1),)
    store.commit(asked(2))
    store.close()
    other.close()


def test_a_writer_waits_for_another_thread_to_finish(path: Path, store: SqliteStore) -> None:
    file = SqliteFile(path, MIGRATIONS, PATIENCE)
    with ThreadPoolExecutor(1) as pool:
        with file.writing() as connection:
            connection.execute("INSERT INTO slots VALUES ('key', 1, NULL, '{}')")
            waiting = pool.submit(store.commit, asked(1))
            assert not wait([waiting], timeout=0.05).done
        waiting.result()
    assert store.ids(10) == (request_id(1),)
    file.close()


def test_a_full_disk_loses_nothing_that_was_committed(path: Path, store: SqliteStore) -> None:
    store.commit(asked(1))
    long = then(the_request(asked(1)), *[a_vote()] * 200)
    with each_new(lambda connection: _limit_pages(connection, 30)):
        cramped = SqliteStore(path)
    with pytest.raises(Unavailable, match=r"disk of .* is full: free some space, then try again"):
        cramped.commit(long)
    assert store.events(request_id(1)) == the_events(asked(1))
    cramped.commit(long)  # on a new connection: nobody knows what state the old one is in
    cramped.close()
    assert len(store.events(request_id(1))) == 201


def _limit_pages(connection: apsw.Connection, most: int) -> None:
    connection.pragma("max_page_count", most)


def test_a_disk_that_fails_loses_nothing_that_was_committed(store: SqliteStore) -> None:
    store.commit(asked(1))
    long = then(the_request(asked(1)), *[a_vote()] * 1000)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(Unavailable, match=r"cannot be read or written .*: check its disk"):
            store.commit(long)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert store.events(request_id(1)) == the_events(asked(1))
    store.commit(long)
    assert len(store.events(request_id(1))) == 1001


def test_a_damaged_page_is_told_when_it_is_met(path: Path) -> None:
    fill_sqlite(path, 500)
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (path.stat().st_size - 4096))
    store = SqliteStore(path)
    with pytest.raises(Misconfigured, match=r"is damaged .*: restore it from a backup") as caught:
        store.request(request_id(1))
    assert type(caught.value) is Misconfigured
    with pytest.raises(Misconfigured, match="is damaged"):
        store.commit(asked(501))
    store.close()


def test_a_file_that_was_replaced_or_removed_is_not_written_to(path: Path) -> None:
    store = SqliteStore(path)
    store.commit(asked(1))
    path.rename(path.with_name("moved.db"))
    with pytest.raises(Misconfigured, match="see that it and its folder are there"):
        store.commit(asked(2))
    other = path.with_name("other.db")
    SqliteStore(other).close()
    other.rename(path)
    with pytest.raises(Misconfigured, match="was replaced while in use: restart jitcloud"):
        store.commit(asked(2))
    store.close()


def test_a_store_is_not_used_across_a_fork(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)
    with pytest.raises(RuntimeError, match="across a fork: open another one"):
        store.ids(1)
    monkeypatch.undo()
    assert store.ids(1) == ()


def test_an_interrupted_commit_leaves_neither_a_lock_nor_a_trace(path: Path) -> None:
    file = SqliteFile(path, MIGRATIONS, PATIENCE)

    def interrupted() -> None:
        with file.writing() as connection:
            connection.execute("INSERT INTO slots VALUES ('key', 1, NULL, '{}')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    store = SqliteStore(path, patience=A_WHILE)
    store.commit(Change(slots=(a_slot(1),)))
    assert file.rows("SELECT key FROM slots") == [(slot_key(1),)]
    store.close()
    file.close()
