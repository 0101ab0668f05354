"""One place in a cloud, several who want it: overlap, standing access, slow and lost calls."""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.model import (
    Entitlement,
    Evidence,
    Holder,
    Person,
    Place,
    Places,
    Request,
    RequestId,
    SlotKey,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.memory import KIND, Fault, MemoryCloud, MemoryMechanism
from jitcloud.stores.memory import MemoryStore
from tests.world import Time, World


def test_ending_one_of_two_overlapping_grants_keeps_the_other(world: World) -> None:
    short, long = world.ask(minutes=10), world.ask(minutes=60)
    world.time.forward(minutes=10)
    world.sweep()
    assert world.now(short).state is State.ENDED
    assert world.now(short).evidence is Evidence.OTHERS_HOLD
    assert world.cloud.who_can("reader") == {"ana"}

    world.time.forward(minutes=50)
    world.sweep()
    assert world.now(long).evidence is Evidence.SEEN_ABSENT
    assert world.cloud.who_can("reader") == frozenset()


def test_the_holder_with_the_latest_deadline_may_leave_first(world: World) -> None:
    short, long = world.ask(minutes=10), world.ask(minutes=60)
    world.give_back(long)
    assert world.cloud.who_can("reader") == {"ana"}
    world.time.forward(minutes=10)
    world.sweep()
    assert world.now(short).state is State.ENDED
    assert world.cloud.who_can("reader") == frozenset()


def test_standing_access_is_never_taken_away(world: World) -> None:
    world.cloud.assign_by_hand("ana", "reader")
    request = world.ask()
    assert request.state is State.ACTIVE
    assert world.give_back(request).evidence is Evidence.OTHERS_HOLD
    assert world.cloud.who_can("reader") == {"ana"}
    assert world.cloud.calls.count("unassign") == 0


def test_standing_access_that_was_taken_away_is_granted_like_any_other(world: World) -> None:
    world.cloud.assign_by_hand("ana", "reader")
    world.give_back(world.ask())
    world.cloud.unassign_by_hand("ana", "reader")

    request = world.ask()
    assert world.cloud.who_can("reader") == {"ana"}
    assert world.give_back(request).evidence is Evidence.SEEN_ABSENT
    assert world.cloud.who_can("reader") == frozenset()


@pytest.mark.parametrize("fault", list(Fault))
def test_a_grant_call_that_fails_in_any_way_leaves_nothing_after_the_end(
    world: World, fault: Fault
) -> None:
    world.cloud.faults.append(fault)
    request = world.ask(minutes=10)
    world.give_back(request)
    _ended_is_never_said_while_access_can_come_back(world, request.id)


@pytest.mark.parametrize("fault", list(Fault))
def test_a_removal_that_fails_in_any_way_is_tried_until_access_is_gone(
    world: World, fault: Fault
) -> None:
    request = world.ask(minutes=10)
    world.cloud.faults.extend([fault] * 7)
    world.give_back(request)
    _ended_is_never_said_while_access_can_come_back(world, request.id)


def _ended_is_never_said_while_access_can_come_back(world: World, name: str) -> None:
    said = False
    for _ in range(400):
        world.sweep()
        who = world.cloud.who_can("reader")
        request = world.store.request(name)  # type: ignore[arg-type] # a request id
        assert request is not None
        said = said or request.state.is_finished
        assert not (said and who), f"{request.state} was said, and {set(who)} can still read"
        world.time.forward(seconds=1)
    assert said
    world.verify_all()


class Killed(BaseException):
    """The process is gone; nothing after it runs."""


class SlowCloud(MemoryCloud):
    """A cloud whose next assignment hangs until it is let go, and outlives its caller."""

    def __init__(self, clock: Time) -> None:
        super().__init__(clock)
        self.began, self.go = threading.Event(), threading.Event()

    def set(self, person: str, role: str, *, present: bool) -> None:
        if present:
            self.began.set()
            assert self.go.wait(10)
        super().set(person, role, present=present)
        if present:
            raise Killed


def test_a_slow_grant_that_lands_after_the_give_back_is_still_ended(world: World) -> None:
    cloud = SlowCloud(world.time)
    first = World(world.folder, time=world.time, store=world.store, cloud_=cloud)
    second = World(world.folder, time=world.time, store=world.store, cloud_=cloud)

    def ask_and_be_killed() -> None:
        with contextlib.suppress(Killed):
            first.ask()

    asking = threading.Thread(target=ask_and_be_killed, daemon=True)
    asking.start()
    assert cloud.began.wait(10)
    (name,) = world.store.ids(10)

    # The second driver gives back, and tries hard, while the first one's call is on its way.
    second.give_back(second.now(name))
    for _ in range(9):
        second.sweep()
        world.time.forward(seconds=1)
    assert second.now(name).state is State.ENDING
    cloud.go.set()
    asking.join(10)
    assert cloud.who_can("reader") == {"ana"}, "the slow call was meant to land"

    second.sweep_until_quiet(step=1)
    assert cloud.who_can("reader") == frozenset()
    assert second.now(name).evidence is Evidence.SEEN_ABSENT
    second.verify_all()


def test_a_driver_that_was_held_up_past_its_claim_tells_the_cloud_nothing(world: World) -> None:
    class Suspended(MemoryCloud):
        """The machine is suspended between the read and the write of the first driver."""

        def has(self, person: str, role: str) -> bool:
            found = super().has(person, role)
            if "assign" not in self.calls and not slept:
                slept.append(True)
                world.time.forward(minutes=20)
                other.sweep_until_quiet()
            return found

    slept: list[bool] = []
    cloud = Suspended(world.time)
    held_up = World(world.folder, time=world.time, store=world.store, cloud_=cloud)
    other = World(world.folder, time=world.time, store=world.store, cloud_=cloud)
    held_up.ask(minutes=10)
    assert slept
    assert cloud.calls.count("assign") == 0
    assert cloud.who_can("reader") == frozenset()


def test_a_driver_that_was_held_up_alone_tells_the_cloud_nothing_either(world: World) -> None:
    """Nobody took over: but when its call would land, somebody might have."""

    class Suspended(MemoryCloud):
        def has(self, person: str, role: str) -> bool:
            if not slept:
                slept.append(True)
                world.time.forward(minutes=1)
            return super().has(person, role)

    slept: list[bool] = []
    cloud = Suspended(world.time)
    held_up = World(world.folder, time=world.time, store=world.store, cloud_=cloud)
    request = held_up.ask(minutes=60)
    assert cloud.calls.count("assign") == 0
    assert "held up" in held_up.slot(request).trouble
    world.time.forward(seconds=1)
    held_up.sweep()
    assert cloud.who_can("reader") == {"ana"}


def test_a_place_that_was_empty_gets_new_names_when_it_is_held_again(world: World) -> None:
    first = world.give_back(world.ask())
    assert world.slot(first).epoch == 1
    second = world.ask()
    assert world.slot(second).epoch == 2
    world.ask(minutes=60)
    assert world.slot(second).epoch == 2


def test_a_newcomer_during_a_removal_is_let_in_afterwards(world: World) -> None:
    first = world.ask(minutes=10)
    world.cloud.faults.append(Fault.LATE)  # the removal lands five seconds later
    world.give_back(first)
    second = world.ask(minutes=30)
    for _ in range(60):
        world.time.forward(seconds=1)
        world.sweep()
        if world.now(second).state is State.ACTIVE:
            assert world.cloud.who_can("reader") == {"ana"}, "active was said too soon"
    assert world.now(first).state is State.ENDED
    assert world.now(second).state is State.ACTIVE
    assert world.cloud.who_can("reader") == {"ana"}
    world.time.forward(minutes=30)
    world.sweep_until_quiet()
    assert world.cloud.who_can("reader") == frozenset()


def test_a_cloud_that_never_lets_in_fails_the_request(world: World) -> None:
    world.cloud.faults.extend([Fault.REFUSED] * 100)
    request = world.ask(minutes=60)
    for _ in range(30):
        world.time.forward(seconds=10)
        world.sweep()
    failed = world.now(request)
    assert failed.state is State.FAILED
    assert "as it was told to" in failed.reason
    world.verify_all()


def test_no_grant_is_sent_when_the_deadline_is_nearer_than_the_call_may_take(world: World) -> None:
    request = world.ask(minutes=9 / 60)  # the memory cloud's calls may take ten seconds
    assert world.cloud.calls.count("assign") == 0
    world.time.forward(seconds=10)
    world.sweep_until_quiet()
    assert world.now(request).state is State.ENDED


def test_an_end_is_not_recorded_on_evidence_that_has_moved(world: World) -> None:
    """Between the proof and its commit, somebody else joins the same place."""

    class Late(MemoryStore):
        def commit(self, change: Change) -> None:
            lines = [line for move in change.moves for line in move.events]
            if any(line.event.what.type == "ended" for line in lines) and not joined:
                joined.append(other.ask(minutes=60))
            super().commit(change)

    joined: list[Request] = []
    store = Late()
    here = World(world.folder, time=world.time, store=store, cloud_=world.cloud)
    other = World(world.folder, time=world.time, store=store, cloud_=world.cloud)
    request = here.give_back(here.ask(minutes=10))
    here.sweep()
    assert joined
    assert here.now(request).evidence is Evidence.OTHERS_HOLD
    assert world.cloud.who_can("reader") == {"ana"}


def test_at_its_deadline_a_holder_counts_no_longer() -> None:
    now = datetime.fromisoformat("2026-12-01T09:00:00+00:00")
    place = Place(key=SlotKey("k"), kind=KIND, where={})
    slot = slots.join(slots.at(place), Holder(request=RequestId("r"), until=now), now)
    assert not slots.wish(slot, now)
    assert slots.wish(slot, now - timedelta(microseconds=1))


def test_a_removal_is_never_given_up(world: World) -> None:
    request = world.ask(minutes=10)
    world.cloud.faults.extend([Fault.REFUSED] * 300)
    world.time.forward(minutes=10)
    for _ in range(400):
        world.sweep()
        world.time.forward(minutes=5)
    assert world.cloud.who_can("reader") == frozenset()
    assert world.now(request).state is State.ENDED


def test_a_finished_place_is_woken_no_more(world: World) -> None:
    request = world.give_back(world.ask())
    assert world.slot(request).wake_at is None
    assert world.slot(request).holders == ()
    assert world.store.due(world.time() + timedelta(days=365), 10) == ()


def test_backoff_grows_to_five_minutes_and_stays() -> None:
    waits = [slots.backoff(n) for n in range(1000)]
    assert waits[:4] == [timedelta(seconds=s) for s in (1, 2, 4, 8)]
    assert waits == sorted(waits)
    assert waits[-1] == timedelta(minutes=5)


def test_once_a_cloud_is_back_access_ends_within_a_minute(world: World) -> None:
    request = world.ask(minutes=30)
    world.cloud.faults.extend([Fault.REFUSED] * 10_000)
    world.time.forward(minutes=30)
    down_until = world.time.now + timedelta(minutes=40)
    while world.time.now < down_until:
        world.sweep()
        world.time.forward(seconds=5)
    assert world.cloud.who_can("reader") == {"ana"}
    world.cloud.faults.clear()
    for _ in range(60):
        world.sweep()
        world.time.forward(seconds=1)
    assert world.cloud.who_can("reader") == frozenset()
    assert world.now(request).state is State.ENDED


def test_joining_again_never_shortens() -> None:
    now = datetime.fromisoformat("2026-12-01T09:00:00+00:00")
    slot = slots.at(Place(key=SlotKey("k"), kind=KIND, where={}))
    long = Holder(request=RequestId("r"), until=now + timedelta(hours=2))
    slot = slots.join(slots.join(slot, long, now), replace(long, until=now), now)
    assert slot.holders == (long,)


# ── How a place is reached ───────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class ByWay(MemoryMechanism):
    """Its places are reached by a way that the catalog may name anew; asking for it takes time."""

    way: list[str] = field(default_factory=lambda: ["one"])
    time: list[Time] = field(default_factory=list)
    takes: timedelta = timedelta(0)

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        for time in self.time:
            time.now += self.takes
        made = MemoryMechanism.places(self, entitlement, person, part=part).grant
        assert made is not None
        return Places(grant=replace(made, where={**made.where, "way": self.way[0]}))


def test_a_place_is_reached_as_the_last_grant_says(tmp_path: Path) -> None:
    mechanism = ByWay()
    world = World(tmp_path, mechanisms={KIND: mechanism})
    first = world.ask()
    mechanism.way[0] = "another"
    world.ask()
    place = world.now(first).places.grant
    assert place is not None
    slot = world.store.slot(place.key)
    assert slot is not None
    assert slot.where["way"] == "another"


def test_what_lapses_while_a_cloud_is_asked_is_not_let_in(tmp_path: Path) -> None:
    time = Time()
    mechanism = ByWay(time=[time], takes=timedelta(hours=2))
    world = World(tmp_path, time=time, mechanisms={KIND: mechanism})
    assert world.ask().state is State.LAPSED
    assert world.cloud.who_can("reader") == frozenset()
    world.verify_all()
