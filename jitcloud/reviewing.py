"""Reviewing: whoever broke the glass is looked over the shoulder, afterwards and by name."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud import approval, lifecycle
from jitcloud.errors import Refused
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger
from jitcloud.model import (
    Actor,
    Approval,
    BreakGlass,
    Person,
    Request,
    RequestId,
    Reviewed,
    Stage,
    Vote,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewing:
    """One person's review, on its way to being recorded."""

    ledger: Ledger
    judge: Judge
    reviewer: Person
    actor: Actor
    mfa_age: timedelta | None
    now: datetime

    def review(self, name: RequestId, *, fine: bool, note: str) -> Request:
        """Record what the reviewer found. Raises ``Refused`` and ``Conflict``."""
        request = self.ledger.verified(name, self.now)
        stage = asked(request)
        what = Reviewed(by=self.reviewer.id, fine=fine, note=note, done=False)
        lifecycle.review(request, what)
        requester = self.judge.person_of(request)
        refusal = self.judge.policy.may_vote(self.reviewer, self.mfa_age, requester, (stage,))
        if refusal is not None:
            raise Refused(" ".join(refusal.because))
        seen = (*request.reviews, Vote(by=what.by, stage=0, at=self.now, reason=note))
        done = Reviewed(
            by=what.by, fine=fine, note=note, done=waiting(self.judge, request, seen) is None
        )
        return self.ledger.record(
            request, lifecycle.review(request, done), actor=self.actor, now=self.now
        )


def asked(request: Request) -> Stage:
    """Return who is asked to review a request; an empty stage where nobody is."""
    match request.decision:
        case BreakGlass(review=review):
            return review.by
        case _:
            return Stage(needs=())


def waiting(judge: Judge, request: Request, seen: tuple[Vote, ...]) -> Stage | None:
    """Return who has yet to review a request, these reviews given; None once all have."""
    stage = asked(request)
    if not stage.needs:
        return None
    missing = approval.outstanding(
        Approval(stages=(stage,)),
        seen,
        judge.voters(seen),
        request.person,
        asked_at=request.updated_at,
        now=request.updated_at,
    )
    return None if missing is None else missing.wanted


def awaits(judge: Judge, request: Request, reviewer: Person) -> bool:
    """Whether a review of this person would help now."""
    stage = waiting(judge, request, request.reviews)
    return (
        stage is not None
        and reviewer.id != request.person
        and any(who.includes(reviewer) for need in stage.needs for who in need.approvers)
    )
