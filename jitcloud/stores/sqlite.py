"""The embedded default: everything in one SQLite file, on one machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import apsw

from jitcloud import codec
from jitcloud.model import (
    Digest,
    PersonId,
    Request,
    RequestId,
    Sealed,
    Slot,
    SlotKey,
    State,
)
from jitcloud.ports import Change, Due, Page
from jitcloud.stores import rules
from jitcloud.stores.sqlite_file import SqliteFile

# What is searched or fenced by has a column; ``body`` is the whole, as canonical JSON. A request
# is fenced by the head its snapshot has, not by its last event: whoever spoils a trail must not
# thereby keep a grant from ending.
_FIRST = """
CREATE TABLE requests (
    id TEXT NOT NULL PRIMARY KEY,
    person TEXT NOT NULL,
    state TEXT NOT NULL,
    seq INTEGER NOT NULL,
    head TEXT NOT NULL,
    wake_at INTEGER, -- microseconds since 1970
    body TEXT NOT NULL
) STRICT;
CREATE INDEX requests_by_wake ON requests (wake_at, id) WHERE wake_at IS NOT NULL;
CREATE INDEX requests_by_person ON requests (person, id);
CREATE INDEX requests_by_state ON requests (state, id);

CREATE TABLE events (
    request TEXT NOT NULL REFERENCES requests (id),
    seq INTEGER NOT NULL,
    text TEXT NOT NULL,
    signature TEXT,
    hash TEXT NOT NULL,
    PRIMARY KEY (request, seq)
) STRICT;

CREATE TABLE slots (
    key TEXT NOT NULL PRIMARY KEY,
    version INTEGER NOT NULL,
    wake_at INTEGER,
    body TEXT NOT NULL
) STRICT;
CREATE INDEX slots_by_wake ON slots (wake_at, key) WHERE wake_at IS NOT NULL;
"""

MIGRATIONS = (_FIRST,)
"""What each schema version adds to the one before it. Only ever appended to."""

_PUT_REQUEST = """
INSERT INTO requests (id, person, state, seq, head, wake_at, body) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, seq = excluded.seq,
    head = excluded.head, wake_at = excluded.wake_at, body = excluded.body
"""
_PUT_SLOT = """
INSERT INTO slots (key, version, wake_at, body) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET version = excluded.version,
    wake_at = excluded.wake_at, body = excluded.body
"""
# Each half walks its own partial index in order, and stops at ``now`` or at the limit.
_DUE = """
SELECT 'request', id, wake_at FROM requests WHERE wake_at <= ?1
UNION ALL
SELECT 'slot', key, wake_at FROM slots WHERE wake_at <= ?1
ORDER BY wake_at LIMIT ?2
"""

# All of them in one statement, so in one consistent view, however many there are.
_SLOTS = "SELECT body FROM slots WHERE key IN (SELECT value FROM json_each(?))"
_BY_PERSON = """
SELECT body FROM requests WHERE person = ? AND id < ? ORDER BY id DESC LIMIT ?
"""
_BY_STATE = """
SELECT body FROM requests WHERE state = ? AND id < ? ORDER BY id DESC LIMIT ?
"""

_Row = tuple[str | int | None, ...]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = "\U0010ffff"  # sorts after every id


class SqliteStore:
    """Keeps everything in one file. Safe for several threads and processes of one machine.

    ``patience`` is how long a call waits for other writers before it is ``Unavailable``.
    """

    def __init__(self, path: Path | str, *, patience: timedelta = timedelta(seconds=5)) -> None:
        self._file = SqliteFile(Path(path), MIGRATIONS, patience)

    def commit(self, change: Change) -> None:
        rules.check(change)
        request = None if change.request is None else _request_row(change.request, change.wake_at)
        events = [_event_row(sealed) for sealed in change.events]
        slots = [_slot_row(slot) for slot in change.slots]
        with self._file.writing() as connection:
            rules.fence(change, partial(_head, connection), partial(_version, connection))
            if request is not None and events:
                connection.execute(_PUT_REQUEST, request)
            elif change.request is not None:
                # Nothing has happened to it, so nothing of its snapshot may change either.
                connection.execute(
                    "UPDATE requests SET wake_at = ? WHERE id = ?",
                    (_micros(change.wake_at), change.request.id),
                )
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", events)
            connection.executemany(_PUT_SLOT, slots)

    def request(self, request: RequestId) -> Request | None:
        rows = self._file.rows("SELECT body FROM requests WHERE id = ?", request)
        return codec.decode_request(rows[0][0]) if rows else None

    def wake_at(self, request: RequestId) -> datetime | None:
        rows = self._file.rows("SELECT wake_at FROM requests WHERE id = ?", request)
        return None if not rows or rows[0][0] is None else _instant(rows[0][0])

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        rows = self._file.rows(
            "SELECT text, signature, hash FROM events WHERE request = ? ORDER BY seq", request
        )
        return tuple(_sealed(text, signature, digest) for text, signature, digest in rows)

    def slot(self, key: SlotKey) -> Slot | None:
        rows = self._file.rows("SELECT body FROM slots WHERE key = ?", key)
        return codec.decode_slot(rows[0][0]) if rows else None

    def slots(self, keys: Sequence[SlotKey]) -> tuple[Slot, ...]:
        rows = self._file.rows(_SLOTS, json.dumps(list(dict.fromkeys(keys))))
        return tuple(codec.decode_slot(body) for (body,) in rows)

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        rules.check_limit(limit)
        rows = self._file.rows(_DUE, _micros(now), limit)
        return tuple(Due(kind=kind, id=id_, wake_at=_instant(at)) for kind, id_, at in rows)

    def by_person(self, person: PersonId, limit: int, after: RequestId | None = None) -> Page:
        return self._page(_BY_PERSON, person, limit, after)

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Page:
        return self._page(_BY_STATE, state, limit, after)

    def ids(self, limit: int, after: RequestId | None = None) -> tuple[RequestId, ...]:
        rules.check_limit(limit)
        rows = self._file.rows(
            "SELECT id FROM requests WHERE id > ? ORDER BY id LIMIT ?", after or "", limit
        )
        return tuple(RequestId(id_) for (id_,) in rows)

    def close(self) -> None:
        self._file.close()

    def _page(self, sql: str, value: str, limit: int, after: RequestId | None) -> Page:
        rules.check_limit(limit)
        rows = self._file.rows(sql, value, after or _LAST, limit + 1)
        return rules.page([codec.decode_request(body) for (body,) in rows], limit)


def _head(connection: apsw.Connection, request: RequestId) -> rules.Head:
    sql = "SELECT seq, head FROM requests WHERE id = ?"
    head: rules.Head | None = connection.execute(sql, (request,)).get
    return head or rules.NOT_STORED


def _version(connection: apsw.Connection, key: SlotKey) -> int:
    version: int | None = connection.execute("SELECT version FROM slots WHERE key = ?", (key,)).get
    return version or 0


def _request_row(request: Request, wake_at: datetime | None) -> _Row:
    body = codec.encode_request(request)
    wake = _micros(wake_at)
    return request.id, request.person, request.state, request.seq, request.head, wake, body


def _event_row(sealed: Sealed) -> _Row:
    signature = codec.encode_signature(sealed.signature)
    return sealed.event.request, sealed.event.seq, sealed.text, signature, sealed.hash


def _sealed(text: str, signature: str | None, digest: Digest) -> Sealed:
    return Sealed(
        event=codec.decode_event(text),
        text=text,
        signature=codec.decode_signature(signature),
        hash=digest,
    )


def _slot_row(slot: Slot) -> _Row:
    return slot.key, slot.version, _micros(slot.wake_at), codec.encode_slot(slot)


def _micros(instant: datetime | None) -> int | None:
    # Whole numbers all the way: a float would lose microseconds.
    return None if instant is None else (instant - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int) -> datetime:
    return _EPOCH + timedelta(microseconds=micros)
