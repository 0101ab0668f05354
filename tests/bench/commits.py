"""Commits with nothing around them: their rows are made before the clock runs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

import apsw
from ulid import ULID

from jitcloud import codec, lifecycle
from jitcloud.model import Request, Sealed
from jitcloud.stores.sqlite import SqliteStore

Row = tuple[str | int | None, ...]
Commit = tuple[Row, tuple[Row, ...]]
"""The snapshot that a commit writes, and its events."""

_INSERT = """
INSERT INTO requests (person, state, seq, head, wake_at, body, id) VALUES (?, ?, ?, ?, ?, ?, ?)
"""
_UPDATE = """
UPDATE requests SET person = ?, state = ?, seq = ?, head = ?, wake_at = ?, body = ? WHERE id = ?
"""
_EVENT = "INSERT INTO events (request, seq, text, signature, hash) VALUES (?, ?, ?, ?, ?)"

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Commits:
    """What one life committed, written so many times more: each time under another name."""

    def __init__(self, path: Path, trail: Sequence[Sealed], times: int) -> None:
        SqliteStore(path).close()
        self._connection = _opened(path)
        commits = tuple(_commits(trail))
        self.each = len(commits)
        old = trail[0].event.request
        self._lives = iter(
            [_renamed(commits, old, str(ULID())) for _ in range(times)]
        )

    def run(self) -> None:
        execute = self._connection.execute
        statement = _INSERT
        for request, events in next(self._lives):
            execute("BEGIN IMMEDIATE")
            execute(statement, request)
            for event in events:
                execute(_EVENT, event)
            execute("COMMIT")
            statement = _UPDATE

    def close(self) -> None:
        self._connection.close()


class Trivial:
    """As many commits of one small row each: the least that SQLite makes durable."""

    def __init__(self, path: Path, each: int) -> None:
        self._connection = _opened(path)
        self._connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body TEXT) STRICT")
        self._each = each

    def run(self) -> None:
        for _ in range(self._each):
            self._connection.execute("BEGIN IMMEDIATE")
            self._connection.execute("INSERT INTO rows (body) VALUES ('something')")
            self._connection.execute("COMMIT")

    def close(self) -> None:
        self._connection.close()


def _opened(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path))
    connection.pragma("journal_mode", "wal")
    connection.pragma("synchronous", "FULL")
    return connection


def _commits(trail: Sequence[Sealed]) -> Iterator[Commit]:
    request: Request | None = None
    # What one commit writes has one date, and each commit of a life has its own.
    for _, lines in groupby(trail, lambda line: line.event.at):
        events: list[Row] = []
        for line in lines:
            request = lifecycle.fold(request, line)
            signature = codec.encode_signature(line.signature)
            events.append((request.id, request.seq, line.text, signature, line.hash))
        assert request is not None
        yield _row(request), tuple(events)


def _row(request: Request) -> Row:
    wake_at = lifecycle.wake_at(request)
    assert wake_at is not None
    micros = (wake_at - _EPOCH) // timedelta(microseconds=1)
    body = codec.encode_request(request)
    return request.person, request.state, request.seq, request.head, micros, body, request.id


def _renamed(commits: Sequence[Commit], old: str, new: str) -> tuple[Commit, ...]:
    return tuple(
        (_replaced(request, old, new), tuple(_replaced(event, old, new) for event in events))
        for request, events in commits
    )


def _replaced(row: Row, old: str, new: str) -> Row:
    return tuple(cell.replace(old, new) if isinstance(cell, str) else cell for cell in row)
