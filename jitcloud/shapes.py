"""The JSON that ``--json`` and the HTTP API write.

Programs rely on it: keys are added, never changed or dropped. Instants are UTC in ISO 8601;
durations are whole seconds; what is not known is null.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from jitcloud import overdue
from jitcloud.instants import iso
from jitcloud.model import (
    Approval,
    Approver,
    Brake,
    BreakGlass,
    Controls,
    Credentials,
    Decision,
    Denied,
    Entitlement,
    NeedsApproval,
    Plan,
    Request,
    RequestId,
    Sealed,
    Slot,
    Stage,
    Vote,
)

if TYPE_CHECKING:  # what --help need not load
    from jitcloud.audit.verify import Report
    from jitcloud.metrics import Metrics
    from jitcloud.reconcile import Compared
    from jitcloud.sweep import Swept

Table = dict[str, object]


def of_request(request: Request) -> Table:
    """One request as it stands."""
    ask, window = request.ask, request.window
    return {
        "id": request.id,
        "state": request.state,
        "reason": request.reason,
        "person": request.person,
        "entitlement": of_entitlement(request.entitlement),
        "part": ask.part or None,
        "duration": _seconds(ask.duration),
        "justification": ask.justification,
        "ticket": ask.ticket,
        "incident": ask.incident,
        "break_glass": ask.break_glass,
        "extends": ask.extends,
        "together": list(ask.together),
        "asked_at": iso(ask.asked_at),
        "start": _iso(ask.start),
        "updated_at": iso(request.updated_at),
        "lapses_at": _iso(request.lapses_at),
        "decision": None if request.decision is None else of_decision(request.decision),
        "policy_sha256": None if request.policy is None else request.policy.sha256,
        "policy_number": None if request.policy is None else request.policy.number,
        "votes": [_of_vote(vote) for vote in request.votes],
        "escalated": [
            {"stage": stage, "to": _of_approver(who)} for stage, who in request.escalated
        ],
        "extended_by": list(request.prolonged_by),
        "review_by": _iso(request.review_by),
        "review_missed": request.review_missed,
        "reviews": [_of_vote(vote) for vote in request.reviews],
        "window": window and {"start": iso(window.start), "deadline": iso(window.deadline)},
        "plan": None if request.plan is None else _of_plan(request.plan),
        "guarantee": request.guarantee,
        "residual": list(request.residual),
        "issued": request.issued,
        "cause": request.cause,
        "evidence": request.evidence,
    }


def of_age(request: Request, now: datetime) -> Table:
    """How long a request takes that should be done; beside ``of_request``."""
    late = overdue.age(request, now)
    return {
        "overdue_since": _iso(overdue.since(request, now)),
        "overdue": None if late is None else _seconds(late),
        "activating_since": _iso(overdue.activating_since(request)),
        "removed_at": _iso(request.removed_at),
    }


def of_troubles(places: Iterable[Slot]) -> list[Table]:
    """What clouds said last of the places of a request, where they did not agree."""
    return [
        {"what": slot.key, "message": slot.trouble, "attempts": slot.attempts}
        for slot in places
        if slot.trouble
    ]


def of_entitlement(entitlement: Entitlement) -> Table:
    """One thing in the catalog, without its target: that is between operators and the cloud."""
    return {
        "id": entitlement.id,
        "title": entitlement.title,
        "cloud": entitlement.cloud,
        "mechanism": entitlement.mechanism,
        "privilege": entitlement.privilege,
        "environment": entitlement.environment,
        "owner": entitlement.owner,
        "labels": list(entitlement.labels),
    }


def of_decision(decision: Decision) -> Table:
    """What policy says."""
    said: Table = {"kind": decision.kind, "rules": list(decision.rules)}
    if isinstance(decision, NeedsApproval):
        said["approval"] = _of_approval(decision.approval)
    if isinstance(decision, BreakGlass):
        said["review"] = {
            "within": _seconds(decision.review.within),
            "by": of_stage(decision.review.by),
        }
        said["notify"] = [_of_approver(who) for who in decision.notify]
        skipped = decision.skipped
        said["skipped"] = None if skipped is None else _of_approval(skipped)
    if isinstance(decision, Denied):
        said["because"] = list(decision.because)
    return said


def of_stage(stage: Stage) -> list[Table]:
    """Who is asked at the same time."""
    return [
        {
            "count": need.count,
            "approvers": [_of_approver(who) for who in need.approvers],
            "escalation": need.escalation
            and {
                "after": _seconds(need.escalation.after),
                "to": _of_approver(need.escalation.to),
            },
        }
        for need in stage.needs
    ]


def of_controls(controls: Controls | None) -> Table:
    """What holds for the whole deployment."""
    policy = None if controls is None else controls.policy
    return {
        "policy": policy and {"number": policy.number, "sha256": policy.sha256},
        "stops": [] if controls is None else list(map(_of_brake, controls.stops)),
        "endings": [] if controls is None else list(map(_of_brake, controls.endings)),
        "restored_at": None if controls is None else _iso(controls.restored_at),
        "reconciled_at": None if controls is None else _iso(controls.reconciled_at),
    }


def of_compared(runs: Sequence[Compared]) -> Table:
    """What a comparison of the clouds with the record found, in however many runs."""
    last = runs[-1]
    troubles = dict(trouble for run in runs for trouble in run.troubles)
    return {
        "begun_at": iso(last.begun_at),
        "finished": last.is_finished,
        "areas": sum(run.areas for run in runs),
        "pages": sum(run.pages for run in runs),
        "places": sum(run.places for run in runs),
        "leaked": last.tally.leaked,
        "missing": last.tally.missing,
        "foreign": last.tally.foreign,
        "findings": [
            {"verdict": found.verdict, "place": found.place, "ended": found.is_ended}
            for run in runs
            for found in run.findings
        ],
        "troubles": [{"what": what, "message": message} for what, message in troubles.items()],
    }


def of_credentials(request: RequestId, credentials: Credentials) -> Table:
    """A set of credentials, for ``credentials --format json`` alone."""
    return {
        "request": request,
        "access_key_id": credentials.access_key_id,
        "secret_access_key": credentials.secret_access_key,
        "session_token": credentials.session_token,
        "expires_at": iso(credentials.expires_at),
    }


def of_process(credentials: Credentials) -> Table:
    """The same, as AWS's ``credential_process`` wants it (version 1)."""
    return {
        "Version": 1,
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "SessionToken": credentials.session_token,
        "Expiration": iso(credentials.expires_at),
    }


def of_swept(swept: Swept) -> Table:
    """What a sweep did."""
    return {
        "woken": swept.woken,
        "troubles": [{"what": what, "message": message} for what, message in swept.troubles],
        "more": swept.more,
    }


def of_metrics(metrics: Metrics) -> Table:
    """What goes on in the deployment."""
    ago, anchored = metrics.since_reconcile, metrics.since_checkpoint
    return {
        "requests": {str(state): count for state, count in metrics.requests.items()},
        "overdue": metrics.overdue,
        "oldest_overdue": _seconds(metrics.oldest_overdue),
        "slots_in_trouble": metrics.slots_in_trouble,
        "most_attempts": metrics.most_attempts,
        "exposed": metrics.exposed,
        "since_reconcile": None if ago is None else _seconds(ago),
        "since_checkpoint": None if anchored is None else _seconds(anchored),
        "held": metrics.held,
        "backlog": _seconds(metrics.backlog),
        "complete": metrics.complete,
    }


def of_report(report: Report) -> Table:
    """What a verification found."""
    return {
        "holds": not report.findings,
        "requests": report.requests,
        "events": report.events,
        "signed": report.signed,
        "findings": [{"where": f.where, "message": f.message} for f in report.findings],
        "unseen": list(report.unseen),
    }


def of_events(trail: Iterable[tuple[Sealed, str, bool | None]]) -> list[Table]:
    """A trail, each event with its sentence and whether its signature holds."""
    return [
        {
            **json.loads(line.text),
            "said": said,
            "hash": line.hash,
            "signature": line.signature
            and {"key": line.signature.key, "value": line.signature.value, "holds": holds},
        }
        for line, said, holds in trail
    ]


def _of_plan(plan: Plan) -> Table:
    return {
        "guarantee": plan.guarantee,
        "early_end": plan.early_end,
        "residual": list(plan.residual),
        "notes": list(plan.notes),
        "problems": list(plan.problems),
    }


def _of_approval(approval: Approval) -> list[list[Table]]:
    return [of_stage(stage) for stage in approval.stages]


def _of_brake(brake: Brake) -> Table:
    return {
        "reach": brake.scope.reach,
        "id": brake.scope.id,
        "by": brake.by,
        "at": iso(brake.at),
        "reason": brake.reason,
    }


def _of_vote(vote: Vote) -> Table:
    return {"by": vote.by, "stage": vote.stage, "at": iso(vote.at), "reason": vote.reason}


def _of_approver(approver: Approver) -> Table:
    return {"kind": approver.kind, "id": approver.id}


def _seconds(duration: timedelta) -> int:
    return duration // timedelta(seconds=1)


def _iso(instant: datetime | None) -> str | None:
    return None if instant is None else iso(instant)
