"""What a place in a cloud should hold, pure: holders, deadlines, standing access -> wish.

Requests say who should have what until when; a slot makes one place in one cloud agree.
The wish is a function of the record alone, so whoever drives the slot next, after any crash,
wishes the same.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from jitcloud.model import SKEW, Claim, Holder, Operation, Place, RequestId, Sight, Slot

FIRST_RETRY = timedelta(seconds=1)
SOON_RETRY = timedelta(minutes=1)
LAST_RETRY = timedelta(minutes=5)
MANY_RETRIES = 66
"""How long is waited between tries: ever longer, up to a minute for about an hour, as outages take,
and longer than that only for what then is refused for good."""

FIRST_LOOK = timedelta(seconds=5)
LAST_LOOK = timedelta(minutes=1)
"""How soon, and how seldom at the most, a cloud is asked how far an operation has come.

Terraform's provider first asks Identity Center after five seconds, too.
https://github.com/hashicorp/terraform-provider-aws (internal/service/ssoadmin)
"""

STUCK = timedelta(minutes=10)
"""An operation that takes longer keeps nobody from telling the cloud once more."""

LOOK_AGAIN = timedelta(minutes=5)
"""How often a place that denies something is read again, for as long as it must."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the place should hold now: nothing, or these holders, the last of them until then."""

    holders: tuple[RequestId, ...]
    until: datetime | None

    def __bool__(self) -> bool:
        """Whether anything should be there."""
        return bool(self.holders)


# ── Who wants it ─────────────────────────────────────────────────────────────────────────────


def at(place: Place) -> Slot:
    """A slot nobody has ever driven."""
    return Slot(key=place.key, kind=place.kind, where=place.where)


def reached(slot: Slot, place: Place) -> Slot:
    """The slot as a new grant says that it is reached: by another role, perhaps, than before."""
    return replace(slot, where=place.where)


def join(slot: Slot, holder: Holder, now: datetime) -> Slot:
    """Let a request hold the slot. Joining again never shortens what it holds."""
    # What is being removed may be used until it is gone, by whoever joins meanwhile as well.
    is_usable = slot.filled_at is not None and slot.standing is False
    others = tuple(h for h in slot.holders if h.request != holder.request)
    mine = next((h for h in slot.holders if h.request == holder.request), holder)
    holders = (*others, replace(holder, until=max(mine.until, holder.until)))
    return replace(
        slot,
        holders=tuple(sorted(holders, key=lambda h: h.request)),
        # A new epoch gives new names in the cloud, so that a late call about what was there
        # before cannot be taken for what is there now.
        epoch=slot.epoch + (0 if slot.holders else 1),
        usable_at=now if is_usable else slot.usable_at,
        wake_at=due_now(slot, now),
        attempts=0,
    )


def leave(slot: Slot, request: RequestId, now: datetime) -> Slot:
    """Let a request hold the slot no longer. Those that stay keep what they hold."""
    kept = tuple(h for h in slot.holders if h.request != request)
    return replace(slot, holders=kept, last=request, wake_at=due_now(slot, now), attempts=0)


SHARED_CUTOFF = timedelta(minutes=10)
"""Denials of what began before an instant share such instants, for a document has room for few."""


def deny_until(
    slot: Slot, request: RequestId, until: datetime, gone_at: datetime | None, now: datetime
) -> Slot:
    """Let a request hold a place that denies for no longer than that.

    Nor what began after the access was gone, or ten minutes later at the most: what somebody has
    got since by another way is theirs.
    """
    before = None if gone_at is None else _rounded_up(gone_at)
    return replace(
        slot,
        holders=tuple(
            replace(h, until=until, before=h.before or before) if h.request == request else h
            for h in slot.holders
        ),
        wake_at=due_now(slot, now),
    )


def _rounded_up(instant: datetime) -> datetime:
    passed = (instant - datetime.min.replace(tzinfo=UTC)) % SHARED_CUTOFF
    return instant if not passed else instant + SHARED_CUTOFF - passed


def begin_anew(slot: Slot, detail: str, now: datetime) -> Slot:
    """Let those who are denied this keep what they get from now on: only what was is denied."""
    anew = tuple(
        replace(h, before=now) if h.detail == detail and (h.before is None or h.before > now) else h
        for h in slot.holders
    )
    if anew == slot.holders:
        return slot
    return replace(slot, holders=anew, wake_at=due_now(slot, now))


def wish(slot: Slot, now: datetime) -> Wish:
    """What the place should hold now. Holders whose time is over no longer count."""
    live = tuple(h for h in slot.holders if h.until > now)
    return Wish(
        holders=tuple(h.request for h in live),
        until=max((h.until for h in live), default=None),
    )


# ── Whether the cloud agrees ─────────────────────────────────────────────────────────────────


def fits(slot: Slot, sight: Sight, wanted: Wish) -> bool:
    """Whether what was seen is what should be there. Standing access is never to be changed."""
    if slot.standing:
        return sight.present
    if sight.holders is not None:
        return sight.holders == frozenset(wanted.holders) - sight.in_vain
    if sight.present != bool(wanted):
        return False
    return sight.until is None or wanted.until is None or sight.until == wanted.until


def outlasts(sight: Sight, wanted: Wish) -> bool:
    """Whether the cloud itself keeps what is there for longer than anybody wants it."""
    return sight.until is not None and wanted.until is not None and sight.until > wanted.until


def is_shown(slot: Slot, settle: timedelta) -> bool:
    """Whether what the last read has shown, beside what others want, is what the cloud holds.

    An older read may show the deadline before, or nothing yet: so a place that lasts no longer
    than whoever stays wants it, while it lasts as long as was wanted by somebody who has left.
    Where the cloud holds no deadline, a presence shows all there is.
    """
    seen = slot.seen
    return (seen is not None and seen.present and seen.until is None) or is_settled(slot, settle)


def is_settled(slot: Slot, settle: timedelta) -> bool:
    """Whether the last read was taken after no earlier call of ours could still land.

    Only such a read proves an absence or a denial: an older one may have been overtaken by a
    call that was slow, or that died with the process which made it.
    """
    if slot.seen is None or (slot.operation is not None and slot.operation.verb == "put"):
        return False
    return slot.landed_by is None or slot.seen.at >= slot.landed_by + by_any_clock(settle)


def by_any_clock(settle: timedelta) -> timedelta:
    """How long after a call has landed it is waited until a cloud has surely settled.

    The clock by which the call had landed need not be that of the look: another driver looks, or
    the clock was set right meanwhile, as one that is wrong soon is. What a cloud does at once
    needs no clocks: whoever looks because the record says that it was told looks after it.
    """
    return settle + SKEW if settle else settle


def with_standing(slot: Slot, sight: Sight) -> Slot:
    """Settle whether access was there before us, from the first read ever.

    Later reads can only refute it: what was seen absent is not standing, and whatever stands
    there afterwards is ours. The other way round, a leftover of our own would be taken for
    standing access, and stay for ever.
    """
    stands = sight.present and slot.standing is not False
    return slot if stands is slot.standing else replace(slot, standing=stands)


def is_gone(slot: Slot, settle: timedelta) -> bool:
    """Whether the place was seen empty by a read that proves it."""
    return slot.seen is not None and not slot.seen.present and is_settled(slot, settle)


def is_denied(slot: Slot, request: RequestId, settle: timedelta) -> bool:
    """Whether the place was seen to name the request by a read that proves it."""
    seen = slot.seen
    named = seen is not None and seen.holders is not None and request in seen.holders
    return named and is_settled(slot, settle)


# ── Who may tell the cloud ───────────────────────────────────────────────────────────────────


def is_claimed(slot: Slot, now: datetime) -> bool:
    """Whether somebody has the right to drive this slot just now."""
    return slot.claim is not None and slot.claim.until > now


def claim(slot: Slot, by: str, until: datetime) -> Slot:
    """Take the right to drive the slot. A crash leaves the claim, and a wake-up at its end.

    From here on a call may land for as long as the claim lasts.
    """
    return replace(
        slot, claim=Claim(by=by, until=until), wake_at=until, landed_by=later(slot.landed_by, until)
    )


def later(known: datetime | None, instant: datetime) -> datetime:
    """The later of two instants, of which the first may not be known."""
    return instant if known is None else max(known, instant)


def since(last: datetime | None, at: datetime) -> datetime:
    """An instant that counts as after the last one, though it was read from another clock."""
    return at if last is None else max(at, last + timedelta.resolution)


def put_off(slot: Slot, trouble: str, now: datetime) -> Slot:
    """Give the right back, to try again later. There is no last try."""
    return replace(
        slot,
        claim=None,
        attempts=slot.attempts + 1,
        trouble=trouble,
        wake_at=now + backoff(slot.attempts) * _jitter(slot),
    )


# ── What a cloud does in its own time ────────────────────────────────────────────────────────


def under_way(slot: Slot, now: datetime) -> Slot:
    """Give the right back, and ask later how far the cloud is with what it was told."""
    begun = now if slot.operation is None else slot.operation.begun_at
    wait = max(FIRST_LOOK, min((now - begun) / 2, LAST_LOOK))
    return replace(slot, claim=None, wake_at=now + wait)


def is_stuck(operation: Operation, now: datetime) -> bool:
    """Whether an operation has taken so long that it is no longer waited for."""
    return now - operation.begun_at >= STUCK


# ── When to look again ───────────────────────────────────────────────────────────────────────


def due_now(slot: Slot, now: datetime) -> datetime:
    """At once; or, while somebody drives the slot, when their right has run out."""
    return now if slot.claim is None else max(now, slot.claim.until)


def backoff(attempts: int) -> timedelta:
    """How long to wait before the next try: doubling, to a minute; five of them after an hour."""
    if attempts >= MANY_RETRIES:
        return LAST_RETRY
    return min(FIRST_RETRY * (1 << min(attempts, 10)), SOON_RETRY)


def _jitter(slot: Slot) -> float:
    """Between three quarters and one: what was refused together is not tried again together.

    It follows from the record, so that the same record always leads to the same.
    """
    digest = hashlib.sha256(f"{slot.key} {slot.version}".encode()).digest()
    return 1 - digest[0] / 1024


def next_change(slot: Slot, now: datetime) -> datetime | None:
    """When the wish changes by itself: the first of the holders' ends still to come."""
    return min((h.until for h in slot.holders if h.until > now), default=None)


def is_at_rest(slot: Slot, now: datetime) -> bool:
    """Whether nothing is to be done with the slot before somebody's time is over."""
    idle = slot.claim is None and slot.operation is None
    return idle and slot.wake_at in {None, next_change(slot, now)}


def without_the_past(slot: Slot, now: datetime) -> Slot:
    """Drop holders whose time is over: the cloud was seen to agree that they are gone."""
    live = tuple(h for h in slot.holders if h.until > now)
    return slot if live == slot.holders else replace(slot, holders=live)
