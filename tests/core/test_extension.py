"""More time for what is active: a request of its own, judged for the whole of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.asking import Wish
from jitcloud.audit.verify import verified
from jitcloud.errors import Conflict, Invalid, NotFound, Refused, Tampered
from jitcloud.model import (
    Activating,
    Ask,
    Extended,
    Facts,
    Guarantee,
    Places,
    Prolonged,
    Request,
    State,
    Window,
)
from jitcloud.providers.memory import Fault
from tests.world import CATALOG, POLICY, Time, World, caller

POLICY_LONG = """
@id("dev-long")
@approval("1 of leads")
permit (principal in Group::"developers", action == Action::"request",
        resource in Environment::"dev");
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def deadline(world: World, request: Request) -> timedelta:
    window = world.now(request).window
    assert window is not None
    return window.deadline - window.start


def test_what_policy_gives_at_once_lasts_longer_at_once(world: World) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=20)
    extension = world.extend(request, minutes=60)
    assert extension.state is State.EXTENDED
    assert extension.ask.duration == timedelta(minutes=90)
    assert deadline(world, request) == timedelta(minutes=90)
    assert world.now(request).prolonged_by == (extension.id,)
    world.time.forward(minutes=69)
    world.sweep()
    assert world.cloud.who_can("reader") == {"ana"}
    world.time.forward(minutes=1)
    world.sweep_until_quiet()
    assert not world.cloud.who_can("reader")
    world.verify_all()


def test_what_a_colleague_gave_takes_a_colleague_again(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request, minutes=60)
    assert extension.state is State.PENDING
    assert deadline(world, request) == timedelta(hours=1)
    with pytest.raises(Refused, match="own request"):
        world.broker.approve(caller("ana"), extension.id, world.time())
    assert world.approve(extension).state is State.EXTENDED
    assert deadline(world, request) == timedelta(hours=2)


def test_the_whole_time_is_judged_and_not_the_rest(world: World) -> None:
    request = world.ask(minutes=7 * 60)
    assert world.extend(request, minutes=60).state is State.EXTENDED
    refused = world.extend(request, minutes=1)
    assert refused.state is State.DENIED
    assert "No rule lets you have this" in refused.reason
    assert deadline(world, request) == timedelta(hours=8)


def test_nothing_lasts_longer_than_the_deployment_allows(tmp_path: Path) -> None:
    world = World(tmp_path, longest=timedelta(hours=2))
    request = world.ask(minutes=60)
    assert world.extend(request, minutes=60).state is State.EXTENDED
    refused = world.extend(request, minutes=1)
    assert refused.reason == "Nothing may last longer than 2h here, extensions included."
    assert world.ask("ben", "dev-read", minutes=121).state is State.DENIED


def test_two_extensions_that_wait_do_not_add_up(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    short, long_ = (world.extend(request, minutes=minutes) for minutes in (10, 60))
    assert world.approve(long_).state is State.EXTENDED
    late = world.approve(short)
    assert late.state is State.DENIED
    assert late.reason == "It lasts as long as that already; an extension never shortens."
    assert deadline(world, request) == timedelta(hours=2)


@pytest.mark.parametrize("over", ["given back", "revoked"])
def test_what_is_over_is_not_extended(world: World, over: str) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request)
    match over:
        case "given back":
            world.give_back(request)
        case _:
            world.broker.revoke(caller("caro"), request.id, world.time(), "enough")
            world.advance.wake(request.id)
    denied = world.approve(extension)
    assert denied.state is State.DENIED
    assert denied.reason == "The access that this would extend is over; ask for it anew."
    world.sweep_until_quiet()
    assert not world.cloud.who_can("writer")
    with pytest.raises(Refused, match="nothing to extend"):
        world.extend(request)


def test_nobody_is_asked_any_longer_for_more_of_what_is_over(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request)
    world.time.forward(hours=1)
    with pytest.raises(Refused, match="was not decided in time"):
        world.approve(extension)
    world.sweep_until_quiet()
    assert world.now(extension).state is State.LAPSED


def test_an_extension_judged_too_slowly_is_not_let_in(tmp_path: Path) -> None:
    time = Time()

    def look(ask: Ask, _: Window) -> Facts:  # it takes its time
        if ask.extends is not None:
            time.forward(minutes=2)
        return Facts()

    world = World(tmp_path, time=time, look=look)
    request = world.ask(minutes=10)
    world.time.forward(minutes=7)
    assert world.extend(request).state is State.DENIED
    world.sweep_until_quiet()
    world.verify_all()


def test_what_is_given_back_between_the_yes_and_the_commit_stays_given_back(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request)
    world.broker.approve(caller("ben"), extension.id, world.time())
    world.give_back(request)
    assert world.advance.wake(extension.id).state is State.DENIED
    assert world.now(request).prolonged_by == ()


def test_only_the_holder_extends_and_only_a_grant(world: World) -> None:
    request = world.ask(minutes=60)
    with pytest.raises(NotFound, match="only the person who asked"):
        world.extend(request, person="ben")
    extension = world.extend(request)
    with pytest.raises(Refused, match=f"extend request {request.id}"):
        world.extend(extension)
    with pytest.raises(Refused, match="nothing to extend"):
        world.extend(world.ask(what="prod-write"))
    with pytest.raises(Invalid, match="at least a second"):
        world.extend(request, minutes=-5)


def test_the_same_id_extends_once(world: World) -> None:
    request = world.ask(minutes=60)
    name = world.extend(request).id
    wish = Wish(duration=timedelta(minutes=30), justification="not done yet")
    again = world.broker.extend(caller("ana"), request.id, wish, world.time(), name)
    assert again.id == name
    assert deadline(world, request) == timedelta(minutes=90)
    other = replace(wish, justification="something else")
    with pytest.raises(Conflict, match="asks for something else"):
        world.broker.extend(caller("ana"), request.id, other, world.time(), name)


def test_a_changed_catalog_entry_is_not_extended(tmp_path: Path) -> None:
    world = World(tmp_path)
    request = world.ask(minutes=60)
    world.catalog_text = CATALOG.replace("Read in development", "Read everything")
    world.put_together()
    refused = world.extend(request)
    assert refused.state is State.DENIED
    assert "has changed since this was asked" in refused.reason


def test_the_slot_holds_the_later_deadline_from_the_same_commit_on(world: World) -> None:
    request = world.ask(minutes=60)
    world.extend(request, minutes=60)
    (holder,) = world.slot(request).holders
    assert holder.until == world.time() + timedelta(hours=2)
    assert holder.request == request.id


def test_a_cloud_that_is_down_keeps_nobody_from_extending_or_ending(world: World) -> None:
    request = world.ask(minutes=30)
    world.cloud.faults.extend([Fault.REFUSED] * 5)
    world.extend(request, minutes=30)
    world.time.forward(minutes=60)
    world.sweep_until_quiet()
    assert not world.cloud.who_can("reader")


def test_what_a_rule_gives_for_an_hour_takes_a_colleague_after_that(tmp_path: Path) -> None:
    text = POLICY.replace('duration("8h")', 'duration("1h")') + POLICY_LONG
    world = World(tmp_path, policy_text=text)
    request = world.ask(minutes=50)
    for total in (100, 150):
        extension = world.extend(request, minutes=50)
        assert extension.state is State.PENDING
        assert world.approve(extension).state is State.EXTENDED
        assert deadline(world, request) == timedelta(minutes=total)


# ── While an extension is judged ─────────────────────────────────────────────────────────────


@pytest.mark.parametrize("what", ["given back", "extended for longer"])
def test_what_changes_while_an_extension_is_judged_is_no_tampering(
    tmp_path: Path, what: str
) -> None:
    meanwhile: list[Callable[[], object]] = []

    def look(ask: Ask, _: Window) -> Facts:
        while meanwhile and ask.extends:
            meanwhile.pop()()
        return Facts()

    world = World(tmp_path, look=look)
    request = world.ask(minutes=60)
    short, long_ = (
        world.broker.extend(caller("ana"), request.id, wish, world.time())
        for wish in (
            Wish(duration=timedelta(minutes=minutes), justification="not done yet")
            for minutes in (5, 50)
        )
    )
    if what == "given back":
        meanwhile.append(lambda: world.broker.give_back(caller("ana"), request.id, world.time()))
    else:
        meanwhile.append(lambda: world.advance.wake(long_.id))
    denied = world.advance.wake(short.id)
    assert denied.state is State.DENIED
    assert meanwhile == []
    assert world.now(request).prolonged_by == (() if what == "given back" else (long_.id,))
    world.sweep_until_quiet(step=60)
    world.verify_all()


# ── Whoever can write the record cannot make an extension up ─────────────────────────────────


def _forged(world: World, request: Request, by: Request, minutes: float) -> None:
    """Write a later deadline into the record, chained as it should be but for its reason."""
    window = request.window
    assert window is not None
    later = Window(start=window.start, deadline=window.deadline + timedelta(minutes=minutes))
    world.ledger.record(request, (Prolonged(by=by.id, window=later),), now=world.time())


def test_a_later_deadline_needs_an_extension_that_was_let_in(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request)  # nobody has said yes
    _forged(world, request, extension, 30)
    with pytest.raises(Tampered, match="was let in for something else"):
        verified(world.store, request.id, world.signer.verifier())
    world.put_together()
    with pytest.raises(Tampered):
        world.ledger.verified(request.id, world.time())


def test_the_extension_of_another_grant_proves_nothing(world: World) -> None:
    first, second = (world.ask(minutes=60) for _ in range(2))
    extension = world.extend(first)
    _forged(world, second, extension, 30)
    with pytest.raises(Tampered, match="was not let in to extend it"):
        verified(world.store, second.id, world.signer.verifier())


def test_a_longer_deadline_than_was_let_in_is_not_believed(world: World) -> None:
    request = world.ask(minutes=60)
    extension = world.extend(request, minutes=30)
    _forged(world, world.now(request), extension, 30)
    with pytest.raises(Tampered, match="was let in for something else"):
        verified(world.store, request.id, world.signer.verifier())


def test_an_extension_is_never_activated_as_a_grant_nor_a_grant_extended_away(
    world: World,
) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request)
    world.broker.approve(caller("ben"), extension.id, world.time())
    scheduled = world.now(extension)
    window = Window(start=world.time(), deadline=world.time() + timedelta(hours=5))
    assert scheduled.policy is not None
    what = Extended(window=window, policy=scheduled.policy)
    world.ledger.record(scheduled, (what,), now=world.time())
    with pytest.raises(Tampered, match="longer than was decided"):
        verified(world.store, extension.id, world.signer.verifier())


def test_an_extension_is_never_access_of_its_own(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=60))
    extension = world.extend(request)
    world.broker.approve(caller("ben"), extension.id, world.time())
    scheduled = world.now(extension)
    assert scheduled.policy is not None
    what = Activating(
        window=Window(start=world.time(), deadline=world.time() + timedelta(minutes=30)),
        places=Places(),
        guarantee=Guarantee.BROKER,
        residual=(),
        policy=scheduled.policy,
    )
    world.ledger.record(scheduled, (what,), now=world.time())
    with pytest.raises(Tampered):
        verified(world.store, extension.id, world.signer.verifier())


def test_an_extension_let_in_after_it_had_lapsed_proves_nothing(world: World) -> None:
    request = world.approve(world.ask(what="prod-write", minutes=200))
    extension = world.extend(request, minutes=30)
    world.broker.approve(caller("ben"), extension.id, world.time())
    scheduled = world.now(extension)
    assert scheduled.policy is not None
    assert request.window is not None
    world.time.forward(hours=2)
    later = replace(request.window, deadline=request.window.deadline + timedelta(minutes=30))
    what = Extended(window=later, policy=scheduled.policy)
    world.ledger.record(scheduled, (what,), now=world.time())
    _forged(world, request, extension, 30)
    for name in (extension.id, request.id):
        with pytest.raises(Tampered, match="had lapsed"):
            verified(world.store, name, world.signer.verifier())
