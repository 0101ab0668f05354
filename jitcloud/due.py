"""What is due: as a store finds it, and as a queue passes it on.

Apart from the ports, for whoever starts every minute to look for it and must start fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """Something whose ``wake_at`` has come."""

    kind: Literal["request", "slot", "mark"]
    id: str
    """A request's id, a slot's key, or ``CHANNEL/REQUEST`` of a mark."""
    wake_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Wake:
    """What is to be woken, and when: all that ever goes through a queue."""

    kind: Literal["request", "slot", "brakes"]
    """A request, a slot, or every brake that somebody put on and nobody has finished."""
    id: str
    at: datetime
    tries: int = 0
    """How often it was put back because the record could not be reached."""
