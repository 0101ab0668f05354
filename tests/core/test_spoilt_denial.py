"""A row of what denies that cannot be read keeps early ends from beginning."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from jitcloud.errors import JitError, Tampered
from jitcloud.model import Slot, SlotKey
from jitcloud.providers.memory import KIND, MemoryCloud
from jitcloud.stores.memory import MemoryStore
from tests.core.test_denials import DENIALS, OUTLIVES, Deniable, Denials, Here
from tests.slow_cloud import SlowAssignments
from tests.world import Time, World


class Spoilt(MemoryStore):
    """A record in which the row of the account's deny document cannot be read any more."""

    is_spoilt: bool = False

    def slot(self, slot: SlotKey) -> Slot | None:
        if self.is_spoilt and slot == "denials":
            raise Tampered("That row cannot be read.")
        return super().slot(slot)


def test_an_assignment_is_taken_away_though_the_row_of_what_denies_is_spoilt(
    tmp_path: Path,
) -> None:
    time, store = Time(), Spoilt()
    cloud = MemoryCloud(time)
    kind = SlowAssignments(cloud)
    world = World(
        tmp_path,
        time=time,
        store=store,
        cloud_=cloud,
        kinds_={KIND: kind, DENIALS: Denials()},
        mechanisms={KIND: Deniable(outlives=OUTLIVES)},
    )
    here = Here(world, kind, Denials())
    request = here.ask(minutes=240)
    store.is_spoilt = True
    with suppress(JitError):
        world.give_back(request)
    for _ in range(10):
        here.finish()
        here.on(seconds=30)
    assert cloud.who_can("reader") == frozenset(), "it was given back, and is there for four hours"
