"""The nouns of ``model``, made of what an API has answered.

What an API does not tell is left empty: the target of an entitlement, which is between operators
and the cloud, and where in a trail a request stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from jitcloud.model import (
    GENESIS,
    Activate,
    Approval,
    Approver,
    Ask,
    Brake,
    BreakGlass,
    Controls,
    Credentials,
    Decision,
    Denied,
    Digest,
    Entitlement,
    EntitlementId,
    Escalation,
    GroupId,
    Need,
    NeedsApproval,
    PersonId,
    Plan,
    PolicyRef,
    Request,
    RequestId,
    Review,
    RuleId,
    Scope,
    Stage,
    Vote,
    Window,
)
from jitcloud.remote import reading


def request(read: reading.Request) -> Request:
    """Return a request."""
    window, sha256 = read.window, read.policy_sha256
    return Request(
        id=RequestId(read.id),
        ask=_ask(read),
        state=read.state,
        seq=0,
        head=GENESIS,
        updated_at=read.updated_at,
        plan=None if read.plan is None else _plan(read.plan),
        decision=None if read.decision is None else decision(read.decision),
        policy=None
        if sha256 is None
        else PolicyRef(sha256=Digest(sha256), number=read.policy_number or 0),
        lapses_at=read.lapses_at,
        votes=tuple(map(_vote, read.votes)),
        window=None if window is None else Window(start=window.start, deadline=window.deadline),
        guarantee=read.guarantee,
        residual=tuple(read.residual),
        issued=read.issued,
        escalated=tuple((each.stage, approver(each.to)) for each in read.escalated),
        prolonged_by=tuple(map(RequestId, read.extended_by)),
        removed_at=read.removed_at,
        review_by=read.review_by,
        review_missed=read.review_missed,
        reviews=tuple(map(_vote, read.reviews)),
        cause=read.cause,
        reason=read.reason,
        evidence=read.evidence,
    )


def _ask(read: reading.Request) -> Ask:
    return Ask(
        person=PersonId(read.person),
        entitlement=entitlement(read.entitlement),
        duration=read.duration,
        justification=read.justification,
        asked_at=read.asked_at,
        start=read.start,
        ticket=read.ticket,
        incident=read.incident,
        break_glass=read.break_glass,
        extends=None if read.extends is None else RequestId(read.extends),
        part=read.part or "",
        together=tuple(map(RequestId, read.together)),
    )


def entitlement(read: reading.Entitlement) -> Entitlement:
    """Return something that can be asked for."""
    return Entitlement(
        id=EntitlementId(read.id),
        title=read.title,
        cloud=read.cloud,
        mechanism=read.mechanism,
        target={},
        privilege=read.privilege,
        environment=read.environment,
        owner=GroupId(read.owner),
        labels=tuple(read.labels),
    )


def decision(read: reading.Decision) -> Decision:
    """Return what policy said. What it says without who is asked is taken for a no."""
    rules = tuple(map(RuleId, read.rules))
    match read.kind:
        case "activate":
            return Activate(rules=rules)
        case "needs-approval" if read.approval:
            return NeedsApproval(rules=rules, approval=_approval(read.approval))
        case "break-glass" if read.review is not None:
            return BreakGlass(
                rules=rules,
                review=Review(within=read.review.within, by=stage(read.review.by)),
                notify=tuple(map(approver, read.notify)),
                skipped=None if read.skipped is None else _approval(read.skipped),
            )
        case _:
            return Denied(because=tuple(read.because), rules=rules)


def _approval(stages: Sequence[Sequence[reading.Need]]) -> Approval:
    return Approval(stages=tuple(map(stage, stages)))


def stage(needs: Sequence[reading.Need]) -> Stage:
    """Return who is asked at the same time."""
    return Stage(
        needs=tuple(
            Need(
                count=need.count,
                approvers=tuple(map(approver, need.approvers)),
                escalation=None
                if need.escalation is None
                else Escalation(after=need.escalation.after, to=approver(need.escalation.to)),
            )
            for need in needs
        )
    )


def approver(read: reading.Approver) -> Approver:
    """Return somebody who may be asked."""
    return Approver(kind=read.kind, id=read.id)


def _vote(read: reading.Vote) -> Vote:
    return Vote(by=PersonId(read.by), stage=read.stage, at=read.at, reason=read.reason)


def _plan(read: reading.Plan) -> Plan:
    return Plan(
        guarantee=read.guarantee,
        early_end=read.early_end,
        residual=tuple(read.residual),
        notes=tuple(read.notes),
        problems=tuple(read.problems),
    )


def credentials(read: reading.Credentials) -> Credentials:
    """Return a set of credentials."""
    return Credentials(
        access_key_id=read.access_key_id,
        secret_access_key=read.secret_access_key,
        session_token=read.session_token,
        expires_at=read.expires_at,
    )


def controls(read: reading.Brakes, now: datetime) -> Controls:
    """Return what holds for the whole deployment."""
    policy = read.policy
    return Controls(
        seq=0,
        head=GENESIS,
        updated_at=now,
        policy=None
        if policy is None
        else PolicyRef(sha256=Digest(policy.sha256), number=policy.number),
        stops=tuple(map(_brake, read.stops)),
        endings=tuple(map(_brake, read.endings)),
        restored_at=read.restored_at,
        reconciled_at=read.reconciled_at,
    )


def _brake(read: reading.Brake) -> Brake:
    scope = Scope(reach=read.reach, id=read.id)
    return Brake(scope=scope, by=PersonId(read.by), at=read.at, reason=read.reason)
