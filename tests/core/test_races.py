"""Several processes at one record."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pytest

from jitcloud import slots
from jitcloud.errors import Conflict, Tampered
from jitcloud.model import RequestId, State
from jitcloud.ports import Change
from jitcloud.stores.sqlite import SqliteStore
from tests.processes import PROCESSES
from tests.world import World, caller

ROUNDS = 200


def _vote(folder: Path, person: str, barrier: Barrier, names: list[RequestId]) -> None:
    """One process: vote in each round at the same moment as the other, then drive the request."""
    (folder / person).mkdir()
    store = SqliteStore(folder / "jitcloud.db")
    world = World(folder / person, store=store)
    for name in names:
        barrier.wait(30)
        world.broker.approve(caller(person), name, world.time())
        try:
            world.advance.wake(name)
        except Conflict:
            continue  # the other process drives it
    store.close()


def test_two_processes_voting_at_once_both_count_and_activate_once(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / "jitcloud.db")
    world = World(tmp_path, store=store)
    names = [world.ask(what="prod-admin").id for _ in range(ROUNDS)]
    barrier = PROCESSES.Barrier(2)
    voters = [
        PROCESSES.Process(target=_vote, args=(tmp_path, person, barrier, names))
        for person in ("ben", "caro")
    ]
    for voter in voters:
        voter.start()
    for voter in voters:
        voter.join(120)
    assert [voter.exitcode for voter in voters] == [0, 0]
    for name in names:
        kinds = [line.event.what.type for line in store.events(name)]
        assert kinds.count("voted") == 2, kinds
        assert kinds.count("approved") == 1, kinds
        assert kinds.count("activating") == 1, kinds
        assert {vote.by for vote in world.now(name).votes} == {"ben", "caro"}
        assert world.now(name).state in {State.ACTIVATING, State.ACTIVE}
    world.verify_all()
    store.close()


def test_an_end_begins_though_somebody_drives_its_place_at_the_same_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=10)
    place = world.now(request).places.grant
    assert place is not None
    world.time.forward(minutes=10)
    commit = world.store.commit

    def overtaken(change: Change) -> None:
        monkeypatch.setattr(world.store, "commit", commit)
        world.advance.wake_slot(place.key)  # both have their wake-up at the deadline
        commit(change)

    monkeypatch.setattr(world.store, "commit", overtaken)
    assert world.advance.wake(request.id).state in {State.ENDING, State.ENDED}


def test_whoever_insists_is_told_that_others_were_faster_each_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=10)
    world.time.forward(minutes=10)

    def overtaken(_: Change) -> None:
        raise Conflict("Somebody was faster.")

    with monkeypatch.context() as patched:
        patched.setattr(world.store, "commit", overtaken)
        assert world.advance.wake(request.id).state is State.ACTIVE
        with pytest.raises(Conflict):
            world.advance.wake(request.id, insists=True)
    assert world.advance.wake(request.id, insists=True).state in {State.ENDING, State.ENDED}


def test_whoever_records_an_end_takes_the_place_with_the_same_commit_and_wakes_nobody_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=10)
    world.time.forward(minutes=10)
    changes, commit = list[Change](), world.store.commit

    def noted(change: Change) -> None:
        commit(change)
        changes.append(change)

    monkeypatch.setattr(world.store, "commit", noted)
    assert world.advance.wake(request.id).state is State.ENDED
    ending, emptied, ended = changes
    (move,), (slot,) = ending.moves, ending.slots
    assert slot.claim is not None
    assert (move.request.state, move.wake_at) == (State.ENDING, slot.claim.until)
    assert slot.wake_at == slot.claim.until, "should it die now, both are due when that ends"
    assert (emptied.moves, [each.claim for each in emptied.slots]) == ((), [None])
    assert (ended.slots, ended.moves[0].request.state) == ((), State.ENDED)


def test_an_end_takes_no_place_that_another_drives(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=10)
    place = world.now(request).places.grant
    assert place is not None
    world.time.forward(minutes=10)
    slot = world.store.slot(place.key)
    assert slot is not None
    other = slots.claim(slot, "another", world.time() + timedelta(seconds=15))
    world.store.commit(Change(slots=(replace(other, version=slot.version + 1),)))
    assert world.advance.wake(request.id).state is State.ENDING
    left = world.store.slot(place.key)
    assert left is not None
    assert (left.claim, left.holders) == (other.claim, ())
    assert world.cloud.who_can("reader") == {"ana"}, "only one may tell the cloud"
    world.time.forward(seconds=15)
    assert world.advance.wake(request.id).state is State.ENDED
    assert not world.cloud.who_can("reader")


def test_an_end_is_recorded_though_it_cannot_be_told_whether_it_is_the_places_turn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What holds for the deployment is asked for where somebody else has the place, too."""
    world = World(tmp_path)
    first = world.ask(minutes=10)
    world.ask(minutes=20)
    world.time.forward(minutes=10)

    def spoilt() -> None:
        raise Tampered("The row cannot be read.")

    monkeypatch.setattr(world.store, "controls", spoilt)
    with suppress(Tampered):
        world.advance.wake(first.id)
    assert world.now(first).state in {State.ENDING, State.ENDED}
