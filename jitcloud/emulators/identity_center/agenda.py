"""Emulated time: what is yet to happen, such as operations that end and calls that land late."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from itertools import count

from jitcloud.ports import Clock

Deed = Callable[[datetime], object]
"""Something to do; it is told the instant for which it was planned."""


class Agenda:
    """Nothing happens by itself: whoever looks does first what has become due. Thread-safe."""

    def __init__(self, clock: Clock) -> None:
        """Begin with nothing to do."""
        self._clock = clock
        self._lock = threading.RLock()
        self._instant: datetime | None = None
        self._plans: list[tuple[datetime, int, Deed]] = []
        self._number = count()

    def plan(self, when: datetime, deed: Deed) -> None:
        """Have it done at ``when``; what is planned for one instant is done in order."""
        heapq.heappush(self._plans, (when, next(self._number), deed))

    @contextmanager
    def moment(self) -> Iterator[datetime]:
        """Hold time still: what is done in the block, by one thread, is done at one instant."""
        with self._lock:
            if self._instant is not None:
                yield self._instant
                return
            now = self._clock()
            try:
                while self._plans and self._plans[0][0] <= now:
                    self._instant, _, deed = heapq.heappop(self._plans)
                    deed(self._instant)
                self._instant = now
                yield now
            finally:
                self._instant = None
