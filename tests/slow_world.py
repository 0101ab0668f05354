"""The core over a cloud that does what it is told in its own time, as a test says when."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from jitcloud.model import Request, Slot, State
from jitcloud.providers.memory import KIND, MemoryCloud, MemoryMechanism
from tests.slow_cloud import SlowAssignments
from tests.world import Time, World

OUTLIVES = timedelta(hours=1)


@dataclass
class Here:
    """A world over a slow cloud."""

    world: World
    kind: SlowAssignments

    def ask(self, minutes: float = 60, person: str = "ana") -> Request:
        return self.world.ask(person, minutes=minutes)

    def slot(self, request: Request) -> Slot:
        place = self.world.now(request).places.grant
        assert place is not None
        found = self.world.store.slot(place.key)
        assert found is not None
        return found

    def on(self, **by: float) -> None:
        """Let time pass, a second at a time where something is due."""
        until = self.world.time() + timedelta(**by)
        for _ in range(10_000):
            due = self.world.store.due(until, 1)
            if not due:
                break
            self.world.time.now = max(self.world.time(), due[0].wake_at)
            self.world.sweep()
        self.world.time.now = until

    def can(self, person: str = "ana") -> bool:
        return person in self.world.cloud.who_can("reader")

    def state(self, request: Request) -> State:
        return self.world.now(request).state


def a_world(folder: Path, outlives: timedelta | None = None) -> Here:
    time = Time()
    cloud = MemoryCloud(time)
    kind = SlowAssignments(cloud)
    world = World(
        folder,
        time=time,
        cloud_=cloud,
        kinds_={KIND: kind},
        mechanisms={KIND: MemoryMechanism(outlives=outlives)},
    )
    return Here(world, kind)


def an_active_one(here: Here, minutes: float = 60) -> Request:
    request = here.ask(minutes)
    here.kind.finish()
    here.on(seconds=10)
    assert here.state(request) is State.ACTIVE
    return request
