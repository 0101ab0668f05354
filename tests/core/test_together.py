"""Several things asked for at once: one justification, decided apart, shown together."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from jitcloud.asking import MOST_TOGETHER, Wish
from jitcloud.errors import Conflict, Invalid, NotFound
from jitcloud.model import EntitlementId, Request, RequestId, State
from tests.world import World, caller

WISH = Wish(duration=timedelta(minutes=30), justification="INC-9", ticket="T-1")
NAME = RequestId("01JD8Z6N3V5E6X7Y8Z9ABCDEFG")


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ask(world: World, *what: str, id_: RequestId | None = None) -> tuple[Request, ...]:
    things = [EntitlementId(each) for each in what]
    return world.broker.request_all(caller("ana"), things, WISH, world.time(), id_)


def test_each_is_decided_apart_and_knows_the_others(world: World) -> None:
    asked = ask(world, "dev-read", "prod-write", "prod-admin")
    assert [request.state for request in asked] == [State.SCHEDULED, State.PENDING, State.PENDING]
    names = tuple(request.id for request in asked)
    assert {request.ask.together for request in asked} == {names}
    assert {request.ask.justification for request in asked} == {"INC-9"}
    assert {request.ask.ticket for request in asked} == {"T-1"}
    assert world.advance.wake(names[0]).state is State.ACTIVE
    assert world.approve(asked[1]).state is State.ACTIVE
    assert world.now(names[2]).state is State.PENDING
    world.verify_all()


def test_one_that_is_refused_keeps_no_other_from_being_asked(world: World) -> None:
    world.policy_text = world.policy_text.replace('@id("prod-admin")', '@id("gone")').replace(
        'Privilege::"admin"', 'Privilege::"read"'
    )
    world.put_together()
    asked = ask(world, "dev-read", "prod-admin")
    assert [request.state for request in asked] == [State.SCHEDULED, State.DENIED]


@pytest.mark.parametrize(
    ("what", "error"),
    [
        ((), Invalid),
        (("dev-read", "dev-read"), Invalid),
        (("dev-read", "no-such"), NotFound),
        (tuple(f"e{number}" for number in range(MOST_TOGETHER + 1)), Invalid),
    ],
)
def test_what_cannot_be_asked_records_nothing(
    world: World, what: tuple[str, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        ask(world, *what)
    assert world.store.ids(10) == ()


def test_the_same_id_asks_for_all_of_it_once(world: World) -> None:
    first = ask(world, "dev-read", "prod-write", id_=NAME)
    again = ask(world, "dev-read", "prod-write", id_=NAME)
    assert [request.id for request in again] == [request.id for request in first]
    assert len(world.store.ids(10)) == 2
    with pytest.raises(Conflict, match="asks for something else"):
        ask(world, "dev-read", "prod-admin", id_=NAME)
    with pytest.raises(Conflict):
        ask(world, "dev-read", "prod-write", "prod-admin", id_=NAME)


def test_one_alone_is_together_with_nothing(world: World) -> None:
    (request,) = ask(world, "dev-read")
    assert request.ask.together == ()
