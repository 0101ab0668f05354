"""Crashes, races and refusals at the worst instant: none leaves access, hides it, or takes it."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from jitcloud.asking import Wish
from jitcloud.errors import CloudRefused, Conflict, Refused, Throttled
from jitcloud.journals.file import FileJournal
from jitcloud.model import (
    EntitlementId,
    Evidence,
    Hold,
    Holder,
    Request,
    RequestId,
    Slot,
    SlotKey,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.memory import KIND, Fault, MemoryAssignments, MemoryCloud, MemoryMechanism
from jitcloud.stores.memory import MemoryStore
from tests.core.test_brakes import RIGHTS
from tests.faults import Killed
from tests.reconciling import reconcile
from tests.slow_cloud import SlowAssignments
from tests.slow_world import OUTLIVES, Here, a_world, an_active_one
from tests.told_world import PEOPLE as WITH_CARO
from tests.world import Time, World, caller


@pytest.fixture
def here(tmp_path: Path) -> Here:
    return a_world(tmp_path)


def asked(world: World, person: str = "ana") -> Request:
    """Ask, and drive nothing yet."""
    return world.broker.request(
        caller(person),
        EntitlementId("dev-read"),
        duration=timedelta(minutes=60),
        justification="testing",
        now=world.time(),
    )


# ── Calls that were lost with whoever made them ──────────────────────────────────────────────


def test_a_create_that_was_lost_behind_a_recorded_removal_is_found(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = an_active_one(here)
    here.world.give_back(first)
    second = asked(here.world)
    here.kind.finish()
    here.world.time.forward(seconds=6)
    with monkeypatch.context() as dies:
        dies.setattr(SlowAssignments, "put", then_dies(SlowAssignments.put))
        with suppress(Killed):
            here.world.advance.wake(second.id)
    here.world.give_back(here.world.now(second))
    here.on(minutes=3)
    assert here.state(second) is State.ENDING, "for the create may still land"
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=3)
    assert here.state(second) is State.ENDED
    assert not here.can()


def then_dies(call: Any) -> Any:
    def made(self: SlowAssignments, *args: Any) -> None:
        call(self, *args)
        raise Killed

    return made


def test_a_removal_whose_answer_was_lost_does_not_take_a_newcomers_access(here: Here) -> None:
    first = an_active_one(here)
    here.kind.loses.append("remove")
    here.world.give_back(first)
    here.on(seconds=10)
    second = here.ask()
    here.on(seconds=30)
    assert here.state(second) is State.ACTIVATING
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(second) is State.ACTIVE
    assert here.can()


def test_a_removal_whose_driver_died_does_not_take_a_newcomers_access(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = an_active_one(here)
    here.world.broker.give_back(caller("ana"), first.id, here.world.time())
    with monkeypatch.context() as dies:
        dies.setattr(SlowAssignments, "remove", then_dies(SlowAssignments.remove))
        with suppress(Killed):
            here.world.advance.wake(first.id)
    second = here.ask()
    here.on(seconds=40)
    assert here.state(second) is State.ACTIVATING
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=2)
    assert here.state(second) is State.ACTIVE
    assert here.can()


# ── What was made of access ──────────────────────────────────────────────────────────────────


def test_a_create_that_fails_does_not_make_forget_what_was_there_before(tmp_path: Path) -> None:
    here = a_world(tmp_path, OUTLIVES)
    first = an_active_one(here)
    here.world.give_back(first)
    second = here.ask()
    here.kind.finish()
    here.on(seconds=6)
    here.world.give_back(second)
    here.kind.finish(fails="The account is suspended.")
    here.on(minutes=3)
    assert here.state(first) is State.ENDING, "for its sessions live on for an hour"
    assert here.world.now(first).removed_at is not None


def test_nobody_holds_it_on_who_never_got_in(tmp_path: Path) -> None:
    here = a_world(tmp_path, OUTLIVES)
    first = an_active_one(here)
    here.world.give_back(first)
    second = here.ask()
    here.kind.finish()
    here.on(seconds=6)
    here.kind.finish(fails="The account is suspended.")
    here.on(seconds=6)
    here.world.give_back(second)
    while any(task.progress == "running" for task in here.kind.tasks):
        here.kind.finish(fails="The account is suspended.")
    here.on(minutes=3)
    assert here.state(first) is State.ENDING
    assert here.world.now(first).evidence is not Evidence.OTHERS_HOLD


def test_what_is_made_of_a_leak_is_waited_for_anew(tmp_path: Path) -> None:
    world = World(tmp_path, mechanisms={KIND: MemoryMechanism(outlives=OUTLIVES)})
    request = world.give_back(world.ask())
    world.time.forward(hours=2)
    world.sweep()
    assert world.now(request).state is State.ENDED
    world.time.forward(hours=2)
    world.cloud.assign_by_hand("ana", "reader")
    assert reconcile(world, ends_leaked=True).tally.leaked == 1
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()
    assert world.now(request).state is State.ENDING
    world.time.forward(hours=2)
    world.sweep()
    assert world.now(request).state is State.ENDED
    world.verify_all()


# ── Refusals ─────────────────────────────────────────────────────────────────────────────────


def test_who_may_not_ask_after_a_create_still_removes_what_it_may_have_made(
    here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = here.ask()
    here.kind.finish()
    monkeypatch.setattr(SlowAssignments, "follow", refused)
    here.world.give_back(request)
    here.on(hours=1)
    assert "remove" in here.kind.told
    assert here.state(request) is State.ENDING


def test_who_may_not_look_still_removes(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    request = an_active_one(here)
    with monkeypatch.context() as busy:
        busy.setattr(SlowAssignments, "remove", throttled)
        here.world.give_back(request)
    monkeypatch.setattr(SlowAssignments, "see", refused)
    here.on(hours=1)
    assert "remove" in here.kind.told
    assert here.state(request) is State.ENDING


def refused(*_: object) -> None:
    raise CloudRefused("You do not have sufficient access to perform this action.")


def throttled(*_: object) -> None:
    raise Throttled("It is too busy.")


# ── Two at once ──────────────────────────────────────────────────────────────────────────────


class Hooked(MemoryCloud):
    """Lets something happen right after a read."""

    hook: Any = None
    only_after: str = ""

    def has(self, person: str, role: str) -> bool:
        found = super().has(person, role)
        if self.hook is not None and self.only_after in {"", *self.calls[-2:-1]}:
            hook, self.hook = self.hook, None
            hook()
        return found


def two(folder: Path) -> tuple[World, World, Hooked]:
    time, store = Time(), MemoryStore()
    cloud = Hooked(time)
    both = [World(folder, time=time, store=store, cloud_=cloud) for _ in range(2)]
    return both[0], both[1], cloud


def test_who_leaves_between_the_last_read_and_its_commit_is_seen_to_be_gone(
    tmp_path: Path,
) -> None:
    one, other, cloud = two(tmp_path)
    x, y = one.ask(minutes=10), one.ask(minutes=10)
    one.time.forward(minutes=10)

    def meanwhile() -> None:
        one.time.forward(seconds=0.01)
        other.advance.wake(y.id)

    cloud.hook, cloud.only_after = meanwhile, "unassign"
    one.advance.wake(x.id)
    one.time.forward(seconds=1)
    one.sweep()
    assert {one.now(x).state, one.now(y).state} == {State.ENDED}


def test_who_joins_between_the_last_read_and_its_commit_is_seen_to_be_in(tmp_path: Path) -> None:
    one, other, cloud = two(tmp_path)
    joined: list[Request] = []

    def meanwhile() -> None:
        one.time.forward(seconds=0.01)
        joined.append(other.ask(minutes=60))

    cloud.hook, cloud.only_after = meanwhile, "assign"
    one.ask(minutes=60)
    one.time.forward(seconds=1)
    one.sweep()
    assert one.now(joined[0]).state is State.ACTIVE


@pytest.mark.parametrize("back", [2, 60])
def test_a_clock_that_was_set_back_keeps_no_end_from_being_seen(tmp_path: Path, back: int) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=30)
    world.time.forward(minutes=5)
    world.extend(request, 30)
    world.time.forward(seconds=-back)
    world.give_back(request)
    woken = 0
    for _ in range(back + 5):
        world.time.forward(seconds=1)
        woken += world.sweep().woken
    assert world.now(request).state is State.ENDED


# ── Forged, restored, attested ───────────────────────────────────────────────────────────────


def forged(**what: Any) -> Slot:
    mallory = {"person": "mallory", "role": "admin"}
    key = SlotKey(f"{KIND}/mallory/admin")
    return replace(Slot(key=key, kind=KIND, where=mallory, version=1), **what)


def test_a_row_of_a_slot_gives_nobody_anything(tmp_path: Path) -> None:
    world = World(tmp_path)
    real = world.ask()
    until = world.time() + timedelta(days=900)
    for name in (RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG"), real.id):
        found = world.store.slot(forged().key)
        version = 1 if found is None else found.version + 1
        holder = Holder(request=name, until=until)
        row = forged(holders=(holder,), wake_at=world.time(), version=version)
        world.store.commit(Change(slots=(row,)))
        world.sweep()
        assert world.cloud.who_can("admin") == frozenset()


def test_nor_longer_than_was_decided(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.cloud.faults.append(Fault.THROTTLED)
    request = world.ask(minutes=10)
    slot = world.slot(request)
    later = tuple(replace(h, until=h.until + timedelta(days=900)) for h in slot.holders)
    world.store.commit(Change(slots=(replace(slot, holders=later, version=slot.version + 1),)))
    world.time.forward(seconds=5)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()


def copied(store: MemoryStore) -> MemoryStore:
    """A backup."""
    made = MemoryStore()
    for name in ("_requests", "_wakes", "_events", "_slots", "_marks"):
        getattr(made, name).update(getattr(store, name))
    return made


def test_after_a_restore_nobody_is_let_in_who_was_on_their_way(tmp_path: Path) -> None:
    time, store = Time(), MemoryStore()
    cloud = MemoryCloud(time)
    world = World(tmp_path, time=time, cloud_=cloud, store=store)
    cloud.faults.append(Fault.THROTTLED)
    request = world.ask(minutes=60)
    backup = copied(store)
    time.forward(seconds=5)
    world.sweep()
    world.broker.revoke(caller("ben"), request.id, time(), "stolen")
    world.sweep()
    time.forward(minutes=1)
    old = World(tmp_path, time=time, cloud_=cloud, store=backup)
    old.broker.restored(caller("ben"), time(), "a broken disk")
    old.sweep()
    assert cloud.who_can("reader") == frozenset()
    time.forward(hours=1)
    old.sweep_until_quiet()
    assert cloud.who_can("reader") == frozenset()


def test_what_the_journal_knows_to_be_ours_is_not_taken_for_standing(tmp_path: Path) -> None:
    time, store, journal = Time(), MemoryStore(), FileJournal(tmp_path / "journal")
    cloud = MemoryCloud(time)
    kinds = {KIND: MemoryAssignments(cloud, shares=Hold.SHARED)}
    made = partial(World, tmp_path, time=time, cloud_=cloud, kinds_=kinds, journal=journal)
    world = made(store=store)
    with pytest.MonkeyPatch.context() as busy:
        busy.setattr(cloud, "has", throttled)
        request = world.ask(minutes=60)
    backup = copied(store)
    time.forward(seconds=5)
    world.sweep()
    assert cloud.who_can("reader") == {"ana"}
    old = made(store=backup)
    time.forward(minutes=1)
    old.broker.restored(caller("ben"), time(), "a broken disk")
    old.sweep()
    reconcile(old, ends_leaked=True)
    time.forward(hours=2)
    old.sweep_until_quiet()
    assert old.now(request).state is State.ENDED
    assert cloud.who_can("reader") == frozenset()


def test_what_others_fill_after_our_end_stays_theirs_though_the_record_is_lost(
    tmp_path: Path,
) -> None:
    time, journal = Time(), FileJournal(tmp_path / "journal")
    cloud = MemoryCloud(time)
    kinds = {KIND: MemoryAssignments(cloud, shares=Hold.SHARED)}
    made = partial(World, tmp_path, time=time, cloud_=cloud, kinds_=kinds, journal=journal)
    world = made()
    world.give_back(world.ask())
    time.forward(days=200)
    cloud.assign_by_hand("ana", "reader")
    lost = made()
    found = reconcile(lost, ends_leaked=True)
    lost.sweep()
    assert found.tally.leaked == 0
    assert cloud.who_can("reader") == {"ana"}


class Busy(MemoryCloud):
    """It shows what is there, and takes nothing away."""

    busy = False

    def set(self, person: str, role: str, *, present: bool) -> None:
        if self.busy:
            raise Throttled("A conflict with a previous successful write is detected.")
        super().set(person, role, present=present)


def test_what_is_shown_at_each_try_has_not_vanished(tmp_path: Path) -> None:
    time = Time()
    cloud = Busy(time)
    world = World(tmp_path, time=time, cloud_=cloud, policy_text=RIGHTS, people_text=WITH_CARO)
    request = world.approve(world.ask(what="prod-write"))
    cloud.busy = True
    time.forward(minutes=30)
    world.sweep()
    for _ in range(26):
        time.forward(hours=1)
        world.sweep()
    with pytest.raises(Refused, match="has not vanished"):
        world.broker.attest(caller("caro"), request.id, time(), "gone, surely")


def test_what_was_attested_with_a_call_under_way_is_found_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    time = Time()
    cloud = MemoryCloud(time)
    kind = SlowAssignments(cloud)
    world = World(
        tmp_path,
        time=time,
        cloud_=cloud,
        kinds_={KIND: kind},
        policy_text=RIGHTS,
        people_text=WITH_CARO,
    )
    request = world.approve(world.ask(what="prod-write"))
    kind.finish()
    time.forward(seconds=10)
    world.sweep()
    world.give_back(request)
    with monkeypatch.context() as closed:
        closed.setattr(SlowAssignments, "follow", refused)
        closed.setattr(SlowAssignments, "see", refused)
        closed.setattr(SlowAssignments, "remove", refused)
        for _ in range(26):
            time.forward(hours=1)
            world.sweep()
        world.broker.attest(caller("caro"), request.id, time(), "the account is closed")
    assert world.now(request).evidence is Evidence.ATTESTED
    assert reconcile(world).tally.leaked == 1


def test_an_id_whose_successor_is_taken_is_refused_as_a_conflict(tmp_path: Path) -> None:
    world = World(tmp_path)
    taken = RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFH")
    world.ask("ben", id_=taken)
    with pytest.raises(Conflict):
        world.broker.request_all(
            caller("ana"),
            [EntitlementId("dev-read"), EntitlementId("prod-write")],
            Wish(duration=timedelta(minutes=5), justification="testing"),
            world.time(),
            RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG"),
        )


def test_a_cloud_that_is_slow_to_answer_is_still_told_and_that_is_on_record(here: Here) -> None:
    """Reading has taken so long that the call would land after the claim: it is made longer."""
    request = an_active_one(here)
    real = MemoryAssignments.see

    def slow(self: MemoryAssignments, slot: Slot, now: Any) -> Any:
        here.world.time.forward(seconds=8)
        return real(self, slot, now)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SlowAssignments, "remove", throttled)
        here.world.give_back(request)
        patch.undo()
        patch.setattr(MemoryAssignments, "see", slow)
        here.world.time.forward(seconds=5)
        here.world.sweep()
        slot = here.slot(request)
    assert here.kind.told.count("remove") == 1
    assert slot.claim is None
    assert slot.operation is not None
    assert slot.operation.id
    here.kind.finish()
    here.on(minutes=2)
    assert here.state(request) is State.ENDED


def test_who_joins_in_the_instant_of_a_removal_is_not_in_on_what_was_seen_before_it(
    here: Here,
) -> None:
    first = an_active_one(here)
    here.world.sweep()
    ask = partial(here.world.ask, minutes=30)
    again = ask()  # it is there, and seen to be, at this very instant
    for request in (first, again):
        here.world.give_back(request)
    newcomer = ask()
    assert here.kind.told.count("remove") == 1
    assert here.state(newcomer) is State.ACTIVATING
    here.kind.finish()
    here.on(minutes=1)
    here.kind.finish()
    here.on(minutes=1)
    assert here.state(newcomer) is State.ACTIVE
    assert here.can()
