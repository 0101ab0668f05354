"""The clouds are compared with the record: what leaked, what is missing, what is on its way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import pytest

from jitcloud.comparing import Finding
from jitcloud.errors import Tampered
from jitcloud.model import (
    Area,
    Claim,
    Entitlement,
    Evidence,
    Listing,
    Operation,
    Person,
    Places,
    Reconciled,
    Request,
    RequestId,
    Slot,
    State,
)
from jitcloud.ports import Change
from jitcloud.providers.memory import KIND, Fault, MemoryAssignments, MemoryMechanism
from jitcloud.rounds import Tally
from jitcloud.stores.memory import MemoryStore
from jitcloud.verdicts import Verdict
from tests.reconciling import Listed, key, lost, reconcile, reconciled, verdicts, with_kind
from tests.world import START, World

# ── What is as it should be ──────────────────────────────────────────────────────────────────


def test_where_clouds_and_record_agree_nothing_is_found(world: World) -> None:
    world.ask("ana")
    world.give_back(world.ask("ben"), "ben")
    world.cloud.calls.clear()
    found = reconcile(world, ends_leaked=True)
    assert world.cloud.calls == ["holders"] * 3, "what is listed is not looked at one by one"
    assert (found.findings, found.troubles) == ((), ())
    assert (found.is_over, found.is_finished) == (True, True)
    assert (found.areas, found.pages, found.places) == (3, 3, 1)
    assert reconciled(world) == [Reconciled(begun_at=START, leaked=0, missing=0, foreign=0)]
    assert world.cloud.who_can("reader") == {"ana"}


def test_a_dry_run_writes_nothing_at_all(world: World) -> None:
    class Still(MemoryStore):
        def commit(self, change: Change) -> None:
            raise AssertionError(change)

        def put_mark(self, mark: object) -> None:
            raise AssertionError(mark)

    world.cloud.assign_by_hand("mallory", "reader")
    still = World(world.folder, time=world.time, cloud_=world.cloud, store=Still())
    found = reconcile(still, is_dry=True, ends_leaked=True)
    assert verdicts(found) == {key("mallory"): Verdict.LEAKED}
    assert (found.is_over, found.is_finished) == (True, True)


# ── Leaked ───────────────────────────────────────────────────────────────────────────────────


def test_what_nobody_has_on_record_in_an_exclusive_place_has_leaked(world: World) -> None:
    world.ask("ana")
    world.cloud.assign_by_hand("mallory", "reader")
    found = reconcile(world)
    assert found.findings == (Finding(verdict=Verdict.LEAKED, place=key("mallory")),)
    assert found.is_finished, "what was only told keeps nothing from being finished"
    assert world.store.slot(key("mallory")) is None
    world.sweep_until_quiet_but(*world.unfinished())
    assert world.cloud.who_can("reader") == {"ana", "mallory"}


def test_what_has_leaked_is_ended_by_the_sweep_once_it_is_allowed(world: World) -> None:
    world.ask("ana")
    world.cloud.assign_by_hand("mallory", "reader")
    found = reconcile(world, ends_leaked=True)
    assert found.findings == (Finding(verdict=Verdict.LEAKED, place=key("mallory"), is_ended=True),)
    assert world.cloud.who_can("reader") == {"ana", "mallory"}, "a reconcile tells no cloud"
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}
    assert reconciled(world)[0].leaked == 1
    ended = world.store.slot(key("mallory"))
    assert ended is not None
    assert (ended.wake_at, ended.holders, ended.standing) == (None, (), None)
    assert reconcile(world, ends_leaked=True).findings == ()


def test_with_the_record_lost_every_exclusive_leftover_is_found_and_ended(world: World) -> None:
    for person in ("ana", "ben"):
        world.ask(person)
    world.cloud.assign_by_hand("old", "admin")
    later = lost(world)
    found = reconcile(later, is_dry=True)
    assert set(verdicts(found)) == {key("ana"), key("ben"), key("old", "admin")}
    assert reconcile(later, ends_leaked=True).tally == Tally(leaked=3)
    later.sweep()
    assert [later.cloud.who_can(role) for role in ("reader", "admin")] == [frozenset()] * 2


def test_access_that_came_back_after_its_end_reopens_the_request_that_had_it(
    world: World,
) -> None:
    request = world.give_back(world.ask("ana"))
    assert request.evidence is Evidence.SEEN_ABSENT
    world.time.forward(hours=3)
    world.cloud.assign_by_hand("ana", "reader")
    assert verdicts(reconcile(world, ends_leaked=True)) == {key("ana"): Verdict.LEAKED}
    assert world.now(request).state is State.ENDING
    world.sweep()
    ended = world.now(request)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_ABSENT)
    assert world.cloud.who_can("reader") == frozenset()
    types = [line.event.what.type for line in world.store.events(request.id)]
    assert types[-3:] == ["ended", "reopened", "ended"]
    world.verify_all()


def test_what_a_failed_request_left_fails_again_once_it_is_gone(world: World) -> None:
    world.cloud.faults.extend([Fault.REFUSED] * 100)
    request = world.ask("ana", minutes=60)
    world.sweep_until_quiet()
    assert world.now(request).state is State.FAILED
    world.cloud.faults.clear()
    world.cloud.assign_by_hand("ana", "reader")
    reconcile(world, ends_leaked=True)
    world.sweep()
    assert world.now(request).state is State.FAILED
    assert world.cloud.who_can("reader") == frozenset()
    world.verify_all()


def test_a_request_that_cannot_be_read_keeps_no_leak_from_ending(world: World) -> None:
    class Spoilt(MemoryStore):
        spoilt = False

        def request(self, request: RequestId) -> Request | None:
            if self.spoilt:
                raise Tampered("A stored request cannot be read.")
            return super().request(request)

    store = Spoilt()
    here = World(world.folder, time=world.time, cloud_=world.cloud, store=store)
    here.give_back(here.ask("ana"))
    here.cloud.assign_by_hand("ana", "reader")
    store.spoilt = True
    assert reconcile(here, ends_leaked=True).tally.leaked == 1
    here.sweep()
    assert here.cloud.who_can("reader") == frozenset()


def test_standing_access_in_an_exclusive_place_goes_with_whoever_holds_it(world: World) -> None:
    world.cloud.assign_by_hand("ana", "reader")
    request = world.ask("ana", minutes=30)
    assert verdicts(reconcile(world)) == {key("ana"): Verdict.HELD}
    assert world.slot(request).standing is True, "it was only told"
    found = reconcile(world, ends_leaked=True)
    assert found.findings == (Finding(verdict=Verdict.HELD, place=key("ana"), is_ended=True),)
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}
    assert world.now(request).state is State.ACTIVE
    assert reconcile(world, ends_leaked=True).findings == ()
    world.time.forward(minutes=30)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()
    assert world.now(request).evidence is Evidence.SEEN_ABSENT


def test_standing_access_that_a_grant_has_left_behind_has_leaked(world: World) -> None:
    world.cloud.assign_by_hand("ana", "reader")
    request = world.give_back(world.ask("ana"))
    assert request.evidence is Evidence.OTHERS_HOLD
    world.sweep()
    assert reconcile(world, ends_leaked=True).tally == Tally(leaked=1)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()
    assert world.now(request).evidence is Evidence.SEEN_ABSENT


class Outliving(MemoryMechanism):
    """What somebody made of such a role works on for an hour after it was taken away."""

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        found = super().places(entitlement, person, part=part)
        return replace(found, outlives=timedelta(hours=1))


def test_what_may_have_been_made_of_a_leak_is_waited_out(world: World) -> None:
    here = World(world.folder, mechanisms={KIND: Outliving()})
    here.cloud.assign_by_hand("ana", "reader")
    request = here.give_back(here.ask("ana"))
    here.sweep()
    here.time.forward(hours=5)
    assert reconcile(here, ends_leaked=True).tally == Tally(leaked=1)
    here.sweep()
    assert here.cloud.who_can("reader") == frozenset()
    left = here.now(request)
    assert (left.state, left.removed_at) == (State.ENDING, here.time())
    here.time.forward(hours=1, seconds=10)
    here.sweep()
    assert here.now(request).state is State.ENDED
    here.verify_all()


# ── What is not judged yet ───────────────────────────────────────────────────────────────────


def test_what_is_being_removed_is_in_motion(world: World) -> None:
    request = world.ask("ana", minutes=30)
    world.cloud.faults.extend([Fault.REFUSED] * 5)
    world.give_back(request)
    before = world.slot(request)
    assert before.wake_at is not None
    assert reconcile(world, ends_leaked=True).findings == ()
    assert world.slot(request) == before


MOVING: dict[str, Callable[[Slot], Slot]] = {
    "claimed": lambda s: replace(s, claim=Claim(by="x", until=START + timedelta(seconds=15))),
    "under way": lambda s: replace(
        s,
        operation=Operation(verb="remove", begun_at=START),
        wake_at=START + timedelta(minutes=1),
    ),
    "about to be driven": lambda s: replace(s, wake_at=START),
    "driven too recently": lambda s: replace(s, landed_by=START),
}


@pytest.mark.parametrize("how", MOVING)
def test_what_somebody_is_at_is_not_judged(world: World, how: str) -> None:
    world.cloud.assign_by_hand("ana", "reader")
    settling = MemoryAssignments(world.cloud, settle=timedelta(seconds=10))
    here = World(world.folder, time=world.time, cloud_=world.cloud, kinds_={KIND: settling})
    idle = Slot(key=key("ana"), kind=KIND, where={"person": "ana", "role": "reader"}, version=1)
    here.store.commit(Change(slots=(MOVING[how](idle),)))
    assert reconcile(here, ends_leaked=True).findings == ()
    assert here.store.slot(key("ana")) == MOVING[how](idle)
    here.store.commit(Change(slots=(replace(idle, version=2),)))
    assert verdicts(reconcile(here)) == {key("ana"): Verdict.LEAKED}


def test_a_list_that_is_old_ends_nobody(world: World) -> None:
    world.cloud.assign_by_hand("mallory", "reader")
    leave = lambda: world.cloud.unassign_by_hand("mallory", "reader")  # noqa: E731 - a fault
    here = with_kind(world, Listed(world.cloud, on_list=leave))
    found = reconcile(here, ends_leaked=True)
    assert (found.findings, found.tally) == ((), Tally())
    assert world.store.slot(key("mallory")) is None


def test_whoever_is_faster_than_the_reconcile_keeps_what_they_did(world: World) -> None:
    world.cloud.assign_by_hand("ana", "reader")
    asked: list[Request] = []

    def ask() -> None:
        if not asked:
            asked.append(world.ask("ana", minutes=30))

    found = reconcile(with_kind(world, Listed(world.cloud, on_see=ask)), ends_leaked=True)
    assert found.findings == ()
    assert world.now(asked[0]).state is State.ACTIVE
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}


def test_a_grant_that_begins_while_the_list_is_read_has_not_leaked(world: World) -> None:
    here = with_kind(world, Listed(world.cloud, on_list=lambda: world.ask("ana")))
    assert reconcile(here, ends_leaked=True).findings == ()
    assert world.cloud.who_can("reader") == {"ana"}


# ── Missing ──────────────────────────────────────────────────────────────────────────────────


def test_access_that_somebody_took_away_is_told_and_neither_ended_nor_put_again(
    world: World,
) -> None:
    request = world.ask("ana", minutes=60)
    world.cloud.unassign_by_hand("ana", "reader")
    before = world.slot(request)
    found = reconcile(world, ends_leaked=True)
    assert found.findings == (Finding(verdict=Verdict.MISSING, place=key("ana")),)
    assert found.is_finished
    world.sweep()
    assert world.slot(request) == before
    assert world.now(request).state is State.ACTIVE
    assert world.cloud.who_can("reader") == frozenset()
    assert reconciled(world)[0].missing == 1


def test_what_is_in_no_list_yet_and_seen_all_the_same_is_not_missing(world: World) -> None:
    @dataclass(frozen=True, slots=True)
    class Blind(MemoryAssignments):
        def ours(self, area: Area, after: str | None, now: datetime) -> Listing:  # noqa: ARG002 - it lists nobody
            return Listing(found=())

    world.ask("ana", minutes=60)
    assert reconcile(with_kind(world, Blind(world.cloud))).findings == ()


@pytest.mark.parametrize("fault", [Fault.LOST, Fault.REFUSED])
def test_what_was_never_seen_there_is_not_missing(world: World, fault: Fault) -> None:
    world.cloud.faults.append(fault)
    assert world.ask("ana").state is State.ACTIVATING
    assert reconcile(world).findings == ()


def test_a_grant_that_ends_meanwhile_is_not_missing(world: World) -> None:
    request = world.ask("ana", minutes=60)
    given: list[Request] = []

    def give_back() -> None:
        if not given:
            given.append(world.give_back(request))

    world.cloud.unassign_by_hand("ana", "reader")
    assert reconcile(with_kind(world, Listed(world.cloud, on_list=give_back))).findings == ()
