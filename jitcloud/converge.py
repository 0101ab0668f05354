"""Makes clouds agree with the record: the only place where a cloud is told anything.

One call of ``converge`` is one attempt at one slot. What it could not finish is left with a
wake-up, so trying again, expiry and crash recovery are the same code.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast

from ulid import ULID

from jitcloud import restores, slots, verdicts
from jitcloud.drive import Drive
from jitcloud.errors import (
    CloudError,
    CloudRefused,
    Conflict,
    JitError,
    Misconfigured,
    OutcomeUnknown,
    Tampered,
    Throttled,
    Unavailable,
)
from jitcloud.model import (
    Hold,
    Operation,
    Progress,
    Slot,
    SlotKey,
)
from jitcloud.ports import Change, Clock, Following, Journal, Paced, SlotKind, SlotKinds, Store

CLAIM_MARGIN = timedelta(seconds=5)
"""A claim outlasts its calls by this, so that a slow answer still finds the claim held."""

HELD = timedelta(minutes=1)
"""How often it is asked again whether a restored record has been compared with the clouds."""

COMMIT_TRIES = 20
"""How often a driver re-reads its slot when others join or leave it meanwhile."""


@dataclass(frozen=True, slots=True)
class Converger:
    """Drives slots. Safe to run in any number of processes at once."""

    store: Store
    kinds: SlotKinds
    clock: Clock
    journal: Journal | None = None
    """Where it is noted which shared places we fill; without one, none is filled."""
    doubts: Callable[[Slot, datetime], str] | None = None
    """Says why the record does not prove that those who hold a slot may; empty where it does."""

    def converge(self, key: SlotKey, known: Slot | None = None) -> Slot | None:
        """Bring one place nearer to its wish; return the slot as it then stands.

        ``known`` is the slot as it was read a moment ago, where it was; else it is read.

        Returns the slot untouched while another drives it, put off while it is not its turn, and
        None for one never stored.
        A cloud's refusal is not raised: it is noted in the slot, with a wake-up to try again.
        Raises ``Conflict`` when another took over, ``Misconfigured`` when nothing here reaches
        that kind of place.
        """
        # A cloud must never be told by two drivers at once, and an absence must never be
        # believed while a call of ours could still land, so:
        #
        # 1. Commit a claim, and that a call may land for as long as it lasts. A crash after
        #    this leaves both, and a wake-up at the claim's end.
        # 2. Ask how far the cloud is with what it was told before, if it takes its time. A crash
        #    after this leaves the same.
        # 3. Read what is there; commit whether it is standing, before any create could make
        #    it look so. A crash after this leaves the same.
        # 4. Make the call, once. A crash after this leaves a place that only a read after the
        #    claim's end can prove empty, and perhaps something under way that must be found.
        # 5. Read back, commit what was seen and give the claim back. A crash before the commit
        #    is a crash after (4).
        before, claimed = self._claim(key, known)  # (1)
        if before is None or claimed is None:
            return before
        return self.drive(before, claimed)

    def claimed(self, slot: Slot, now: datetime) -> tuple[Slot, bool]:
        """The slot as it is to be committed, and whether whoever does so then goes on with it.

        With ``drive``, that is. Not while another drives it, nor where nothing reaches it; nor
        while it is not its turn, and then it is put off until it is. Nor where its turn cannot be
        told: what is to be committed waits for none of this.
        """
        kind = self.kinds.get(slot.kind)
        if kind is None or slots.is_claimed(slot, now):
            return slot, False
        try:
            turn = self._turn(kind, slot, now)
        except JitError:
            return slot, False
        if turn > now:
            return replace(slot, wake_at=turn), False
        return _claimed(kind, slot, now), True

    def drive(self, before: Slot, claimed: Slot) -> Slot:
        """Go on with a slot that we have claimed, as it was before that and as it was committed.

        Returns and raises what ``converge`` does.
        """
        drive = Drive(
            slot=claimed,
            kind=self._kind(claimed),
            landed_by=before.landed_by,
            operation=claimed.operation,
            filled_at=claimed.filled_at,
            emptied_at=claimed.emptied_at,
            shown_until=claimed.shown_until,
            begun_with=(claimed.holders, claimed.last),
        )
        try:
            waits = self._follow(drive)  # (2)
            if not waits and not drive.is_done:
                self._know(drive)  # (3)
                if not drive.trouble and not self._fits(drive):
                    waits = self._tell(drive)  # (4)
                    if not waits:
                        self._look(drive)  # (5)
        except CloudError as exc:
            why = drive.trouble or str(exc)
            return self._commit(drive.slot, lambda s: drive.in_trouble(s, why, self.clock()))
        if waits:
            return self._commit(drive.slot, lambda s: slots.under_way(drive.known(s), self.clock()))
        self._cross_out(drive)
        return self._commit(drive.slot, lambda s: drive.saw(s, self.clock()))

    # ── The right to tell the cloud ──────────────────────────────────────────────────────────

    def _claim(self, key: SlotKey, known: Slot | None) -> tuple[Slot | None, Slot | None]:
        """Take the right to drive the slot; return it as it was, and claimed.

        Claimed is None when another has the right, when it is not its turn, and where there is no
        such slot.
        """
        for _ in range(COMMIT_TRIES):
            slot, known = known or self.store.slot(key), None
            now = self.clock()
            if slot is None or slots.is_claimed(slot, now):
                return slot, None
            kind = self._kind(slot)
            try:
                turn = self._turn(kind, slot, now)
                if turn > now:
                    return self._write(replace(slot, wake_at=turn)), None
                return slot, self._write(_claimed(kind, slot, now))
            except Conflict:
                continue
        message = f"{key} changes too fast to be claimed; it is tried again by itself."
        raise Conflict(message)

    def _turn(self, kind: SlotKind, slot: Slot, now: datetime) -> datetime:
        """When it is the slot's turn: now, or later where its kind paces what it tells."""
        held = self._held_until(kind, slot, now)
        if not hasattr(kind, "turn"):
            return held
        turn = cast("Paced", kind).turn(slot, now, removes=not slots.wish(slot, now))
        return max(held, turn)

    def _held_until(self, kind: SlotKind, slot: Slot, now: datetime) -> datetime:
        """Until when a place is left as it is, because the record is an older one than there was.

        Nobody is let in on that, and what is there is not taken for somebody else's, before the
        clouds have been compared with it. Ends go on.
        """
        if not kind.grants or not slots.wish(slot, now):
            return now
        if not self._is_restored():
            return now
        return min(now + HELD, slots.next_change(slot, now) or now + HELD)

    def _is_restored(self) -> bool:
        """Whether the record is an older one, and was not yet compared with the clouds."""
        known = self.store.controls()
        return known is not None and known.restored_at is not None

    # ── What the cloud was told before ───────────────────────────────────────────────────────

    def _follow(self, drive: Drive) -> bool:
        """Ask after what is under way; return whether that must be waited for."""
        operation = drive.operation
        if operation is None:
            return False
        wanted = slots.wish(drive.slot, self.clock())
        # A create that never ends must not keep access alive, nor a removal keep anybody out: the
        # cloud is then told once more. One that nobody can ask after is no better.
        in_vain = operation.verb == "remove" or not wanted
        gives_up = in_vain and slots.is_stuck(operation, self.clock())
        try:
            followed = cast("Following", drive.kind).follow(drive.slot, operation, self.clock())
        except CloudRefused:
            if gives_up:
                return False
            raise
        now = self.clock()
        if followed.progress is Progress.RUNNING:
            drive.operation = replace(operation, id=followed.id or operation.id)
            is_lost = not drive.operation.id and operation.verb == "remove"
            # A removal whose answer never came is told again at once, for it may not have begun.
            return not (gives_up or (is_lost and not wanted))
        landed_by, drive.landed_by = drive.landed_by, slots.later(drive.landed_by, now)
        if operation.either and (operation.id or followed.progress is Progress.UNKNOWN):
            # Whoever died was not at a create, or was past one that has ended; a removal would
            # take what a newcomer is given.
            drive.operation = _removal(drive.kind, operation, landed_by)
            return self._follow(drive)
        drive.ended(operation, followed, now)
        return False

    # ── What is there ────────────────────────────────────────────────────────────────────────

    def _know(self, drive: Drive) -> None:
        """Read what is there, unless that is known: the cloud has said so, or we have seen it.

        What is ours, and was seen since anybody was told anything, is removed without a look.
        """
        slot = drive.slot
        # What was seen, and not whether it was there before us, is not known to be ours.
        is_ours = slot.standing is False or not drive.kind.takes_standing
        if drive.seen is None and is_ours and not slot.attempts:
            removes = drive.kind.grants and not slots.wish(slot, self.clock())
            told = drive.landed_by
            fresh = slot.seen is not None and (told is None or slot.seen.at >= told)
            if removes and fresh and slot.seen is not None and slot.seen.present:
                drive.seen = slot.seen
        if drive.seen is not None:
            return
        try:
            self._look(drive)
        except CloudRefused:
            # Who may not look may still be able to remove; that proves nothing, and is tried. What
            # the cloud has said to be removed since is not removed again and again.
            filled, emptied = drive.filled_at, drive.emptied_at
            is_emptied = emptied is not None and (filled is None or filled <= emptied)
            if slots.wish(slot, self.clock()) or slot.standing is not False or is_emptied:
                raise

    def _look(self, drive: Drive) -> None:
        seen = drive.seen = drive.kind.see(drive.slot, self.clock())
        if drive.kind.takes_standing and slots.with_standing(drive.slot, seen) is not drive.slot:
            ours = seen.present and drive.slot.standing is None and self._is_noted(drive)
            drive.slot = self._commit(
                drive.slot,
                lambda s: replace(s, standing=False) if ours else slots.with_standing(s, seen),
            )
        if seen.present and not drive.slot.standing and not drive.may_be_stale(seen):
            drive.filled(seen.at)

    def _fits(self, drive: Drive) -> bool:
        wanted = slots.wish(drive.slot, self.clock())
        if drive.seen is None or (wanted and drive.may_be_stale(drive.seen)):
            return False
        return slots.fits(drive.slot, drive.seen, wanted)

    def _is_noted(self, drive: Drive) -> bool:
        """Whether the journal knows a shared place to be ours, though the record does not.

        What it has is not all there is to know: it stays noted where an end could not be crossed
        out, or was not to be, and since that was seen somebody else may have filled the place.
        """
        slot = drive.slot
        if self.journal is None or drive.kind.hold(slot) is not Hold.SHARED:
            return False
        try:
            noted = (at for place, at in self.journal.places() if place.key == slot.key)
            noted_at = next(noted, None)
        except Unavailable as exc:
            raise CloudRefused(f"It cannot be told whose access is there: {exc}") from exc
        if noted_at is None:
            return False
        try:
            restored = restores.known(self.store)
        except Tampered:
            restored = ()  # no end waits for what holds for the deployment
        return verdicts.is_ours(slot, restores.landed(drive.kind, noted_at, restored))

    # ── Telling ──────────────────────────────────────────────────────────────────────────────

    def _tell(self, drive: Drive) -> bool:
        """Make the one call; return whether the cloud does it in its own time.

        Raises ``OutcomeUnknown`` when no answer came, and ``Throttled`` when it was too much.
        """
        kind = drive.kind
        slot = self._mine(drive.slot)  # read anew: somebody may have left since
        now = self.clock()
        if slot.claim is None or now >= slot.claim.until:
            # This process was held up (a suspended machine, a frozen function): another driver
            # may have the right to tell the cloud by now.
            message = "This driver was held up for too long; the next one goes on."
            raise OutcomeUnknown(message)
        if now + kind.timeout > slot.claim.until:
            # The cloud was slow to answer: the call still has to land within the claim.
            by, until = slot.claim.by, now + kind.timeout + CLAIM_MARGIN
            slot = self._commit(drive.slot, lambda s: slots.claim(s, by, until))
        wanted = slots.wish(slot, now)
        stuck, before, filled_before = drive.operation, drive.landed_by, drive.filled_at
        drive.landed_by = slot.landed_by
        try:
            id_ = self._call(drive.kind, slot, wanted, now)
        except CloudRefused as exc:
            id_, drive.trouble = None, str(exc)
        except Throttled:
            drive.landed_by = before
            raise
        except OutcomeUnknown:
            drive.told(now, fills=bool(wanted), landed_by=drive.landed_by)
            if hasattr(kind, "follow") and (stuck is None or stuck.verb == "remove"):
                drive.operation = Operation(verb="put" if wanted else "remove", begun_at=now)
            raise
        drive.landed_by = slots.later(before, self.clock())
        if not drive.trouble:
            drive.told(now if id_ is not None else self.clock(), fills=bool(wanted))
            if wanted and id_ is None:
                drive.surely_filled(now)
        if stuck is not None and stuck.verb == "put":
            # It may still let somebody in, so it is what must be waited for.
            return True
        begun = Operation(
            verb="put" if wanted else "remove",
            begun_at=now,
            id=id_ or "",
            filled_before=filled_before,
        )
        # Of what was refused nothing has begun, and what is under way goes on.
        drive.operation = stuck if drive.trouble else None if id_ is None else begun
        return id_ is not None

    def _call(self, kind: SlotKind, slot: Slot, wanted: slots.Wish, now: datetime) -> str | None:
        if wanted.until is None:
            return kind.remove(slot)
        why = "" if self.doubts is None or not kind.grants else self.doubts(slot, now)
        if why:
            raise CloudRefused(why)
        self._note(kind, slot, now)
        if kind.grants:
            self._still_in_time(kind, slot, wanted.until)
        return kind.put(slot, wanted.holders, wanted.until)

    def _still_in_time(self, kind: SlotKind, slot: Slot, until: datetime) -> None:
        """See that the call lands before the deadline, and while nobody else may tell the cloud.

        By now: the record and the journal were asked before, and either may have hung.
        """
        now = self.clock()
        if until - now <= kind.timeout:
            raise CloudRefused("The deadline is too near: a grant might land after it.")
        if slot.claim is None or now + kind.timeout > slot.claim.until:
            raise CloudRefused("The record, or the journal, was too slow; it is tried again.")

    def _note(self, kind: SlotKind, slot: Slot, now: datetime) -> None:
        """Write down that we fill a place that nothing else would tell to be ours."""
        if not kind.grants or kind.hold(slot) is not Hold.SHARED:
            return
        if self.journal is None:
            raise CloudRefused(
                "Others give access here too, and nothing notes what is ours: name a file in "
                "[journal], or give access there by jitcloud alone."
            )
        try:
            self.journal.note(slot, now)
        except Unavailable as exc:
            raise CloudRefused(f"It cannot be noted whose access this is: {exc}") from exc

    def _cross_out(self, drive: Drive) -> None:
        """Write down that what we had filled is proven empty, where we have noted it.

        While the claim lasts: once it is given back, somebody else may note the place anew.
        """
        slot, journal, now = drive.slot, self.journal, self.clock()
        is_shared = drive.kind.hold(slot) is Hold.SHARED
        if journal is None or not is_shared or slot.standing is not False:
            return
        is_proven = drive.saw(slot, now).standing is None
        if not is_proven or slot.claim is None or now + CLAIM_MARGIN > slot.claim.until:
            return
        if self._is_restored():
            # It may have been noted again, and be filled yet, by what the record has forgotten.
            return
        # Not written, it stays noted: then reconcile takes it for ours, if the record is lost.
        with suppress(Unavailable):
            journal.cross_out(slot, now)

    def _mine(self, claimed: Slot) -> Slot:
        slot = self.store.slot(claimed.key)
        mine = None if claimed.claim is None else claimed.claim.by
        if slot is None or slot.claim is None or slot.claim.by != mine:
            message = f"{claimed.key} is driven by another by now, and goes on there."
            raise Conflict(message)
        return slot

    def _commit(self, claimed: Slot, change: Callable[[Slot], Slot]) -> Slot:
        """Change a slot that we have claimed, though others join and leave it meanwhile."""
        stood = claimed
        for _ in range(COMMIT_TRIES):
            try:
                return self._write(change(stood))
            except Conflict:
                stood = self._mine(claimed)
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


def _claimed(kind: SlotKind, slot: Slot, now: datetime) -> Slot:
    until = now + kind.timeout + CLAIM_MARGIN
    return slots.claim(_left_behind(kind, slot), str(ULID()), until)


def _removal(kind: SlotKind, create: Operation, landed_by: datetime | None) -> Operation:
    """What whoever died may have told instead of a create, or after one that is on record."""
    began = create.begun_at
    if create.id and landed_by is not None:
        began = max(began, landed_by - kind.timeout - CLAIM_MARGIN)
    return replace(create, verb="remove", either=False, id="", begun_at=began)


def _left_behind(kind: SlotKind, slot: Slot) -> Slot:
    """The slot with what a driver may have begun who then died."""
    if slot.claim is None:
        return slot
    began = slot.claim.until - kind.timeout - CLAIM_MARGIN
    operation = slot.operation
    if operation is not None and operation.verb == "put":
        # It may have been seen to end, and what it gave then been removed.
        operation = replace(operation, either=True)
    elif hasattr(kind, "follow"):
        operation = Operation(verb="put", begun_at=began, either=True, filled_before=slot.filled_at)
    shown_until = slot.claim.until + slots.by_any_clock(kind.settle)
    return replace(
        slot,
        operation=operation,
        filled_at=slots.later(slot.filled_at, slots.since(slot.emptied_at, began)),
        # It may have been told to remove what is there, and be doing so until the claim's end.
        shown_until=slots.later(slot.shown_until, shown_until),
    )
