"""What the nouns look like in sentences for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta

from jitcloud import overdue
from jitcloud.cli.knowing import Knowing
from jitcloud.cli.times import away, lasting, short, when
from jitcloud.controls import UNRECONCILED
from jitcloud.durations import format_duration
from jitcloud.model import (
    Activate,
    Approval,
    Approver,
    BreakGlass,
    Controls,
    Decision,
    Denied,
    Evidence,
    Guarantee,
    Need,
    NeedsApproval,
    Request,
    Stage,
    State,
)

FOUND = {True: ", rightly broken", False: ", wrongly broken"}

HELD_BY = {
    Guarantee.CLOUD: "the cloud itself, even if jitcloud is dead",
    Guarantee.BROKER: "jitcloud, which tries until it is gone",
}

KNOWN_BY = {
    Evidence.SEEN_ABSENT: "read back from the cloud: it is gone",
    Evidence.SEEN_DENIED: "read back from the cloud: what was handed out is denied",
    Evidence.OTHERS_HOLD: "this grant has left; another one, or standing access, still holds it",
    Evidence.NOTHING_ISSUED: "nothing was ever handed out",
    Evidence.ATTESTED: "somebody answers for it by name, and no cloud was seen to say so",
    Evidence.CLOUD_DEADLINE: "the deadline that the cloud itself enforces has passed",
}


def approval(what: Approval) -> str:
    """Write who must say yes, such as ``1 of sre, then 2 of security``."""
    return ", then ".join(stage(each) for each in what.stages)


def stage(what: Stage) -> str:
    """Write who is asked at the same time."""
    return " and ".join(map(_need, what.needs))


def _need(what: Need) -> str:
    later = what.escalation
    more = (
        "" if later is None else f" (or {_approver(later.to)} after {format_duration(later.after)})"
    )
    return f"{what.count} of {any_of(what.approvers)}{more}"


def decision(what: Decision) -> str:
    """Write what policy said."""
    match what:
        case Activate():
            return f"at once{by(what.rules)}"
        case NeedsApproval():
            return f"after a yes from {approval(what.approval)}{by(what.rules)}"
        case BreakGlass(review=review):
            within = format_duration(review.within)
            return f"at once, reviewed within {within} by {stage(review.by)}{by(what.rules)}"
        case Denied():
            return f"no: {' '.join(what.because)}{by(what.rules)}"


def waiting(request: Request, knowing: Knowing, now: datetime) -> str:
    """Write what an unfinished request waits for."""
    match request.state:
        case State.PENDING if isinstance(request.decision, NeedsApproval):
            missing = knowing.waits(request, now)
            return "its votes to be judged" if missing is None else stage(missing.wanted)
        case State.PENDING:
            return "policy"
        case State.SCHEDULED if (request.ask.start or now) > now:
            return "its start"
        case State.SCHEDULED | State.ACTIVATING:
            held = knowing.stopped(request)
            return "activations to go on" if held else "the cloud to let you in"
        case State.ENDING:
            return "the cloud to show that access is gone"
        case _:
            return ""


def restored(controls: Controls | None, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield that everything waits for a reconcile, and when the last one was, if so."""
    if controls is not None and controls.restored_at is not None:
        yield "restored", f"{when(controls.restored_at, now)}; {UNRECONCILED}"
    if controls is not None and controls.reconciled_at is not None:
        yield "reconciled", when(controls.reconciled_at, now)


def until(request: Request, now: datetime) -> str:
    """Write the instant that matters next, or how long something takes already, for a list."""
    late = overdue.age(request, now)
    if late is not None:
        return f"overdue for {lasting(late)}"
    begun = overdue.activating_since(request)
    if begun is not None:
        return f"under way for {lasting(max(now - begun, timedelta(0)))}"
    if request.window is not None and not request.state.is_finished:
        return f"ends {away(request.window.deadline, now)}"
    if request.state is State.SCHEDULED and request.ask.start is not None:
        return f"starts {away(request.ask.start, now)}"
    if request.state in {State.PENDING, State.SCHEDULED} and request.lapses_at is not None:
        return f"lapses {away(request.lapses_at, now)}"
    return away(request.updated_at, now)


def next_steps(request: Request) -> Iterator[str]:
    """Yield what one would type next."""
    if request.state is State.PENDING:
        yield f"Whoever is asked can say yes: jitcloud approve {request.id}"
    elif request.state is State.ACTIVE and request.places.grant is None:
        yield f"Use it: jitcloud exec {request.id} -- COMMAND"
    if request.state is State.EXTENDED and request.ask.extends is not None:
        yield (
            "Credentials from before end when they did; for new ones:"
            f" jitcloud exec {request.ask.extends} -- COMMAND"
        )
    if request.review_by is not None:
        yield f"Write down what you do; whoever reviews it says: jitcloud review {request.id}"


def of_request(request: Request, knowing: Knowing, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what is known of a request, a label and a text each."""
    yield "request", request.id
    yield "state", f"{request.state}{f': {request.reason}' if request.reason else ''}"
    waits = waiting(request, knowing, now)
    if waits:
        yield "waits for", waits
    if stop := knowing.stopped(request):
        yield "stopped", stop
    yield from _late(request, now)
    yield from _asked(request, knowing.named(request.person), now)
    if request.decision is not None:
        yield "policy", decision(request.decision)
    for vote in request.votes:
        because = f": {vote.reason}" if vote.reason else ""
        yield "yes", f"{knowing.named(vote.by)} {away(vote.at, now)}{because}"
    yield from _review(request, knowing, now)
    yield from _ends(request, now)


def _asked(request: Request, who: str, now: datetime) -> Iterator[tuple[str, str]]:
    ask, thing = request.ask, request.entitlement
    yield "who", who
    yield "what", f"{request.what}: {thing.title} ({thing.privilege} in {thing.environment})"
    yield "for", f"{format_duration(ask.duration)}{'' if ask.extends is None else ' in all'}"
    if ask.extends is not None:
        yield "extends", ask.extends
    yield "because", ask.justification
    for label, value in (("ticket", ask.ticket), ("incident", ask.incident)):
        if value is not None:
            yield label, value
    yield "asked", when(ask.asked_at, now)
    if ask.start is not None:
        yield "start", when(ask.start, now)
    if len(ask.together) > 1:
        yield "together", ", ".join(name for name in ask.together if name != request.id)


def of_ask(request: Request, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield what a yes to a request is bound to, and nothing else: no name, nobody's opinion."""
    thing = request.entitlement
    yield "request", request.id
    yield from _asked(request, request.person, now)
    yield "by", f"{thing.mechanism} in {thing.cloud}, which {thing.owner} answers for"
    yield from (("target", f"{name} = {json.dumps(thing.target[name])}") for name in thing.target)


def _late(request: Request, now: datetime) -> Iterator[tuple[str, str]]:
    """Yield since when access should be gone, or a cloud is to let somebody in."""
    since, late = overdue.since(request, now), overdue.age(request, now)
    if since is not None and late is not None:
        yield "overdue", f"for {lasting(late)}, since {short(since)}"
    begun = overdue.activating_since(request)
    if begun is not None:
        yield "under way", f"since {when(begun, now)}"
    if request.removed_at is not None and not request.state.is_finished:
        dead_by = request.credentials_dead_by or request.removed_at
        yield "exposed", f"the place is empty; what was made of it works until {when(dead_by, now)}"


def troubles(told: Iterable[Mapping[str, object]]) -> Iterator[tuple[str, str]]:
    """Yield what clouds said last of the places of a request; see ``shapes.of_troubles``."""
    for each in told:
        times = f"{each['attempts']} {'try' if each['attempts'] == 1 else 'tries'}"
        yield "trouble", f"{each['message']} ({times})"


def review_due(request: Request, now: datetime) -> str:
    """Write until when a request must be reviewed, for a list."""
    if request.review_by is None:
        return ""
    return f"{'missed' if request.review_missed else 'due'} {away(request.review_by, now)}"


def _review(request: Request, knowing: Knowing, now: datetime) -> Iterator[tuple[str, str]]:
    found = knowing.found(request) if request.reviews else {}
    for seen in request.reviews:
        who = f"{knowing.named(seen.by)} {away(seen.at, now)}"
        fine = found.get(seen.by)
        yield "reviewed", f"{who}{'' if fine is None else FOUND[fine]}: {seen.reason}"
    if request.review_by is not None:
        missed = ", and it is missed" if request.review_missed else ""
        yield "review", f"due {when(request.review_by, now)}{missed}"


def _ends(request: Request, now: datetime) -> Iterator[tuple[str, str]]:
    if request.window is not None:
        yield "ends", when(request.window.deadline, now)
        for extension in request.prolonged_by:
            yield "extended", f"by request {extension}"
    elif not request.state.is_finished and request.lapses_at is not None:
        yield "lapses", when(request.lapses_at, now)
    guarantee = request.guarantee or (None if request.plan is None else request.plan.guarantee)
    if guarantee is not None and not request.state.is_finished:
        yield "ended by", HELD_BY[guarantee]
    if request.plan is not None and not request.state.is_finished:
        yield "early end", request.plan.early_end
        yield from (("note", note) for note in request.plan.notes)
        yield from (("problem", problem) for problem in request.plan.problems)
    left = request.residual or (() if request.plan is None else request.plan.residual)
    yield from (("leaves", text) for text in left)
    if request.issued:
        yield "issued", f"{request.issued} {'set' if request.issued == 1 else 'sets'}"
    if request.evidence is not None:
        yield "known by", KNOWN_BY[request.evidence]


def any_of(approvers: Iterable[Approver]) -> str:
    """Write whose yes would do."""
    return " or ".join(_approver(who) for who in approvers)


def all_of(approvers: Iterable[Approver]) -> str:
    """Write who all of them are."""
    return ", ".join(_approver(who) for who in approvers)


def _approver(who: Approver) -> str:
    return f"{who.id}, on call" if who.kind == "rotation" else who.id


def by(rules: Iterable[str]) -> str:
    names = ", ".join(rules)
    return f" [{names}]" if names else ""
