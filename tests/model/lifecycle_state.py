"""The nouns of the model: requests, one slot, one cloud, two drivers. All of it is plain values.

There is no clock. Every instant is told as how many ticks of time lie before it, or have passed
since it, and no further than it matters; so time may go on for ever, and the states are finitely
many all the same.
"""

from __future__ import annotations

from typing import NamedTuple

# ── Requests ─────────────────────────────────────────────────────────────────────────────────

ALLOWED, ACTIVATING, ACTIVE, ENDING, ENDED = range(5)
NEVER_ASKED = -1
"""There is no such request: a smaller model."""

WANTS = (ACTIVATING, ACTIVE)
"""In these, what was recorded says that the place should hold this request."""


class Request(NamedTuple):
    phase: int = ALLOWED
    left: int = 0
    """Ticks to the deadline, while it is activating or active."""
    looked: bool = False
    """Whether what was last seen was read after the request began to activate, or to end."""


# ── The slot: what is on record of the place ─────────────────────────────────────────────────

OPEN, OURS, STANDING = range(3)
STANDINGS = ("not settled", "not standing", "standing")

NOTHING, ABSENT, PRESENT = range(3)
SIGHTS = ("nothing", "absent", "present")

UNCLAIMED = -9


class Slot(NamedTuple):
    """Who holds it follows from the requests: whoever is activating or active, before its end."""

    standing: int = OPEN
    claim: int = UNCLAIMED
    """Ticks until the claim ends; none or fewer: it has lapsed, as long ago."""
    landed: int = 0
    """Ticks until a call made before the claim has surely landed; fewer than none: since then."""
    seen: int = NOTHING
    settled: int = -1
    """How long after ``landed`` that was read; -1: before it, so it proves nothing."""
    emptied: int = 0
    """For how long a list may still show what the cloud was last told to remove."""
    tried: bool = False
    """Whether the last try did not bring the place to what it should hold."""


# ── The cloud: the truth ─────────────────────────────────────────────────────────────────────

NO_CALL, CREATE, DELETE = range(3)
CALLS = ("", "create", "delete")


class Cloud(NamedTuple):
    present: bool = False
    stale: int = 0
    """For how long a read may still show what was there before the last change."""
    by_hand: bool = False
    """Whether somebody has given access here before us, by hand."""
    late: int = NO_CALL
    """The call that was made, was not answered, and has not landed yet."""
    late_by: int = 0
    """Within how many ticks it lands, or never does."""


# ── Drivers: processes ───────────────────────────────────────────────────────────────────────

IDLE = "idle"
READ = "is to read"
SETTLE = "is to record whether access is standing"
ACT = "is to act on what it saw"
SEND = "is to tell the cloud"
LOOK = "is to read back"
COMMIT = "is to commit what it saw"
MOVE = "is to commit a move"
TOO_LATE = "will find that another was first"
EARLY = "is to record what it has done"
"""Only where the model is broken on purpose."""

ACTIVATED, FINISHED = range(2)
MOVES = ("is active", "has ended")


class Driver(NamedTuple):
    at: str = IDLE
    crashes: int = 0
    """How many times more it may crash."""
    known: int = 0
    """Ticks for which somebody wants the place, as far as this driver knows."""
    saw: int = NOTHING
    """What it read; before that, what is known to be there without a read."""
    settled: int = -1
    """How long after the last call had landed it read that; as for the slot."""
    covers: tuple[bool, bool] = (False, False)
    """For which requests that read is new."""
    doubtful: bool = False
    """Whether what it saw may be what was removed just before."""
    call: int = NO_CALL
    """What it is to tell, or has told."""
    landed: int = 0
    """Ticks until that call has surely landed, once told; as for the slot."""
    emptied: int = 0
    """As for the slot, once it has told the cloud."""
    in_trouble: bool = False
    """Whether it got no answer, or was held up for too long."""
    moved: bool = False
    """Whether somebody has joined or left since it claimed the slot."""
    request: int = 0
    move: int = ACTIVATED


class State(NamedTuple):
    requests: tuple[Request, Request]
    slot: Slot
    cloud: Cloud
    drivers: tuple[Driver, ...]
    late_calls: int
    """How many calls more may go unanswered and land late."""
    overstay: int = 0
    """For how many ticks access has been there that nobody should have; counted on demand."""
    rested: bool = False
    """Whether the slot was driven, since time last went on, and need not be again."""


def is_begun(state: State) -> bool:
    """Whether there is a slot yet."""
    return any(request.phase > ALLOWED for request in state.requests)


def wanted(state: State) -> int:
    """For how many ticks the record says that somebody should have access; the wish."""
    return max(r.left if r.phase in WANTS else 0 for r in state.requests)


def is_claimed(slot: Slot) -> bool:
    return slot.claim > 0
