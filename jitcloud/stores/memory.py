"""A store that forgets everything when the process ends: for tests and for trying things out."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime

from jitcloud.model import PersonId, Request, RequestId, Sealed, Slot, SlotKey, State
from jitcloud.ports import Change, Due, Page
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

    def commit(self, change: Change) -> None:
        rules.check(change)
        with self._open():
            rules.fence(change, self._head, self._version)
            if change.request is not None:
                self._wakes[change.request.id] = change.wake_at
                if change.events:
                    known = self._events.get(change.request.id, ())
                    self._requests[change.request.id] = change.request
                    self._events[change.request.id] = known + change.events
            self._slots.update({slot.key: slot for slot in change.slots})

    def request(self, request: RequestId) -> Request | None:
        with self._open():
            return self._requests.get(request)

    def wake_at(self, request: RequestId) -> datetime | None:
        with self._open():
            return self._wakes.get(request)

    def events(self, request: RequestId) -> tuple[Sealed, ...]:
        with self._open():
            return self._events.get(request, ())

    def slot(self, key: SlotKey) -> Slot | None:
        with self._open():
            return self._slots.get(key)

    def slots(self, keys: Sequence[SlotKey]) -> tuple[Slot, ...]:
        with self._open():
            return tuple(self._slots[key] for key in dict.fromkeys(keys) if key in self._slots)

    def due(self, now: datetime, limit: int) -> tuple[Due, ...]:
        rules.check_limit(limit)
        with self._open():
            due = (item for item in self._wakeful() if item.wake_at <= now)
            return tuple(heapq.nsmallest(limit, due, key=lambda item: item.wake_at))

    def by_person(self, person: PersonId, limit: int, after: RequestId | None = None) -> Page:
        return self._page(lambda request: request.person == person, limit, after)

    def by_state(self, state: State, limit: int, after: RequestId | None = None) -> Page:
        return self._page(lambda request: request.state == state, limit, after)

    def ids(self, limit: int, after: RequestId | None = None) -> tuple[RequestId, ...]:
        rules.check_limit(limit)
        with self._open():
            later = (id_ for id_ in self._requests if after is None or id_ > after)
            return tuple(heapq.nsmallest(limit, later))

    def close(self) -> None:
        with self._lock:
            self._is_closed = True

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise ValueError("The store is closed.")
            yield

    def _head(self, request: RequestId) -> rules.Head:
        stored = self._requests.get(request)
        return rules.NOT_STORED if stored is None else (stored.seq, stored.head)

    def _version(self, key: SlotKey) -> int:
        stored = self._slots.get(key)
        return 0 if stored is None else stored.version

    def _wakeful(self) -> Iterator[Due]:
        for id_, wake_at in self._wakes.items():
            if wake_at is not None:
                yield Due(kind="request", id=id_, wake_at=wake_at)
        for key, slot in self._slots.items():
            if slot.wake_at is not None:
                yield Due(kind="slot", id=key, wake_at=slot.wake_at)

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
