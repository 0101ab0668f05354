"""While a cloud may still show what was, it proves nothing: by any clock, and whoever has died."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud.errors import CloudRefused
from jitcloud.model import SKEW, Hold, Request, Slot, SlotKey, State
from jitcloud.providers.memory import KIND, Fault, MemoryAssignments, MemoryCloud
from jitcloud.verdicts import Verdict, of_filled
from tests.faults import Killed
from tests.slow_cloud import SlowAssignments
from tests.slow_world import Here, a_world, an_active_one
from tests.world import START, Time, World, caller

SECOND = timedelta(seconds=1)
WRONG = 4.5 * SECOND
"""How far a clock is off: less than is tolerated."""

SETTLE = 10 * SECOND
TIMEOUT = 2 * SECOND
"""Short, so that a claim is over before the cloud has settled."""


@dataclass
class Off(Time):
    """A clock that is off, until it is set right."""

    right: Time = field(default_factory=Time)
    by: timedelta = WRONG

    def __call__(self) -> datetime:
        return self.right() + self.by


@dataclass
class Lagging(MemoryCloud):
    """Reads are as old as they may be: just less than the time in which the cloud settles."""

    past: list[tuple[datetime, frozenset[tuple[str, str]]]] = field(default_factory=list)

    def _put(self, what: tuple[str, str], *, present: bool, at: datetime) -> None:
        super()._put(what, present=present, at=at)
        self.past.append((at, frozenset(self._assigned)))

    def has(self, person: str, role: str) -> bool:
        super().has(person, role)
        then = self.clock() - SETTLE + SECOND
        before = [what for at, what in self.past if at <= then]
        return bool(before) and (person, role) in before[-1]


def lagging(folder: Path, clock: Time | None = None) -> World:
    """A world over a cloud that lags; the cloud's own clock is right."""
    right = clock.right if isinstance(clock, Off) else clock or Time()
    cloud = Lagging(right, late_by=TIMEOUT)
    kinds = {KIND: MemoryAssignments(cloud, timeout=TIMEOUT, settle=SETTLE)}
    return World(folder, time=clock or right, cloud_=cloud, kinds_=kinds)


def an_old_one(world: World) -> Request:
    """Access that is there for so long that everybody sees it."""
    request = world.ask()
    for _ in range(60):
        world.time.forward(seconds=1)
        world.sweep()
    assert world.now(request).state is State.ACTIVE
    return request


def is_let_in_only_by_the_cloud(world: World, request: Request) -> None:
    """Go on, second by second: nobody is said to be in who is not, and in the end they are."""
    for _ in range(60):
        world.time.forward(seconds=0.5)
        world.sweep()
        if world.now(request).state is State.ACTIVE:
            assert world.cloud.who_can("reader") == {"ana"}
    assert world.now(request).state is State.ACTIVE


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return a_world(tmp_path)


# ── Clocks ───────────────────────────────────────────────────────────────────────────────────


def test_an_absence_is_not_proven_sooner_where_a_clock_was_set_right_meanwhile(
    tmp_path: Path,
) -> None:
    """That one driver both tells and looks says nothing of its clock."""
    clock = Off(by=-WRONG)
    world = lagging(tmp_path, clock)
    request = world.ask()
    world.broker.give_back(caller("ana"), request.id, clock())
    clock.by = timedelta(0)
    clock.right.forward(seconds=6)
    world.sweep()
    ended = world.now(request).state is State.ENDED
    assert not ended or not world.cloud.who_can("reader")
    for _ in range(60):
        clock.right.forward(seconds=1)
        world.sweep()
    assert world.now(request).state is State.ENDED
    assert not world.cloud.who_can("reader")


def test_what_was_filled_last_is_removed_by_who_may_not_look_whatever_the_clocks_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the clock of who filled it, it was emptied after that."""
    right = Time()
    one = World(tmp_path, time=Off(right=right), cloud_=MemoryCloud(right))
    two = World(tmp_path, time=right, store=one.store, cloud_=one.cloud)
    one.give_back(one.ask())
    right.forward(seconds=1)
    request = two.ask()
    assert one.cloud.who_can("reader") == {"ana"}
    one.cloud.faults.append(Fault.THROTTLED)
    two.give_back(request)
    monkeypatch.setattr(MemoryCloud, "has", refused)
    for _ in range(60):
        right.forward(seconds=10)
        two.sweep()
    assert one.cloud.who_can("reader") == frozenset()


def refused(*_: object) -> None:
    raise CloudRefused("You do not have sufficient access to perform this action.")


@pytest.mark.parametrize(
    ("since", "verdict"),
    [(SETTLE + SKEW - SECOND, Verdict.IN_MOTION), (SETTLE + SKEW, Verdict.LEAKED)],
)
def test_nobody_leaks_by_a_list_that_may_show_what_was_removed_by_another_clock(
    since: timedelta, verdict: Verdict
) -> None:
    slot = Slot(key=SlotKey("any"), kind=KIND, where={}, standing=False, landed_by=START)
    assert of_filled(slot, Hold.EXCLUSIVE, None, SETTLE, START + since) is verdict


# ── Calls of which nobody knows ──────────────────────────────────────────────────────────────


def test_a_list_is_not_believed_while_it_may_show_what_a_call_without_an_answer_has_removed(
    tmp_path: Path,
) -> None:
    world = lagging(tmp_path)
    first = an_old_one(world)
    world.cloud.faults.append(Fault.LATE)
    world.give_back(first)
    is_let_in_only_by_the_cloud(world, world.ask())


def test_a_create_without_an_answer_makes_no_list_believed(tmp_path: Path) -> None:
    world = lagging(tmp_path)
    world.give_back(an_old_one(world))
    world.time.forward(seconds=1)
    world.cloud.faults.append(Fault.LOST)
    is_let_in_only_by_the_cloud(world, world.ask())


@pytest.mark.parametrize("fails", ["", "The account is suspended."])
def test_a_create_makes_no_list_believed_before_it_is_done(here: Here, fails: str) -> None:
    first = an_active_one(here)
    here.world.give_back(first)
    here.kind.finish()
    here.on(seconds=6)
    second = here.ask()
    here.kind.stale.extend([True] * 3)
    if fails:
        here.kind.finish(fails=fails)
    here.on(seconds=7)
    assert here.state(second) is State.ACTIVATING
    here.kind.stale.clear()
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(second) is State.ACTIVE
    assert here.can()


def test_a_create_on_record_proves_nothing_where_who_died_may_have_removed_what_it_made(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = here.ask()
    here.world.broker.give_back(caller("ana"), first.id, here.world.time())
    here.kind.finish()
    here.world.time.forward(seconds=6)
    real = SlowAssignments.remove

    def dies(self: SlowAssignments, *args: Any) -> None:
        real(self, *args)
        raise Killed

    with monkeypatch.context() as dying:
        dying.setattr(SlowAssignments, "remove", dies)
        with suppress(Killed):
            here.world.advance.wake(first.id)
    second = here.ask()
    here.on(seconds=40)
    assert here.state(second) is State.ACTIVATING
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=2)
    assert here.state(second) is State.ACTIVE
    assert here.can()
