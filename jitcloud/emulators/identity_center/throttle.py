"""A bucket of calls that fills at a rate: what AWS throttles by."""

from __future__ import annotations

from datetime import datetime


class Bucket:
    """It holds a second's worth, and begins full."""

    def __init__(self) -> None:
        """Fill it at the first call."""
        self._left = 0.0
        self._at: datetime | None = None

    def take(self, now: datetime, rate: float) -> bool:
        """Take one call out at ``now``; ``rate`` is calls a second. False: there is none left."""
        passed = rate if self._at is None else max(0.0, (now - self._at).total_seconds()) * rate
        self._left = min(max(rate, 1.0), self._left + passed)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
