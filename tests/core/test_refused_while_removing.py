"""A removal that takes too long is told again; that this is refused must not make it forgotten."""

from __future__ import annotations

from pathlib import Path

from jitcloud import slots
from jitcloud.errors import CloudRefused
from jitcloud.model import Slot, State
from jitcloud.providers.memory import KIND, MemoryCloud
from tests.slow_cloud import SlowAssignments
from tests.world import Time, World


class Refusing(SlowAssignments):
    """A cloud that refuses while it is at a removal, instead of beginning another."""

    __slots__ = ()

    def remove(self, slot: Slot) -> str | None:
        if self.tasks and self.tasks[-1].verb == "remove":
            raise CloudRefused("It is down.")
        return SlowAssignments.remove(self, slot)


def test_a_newcomer_is_not_let_in_by_what_a_removal_is_about_to_take(tmp_path: Path) -> None:
    time = Time()
    cloud = MemoryCloud(time)
    kind = Refusing(cloud)
    world = World(tmp_path, time=time, cloud_=cloud, kinds_={KIND: kind})
    first = world.ask("ana")
    kind.finish()
    time.forward(seconds=6)
    assert world.advance.wake(first.id).state is State.ACTIVE
    world.give_back(first)
    time.forward(seconds=slots.STUCK.total_seconds())
    world.sweep()
    second = world.ask("ana")
    for _ in range(4):
        time.forward(seconds=15)
        world.sweep()
        assert world.now(second).state is State.ACTIVATING, "its removal is on its way still"
    kind.finish()
    assert cloud.who_can("reader") == frozenset()
    for _ in range(4):
        time.forward(seconds=15)
        world.sweep()
    kind.finish()
    assert cloud.who_can("reader") == {"ana"}
