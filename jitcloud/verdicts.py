"""What a place is that was found filled in a cloud, pure: ours, on its way, leaked or foreign."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum

from jitcloud import slots
from jitcloud.model import Hold, Sight, Slot


class Verdict(StrEnum):
    """What the record makes of a place."""

    IN_ORDER = "in-order"
    IN_MOTION = "in-motion"
    """Somebody is at it, or about to be, or what the cloud lists may be older: not judged."""
    LEAKED = "leaked"
    """Ours, and should be empty."""
    HELD = "held"
    """Leaked, and held by a grant meanwhile: it goes when that has ended."""
    MISSING = "missing"
    """Should be filled, and was not found."""
    FOREIGN = "foreign"
    """Somebody else's: told, never taken for ours, never emptied."""


def of_filled(
    slot: Slot | None, hold: Hold, noted_at: datetime | None, settle: timedelta, now: datetime
) -> Verdict:
    """Judge a place that was listed as filled. ``slot`` is what the record has of it.

    ``noted_at`` is when the journal last heard that we were about to fill it.
    """
    if slot is not None and slots.wish(slot, now):
        if hold is not Hold.EXCLUSIVE or not slot.standing:
            return Verdict.IN_ORDER
        return Verdict.IN_MOTION if is_in_motion(slot, settle, now) else Verdict.HELD
    if slot is not None and is_in_motion(slot, settle, now):
        return Verdict.IN_MOTION
    belongs_to_us = hold is not Hold.SHARED or is_ours(slot, noted_at)
    return Verdict.LEAKED if belongs_to_us else Verdict.FOREIGN


def is_ours(slot: Slot | None, noted_at: datetime | None) -> bool:
    """Whether we have filled a place that nobody wants to be filled, and others fill as well."""
    if slot is None or slot.standing is None:
        emptied_at = None if slot is None else _emptied_at(slot)
        # A record that was restored may know less than the journal.
        return noted_at is not None and (emptied_at is None or emptied_at < noted_at)
    return not slot.standing


def _emptied_at(slot: Slot) -> datetime | None:
    """When the place was seen empty, if that is what was seen last: others have filled it since."""
    return slot.seen.at if slot.seen is not None and not slot.seen.present else None


def is_in_motion(slot: Slot, settle: timedelta, now: datetime) -> bool:
    """Whether somebody drives the slot, is about to, or did so too recently for lists to tell."""
    if slot.claim is not None or (slot.operation is not None and slot.wake_at is not None):
        return True
    if slot.landed_by is not None and now < slot.landed_by + slots.by_any_clock(settle):
        return True
    if not slots.wish(slot, now):
        # Nothing wakes a place that is empty for good.
        return slot.wake_at is not None
    return slot.wake_at is None or slot.wake_at <= now


def is_expected(slot: Slot, settle: timedelta, now: datetime) -> bool:
    """Whether a list that is made now must have this place: it is held, and was seen filled."""
    held = bool(slots.wish(slot, now)) and slot.seen is not None and slot.seen.present
    return held and not is_in_motion(slot, settle, now)


def to_empty(slot: Slot, sight: Sight, now: datetime) -> Slot:
    """A leaked place as the record is to have it: ours, wanted by nobody, and due."""
    return replace(
        as_ours(slot, sight), holders=(), wake_at=slots.due_now(slot, now), attempts=0, trouble=""
    )


def as_ours(slot: Slot, sight: Sight) -> Slot:
    """A place whose standing access is to go with whoever holds it."""
    return replace(
        slot, standing=False, seen=sight, filled_at=slots.later(slot.filled_at, sight.at)
    )
