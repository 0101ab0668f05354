"""The life of a request, pure: which event may follow which, and what the events add up to.

``MOVES`` is the whole state machine. ``fold`` is the only way a snapshot comes to be; the
functions below it turn a command into the happenings it causes, or refuse it in words.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from jitcloud import approval
from jitcloud.errors import Invalid, Refused, Tampered
from jitcloud.model import (
    GENESIS,
    Activate,
    Activated,
    Activating,
    Adopted,
    AllEnding,
    Approved,
    Ask,
    Asked,
    Attested,
    BreakGlass,
    Cause,
    Decided,
    Denied,
    EndAll,
    Ended,
    Ending,
    Escalated,
    Evidence,
    Extended,
    Failed,
    GlassBroken,
    Happening,
    Issuing,
    Lapsed,
    NeedsApproval,
    Prolonged,
    Reconciled,
    Removed,
    Reopened,
    Request,
    Restored,
    Resumed,
    Reviewed,
    ReviewMissed,
    Sealed,
    State,
    Stopped,
    Vote,
    Voted,
    Window,
    Withdrawn,
)

_REVIEW: frozenset[type[Happening]] = frozenset({Reviewed, ReviewMissed})

MOVES: dict[State | None, frozenset[type[Happening]]] = {
    None: frozenset({Asked}),
    State.PENDING: frozenset({Decided, GlassBroken, Escalated, Voted, Approved, Withdrawn, Lapsed}),
    State.SCHEDULED: frozenset({Decided, Activating, Extended, Withdrawn, Lapsed}),
    State.ACTIVATING: frozenset({Activated, Ending}),
    State.ACTIVE: frozenset({Issuing, Prolonged, Ending}) | _REVIEW,
    State.ENDING: frozenset({Removed, Ended, Failed, Attested}),
    State.ENDED: _REVIEW | {Reopened},
    State.FAILED: frozenset({Reopened}),
    State.EXTENDED: _REVIEW,
}
"""What may happen in each state. In any other, nothing.

A review follows access, not an ask: it may come while that lasts, and long after it has ended.
While it ends nothing else may happen: what is seen of the cloud is compared with that instant.
"""

RECHECK = timedelta(minutes=5)
"""How often it is asked, while access lasts, whether its holder is still there."""


# ── What the events add up to ────────────────────────────────────────────────────────────────


def fold(request: Request | None, sealed: Sealed) -> Request:
    """Add one event to what the earlier ones gave. Raises ``Tampered`` where it cannot follow."""
    event = sealed.event
    state = None if request is None else request.state
    head = GENESIS if request is None else request.head
    seq = 0 if request is None else request.seq
    if event.seq != seq + 1 or event.prev != head:
        message = f"Event {event.seq} of request {event.request} does not follow event {seq}."
        raise Tampered(message)
    if type(event.what) not in MOVES.get(state, frozenset()):
        message = (
            f"Event {event.seq} of request {event.request} ({event.what.type}) "
            f"cannot happen to a request that is {state or 'not there'}."
        )
        raise Tampered(message)
    if request is None:
        return _begin(sealed)
    if event.request != request.id:
        message = f"An event of request {event.request} stands in the trail of {request.id}."
        raise Tampered(message)
    moved = replace(request, seq=event.seq, head=sealed.hash, updated_at=event.at)
    return _happen(moved, event.what, event.at)


def refold(events: Iterable[Sealed]) -> Request:
    """Fold a whole trail. Raises ``Tampered`` where it does not hold together."""
    request: Request | None = None
    for sealed in events:
        request = fold(request, sealed)
    if request is None:
        raise Tampered("The trail of this request is empty.")
    return request


def _begin(sealed: Sealed) -> Request:
    what = sealed.event.what
    assert isinstance(what, Asked)  # noqa: S101 - MOVES admits nothing else first
    return Request(
        id=sealed.event.request,
        ask=what.ask,
        plan=what.plan,
        state=State.PENDING,
        seq=sealed.event.seq,
        head=sealed.hash,
        updated_at=sealed.event.at,
    )


def _happen(  # noqa: C901, PLR0911, PLR0912 - one arm an event
    request: Request, what: Happening, at: datetime
) -> Request:
    match what:
        case Decided(decision=decision, policy=policy, lapses_at=lapses_at):
            judged = replace(request, decision=decision, policy=policy, lapses_at=lapses_at)
            match decision:
                case Activate():
                    return replace(judged, state=State.SCHEDULED)
                case NeedsApproval():
                    return replace(judged, state=State.PENDING)
                case Denied(because=because):
                    return replace(judged, state=State.DENIED, reason=" ".join(because))
                case BreakGlass():
                    message = f"Request {request.id} breaks a glass without saying so."
                    raise Tampered(message)
        case GlassBroken(decision=broken, policy=policy, lapses_at=lapses_at):
            return replace(
                request,
                decision=broken,
                policy=policy,
                lapses_at=lapses_at,
                state=State.SCHEDULED,
            )
        case Escalated(stage=stage, to=to):
            joined = ((stage, who) for who in to)
            return replace(request, escalated=(*request.escalated, *joined))
        case Voted(yes=True):
            vote = Vote(by=what.by, stage=what.stage, at=at, reason=what.reason)
            return replace(request, votes=(*request.votes, vote))
        case Voted():
            return replace(request, state=State.DENIED, reason=what.reason)
        case Approved(policy=policy, lapses_at=lapses_at):
            return replace(request, state=State.SCHEDULED, policy=policy, lapses_at=lapses_at)
        case Withdrawn(reason=reason):
            return replace(request, state=State.WITHDRAWN, reason=reason)
        case Lapsed():
            return replace(request, state=State.LAPSED)
        case Activating():
            return replace(
                request,
                state=State.ACTIVATING,
                window=what.window,
                places=what.places,
                guarantee=what.guarantee,
                residual=what.residual,
                policy=what.policy,
                review_by=_review_by(request, at),
            )
        case Extended(window=window, policy=policy):
            return replace(
                request,
                state=State.EXTENDED,
                window=window,
                policy=policy,
                review_by=_review_by(request, at),
            )
        case Prolonged(by=by, window=window):
            if window.deadline <= deadline(request) or window.start != _window(request).start:
                message = f"Extending request {request.id} would not make its deadline later."
                raise Tampered(message)
            return replace(request, window=window, prolonged_by=(*request.prolonged_by, by))
        case Activated():
            return replace(request, state=State.ACTIVE)
        case Issuing(dead_by=dead_by):
            known = request.credentials_dead_by or dead_by
            return replace(
                request, issued=request.issued + 1, credentials_dead_by=max(known, dead_by)
            )
        case Ending(cause=cause, reason=reason):
            return replace(request, state=State.ENDING, cause=cause, reason=reason)
        case Removed(seen_at=seen_at, dead_by=dead_by):
            known = request.credentials_dead_by or dead_by
            return replace(request, removed_at=seen_at, credentials_dead_by=max(known, dead_by))
        case Attested(reason=reason):
            return replace(request, state=State.ENDED, reason=reason, evidence=Evidence.ATTESTED)
        case Reopened():
            # What is made of it now outlives what was reckoned with then.
            forgets = request.places.outlives is not None
            return replace(
                request,
                state=State.ENDING,
                evidence=None,
                removed_at=None,
                credentials_dead_by=None if forgets else request.credentials_dead_by,
            )
        case Ended(evidence=evidence):
            return replace(request, state=State.ENDED, evidence=evidence)
        case Failed(reason=reason):
            return replace(request, state=State.FAILED, reason=reason, review_by=None)
        case Reviewed(by=by, note=note, done=done):
            seen = Vote(by=by, stage=0, at=at, reason=note)
            return replace(
                request,
                reviews=(*request.reviews, seen),
                review_by=None if done else request.review_by,
                review_missed=request.review_missed and not done,
            )
        case ReviewMissed():
            return replace(request, review_missed=True)
        case (
            Asked()
            | Adopted()
            | Stopped()
            | Resumed()
            | EndAll()
            | AllEnding()
            | Restored()
            | Reconciled()
        ):
            message = f"Request {request.id} cannot be told that it was {what.type}."
            raise Tampered(message)


def _review_by(request: Request, at: datetime) -> datetime | None:
    match request.decision:
        case BreakGlass(review=review):
            return at + review.within
        case _:
            return None


# ── When it next needs attention ─────────────────────────────────────────────────────────────


def wake_at(request: Request) -> datetime | None:
    """When the request next needs attention; None once it is finished.

    What is on its way (activating, ending) is due at once: whoever works on it puts the
    wake-up off, and a crash leaves it due.
    """
    match request.state:
        case State.PENDING:
            lapses_at = request.lapses_at or request.updated_at
            return min([lapses_at, *_escalations(request)])
        case State.SCHEDULED:
            return request.ask.start or request.updated_at
        case State.ACTIVE:
            return look_again(request, request.updated_at)
        case State.ACTIVATING | State.ENDING:
            return request.updated_at
        case State.ENDED | State.EXTENDED:
            return _review(request)
        case _:
            return None


def look_again(request: Request, now: datetime) -> datetime:
    """When a grant that is active next needs attention."""
    known = (deadline(request), now + RECHECK, _review(request))
    return min(at for at in known if at is not None)


def review_is_missed(request: Request, now: datetime) -> bool:
    """Whether the time for a review that is outstanding has just passed."""
    due = _review(request)
    return due is not None and now >= due


def _review(request: Request) -> datetime | None:
    """When a review that is outstanding is missed."""
    return None if request.review_missed else request.review_by


def _escalations(request: Request) -> Iterator[datetime]:
    """Yield when a stage could first be escalated, if it were waiting by then."""
    if not isinstance(request.decision, NeedsApproval):
        return
    what = request.decision.approval
    begun = approval.beginnings(what, request.votes, request.ask.asked_at)
    for number, (stage, at) in enumerate(zip(what.stages, begun, strict=True)):
        for need in stage.needs:
            later = need.escalation
            if at is None or later is None or (number, later.to) in request.escalated:
                continue
            yield at + later.after


def deadline(request: Request) -> datetime:
    """The instant from which access must be gone. Raises ``Tampered`` if none was recorded."""
    return _window(request).deadline


def active_window(request: Request) -> Window:
    """Return the window of a grant that is active. Raises ``Refused`` for any other."""
    if request.state is not State.ACTIVE:
        raise Refused(_no_credentials(request))
    return _window(request)


def _window(request: Request) -> Window:
    if request.window is None:
        raise Tampered(f"Request {request.id} is {request.state} but has no window.")
    return request.window


def window_from(start: datetime, duration: timedelta) -> Window:
    """The window of a grant: its deadline is floored to a whole second, never later than asked.

    Clouds compare whole seconds (IAM's ``aws:CurrentTime``, CEL timestamps), so that everyone
    means the same instant.
    """
    return Window(start=start, deadline=(start + duration).replace(microsecond=0))


# ── Commands: what they cause, or why they are refused ───────────────────────────────────────


def waits_for_votes(request: Request, now: datetime) -> Request:
    """Return a request that waits for a yes or a no. Raises ``Refused`` for any other."""
    if has_lapsed(request, now):
        raise Refused(f"Request {request.id} was not decided in time; it must be asked again.")
    if request.state is not State.PENDING:
        raise Refused(f"Request {request.id} no longer waits for votes: it is {_said(request)}.")
    return request


def vote(request: Request, what: Voted, now: datetime) -> tuple[Happening, ...]:
    """Record a yes or a no, if the request still waits for one."""
    waits_for_votes(request, now)
    if what.by == request.person:
        raise Refused("You cannot approve or deny your own request; ask a colleague.")
    if any(earlier.by == what.by for earlier in request.votes):
        raise Refused(f"You have already approved request {request.id}; one yes counts once.")
    return (what,)


def withdraw(request: Request, reason: str) -> tuple[Happening, ...]:
    """Take back what has given no access yet. Asking twice has the effect of once."""
    if request.state in {State.PENDING, State.SCHEDULED}:
        return (Withdrawn(reason=reason),)
    if request.state is State.WITHDRAWN:
        return ()
    if request.state.is_finished:
        raise Refused(f"Request {request.id} is over: it is {_said(request)}.")
    raise Refused(f"Request {request.id} gives access already; give it back instead.")


def give_back(request: Request, reason: str) -> tuple[Happening, ...]:
    """End what the holder no longer needs. Asking twice has the effect of once."""
    if request.state in {State.PENDING, State.SCHEDULED}:
        raise Refused(f"Request {request.id} gives no access yet; withdraw it instead.")
    return end(request, Cause.GIVEN_BACK, reason)


def revoke(request: Request, reason: str) -> tuple[Happening, ...]:
    """End somebody else's grant, at whatever point it is. Asking twice has the effect of once."""
    if request.state in {State.PENDING, State.SCHEDULED}:
        return (Withdrawn(reason=reason),)
    return end(request, Cause.REVOKED, reason)


def end(request: Request, cause: Cause, reason: str) -> tuple[Happening, ...]:
    """Begin to end what gives access, or may."""
    if request.state in {State.ACTIVATING, State.ACTIVE}:
        return (Ending(cause=cause, reason=reason),)
    if request.state in {State.ENDING, State.ENDED, State.FAILED}:
        return ()
    if request.state is State.EXTENDED:
        raise Refused(
            f"Request {request.id} has no access of its own; end request {request.ask.extends},"
            " which it extends."
        )
    raise Refused(f"Request {request.id} gave no access: it is {_said(request)}.")


def issue(request: Request, lifetime: timedelta, timeout: timedelta, now: datetime) -> Issuing:
    """Record that a set of credentials is about to be minted.

    ``timeout`` bounds how late the minting call can still land, so that after ``dead_by``
    nothing it made is alive at the cloud.
    """
    left = deadline(request) - now
    if left <= timedelta(0):
        raise Refused(f"Request {request.id} has reached its deadline; ask again if you need more.")
    if left <= timeout:
        # A call that may take this long could hand out access that is already over.
        raise Refused(
            f"Request {request.id} ends in {max(int(left.total_seconds()), 0)} s, "
            "too soon to issue credentials; ask again if you need more time."
        )
    return Issuing(number=request.issued + 1, dead_by=now + timeout + lifetime)


def attest(request: Request, what: Attested) -> tuple[Happening, ...]:
    """Record that somebody answers for an end that no cloud can be asked about."""
    if what.by == request.person:
        raise Refused("You cannot attest the end of your own access; somebody else does it.")
    if any(vote.by == what.by for vote in request.votes):
        raise Refused("You approved this access; its end is attested by somebody who did not.")
    if request.state is not State.ENDING:
        raise Refused(f"Request {request.id} is not ending: it is {_said(request)}.")
    return (what,)


def reopen(request: Request, seen_at: datetime) -> tuple[Happening, ...]:
    """Record that access was seen that was known to be gone."""
    if request.state not in {State.ENDED, State.FAILED}:
        return ()
    return (Reopened(seen_at=seen_at),)


def review(request: Request, what: Reviewed) -> tuple[Happening, ...]:
    """Record that somebody has looked at what was done with a broken glass."""
    if what.by == request.person:
        raise Refused("You cannot review your own access; somebody among those asked to does it.")
    if request.state is State.ENDING:
        raise Refused(f"Request {request.id} is ending just now; review it once that is done.")
    if request.review_by is None:
        raise Refused(f"Request {request.id} waits for no review: it is {_said(request)}.")
    if any(earlier.by == what.by for earlier in request.reviews):
        raise Refused(f"You have already reviewed request {request.id}; others are asked as well.")
    return (what,)


def has_lapsed(request: Request, now: datetime) -> bool:
    """Whether nobody decided, or nothing could activate it, in time."""
    return (
        request.state in {State.PENDING, State.SCHEDULED}
        and request.lapses_at is not None
        and now >= request.lapses_at
    )


def is_over(request: Request, now: datetime) -> bool:
    """Whether the deadline of what gives access, or may, has come."""
    return request.state in {State.ACTIVATING, State.ACTIVE} and now >= deadline(request)


def undecided_until(ask: Ask, patience: timedelta) -> datetime:
    """When a request that nobody decided is given up: its window passed, or patience ran out."""
    latest = ask.asked_at + patience
    return latest if ask.start is None else min(latest, ask.start + ask.duration)


def unactivated_until(ask: Ask, patience: timedelta, now: datetime) -> datetime:
    """When an allowed request that nothing could activate is given up."""
    return now + patience if ask.start is None else ask.start + ask.duration


def start_is_valid(start: datetime, now: datetime) -> None:
    """Refuse a start in the past, or one that names no time zone."""
    if start.tzinfo is None:
        raise Invalid("The start names no time zone; add one, such as 2026-12-01T09:00:00Z.")
    if start < now:
        raise Invalid("The start lies in the past; leave it out to start at once.")


def _said(request: Request) -> str:
    return f"{request.state} ({request.reason})" if request.reason else str(request.state)


def _no_credentials(request: Request) -> str:
    match request.state:
        case State.PENDING:
            return f"Request {request.id} still waits for approval; there is nothing to hand out."
        case State.SCHEDULED | State.ACTIVATING:
            return f"Request {request.id} is not active yet; try again once it is."
        case State.EXTENDED:
            return (
                f"Request {request.id} has no access of its own; use request {request.ask.extends},"
                " which it extends."
            )
        case _:
            return f"Request {request.id} gives no access: it is {_said(request)}. Ask again."
