"""What is asked before a grant call may hang, and the call lands after the end."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import pytest

from jitcloud.advance import Advance
from jitcloud.journals.file import FileJournal
from jitcloud.model import Hold, Slot, State
from jitcloud.ports import SlotKinds
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud
from jitcloud.sweep import sweep
from tests.world import Time, World


@dataclass
class Hanging:
    """Something that does not answer before what happens meanwhile has happened."""

    meanwhile: Callable[[], None] | None = None

    def answer(self) -> None:
        happens, self.meanwhile = self.meanwhile, None
        if happens is not None:
            happens()


class FarAway(FileJournal):
    """A journal on a disk that hangs once."""

    hanging = Hanging()

    def note(self, slot: Slot, now: datetime) -> None:
        super().note(slot, now)
        self.hanging.answer()


def a_world(folder: Path, hold: Hold) -> World:
    time = Time()
    cloud = MemoryCloud(time)
    kinds: SlotKinds = {KIND: MemoryAssignments(cloud, shares=hold)}
    return World(folder, time=time, cloud_=cloud, kinds_=kinds, journal=FarAway(folder / "journal"))


def the_others(world: World) -> Advance:
    """Another process, which nothing keeps waiting."""
    journal = FileJournal(world.folder / "journal")
    converger = replace(world.converger, journal=journal, doubts=None)
    return Advance(world.ledger, world.advance.judge, converger)


@pytest.mark.parametrize("hold", [Hold.SHARED, Hold.EXCLUSIVE])
def test_a_grant_call_is_not_made_once_its_claim_or_its_deadline_has_passed(
    tmp_path: Path, hold: Hold
) -> None:
    world = a_world(tmp_path, hold)
    hanging = Hanging()
    if hold is Hold.SHARED:
        FarAway.hanging = hanging
    else:
        proven = world.ledger.doubts

        def doubts(slot: Slot, now: datetime) -> str:
            said = proven(slot, now)
            hanging.answer()  # the record is slow: a table that throttles, a disk that hangs
            return said

        world.advance = Advance(
            world.ledger, world.advance.judge, replace(world.converger, doubts=doubts)
        )

    def an_end() -> None:
        for _ in range(3):
            world.time.forward(minutes=2)
            sweep(the_others(world))

    hanging.meanwhile = an_end
    request = world.ask("ana", minutes=5)
    assert world.now(request).state is State.ENDED, "the others have seen that place empty"
    world.time.forward(minutes=10)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset(), "it ended, and nobody looks there any more"
