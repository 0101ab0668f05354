"""Voting: each yes and each no is judged by the policy and the people of its moment."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitcloud import approval, lifecycle
from jitcloud.asking import Patience, ruled
from jitcloud.binding import bound_digest
from jitcloud.errors import Refused
from jitcloud.judge import Judge, Ruling
from jitcloud.ledger import Ledger
from jitcloud.model import (
    Actor,
    Approved,
    Digest,
    Escalated,
    Happening,
    NeedsApproval,
    Person,
    Request,
    Stage,
    Vote,
    Voted,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voting:
    """One person's vote, on its way to being judged and recorded."""

    ledger: Ledger
    judge: Judge
    patience: Patience
    voter: Person
    actor: Actor
    mfa_age: timedelta | None
    now: datetime
    bound_to: Digest | None = None
    """What alone the voter's token was asked for."""

    def cast(self, request: Request, *, yes: bool, reason: str) -> Request:
        """Record the vote, and what it leads to. Raises ``Refused`` and ``Conflict``."""
        judged = lifecycle.waits_for_votes(request, self.now)
        ruling = self.judge.rule(request.ask, self.now)
        said = self._said_anew(request, ruling)
        if said:
            # By today's text others may be asked, or nobody: the vote is one of those it asks.
            judged = replace(request, decision=ruling.decision)
        if not isinstance(ruling.decision, NeedsApproval):
            return self._unneeded(request, said, yes=yes, reason=reason)
        stage, wanted, every = stages(self.judge, judged, self.now)
        vote = Voted(by=self.voter.id, yes=yes, stage=stage, reason=reason)
        happenings = lifecycle.vote(judged, vote, self.now)
        # A no counts from anybody who is asked at any stage; a yes, where it still helps.
        requester = self.judge.person(request.person)
        refusal = self.judge.policy.may_vote(
            self.voter, self.mfa_age, requester, wanted if yes else every
        )
        if refusal is not None:
            raise Refused(" ".join(refusal.because))
        if yes and request.entitlement.bound_votes and self.bound_to != bound_digest(request):
            raise Refused(
                f"A yes to {request.entitlement.id} counts only with a sign-in for this very vote;"
                " `jitcloud approve` asks for one where it talks to the API."
            )
        # Who joined by waiting may vote at once, though nobody has written it down yet.
        joined = escalations(self.judge, judged, self.now)
        happenings = (*said, *joined, *happenings)
        if yes:
            happenings = (*happenings, *self._after(judged, vote, ruling))
        return self.ledger.record(request, happenings, actor=self.actor, now=self.now)

    def _unneeded(
        self, request: Request, said: tuple[Happening, ...], *, yes: bool, reason: str
    ) -> Request:
        """Hear somebody of whom a yes is no longer needed: only who was asked, and a no is one."""
        stage, _, every = stages(self.judge, request, self.now)
        vote = Voted(by=self.voter.id, yes=yes, stage=stage, reason=reason)
        happenings = lifecycle.vote(request, vote, self.now)
        requester = self.judge.person(request.person)
        refusal = self.judge.policy.may_vote(self.voter, self.mfa_age, requester, every)
        if refusal is not None:
            raise Refused(" ".join(refusal.because))
        recorded = said if yes else happenings
        return self.ledger.record(request, recorded, actor=self.actor, now=self.now)

    def _said_anew(self, request: Request, ruling: Ruling) -> tuple[Happening, ...]:
        """What the policy and the people of now say, if that is not what is on record."""
        if ruling.decision == request.decision and self.judge.ref == request.policy:
            return ()
        return (ruled(request.ask, ruling, self.judge, self.patience, self.now),)

    def _after(self, request: Request, vote: Voted, ruling: Ruling) -> tuple[Happening, ...]:
        """What one more yes leads to."""
        decision = ruling.decision
        cast = Vote(by=vote.by, stage=vote.stage, at=self.now, reason=vote.reason)
        votes = (*request.votes, cast)
        if not isinstance(decision, NeedsApproval) or not self.judge.met(
            request, decision, votes, self.now
        ):
            return ()
        return (
            Approved(
                approval=decision.approval,
                rules=decision.rules,
                policy=self.judge.ref,
                lapses_at=lifecycle.unactivated_until(
                    request.ask, self.patience.activation, self.now
                ),
                facts=ruling.facts,
            ),
        )


def stages(
    judge: Judge, request: Request, now: datetime
) -> tuple[int, tuple[Stage, ...], tuple[Stage, ...]]:
    """Which stage waits, whose yes would still help there, and all stages.

    Nothing, for what waits for no votes.
    """
    decision = request.decision
    if not isinstance(decision, NeedsApproval):
        return 0, (), ()
    every = approval.with_escalations(
        decision.approval, request.votes, asked_at=request.ask.asked_at, now=now
    ).stages
    waiting = judge.outstanding(request, decision, request.votes, now)
    if waiting is None:
        # A voter counts again who did not when the last vote came: any further yes will do.
        return len(every) - 1, every[-1:], every
    return waiting.stage, (waiting.wanted,), every


def escalations(judge: Judge, request: Request, now: datetime) -> tuple[Escalated, ...]:
    """Say who has joined the stage that waits, if nobody has written that down yet."""
    decision = request.decision
    if not isinstance(decision, NeedsApproval):
        return ()
    waiting = judge.outstanding(request, decision, request.votes, now)
    if waiting is None:
        return ()
    stage = waiting.stage
    joined = approval.escalated(
        decision.approval, stage, request.votes, asked_at=request.ask.asked_at, now=now
    )
    new = tuple(who for who in joined if (stage, who) not in request.escalated)
    return (Escalated(stage=stage, to=new),) if new else ()


def next_escalation(judge: Judge, request: Request, now: datetime) -> datetime | None:
    """Say when somebody next joins the stage that waits; None if nobody ever will."""
    decision = request.decision
    if not isinstance(decision, NeedsApproval):
        return None
    return approval.next_escalation(
        decision.approval,
        request.votes,
        judge.voters(request.votes),
        request.person,
        asked_at=request.ask.asked_at,
        now=now,
    )


def waits_for(judge: Judge, request: Request, voter: Person, now: datetime) -> bool:
    """Whether a yes of this person would help now."""
    _, wanted, _ = stages(judge, request, now)
    return voter.id != request.person and _includes(wanted, voter)


def _includes(wanted: Sequence[Stage], voter: Person) -> bool:
    return any(
        who.includes(voter) for stage in wanted for need in stage.needs for who in need.approvers
    )
