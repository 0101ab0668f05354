"""What somebody gives after our end is taken for ours, for it is noted still."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from jitcloud.errors import Unavailable
from jitcloud.journals.file import FileJournal
from jitcloud.model import Evidence, Slot, State
from jitcloud.verdicts import Verdict
from tests.core.test_reconcile_shared import a_world
from tests.reconciling import key, reconcile, verdicts
from tests.world import World, caller


class Full(FileJournal):
    """A journal on a disk that is full by the time that a place is to be crossed out."""

    def cross_out(self, slot: Slot, now: datetime) -> None:  # noqa: ARG002 - it takes nothing
        raise Unavailable("The disk is full.")


def is_given_by_hand_asks_and_keeps_it(world: World) -> None:
    world.time.forward(hours=24)
    world.cloud.assign_by_hand("ana", "reader")  # a new job: standing access
    assert verdicts(reconcile(world)) == {key("ana"): Verdict.FOREIGN}
    second = world.ask("ana", minutes=5)
    assert second.state is State.ACTIVE
    world.time.forward(minutes=6)
    world.sweep_until_quiet()
    assert world.now(second).evidence is Evidence.OTHERS_HOLD
    assert world.cloud.who_can("reader") == {"ana"}, "what an administrator gave was taken"


def test_an_end_between_a_restore_and_its_comparison_takes_nobodys_later(tmp_path: Path) -> None:
    world = a_world(tmp_path)
    first = world.ask("ana", minutes=60)
    world.time.forward(minutes=10)
    world.broker.restored(caller("ben"), world.time(), "The disk broke")
    world.time.forward(minutes=1)
    world.give_back(first)
    world.time.forward(seconds=30)
    world.sweep()
    assert world.now(first).state is State.ENDED
    assert reconcile(world, ends_leaked=True).is_finished
    is_given_by_hand_asks_and_keeps_it(world)


def test_an_end_that_could_not_be_crossed_out_takes_nobodys_later(tmp_path: Path) -> None:
    world = a_world(tmp_path, journal=Full(tmp_path / "journal"))
    world.give_back(world.ask("ana"))
    is_given_by_hand_asks_and_keeps_it(world)
