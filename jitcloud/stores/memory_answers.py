"""Answers that are forgotten when the process ends: for tests and for trying things out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime, timedelta

from jitcloud.model import Digest
from jitcloud.ports import Answered, Begun
from jitcloud.stores import answer_rules
from jitcloud.stores.answer_rules import Kept


class MemoryAnswers:
    """Keeps everything in a dictionary. Safe for several threads of one process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_closed = False
        self._kept: dict[Digest, Kept] = {}

    def begin(
        self, name: Digest, said: Digest, now: datetime, *, lease: timedelta, keep: timedelta
    ) -> Begun | Answered:
        with self._open():
            self._forget(now)
            found = answer_rules.begin(self._kept.get(name), said, now, lease=lease, keep=keep)
            if isinstance(found, Answered):
                return found
            self._kept[name] = found
            return answer_rules.begun(name, found)

    def finish(self, begun: Begun, answer: str) -> None:
        with self._open():
            kept = self._kept.get(begun.name)
            if kept is not None and answer_rules.is_at_it(kept, begun):
                self._kept[begun.name] = replace(kept, answer=answer)

    def release(self, begun: Begun, now: datetime) -> None:
        with self._open():
            kept = self._kept.get(begun.name)
            if kept is not None and answer_rules.is_at_it(kept, begun):
                self._kept[begun.name] = replace(kept, leased_until=now)

    def close(self) -> None:
        with self._lock:
            self._is_closed = True

    @contextmanager
    def _open(self) -> Iterator[None]:
        with self._lock:
            if self._is_closed:
                raise ValueError("The store is closed.")
            yield

    def _forget(self, now: datetime) -> None:
        for name in [name for name, kept in self._kept.items() if kept.kept_until <= now]:
            del self._kept[name]
