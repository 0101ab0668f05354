"""How access ends: what each place must hold from now on, and how it is known to be gone.

Nothing here asks policy, catalog, directory, configuration or signature: the record carries
all that an end needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Protocol

from jitcloud import lifecycle, slots
from jitcloud.errors import Tampered
from jitcloud.ledger import Ledger
from jitcloud.model import (
    BROKER,
    SKEW,
    Actor,
    Ending,
    Evidence,
    Guarantee,
    Happening,
    Holder,
    Place,
    Removed,
    Reopened,
    Request,
    Slot,
    SlotKey,
)
from jitcloud.ports import Change, SlotKinds

UNTIL_SEEN = datetime(9999, 1, 1, tzinfo=UTC)
"""A denial that lasts until the place was seen empty, however long that takes."""

DENIED_WITHIN = timedelta(minutes=1)
"""How long after its place was seen empty a denial may take, before the trail says what is left."""


def begin(  # noqa: PLR0913 - the facts of an end
    ledger: Ledger,
    request: Request,
    happenings: Sequence[Happening],
    now: datetime,
    actor: Actor = BROKER,
    *,
    found: Slot | None = None,
) -> Request:
    """Commit what ends a request, with what its places must hold from then on.

    ``found`` is the place of its grant with what has just become known of it, where that is more
    than the record has. A crash before this leaves the request as it was, and a crash after it
    leaves places that are due at once. Raises ``Conflict``.
    """
    changed = []
    if any(isinstance(what, Ending | Reopened) for what in happenings):
        changed = changes(ledger, request, now, found=found)
    return ledger.record(request, happenings, actor=actor, now=now, changed=changed)


def changes(
    ledger: Ledger, request: Request, now: datetime, *, found: Slot | None = None
) -> list[Slot]:
    """What the places of a request hold from its end on, that of its grant first."""
    changed = []
    grant, denial = request.places.grant, request.places.denial
    left = None
    if grant is not None:
        stood = ledger.slot_at(grant) if found is None else found
        left = slots.leave(stood, request.id, now)
        changed.append(left)
    until = _denied_until(request, left, now)
    if denial is not None and until is not None:
        held = Holder(request=request.id, until=until, detail=denial.detail)
        try:
            changed.append(slots.join(ledger.slot_at(denial), held, now))
        except Tampered:
            # Whoever has a place loses it all the same, and is denied once that can be read.
            if grant is None:
                raise
    return changed


def _denied_until(request: Request, left: Slot | None, now: datetime) -> datetime | None:
    """Until when what was handed out is to be denied; None where there is nothing to deny."""
    if request.places.outlives is not None:
        # Nobody records what is made of such a place, so it is denied until it was seen empty,
        # and for as long as anything made of it before may live. Not while somebody goes on
        # having it: by another grant, or from before.
        if left is None or left.standing or slots.wish(left, now):
            return None
        return UNTIL_SEEN if _was_filled(request, left) else None
    dead_by = request.credentials_dead_by
    if dead_by is None or sessions_are_dead(request, now) or _cloud_denies(request, now):
        return None
    # For as long as the cloud itself would keep the session alive, though the session's own
    # policy denies it from the deadline on: two locks, not one.
    return dead_by + SKEW


def deny(ledger: Ledger, request: Request, now: datetime) -> bool:
    """Have denied what may have been made of a place, where that has only become known since.

    A call to fill it was under way when the end began, or somebody else still had it then.
    Returns whether there was something to deny. Raises ``Conflict``.
    """
    places = request.places
    if places.grant is None or places.denial is None or places.outlives is None:
        return False
    left, denial = ledger.slot_at(places.grant), ledger.slot_at(places.denial)
    if any(h.request == request.id for h in denial.holders):
        return False
    until = _denied_until(request, left, now)
    if until is None:
        return False
    held = Holder(request=request.id, until=until, detail=places.denial.detail)
    joined = slots.join(denial, held, now)
    ledger.store.commit(Change(slots=(replace(joined, version=joined.version + 1),)))
    return True


def finish(
    ledger: Ledger, request: Request, what: Happening, known: Proof, now: datetime
) -> Request:
    """Commit that access is gone; what denies it goes on for as long as anything may live."""
    changed = denied_for_a_while(ledger, request, now, request.removed_at or known.seen_at)
    keys = {slot.key for slot in changed}
    unmoved = {slot.key: slot for slot in known.unmoved if slot.key not in keys}.values()
    return ledger.record(request, (what,), now=now, changed=changed, unmoved=tuple(unmoved))


class Reads(Protocol):
    """Reads the slot of a place, stored or new."""

    def slot_at(self, place: Place) -> Slot: ...


@dataclass(frozen=True, slots=True)
class AsRead:
    """Slots as they were read once, and as they were left by whoever drove them since.

    What is concluded of them is committed on condition that they are still so.
    """

    ledger: Ledger
    known: dict[SlotKey, Slot] = field(default_factory=dict)

    def slot_at(self, place: Place) -> Slot:
        """Return the slot of a place, stored or new."""
        if place.key not in self.known:
            self.known[place.key] = self.ledger.slot_at(place)
        return self.known[place.key]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That access is gone: how it is known, since when, and which slots say so."""

    evidence: Evidence
    seen_at: datetime
    unmoved: tuple[Slot, ...] = ()


def proof(read: Reads, kinds: SlotKinds, request: Request, now: datetime) -> Proof | None:
    """Say how it is known that a request's access is gone; None while it is not."""
    place = _place(read, kinds, request, now)
    if request.places.grant is not None and place is None:
        return None
    sessions = _sessions(read, kinds, request, place, now)
    if place is None or sessions is None:
        return sessions
    return Proof(
        evidence=place.evidence,
        seen_at=max(place.seen_at, sessions.seen_at),
        unmoved=(*place.unmoved, *sessions.unmoved),
    )


def denied_for_a_while(
    ledger: Ledger, request: Request, now: datetime, gone_at: datetime | None = None
) -> list[Slot]:
    """What denies a request's sessions, for no longer than one may live that was made before.

    ``gone_at`` is when the place was seen empty, from which on nothing more is denied.
    """
    place, outlives = request.places.denial, request.places.outlives
    if place is None or outlives is None:
        return []
    denial = ledger.slot_at(place)
    if all(h.request != request.id for h in denial.holders):
        return []
    until = (gone_at or now) + outlives + SKEW
    return [slots.deny_until(denial, request.id, until, gone_at, now)]


def removed(read: Reads, kinds: SlotKinds, request: Request, now: datetime) -> Removed | None:
    """What to record when its place is empty, and what was made of it before may still work.

    None where that is known already, where nothing does, or while it is about to be denied.
    """
    outlives = request.places.outlives
    if outlives is None or request.removed_at is not None:
        return None
    place = _place(read, kinds, request, now)
    if place is None or place.evidence is not Evidence.SEEN_ABSENT:
        return None
    if request.places.denial is not None and now < place.seen_at + DENIED_WITHIN:
        return None
    return Removed(seen_at=place.seen_at, dead_by=place.seen_at + outlives)


def sessions_are_dead(request: Request, now: datetime) -> bool:
    """Whether the cloud itself has ended all that was handed out, clock skew included."""
    dead_by = request.credentials_dead_by
    if dead_by is None or now >= dead_by + SKEW:
        return True
    return _cloud_denies(request, now - SKEW)


def _cloud_denies(request: Request, now: datetime) -> bool:
    """Whether the deadline that the cloud itself holds for sessions has come."""
    held_by_cloud = request.guarantee is Guarantee.CLOUD and request.places.grant is None
    return held_by_cloud and now >= lifecycle.deadline(request)


def look_again(read: Reads, request: Request, now: datetime) -> datetime:
    """When a request whose end is not proven yet is worth another look."""
    places = (request.places.grant, request.places.denial)
    stood = [read.slot_at(place) for place in places if place is not None]
    wakes = [slot.wake_at for slot in stood]
    if any(slot.claim is not None for slot in stood):
        # Somebody drives it just now, and may be done long before the claim ends.
        wakes.append(now + slots.FIRST_RETRY)
    if request.credentials_dead_by is not None:
        wakes += [lifecycle.deadline(request) + SKEW, request.credentials_dead_by + SKEW]
    return min((at for at in wakes if at is not None and at > now), default=now + slots.FIRST_RETRY)


def _sessions(
    read: Reads, kinds: SlotKinds, request: Request, place: Proof | None, now: datetime
) -> Proof | None:
    if place is not None and place.evidence is Evidence.OTHERS_HOLD:
        return place  # whoever still has it may use it
    if request.credentials_dead_by is None and not _may_be_used(read, request):
        return Proof(evidence=Evidence.NOTHING_ISSUED, seen_at=now)
    if request.credentials_dead_by is not None and sessions_are_dead(request, now):
        return Proof(evidence=Evidence.CLOUD_DEADLINE, seen_at=now)
    if request.places.denial is None:
        return None
    slot = read.slot_at(request.places.denial)
    kind = kinds.get(slot.kind)
    if kind is None or slot.seen is None or not slots.is_denied(slot, request.id, kind.settle):
        return None
    return Proof(evidence=Evidence.SEEN_DENIED, seen_at=slot.seen.at, unmoved=(slot,))


def _goes_on(request: Request, slot: Slot) -> bool:
    """Whether whoever else wants the place has it, where it matters that this has no gap."""
    return request.places.outlives is None or (slot.seen is not None and slot.seen.present)


def _may_be_used(read: Reads, request: Request) -> bool:
    """Whether something may have been made of a place that nobody records the use of."""
    grant = request.places.grant
    if request.places.outlives is None or grant is None:
        return False
    return _was_filled(request, read.slot_at(grant))


def _was_filled(request: Request, slot: Slot) -> bool:
    """Whether the place was filled, or may have been, since the request could first be let in."""
    window = request.window
    # By the clock of another driver, perhaps, which may be as much behind.
    since = None if window is None else window.start - SKEW
    known = (at for at in (slot.filled_at, slot.usable_at) if at is not None)
    return any(since is None or at >= since for at in known)


def _place(read: Reads, kinds: SlotKinds, request: Request, now: datetime) -> Proof | None:
    if request.places.grant is None:
        return None
    if request.removed_at is not None:
        return Proof(evidence=Evidence.SEEN_ABSENT, seen_at=request.removed_at)
    slot = read.slot_at(request.places.grant)
    kind = kinds.get(slot.kind)
    if kind is None or slot.seen is None or slot.seen.at < request.updated_at:
        return None
    wanted = slots.wish(slot, now)
    if slot.standing or (
        wanted
        and _goes_on(request, slot)
        and not slots.outlasts(slot.seen, wanted)
        and slots.is_shown(slot, kind.settle)
    ):
        return Proof(evidence=Evidence.OTHERS_HOLD, seen_at=slot.seen.at, unmoved=(slot,))
    if not slots.is_gone(slot, kind.settle):
        return None
    return Proof(evidence=Evidence.SEEN_ABSENT, seen_at=slot.seen.at, unmoved=(slot,))
