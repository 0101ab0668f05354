"""A restore makes a place ours for ever, and whoever is given it by hand loses it."""

from __future__ import annotations

from pathlib import Path

from jitcloud.journals.file import FileJournal
from jitcloud.model import Hold, State
from jitcloud.providers.memory import KIND, MemoryCloud
from jitcloud.verdicts import Verdict
from tests.core.test_reconcile_shared import a_world, restored
from tests.reconciling import key, reconcile, verdicts
from tests.slow_cloud import SlowAssignments
from tests.world import Time, World, caller


def is_given_by_hand_and_keeps_it(world: World) -> None:
    world.time.forward(days=7)
    world.cloud.assign_by_hand("ana", "reader")
    assert verdicts(reconcile(world, ends_leaked=True)) == {key("ana"): Verdict.FOREIGN}
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}, "what an administrator gave was taken"


def test_a_place_of_a_slow_cloud_that_ended_soon_after_a_restore_is_not_ours_for_ever(
    tmp_path: Path,
) -> None:
    """As of Identity Center. The record has forgotten nothing."""
    time = Time()
    cloud = MemoryCloud(time)
    kind = SlowAssignments(cloud, shares=Hold.SHARED)
    journal = FileJournal(tmp_path / "journal")
    world = World(tmp_path, time=time, cloud_=cloud, kinds_={KIND: kind}, journal=journal)
    first = world.ask("ana")
    kind.finish()
    time.forward(seconds=6)
    assert world.advance.wake(first.id).state is State.ACTIVE
    world.broker.restored(caller("ben"), time(), "The disk broke")
    time.forward(minutes=1)
    world.give_back(first)
    kind.finish()
    world.sweep_until_quiet()
    assert world.now(first).state is State.ENDED
    time.forward(minutes=25)
    found = reconcile(world, ends_leaked=True)
    assert (found.findings, found.is_finished) == ((), True)
    is_given_by_hand_and_keeps_it(world)


def test_what_was_on_its_way_and_never_landed_is_not_ours_for_ever(tmp_path: Path) -> None:
    older = restored(a_world(tmp_path))
    older.time.forward(seconds=6)
    older.sweep()
    older.time.forward(minutes=1)
    assert reconcile(older, ends_leaked=True).is_finished
    is_given_by_hand_and_keeps_it(older)


def test_nor_what_a_record_that_was_lost_never_knew_of(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    world.ask("ana", minutes=60)
    world.cloud.unassign_by_hand("ana", "reader")  # somebody has cleared up
    later = a_world(tmp_path, like=world)
    later.time.forward(minutes=1)
    assert reconcile(later, ends_leaked=True).is_finished
    is_given_by_hand_and_keeps_it(later)
