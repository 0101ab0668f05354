"""What the record alone does not tell of a request: names, and what it waits for just now.

It is told beside the request, for whoever reads it; nothing of it may keep an end from being told.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from jitcloud import shapes
from jitcloud.api.seeing import Seeing
from jitcloud.errors import JitError
from jitcloud.model import NeedsApproval, PersonId, Request, State


def of_request(seeing: Seeing, request: Request, now: datetime) -> dict[str, object]:
    """Return who the people of a request are, whose yes it waits for, and which brake holds it."""
    said = (*request.votes, *request.reviews)
    try:
        return {
            "names": names(seeing, [request.person, *(vote.by for vote in said)]),
            "waits_for": _waits_for(seeing, request, now),
            "stopped": _stopped(seeing, request),
        }
    except JitError:  # directory or policy is broken, and that is told where it counts
        return {"names": {}, "waits_for": None, "stopped": None}


def names(seeing: Seeing, people: Iterable[PersonId]) -> dict[str, str]:
    """Return what the directory calls people; without those whom it does not know."""
    found: dict[str, str] = {}
    for person in people:
        try:
            found[person] = seeing.judge().directory.person(person).name
        except JitError:  # gone since, or the directory is broken: not what was asked about
            continue
    return found


def _waits_for(seeing: Seeing, request: Request, now: datetime) -> dict[str, object] | None:
    if request.state is not State.PENDING or not isinstance(request.decision, NeedsApproval):
        return None
    missing = seeing.judge().outstanding(request, request.decision, request.votes, now)
    if missing is None:
        return None
    return {"stage": missing.stage, "needs": shapes.of_stage(missing.wanted)}


def _stopped(seeing: Seeing, request: Request) -> str | None:
    if request.state is not State.SCHEDULED:
        return None
    return seeing.judge().stopped(request.ask) or None
