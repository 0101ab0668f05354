"""Writes down that a place has leaked: from then on it is ended like anything else."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import datetime

from jitcloud import ending, lifecycle, slots, verdicts
from jitcloud.errors import Conflict, Tampered
from jitcloud.ledger import Ledger
from jitcloud.model import Hold, Place, Request, Slot
from jitcloud.ports import Change, SlotKind
from jitcloud.verdicts import Verdict


def end(ledger: Ledger, kind: SlotKind, stood: Slot, verdict: Verdict, now: datetime) -> bool:
    """Commit that a place is to be emptied; return False where it is empty, or others are at it.

    ``stood`` is what the record had of it when it was judged. A crash before the commit leaves
    the place to the next reconcile, and a crash after it leaves a place that is due at once.
    Raises ``CloudError`` where the place cannot be looked at: a list may be old, and ends nobody.
    """
    sight = kind.see(stood, now)
    if not sight.present:
        return False
    try:
        if verdict is Verdict.HELD:
            _write(ledger, verdicts.as_ours(stood, sight))
        else:
            _begin(ledger, verdicts.to_empty(stood, sight, now), sight.at, now)
    except Conflict:
        return False
    return True


def forget(ledger: Ledger, kind: SlotKind, place: Place, noted_at: datetime, now: datetime) -> None:
    """Commit that a shared place was seen empty that would be ours if it were filled.

    From then on whoever fills it is somebody else. A crash before the commit leaves it to the next
    reconcile. Raises ``CloudError`` where it cannot be looked at.
    """
    slot = ledger.slot_at(place)
    hold, settled_at = kind.hold(slot), noted_at + slots.by_any_clock(kind.settle)
    verdict = verdicts.of_filled(slot, hold, noted_at, kind.settle, now)
    if hold is not Hold.SHARED or slot.standing is not None or verdict is not Verdict.LEAKED:
        return
    if now <= settled_at or (sight := kind.see(slot, now)).present:
        return
    with suppress(Conflict):
        _write(ledger, replace(slot, seen=sight))


def _begin(ledger: Ledger, leaked: Slot, seen_at: datetime, now: datetime) -> None:
    request = _whose(ledger, leaked)
    happenings = () if request is None else lifecycle.reopen(request, seen_at)
    if request is None or not happenings:
        _write(ledger, leaked)
        return
    # Its trail says that access was gone, which is not so: it ends again, and then says why.
    ending.begin(ledger, request, happenings, now, found=leaked)


def _whose(ledger: Ledger, leaked: Slot) -> Request | None:
    """Whose access it was, as far as that can be told; no end waits for it."""
    if leaked.last is None:
        return None
    try:
        request = ledger.store.request(leaked.last)
    except Tampered:
        return None
    place = None if request is None else request.places.grant
    return request if place is not None and place.key == leaked.key else None


def _write(ledger: Ledger, slot: Slot) -> None:
    ledger.store.commit(Change(slots=(replace(slot, version=slot.version + 1),)))
