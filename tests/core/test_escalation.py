"""Who joins those asked because nobody has answered, and when; and requests in two stages."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.errors import Refused
from jitcloud.model import Request, State
from tests.world import PEOPLE, World, caller

PEOPLE_TOO = (
    PEOPLE
    + """
[[person]]
id = "dora"
name = "Dora"

[[person]]
id = "emil"
name = "Emil"

[groups.platform]
members = ["dora"]

[groups.security]
members = ["emil"]
"""
)

POLICY = """
@id("admin")
@approval("1 of leads then 1 of security")
@escalate("after 30m to platform")
permit (principal in Group::"developers", action == Action::"request", resource)
when { context.duration <= duration("1h") };
"""


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path, people_text=PEOPLE_TOO, policy_text=POLICY)


def types(world: World, request: Request) -> list[str]:
    return [line.event.what.type for line in world.store.events(request.id)]


def may_say_yes(world: World, request: Request) -> set[str]:
    people = ("ana", "ben", "caro", "dora", "emil")
    waiting = {who: world.broker.waiting_for(caller(who), world.time()) for who in people}
    return {who for who, found in waiting.items() if any(r.id == request.id for r in found)}


def test_a_stage_that_waits_is_joined_by_others_and_the_trail_says_so(world: World) -> None:
    request = world.ask(what="prod-admin")
    assert world.store.wake_at(request.id) == world.time() + timedelta(minutes=30)
    assert may_say_yes(world, request) == {"ben", "caro"}
    with pytest.raises(Refused, match="not among the people asked"):
        world.approve(request, "dora")
    world.time.forward(minutes=30)
    world.sweep()
    assert types(world, request)[-1] == "escalated"
    assert may_say_yes(world, request) == {"ben", "caro", "dora"}
    assert world.approve(request, "dora").state is State.PENDING
    assert may_say_yes(world, request) == {"emil"}, "the next stage waits anew"
    assert world.approve(request, "emil").state is State.ACTIVE
    world.verify_all()


def test_it_is_time_that_lets_them_join_and_no_sweep(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.time.forward(minutes=30)
    assert world.approve(request, "dora").state is State.PENDING
    assert types(world, request)[-2:] == ["escalated", "voted"]


def test_each_stage_waits_from_when_it_began(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.time.forward(minutes=20)
    world.approve(request, "ben")
    world.time.forward(minutes=29)
    world.sweep()
    assert may_say_yes(world, request) == {"emil"}
    world.time.forward(minutes=1)
    world.sweep()
    assert may_say_yes(world, request) == {"emil", "dora"}
    assert world.approve(request, "dora").state is State.ACTIVE
    assert types(world, request).count("escalated") == 1
    world.verify_all()


def test_whoever_joined_one_stage_votes_once_and_in_that_stage(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.time.forward(minutes=30)
    world.approve(request, "dora")
    world.time.forward(minutes=30)
    world.sweep()
    with pytest.raises(Refused, match="already approved"):
        world.approve(request, "dora")


def test_nobody_joins_twice_and_nothing_is_woken_for_it(world: World) -> None:
    request = world.ask(what="prod-admin")
    for _ in range(5):
        world.time.forward(minutes=30)
        world.sweep()
    assert types(world, request).count("escalated") == 1
    assert world.store.wake_at(request.id) == request.lapses_at
    woken = world.sweep().woken
    assert woken == 0


def test_an_escalation_the_policy_no_longer_has_lets_nobody_join(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.time.forward(minutes=30)
    world.sweep()
    world.policy_text = POLICY.replace('@escalate("after 30m to platform")\n', "")
    world.put_together()
    with pytest.raises(Refused, match="not among the people asked"):
        world.approve(request, "dora")
    world.approve(request, "ben")
    assert may_say_yes(world, request) == {"emil"}
    assert world.approve(request, "emil").state is State.ACTIVE


def test_two_who_join_the_same_stage_at_different_times_are_both_told_of(tmp_path: Path) -> None:
    second = POLICY.replace('"admin"', '"more"').replace(
        "1 of leads then 1 of security", "1 of platform"
    )
    second = second.replace("after 30m to platform", "after 60m to developers")
    world = World(tmp_path, people_text=PEOPLE_TOO, policy_text=POLICY + second)
    request = world.ask(what="prod-admin")
    for _ in range(2):
        world.time.forward(minutes=30)
        world.sweep()
    joined = [who.id for _, who in world.now(request).escalated]
    assert joined == ["platform", "developers"]


def test_whom_a_new_text_lets_join_is_told_of_though_others_joined_by_the_old_one(
    tmp_path: Path,
) -> None:
    text = POLICY.replace("1 of leads", "2 of leads")
    world = World(tmp_path, people_text=PEOPLE_TOO, policy_text=text)
    request = world.ask(what="prod-admin")
    world.time.forward(minutes=30)
    world.sweep()
    world.policy_text = text.replace("30m to platform", "40m to security")
    world.put_together()
    world.approve(request, "ben")
    world.time.forward(minutes=10)
    world.sweep()
    joined = [who.id for _, who in world.now(request).escalated]
    assert joined == ["platform", "security"]
    world.verify_all()


def test_the_requester_joins_nothing(tmp_path: Path) -> None:
    text = POLICY.replace("to platform", "to developers")
    world = World(tmp_path, people_text=PEOPLE_TOO, policy_text=text)
    request = world.ask(what="prod-admin")
    world.time.forward(minutes=30)
    with pytest.raises(Refused, match="own request"):
        world.approve(request, "ana")


def test_it_lapses_as_ever(world: World) -> None:
    request = world.ask(what="prod-admin")
    world.sweep_until_quiet(step=3600)
    assert world.now(request).state is State.LAPSED
