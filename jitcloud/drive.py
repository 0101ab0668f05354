"""One attempt at a slot: what becomes known in it, and how the slot stands after it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jitcloud import slots
from jitcloud.model import Followed, Holder, Operation, Progress, RequestId, Sight, Slot
from jitcloud.ports import SlotKind


@dataclass(slots=True)
class Drive:
    """One attempt at a slot, and what has become known in it."""

    slot: Slot
    """As claimed."""
    kind: SlotKind
    landed_by: datetime | None
    operation: Operation | None
    filled_at: datetime | None
    emptied_at: datetime | None
    shown_until: datetime | None
    begun_with: tuple[tuple[Holder, ...], RequestId | None]
    """Who held the slot when it was claimed, and who had left it last."""
    seen: Sight | None = None
    trouble: str = ""
    is_done: bool = False
    """Whether the cloud has just said that it has removed what was there."""

    def told(self, at: datetime, *, fills: bool, landed_by: datetime | None = None) -> None:
        """Remember that the cloud was told to fill the place, or to empty it.

        ``landed_by`` is when the call has surely landed, where it was not answered.
        """
        if fills:
            self.filled(at)
        else:
            self.emptied_at = slots.later(self.filled_at, at)
            self.shown_until = slots.later(self.shown_until, self._shows(landed_by or at))

    def filled(self, at: datetime) -> None:
        """Remember that the place was filled then, by us, or may have been."""
        self.filled_at = slots.since(self.emptied_at, at)

    def surely_filled(self, began: datetime) -> None:
        """Believe lists again: what was told then, to fill the place, is known to be done.

        It proves nothing where a removal may have landed after it.
        """
        if self.shown_until is not None and self.shown_until <= self._shows(began):
            self.shown_until = None

    def _shows(self, landed_by: datetime) -> datetime:
        """Until when lists may show what a removal has taken that had landed by then."""
        return landed_by + slots.by_any_clock(self.kind.settle)

    def may_be_stale(self, seen: Sight) -> bool:
        """Whether what is seen there may be what was removed just before."""
        if not seen.present or self.slot.standing or not self.kind.grants:
            return False
        return self.shown_until is not None and seen.at < self.shown_until

    def known(self, slot: Slot, seen: Sight | None = None) -> Slot:
        """The slot as it stands, with what has become known, and perhaps what was seen."""
        return replace(
            slot,
            seen=seen or slot.seen,
            landed_by=self.landed_by,
            operation=self.operation,
            filled_at=self.filled_at,
            emptied_at=self.emptied_at,
            shown_until=self.shown_until,
        )

    # ── What the cloud has said ──────────────────────────────────────────────────────────────────

    def ended(self, operation: Operation, followed: Followed, now: datetime) -> None:
        """Take in what has become of an operation that is no longer under way."""
        self.operation = None
        removes = operation.verb == "remove"
        match followed.progress:
            case Progress.FAILED:
                self.trouble = followed.reason
                if self.filled_at == slots.since(self.emptied_at, operation.begun_at):
                    self.filled_at = operation.filled_before
            case Progress.DONE if not removes:
                # The cloud's own word; what it lists may be older.
                self.seen = Sight(at=now, present=True)
                self.filled(now)
                self.surely_filled(operation.begun_at)
            case Progress.DONE:
                # Likewise: nothing that is listed before it has settled is believed.
                self.told(now, fills=False)
                settles = self.kind.settle > timedelta(0)
                self.is_done = settles and not slots.wish(self.slot, now)
            case _ if removes:
                self.told(now, fills=False)

    # ── How the slot stands then ─────────────────────────────────────────────────────────────────

    def in_trouble(self, slot: Slot, why: str, now: datetime) -> Slot:
        """The claim given back after something went wrong, with what was seen before that."""
        seen = self.seen
        if seen is not None and slots.wish(slot, now) and self.may_be_stale(seen):
            seen = None
        return slots.put_off(self.known(slot, seen), why, now)

    def saw(self, slot: Slot, now: datetime) -> Slot:
        """The claim given back, with what was seen and when to look again."""
        kind, seen = self.kind, self.seen
        slot = self.known(slot)
        if seen is None:
            looks = slots.later(slot.landed_by, now) + slots.by_any_clock(kind.settle)
            return replace(slot, claim=None, attempts=0, trouble="", wake_at=looks)
        wanted = slots.wish(slot, now)
        if wanted and self.may_be_stale(seen):
            return slots.put_off(slot, self.trouble or "What is seen may be what was there.", now)
        slot = replace(slot, seen=seen)
        if not slots.fits(slot, seen, wanted):
            return slots.put_off(slot, self.trouble or "The cloud does not show it yet.", now)
        moved = (slot.holders, slot.last) != self.begun_with
        slot = replace(slots.without_the_past(slot, now), claim=None, attempts=0, trouble="")
        if moved:
            # Who joined or left meanwhile waits for a read that is newer than that.
            return replace(slot, wake_at=now)
        if slot.operation is not None:
            return slots.under_way(slot, now)
        return _at_rest(slot, seen, kind, now)


def _at_rest(slot: Slot, seen: Sight, kind: SlotKind, now: datetime) -> Slot:
    """The slot that the cloud agrees with, and when that is to be looked at again."""
    # A denial or an absence is proven once the cloud has had time to act on it everywhere; a
    # presence, as soon as no earlier call of ours (a slow removal) can undo it; the deadline that
    # it has there, once no read can show the one before.
    is_filled = kind.grants and slots.wish(slot, now) and seen.until is None
    wait = timedelta(0) if is_filled else kind.settle
    if slot.landed_by is not None and not slots.is_settled(slot, wait):
        return replace(slot, wake_at=slot.landed_by + slots.by_any_clock(wait))
    if not seen.present:
        # Proven empty: whoever fills it from here on, before us, is somebody else.
        slot = replace(slot, standing=None)
    look = slots.next_change(slot, now)
    if look is not None and not kind.grants:
        # What denies must go on denying: somebody may write over it.
        look = min(look, now + slots.LOOK_AGAIN)
    return replace(slot, wake_at=look)
