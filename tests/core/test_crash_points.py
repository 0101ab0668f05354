"""The process dies before every call of a whole lifetime, one after the other: none is sampled.

Dying after a call has had its effect is dying before the next one, so both are covered.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import pytest

from jitcloud.controls import EVERYTHING
from jitcloud.model import RequestId, State
from jitcloud.ports import Store
from jitcloud.providers.memory import KIND, MemoryAssignments, MemoryCloud
from jitcloud.stores.memory import MemoryStore
from jitcloud.stores.sqlite import SqliteStore
from tests.faults import Killed, Switch
from tests.world import POLICY, Time, World, caller


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


def extended_twice_and_run_out(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=10))
    world.time.forward(minutes=5)
    world.approve(world.extend(request, minutes=10))
    world.extend(request, minutes=5)
    world.time.forward(minutes=15)
    world.sweep()


def braked(world: World) -> None:
    world.ask(minutes=10)
    world.ask("ben", "dev-read", minutes=10)
    pending = world.ask(what="prod-write", minutes=10)
    world.time.forward(seconds=1)
    world.broker.stop(caller("ben"), EVERYTHING, world.time(), "stop")
    world.broker.end_all(caller("ben"), EVERYTHING, world.time(), "end")
    world.sweep()
    assert world.now(pending).state is State.WITHDRAWN


def broken_glass(world: World) -> None:
    request = world.ask(what="prod-admin", minutes=10, incident="INC-1", break_glass=True)
    world.time.forward(minutes=5)
    now = world.time()
    world.broker.review(caller("ben"), request.id, now, fine=True, note="rightly")
    world.give_back(request)


RULES = (
    POLICY
    + """
@id("glass")
@review("within 1h by leads")
permit (principal in Group::"developers", action == Action::"breakGlass", resource);
@id("may-stop")
permit (principal in Group::"leads", action == Action::"stop", resource);
@id("may-end")
permit (principal in Group::"leads", action == Action::"end", resource);
"""
)


def memory(folder: Path) -> Store:  # noqa: ARG001 - it needs none
    return MemoryStore()


def sqlite(folder: Path) -> Store:
    return SqliteStore(folder / "jitcloud.db")


LIFETIMES = (
    approved_and_given_back,
    overlapping_and_run_out,
    scheduled_and_revoked,
    extended_twice_and_run_out,
    braked,
    broken_glass,
)
ON_DISK = (approved_and_given_back, scheduled_and_revoked, extended_twice_and_run_out)
"""Each commit is written out there, which takes its time: the steps are the same."""


@pytest.mark.parametrize(
    ("lifetime", "make_store"),
    [*((each, memory) for each in LIFETIMES), *((each, sqlite) for each in ON_DISK)],
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
        doomed = World(
            folder,
            time=time,
            store=switch.over(store),
            cloud_=cloud,
            kinds_=kinds,
            policy_text=RULES,
        )
        with contextlib.suppress(Killed):
            lifetime(doomed)
        restarted = World(folder, time=time, store=store, cloud_=cloud, policy_text=RULES)
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
    world.verify_all()
    # Whatever a slot still wants (to look once more), and a review, it has had by now.
    world.time.forward(hours=1)
    world.sweep()
    assert all(world.store.wake_at(name) is None for name in names)
    assert world.store.due(world.time(), 10) == ()
