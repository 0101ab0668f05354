"""The rows of a record, as whoever can write a store has them in hand, and what keeps them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import apsw

from jitcloud import codec, controls, lifecycle
from jitcloud.audit import chain, export
from jitcloud.errors import Tampered
from jitcloud.model import CONTROLS, GENESIS, Controls, Request, RequestId, Sealed, State
from jitcloud.ports import Store
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore


class Row(NamedTuple):
    """An event as a store has it."""

    text: str
    signature: str | None
    hash: str


@dataclass
class Rows:
    """A record; attacks change it in place."""

    snapshots: dict[str, str] = field(default_factory=dict)
    trails: dict[str, list[Row]] = field(default_factory=dict)
    """With that of the deployment, under ``CONTROLS``."""
    wakes: dict[str, datetime | None] = field(default_factory=dict)

    @classmethod
    def of(cls, store: Store) -> Rows:
        rows = cls()
        for name in store.ids(1000):
            request = store.request(name)
            assert request is not None
            rows.snapshots[name] = codec.encode_request(request)
            rows.trails[name] = [row_of(each) for each in store.events(name)]
            rows.wakes[name] = store.wake_at(name)
        known = store.controls()
        if known is not None:
            rows.snapshots[CONTROLS] = codec.encode_controls(known)
            rows.trails[CONTROLS] = [row_of(each) for each in store.control_events()]
        return rows

    def copy(self) -> Rows:
        trails = {name: list(trail) for name, trail in self.trails.items()}
        return Rows(snapshots=dict(self.snapshots), trails=trails, wakes=dict(self.wakes))

    @property
    def requests(self) -> list[str]:
        return [name for name in self.snapshots if name != CONTROLS]

    def sealed(self, name: str) -> list[Sealed]:
        return [sealed(each) for each in self.trails[name]]

    def set(self, name: str, trail: Sequence[Sealed]) -> None:
        """Write a trail, and the snapshot that it adds up to: no two rows of it disagree."""
        self.trails[name] = [row_of(each) for each in trail]
        if name == CONTROLS:
            known = controls.refold(tuple(trail))
            assert known is not None
            self.snapshots[name] = codec.encode_controls(known)
            return
        request = lifecycle.refold(tuple(trail))
        self.snapshots[name] = codec.encode_request(request)
        self.wakes[name] = lifecycle.wake_at(request)

    def delete(self, name: str) -> None:
        del self.snapshots[name], self.trails[name]
        self.wakes.pop(name, None)


def row_of(line: Sealed) -> Row:
    return Row(line.text, codec.encode_signature(line.signature), line.hash)


def sealed(row: Row) -> Sealed:
    signature = codec.decode_signature(row.signature)
    event = codec.decode_event(row.text)
    return Sealed(event=event, text=row.text, signature=signature, hash=row.hash)  # type: ignore[arg-type] # as forged


def rewritten(trail: Sequence[Sealed]) -> list[Sealed]:
    """Give a trail right numbers and hashes, as whoever has no key can: signatures stay."""
    made: list[Sealed] = []
    for line in trail:
        event = replace(line.event, seq=len(made) + 1, prev=made[-1].hash if made else GENESIS)
        text = codec.encode_event(event)
        made.append(replace(line, event=event, text=text, hash=chain.digest(text, line.signature)))
    return made


class RowStore(MemoryStore):
    """A store in memory that reads rows anew each time, as one on a disk does."""

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.rows = rows

    def request(self, request: RequestId) -> Request | None:
        body = self.rows.snapshots.get(request)
        return None if body is None else codec.decode_request(body)

    def requests(self, names: Sequence[RequestId]) -> tuple[Request, ...]:
        found = (self.request(name) for name in names)
        return tuple(each for each in found if each is not None)

    def wake_at(self, request: RequestId) -> datetime | None:
        return self.rows.wakes.get(request)

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        return tuple(sealed(each) for each in self.rows.trails.get(request, ()))

    def controls(self) -> Controls | None:
        body = self.rows.snapshots.get(CONTROLS)
        return None if body is None else codec.decode_controls(body)

    def control_events(self) -> tuple[Sealed, ...]:
        return self.events(CONTROLS)

    def ids(
        self, limit: int, after: RequestId | None = None, state: State | None = None
    ) -> tuple[RequestId, ...]:
        assert state is None
        names = sorted(RequestId(name) for name in self.rows.requests)
        return tuple(name for name in names if after is None or name > after)[:limit]


def sqlite(rows: Rows, path: Path) -> SqliteStore:
    """Put rows into a database of SQLite, whatever they say, and open it."""
    SqliteStore(path).close()
    write(rows, path)
    return SqliteStore(path)


def write(rows: Rows, path: Path) -> None:
    """Replace the rows of a database that nobody has open."""
    connection = apsw.Connection(str(path))
    with connection:
        for table in ("events", "requests", "control_events", "controls"):
            connection.execute(f"DELETE FROM {table}")  # noqa: S608 - of our own
        for name in rows.requests:
            connection.execute(
                "INSERT INTO requests (id, person, state, seq, head, wake_at, body)"
                " VALUES (?, 'x', 'x', 1, 'x', ?, ?)",
                (name, rows.wakes.get(name) and 1, rows.snapshots[name]),
            )
        for name, trail in rows.trails.items():
            for seq, row in enumerate(trail, 1):
                if name == CONTROLS:
                    connection.execute(
                        "INSERT INTO control_events VALUES (?, ?, ?, ?)", (seq, *row)
                    )
                else:
                    connection.execute(
                        "INSERT INTO events VALUES (?, ?, ?, ?, ?)", (name, seq, *row)
                    )
        if CONTROLS in rows.snapshots:
            connection.execute(
                "INSERT INTO controls VALUES (1, 1, 'x', ?)", (rows.snapshots[CONTROLS],)
            )
    connection.close()


def lines(rows: Rows) -> Iterator[bytes]:
    """Write rows as an export."""
    for name in (CONTROLS, *rows.requests):
        for row in rows.trails.get(name, ()):
            try:
                yield f"{export.line_of(sealed(row))}\n".encode()
            except Tampered:  # whoever edits an export edits its text
                yield (
                    f'{{"event":{row.text},"hash":"{row.hash}",'
                    f'"signature":{row.signature or "null"}}}\n'
                ).encode()
