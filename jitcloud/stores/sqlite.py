"""The embedded default: everything in one SQLite file, on one machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from itertools import starmap
from pathlib import Path

import apsw

from jitcloud import codec
from jitcloud.due import Due
from jitcloud.model import (
    CONTROLS,
    Controls,
    Mark,
    PersonId,
    Request,
    RequestId,
    Sealed,
    Slot,
    SlotKey,
    State,
)
from jitcloud.ports import Change, Page
from jitcloud.stores import rules
from jitcloud.stores.sqlite_file import SqliteFile
from jitcloud.stores.sqlite_rows import (
    controls_row,
    event_row,
    mark_row,
    request_row,
    slot_row,
    to_instant,
    to_mark,
    to_micros,
    to_sealed,
)
from jitcloud.stores.sqlite_schema import MIGRATIONS

_PUT_REQUEST = """
INSERT INTO requests (id, person, state, seq, head, wake_at, review_by, body)
VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET state = excluded.state, seq = excluded.seq,
    head = excluded.head, wake_at = excluded.wake_at, review_by = excluded.review_by,
    body = excluded.body
"""
# Nothing has happened to it, so nothing of its snapshot may change either.
_PUT_OFF = "UPDATE requests SET wake_at = ? WHERE id = ?"
_PUT_SLOT = """
INSERT INTO slots (key, version, wake_at, body) VALUES (?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET version = excluded.version,
    wake_at = excluded.wake_at, body = excluded.body
"""
_PUT_CONTROLS = """
INSERT INTO controls (one, seq, head, body) VALUES (1, ?, ?, ?)
ON CONFLICT (one) DO UPDATE SET seq = excluded.seq, head = excluded.head, body = excluded.body
"""
_PUT_MARK = """
INSERT INTO marks (channel, request, version, wake_at, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (channel, request) DO UPDATE SET version = excluded.version,
    wake_at = excluded.wake_at, body = excluded.body
"""
_MAKE_DUE = """
INSERT INTO marks (channel, request, version, wake_at, body) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (channel, request) DO UPDATE SET version = version + 1,
    wake_at = min(coalesce(wake_at, excluded.wake_at), excluded.wake_at)
"""
_MARK = "SELECT version, wake_at, body FROM marks WHERE channel = ? AND request = ?"
# Each half walks its own partial index in order, and stops at ``now`` or at the limit.
_DUE = """
SELECT 'request', id, wake_at FROM requests WHERE wake_at <= ?1
UNION ALL
SELECT 'slot', key, wake_at FROM slots WHERE wake_at <= ?1
ORDER BY wake_at LIMIT ?2
"""
_DUE_MARKS = """
SELECT 'mark', channel || '/' || request, wake_at FROM marks WHERE wake_at <= ?1
ORDER BY wake_at LIMIT ?2
"""
_DUE_OF_CHANNEL = """
SELECT 'mark', channel || '/' || request, wake_at FROM marks WHERE wake_at <= ?1 AND channel = ?3
ORDER BY wake_at LIMIT ?2
"""

# All of them in one statement, so in one consistent view, however many there are.
_REQUESTS = "SELECT body FROM requests WHERE id IN (SELECT value FROM json_each(?))"
_SLOTS = "SELECT body FROM slots WHERE key IN (SELECT value FROM json_each(?))"
_ALL_SLOTS = "SELECT body FROM slots WHERE key > ? ORDER BY key LIMIT ?"
_IDS = "SELECT id FROM requests WHERE id > ? ORDER BY id LIMIT ?"
_IDS_IN_STATE = "SELECT id FROM requests WHERE state = ? AND id > ? ORDER BY id LIMIT ?"
_BY_PERSON = """
SELECT body FROM requests WHERE person = ? AND id < ? ORDER BY id DESC LIMIT ?
"""
_BY_STATE = """
SELECT body FROM requests WHERE state = ? AND id < ? ORDER BY id DESC LIMIT ?
"""
_UNREVIEWED = """
SELECT body FROM requests WHERE review_by <= ? ORDER BY review_by, id LIMIT ?
"""
_UNREVIEWED_OF = """
SELECT body FROM requests WHERE person = ? AND review_by <= ? ORDER BY review_by, id LIMIT ?
"""

_LAST = "\U0010ffff"  # sorts after every id
_NEVER = 2**63 - 1  # the largest that a column holds: later than every instant


class SqliteStore:
    """Keeps everything in one file. Safe for several threads and processes of one machine.

    ``patience`` is how long a call waits for other writers before it is ``Unavailable``.
    """

    def __init__(self, path: Path | str, *, patience: timedelta = timedelta(seconds=5)) -> None:
        self._file = SqliteFile(Path(path), MIGRATIONS, patience)

    def commit(self, change: Change) -> None:
        rules.check(change)
        eventful = [request_row(move) for move in change.moves if move.events]
        put_off = [(to_micros(m.wake_at), m.request.id) for m in change.moves if not m.events]
        events = [event_row(sealed) for move in change.moves for sealed in move.events]
        slots = [slot_row(slot) for slot in change.slots]
        marks = [mark_row(mark) for mark in rules.marks_due(change)]
        with self._file.writing() as connection:
            rules.fence(change, partial(_head, connection), partial(_version, connection))
            connection.executemany(_PUT_REQUEST, eventful)
            connection.executemany(_PUT_OFF, put_off)
            connection.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?)", events)
            connection.executemany(_PUT_SLOT, slots)
            connection.executemany(_MAKE_DUE, marks)
            if change.control is not None:
                lines = [event_row(sealed)[1:] for sealed in change.control.events]
                connection.execute(_PUT_CONTROLS, controls_row(change.control.controls))
                connection.executemany("INSERT INTO control_events VALUES (?, ?, ?, ?)", lines)

    def request(self, request: RequestId) -> Request | None:
        rows = self._file.rows("SELECT body FROM requests WHERE id = ?", request)
        return codec.decode_request(rows[0][0]) if rows else None

    def requests(self, names: Sequence[RequestId]) -> tuple[Request, ...]:
        rows = self._file.rows(_REQUESTS, json.dumps(list(dict.fromkeys(names))))
        return tuple(codec.decode_request(body) for (body,) in rows)

    def wake_at(self, request: RequestId) -> datetime | None:
        rows = self._file.rows("SELECT wake_at FROM requests WHERE id = ?", request)
        return None if not rows or rows[0][0] is None else to_instant(rows[0][0])

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        rows = self._file.rows(
            "SELECT text, signature, hash FROM events WHERE request = ? ORDER BY seq", request
        )
        return tuple(starmap(to_sealed, rows))

    def controls(self) -> Controls | None:
        rows = self._file.rows("SELECT body FROM controls")
        return codec.decode_controls(rows[0][0]) if rows else None

    def control_events(self) -> tuple[Sealed, ...]:
        rows = self._file.rows("SELECT text, signature, hash FROM control_events ORDER BY seq")
        return tuple(starmap(to_sealed, rows))

    def slot(self, key: SlotKey) -> Slot | None:
        rows = self._file.rows("SELECT body FROM slots WHERE key = ?", key)
        return codec.decode_slot(rows[0][0]) if rows else None

    def slots(self, keys: Sequence[SlotKey]) -> tuple[Slot, ...]:
        rows = self._file.rows(_SLOTS, json.dumps(list(dict.fromkeys(keys))))
        return tuple(codec.decode_slot(body) for (body,) in rows)

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        return self._due(_DUE, now, limit)

    def due_marks(self, now: datetime, limit: int, channel: str | None = None) -> tuple[Due, ...]:
        if channel is None:
            return self._due(_DUE_MARKS, now, limit)
        return self._due(_DUE_OF_CHANNEL, now, limit, channel)

    def by_person(self, person: PersonId, limit: int, after: RequestId | None = None) -> Page:
        return self._page(_BY_PERSON, person, limit, after)

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Page:
        return self._page(_BY_STATE, state, limit, after)

    def unreviewed(
        self, limit: int, person: PersonId | None = None, before: datetime | None = None
    ) -> tuple[Request, ...]:
        rules.check_limit(limit)
        latest = _NEVER if before is None else to_micros(before)
        if person is None:
            rows = self._file.rows(_UNREVIEWED, latest, limit)
        else:
            rows = self._file.rows(_UNREVIEWED_OF, person, latest, limit)
        return tuple(codec.decode_request(body) for (body,) in rows)

    def mark(self, channel: str, request: RequestId) -> Mark | None:
        rows = self._file.rows(_MARK, channel, request)
        return to_mark(*rows[0]) if rows else None

    def put_mark(self, mark: Mark) -> None:
        rules.check_mark(mark)
        row = mark_row(mark)
        with self._file.writing() as connection:
            version, *_ = connection.execute(_MARK, (mark.channel, mark.request)).get or (0,)
            rules.fence_mark(mark, version)
            connection.execute(_PUT_MARK, row)

    def all_slots(self, limit: int, after: SlotKey | None = None) -> tuple[Slot, ...]:
        rules.check_limit(limit)
        rows = self._file.rows(_ALL_SLOTS, after or "", limit)
        return tuple(codec.decode_slot(body) for (body,) in rows)

    def ids(
        self, limit: int, after: RequestId | None = None, state: State | None = None
    ) -> tuple[RequestId, ...]:
        rules.check_limit(limit)
        if state is None:
            rows = self._file.rows(_IDS, after or "", limit)
        else:
            rows = self._file.rows(_IDS_IN_STATE, state, after or "", limit)
        return tuple(RequestId(id_) for (id_,) in rows)

    def close(self) -> None:
        self._file.close()

    def _due(self, sql: str, now: datetime, limit: int, *more: str) -> tuple[Due, ...]:
        rules.check_limit(limit)
        rows = self._file.rows(sql, to_micros(now), limit, *more)
        return tuple(Due(kind=kind, id=id_, wake_at=to_instant(at)) for kind, id_, at in rows)

    def _page(self, sql: str, value: str, limit: int, after: RequestId | None) -> Page:
        rules.check_limit(limit)
        rows = self._file.rows(sql, value, after or _LAST, limit + 1)
        return rules.page([codec.decode_request(body) for (body,) in rows], limit)


def _head(connection: apsw.Connection, request: RequestId) -> rules.Head:
    if request == CONTROLS:
        found = connection.execute("SELECT seq, head FROM controls")
    else:
        found = connection.execute("SELECT seq, head FROM requests WHERE id = ?", (request,))
    head: rules.Head | None = found.get
    return head or rules.NOT_STORED


def _version(connection: apsw.Connection, key: SlotKey) -> int:
    version: int | None = connection.execute("SELECT version FROM slots WHERE key = ?", (key,)).get
    return version or 0
