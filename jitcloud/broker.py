"""The use cases: what people ask of jitcloud, each decided against the record as it is.

A command reads, decides and commits; when somebody else committed first it is decided again.
Nothing here tells a cloud anything: ``advance`` does what the record then calls for.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from jitcloud import (
    advising,
    braking,
    bundles,
    ending,
    issuing,
    lifecycle,
    reconcile,
    reviewing,
    scopes,
    text,
    voting,
)
from jitcloud.asking import Asking, Patience, Wish
from jitcloud.attesting import Attesting
from jitcloud.braking import Braking
from jitcloud.errors import Conflict, Misconfigured, NotFound, Refused, Tampered
from jitcloud.judge import Judge
from jitcloud.ledger import Ledger, again_on_conflict
from jitcloud.model import (
    Actor,
    Ask,
    Caller,
    Controls,
    Credentials,
    EntitlementId,
    Happening,
    Person,
    PolicyRef,
    Request,
    RequestId,
    Scope,
    State,
)
from jitcloud.policy.explain import Explanation
from jitcloud.ports import Clock, Page
from jitcloud.remembering import Remembering
from jitcloud.reviewing import Reviewing
from jitcloud.voting import Voting

__all__ = ["Broker", "Patience", "Wish"]

PAGE, PAGES = 100, 100
"""How many pending requests are looked through for those that wait for one person."""

MOST_REVIEWS = 1000
"""How many outstanding reviews are looked through for those that wait for one person."""


@dataclass(frozen=True, slots=True)
class Broker:
    """What people can do. Every method raises only ``JitError`` on purpose."""

    ledger: Ledger
    judge: Judge
    patience: Patience = field(default_factory=Patience)

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
        break_glass: bool = False,
        id_: RequestId | None = None,
    ) -> Request:
        """Ask for an entitlement; return the request as policy has judged it.

        A refusal is recorded too, and comes back as a request in state ``denied``.
        Asking again with the same ``id_`` and the same facts returns the first answer.
        Of what spans several places it returns the first, whose ``ask.together`` names all.
        ``break_glass`` asks to be let in at once past whoever would be asked, and to be
        reviewed afterwards. Raises ``Invalid`` and ``NotFound`` for what cannot be asked at all.
        """
        wish = Wish(
            duration=duration,
            justification=justification,
            start=start,
            ticket=ticket,
            incident=incident,
            break_glass=break_glass,
        )
        return self.request_all(caller, (entitlement,), wish, now, id_)[0]

    def request_all(  # noqa: PLR0913 - keyword-only but for what is asked for
        self,
        caller: Caller,
        entitlements: Sequence[EntitlementId],
        wish: Wish,
        now: datetime,
        id_: RequestId | None = None,
        *,
        is_new: bool = False,
    ) -> tuple[Request, ...]:
        """Ask for several entitlements with one justification; each is decided apart.

        ``id_`` names the first of them, and with it the others; it is not looked for where it is
        known to be new.
        """
        return self._asking(caller, now).request(entitlements, wish, id_, is_new=is_new)

    def extend(
        self,
        caller: Caller,
        request: RequestId,
        wish: Wish,
        now: datetime,
        id_: RequestId | None = None,
    ) -> Request:
        """Ask for a grant of one's own to last longer by ``wish.duration``.

        The answer is a request of its own, judged for the whole time the grant would then last.
        """
        asking = self._asking(caller, now)
        parent = _own(self.ledger.verified(request, now), caller)
        return asking.extend(parent, wish.duration, wish, id_)

    def _asking(self, caller: Caller, now: datetime) -> Asking:
        judge, person = self._bench(caller, now)
        return Asking(
            ledger=self.ledger,
            judge=judge,
            patience=self.patience,
            person=person,
            actor=_actor(caller),
            mfa_age=_age(caller, now),
            now=now,
        )

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
        def attempt() -> Request:
            # The request is read before it is known which text judges: one that was judged by a
            # newer text meanwhile is not judged by an older one.
            request = self.ledger.verified(name, now)
            judge, voter = self._bench(caller, now)
            vote = Voting(
                ledger=self.ledger,
                judge=judge,
                patience=self.patience,
                voter=voter,
                actor=_actor(caller),
                mfa_age=_age(caller, now),
                now=now,
                bound_to=caller.bound_to,
            )
            return vote.cast(request, yes=yes, reason=reason)

        return again_on_conflict(attempt)

    # ── Reviewing broken glass ───────────────────────────────────────────────────────────────

    def review(
        self, caller: Caller, request: RequestId, now: datetime, *, fine: bool, note: str
    ) -> Request:
        """Record that one has looked at what was done with a broken glass, and found it so."""
        judge, reviewer = self._bench(caller, now)
        review = Reviewing(
            ledger=self.ledger,
            judge=judge,
            reviewer=reviewer,
            actor=_actor(caller),
            mfa_age=_age(caller, now),
            now=now,
        )
        found = text.one_line(note, "note")
        return again_on_conflict(lambda: review.review(request, fine=fine, note=found))

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
            _speaker(self.judge, caller)
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

    # ── What no cloud can be asked about any more ────────────────────────────────────────────

    def attest(self, caller: Caller, request: RequestId, now: datetime, reason: str) -> Request:
        """Answer for it that access is gone whose place has vanished and refuses for ever.

        Unlike an end it gives something up, so nothing may be broken and everything is asked:
        the record, who speaks, and policy, as for ending all of that entitlement.
        """
        judge, person = self._bench(caller, now)
        attest = Attesting(
            ledger=self.ledger,
            judge=judge,
            person=person,
            actor=_actor(caller),
            mfa_age=_age(caller, now),
            now=now,
        )
        because = text.one_line(reason, "reason")
        return again_on_conflict(lambda: attest.attest(request, because))

    # ── Brakes ───────────────────────────────────────────────────────────────────────────────

    def stop(self, caller: Caller, scope: Scope, now: datetime, reason: str) -> Controls | None:
        """Let nothing in a scope be activated from now on. What is active goes on, and ends."""
        because = text.one_line(reason, "reason")
        return self._braking(caller, now).stop(self._meant(scope), because)

    def resume(self, caller: Caller, scope: Scope, now: datetime, reason: str) -> Controls | None:
        """Let what was stopped be activated again."""
        because = text.one_line(reason, "reason")
        return self._braking(caller, now).resume(self._meant(scope, recorded=True), because)

    def end_all(
        self, caller: Caller, scope: Scope, now: datetime, reason: str
    ) -> tuple[int, tuple[tuple[str, str], ...]]:
        """End everything in a scope that was asked for until now.

        Returns how many requests it began to end, and what could not be and why; every sweep
        tries those again. With a directory that cannot be read anybody can, as with ``revoke``.
        """
        because = text.one_line(reason, "reason")
        meant = self._meant(scope, recorded=True)
        brake = self._ending(caller, now).end_all(meant, because)
        return braking.finish(self.ledger, (brake,), now)

    def _meant(self, scope: Scope, *, recorded: bool = False) -> Scope:
        judge, store = self.judge, self.ledger.store
        return scopes.meant(scope, judge.directory, store, catalog=judge.catalog, recorded=recorded)

    def brakes(self) -> Controls | None:
        """Return what is stopped, and which policy text judges."""
        return self.ledger.controls()

    def _braking(self, caller: Caller, now: datetime) -> Braking:
        judge, person = self._bench(caller, now)
        return Braking(
            ledger=self.ledger,
            judge=judge,
            person=person,
            actor=_actor(caller),
            mfa_age=_age(caller, now),
            now=now,
        )

    def _ending(self, caller: Caller, now: datetime) -> Braking:
        """Return the brake for whoever wants to end: nothing that is broken holds it back.

        The right to it is asked of the newest text that can be read; only while nobody can say
        who somebody is, anybody may.
        """
        judge = self.judge
        person: Person | None = None
        with suppress(Misconfigured):
            person = _speaker(judge, caller)
        with suppress(Misconfigured, Tampered, Conflict):
            judge = self._reading()
            judge = bundles.current(self.ledger, judge, _actor(caller), now)
        return Braking(
            ledger=self.ledger,
            judge=judge,
            person=person,
            actor=_actor(caller),
            mfa_age=_age(caller, now),
            now=now,
        )

    # ── Credentials ──────────────────────────────────────────────────────────────────────────

    def issue(self, caller: Caller, name: RequestId, clock: Clock) -> Credentials:
        """Mint one set of credentials for the holder of an active grant; see ``issuing``."""
        _speaker(self.judge, caller)

        def own() -> tuple[Request, Actor]:
            return _own(self.ledger.verified(name, clock()), caller), _actor(caller)

        return issuing.issue(self.ledger, self.judge, own, clock)

    # ── Reading ──────────────────────────────────────────────────────────────────────────────

    def show(self, request: RequestId) -> Request:
        """Return a request. Raises ``NotFound``."""
        return self.ledger.load(request)

    def mine(self, caller: Caller, limit: int = 50, after: RequestId | None = None) -> Page:
        """Page through the caller's own requests, newest first."""
        return self.ledger.store.by_person(_speaker(self.judge, caller).id, limit, after)

    def waiting_for(self, caller: Caller, now: datetime, limit: int = 50) -> tuple[Request, ...]:
        """List the newest pending requests that the caller could say yes to now."""
        judge = self._reading()
        voter = _speaker(judge, caller)
        found: list[Request] = []
        after: RequestId | None = None
        for _ in range(PAGES):
            page = self.ledger.store.by_state(State.PENDING, PAGE, after)
            found += (r for r in page.requests if voting.waits_for(judge, r, voter, now))
            after = page.after
            if len(found) >= limit or after is None:
                break
        return tuple(found[:limit])

    def advise(self, request: Request, now: datetime) -> Explanation:
        """Explain what was said to a request: by which rules, what would help, who is asked."""
        facts = advising.facts_of(self.ledger.store.events(request.id))
        return advising.about(self._reading(), request, facts, now)

    def outlook(
        self, caller: Caller, entitlement: EntitlementId, duration: timedelta, now: datetime
    ) -> Explanation:
        """Explain what would be said to the caller, asking with neither ticket nor incident."""
        judge = self._reading()
        ask = Ask(
            person=_speaker(judge, caller).id,
            entitlement=judge.catalog.get(entitlement),
            duration=duration,
            justification="What if?",
            asked_at=now,
            mfa_age=_age(caller, now),
        )
        return advising.beforehand(judge, ask, now)

    def unreviewed(self, caller: Caller | None = None) -> tuple[Request, ...]:
        """List what was done with a broken glass and awaits review, the most urgent first.

        With a ``caller``, only what awaits a review of theirs.
        """
        every = self.ledger.store.unreviewed(MOST_REVIEWS)
        if caller is None:
            return every
        judge = self._reading()
        reviewer = _speaker(judge, caller)
        return tuple(each for each in every if reviewing.awaits(judge, each, reviewer))

    # ── Who speaks, and what judges ──────────────────────────────────────────────────────────

    def adopt(
        self, caller: Caller, now: datetime, reason: str, *, vouched: bool = False
    ) -> PolicyRef:
        """Let the policy text of this moment judge, though it was replaced before.

        ``vouched`` answers for the deployment's own trail, signed by a key that is trusted no
        longer.
        """
        _speaker(self.judge, caller)
        actor = _actor(caller)
        return bundles.adopt(self.ledger, self.judge, actor, now, reason, vouched=vouched)

    def restored(self, caller: Caller, now: datetime, reason: str) -> Controls:
        """Record that the record is an older one: nothing is activated before a reconcile."""
        with suppress(Misconfigured):  # as with an end: it only takes away
            _speaker(self.judge, caller)
        return reconcile.restored(self.ledger, reason, _actor(caller), now)

    def _bench(self, caller: Caller, now: datetime) -> tuple[Judge, Person]:
        """Return what judges now, and who speaks."""
        judge = self._reading()
        person = _speaker(judge, caller)
        return bundles.current(self.ledger, judge, _actor(caller), now), person

    def _reading(self) -> Judge:
        """Return what judges, for one decision: it asks the directory each question once."""
        return replace(
            bundles.renewed(self.judge),
            ledger=self.ledger,
            directory=Remembering(self.judge.directory),
        )


def _speaker(judge: Judge, caller: Caller) -> Person:
    person = judge.person(caller.person)
    if person.disabled:
        raise Refused(f"{person.name} is disabled in the directory and cannot do this.")
    return person


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
