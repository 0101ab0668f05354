"""The process dies before every call of a whole lifetime, one after the other: none is sampled.

Dying after a call has had its effect is dying before the next one, so both are covered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from jitcloud.model import RequestId
from jitcloud.ports import Store
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from tests.faults import Killed, Switch
from tests.world import Time, World, caller


def approved_and_given_back(world: World) -> None:
    request = world.ask(what="prod-write", minutes=10)
    world.approve(request)
    world.time.forward(minutes=1)
    world.give_back(request)


def overlapping_and_run_out(world: World) -> None:
    world.ask(minutes=10)
    world.time.forward(minutes=5)
    world.ask(minutes=10)
    world.time.forward(minutes=5)
    world.sweep()
    world.time.forward(minutes=5)
    world.sweep()


def scheduled_and_revoked(world: World) -> None:
    request = world.ask(minutes=10, start=world.time() + world.broker.patience.activation)
    world.time.forward(hours=1, seconds=30)
    world.sweep()
    world.broker.revoke(caller("caro"), request.id, world.time(), "no longer needed")
    world.advance.wake(request.id)


def memory(folder: Path) -> Store:  # noqa: ARG001 - it needs none
    return MemoryStore()


def sqlite(folder: Path) -> Store:
    return SqliteStore(folder / "jitcloud.db")


@pytest.mark.parametrize("make_store", [memory, sqlite])
@pytest.mark.parametrize(
    "lifetime", [approved_and_given_back, overlapping_and_run_out, scheduled_and_revoked]
)
def test_dying_before_any_call_of_a_lifetime_leaves_nothing_alive_past_the_deadline(
    tmp_path: Path, lifetime: Callable[[World], None], make_store: Callable[[Path], Store]
) -> None:
    survived = 0
    for at in range(1, 1000):
        folder = tmp_path / str(at)
        folder.mkdir()
        store, time = make_store(folder), Time()
        cloud = MemoryCloud(time)
        switch = Switch(at)
        kinds = {KIND: switch.over(MemoryAssignments(cloud), "see", "put", "remove")}
        doomed = World(folder, time=time, store=switch.over(store), cloud_=cloud, kinds_=kinds)
        with contextlib.suppress(Killed):
            lifetime(doomed)
        restarted = World(folder, time=time, store=store, cloud_=cloud)
        _whoever_has_access_has_an_end_on_record(restarted)
        _past_the_deadline_all_is_over(restarted, switch.calls[-1])
        store.close()
        if len(switch.calls) < at:
            survived = at
            break
    assert survived > 30, "the enumeration must have reached the end of a lifetime"


def _whoever_has_access_has_an_end_on_record(world: World) -> None:
    for role in ("reader", "writer"):
        for person in world.cloud.who_can(role):
            ends = [r.window for r in world.unfinished() if r.person == person]
            assert any(ends), f"{person} has {role} and no end is on record"


def _past_the_deadline_all_is_over(world: World, last: str) -> None:
    world.time.forward(minutes=20)
    world.sweep_until_quiet(step=600)  # an undecided request lapses after a day
    for role in ("reader", "writer"):
        assert world.cloud.who_can(role) == frozenset(), f"after dying at {last}"
    names: tuple[RequestId, ...] = world.store.ids(100)
    for name in names:
        assert world.now(name).state.is_finished
        assert world.store.wake_at(name) is None
    world.verify_all()
    # Whatever a slot still wants (to look once more) it has had by now.
    world.time.forward(hours=1)
    world.sweep()
    assert world.store.due(world.time(), 10) == ()
