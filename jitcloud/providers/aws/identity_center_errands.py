"""What it will take of Identity Center to drive a place, and whose turn comes first."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from jitcloud.model import Slot


class Rank(IntEnum):
    """Whose turn comes first."""

    FREES = 0
    """Asks after something that may be over, and keeps others waiting while it seems not to be."""
    ENDS = 1
    """Takes access away."""
    LOOKS = 2
    """Asks what has become of it."""
    GRANTS = 3
    """Lets somebody in: not while any removal waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Errand:
    """What it will take to drive a place."""

    rank: Rank
    calls: int
    begins: bool = False
    """Whether something is begun that AWS does in its own time."""
    after: str = ""
    """The operation that is asked after."""


def errand(slot: Slot, *, removes: bool) -> Errand:
    """What it is likely to take to drive a slot, by what is on record of it."""
    if slot.operation is not None:
        return Errand(rank=Rank.LOOKS, calls=1, after=slot.operation.id)
    if slot.claim is not None:
        # Its driver has died, and may have begun something: that is looked for first.
        return Errand(rank=Rank.ENDS if removes else Rank.LOOKS, calls=2)
    seen, told = slot.seen, slot.landed_by
    present = seen is not None and seen.present
    fresh = seen is not None and (told is None or seen.at >= told)
    if removes:
        # AWS has said that it is gone, or it was seen to be, or it is not ours: it is looked at.
        if slot.standing or not present or not (fresh or slot.attempts):
            return Errand(rank=Rank.LOOKS, calls=1)
        return Errand(rank=Rank.ENDS, calls=2 if slot.attempts else 1, begins=True)
    if present and fresh:
        return Errand(rank=Rank.LOOKS, calls=1)
    return Errand(rank=Rank.GRANTS, calls=2, begins=True)
