"""Places that nothing reaches any more stand before every other end, for ever."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from jitcloud.model import Slot, SlotKey, State
from jitcloud.ports import Change
from jitcloud.sweep import BATCH
from tests.world import World


def test_places_of_a_cloud_that_was_taken_out_of_the_configuration_starve_nobodys_end(
    tmp_path: Path,
) -> None:
    world = World(tmp_path)
    request = world.ask("ana", minutes=5)
    due_at = world.time() + timedelta(minutes=1)
    for number in range(BATCH):
        left = Slot(
            key=SlotKey(f"gone.kind/{number}"),
            kind="gone.kind",
            where={},
            wake_at=due_at,
            version=1,
        )
        world.store.commit(Change(slots=(left,)))
    world.time.forward(minutes=6)
    for _ in range(10):
        world.sweep()
        world.time.forward(seconds=10)
    assert world.now(request).state is State.ENDED
    assert world.cloud.who_can("reader") == frozenset()
