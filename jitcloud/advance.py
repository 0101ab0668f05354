"""Moves one request along: does what its record calls for now, and nothing else.

A prompt activation, the deadline, a retry and the recovery from a crash are all this one
function, called with whatever is due.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import assert_never

from jitcloud import bundles, ending, lifecycle, slots, voting
from jitcloud.converge import Converger
from jitcloud.errors import Conflict
from jitcloud.judge import Judge
from jitcloud.ledger import Entry, Ledger
from jitcloud.model import (
    BROKER,
    Activated,
    Activating,
    Cause,
    Decided,
    Denied,
    Ended,
    Extended,
    Facts,
    Failed,
    Happening,
    Holder,
    Lapsed,
    Plan,
    Prolonged,
    Request,
    RequestId,
    ReviewMissed,
    Slot,
    SlotKey,
    State,
)
from jitcloud.remembering import Remembering

STEPS = 8
"""More steps than a request can take in one go: a bound, not a plan."""

FAIL_AFTER = timedelta(minutes=2)
"""When a request fails whose place nothing here reaches any more."""

LATER = frozenset({State.PENDING, State.SCHEDULED, State.ACTIVE})
"""What may have to ask who is in which group, and so waits until all that ends has had its turn."""

HELD = timedelta(minutes=1)
"""How often it is asked again whether activations go on that a brake has stopped."""


@dataclass(frozen=True, slots=True)
class Advance:
    """Drives requests. Safe to run in any number of processes at once."""

    ledger: Ledger
    judge: Judge
    converger: Converger

    def wake(
        self,
        name: RequestId,
        *,
        ends_only: bool = False,
        known: Request | None = None,
        insists: bool = False,
    ) -> Request:
        """Take a request as far as it can go now; return it as it then stands.

        ``known`` is the request as it was read a moment ago, where it was; else it is read.
        With ``ends_only`` it does nothing that asks anybody but the record and the clouds: what
        is over ends, though the directory hangs.
        Raises ``NotFound``, ``Tampered`` (nothing is granted on such a record, but it is still
        ended), ``Misconfigured``, ``Unavailable``; and with ``insists`` ``Conflict``, where others
        moved it or its places each time. Whatever it raises, the request stays due.
        """
        request = self.ledger.load(name) if known is None else known
        lost: Conflict | None = None
        for _ in range(STEPS):
            try:
                moved = self._step(request, self.converger.clock(), ends_only=ends_only)
            except Conflict as exc:
                # Whoever moved only its places does not go on with the request itself.
                moved, lost = self.ledger.load(name), exc
            else:
                lost = None
            if moved is None:
                return request
            request = moved
        if lost is not None and insists:
            raise lost
        return request

    def wake_slot(self, key: SlotKey) -> Slot | None:
        """Drive a slot whose wake-up has come; leave alone what was driven just now."""
        slot = self.ledger.store.slot(key)
        return None if slot is None else self._driven(slot)

    def _driven(self, slot: Slot) -> Slot:
        if slot.wake_at is None or slot.wake_at > self.converger.clock():
            return slot
        return self.converger.converge(slot.key, slot) or slot

    def _step(  # noqa: PLR0911 - one arm a state
        self, request: Request, now: datetime, *, ends_only: bool
    ) -> Request | None:
        """Take one step; None when there is none to take now."""
        match request.state:
            case State.ACTIVATING | State.ACTIVE if lifecycle.is_over(request, now):
                return self._end(request, Cause.DEADLINE, "", now)
            case state if ends_only and state in LATER:
                return None
            case State.PENDING | State.SCHEDULED:
                return self._wait(request, now)
            case State.ACTIVATING:
                return self._appear(request, now)
            case State.ACTIVE:
                return self._hold(request, now)
            case State.ENDING:
                return self._disappear(request, now)
            case State.ENDED | State.EXTENDED:
                return self._look_back(request, now)
            case State.DENIED | State.LAPSED | State.WITHDRAWN | State.FAILED:
                return None
            case _:
                assert_never(request.state)

    # ── Waiting ──────────────────────────────────────────────────────────────────────────────

    def _wait(self, request: Request, now: datetime) -> Request | None:
        if lifecycle.has_lapsed(request, now):
            return self.ledger.record(request, (Lapsed(),), now=now)
        if request.state is State.PENDING:
            return self._escalate(request, now)
        if now >= (request.ask.start or now):
            return self._activate(request.id, now)
        return None

    def _escalate(self, request: Request, now: datetime) -> Request | None:
        """Let others join a stage that has waited for long enough; look again at the next."""
        if not self._is_due(request, now):
            return None
        joined = voting.escalations(self.judge, request, now)
        if joined:
            return self.ledger.record(request, joined, now=now)
        lapses_at = request.lapses_at or now
        later = voting.next_escalation(self.judge, request, now)
        self.ledger.put_off(request, lapses_at if later is None else min(later, lapses_at))
        return None

    def _hold(self, request: Request, now: datetime) -> Request | None:
        """End what somebody holds who is gone; else look again while it lasts."""
        if not self._is_due(request, now):
            return None
        if self.judge.is_gone(request.person):
            return self._end(request, Cause.DISABLED, "", now)
        if lifecycle.review_is_missed(request, now):
            return self.ledger.record(request, (ReviewMissed(),), now=now)
        self.ledger.put_off(request, lifecycle.look_again(request, now))
        return None

    def _is_due(self, request: Request, now: datetime) -> bool:
        """Whether it is time to look: whoever waits for a request wakes it far more often."""
        wake_at = self.ledger.store.wake_at(request.id)
        return wake_at is not None and wake_at <= now

    def _look_back(self, request: Request, now: datetime) -> Request | None:
        if lifecycle.review_is_missed(request, now):
            return self.ledger.record(request, (ReviewMissed(),), now=now)
        return None

    # ── In ───────────────────────────────────────────────────────────────────────────────────

    def _activate(self, name: RequestId, now: datetime) -> Request | None:
        # Access must never exist that nobody has a record of, so:
        #
        # 1. Believe only what the signed trail proves.
        # 2. Judge again: an approval from an hour ago does not outlive the policy or the person.
        # 3. Record window and places, joined in the same commit. A crash after this leaves
        #    places that are due at once, and a request whose deadline is on record.
        request = self.ledger.verified(name, now)  # (1)
        if request.state is not State.SCHEDULED:
            return request  # somebody was faster, and it goes on from there
        judge = replace(self.judge, ledger=self.ledger, directory=Remembering(self.judge.directory))
        judge = bundles.current(self.ledger, judge, BROKER, now)
        if judge.stopped(request.ask):
            # What was allowed is not lost for it: it waits until it is resumed, or lapses.
            self.ledger.put_off(request, min(now + HELD, request.lapses_at or now + HELD))
            return None
        plan = judge.plan(request.ask, now)
        ruling = judge.at_last(request, plan, now)  # (2)
        if isinstance(ruling.decision, Denied):
            return self._deny(request, ruling.decision, ruling.facts, judge, now)
        if request.ask.extends is not None:
            return self._prolong(request, request.ask.extends, judge, now)
        return self._begin(request, plan, judge, now)  # (3)

    def _prolong(self, request: Request, name: RequestId, judge: Judge, now: datetime) -> Request:
        """Give a grant the later deadline that this request was let in for."""
        now = max(now, self.converger.clock())  # judging may have taken its time
        parent = self.ledger.verified(name, now)
        refusal = judge.cannot_extend(request.ask, now)
        if refusal:
            return self._deny(request, Denied(because=(refusal,)), Facts(), judge, now)
        window = judge.window(request.ask, now)
        entries = (
            Entry(request.id, request, (Extended(window=window, policy=judge.ref),)),
            Entry(parent.id, parent, (Prolonged(by=request.id, window=window),)),
        )
        changed = []
        if parent.places.grant is not None:
            place = parent.places.grant
            holder = Holder(request=parent.id, until=window.deadline, detail=place.detail)
            changed.append(slots.join(self.ledger.slot_at(place), holder, now))
        return self.ledger.record_all(
            entries, now=now, changed=changed, control_seq=judge.control_seq
        )[0]

    def _begin(self, request: Request, plan: Plan | None, judge: Judge, now: datetime) -> Request:
        mechanism = judge.mechanism(request.entitlement.mechanism)
        places = mechanism.places(
            request.entitlement, judge.person(request.person), part=request.ask.part
        )
        now = max(now, self.converger.clock())  # a cloud may have been asked who that is
        if lifecycle.has_lapsed(request, now):
            return self.ledger.record(request, (Lapsed(),), now=now)
        window = judge.window(request.ask, now)
        activating = Activating(
            window=window,
            places=places,
            guarantee=mechanism.guarantee,
            residual=() if plan is None else plan.residual,
            policy=judge.ref,
        )
        if places.grant is None:
            # Nothing to wait for: sessions are made when they are asked for.
            done: tuple[Happening, ...] = (activating, Activated(seen_at=now))
            return self.ledger.record(request, done, now=now, control_seq=judge.control_seq)
        holder = Holder(request=request.id, until=window.deadline, detail=places.grant.detail)
        slot = slots.reached(self.ledger.slot_at(places.grant), places.grant)
        changed = [slots.join(slot, holder, now)]
        if places.denial is not None:
            denial = self.ledger.slot_at(places.denial)
            if (anew := slots.begin_anew(denial, places.denial.detail, now)) != denial:
                changed.append(anew)
        return self.ledger.record(
            request, (activating,), now=now, changed=changed, control_seq=judge.control_seq
        )

    def _deny(
        self, request: Request, denied: Denied, facts: Facts, judge: Judge, now: datetime
    ) -> Request:
        lapses_at = request.lapses_at or now
        what = Decided(decision=denied, policy=judge.ref, lapses_at=lapses_at, facts=facts)
        return self.ledger.record(request, (what,), now=now)

    def _appear(self, request: Request, now: datetime) -> Request | None:
        grant = request.places.grant
        slot = None if grant is None else self._converge(self.ledger.slot_at(grant), request)
        now = max(now, self.converger.clock())
        if slot is not None and _shows(slot, request, now) and slot.seen is not None:
            seen = Activated(seen_at=slot.seen.at)
            return self.ledger.record(request, (seen,), now=now, unmoved=(slot,))
        if now >= request.updated_at + self._patience(request):
            trouble = "" if slot is None else slot.trouble
            return self._end(request, Cause.FAILED, trouble or "The cloud never showed it.", now)
        later = ending.look_again(self.ledger, request, now)
        gives_up = request.updated_at + self._patience(request)
        self.ledger.put_off(request, min(later, gives_up, lifecycle.deadline(request)))
        return None

    def _patience(self, request: Request) -> timedelta:
        """A cloud that has not let somebody in by then is told to forget it; it has failed."""
        grant = request.places.grant
        kind = None if grant is None else self.converger.kinds.get(grant.kind)
        return FAIL_AFTER if kind is None else kind.patience

    # ── Out ──────────────────────────────────────────────────────────────────────────────────

    def _end(self, request: Request, cause: Cause, reason: str, now: datetime) -> Request:
        # Whoever records an end goes on with it, so the same commit takes the right to drive the
        # place: at once, and nobody is woken for it who could only be in the way. A crash after
        # it is one after any claim: request and place are due when that ends.
        happenings, grant = lifecycle.end(request, cause, reason), request.places.grant
        changed = {slot.key: slot for slot in ending.changes(self.ledger, request, now)}
        left, drives = None if grant is None else changed[grant.key], False
        if left is not None:
            changed[left.key], drives = self.converger.claimed(left, now)
        if left is None or not drives:
            return self.ledger.record(request, happenings, now=now, changed=tuple(changed.values()))
        claimed = changed[left.key]
        ended = self.ledger.record(
            request,
            happenings,
            now=now,
            changed=tuple(changed.values()),
            wake_at=claimed.wake_at,
        )
        self.converger.drive(left, replace(claimed, version=claimed.version + 1))
        return ended

    def _disappear(self, request: Request, now: datetime) -> Request | None:
        kinds, read = self.converger.kinds, ending.AsRead(self.ledger)
        known = ending.proof(read, kinds, request, now)
        if known is None:
            if request.removed_at is None and ending.deny(self.ledger, request, now):
                read = ending.AsRead(self.ledger)
            places = (request.places.grant, request.places.denial)
            stood = [read.slot_at(place) for place in places if place is not None]
            driven = [self._converge(slot, request) for slot in stood]
            read = ending.AsRead(self.ledger, {slot.key: slot for slot in driven})
            now = max(now, self.converger.clock())
            known = ending.proof(read, kinds, request, now)
        if known is None:
            left = ending.removed(read, kinds, request, now)
            if left is not None:
                return self.ledger.record(request, (left,), now=now)
            self._put_off(request, ending.look_again(read, request, now), now)
            return None
        what: Happening = Ended(evidence=known.evidence, seen_at=known.seen_at)
        if request.cause is Cause.FAILED:
            what = Failed(reason=request.reason, seen_at=known.seen_at)
        return ending.finish(self.ledger, request, what, known, now)

    def _put_off(self, request: Request, until: datetime, now: datetime) -> None:
        """Look again by then, unless whoever was at it meanwhile has seen to that."""
        wake_at = self.ledger.store.wake_at(request.id)
        if wake_at is None or not now < wake_at <= until:
            self.ledger.put_off(request, until)

    # ── Places ───────────────────────────────────────────────────────────────────────────────

    def _converge(self, slot: Slot, request: Request) -> Slot:
        """Drive a place if it is due, or if what was last seen there is older than the request."""
        now = self.converger.clock()
        if (
            slot.seen is not None
            and slot.seen.at < request.updated_at <= now
            and slots.is_at_rest(slot, now)
        ):
            return self.converger.converge(slot.key, slot) or slot
        return self._driven(slot)


def _shows(slot: Slot, request: Request, now: datetime) -> bool:
    """Whether the cloud was seen to let this person in, and no slow removal can undo that."""
    seen = slot.seen
    if seen is None or not seen.present or seen.at < request.updated_at:
        return False
    if slot.operation is not None:
        return False  # what was seen before it is not what will be there
    if not slots.is_settled(slot, timedelta(0)):
        return False
    if seen.holders is not None:
        return request.id in seen.holders
    return slots.fits(slot, seen, slots.wish(slot, now))
