"""The use cases: what people ask of jitcloud, each decided against the record as it is.

A command reads, decides and commits; when somebody else committed first it is decided again.
Nothing here tells a cloud anything: ``advance`` does what the record then calls for.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta

from ulid import ULID

from jitcloud import ending, issuing, lifecycle, text
from jitcloud.errors import Conflict, Invalid, Misconfigured, NotFound, Refused
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger, again_on_conflict
from jitcloud.model import (
    Activate,
    Actor,
    Approved,
    Ask,
    Asked,
    Caller,
    Credentials,
    Decided,
    Denied,
    EntitlementId,
    Happening,
    NeedsApproval,
    Person,
    Request,
    RequestId,
    Stage,
    State,
    Vote,
    Voted,
)
from jitcloud.ports import Clock, Page

PAGE, PAGES = 100, 100
"""How many pending requests are looked through for those that wait for one person."""

FARTHEST = timedelta(days=366)
"""How far ahead a start may lie, and more than any duration may last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long things may wait before they lapse."""

    decision: timedelta = timedelta(hours=24)
    """For votes."""
    activation: timedelta = timedelta(hours=1)
    """For a cloud that lets in whoever was allowed."""


@dataclass(frozen=True, slots=True)
class Broker:
    """What people can do. Every method raises only ``JitError`` on purpose."""

    ledger: Ledger
    judge: Judge
    patience: Patience = Patience()

    # ── Asking ───────────────────────────────────────────────────────────────────────────────

    def request(  # noqa: PLR0913 - keyword-only, each one a fact of the ask
        self,
        caller: Caller,
        entitlement: EntitlementId,
        *,
        duration: timedelta,
        justification: str,
        now: datetime,
        start: datetime | None = None,
        ticket: str | None = None,
        incident: str | None = None,
        id_: RequestId | None = None,
    ) -> Request:
        """Ask for an entitlement; return the request as policy has judged it.

        A refusal is recorded too, and comes back as a request in state ``denied``.
        Asking again with the same ``id_`` and the same facts returns the first answer.
        Raises ``Invalid`` and ``NotFound`` for what cannot be asked at all.
        """
        person = self._speaker(caller)
        if not timedelta(seconds=1) <= duration <= FARTHEST:
            raise Invalid("The duration must be at least a second and less than a year.")
        if start is not None:
            lifecycle.start_is_valid(start, now)
            if start > now + FARTHEST:
                raise Invalid("The start lies more than a year ahead; ask again nearer to it.")
        ask = Ask(
            person=person.id,
            entitlement=self.judge.catalog.get(entitlement),
            duration=duration,
            justification=text.one_line(justification, "justification"),
            asked_at=now,
            start=start,
            mfa_age=_age(caller, now),
            ticket=None if ticket is None else text.one_line(ticket, "ticket"),
            incident=None if incident is None else text.one_line(incident, "incident"),
        )
        name = id_ or RequestId(str(ULID.from_datetime(now)))
        already = None if id_ is None else self._asked_before(id_, ask)
        if already is not None:
            return already
        plan = self.judge.plan(ask, now)
        decision = self.judge.first(ask, plan, now)
        try:
            return self.ledger.record(
                None,
                (Asked(ask=ask, plan=plan), self._decided(ask, decision, now)),
                id_=name,
                actor=_actor(caller),
                now=now,
            )
        except Conflict:
            # The same ask raced itself: whichever was first stands.
            return self._asked_before(name, ask) or self.ledger.load(name)

    def _asked_before(self, name: RequestId, ask: Ask) -> Request | None:
        found = self.ledger.store.request(name)
        if found is None:
            return None
        same = (ask.person, ask.entitlement.id, ask.duration, ask.justification)
        first = found.ask
        if (first.person, first.entitlement.id, first.duration, first.justification) != same:
            raise Conflict(f"Request {name} exists already and asks for something else.")
        return found

    # ── Voting ───────────────────────────────────────────────────────────────────────────────

    def approve(
        self, caller: Caller, request: RequestId, now: datetime, reason: str = ""
    ) -> Request:
        """Say yes; once the last yes has arrived, the request is judged again and let in."""
        return self._vote(caller, request, now, yes=True, reason=_optional(reason))

    def deny(self, caller: Caller, request: RequestId, now: datetime, reason: str) -> Request:
        """Say no, with a reason the requester will read. One no is enough."""
        return self._vote(caller, request, now, yes=False, reason=text.one_line(reason, "reason"))

    def _vote(
        self, caller: Caller, name: RequestId, now: datetime, *, yes: bool, reason: str
    ) -> Request:
        voter = self._speaker(caller)

        def decide() -> Request:
            request = self.ledger.verified(name, now)
            stage, wanted, every = self._stages(request)
            vote = Voted(by=voter.id, yes=yes, stage=stage, reason=reason)
            happenings = lifecycle.vote(request, vote, now)
            # A no counts from anybody who is asked at any stage; a yes, where it still helps.
            stages = wanted if yes else every
            requester = self.judge.directory.person(request.person)
            refusal = self.judge.policy.may_vote(voter, _age(caller, now), requester, stages)
            if refusal is not None:
                raise Refused(" ".join(refusal.because))
            if yes:
                happenings = (*happenings, *self._after(request, vote, now))
            return self.ledger.record(request, happenings, actor=_actor(caller), now=now)

        return again_on_conflict(decide)

    def _stages(self, request: Request) -> tuple[int, tuple[Stage, ...], tuple[Stage, ...]]:
        """Which stage waits, whose yes would still help there, and all stages.

        Nothing, for what waits for no votes.
        """
        if not isinstance(request.decision, NeedsApproval):
            return 0, (), ()
        stages = request.decision.approval.stages
        waiting = self.judge.outstanding(request.decision, request.votes, request.person)
        if waiting is None:
            # A voter counts again who did not when the last vote came: any further yes will do.
            return len(stages) - 1, stages[-1:], stages
        return waiting.stage, (waiting.wanted,), stages

    def _after(self, request: Request, vote: Voted, now: datetime) -> tuple[Happening, ...]:
        """What one more yes leads to, judged by the policy and the people of now."""
        decision = self.judge.decide(request.ask, now)
        cast = Vote(by=vote.by, stage=vote.stage, at=now, reason=vote.reason)
        votes = (*request.votes, cast)
        if isinstance(decision, NeedsApproval) and self.judge.met(decision, votes, request.person):
            return (
                Approved(
                    approval=decision.approval,
                    rules=decision.rules,
                    policy=self.judge.ref,
                    lapses_at=lifecycle.unactivated_until(
                        request.ask, self.patience.activation, now
                    ),
                ),
            )
        if decision == request.decision and self.judge.ref == request.policy:
            return ()
        return (self._decided(request.ask, decision, now),)

    # ── Taking back, giving back, revoking: never gated on policy, catalog or signature ──────

    def withdraw(
        self, caller: Caller, request: RequestId, now: datetime, reason: str = ""
    ) -> Request:
        """Take back one's own request before it gives access."""
        return self._end(
            caller, request, now, lambda r: lifecycle.withdraw(_own(r, caller), _optional(reason))
        )

    def give_back(
        self, caller: Caller, request: RequestId, now: datetime, reason: str = ""
    ) -> Request:
        """End one's own access early."""
        return self._end(
            caller, request, now, lambda r: lifecycle.give_back(_own(r, caller), _optional(reason))
        )

    def revoke(self, caller: Caller, request: RequestId, now: datetime, reason: str) -> Request:
        """End somebody's access, or a request that might yet give some.

        Anyone in the directory may: ending too much can be asked for again, ending too little
        cannot be taken back. The trail says who it was.
        """
        because = text.one_line(reason, "reason")
        # A directory that cannot be read must not keep access alive.
        with suppress(Misconfigured):
            self._speaker(caller)
        return self._end(caller, request, now, lambda r: lifecycle.revoke(r, because))

    def _end(
        self,
        caller: Caller,
        name: RequestId,
        now: datetime,
        decide: Callable[[Request], tuple[Happening, ...]],
    ) -> Request:
        def attempt() -> Request:
            request = self.ledger.load(name)
            happenings = decide(request)
            if not happenings:
                return request
            return ending.begin(self.ledger, request, happenings, now, _actor(caller))

        return again_on_conflict(attempt)

    # ── Credentials ──────────────────────────────────────────────────────────────────────────

    def issue(self, caller: Caller, name: RequestId, clock: Clock) -> Credentials:
        """Mint one set of credentials for the holder of an active grant; see ``issuing``."""
        self._speaker(caller)

        def own() -> tuple[Request, Actor]:
            return _own(self.ledger.verified(name, clock()), caller), _actor(caller)

        return issuing.issue(self.ledger, self.judge, own, clock)

    # ── Reading ──────────────────────────────────────────────────────────────────────────────

    def show(self, request: RequestId) -> Request:
        """Return a request. Raises ``NotFound``."""
        return self.ledger.load(request)

    def mine(self, caller: Caller, limit: int = 50, after: RequestId | None = None) -> Page:
        """Page through the caller's own requests, newest first."""
        return self.ledger.store.by_person(self._speaker(caller).id, limit, after)

    def waiting_for(self, caller: Caller, limit: int = 50) -> tuple[Request, ...]:
        """List the newest pending requests that the caller could say yes to now."""
        voter = self._speaker(caller)
        found: list[Request] = []
        after: RequestId | None = None
        for _ in range(PAGES):
            page = self.ledger.store.by_state(State.PENDING, PAGE, after)
            found += (r for r in page.requests if self._waits_for(r, voter))
            after = page.after
            if len(found) >= limit or after is None:
                break
        return tuple(found[:limit])

    def _waits_for(self, request: Request, voter: Person) -> bool:
        _, wanted, _ = self._stages(request)
        return voter.id != request.person and any(
            approver.includes(voter)
            for waiting in wanted
            for need in waiting.needs
            for approver in need.approvers
        )

    # ── Who speaks ───────────────────────────────────────────────────────────────────────────

    def _speaker(self, caller: Caller) -> Person:
        person = self.judge.directory.person(caller.person)
        if person.disabled:
            raise Refused(f"{person.name} is disabled in the directory and cannot do this.")
        return person

    def _decided(
        self, ask: Ask, decision: Activate | NeedsApproval | Denied, now: datetime
    ) -> Decided:
        lapses_at = (
            lifecycle.unactivated_until(ask, self.patience.activation, now)
            if isinstance(decision, Activate)
            else lifecycle.undecided_until(ask, self.patience.decision)
        )
        return Decided(decision=decision, policy=self.judge.ref, lapses_at=lapses_at)


def _own(request: Request, caller: Caller) -> Request:
    if request.person != caller.person:
        raise NotFound(
            f"You have no request {request.id}; only the person who asked can do this with it."
        )
    return request


def _actor(caller: Caller) -> Actor:
    return Actor(id=caller.person, token=caller.token)


def _age(caller: Caller, now: datetime) -> timedelta | None:
    return None if caller.signed_in_at is None else now - caller.signed_in_at


def _optional(reason: str) -> str:
    return text.one_line(reason, "reason") if reason else ""
