"""Defects that worlds over these clouds have found: each is told here as shortly as can be."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from jitcloud.drive import Drive
from jitcloud.emulators.identity_center import Behaviour, IdentityCenter
from jitcloud.emulators.identity_center.call import Answer
from jitcloud.emulators.identity_center.client import Client
from jitcloud.model import Sight, Slot, SlotKey, State
from jitcloud.providers.aws.clients import Clients
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud
from jitcloud.stores.memory import MemoryStore
from tests.aws.overlap_world import Dies, Story
from tests.faults import Killed
from tests.world import START, Time, World, caller

SECOND = timedelta(seconds=1)
AHEAD = 4.5 * SECOND
"""How far the clock of one driver is before that of another: less than is tolerated."""

SETTLE = 10 * SECOND


@dataclass
class Ahead(Time):
    """The clock of a driver that is before the others."""

    right: Time = field(default_factory=Time)

    def __call__(self) -> datetime:
        return self.right() + AHEAD


class Remembering(MemoryCloud):
    """Knows what was assigned when."""

    def __init__(self, clock: Time) -> None:
        super().__init__(clock)
        self.past: list[tuple[datetime, frozenset[tuple[str, str]]]] = []

    def _put(self, what: tuple[str, str], *, present: bool, at: datetime) -> None:
        super()._put(what, present=present, at=at)
        self.past.append((at, frozenset(self._assigned)))

    def had(self, person: str, role: str, then: datetime) -> bool:
        before = [what for at, what in self.past if at <= then]
        return bool(before) and (person, role) in before[-1]


class Lagging(MemoryAssignments):
    """Reads are as old as they may be: just less than the time in which the cloud settles."""

    __slots__ = ()

    def see(self, slot: Slot, now: datetime) -> Sight:
        cloud = self.cloud
        assert isinstance(cloud, Remembering)
        person, role = str(slot.where["person"]), str(slot.where["role"])
        then = cloud.clock() - SETTLE + SECOND
        return Sight(at=now, present=cloud.had(person, role, then))


def test_an_absence_is_not_proven_sooner_where_the_clock_of_the_next_driver_is_ahead(
    tmp_path: Path,
) -> None:
    time, store = Time(), MemoryStore()
    cloud = Remembering(time)
    kinds = {KIND: Lagging(cloud, settle=SETTLE)}
    one, two = (
        World(tmp_path, time=clock, store=store, cloud_=cloud, kinds_=kinds)
        for clock in (time, Ahead(right=time))
    )
    request = one.ask()
    assert cloud.who_can("reader") == {"ana"}
    one.broker.give_back(caller("ana"), request.id, time())
    time.forward(seconds=6)
    two.sweep()
    ended = one.now(request).state is State.ENDED
    assert not ended or not cloud.who_can("reader"), "it is not over"


def test_what_is_told_later_counts_as_later_whatever_the_clocks_say() -> None:
    drive = Drive(
        slot=Slot(key=SlotKey("any"), kind=KIND, where={}, standing=False),
        kind=MemoryAssignments(MemoryCloud(Time()), settle=SETTLE),
        landed_by=None,
        operation=None,
        filled_at=START + AHEAD,
        emptied_at=None,
        shown_until=None,
        begun_with=((), None),
    )
    drive.told(START + SECOND, fills=False)
    assert drive.may_be_stale(Sight(at=START + 5 * SECOND, present=True))


class Dying(Dies):
    """Lets the process die at the first step of a name."""

    def __init__(self, step: str) -> None:
        super().__init__()
        self.step = step

    def __call__(self, step: str) -> None:
        self.steps.append(step)
        if step == self.step:
            self.step = ""
            raise Killed


class InProcess(Clients):
    def __init__(self, center: IdentityCenter) -> None:
        super().__init__(clock=center.now)
        self._center = center

    def _other(self, service: str, region: str, through: str | None) -> Client:  # noqa: ARG002 - there is one
        def call(operation: str, params: Mapping[str, object]) -> Answer:
            return self._center.call(service, operation, params, check=False)

        return Client(service, self._center.operations(service), call)


DIES_AT_THE_REMOVAL = """
ana asks A 30m
A back          # while the create is under way
pass 6s         # which then is seen to be done; whoever removes it dies once that was told
ana asks B 30m
"""


def test_a_create_proves_nothing_where_somebody_has_died_who_may_have_removed_it(
    tmp_path: Path,
) -> None:
    time = Time()
    center = IdentityCenter(time, Behaviour(rate=None))
    dies = Dying("after remove")
    story = Story(tmp_path, center, InProcess(center), time, dies=dies)
    story.strict = False
    for line in DIES_AT_THE_REMOVAL.strip().splitlines():
        story._line(line.split("#")[0].strip(), line)  # noqa: SLF001 - a story with another end
    assert dies.step == "", "nobody died"
    for _ in range(120):
        story.on("1s")
        active = [name for name in story.asked if story.now(name).state is State.ACTIVE]
        assert not active or story.can("ana"), f"{active} is active, and ana cannot"
