"""Simulated time: it stands still until it is moved, and what was to happen meanwhile happens."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

START = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@dataclass
class Clock:
    """The right time, and what lands at which instant of it."""

    now: datetime = START
    _landing: list[tuple[datetime, int, Callable[[], object]]] = field(default_factory=list)
    _count: int = 0

    def __call__(self) -> datetime:
        """Tell the time."""
        return self.now

    def at(self, instant: datetime, do: Callable[[], object]) -> None:
        """Have something happen once the clock gets there; of several at once, the first first."""
        self._count += 1
        heapq.heappush(self._landing, (instant, self._count, do))

    def forward(self, by: timedelta) -> None:
        """Let time pass."""
        self.to(self.now + by)

    def to(self, instant: datetime) -> None:
        """Let time pass up to an instant; nothing where that has passed."""
        while self._landing and self._landing[0][0] <= instant:
            at, _, do = heapq.heappop(self._landing)
            self.now = max(self.now, at)
            do()
        self.now = max(self.now, instant)


@dataclass(frozen=True, slots=True)
class Skewed:
    """A clock that is wrong by so much."""

    clock: Clock
    skew: timedelta

    def __call__(self) -> datetime:
        """Tell what it believes to be the time."""
        return self.clock.now + self.skew
