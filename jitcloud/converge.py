"""Makes clouds agree with the record: the only place where a cloud is told anything.

One call of ``converge`` is one attempt at one slot. What it could not finish is left with a
wake-up, so trying again, expiry and crash recovery are the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from ulid import ULID

from jitcloud import slots
from jitcloud.errors import (
    CloudError,
    CloudRefused,
    Conflict,
    Misconfigured,
    OutcomeUnknown,
    Throttled,
)
from jitcloud.model import Sight, Slot, SlotKey
from jitcloud.ports import Change, Clock, SlotKind, SlotKinds, Store

CLAIM_MARGIN = timedelta(seconds=5)
"""A claim outlasts its calls by this, so that a slow answer still finds the claim held."""

COMMIT_TRIES = 20
"""How often a driver re-reads its slot when others join or leave it meanwhile."""


@dataclass(frozen=True, slots=True)
class Converger:
    """Drives slots. Safe to run in any number of processes at once."""

    store: Store
    kinds: SlotKinds
    clock: Clock

    def converge(self, key: SlotKey) -> Slot | None:
        """Bring one place nearer to its wish; return the slot as it then stands.

        Returns the slot untouched while another drives it, and None for one never stored.
        A cloud's refusal is not raised: it is noted in the slot, with a wake-up to try again.
        Raises ``Conflict`` when another took over, ``Misconfigured`` when nothing here reaches
        that kind of place.
        """
        # A cloud must never be told by two drivers at once, and an absence must never be
        # believed while a call of ours could still land, so:
        #
        # 1. Commit a claim, and that a call may land for as long as it lasts. A crash after
        #    this leaves both, and a wake-up at the claim's end.
        # 2. Read what is there; commit whether it is standing, before any create could make
        #    it look so. A crash after this leaves the same.
        # 3. Make the call, once. A crash after this leaves a place that only a read after the
        #    claim's end can prove empty.
        # 4. Read back, commit what was seen and give the claim back. A crash before the commit
        #    is a crash after (3).
        before, claimed = self._claim(key)  # (1)
        if before is None or claimed is None:
            return before
        kind = self._kind(claimed)
        landed_by = before.landed_by
        try:
            seen = kind.see(claimed, self.clock())  # (2)
            slot = claimed
            if kind.takes_standing and slots.with_standing(claimed, seen) != claimed:
                slot = self._commit(claimed, lambda s: slots.with_standing(s, seen))
            trouble = ""
            if not slots.fits(slot, seen, slots.wish(slot, self.clock())):
                landed_by = claimed.landed_by
                trouble = self._tell(claimed, kind)  # (3)
                landed_by = slots.later(before.landed_by, self.clock())
                seen = kind.see(claimed, self.clock())  # (4)
        except CloudError as exc:
            why = str(exc)
            return self._commit(
                claimed,
                lambda s: slots.put_off(replace(s, landed_by=landed_by), why, self.clock()),
            )
        return self._commit(
            claimed,
            lambda s: _saw(replace(s, landed_by=landed_by), seen, trouble, kind, self.clock()),
        )

    def _claim(self, key: SlotKey) -> tuple[Slot | None, Slot | None]:
        """Take the right to drive the slot; return it as it was, and claimed.

        Claimed is None when another has the right, or there is no such slot.
        """
        for _ in range(COMMIT_TRIES):
            slot = self.store.slot(key)
            now = self.clock()
            if slot is None or slots.is_claimed(slot, now):
                return slot, None
            until = now + self._kind(slot).timeout + CLAIM_MARGIN
            try:
                return slot, self._write(slots.claim(slot, str(ULID()), until))
            except Conflict:
                continue
        message = f"{key} changes too fast to be claimed; it is tried again by itself."
        raise Conflict(message)

    def _tell(self, claimed: Slot, kind: SlotKind) -> str:
        """Make the one call; return what the cloud said if it refused.

        Raises ``OutcomeUnknown`` when no answer came.
        """
        slot = self._mine(claimed)  # read anew: somebody may have left since
        now = self.clock()
        if slot.claim is None or now + kind.timeout > slot.claim.until:
            # This process was held up (a suspended machine, a frozen function): before its
            # call has landed, another driver may have the right to tell the cloud.
            message = "This driver was held up for too long; the next one goes on."
            raise OutcomeUnknown(message)
        wanted = slots.wish(slot, now)
        try:
            if wanted.until is None:
                kind.remove(slot)
            elif kind.grants and wanted.until - now <= kind.timeout:
                return "The deadline is too near: a grant might land after it."
            else:
                kind.put(slot, wanted.holders, wanted.until)
        except (CloudRefused, Throttled) as exc:
            return str(exc)
        return ""

    def _mine(self, claimed: Slot) -> Slot:
        slot = self.store.slot(claimed.key)
        if slot is None or slot.claim != claimed.claim:
            message = f"{claimed.key} is driven by another by now, and goes on there."
            raise Conflict(message)
        return slot

    def _commit(self, claimed: Slot, change: Callable[[Slot], Slot]) -> Slot:
        """Change a slot that we have claimed, though others join and leave it meanwhile."""
        for _ in range(COMMIT_TRIES):
            try:
                return self._write(change(self._mine(claimed)))
            except Conflict:
                self._mine(claimed)
        message = f"{claimed.key} changes too fast; it is tried again by itself."
        raise Conflict(message)

    def _write(self, slot: Slot) -> Slot:
        newer = replace(slot, version=slot.version + 1)
        self.store.commit(Change(slots=(newer,)))
        return newer

    def _kind(self, slot: Slot) -> SlotKind:
        kind = self.kinds.get(slot.kind)
        if kind is None:
            message = (
                f"Nothing in the configuration reaches {slot.kind} any more, and {slot.key} is "
                "still at work; configure that cloud again until it is done."
            )
            raise Misconfigured(message)
        return kind


def _saw(slot: Slot, seen: Sight, trouble: str, kind: SlotKind, now: datetime) -> Slot:
    """The claim given back, with what was seen and when to look again."""
    slot = replace(slot, seen=seen)
    wanted = slots.wish(slot, now)
    if not slots.fits(slot, seen, wanted):
        return slots.put_off(slot, trouble or "The cloud does not show it yet.", now)
    slot = replace(slots.without_the_past(slot, now), claim=None, attempts=0, trouble="")
    # A denial or an absence is proven once the cloud has had time to act on it everywhere; a
    # presence, as soon as no earlier call of ours (a slow removal) can undo it.
    wait = timedelta(0) if kind.grants and wanted else kind.settle
    if slot.landed_by is not None and not slots.is_settled(slot, wait):
        return replace(slot, wake_at=slot.landed_by + wait)
    look = slots.next_change(slot, now)
    if look is not None and not kind.grants:
        # What denies must go on denying: somebody may write over it.
        look = min(look, now + slots.LOOK_AGAIN)
    return replace(slot, wake_at=look)
