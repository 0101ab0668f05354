"""How long things took, as the trails of whole lifetimes say it."""

from __future__ import annotations

from datetime import timedelta

from jitcloud.model import Request
from jitcloud.observing import measures
from tests.world import World

SECOND = timedelta(seconds=1)


def measured(world: World, request: Request) -> dict[str, list[timedelta | int]]:
    """All that is said of a request, each commit told as it was, by what it is called."""
    found: dict[str, list[timedelta | int]] = {}
    trail = world.store.events(request.id)
    for line in trail:
        for each in measures.of(world.now(request), [line], lambda: trail):
            name = "/".join([each.name, *each.dimensions.values()])
            found.setdefault(name, []).extend(each.values)
    return found


def test_a_lifetime_to_its_deadline(world: World) -> None:
    request = world.ask(minutes=10)
    world.time.now = world.now(request).window.deadline + 3 * SECOND  # type: ignore[union-attr] # it is active
    world.sweep_until_quiet(step=1)
    said = measured(world, request)
    assert said["DecisionTime/allowed"] == [timedelta(0)]
    (took,) = said["TimeToAccess/aws"]
    assert isinstance(took, timedelta)
    assert timedelta(0) <= took < SECOND
    (late,) = said["Overstay/aws"]
    assert isinstance(late, timedelta)
    assert 3 * SECOND <= late < 10 * SECOND
    assert said["SignedEvents"] == [1]


def test_an_early_end_is_late_from_when_it_was_asked_for(world: World) -> None:
    request = world.ask(minutes=30)
    world.time.forward(minutes=5)
    world.give_back(request)
    world.time.forward(seconds=7)
    world.sweep_until_quiet(step=1)
    (late,) = measured(world, request)["Overstay/aws"]
    assert isinstance(late, timedelta)
    assert late < 20 * SECOND


def test_a_decision_takes_as_long_as_its_voters(world: World) -> None:
    request = world.ask("ana", "prod-write")
    world.time.forward(minutes=4)
    world.approve(request)
    said = measured(world, request)
    assert said["DecisionTime/allowed"] == [timedelta(minutes=4)]
    assert sum(n for n in said["SignedEvents"] if isinstance(n, int)) == sum(
        line.signature is not None for line in world.store.events(request.id)
    )


def test_a_no_and_a_lapse_are_told_apart(world: World) -> None:
    denied = world.ask("ana", "prod-write", minutes=60 * 12)
    assert measured(world, denied)["DecisionTime/denied"] == [timedelta(0)]
    waiting = world.ask("ana", "prod-write")
    world.time.forward(days=2)
    world.sweep()
    (took,) = measured(world, waiting)["DecisionTime/lapsed"]
    assert took == timedelta(days=2)
