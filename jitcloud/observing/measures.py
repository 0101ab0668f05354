"""What the events of a request say of how long things took, measured as they are committed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from jitcloud.model import (
    Activated,
    Approved,
    Cause,
    Decided,
    Denied,
    Ended,
    Ending,
    Evidence,
    GlassBroken,
    Lapsed,
    NeedsApproval,
    Request,
    Sealed,
)
from jitcloud.observing import emf

ZERO = timedelta(0)

CLOUD_ENDED = frozenset({Evidence.CLOUD_DEADLINE, Evidence.NOTHING_ISSUED})
"""Access ended in the cloud at its deadline, whenever that was written down."""


def of(
    request: Request, events: Sequence[Sealed], trail: Callable[[], Sequence[Sealed]]
) -> Iterator[emf.Measured]:
    """Yield what these events of one commit say; ``request`` is its snapshot then, or later.

    ``trail`` reads all of its events, for what only an earlier one says.
    """
    signed = sum(line.signature is not None for line in events)
    if signed:
        yield emf.signed_events(signed)
    for line in events:
        yield from _of(request, line, trail)


def _of(
    request: Request, line: Sealed, trail: Callable[[], Sequence[Sealed]]
) -> Iterator[emf.Measured]:
    at, what = line.event.at, line.event.what
    waited = max(at - request.ask.asked_at, ZERO)
    match what:
        case Decided(decision=Denied()):
            yield emf.decision_time([waited], "denied")
        case Decided(decision=NeedsApproval()):
            return
        case Decided() | Approved() | GlassBroken():
            yield emf.decision_time([waited], "allowed")
        case Lapsed() if request.window is None:
            yield emf.decision_time([waited], "lapsed")
        case Activated() if request.window is not None:
            took = max(what.seen_at - request.window.start, ZERO)
            yield emf.time_to_access([took], request.entitlement.cloud)
        case Ended() if request.window is not None:
            late = _late(request, request.window.deadline, what, trail)
            yield emf.overstay([late], request.entitlement.cloud)
        case _:
            return


def _late(
    request: Request, deadline: datetime, what: Ended, trail: Callable[[], Sequence[Sealed]]
) -> timedelta:
    if what.evidence in CLOUD_ENDED:
        return ZERO
    due = deadline
    if request.cause is not Cause.DEADLINE:
        begun = [line.event.at for line in trail() if isinstance(line.event.what, Ending)]
        due = min([deadline, *begun[-1:]])
    return max(what.seen_at - due, ZERO)
