"""What people made of a place before they lost it is denied: all of theirs, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from jitcloud.errors import CloudRefused
from jitcloud.model import (
    SKEW,
    Area,
    Entitlement,
    EntitlementId,
    Evidence,
    Hold,
    Holder,
    Listing,
    Person,
    Place,
    Places,
    Request,
    RequestId,
    Sight,
    Slot,
    SlotKey,
    State,
)
from jitcloud.providers.memory import KIND, MemoryCloud, MemoryMechanism
from tests.slow_cloud import SlowAssignments
from tests.world import Time, World, caller

OUTLIVES = timedelta(hours=1)
DENIALS = "memory.denials"


@dataclass
class Denials:
    """A document that denies, of whom it names, what began before an instant, or everything."""

    name: str = DENIALS
    timeout: timedelta = timedelta(seconds=10)
    settle: timedelta = timedelta(seconds=3)
    patience: timedelta = timedelta(minutes=2)
    grants: bool = False
    takes_standing: bool = False
    refuses: bool = False
    denied: tuple[Holder, ...] = ()

    def see(self, slot: Slot, now: datetime) -> Sight:
        # Whoever is denied something else than is meant is not denied.
        meant = {(h.request, h.detail, h.before) for h in slot.holders}
        named = frozenset(
            h.request for h in self.denied if (h.request, h.detail, h.before) in meant
        )
        return Sight(at=now, present=bool(named), holders=named)

    def put(self, slot: Slot, wish: Sequence[RequestId], until: datetime) -> str | None:  # noqa: ARG002 - each has its own
        if self.refuses:
            raise CloudRefused("The document is gone.")
        self.denied = tuple(h for h in slot.holders if h.request in wish)
        return None

    def remove(self, slot: Slot) -> str | None:  # noqa: ARG002 - there is one
        self.denied = ()
        return None

    def hold(self, slot: Slot) -> Hold:  # noqa: ARG002 - there is one
        return Hold.MARKED

    def area(self, slot: Slot) -> Area | None:  # noqa: ARG002 - it lets nobody in
        return None

    def ours(self, area: Area, after: str | None, now: datetime) -> Listing:
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Deniable(MemoryMechanism):
    """Its sessions live on for an hour, and one document denies them."""

    def places(self, entitlement: Entitlement, person: Person, *, part: str = "") -> Places:
        made = MemoryMechanism.places(self, entitlement, person, part=part)
        role = entitlement.target["role"]
        denial = Place(key=SlotKey("denials"), kind=DENIALS, where={}, detail=f"{person.id} {role}")
        return replace(made, denial=denial)


@dataclass
class Here:
    world: World
    kind: SlowAssignments
    denials: Denials

    def ask(self, minutes: float = 60) -> Request:
        request = self.world.ask(minutes=minutes)
        self.finish()
        self.on(seconds=10)
        assert self.world.now(request).state is State.ACTIVE
        return request

    def finish(self) -> None:
        """Let the cloud do whatever it was told."""
        while any(task.progress == "running" for task in self.kind.tasks):
            self.kind.finish()

    def on(self, **by: float) -> None:
        until = self.world.time() + timedelta(**by)
        for _ in range(10_000):
            due = self.world.store.due(until, 1)
            if not due:
                break
            self.world.time.now = max(self.world.time(), due[0].wake_at)
            self.world.sweep()
        self.world.time.now = until

    @property
    def who(self) -> list[str]:
        return [holder.detail for holder in self.denials.denied]

    @property
    def denied(self) -> list[tuple[str, datetime | None]]:
        return [(holder.detail, holder.before) for holder in self.denials.denied]


@pytest.fixture
def here(tmp_path: Path) -> Here:
    time = Time()
    cloud = MemoryCloud(time)
    kind, denials = SlowAssignments(cloud), Denials()
    world = World(
        tmp_path,
        time=time,
        cloud_=cloud,
        kinds_={KIND: kind, DENIALS: denials},
        mechanisms={KIND: Deniable(outlives=OUTLIVES)},
    )
    return Here(world, kind, denials)


ANA = ("ana reader", None)


def test_an_early_end_denies_at_once_while_the_removal_takes_its_time(here: Here) -> None:
    request = here.ask()
    here.world.give_back(request)
    here.on(minutes=30)
    assert here.denied == [ANA]
    assert here.world.now(request).state is State.ENDING


def test_the_deadline_denies_as_well(here: Here) -> None:
    request = here.ask(minutes=5)
    here.on(minutes=5)
    assert here.denied == [ANA]
    assert here.world.now(request).state is State.ENDING


def test_it_is_over_once_the_place_is_empty_and_the_denial_in_force(here: Here) -> None:
    request = here.ask()
    here.world.give_back(request)
    here.finish()
    here.on(seconds=30)
    ended = here.world.now(request)
    assert (ended.state, ended.evidence) == (State.ENDED, Evidence.SEEN_ABSENT)
    assert ended.removed_at is None, "nothing was ever left to tell of"
    here.world.verify_all()


def test_it_is_denied_for_as_long_as_anything_may_live_and_then_no_more(here: Here) -> None:
    request = here.ask()
    here.world.give_back(request)
    here.on(hours=3)
    assert here.denied == [ANA], "as long as nobody has seen the place empty"
    here.finish()
    finished = here.world.time()
    here.on(minutes=10)
    assert here.world.now(request).state is State.ENDED
    document = here.world.store.slot(SlotKey("denials"))
    assert document is not None
    (holder,) = document.holders
    assert finished + OUTLIVES <= holder.until <= here.world.time() + OUTLIVES + SKEW
    here.world.time.now = holder.until - timedelta(seconds=1)
    here.world.sweep()
    assert here.who == ["ana reader"]
    here.on(minutes=5)
    assert here.denied == []
    assert here.world.store.due(here.world.time() + timedelta(days=9), 10) == ()


def test_nobody_is_denied_what_they_have_by_another_grant(here: Here) -> None:
    first = here.ask(minutes=60)
    second = here.ask(minutes=120)
    here.world.give_back(first)
    here.on(minutes=10)
    assert here.world.now(first).evidence is Evidence.OTHERS_HOLD
    assert here.denied == []
    here.world.give_back(second)
    here.on(seconds=10)
    assert here.denied == [ANA]


def test_two_that_end_together_are_denied_together(here: Here) -> None:
    first, second = here.ask(minutes=10), here.ask(minutes=10)
    here.world.time.now = here.world.now(second).window.deadline  # type: ignore[union-attr] # it is active
    here.on(seconds=1)
    assert set(here.denied) == {ANA}
    here.finish()
    here.on(minutes=1)
    assert {here.world.now(one).state for one in (first, second)} == {State.ENDED}


def test_nobody_is_denied_what_they_had_before_us(here: Here) -> None:
    here.world.cloud.assign_by_hand("ana", "reader")
    request = here.world.ask()
    assert here.world.now(request).state is State.ACTIVE
    here.world.give_back(request)
    here.on(minutes=10)
    assert here.world.now(request).state is State.ENDED
    assert here.denied == []


def test_nobody_is_denied_what_they_never_got(here: Here) -> None:
    request = here.world.ask()
    here.kind.finish(fails="The account is suspended.")
    here.on(seconds=5)
    here.world.give_back(request)
    here.on(minutes=2)
    assert here.world.now(request).state is State.ENDED
    assert here.denied == []


def test_what_somebody_gets_after_it_was_gone_is_theirs(here: Here) -> None:
    """By hand, or by another entitlement: what is denied began before, or ten minutes later."""
    request = here.ask()
    here.world.give_back(request)
    here.on(minutes=30)
    here.finish()
    here.on(minutes=10)
    assert here.world.now(request).state is State.ENDED
    ((who, before),) = here.denied
    assert who == "ana reader"
    assert before is not None
    gone_at = here.world.time() - timedelta(minutes=10)
    assert gone_at <= before <= here.world.time() + timedelta(minutes=10)
    assert before.minute % 10 == before.second == before.microsecond == 0, "shared with others"


def test_who_gets_it_anew_is_denied_only_what_was_before(here: Here) -> None:
    first = here.ask()
    here.world.give_back(first)
    here.finish()
    here.on(minutes=2)
    assert here.who == ["ana reader"]
    anew = here.world.time()
    second = here.ask()
    assert here.denied == [("ana reader", anew)]
    assert here.world.now(second).state is State.ACTIVE
    here.world.give_back(second)
    assert set(here.denied) == {("ana reader", anew), ANA}


def test_others_and_other_roles_stay_denied_what_they_were(here: Here) -> None:
    other = here.world.ask("ben", minutes=60)
    here.finish()
    here.on(seconds=10)
    here.world.give_back(other, "ben")
    here.finish()
    here.on(minutes=2)
    before = here.denied
    assert here.who == ["ben reader"]
    here.ask()
    assert here.denied == before


def test_what_was_being_made_when_it_ended_is_denied_as_well(here: Here) -> None:
    """The end was recorded while the call was under way: that it was filled shows only later."""
    asked = here.world.broker.request(
        caller("ana"),
        EntitlementId("dev-read"),
        duration=timedelta(minutes=60),
        justification="testing",
        now=here.world.time(),
    )
    put = SlowAssignments.put

    def meanwhile(self: SlowAssignments, *args: Any) -> str | None:
        here.world.broker.revoke(caller("ben"), asked.id, here.world.time(), "enough")
        return put(self, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(SlowAssignments, "put", meanwhile)
        here.world.advance.wake(asked.id)
    here.finish()
    here.on(seconds=20)
    assert here.who == ["ana reader"]


def test_grants_that_are_revoked_one_after_the_other_are_covered_by_one_denial(
    here: Here,
) -> None:
    first, second = here.ask(), here.ask()
    for request in (first, second):
        here.world.broker.revoke(caller("ben"), request.id, here.world.time(), "enough")
    here.world.sweep()
    here.finish()
    here.on(seconds=40)
    assert {here.world.now(one).state for one in (first, second)} == {State.ENDED}
    assert [here.world.now(one).removed_at for one in (first, second)] == [None, None]


def test_a_session_begun_while_an_old_removal_is_under_way_is_denied(here: Here) -> None:
    first = here.ask()
    here.world.give_back(first)
    here.on(seconds=30)
    second = here.world.ask()  # the removal is not done, so that she has it all along
    here.on(seconds=10)
    here.world.give_back(second)
    here.finish()
    here.on(minutes=3)
    assert len(here.who) == 2, "for the second was filled as well, though nobody looked since"


def test_a_denial_that_cannot_be_written_is_told_and_waited_out(here: Here) -> None:
    here.denials.refuses = True
    request = here.ask()
    here.world.give_back(request)
    here.finish()
    here.on(minutes=3)
    left = here.world.now(request)
    assert left.state is State.ENDING
    assert left.removed_at is not None
    assert left.credentials_dead_by == left.removed_at + OUTLIVES
    here.on(minutes=62)
    assert here.world.now(request).state is State.ENDED
    here.denials.refuses = False
    here.on(hours=3)
    assert here.world.store.due(here.world.time() + timedelta(days=9), 10) == ()
    here.world.verify_all()


def test_a_denial_that_comes_late_ends_the_wait(here: Here) -> None:
    here.denials.refuses = True
    request = here.ask()
    here.world.give_back(request)
    here.finish()
    here.on(minutes=3)
    assert here.world.now(request).removed_at is not None
    here.denials.refuses = False
    here.on(minutes=10)
    assert here.world.now(request).state is State.ENDED
    assert here.who == ["ana reader"]
