"""How long access may outlast its end, and how long it did.

    overstay <= 2 * skew + settle + ends_within + late + trouble

``skew`` is what the clocks of drivers are wrong by at most, and a clock that is ahead may have
written what one that is behind reads; ``settle`` and ``ends_within`` are the cloud's own;
``late`` is for how long no sweep came, for each of the wake-ups that an end takes; ``trouble`` is
how long faults struck after the end, and the longest wait until the next try.
What a cloud holds itself overstays its deadline by ``skew``, whatever the broker does.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

from jitcloud import slots
from jitcloud.converge import CLAIM_MARGIN
from jitcloud.model import SKEW, Request
from tests.simulation.stage import Access, Stage

if TYPE_CHECKING:
    from tests.simulation.world import World

_DEAD = CLAIM_MARGIN + timedelta(minutes=1)
RETRY, LAST_RETRY = slots.SOON_RETRY + _DEAD, slots.LAST_RETRY + _DEAD
"""The longest wait until the next try: the backoff, and a claim whose owner has died."""

LONG = timedelta(minutes=40)
"""In trouble that lasts for less the first of these is the longest."""

WAKES = 4
"""How many wake-ups an end takes in a cloud with a time of its own: a create that is under way
and is waited for, the removal, asking how far that is, and the read that proves it."""


@dataclass(frozen=True, slots=True)
class Bound:
    """Until when access may be there at the latest, and why that late."""

    until: datetime
    late: timedelta
    """For how long no sweep came."""
    troubled: bool
    """Whether a fault has struck that may have had to do with it."""


@dataclass
class Overstay:
    """What was seen of it in one world."""

    sweeps: list[datetime] = field(default_factory=list)
    """When each sweep began that nothing else went on beside."""
    longest: dict[str, timedelta] = field(default_factory=dict)
    """By stage: the longest seen."""
    calm: dict[str, timedelta] = field(default_factory=dict)
    """By stage: the longest that is owed to neither a late sweep nor a fault."""

    def check(self, world: World, stage: Stage, access: Access, at_work: Sequence[Request]) -> None:
        """Check one access that is there against every request that is at work for it."""
        from tests.simulation.promises import Broken  # noqa: PLC0415 - it uses this

        now = world.clock.now
        ends = max(self.end(world, request) for request in at_work)
        over = now - ends
        if over <= timedelta(0):
            return
        if over > self.longest.get(stage.name, timedelta(0)):
            self.longest[stage.name] = over
        if stage.held_by_cloud and now >= max(_deadline(r, now) for r in at_work) + SKEW:
            raise Broken(f"P3: {access.person} has {access.entitlement} past what the cloud holds")
        if over <= 2 * SKEW + stage.settle + stage.ends_within and over <= self.calm.get(
            stage.name, timedelta(0)
        ):
            return  # what an end takes that nothing stands in the way of
        bound = self.bound(world, stage, ends)
        if bound is None:
            return
        if now > bound.until:
            raise Broken(
                f"P3: {access.person} has {access.entitlement} {over} after its end, and had to"
                f" have it for {bound.until - ends} at the most"
            )
        if not bound.troubled:
            calm = max(over - bound.late, timedelta(0))
            self.calm[stage.name] = max(calm, self.calm.get(stage.name, calm))

    def end(self, world: World, request: Request) -> datetime:
        """When a request's access was to be gone."""
        deadline = _deadline(request, world.clock.now)
        early = world.account.ended_from.get(request.id)
        return deadline if early is None else min(early, deadline)

    def bound(self, world: World, stage: Stage, ends: datetime) -> Bound | None:
        """How long access may be there; None while no sweep has come since that could end it."""
        troubles = (world.chaos.trouble_at.get(of) for of in (stage.name, "store", "journal", ""))
        trouble = max((at for at in troubles if at is not None), default=ends)
        # What struck a moment before the end may have left a claim, or a call on its way.
        retry = RETRY if trouble - ends < LONG else LAST_RETRY
        clear = trouble + retry + stage.lingers
        ready = max(ends + SKEW, clear)
        first = bisect_left(self.sweeps, ready)
        if first == len(self.sweeps):
            return None
        late = self.sweeps[first] - ready
        if stage.ends_within:
            times = [*self.sweeps[first:], world.clock.now]
            gaps = sorted(later - each for each, later in pairwise(times))
            late += sum(gaps[-WAKES:], timedelta(0))
        until = ready + late + SKEW + stage.settle + stage.ends_within
        return Bound(until, late, troubled=clear > ends + SKEW)


def _deadline(request: Request, now: datetime) -> datetime:
    return now if request.window is None else request.window.deadline
