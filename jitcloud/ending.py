"""How access ends: what each place must hold from now on, and how it is known to be gone.

Nothing here asks policy, catalog, directory, configuration or signature: the record carries
all that an end needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from jitcloud import lifecycle, slots
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
    Request,
    Slot,
)
from jitcloud.ports import SlotKinds


def begin(
    ledger: Ledger,
    request: Request,
    happenings: Sequence[Happening],
    now: datetime,
    actor: Actor = BROKER,
) -> Request:
    """Commit what ends a request, with what its places must hold from then on.

    A crash before this leaves the request as it was, and a crash after it leaves places that
    are due at once. Raises ``Conflict``.
    """
    changed = []
    if any(isinstance(what, Ending) for what in happenings):
        grant, denial = request.places.grant, request.places.denial
        if grant is not None:
            changed.append(slots.leave(ledger.slot_at(grant), request.id, now))
        dead_by = request.credentials_dead_by
        over = sessions_are_dead(request, now) or _cloud_denies(request, now)
        if denial is not None and dead_by is not None and not over:
            # Denied for as long as the cloud itself would keep the session alive, though the
            # session's own policy denies it from the deadline on: two locks, not one.
            held = Holder(request=request.id, until=dead_by + SKEW, detail=denial.detail)
            changed.append(slots.join(ledger.slot_at(denial), held, now))
    return ledger.record(request, happenings, actor=actor, now=now, changed=changed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """That access is gone: how it is known, since when, and which slots say so."""

    evidence: Evidence
    seen_at: datetime
    unmoved: tuple[Slot, ...] = ()


def proof(ledger: Ledger, kinds: SlotKinds, request: Request, now: datetime) -> Proof | None:
    """Say how it is known that a request's access is gone; None while it is not."""
    sessions = _sessions(ledger, kinds, request, now)
    if request.places.grant is None or sessions is None:
        return sessions
    place = _place(ledger, kinds, request, now)
    if place is None:
        return None
    return Proof(
        evidence=place.evidence,
        seen_at=max(place.seen_at, sessions.seen_at),
        unmoved=(*place.unmoved, *sessions.unmoved),
    )


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


def look_again(ledger: Ledger, request: Request, now: datetime) -> datetime:
    """When a request whose end is not proven yet is worth another look."""
    places = (request.places.grant, request.places.denial)
    stood = [ledger.slot_at(place) for place in places if place is not None]
    wakes = [slot.wake_at for slot in stood]
    if any(slot.claim is not None for slot in stood):
        # Somebody drives it just now, and may be done long before the claim ends.
        wakes.append(now + slots.FIRST_RETRY)
    if request.credentials_dead_by is not None:
        wakes.append(min(lifecycle.deadline(request), request.credentials_dead_by) + SKEW)
    return min((at for at in wakes if at is not None and at > now), default=now + slots.FIRST_RETRY)


def _sessions(ledger: Ledger, kinds: SlotKinds, request: Request, now: datetime) -> Proof | None:
    if request.credentials_dead_by is None:
        return Proof(evidence=Evidence.NOTHING_ISSUED, seen_at=now)
    if sessions_are_dead(request, now):
        return Proof(evidence=Evidence.CLOUD_DEADLINE, seen_at=now)
    if request.places.denial is None:
        return None
    slot = ledger.slot_at(request.places.denial)
    kind = kinds.get(slot.kind)
    if kind is None or slot.seen is None or not slots.is_denied(slot, request.id, kind.settle):
        return None
    return Proof(evidence=Evidence.SEEN_DENIED, seen_at=slot.seen.at, unmoved=(slot,))


def _place(ledger: Ledger, kinds: SlotKinds, request: Request, now: datetime) -> Proof | None:
    if request.places.grant is None:
        return None
    slot = ledger.slot_at(request.places.grant)
    kind = kinds.get(slot.kind)
    if kind is None or slot.seen is None or slot.seen.at < request.updated_at:
        return None
    if slot.standing or slots.wish(slot, now):
        return Proof(evidence=Evidence.OTHERS_HOLD, seen_at=slot.seen.at, unmoved=(slot,))
    if not slots.is_gone(slot, kind.settle):
        return None
    return Proof(evidence=Evidence.SEEN_ABSENT, seen_at=slot.seen.at, unmoved=(slot,))
