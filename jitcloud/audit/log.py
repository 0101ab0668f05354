"""Reads a whole log of checkpoints, and holds trails to it: what was there must be there still.

The leaves are kept in a file of SQLite that is gone afterwards: there may be millions of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice

import apsw

from jitcloud.audit import checkpoint
from jitcloud.audit.checkpoint import Checkpoint, Head
from jitcloud.audit.merkle import Edge
from jitcloud.audit.public_keys import PublicKey
from jitcloud.errors import Tampered
from jitcloud.instants import iso
from jitcloud.model import CONTROLS, Digest, RequestId, Sealed
from jitcloud.text import printable, quoted

LATE = timedelta(minutes=10)
"""A commit is done with so long after the instant that it is dated by, whatever clocks say."""

MOST = 1000
"""How many requests that are gone, and lines that are no checkpoint, are named one by one."""

_SCHEMA = """
CREATE TABLE heads (request TEXT, seq INTEGER, hash BLOB, checkpoint INTEGER,
                    PRIMARY KEY (request, seq, hash)) WITHOUT ROWID;
CREATE TABLE met (request TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_GONE = """
SELECT heads.request, max(heads.seq), min(heads.checkpoint) FROM heads
LEFT JOIN met ON met.request = heads.request
WHERE met.request IS NULL GROUP BY heads.request ORDER BY heads.request LIMIT ?
"""


@dataclass(slots=True)
class Log:
    """What all checkpoints together say, and what is wrong with them."""

    name: str
    """Where they were read."""
    origin: str = ""
    size: int = 0
    """Leaves."""
    checkpoints: int = 0
    at: datetime | None = None
    """When the record was read for the last of them; None where there is none."""
    walked: datetime | None = None
    """When the last walk through the whole record was begun that came to its end."""
    findings: list[tuple[str, str]] = field(default_factory=list)
    """What is wrong with the log itself: where, and what."""
    later: int = 0
    """How many trails have events that no checkpoint holds yet, of those that were compared."""
    oldest: datetime | None = None
    """Of when the oldest of these events is."""
    _edge: Edge = field(default_factory=Edge)
    _index: apsw.Connection = field(default_factory=lambda: apsw.Connection(""), repr=False)
    _lines: dict[int, bytes] = field(default_factory=dict, repr=False)

    @classmethod
    def read(cls, name: str, lines: Iterable[tuple[str, bytes]], keys: Iterable[PublicKey]) -> Log:
        """Read checkpoints in the order of their leaves; believe what these keys have signed.

        Nothing is raised for what is wrong with them: ``findings`` has it. Raises what ``lines``
        does.
        """
        log, keys = cls(name), tuple(keys)
        log._index.execute(_SCHEMA)
        with log._index:
            for where, line in lines:
                try:
                    log._take(checkpoint.believed(line, keys), line)
                except Tampered as exc:
                    log._find(where, str(exc))
        return log

    def _take(self, found: Checkpoint, line: bytes) -> None:
        if self.checkpoints and found.origin != self.origin:
            raise Tampered(f"it is of another log, {quoted(found.origin)}: keep them apart.")
        if found.start < self.size:
            if self._lines.get(found.start) == _digest(line):
                return  # the same, kept twice
            raise Tampered(
                f"it begins at leaf {found.start} once more: there are two histories from there on,"
                " and the one that was written first is believed."
            )
        if found.start > self.size:
            self._find_gap(found.start)
        elif found.before != self._edge:
            raise Tampered("it does not continue the one before it: it is of another history.")
        self.origin, self.size, self._edge = found.origin, found.after.size, found.after
        self.checkpoints += 1
        self.at, self.walked = found.reading.at, found.reading.walked
        self._lines[found.start] = _digest(line)
        self._keep(found.heads)

    def _find_gap(self, start: int) -> None:
        self._find(
            f"leaf {self.size}",
            f"{start - self.size} leaves are missing: a checkpoint was taken away, or is damaged.",
        )

    def _find(self, where: str, message: str) -> None:
        if len(self.findings) < MOST:
            self.findings.append((f"{self.name}, {where}", message))

    def _keep(self, heads: Iterable[Head]) -> None:
        self._index.executemany(
            "INSERT OR IGNORE INTO heads VALUES (?, ?, ?, ?)",
            ((name, seq, bytes.fromhex(hash_), self.checkpoints) for name, seq, hash_ in heads),
        )

    def missing(self, name: RequestId, trail: Sequence[Sealed]) -> str:
        """Say what of a trail was there at a checkpoint and is not any more; empty if all is.

        The trail is what is stored now, oldest first, whether it holds or not.
        """
        self._index.execute("INSERT OR IGNORE INTO met VALUES (?)", (name,))
        heads = [
            Head(name, seq, Digest(hash_.hex()))
            for seq, hash_ in self._index.execute(
                "SELECT seq, hash FROM heads WHERE request = ? ORDER BY seq", (name,)
            )
        ]
        self._count(heads, trail)
        stored = {line.event.seq: line.hash for line in trail}
        last = max(stored, default=0)
        for head in heads:
            if head.seq > last:
                return (
                    f"A checkpoint holds event {heads[-1].seq} of {_named(name)}, and its trail"
                    f" ends with event {last}: its end was cut off, or an older record was put in"
                    " place of the newer."
                )
            if stored.get(head.seq) != head.hash:
                return (
                    f"Event {head.seq} of {_named(name)} is not the one that a checkpoint holds:"
                    " this trail, or the end of it, was put in place of another."
                )
        return ""

    def _count(self, heads: Sequence[Head], trail: Sequence[Sealed]) -> None:
        known = max((head.seq for head in heads), default=0)
        first = min((at for seq, at in _dated(trail) if seq > known), default=None)
        if first is not None:
            self.later += 1
            self.oldest = first if self.oldest is None else min(self.oldest, first)

    def smuggled(self, name: RequestId, trail: Sequence[Sealed]) -> str:
        """Say which event should be in the log by its date, and is not; empty if none is."""
        if self.walked is None:
            return ""
        known = self._index.execute(
            "SELECT max(seq) FROM heads WHERE request = ?", (name,)
        ).fetchone()
        last = known[0] or 0 if known else 0
        for seq, at in _dated(trail):
            if seq > last and at < self.walked - LATE:
                return (
                    f"Event {seq} of {_named(name)} is dated {iso(at)}, and"
                    f" was not there when the whole record was read from {iso(self.walked)} on: it"
                    " was written afterwards, and dated back."
                )
        return ""

    def gone(self) -> Iterator[tuple[RequestId, str]]:
        """Yield every request that a checkpoint holds, and of which no trail was compared."""
        found = list(self._index.execute(_GONE, (MOST + 1,)))
        for name, seq, number in islice(found, MOST):
            message = (
                f"Checkpoint {number} holds {seq} events of {_named(name)}, and nothing of it is"
                " here: it was deleted whole, or an older record was put in place of the newer."
            )
            yield RequestId(name), message
        if len(found) > MOST:
            yield RequestId("…"), f"More than {MOST} requests are gone; not all are named here."

    def unseen(self) -> tuple[str, ...]:
        """Say what no comparison with these checkpoints can see."""
        since = "there is none" if self.at is None else f"that of {iso(self.at)}"
        later = "none" if self.oldest is None else f"{self.later}, the oldest of {iso(self.oldest)}"
        return (
            (
                f"What happened since the last checkpoint ({since}): until the next one it can be"
                " deleted, cut off or, where it is not signed, written anew. Trails with such"
                f" events: {later}."
            ),
            "Checkpoints cut from the end, where whoever did it can write to what keeps them.",
            "What somebody signed who has the signing key, before a checkpoint held it.",
        )

    def close(self) -> None:
        """Let go of the leaves."""
        self._index.close()


def _dated(trail: Iterable[Sealed]) -> Iterator[tuple[int, datetime]]:
    """Yield when each event happened; what has no time zone was not written by us."""
    return ((each.event.seq, each.event.at) for each in trail if each.event.at.tzinfo is not None)


def _digest(line: bytes) -> bytes:
    return hashlib.sha256(line).digest()


def _named(name: str) -> str:
    return "the deployment's own trail" if name == CONTROLS else f"request {printable(name)}"
