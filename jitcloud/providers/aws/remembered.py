"""Answers of AWS that are kept for a while, so that one decision does not ask twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")

MOST = 4096
"""How many answers of a kind are kept; when one more comes, all are forgotten."""


class Remembered(Generic[K, T]):
    """Safe for several threads; two that ask at the same time may both ask AWS."""

    def __init__(self, within: timedelta) -> None:
        """Keep answers for this long."""
        self._within = within
        self._known: dict[K, tuple[datetime, T]] = {}
        self._lock = threading.Lock()

    def get(self, key: K, now: datetime) -> T | None:
        """The answer, if it is known and not too old."""
        with self._lock:
            known = self._known.get(key)
        if known is None or abs(now - known[0]) >= self._within:
            return None
        return known[1]

    def put(self, key: K, now: datetime, answer: T) -> T:
        """Keep an answer as of ``now``; return it."""
        with self._lock:
            if len(self._known) >= MOST and key not in self._known:
                self._known.clear()
            self._known[key] = (now, answer)
        return answer

    def ask(self, key: K, now: datetime, asking: Callable[[], T]) -> T:
        """The answer, asked for if need be. What ``asking`` raises is not kept."""
        known = self.get(key, now)
        return self.put(key, now, asking()) if known is None else known
