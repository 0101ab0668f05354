"""One SQLite file: made, migrated, shared by threads and processes, its errors put in words."""

from __future__ import annotations

import os
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw

from jitcloud.errors import JitError, Misconfigured, Tampered, Unavailable

OLDEST = (3, 51, 3)
"""Before this SQLite, two connections that write and checkpoint at once could ruin a WAL file."""

OURS = int.from_bytes(b"jitc", "big")
"""The application id in the header of our files: nobody else's database is ever migrated."""


class SqliteFile:
    """Lends out connections to one database, each to one thread at a time.

    Safe for several threads and processes. After a fork, the child opens one of its own.
    """

    def __init__(self, path: Path, migrations: Sequence[str], patience: timedelta) -> None:
        _check_library()
        self._path = path.absolute()
        self._name = printable(path)
        self._migrations = tuple(migrations)
        self._patience = patience
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._idle: list[apsw.Connection] | None = []  # None: closed
        with _translated(self._name):
            if not self._path.exists():
                self._create()
            self._inode = self._path.stat().st_ino
            with self._lent() as connection:
                self._migrate(connection)

    def rows(self, sql: str, *bindings: str | int | None) -> list[tuple[Any, ...]]:
        """Read all that one statement finds: one consistent view, let go of on return."""
        with _translated(self._name), self._lent() as connection:
            return connection.execute(sql, bindings).fetchall()

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """Hold the only write transaction; commit at the end, or roll back on any error."""
        with _translated(self._name), self._lent() as connection, _transaction(connection):
            # A newer jitcloud may have migrated the file since it was opened here.
            self._refuse_newer(self._version(connection))
            yield connection

    def close(self) -> None:
        """Close what is idle now, and the rest when it comes back."""
        with self._lock:
            idle, self._idle = self._idle or [], None
        for connection in idle:
            connection.close()

    @contextmanager
    def _lent(self) -> Iterator[apsw.Connection]:
        connection = self._take()
        try:
            yield connection
        except JitError:  # such as a conflict: rolled back, as good as new
            self._give(connection)
            raise
        except BaseException:  # whatever state it is in now, even after Ctrl-C
            connection.close(force=True)
            raise
        self._give(connection)

    def _take(self) -> apsw.Connection:
        if os.getpid() != self._process:
            raise RuntimeError("A store cannot be used across a fork: open another one.")
        with self._lock:
            if self._idle is None:
                raise ValueError("The store is closed.")
            idle = self._idle.pop() if self._idle else None
        if self._path.stat().st_ino != self._inode:
            # What is written to the old file would be lost with it, unnoticed.
            raise Misconfigured(f"{self._name} was replaced while in use: restart jitcloud.")
        return idle or self._connect(self._path)

    def _give(self, connection: apsw.Connection) -> None:
        with self._lock:
            if self._idle is not None:
                self._idle.append(connection)
                return
        connection.close()

    def _connect(self, path: Path) -> apsw.Connection:
        connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
        connection.set_busy_timeout(self._patience // timedelta(milliseconds=1))
        if connection.readonly("main"):
            raise Misconfigured(f"{self._name} is read-only: make it writable for this user.")
        if connection.pragma("application_id") != OURS:
            raise Misconfigured(
                f"{self._name} is no jitcloud database, or what is left of one: "
                "restore it from a backup, or name another file."
            )
        if connection.pragma("journal_mode", "wal") != "wal":
            raise Misconfigured(f"{self._name} is not on a local disk: move it to one.")
        connection.pragma("synchronous", "FULL")
        connection.pragma("fullfsync", value=True)  # macOS: fsync alone leaves it in the drive
        connection.pragma("foreign_keys", value=True)
        return connection

    def _create(self) -> None:
        """Make the file under another name, whole, and only then show it.

        So nobody meets half a database, and an empty file is always one that was cut short.
        """
        folder = self._path.parent
        if not folder.is_dir():
            raise Misconfigured(f"There is no folder {printable(folder)}: make it first.")
        descriptor, name = tempfile.mkstemp(dir=folder, prefix=".jitcloud-")  # with mode 0600
        os.close(descriptor)
        draft = Path(name)
        try:
            with closing(apsw.Connection(str(draft))) as connection:
                connection.pragma("application_id", OURS)
            # Closing it moves the write-ahead log into the file.
            with closing(self._connect(draft)) as connection:
                self._migrate(connection)
            with suppress(FileExistsError):  # another process was first: its file is as good
                self._path.hardlink_to(draft)
        finally:
            draft.unlink()

    def _migrate(self, connection: apsw.Connection) -> None:
        while (version := self._version(connection)) < len(self._migrations):
            with _transaction(connection):
                # Read again: another process may have gone this step while we waited.
                if self._version(connection) == version:
                    connection.execute(self._migrations[version])
                    connection.pragma("user_version", version + 1)
        self._refuse_newer(version)

    def _version(self, connection: apsw.Connection) -> int:
        version: int = connection.pragma("user_version")
        return version

    def _refuse_newer(self, version: int) -> None:
        known = len(self._migrations)
        if version > known:
            raise Misconfigured(
                f"{self._name} has schema version {version}, but this jitcloud knows only "
                f"version {known}: upgrade jitcloud."
            )


def printable(path: Path) -> str:
    """Show a path, with what could play tricks on a terminal escaped."""
    text = str(path)
    return text if text.isprintable() else repr(text)


def _check_library() -> None:
    version = apsw.sqlite_lib_version()
    if tuple(int(part) for part in version.split(".")) < OLDEST:
        needed = ".".join(map(str, OLDEST))
        raise Misconfigured(f"SQLite {version} can lose data: upgrade apsw to {needed} or newer.")


@contextmanager
def _transaction(connection: apsw.Connection) -> Iterator[None]:
    # Not `with connection:`, which waits for other writers while it holds Python's global lock:
    # a writer in another thread of ours could then never finish.
    # IMMEDIATE, because a transaction that reads before it writes does not wait, but fails.
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated(name: str) -> Iterator[None]:
    """Turn errors of SQLite and of the file system into ours."""
    try:
        yield
    except (apsw.BusyError, apsw.LockedError, apsw.ProtocolError) as exc:
        raise Unavailable(f"{name} is locked by another process: wait, then try again.") from exc
    except apsw.FullError as exc:
        raise Unavailable(f"The disk of {name} is full: free some space, then try again.") from exc
    except apsw.IOError as exc:
        raise Unavailable(f"{name} cannot be read or written ({exc}): check its disk.") from exc
    except (apsw.CorruptError, apsw.NotADBError, apsw.FormatError, apsw.SQLError) as exc:
        raise Misconfigured(f"{name} is damaged ({exc}): restore it from a backup.") from exc
    except (apsw.ReadOnlyError, apsw.CantOpenError, apsw.PermissionsError, OSError) as exc:
        raise Misconfigured(
            f"{name} cannot be opened for writing ({exc}): "
            "see that it and its folder are there, and that this user may write to both."
        ) from exc
    except UnicodeDecodeError as exc:
        raise Tampered(
            f"{name} holds text that is not UTF-8, as nothing here writes it: see `jitcloud audit"
            " verify`."
        ) from exc
    except apsw.ConstraintError as exc:
        # The fences held, so what is in the way is not from us.
        raise Tampered(
            f"{name} holds events that its requests do not know: see `jitcloud audit verify`."
        ) from exc
