"""A comparison that began before it was said that the record was restored counts."""

from __future__ import annotations

from pathlib import Path

from jitcloud.model import Hold
from jitcloud.providers.memory import KIND
from tests.core.test_reconcile_shared import a_world
from tests.reconciling import Listed, reconcile
from tests.world import caller


def test_a_comparison_that_began_before_a_restore_does_not_count_whatever_clocks_say(
    tmp_path: Path,
) -> None:
    world = a_world(tmp_path)
    world.ask("ana", minutes=30)
    world.time.forward(minutes=5)

    def is_restored() -> None:
        world.time.forward(seconds=-3)  # the clock of whoever says so is behind the reconcile's
        world.broker.restored(caller("ben"), world.time(), "The disk broke")
        world.time.forward(seconds=4)

    world.kinds = {KIND: Listed(world.cloud, shares=Hold.SHARED, on_list=is_restored)}
    reconcile(world)
    known = world.store.controls()
    assert known is not None
    assert known.restored_at is not None, "nothing was compared since: nothing may be activated"
    world.kinds = {KIND: Listed(world.cloud, shares=Hold.SHARED)}
    assert reconcile(world).is_finished
