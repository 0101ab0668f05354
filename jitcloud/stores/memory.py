"""A store that forgets everything when the process ends: for tests and for trying things out."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

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


class MemoryStore:
    """Keeps everything in dictionaries. Safe for several threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        self._requests: dict[RequestId, Request] = {}
        self._wakes: dict[RequestId, datetime | None] = {}
        self._events: dict[RequestId, tuple[Sealed, ...]] = {}
        self._slots: dict[SlotKey, Slot] = {}
        self._controls: Controls | None = None
        self._control_events: tuple[Sealed, ...] = ()
        self._marks: dict[tuple[str, RequestId], Mark] = {}

    def commit(self, change: Change) -> None:
        rules.check(change)
        with self._open():
            rules.fence(change, self._head, self._version)
            for move in change.moves:
                name = move.request.id
                self._wakes[name] = move.wake_at
                if move.events:
                    self._requests[name] = move.request
                    self._events[name] = self._events.get(name, ()) + move.events
            self._slots.update({slot.key: slot for slot in change.slots})
            if change.control is not None:
                self._controls = change.control.controls
                self._control_events += change.control.events
            for mark in rules.marks_due(change):
                self._make_due(mark)

    def request(self, request: RequestId) -> Request | None:
        with self._open():
            return self._requests.get(request)

    def requests(self, names: Sequence[RequestId]) -> tuple[Request, ...]:
        with self._open():
            known = self._requests
            return tuple(known[name] for name in dict.fromkeys(names) if name in known)

    def wake_at(self, request: RequestId) -> datetime | None:
        with self._open():
            return self._wakes.get(request)

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        with self._open():
            return self._events.get(request, ())

    def controls(self) -> Controls | None:
        with self._open():
            return self._controls

    def control_events(self) -> tuple[Sealed, ...]:
        with self._open():
            return self._control_events

    def slot(self, key: SlotKey) -> Slot | None:
        with self._open():
            return self._slots.get(key)

    def slots(self, keys: Sequence[SlotKey]) -> tuple[Slot, ...]:
        with self._open():
            return tuple(self._slots[key] for key in dict.fromkeys(keys) if key in self._slots)

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        return self._due(self._wakeful(now), limit)

    def due_marks(self, now: datetime, limit: int, channel: str | None = None) -> tuple[Due, ...]:
        return self._due(self._wakeful_marks(now, channel), limit)

    def by_person(self, person: PersonId, limit: int, after: RequestId | None = None) -> Page:
        return self._page(lambda request: request.person == person, limit, after)

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Page:
        return self._page(lambda request: request.state == state, limit, after)

    def unreviewed(
        self, limit: int, person: PersonId | None = None, before: datetime | None = None
    ) -> tuple[Request, ...]:
        rules.check_limit(limit)
        with self._open():
            found = (
                (request.review_by, request.id)
                for request in self._requests.values()
                if request.review_by is not None
                and (person is None or request.person == person)
                and (before is None or request.review_by <= before)
            )
            return tuple(self._requests[id_] for _, id_ in heapq.nsmallest(limit, found))

    def mark(self, channel: str, request: RequestId) -> Mark | None:
        with self._open():
            return self._marks.get((channel, request))

    def put_mark(self, mark: Mark) -> None:
        rules.check_mark(mark)
        with self._open():
            stored = self._marks.get((mark.channel, mark.request))
            rules.fence_mark(mark, 0 if stored is None else stored.version)
            self._marks[mark.channel, mark.request] = mark

    def all_slots(self, limit: int, after: SlotKey | None = None) -> tuple[Slot, ...]:
        rules.check_limit(limit)
        with self._open():
            later = (key for key in self._slots if after is None or key > after)
            return tuple(self._slots[key] for key in heapq.nsmallest(limit, later))

    def ids(
        self, limit: int, after: RequestId | None = None, state: State | None = None
    ) -> tuple[RequestId, ...]:
        rules.check_limit(limit)
        with self._open():
            later = (
                id_
                for id_, request in self._requests.items()
                if (after is None or id_ > after) and state in {None, request.state}
            )
            return tuple(heapq.nsmallest(limit, later))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True

    def _open(self) -> threading.Lock:
        if self._is_closed:
            raise ValueError("The store is closed.")
        return self._lock

    def _head(self, request: RequestId) -> rules.Head:
        stored = self._controls if request == CONTROLS else self._requests.get(request)
        return rules.NOT_STORED if stored is None else (stored.seq, stored.head)

    def _version(self, key: SlotKey) -> int:
        stored = self._slots.get(key)
        return 0 if stored is None else stored.version

    def _make_due(self, mark: Mark) -> None:
        stored = self._marks.get((mark.channel, mark.request))
        if stored is not None:
            wakes = [at for at in (stored.wake_at, mark.wake_at) if at is not None]
            mark = replace(stored, wake_at=min(wakes), version=stored.version + 1)
        self._marks[mark.channel, mark.request] = mark

    def _wakeful(self, now: datetime) -> Iterator[Due]:
        for id_, wake_at in self._wakes.items():
            if wake_at is not None and wake_at <= now:
                yield Due(kind="request", id=id_, wake_at=wake_at)
        for key, slot in self._slots.items():
            if slot.wake_at is not None and slot.wake_at <= now:
                yield Due(kind="slot", id=key, wake_at=slot.wake_at)

    def _wakeful_marks(self, now: datetime, of: str | None) -> Iterator[Due]:
        for (channel, request), mark in self._marks.items():
            wake_at = mark.wake_at
            if wake_at is not None and wake_at <= now and of in {None, channel}:
                yield Due(kind="mark", id=f"{channel}/{request}", wake_at=wake_at)

    def _due(self, wakeful: Iterator[Due], limit: int) -> tuple[Due, ...]:
        rules.check_limit(limit)
        with self._open():
            return tuple(heapq.nsmallest(limit, wakeful, key=lambda item: item.wake_at))

    def _page(self, fits: Callable[[Request], bool], limit: int, after: RequestId | None) -> Page:
        rules.check_limit(limit)
        with self._open():
            older = (
                request
                for request in self._requests.values()
                if fits(request) and (after is None or request.id < after)
            )
            newest = heapq.nlargest(limit + 1, older, key=lambda request: request.id)
        return rules.page(newest, limit)
