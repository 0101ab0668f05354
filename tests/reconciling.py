"""How tests compare a cloud in memory with its record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from jitcloud.model import Area, Listing, Reconciled, Sight, Slot, SlotKey
from jitcloud.providers.memory import KIND, MemoryAssignments
from jitcloud.reconcile import Compared, Reconciler
from jitcloud.verdicts import Verdict
from tests.world import World

READER = f"{KIND}/reader"
AT_ONCE = timedelta(0)
"""So that each run ends after what it does at least."""


def reconcile(
    world: World, *, within: timedelta = timedelta(minutes=5), **options: object
) -> Compared:
    """Compare once, as a process of its own would that has just begun."""
    reconciler = Reconciler(
        ledger=world.ledger,
        kinds=world.kinds,
        mechanisms=world.mechanisms,
        catalog=world.advance.judge.catalog,
        clock=world.time,
        journal=world.journal,
        **options,  # type: ignore[arg-type] # any of them, for brevity in tests
    )
    return reconciler.run(within)


def to_the_end(world: World, **options: object) -> list[Compared]:
    """Compare in runs that are as short as can be, each in a process of its own."""
    found = []
    for _ in range(1000):
        found.append(reconcile(world, within=AT_ONCE, **options))
        if found[-1].is_over:
            return found
    raise AssertionError(found[-1])


def key(person: str, role: str = "reader") -> SlotKey:
    return SlotKey(f"{KIND}/{person}/{role}")


def verdicts(found: Compared) -> dict[str, Verdict]:
    return {finding.place: finding.verdict for finding in found.findings}


def lost(world: World) -> World:
    """The same cloud, and an empty record."""
    return World(world.folder, time=world.time, cloud_=world.cloud, kinds_=world.kinds)


def with_kind(world: World, kind: MemoryAssignments) -> World:
    """The same record and cloud, reached in another way."""
    return World(
        world.folder,
        time=world.time,
        store=world.store,
        cloud_=world.cloud,
        kinds_={KIND: kind},
    )


def reconciled(world: World) -> list[Reconciled]:
    """What the deployment's own trail says of comparisons that were finished."""
    trail = [line.event.what for line in world.store.control_events()]
    return [what for what in trail if isinstance(what, Reconciled)]


@dataclass(frozen=True, slots=True)
class Listed(MemoryAssignments):
    """Places of which something happens between their list and what is done about it."""

    on_list: Callable[[], object] = lambda: None
    on_see: Callable[[], object] = lambda: None

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        listing = super(Listed, self).ours(area, after, now)
        if area.key == READER:
            self.on_list()
        return listing

    def see(self, slot: Slot, now: datetime) -> Sight:
        sight = super(Listed, self).see(slot, now)
        self.on_see()
        return sight
