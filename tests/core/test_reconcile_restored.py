"""After a restore nothing is activated before the clouds were compared with the record."""

from __future__ import annotations

from dataclasses import replace

import pytest

from jitcloud import controls, reconcile
from jitcloud.audit import chain
from jitcloud.errors import CloudRefused, Invalid, Refused, Throttled
from jitcloud.model import (
    Actor,
    Area,
    Denied,
    Listing,
    Reach,
    Restored,
    Scope,
    State,
)
from jitcloud.providers.memory import MemoryAssignments
from jitcloud.rounds import Tally
from tests.reconciling import AT_ONCE, READER, Listed, reconciled, with_kind
from tests.reconciling import reconcile as compare
from tests.world import POLICY, World, caller

WAITS = "Activations are stopped for everything: The record was restored"


def restore(world: World, reason: str = "The disk broke") -> None:
    world.broker.restored(caller("ben"), world.time(), reason)


def is_held(world: World) -> bool:
    known = world.ledger.controls()
    return known is not None and known.restored_at is not None


def test_whoever_asks_meanwhile_is_told_what_it_waits_for(world: World) -> None:
    restore(world)
    request = world.ask("ana")
    assert request.state is State.DENIED
    assert isinstance(request.decision, Denied)
    (because,) = request.decision.because
    assert because.startswith(WAITS)
    assert "`jitcloud reconcile`" in because
    assert world.cloud.who_can("reader") == frozenset()


def test_what_was_allowed_waits_and_goes_on_once_a_reconcile_has_finished(world: World) -> None:
    request = world.ask("ana", start=world.time.now.replace(minute=10))
    restore(world)
    world.time.forward(minutes=10)
    world.sweep()
    assert world.now(request).state is State.SCHEDULED
    assert world.cloud.who_can("reader") == frozenset()
    assert compare(world).is_finished
    assert not is_held(world)
    world.time.forward(minutes=1)
    world.sweep()
    assert world.now(request).state is State.ACTIVE
    assert world.cloud.who_can("reader") == {"ana"}


def test_a_later_deadline_waits_too(world: World) -> None:
    request = world.ask("ana", minutes=30)
    restore(world)
    assert world.extend(request).state is State.DENIED


def test_ends_go_on(world: World) -> None:
    request, other = world.ask("ana", minutes=30), world.ask("ben", minutes=10)
    restore(world)
    assert world.give_back(request).state is State.ENDED
    world.time.forward(minutes=10)
    world.sweep()
    assert world.now(other).state is State.ENDED
    assert world.cloud.who_can("reader") == frozenset()


def test_a_reconcile_that_began_before_does_not_count(world: World) -> None:
    assert not compare(world, within=AT_ONCE).is_over
    world.time.forward(minutes=1)
    restore(world)
    found = compare(world)
    assert found.begun_at == world.time(), "it begins anew"
    assert not is_held(world)


def test_one_that_was_finished_before_does_not_count_either(world: World) -> None:
    compare(world)
    world.time.forward(minutes=1)
    restore(world)
    assert is_held(world)


def test_what_was_restored_while_it_was_compared_is_compared_again(world: World) -> None:
    def restoring() -> None:
        if not is_held(world):
            world.time.forward(seconds=1)
            restore(world)

    assert compare(with_kind(world, Listed(world.cloud, on_list=restoring))).is_finished
    assert is_held(world)
    assert compare(world).is_finished
    assert not is_held(world)


@pytest.mark.parametrize("error", [CloudRefused("No."), Throttled("Later."), ZeroDivisionError()])
def test_while_one_area_cannot_be_asked_it_goes_on_waiting(world: World, error: Exception) -> None:
    class Silent(MemoryAssignments):
        def ours(self, area: Area, after: str | None, now: object) -> Listing:  # noqa: ARG002 - it answers nobody
            raise error

    restore(world)
    found = compare(with_kind(world, Silent(world.cloud)))
    assert (found.is_over, found.is_finished) == (True, False)
    assert is_held(world)
    everything = (READER, READER.replace("reader", "writer"), READER.replace("reader", "admin"))
    assert compare(with_kind(world, Silent(world.cloud)), left_out=everything).is_finished
    assert not is_held(world), "somebody has answered for what nobody can look at"


def test_a_dry_run_does_not_count(world: World) -> None:
    restore(world)
    assert compare(world, is_dry=True).is_finished
    assert is_held(world)


def test_what_was_only_told_keeps_nobody_waiting(world: World) -> None:
    restore(world)
    world.cloud.assign_by_hand("mallory", "reader")
    assert compare(world).tally == Tally(leaked=1)
    assert not is_held(world)
    assert reconciled(world)[0].leaked == 1


def test_no_hand_on_a_brake_lets_it_go_on(world: World) -> None:
    everything = Scope(reach=Reach.EVERYTHING)
    may_stop = '@id("may") permit (principal, action == Action::"stop", resource);'
    world.policy_text = POLICY + may_stop
    world.put_together()
    restore(world)
    with pytest.raises(Refused, match="Nothing is stopped for everything"):
        world.broker.resume(caller("ben"), everything, world.time(), "Go on")
    world.broker.stop(caller("ben"), everything, world.time(), "A drill")
    world.broker.resume(caller("ben"), everything, world.time(), "It was one")
    assert world.ask("ana").state is State.DENIED
    assert is_held(world)


def test_it_is_recorded_who_said_so_and_why_and_the_trail_holds(world: World) -> None:
    world.ask("ana")
    restore(world, "The disk broke on Monday")
    (line,) = (e for e in world.store.control_events() if isinstance(e.event.what, Restored))
    assert line.event.what == Restored(reason="The disk broke on Monday")
    assert line.event.actor.id == "ben"
    compare(world)
    events = world.store.control_events()
    chain.verify_controls(world.store.controls(), events, world.signer.verifier())


@pytest.mark.parametrize("reason", ["", " ", "a\nb", "x" * 1001])
def test_it_takes_a_reason_on_one_line(world: World, reason: str) -> None:
    with pytest.raises(Invalid, match="reason"):
        restore(world, reason)
    assert world.store.controls() is None


def test_whoever_cannot_sign_can_still_say_so(world: World) -> None:
    """It only takes away; and whoever drives clouds must be able to say that it is over."""
    unsigning = replace(world.ledger, signer=None)
    reconcile.restored(unsigning, "The disk broke", Actor(id="operator"), world.time())
    assert is_held(world)
    world.ledger = unsigning
    assert compare(world).is_finished
    known = world.store.controls()
    assert known is not None
    assert controls.in_force(known) == ()
