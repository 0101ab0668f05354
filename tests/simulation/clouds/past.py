"""What something was when, so that a read can be stale and a change act late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Generic, TypeVar

T = TypeVar("T")

KEPT = timedelta(minutes=10)
"""How far back anybody asks: far more than any read is stale."""

MANY = 16


class Past(Generic[T]):
    """One thing, which is None before it was made and after it was deleted."""

    __slots__ = ("_turns", "now")

    def __init__(self) -> None:
        self._turns: list[tuple[datetime, T | None]] = []
        self.now: T | None = None

    def turn(self, what: T | None, at: datetime) -> None:
        """Have it be that from an instant on."""
        if what == self.now:
            return
        self.now = what
        self._turns.append((at, what))
        if len(self._turns) > MANY:
            old = sum(since < at - KEPT for since, _ in self._turns)
            del self._turns[: max(0, old - 1)]

    def taken(self, at: datetime) -> None:
        """Have it be gone as if for long: somebody else has done it, and nobody waits for that."""
        if self.now is not None:
            self.now = None
            self._turns.append((at - KEPT, None))

    def as_of(self, then: datetime) -> T | None:
        for since, what in reversed(self._turns):
            if since <= then:
                return what
        return None
