"""Which policy text judges: taken up with a number, on record, and never undone by an older one."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.audit import chain
from jitcloud.errors import Conflict, Misconfigured, Tampered
from jitcloud.library import Acting, Jitcloud
from jitcloud.model import BROKER, Adopted, Decided, Denied, NeedsApproval, PolicyRef, State
from jitcloud.ports import Change, Move
from tests.world import POLICY, World, caller

OLD = POLICY
NEW = POLICY.replace('"1 of resource.owner"', '"2 of resource.owner"')
NEWER = POLICY.replace('duration("4h")', 'duration("20m")')


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def put(world: World, text: str) -> None:
    world.policy_text = text
    world.put_together()


def adopted(world: World) -> list[tuple[str, int | None, int, str]]:
    return [
        (
            line.event.actor.id,
            None if line.event.what.before is None else line.event.what.before.number,
            line.event.what.after.number,
            line.event.what.reason,
        )
        for line in world.store.control_events()
        if isinstance(line.event.what, Adopted)
    ]


def test_the_first_text_is_number_one_and_every_decision_names_it(world: World) -> None:
    request = world.ask()
    assert adopted(world) == [("ana", None, 1, "")]
    numbers = {
        line.event.what.policy.number
        for line in world.store.events(request.id)
        if hasattr(line.event.what, "policy")
    }
    assert numbers == {1}
    world.ask("ben")
    assert len(adopted(world)) == 1


def test_ten_requests_wait_while_the_policy_is_edited(world: World) -> None:
    waiting = [world.ask(what="prod-write", minutes=30) for _ in range(10)]
    put(world, NEW)
    for request in waiting[:5]:
        assert world.approve(request, "ben").state is State.PENDING, "two are asked for now"
        assert world.approve(request, "caro").state is State.ACTIVE
    put(world, NEWER)
    for request in waiting[5:]:
        denied = world.approve(request, "ben")
        assert denied.state is State.DENIED
    for request, by in [(waiting[0], [1, 2, 2, 2]), (waiting[9], [1, 3])]:
        numbers = [
            line.event.what.policy.number
            for line in world.store.events(request.id)
            if hasattr(line.event.what, "policy")
        ]
        assert numbers == by, "the trail names both versions"
    assert [number for _, _, number, _ in adopted(world)] == [1, 2, 3]
    world.verify_all()


def test_an_older_judge_does_not_undo_a_newer_one(world: World) -> None:
    request = world.ask(what="prod-write", minutes=30)
    older = world.broker
    put(world, NEW)
    world.approve(request, "ben")
    with pytest.raises(Misconfigured, match=r"number 1 .* was replaced; policy 2 .* judges"):
        older.approve(caller("caro"), request.id, world.time())
    put(world, OLD)  # the same text again, on another machine or after a restart
    with pytest.raises(Misconfigured, match="jitcloud policy adopt"):
        world.approve(request, "caro")
    assert world.now(request).state is State.PENDING


def test_an_older_judge_activates_nothing_and_ends_everything(world: World) -> None:
    active = world.ask(minutes=10)
    request = world.ask(what="prod-write", minutes=10)
    older = world.advance
    put(world, NEW)
    world.broker.approve(caller("ben"), request.id, world.time())
    world.broker.approve(caller("caro"), request.id, world.time())
    with pytest.raises(Misconfigured, match="was replaced"):
        older.wake(request.id)
    assert not world.cloud.who_can("writer")
    world.time.forward(minutes=10)
    older.wake(active.id)
    world.time.forward(minutes=1)
    older.wake(active.id)
    assert not world.cloud.who_can("reader")


def test_going_back_is_a_decision_with_a_name_and_a_reason(world: World) -> None:
    request = world.ask(what="prod-write", minutes=30)
    put(world, NEW)
    world.ask("ben")
    put(world, OLD)
    policy = world.broker.adopt(caller("caro"), world.time(), "two were too many")
    assert policy.number == 3
    assert world.approve(request, "ben").state is State.ACTIVE
    assert adopted(world)[-1] == ("caro", 2, 3, "two were too many")
    assert world.broker.adopt(caller("caro"), world.time(), "again") == policy
    assert len(adopted(world)) == 3


def test_a_process_that_lives_on_judges_by_the_new_text(world: World) -> None:
    request = world.ask(what="prod-write", minutes=30)
    put(world, NEW)
    newer = world.broker.judge.policy
    put(world, OLD)
    judge = replace(world.broker.judge, renew=lambda: newer)
    broker = replace(world.broker, judge=judge)
    after = broker.approve(caller("ben"), request.id, world.time())
    assert after.policy is not None
    assert after.policy.number == 2


def test_what_would_be_said_is_said_by_the_new_text_too(world: World) -> None:
    request = world.ask(what="prod-write", minutes=30)
    ask = (caller("ana"), request.entitlement.id, timedelta(minutes=30), world.time())
    assert isinstance(world.broker.outlook(*ask).decision, NeedsApproval)
    older = world.broker
    put(world, NEWER)
    newer = world.broker.judge.policy
    broker = replace(older, judge=replace(older.judge, renew=lambda: newer))
    assert isinstance(broker.outlook(*ask).decision, Denied)
    denied = world.approve(request)
    assert denied.state is State.DENIED
    assert broker.advise(denied, world.time()) == world.broker.advise(denied, world.time())


def test_going_back_is_for_operators_and_never_for_who_calls_a_service() -> None:
    assert hasattr(Jitcloud, "adopt")
    assert not hasattr(Acting, "adopt")


def test_where_nothing_signs_nobody_goes_back(world: World) -> None:
    world.ask()
    put(world, NEW)
    broker = replace(world.broker, ledger=replace(world.ledger, signer=None))
    for vouched in (False, True):
        with pytest.raises(Misconfigured, match="Nothing signs here"):
            broker.adopt(caller("caro"), world.time(), "two were too many", vouched=vouched)
    put(world, OLD)
    assert world.ask().state is State.ACTIVE
    assert [number for _, _, number, _ in adopted(world)] == [1]


def test_whoever_cannot_sign_takes_nothing_up(world: World) -> None:
    world.ask()
    put(world, NEW)
    request = world.ask(what="prod-write")
    put(world, NEWER)
    unsigned = replace(world.ledger, signer=None)
    broker = replace(world.broker, ledger=unsigned)
    with pytest.raises(Misconfigured, match="was not taken up yet"):
        broker.approve(caller("ben"), request.id, world.time())


def test_a_policy_taken_up_without_a_signature_is_not_believed(world: World) -> None:
    world.ask()
    put(world, NEW)
    known = world.store.controls()
    assert known is not None
    after = PolicyRef(sha256=world.broker.judge.policy.digest, number=2)
    world.forge(Adopted(before=known.policy, after=after))
    with pytest.raises(Tampered, match="not signed"):
        world.ask()


def test_a_decision_by_an_older_policy_does_not_follow_in_a_trail(world: World) -> None:
    request = world.ask(what="prod-write", minutes=30)
    put(world, NEW)
    request = world.approve(request, "ben")
    assert request.policy is not None
    assert request.lapses_at is not None
    older = replace(request.policy, number=1)
    denied = Decided(decision=Denied(because=("No.",)), policy=older, lapses_at=request.lapses_at)
    with pytest.raises(Conflict, match="judged by a newer policy"):
        world.ledger.record(request, (denied,), now=world.time())
    after, events = chain.seal(
        request, request.id, (denied,), actor=BROKER, now=world.time(), signer=world.signer
    )
    world.store.commit(Change(moves=(Move(request=after, wake_at=None, events=events),)))
    world.put_together()
    with pytest.raises(Tampered, match="an older policy undoes"):
        world.ledger.verified(request.id, world.time())
