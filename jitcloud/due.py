"""What is due: as a store finds it, and as a queue passes it on.

Apart from the ports, for whoever starts every minute to look for it and must start fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

BEHIND = timedelta(seconds=1)
"""How much later than it is due that is handed out which is only there in case another was lost.

A place's own wake-up: who has it, or has just left it, is due at the same instant and drives it.
What a look ahead has found: its commit has queued it before. At once they would only be in the
way of the other.
"""


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
    behind: timedelta = timedelta(0)
    """How much later than that the queue hands it out."""
    tries: int = 0
    """How often it was put back because the record could not be reached."""


def wake_up(item: Due, *, proves: datetime | None = None) -> Wake | None:
    """Return what is to be queued for something that is due, or will be; None for what is not.

    ``proves`` is now, where a request whose end has begun waits for nothing but the proof: that is
    not handed out before it is due, so nobody waits for it who could end somebody else's access.
    """
    if item.kind == "mark":
        return None
    may_wait = item.kind == "slot" or (proves is not None and item.wake_at > proves)
    behind = BEHIND if may_wait else timedelta(0)
    return Wake(kind=item.kind, id=item.id, at=item.wake_at, behind=behind)
