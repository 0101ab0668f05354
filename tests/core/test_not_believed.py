"""Rows and lines that nobody of ours has written: what each of them alone would give, if believed.

Each is held by more than one check. These tests look at one check at a time, so that none of them
can go unnoticed because another holds.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from jitcloud import ending, slots
from jitcloud.audit import chain
from jitcloud.errors import Refused, Tampered
from jitcloud.model import (
    SKEW,
    Activate,
    Activating,
    Credentials,
    Decided,
    Denied,
    Holder,
    Request,
    RuleId,
    Sight,
    Slot,
    State,
    Window,
)
from jitcloud.ports import Change, Store
from jitcloud.providers.memory import KIND, MemoryAssignments
from jitcloud.stores.memory import MemoryStore
from tests.core.test_forgery import POLICY, forge
from tests.core.test_issuing import MemorySessions
from tests.reconciling import reconcile as compare
from tests.reconciling import with_kind
from tests.world import World, caller


def test_nothing_is_so_much_as_begun_on_a_row_that_its_trail_does_not_prove(world: World) -> None:
    request = world.ask(what="prod-write")
    forged = forge(
        world,
        world.store.events(request.id),
        Decided(
            decision=Activate(rules=(RuleId("forged"),)),
            policy=POLICY,
            lapses_at=world.time() + timedelta(hours=1),
        ),
    )
    with pytest.raises(Tampered):
        forged.advance.wake(request.id)
    trail = forged.store.events(request.id)
    assert not any(isinstance(line.event.what, Activating) for line in trail)
    assert forged.now(request).state is State.SCHEDULED


def test_whoever_writes_a_holder_of_what_has_ended_into_a_place_lets_nobody_in(
    world: World,
) -> None:
    request = world.give_back(world.ask(minutes=60))
    assert request.state is State.ENDED
    assert request.window is not None
    stood = world.slot(request)
    holder = Holder(request=request.id, until=request.window.deadline)
    written = replace(slots.join(stood, holder, world.time()), version=stood.version + 1)
    world.store.commit(Change(slots=(written,)))
    world.sweep_until_quiet()
    world.time.forward(seconds=1)
    world.sweep()
    assert world.cloud.who_can("reader") == frozenset()
    assert "gives nobody what is there" in world.slot(request).trouble


def test_a_signature_cannot_be_taken_out_of_a_trail_though_nobody_needs_it(world: World) -> None:
    request = world.ask(minutes=9 * 60)
    assert isinstance(request.decision, Denied)
    trail = world.store.events(request.id)
    assert trail[1].signature is not None
    without = (trail[0], replace(trail[1], signature=None))
    with pytest.raises(Tampered, match="edited"):
        chain.verify(request, without, world.signer.verifier())


def test_what_stands_beside_a_text_is_held_to_it(world: World) -> None:
    request = world.ask()
    first, *rest = world.store.events(request.id)
    later = replace(first, event=replace(first.event, actor=replace(first.event.actor, id="ben")))
    with pytest.raises(Tampered, match="something else than its columns"):
        chain.verify(request, (later, *rest), world.signer.verifier())


def test_a_reconcile_before_a_restore_says_nothing_of_what_is_there_after_it(world: World) -> None:
    assert compare(world).is_finished
    world.time.forward(minutes=1)
    world.broker.restored(caller("ben"), world.time(), "The disk broke")
    assert world.ask().state is State.DENIED
    assert world.cloud.who_can("reader") == frozenset()


def test_sessions_are_dead_by_every_clock_and_not_by_ours_alone(world: World) -> None:
    request = replace(world.ask(), credentials_dead_by=world.time())
    assert not ending.sessions_are_dead(request, world.time() + SKEW - timedelta(seconds=1))
    assert ending.sessions_are_dead(request, world.time() + SKEW)


@dataclass(frozen=True, slots=True)
class Overtaken(MemoryAssignments):
    """While a driver looks, another takes over: its claim stands in the record by then."""

    store: Store = field(default_factory=MemoryStore)

    def see(self, slot: Slot, now: datetime) -> Sight:
        stood = self.store.slot(slot.key)
        assert stood is not None
        taken = slots.claim(stood, "another", now + timedelta(seconds=15))
        self.store.commit(Change(slots=(replace(taken, version=stood.version + 1),)))
        return Sight(at=now, present=False)


def test_a_driver_does_not_go_on_under_the_claim_of_another(world: World) -> None:
    overtaken = with_kind(world, Overtaken(world.cloud, store=world.store))
    request = overtaken.ask()
    assert world.cloud.calls.count("assign") == 0
    claim = overtaken.slot(request).claim
    assert claim is not None
    assert claim.by == "another"


@dataclass
class Slow(MemorySessions):
    """While credentials are made, their grant is given back."""

    meanwhile: Callable[[Request], object] = lambda request: request

    def issue(
        self, request: Request, window: Window, lifetime: timedelta, now: datetime
    ) -> Credentials:
        made = MemorySessions.issue(self, request, window, lifetime, now)
        self.meanwhile(request)
        return made


def test_credentials_that_were_made_while_their_grant_ended_are_handed_to_nobody(
    tmp_path: Path,
) -> None:
    sessions = Slow()
    world = World(tmp_path, mechanisms={KIND: sessions})
    request = world.ask()
    sessions.meanwhile = world.give_back
    with pytest.raises(Refused, match="ended while credentials were being made"):
        world.broker.issue(caller("ana"), request.id, world.time)
    assert sessions.minted


def test_what_is_asked_in_another_zone_begins_at_that_instant(world: World) -> None:
    start = (world.time() + timedelta(hours=3)).astimezone(timezone(timedelta(hours=2)))
    request = world.ask(start=start)
    assert request.ask.start == start
    assert request.ask.start is not None
    assert request.ask.start.utcoffset() == timedelta(0)


def test_a_cap_holds_for_what_people_approve_as_well(tmp_path: Path) -> None:
    short = World(tmp_path, longest=timedelta(hours=2))
    assert short.ask(what="prod-write", minutes=120).state is State.PENDING
    request = short.ask(what="prod-write", minutes=121)
    assert request.state is State.DENIED
    assert "Nothing may last longer" in request.reason
