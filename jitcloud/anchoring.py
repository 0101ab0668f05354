"""Writes checkpoints: reads how far trails have come, and adds it to the log that anchors keep.

The log grows by what has changed, never by all there is. Each checkpoint reads

1. what could still grow when the last one was written, and what can now;
2. every request that was asked for since, in the order of their ids;
3. some more of the whole record, on a walk through all of it that begins anew once a week: for
   what was reopened and ended again in between, or hidden from (1) and (2).

What is bounded here goes on with the next one. Nobody's access waits for any of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import islice

from ulid import ULID

from jitcloud.audit import checkpoint
from jitcloud.audit.checkpoint import Checkpoint, Head, Reading
from jitcloud.audit.merkle import Edge
from jitcloud.audit.note import NoteSigner
from jitcloud.audit.public_keys import PublicKey
from jitcloud.errors import Conflict, Misconfigured, Tampered
from jitcloud.instants import iso
from jitcloud.last_checkpoint import CHANNEL, last_at
from jitcloud.model import CONTROLS, Digest, Mark, Request, RequestId, State
from jitcloud.ports import Anchors, Clock, Store
from jitcloud.text import printable

PAGE = 1000
READ = 100
"""How many ids, and how many requests, are read at a time."""

NEW = 5000
"""How many new requests one checkpoint holds; the next one has the others."""

OPEN = 5000
"""How many requests in one state that may still grow are read for one."""

WALKED = 200
WALK_AGAIN = timedelta(days=7)
"""How many requests of the walk one holds, and how long after its beginning it begins anew."""

OVERLAP = timedelta(minutes=10)
"""So long after its id was made a request is recorded at the latest, whatever clocks say."""

UNFINISHED = tuple(state for state in State if not state.is_finished)


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchored:
    """What came of writing a checkpoint."""

    checkpoint: Checkpoint
    doubts: tuple[str, ...]
    """What was met on the way that `audit verify` should look at."""
    more: bool
    """Whether there were more new requests than one checkpoint holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchoring:
    """Whoever writes checkpoints of one record. Several at once do no harm: one of them wins."""

    store: Store
    anchors: Anchors
    signer: NoteSigner
    keys: Callable[[], Iterable[PublicKey]]
    """Whose signatures count, beside the signer's own."""
    origin: str
    every: timedelta
    clock: Clock

    def is_due(self) -> bool:
        """Whether it is time for the next, as the record says. Raises ``JitError``."""
        last, now = last_at(self.store), self.clock()
        return last is None or not now - self.every < last <= now

    def write_all(self, give_up: datetime) -> Iterator[Anchored]:
        """Write a checkpoint, and another while there are more new requests than fit into one.

        Raises as ``write`` does.
        """
        more = True
        while more:
            written = self.write()
            yield written
            more = written.more and self.clock() < give_up

    def write(self) -> Anchored:
        """Write a checkpoint. Raises ``Conflict`` where another was written meanwhile.

        Raises ``Tampered`` where the last one does not hold, and ``Misconfigured``.
        """
        # A checkpoint must never claim what cannot be read back, nor contradict one before, so:
        #
        # 1. Read the last one, and believe it only as far as its signature goes.
        # 2. Read the record: what is committed meanwhile is in this one, or in the next.
        # 3. Sign. A crash after this leaves a signature that nobody has seen.
        # 4. Write, only where nothing begins at that leaf. A crash after this repeats nothing.
        # 5. Note when that was. A crash after this, or a lost note, makes the next one early.
        before, reading = self._previous()  # (1)
        gathered = _Gathering(self.store, reading, self.clock()).gather()  # (2)
        made = checkpoint.made(
            self.origin, before, gathered.reading(), gathered.heads, self.signer
        )  # (3)
        self.anchors.append(made.start, made.line, self.clock())  # (4)
        self._note(made)  # (5)
        return Anchored(checkpoint=made, doubts=tuple(gathered.doubts), more=gathered.more)

    def _previous(self) -> tuple[Edge, Reading | None]:
        line = self.anchors.last()
        if line is None:
            return Edge(), None
        try:
            last = checkpoint.believed(line, (self.signer.public, *self.keys()))
        except Tampered as exc:
            raise Tampered(
                f"The last checkpoint in {self.anchors.name} does not hold: {exc} Nothing was added"
                " to it; begin a new log elsewhere, and keep this one."
            ) from exc
        if last.origin != self.origin:
            raise Misconfigured(
                f"The checkpoints in {self.anchors.name} are of {printable(last.origin)}, and not"
                f" of {self.origin}; name that as origin, or begin a new log elsewhere."
            )
        return last.after, last.reading

    def _note(self, made: Checkpoint) -> None:
        written = iso(made.reading.at)
        try:
            mark = self.store.mark(CHANNEL, CONTROLS) or Mark(channel=CHANNEL, request=CONTROLS)
            self.store.put_mark(replace(mark, cursor=written, version=mark.version + 1))
        except (Conflict, Tampered):
            return  # somebody else has noted theirs, which is as new; or has spoilt it


@dataclass(slots=True)
class _Gathering:
    """One reading of the record."""

    store: Store
    last: Reading | None
    now: datetime
    heads: list[Head] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    more: bool = False
    """Whether there are more new requests than were read."""
    _open: dict[str, int] = field(default_factory=dict)
    _newest: str = ""
    _walk: tuple[datetime | None, str, datetime | None] = (None, "", None)

    def gather(self) -> _Gathering:
        """Read it; returns itself."""
        known = dict(self.last.open) if self.last else {}
        self._take_controls(known.pop(CONTROLS, 0))
        walked = set(self._walked())
        names = dict.fromkeys([*map(RequestId, known), *self._growing(), *self._new(), *walked])
        listed = list(names)
        for begin in range(0, len(listed), READ):
            part = listed[begin : begin + READ]
            found = {request.id: request for request in self._read(part)}
            for name in part:
                self._take(name, found.get(name), known.get(name), is_walked=name in walked)
        return self

    def reading(self) -> Reading:
        """How it was read."""
        begun, after, walked = self._walk
        return Reading(
            at=self.now,
            newest=self._newest,
            open=self._open,
            walk_begun=begun,
            walk_after=after,
            walked=walked,
        )

    def _take_controls(self, known: int) -> None:
        controls = self.store.controls()
        if controls is not None:
            self._open[CONTROLS] = controls.seq
            if controls.seq != known:
                self.heads.append(Head(CONTROLS, controls.seq, controls.head))
        if controls is None or controls.seq < known:
            self._doubt_shorter(CONTROLS, 0 if controls is None else controls.seq, known)

    def _take(
        self, name: RequestId, request: Request | None, known: int | None, *, is_walked: bool
    ) -> None:
        if known is not None:
            self._doubt_shorter(name, 0 if request is None else request.seq, known)
        if request is None:
            return
        if known != request.seq or is_walked:
            self.heads.append(Head(name, request.seq, Digest(request.head)))
        if not request.state.is_finished or request.review_by is not None:
            self._open[name] = request.seq

    def _doubt_shorter(self, name: str, seq: int, known: int) -> None:
        if seq < known:
            self.doubts.append(
                f"The trail of {printable(name)} has {seq} events, and had {known} at the last"
                " checkpoint; see `jitcloud audit verify`."
            )

    def _growing(self) -> Iterator[RequestId]:
        """Name what is not finished, or awaits a review."""
        for state in UNFINISHED:
            yield from _ids(self.store, OPEN, "", state)
        yield from (request.id for request in self.store.unreviewed(PAGE))

    def _new(self) -> Sequence[RequestId]:
        """Name what was asked for since, and say how far that goes."""
        after = self.last.newest if self.last else ""
        found = list(_ids(self.store, NEW, after))
        # Ids are made before they are recorded, and sort by when.
        settled = str(_first_id(self.now - OVERLAP))
        self.more = len(found) == NEW
        self._newest = found[-1] if self.more else max(after, settled)
        return found

    def _walked(self) -> Sequence[RequestId]:
        """Name some more of the whole record, and say how far that goes."""
        last = self.last or Reading(at=self.now)
        begun, after = last.walk_begun, last.walk_after
        if not after:
            if begun is not None and timedelta(0) <= self.now - begun < WALK_AGAIN:
                self._walk = (begun, "", last.walked)
                return ()
            begun = self.now
        found = list(_ids(self.store, WALKED, after))
        if len(found) == WALKED:
            self._walk = (begun, found[-1], last.walked)
        else:
            self._walk = (begun, "", begun)
        return found

    def _read(self, names: Sequence[RequestId]) -> Sequence[Request]:
        try:
            return self.store.requests(names)
        except Tampered:
            return list(self._one_by_one(names))

    def _one_by_one(self, names: Sequence[RequestId]) -> Iterator[Request]:
        """Read what can be read: one row that is spoilt keeps no other from being anchored."""
        for name in names:
            try:
                found = self.store.request(name)
            except Tampered as exc:
                self.doubts.append(f"Request {printable(name)} cannot be read: {exc}")
                continue
            if found is not None:
                yield found


def _first_id(at: datetime) -> ULID:
    """Return the least id that can be made at an instant, or later."""
    milliseconds = int(at.astimezone(UTC).timestamp() * 1000)
    return ULID.from_bytes(max(milliseconds, 0).to_bytes(6, "big") + bytes(10))


def _ids(store: Store, most: int, after: str, state: State | None = None) -> Iterator[RequestId]:
    """Yield ids in their order, a page at a time."""

    def pages() -> Iterator[RequestId]:
        last = RequestId(after) if after else None
        while page := store.ids(PAGE, last, state):
            yield from page
            last = page[-1]

    return islice(pages(), most)
